/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Code that the implementations of a transport share: the frame on the wire, the queue, and the table of functions that they must
 * supply.
 *
 * A message is a frame and its body: a table of attachments, the encoded value, and the contents of the vectors that go by value,
 * in the order of the table. */
#pragma once
#include "transport/leases.h"
#include "transport/transport.h"
#include "transport/vector-private.h"

#define TTI_FRAME_MAGIC 0x49545554u /* "TUTI" */
#define TTI_FRAME_VERSION 2
#define TTI_BY_VALUE G_MAXUINT32    /* in place of a descriptor's number: the bytes are in the body, the body is in the packet */
#define TTI_BY_NUMBER (G_MAXUINT32 - 1) /* ... it is in a storage that was leased before */
#define TTI_BY_SIZE (G_MAXUINT32 - 2)   /* ... there are none: the other side makes memory of this size, see destinations.h */
#define TTI_MESSAGE_MAX_DESCRIPTORS 16384

typedef struct
{
  guint32 magic;
  guint16 version;
  guint8 kind;             /* TtiMessageKind, or TTI_FRAME_MORE */
  guint8 has_payload;
  guint32 attempt;
  guint32 n_vectors;
  guint64 generation, id, detail;
  guint64 n_bytes;         /* of the encoded value */
  guint64 n_contents;      /* of the vectors by value */
  guint64 body_offset;     /* offset in the descriptor or storage that contains the body */
  guint64 body_storage;    /* the number of that storage, 0: it has none */
  guint32 body_descriptor;
  guint32 n_descriptors;   /* of the message; with TTI_FRAME_MORE: of this packet */
  guint32 sequence;        /* from 1, to restore the order of messages that came by different ways; else 0 */
  guint32 unused;
} TtiFrame;
G_STATIC_ASSERT (sizeof (TtiFrame) == 88);

enum
{
  TTI_FRAME_MORE = 0xff,    /* more descriptors of the message that was begun */
  TTI_FRAME_MAILBOX = 0xfe, /* the memory of a mailbox */
  TTI_FRAME_WAKE = 0xfd     /* there is something in the mailbox */
};

typedef struct
{
  guint64 offset;          /* in the descriptor or storage */
  guint64 size;
  guint64 storage;         /* the number of the storage under which to remember it, 0: not at all */
  guint32 descriptor;
  guint8 travel;
  guint8 unused[3];
} TtiAttachment;
G_STATIC_ASSERT (sizeof (TtiAttachment) == 32);

/* A frame for MESSAGE. FALSE (TUTTI_ERROR_LIMIT) if it is too large to be sent. */
gboolean tti_frame_init (TtiFrame *frame, const TtiMessage *message, GError **error);
gboolean tti_frame_check (const TtiFrame *frame, GError **error);
/* MOST_BY_VALUE: the largest vector that may be inside; CONTENTS_LEFT: the bytes that the frame announced, minus those already
 * seen. */
