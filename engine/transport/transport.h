/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A transport carries messages between a master and one worker, in order, in both directions, and never blocks.
 *
 * Roles: both ends are equal. The master's end is driven by the engine's main loop, the worker's by its own loop. Who waits does so with a
 * source, which every transport has, or with tutti_transport_get_fd () and tutti_transport_get_events () if there is a descriptor that
 * shows all (one that decrypts has bytes that no descriptor shows). What does not fit now is queued and goes out with
 * tutti_transport_flush (). Either side may close at any time; messages that arrived whole before that are still received.
 * Nothing that arrives is trusted: magic, version, lengths, number and size of descriptors are checked, and a violation is
 * TUTTI_ERROR_PROTOCOL, after which the transport is unusable.
 *
 * Implementations: packets (AF_UNIX SEQPACKET; vectors and long bytes go as descriptors), mailboxes (the same, and rings in shared
 * memory for what is small) and stream (any byte stream; vectors go as bytes). The interface assumes no shared memory. One
 * thread at a time may use a transport.
 *
 * Who waits for a transport may look for mail first, which enters no kernel, and must park before it sleeps: only a side that has
 * parked is woken. Without a mailbox there is never mail, and parking does nothing. */
#pragma once
#include "transport/parts.h"
#include "transport/payload.h"

typedef enum
{
  TUTTI_MESSAGE_HELLO = 1, /* worker -> master: ready; id: protocol version; detail: pid */
  TUTTI_MESSAGE_HOLD,      /* master -> worker: keep this payload's value under id */
  TUTTI_MESSAGE_DROP,      /* master -> worker: forget the held id */
  TUTTI_MESSAGE_TASK,      /* master -> worker: run; detail: TuttiHandlerKind */
  TUTTI_MESSAGE_RESULT,    /* worker -> master: value of task id; detail: the µs that it took */
  TUTTI_MESSAGE_EXCEPTION, /* worker -> master: description of what task id raised; detail: the µs that it took */
  TUTTI_MESSAGE_FAULT,     /* worker -> master: task id wrote to a read-only vector of detail bytes; the worker is ending */
  TUTTI_MESSAGE_BYE,       /* master -> worker: end when idle */
  TUTTI_MESSAGE_LAST = TUTTI_MESSAGE_BYE,
  TUTTI_MESSAGE_LOAN       /* between the transports of both sides: what became of lent memory; callers never see one */
} TuttiMessageKind;

typedef struct
{
  TuttiMessageKind kind;
  guint32 attempt;       /* of the task, from 1 */
  guint64 generation;    /* of the worker: late news of a dead one is recognised by it */
  guint64 id;
  guint64 detail;
  TuttiPayload *payload; /* NULL: none */
} TuttiMessage;

void tutti_message_clear (TuttiMessage *message); /* drops the payload; zeroed memory is fine */

typedef enum
{
  TUTTI_RECEIVED_MESSAGE,
  TUTTI_RECEIVED_NOTHING, /* nothing whole is there now, or enough was taken for one call: then there is mail, or FD is readable */
  TUTTI_RECEIVED_END,     /* the other side has closed, or is gone */
  TUTTI_RECEIVED_ERROR
} TuttiReceived;

typedef struct _TuttiTransport TuttiTransport;

/* Limits that a received message must respect. */
#define TUTTI_MESSAGE_MAX_BYTES (G_GUINT64_CONSTANT (1) << 36)   /* bytes of the encoded value */
#define TUTTI_MESSAGE_MAX_VECTORS (1u << 20)

/* Both take FD (a connected, non-blocking socket). TRUSTED: this end may accept descriptors that could be shrunk (a worker
 * trusts its master, who may map files for it). */
TuttiTransport *tutti_packet_transport_new (int fd, gboolean trusted);
TuttiTransport *tutti_stream_transport_new (int fd, gboolean trusted);
/* Packets and a mailbox, which the master's end (the one that is not TRUSTED) makes and sends; the other waits for that. */
TuttiTransport *tutti_mailbox_transport_new (int fd, gboolean trusted);
void tutti_transport_free (TuttiTransport *transport); /* closes; NULL is fine */

/* Send MESSAGE, or queue what does not fit. FALSE if the other side is gone (TUTTI_ERROR_CLOSED) or no memory could be had for a long
 * payload (TUTTI_ERROR_SYSTEM, e.g. EMFILE: the transport stays usable and nothing of the message was sent). */
gboolean tutti_transport_send (TuttiTransport *transport, const TuttiMessage *message, GError **error);
/* What is to be told of loans goes with the next message; this tells it without one. Errors as for sending. */
gboolean tutti_transport_send_news (TuttiTransport *transport, guint64 generation, GError **error);

/* Send more of what is queued. FALSE if the other side is gone. */
gboolean tutti_transport_flush (TuttiTransport *transport, GError **error);

/* The next message that has arrived whole; the caller clears it. Vectors in it arrive as their sender's TuttiTravel says: SHARED is
 * mapped read-only in a TRUSTED end (a worker) and writable in the other (what workers return belongs to the master); COPY is
 * always mapped copy-on-write. */
TuttiReceived tutti_transport_receive (TuttiTransport *transport, TuttiMessage *message, GError **error);

/* For a main loop: calls back (a GSourceFunc) when something can be received, or more of what is queued can be sent. LOCK (NULL: none) is what
 * guards TRANSPORT; it is taken while the source looks at it, and not for the callback. To be destroyed, under LOCK, before TRANSPORT is freed. */
GSource *tutti_transport_create_source (TuttiTransport *transport, GMutex *lock);

int tutti_transport_get_fd (TuttiTransport *transport);       /* to wait with; owned by TRANSPORT; -1: wait with a source */
short tutti_transport_get_events (TuttiTransport *transport); /* POLLIN, and POLLOUT while something is queued */

/* Has something come that can be received? Without a mailbox FALSE: wait with the descriptor. */
gboolean tutti_transport_has_message (TuttiTransport *transport);
/* Let the descriptor become readable when something comes. FALSE: something has come already, receive it; it is not parked. */
gboolean tutti_transport_park (TuttiTransport *transport);
void tutti_transport_unpark (TuttiTransport *transport); /* spare the other side the wakeup */

/* Tell the other side whether more processes want to run than there are processors, and hear it from there (FALSE if nothing was said):
 * then it is better to park than to look for mail. */
void tutti_transport_set_crowded (TuttiTransport *transport, gboolean crowded);
gboolean tutti_transport_is_crowded (TuttiTransport *transport);

/* The ticket of the message that was sent last, with which it can be recalled; 0: it cannot. */
guint32 tutti_transport_get_ticket (TuttiTransport *transport);
/* Take a message back that the other side has not received. FALSE: it has, or it went a way from which none comes back. */
gboolean tutti_transport_recall (TuttiTransport *transport, guint32 ticket);

/* What both sides share to tell how far the worker is with the parts of a task, for as long as TRANSPORT lives; NULL without a mailbox. */
TuttiParts *tutti_transport_get_parts (TuttiTransport *transport);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiTransport, tutti_transport_free)
