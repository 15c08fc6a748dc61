/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A transport carries messages between a master and one worker, in order, in both directions, and never blocks.
 *
 * Roles: both ends are equal. The master's end is driven by the engine's main loop, the worker's by its own loop. A loop waits with a
 * source, which every transport has (tti_transport_create_source ()), or with tti_transport_get_fd () and
 * tti_transport_get_events () if one descriptor shows everything; a transport that decrypts has bytes that no descriptor shows.
 * Messages that do not fit now are queued, and tti_transport_flush () sends them. Either side may close at any time; messages that
 * have arrived completely before that are still received.
 * Nothing that arrives is trusted: magic, version, lengths, number and size of descriptors are checked, and a violation is
 * TUTTI_ERROR_PROTOCOL, after which the transport is unusable.
 *
 * Implementations: packets (AF_UNIX SEQPACKET; vectors and long bytes go as descriptors), mailboxes (the same, with rings in shared
 * memory for small messages) and stream (any byte stream; vectors go as bytes). The interface assumes no shared memory. One thread
 * at a time may use a transport.
 *
 * A thread that waits for a transport may poll it first (tti_transport_has_message ()), which needs no system call, and must park
 * before it sleeps: only a side that has parked is woken. Without a mailbox polling finds nothing, and parking does nothing. */
#pragma once
#include "platform/lock.h"
#include "transport/probe.h"
#include "transport/parts.h"
#include "transport/payload.h"

typedef enum
{
  TTI_MESSAGE_HELLO = 1, /* worker -> master: ready; id: protocol version; detail: pid */
  TTI_MESSAGE_HOLD,      /* master -> worker: keep this payload's value under id */
  TTI_MESSAGE_DROP,      /* master -> worker: forget the held id */
  TTI_MESSAGE_TASK,      /* master -> worker: run; detail: TtiHandlerKind */
  TTI_MESSAGE_RESULT,    /* worker -> master: value of task id; detail: its duration in µs */
  TTI_MESSAGE_EXCEPTION, /* worker -> master: description of the exception that task id raised; detail: its duration in µs */
  TTI_MESSAGE_FAULT,     /* worker -> master: task id wrote to a read-only vector of detail bytes; the worker is ending */
  TTI_MESSAGE_BYE,       /* master -> worker: end when idle */
  TTI_MESSAGE_STACK,     /* worker -> master: where it is, a text; id: of its task; it was asked by a probe */
  TTI_MESSAGE_LAST = TTI_MESSAGE_STACK,
  TTI_MESSAGE_LEASE,     /* between the transports of both sides: news of leased memory; callers never see one */
  TTI_MESSAGE_RETURNED   /* from a transport itself, never sent: task id was asked back, and has not begun, nor will it */
} TtiMessageKind;

typedef struct
{
  TtiMessageKind kind;
  guint32 attempt;       /* of the task, from 1 */
  guint64 generation;    /* of the worker: identifies late messages of a dead one */
  guint64 id;
  guint64 detail;
  TtiPayload *payload; /* NULL: none */
  guint64 stays;       /* never sent as such: of a task for another machine, see tti_task_set_stays () */
} TtiMessage;

void tti_message_clear (TtiMessage *message); /* drops the payload; zeroed memory is fine */

typedef enum
{
  TTI_RECEIVED_MESSAGE,
  TTI_RECEIVED_NOTHING, /* no complete message now, or this call has taken enough: then has_message () or FD says so */
  TTI_RECEIVED_END,     /* the other side has closed, or is gone */
  TTI_RECEIVED_ERROR
} TtiReceived;

typedef struct _TtiTransport TtiTransport;

/* Limits that a received message must respect. */
#define TTI_MESSAGE_MAX_BYTES (G_GUINT64_CONSTANT (1) << 36)   /* bytes of the encoded value */
#define TTI_MESSAGE_MAX_VECTORS (1u << 20)

/* Both take FD (a connected, non-blocking socket). TRUSTED: this end may accept descriptors that could be shrunk (a worker
 * trusts its master, who may map files for it). */
