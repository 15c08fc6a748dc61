/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the two threads of a link share. */
#pragma once
#include "cluster/link.h"
#include "cluster/tcp.h"
#include "platform/lock.h"

enum
{
  /* Kinds of frames of the link's own; those of owners begin at 1. */
  TTI_LINK_CREDIT = 0xff00, /* detail: another so many bytes were read; id: what they may cost unread, see tti_link_cost () */
  TTI_LINK_PING,            /* nothing is asked for: the kernel on the other side acknowledges it */
  TTI_LINK_PART,            /* the next bytes of the long frame that has begun */
  TTI_LINK_LAST = TTI_LINK_PART
};

enum
{
  TTI_LINK_RECORD = 16 * 1024, /* bytes of TLS */
  TTI_LINK_SHORT = 16 * 1024,  /* longer frames come in parts, */
  TTI_LINK_MOST_PART = 128 * 1024
};

/* A flag: no bytes follow this frame, its SIZE bytes come in parts. */
enum { TTI_LINK_LONG = 1 };

/* Before the other side has said what it can take: less than any kernel's buffer. */
enum { TTI_LINK_FIRST_WINDOW = 32 * 1024 };

/* A write whose bytes the other side may not have read. */
typedef struct
{
  guint64 end;  /* how many bytes were written with it, since the link began */
  guint64 cost;
} TtiLinkWrite;

/* What N bytes in one write cost the kernel on the other side (cluster/tcp.h). */
static inline guint64
tti_link_cost (guint64 n)
{
  return n + (1 + n / TTI_LINK_RECORD) * TTI_TCP_RECORD;
}

typedef struct
{
  GList link;         /* of its queue; data is this struct */
  TtiLinkFrame frame;
  const guint8 *data; /* frame.size bytes */
  guint64 n_done;     /* of a long one: so many were taken to be written */
  gboolean begun;
  gpointer keep;      /* what has the bytes */
  GDestroyNotify release;
} TtiLinkOut;

struct _TtiLink
{
  GIOStream *stream;
  GInputStream *input;
  GOutputStream *output;
  GSocket *socket;
  char *peer;
  guint64 window;
  gint64 silence;        /* µs; 0: no limit */
  GThread *reader, *writer;
  gint64 heard;          /* atomic: when the other side has said something last */

  TtiLock lock;          /* of what follows */
  GCond changed;
  const TtiLinkOps *ops;
  gpointer user_data;
  GQueue urgent, ordinary; /* of TtiLinkOut */
  guint64 may_cost;      /* what may be unread on the other side; urgent frames may be more */
  guint64 unread_cost;
  GQueue writes;         /* of TtiLinkWrite: those that may be unread */
  guint64 n_read;        /* bytes of ours that the other side has read */
  guint64 n_sent;
  gboolean closing;      /* no more frames are taken */
  gboolean lost;
  gboolean writing;      /* something was taken from the queues and is being written */
  gboolean writer_waits; /* for something to write, and nobody has woken it yet */
  guint n_holds;         /* who gathers frames, see tti_link_hold () */
  char *reason;          /* why it was aborted */
};

void tti_link_out_free (TtiLinkOut *out);
gpointer tti_link_write (gpointer link);  /* the writer's thread */
gpointer tti_link_read (gpointer link);   /* the reader's thread */
/* There may be something to write. (To wake a thread is a system call, so once is enough until it runs.) */
void tti_link_wake_writer_locked (TtiLink *link);
/* Whatever has happened, both threads come to their end. */
void tti_link_break (TtiLink *link);