gboolean tti_attachment_check (const TtiAttachment *attachment, guint64 most_by_value, guint64 *contents_left, GError **error);
void tti_vector_arrived (TtiVector *vector, TtiTravel travel, gboolean trusted);
/* Takes PAYLOAD (NULL: it has none), also if it fails. */
gboolean tti_frame_to_message (const TtiFrame *frame, TtiPayload *payload, gboolean trusted, TtiMessage *message, GError **error);
/* Set ERROR to TUTTI_ERROR_PROTOCOL; always FALSE. */
gboolean tti_protocol_error (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* An outgoing message; implementations append their own fields. */
typedef struct
{
  GList link; /* of the queue; its data is this struct */
} TtiOutgoing;

typedef enum { TTI_PUSHED_ALL, TTI_PUSHED_LATER, TTI_PUSHED_GONE /* errno is set */ } TtiPushed;

typedef struct
{
  TtiOutgoing *(*prepare) (TtiTransport *transport, const TtiMessage *message, GError **error);
  TtiPushed (*push) (TtiTransport *transport, TtiOutgoing *outgoing);
  void (*outgoing_free) (TtiOutgoing *outgoing);
  TtiReceived (*receive) (TtiTransport *transport, TtiMessage *message, GError **error);
  void (*clear) (TtiTransport *transport); /* what the implementation has; also at the end of what is received */
  /* Only where there is no descriptor that shows all that can be received; else NULL. */
  GSource *(*create_source) (TtiTransport *transport, TtiLock *lock);
  /* Only where that takes time (NULL: no time that matters); see tti_transport_get_round_trip (). */
  gint64 (*get_round_trip) (TtiTransport *transport);
  void (*ask_back) (TtiTransport *transport, const guint64 *ids, guint n); /* NULL: cannot be */
  void (*send_probe) (TtiTransport *transport); /* where get_probe () does not do; NULL: there is none */
  /* Only with mailboxes; NULL for others. */
  TtiPushed (*push_at_once) (TtiTransport *transport, const TtiMessage *message); /* LATER: the message must be prepared */
  gboolean (*has_message) (TtiTransport *transport);
  gboolean (*park) (TtiTransport *transport, gboolean park);
  void (*set_crowded) (TtiTransport *transport, gboolean crowded);
  gboolean (*is_crowded) (TtiTransport *transport);
  guint32 (*get_ticket) (TtiTransport *transport);
  gboolean (*recall) (TtiTransport *transport, guint32 ticket);
  TtiParts *(*get_parts) (TtiTransport *transport);
  TtiProbe *(*get_probe) (TtiTransport *transport);
  gboolean leads_home; /* prepare () sends vectors whose contents are where it leads to (away.h), and refuses others */
  /* Only where contents come with answers; NULL for others. */
  void (*forget) (TtiTransport *transport, guint64 id);
  void (*close) (TtiTransport *transport); /* before it is freed */
} TtiTransportOps;

struct _TtiTransport
{
  const TtiTransportOps *ops;
  int fd;
  gboolean trusted;
  TtiLeases *leases;   /* NULL: no memory is shared */
  GQueue outgoing;
  gboolean gone;         /* nothing can be sent any more */
  gboolean ended;        /* nothing more will be received */
  GError *receive_error; /* why not, if it was not the end */
};

/* A zeroed struct of SIZE bytes that begins with a TtiTransport. */
TtiTransport *tti_transport_alloc (gsize size, const TtiTransportOps *ops, int fd, gboolean trusted);

/* --- attachments of packets (packet-attachments.c) ----------------------------------------------------------------------- */
typedef struct
{
  GArray *fds;         /* of int, which the vectors in KEEP and the payload own */
  GPtrArray *keep;     /* vectors made for this message */
  TtiAttachment *table;
  GHashTable *numbers; /* storage -> the number of its descriptor + 1 */
  GPtrArray *leased;   /* storages, each once, kept by the payload and KEEP; NULL: none */
} TtiAttached;

/* Decide how the vectors of PAYLOAD travel from TRANSPORT, and complete FRAME with it. */
gboolean tti_attached_init (TtiAttached *attached, TtiFrame *frame, TtiPayload *payload, TtiTransport *transport,
                            GError **error);
/* Add VECTOR: returns the number of its descriptor, or TTI_BY_NUMBER, its offset there, and the number of its storage. */
guint32 tti_attached_add (TtiAttached *attached, TtiTransport *transport, TtiVector *vector, guint64 *offset, guint64 *storage);
/* The message will be sent: its storages are leased from now on. */
void tti_attached_grant_leases (TtiAttached *attached, TtiTransport *transport);
void tti_attached_clear (TtiAttached *attached);

/* The message that consists of FRAME, its body (NEAR, or in a descriptor) and FDS (which stay the caller's). */
gboolean tti_attached_receive (const TtiFrame *frame, const guint8 *near_body, const int *fds, TtiTransport *transport,
                               TtiMessage *message, GError **error);