TtiTransport *tti_packet_transport_new (int fd, gboolean trusted);
TtiTransport *tti_stream_transport_new (int fd, gboolean trusted);
/* Packets and a mailbox: the master's end (which is not TRUSTED) makes the mailbox and sends it, the other end waits for it. */
TtiTransport *tti_mailbox_transport_new (int fd, gboolean trusted);
void tti_transport_free (TtiTransport *transport); /* closes; NULL is fine */

/* Send MESSAGE, or queue what does not fit. FALSE if the other side is gone (TUTTI_ERROR_CLOSED) or if there is no memory for a
 * long payload (TUTTI_ERROR_SYSTEM, e.g. EMFILE: the transport stays usable and nothing of the message was sent). */
gboolean tti_transport_send (TtiTransport *transport, const TtiMessage *message, GError **error);
/* Send the pending news of leases, which otherwise go with the next message. Errors as for sending. */
gboolean tti_transport_send_news (TtiTransport *transport, guint64 generation, GError **error);

/* Send more of what is queued. FALSE if the other side is gone. */
gboolean tti_transport_flush (TtiTransport *transport, GError **error);

/* The next message that has arrived completely; the caller clears it. Vectors in it arrive as their sender's TtiTravel says:
 * SHARED is mapped read-only in a TRUSTED end (a worker) and writable in the other (what workers return belongs to the master);
 * COPY is always mapped copy-on-write. */
TtiReceived tti_transport_receive (TtiTransport *transport, TtiMessage *message, GError **error);

/* The task with the number ID, which was sent, has ended without its answer: what an answer brings for vectors that it was to write into
 * (TTI_TRAVEL_WRITE) goes nowhere. */
void tti_transport_forget (TtiTransport *transport, guint64 id);

/* A source for a main loop; its callback is a GSourceFunc, called when a message can be received or more of the queue can be sent. LOCK
 * (NULL: none) guards TRANSPORT; the source takes it to look at TRANSPORT, but not for the callback. Destroy the source, under LOCK,
 * before TRANSPORT is freed. */
GSource *tti_transport_create_source (TtiTransport *transport, TtiLock *lock);

int tti_transport_get_fd (TtiTransport *transport);       /* to wait for; owned by TRANSPORT; -1: wait with a source */
short tti_transport_get_events (TtiTransport *transport); /* POLLIN, and POLLOUT while something is queued */

/* Is there a message in the mailbox that can be received? Always FALSE without a mailbox: wait for the descriptor. */
gboolean tti_transport_has_message (TtiTransport *transport);
/* Make the descriptor readable when a message comes. FALSE: one has come already, receive it; the transport is not parked. */
gboolean tti_transport_park (TtiTransport *transport);
void tti_transport_unpark (TtiTransport *transport); /* saves the other side the wakeup */

/* Tell the other side whether there are more runnable processes than processors, and ask what it has told us (FALSE if nothing): if
 * so, park instead of polling. */
void tti_transport_set_crowded (TtiTransport *transport, gboolean crowded);
gboolean tti_transport_is_crowded (TtiTransport *transport);

/* The ticket with which the last message sent can be recalled; 0: it cannot be recalled. */
guint32 tti_transport_get_ticket (TtiTransport *transport);
/* Recall a message that the other side has not received. FALSE: it has, or it went a way from which messages cannot be recalled. */
gboolean tti_transport_recall (TtiTransport *transport, guint32 ticket);

/* Where to recall takes time: ask back the N tasks with these IDS, the newest first. Those that the other side has not begun come back,
 * each as a message TTI_MESSAGE_RETURNED, in that order; the others are answered. FALSE: nothing can be asked back so. */
gboolean tti_transport_ask_back (TtiTransport *transport, const guint64 *ids, guint n);

/* How long a message and its answer are on their way, µs, as far as is known; 0: no time that matters. */
gint64 tti_transport_get_round_trip (TtiTransport *transport);

/* The shared word with the worker's progress in the parts of a task, valid as long as TRANSPORT lives; NULL without a mailbox. */
TtiParts *tti_transport_get_parts (TtiTransport *transport);

/* The word by which the worker is asked where it is, valid as long as TRANSPORT lives; NULL without a mailbox, or elsewhere. */
TtiProbe *tti_transport_get_probe (TtiTransport *transport);
/* Ask the worker, from the master's side. FALSE: it cannot be asked. */
gboolean tti_transport_probe (TtiTransport *transport);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiTransport, tti_transport_free)
