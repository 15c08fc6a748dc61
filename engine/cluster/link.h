/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A link: frames in both directions over one stream of bytes between a master and an agent, which is TLS between hosts.
 *
 * A link has two threads. The writer takes frames from two queues: urgent ones, which are short and few, and ordinary ones, in order;
 * long ones go in parts, so that urgent frames wait for one part at most. The reader never waits for anybody: it gives each frame to its
 * owner.
 *
 * Credits: a side sends no more bytes than the other has said that it can take unread (a few urgent frames more); who has read them says
 * so. So the window of TCP never closes because a process is stopped, and silence of the kernel on the other side, which the socket
 * notices (TCP_USER_TIMEOUT), is told apart from a process that does not run for a while. To notice silence there must be something in
 * flight: an idle link sends a ping a few times a second. For a process that does not run there is a limit of its own, which is long.
 *
 * Nothing that arrives is trusted: kinds and sizes are checked, memory is taken as bytes come.
 *
 * Who owns what: the link owns the stream. Frames that were sent belong to it until they were written. Callbacks come in the reader's
 * thread, without a lock of the link's; lost comes once, as the last. */
#pragma once
#include <gio/gio.h>

typedef struct _TtiLink TtiLink;

#define TTI_LINK_MAGIC 0x4c545554u /* "TUTL" */
#define TTI_LINK_MOST_UNPLACED (G_GUINT64_CONSTANT (1) << 36) /* bytes of a frame that its owner has no memory for yet */

typedef struct
{
  guint32 magic;
  guint16 kind;       /* the owner's, or one of the link's own (link-private.h) */
  guint16 flags;      /* the link's */
  guint64 worker;     /* a generation, or 0 */
  guint64 id, detail; /* as the kind says */
  guint64 size;       /* of the bytes that follow */
} TtiLinkFrame;
G_STATIC_ASSERT (sizeof (TtiLinkFrame) == 40);

typedef enum
{
  TTI_LINK_COLLECT, /* give me its bytes in memory of your own */
  TTI_LINK_PLACE,   /* write its bytes to the place that I name */
  TTI_LINK_DISCARD, /* nobody wants its bytes */
  TTI_LINK_REFUSE   /* ERROR says why: the link is lost */
} TtiLinkTaking;

typedef struct
{
  /* FRAME begins. *PLACE: where its bytes go (TTI_LINK_PLACE); it must be valid until arrived or lost is called. */
  TtiLinkTaking (*begins) (TtiLink *link, const TtiLinkFrame *frame, gpointer *place, gpointer user_data, GError **error);
  /* FRAME and its bytes have come. BYTES: those that were collected; NULL if there are none. FALSE: ERROR says why it is refused. */
  gboolean (*arrived) (TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes, gpointer user_data, GError **error);
  /* The other side is gone, or nothing that it says can be used. */
  void (*lost) (TtiLink *link, const GError *error, gpointer user_data);
} TtiLinkOps;

typedef struct
{
  guint64 window;    /* bytes that the other side may send before this one reads */
  guint silence_ms;  /* after which a process that says nothing counts as lost though its kernel answers; 0: never */
  GSocket *socket;   /* below the stream: shut down when the link breaks; NULL: the stream never waits */
  const char *peer;  /* who is on the other side, for texts */
} TtiLinkOptions;

/* Takes STREAM over. Nothing is read before tti_link_start (), before which the first owner must have been set. */
TtiLink *tti_link_new (GIOStream *stream, const TtiLinkOptions *options);
gboolean tti_link_start (TtiLink *link, GError **error);
/* Set the owner: before the start, or in a callback, and then from the next frame on. */
void tti_link_set_owner (TtiLink *link, const TtiLinkOps *ops, gpointer user_data);

/* What is to be sent. Nothing waits; on a lost link it is dropped. BYTES (NULL: none) is kept until it was written. Urgent frames have at
 * most 16 KiB. */
void tti_link_send (TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes);
void tti_link_send_urgent (TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes);
/* FRAME with SIZE bytes at DATA. KEEP is released with RELEASE when all were written or dropped. */
void tti_link_send_contents (TtiLink *link, const TtiLinkFrame *frame, gconstpointer data, guint64 size, gpointer keep,
                             GDestroyNotify release);

/* Between the two the link's writer is not woken for frames that are not urgent: who sends several has them written together. Pairs may be
 * inside of others, also those of other threads. */
void tti_link_hold (TtiLink *link);
void tti_link_go (TtiLink *link);

/* For owners: ERROR says that a frame is refused, for WHAT, of which NUMBER says more. Always FALSE. */
gboolean tti_link_refuse (GError **error, const char *what, guint64 number);

gboolean tti_link_is_lost (TtiLink *link);         /* nothing can be sent any more */
const char *tti_link_get_peer (TtiLink *link);     /* as options said; the link's */
guint64 tti_link_get_sent (TtiLink *link); /* bytes that were written until now, for measurements */

/* Send what is queued, for LINGER_MS at most, and close. lost comes, unless it has. Not from a callback. */
void tti_link_close (TtiLink *link, guint linger_ms);
/* Close at once; from any thread, also from callbacks. */
void tti_link_abort (TtiLink *link, const char *reason);
/* Close and free; waits for its threads. Not from a callback. NULL is fine. */
void tti_link_free (TtiLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiLink, tti_link_free)
