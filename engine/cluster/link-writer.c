/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The writer of a link: many short frames in one write, long ones in chunks, no more than the other side can take. */
#include "cluster/link-private.h"
#include "cluster/tcp.h"
#include <string.h>

enum
{
  BATCH = 32 * 1024,         /* bytes of short frames that are written at once */
  LEAST_PART = 8 * 1024,     /* bytes of a long one, though no more may be unread */
  MOST_PINGS_UNHEARD = 8     /* and no more than so often while the other process is silent: its pings stay unread */
};

typedef struct
{
  TtiLink *link;
  guint8 batch[BATCH + 2 * sizeof (TtiLinkFrame)];
  gsize n_batch;
  const guint8 *part;        /* what follows the batch, of a long frame */
  gsize n_part;
  TtiLinkOut *finished;      /* the frame that ends with that */
  guint n_pings;             /* since the other side has been heard */
  gint64 heard;
} Writer;

static void
append (Writer *writer, gconstpointer data, gsize size)
{
  if (size > 0)
    memcpy (writer->batch + writer->n_batch, data, size);
  writer->n_batch += size;
}

static void
take_short_locked (Writer *writer, GQueue *queue, TtiLinkOut *out)
{
  TTI_ASSERT_LOCKED (&writer->link->lock);
  append (writer, &out->frame, sizeof out->frame);
  append (writer, out->data, out->frame.size);
  g_queue_unlink (queue, &out->link);
  tti_link_out_free (out);
}

/* What may be written more without being read. */
static guint64
may_cost_locked (Writer *writer)
{
  TTI_ASSERT_LOCKED (&writer->link->lock);
  TtiLink *link = writer->link;
  guint64 cost = link->unread_cost + tti_link_cost (writer->n_batch);

  return link->may_cost > cost ? link->may_cost - cost : 0;
}

/* The next part of a long frame, and before the first what it is. */
static void
take_part_locked (Writer *writer, GQueue *queue, TtiLinkOut *out)
{
  TTI_ASSERT_LOCKED (&writer->link->lock);
  guint64 most = MAX (may_cost_locked (writer), LEAST_PART);
  TtiLinkFrame part = { .magic = TTI_LINK_MAGIC, .kind = TTI_LINK_PART, .worker = out->frame.worker };

  if (!out->begun)
    {
      out->begun = TRUE;
      out->frame.flags = TTI_LINK_LONG;
      append (writer, &out->frame, sizeof out->frame);
    }
  part.size = MIN (out->frame.size - out->n_done, MIN (most, TTI_LINK_MOST_PART));
  append (writer, &part, sizeof part);
  writer->part = out->data + out->n_done;
  writer->n_part = (gsize) part.size;
  out->n_done += part.size;
  if (out->n_done < out->frame.size)
    return;
  g_queue_unlink (queue, &out->link);
  writer->finished = out;
}

/* Take what fits of the frames in QUEUE. */
static void
take_from_locked (Writer *writer, GQueue *queue)
{
  TTI_ASSERT_LOCKED (&writer->link->lock);
  TtiLink *link = writer->link;
  TtiLinkOut *out;

  while (writer->n_part == 0 && (out = g_queue_peek_head (queue)) != NULL)
    {
      gboolean is_long = out->frame.size > TTI_LINK_SHORT;
      gsize size = sizeof out->frame + (is_long ? 0 : (gsize) out->frame.size);

      if (writer->n_batch + size > BATCH || (queue == &link->ordinary && may_cost_locked (writer) == 0))
        return;
      if (is_long)
        take_part_locked (writer, queue, out);
      else
        take_short_locked (writer, queue, out);
    }
}

/* The other process may be stopped, and its kernel keeps what it does not read: so there is an end to pings. Its kernel is then watched
 * by keepalive. */
static gboolean
may_ping (Writer *writer)
{
  gint64 heard = __atomic_load_n (&writer->link->heard, __ATOMIC_RELAXED);

  if (heard != writer->heard)
    writer->n_pings = 0;
  writer->heard = heard;
  return writer->n_pings++ < MOST_PINGS_UNHEARD;
}

/* Has the other process been silent for too long? */
static gboolean
is_silent (TtiLink *link)
{
  return link->silence > 0 && g_get_monotonic_time () - __atomic_load_n (&link->heard, __ATOMIC_RELAXED) > link->silence;
}

/* There was nothing to write for a while. FALSE: the other process is silent for too long. */
static gboolean
idle_locked (Writer *writer)
{
  TTI_ASSERT_LOCKED (&writer->link->lock);
  static const TtiLinkFrame ping = { .magic = TTI_LINK_MAGIC, .kind = TTI_LINK_PING };
  TtiLink *link = writer->link;

  if (is_silent (link))
    {
      if (link->reason == NULL)
        link->reason = g_strdup_printf ("its process has said nothing for %.0f s, though its host answers",
                                        (double) link->silence / G_USEC_PER_SEC);
      return FALSE;
    }
  if (may_ping (writer))
    append (writer, &ping, sizeof ping);
  return TRUE;
}

/* N bytes are about to be written at once. */
static void
note_write_locked (TtiLink *link, gsize n)
{
  TTI_ASSERT_LOCKED (&link->lock);
  if (n == 0)
    return;
  TtiLinkWrite *write = g_new (TtiLinkWrite, 1);

  link->n_sent += n;
  *write = (TtiLinkWrite){ .end = link->n_sent, .cost = tti_link_cost (n) };
  link->unread_cost += write->cost;
  g_queue_push_tail (&link->writes, write);
}

/* Wait until there is something to write, and take it. FALSE: the link is at its end. */
static gboolean
take (Writer *writer)
{
  TtiLink *link = writer->link;
  gboolean going_on = TRUE;

  writer->n_batch = writer->n_part = 0;
  tti_lock_take (&link->lock);
  for (;;)
    {
      gint64 limit = g_get_monotonic_time () + TTI_TCP_PING * G_TIME_SPAN_MILLISECOND;

      take_from_locked (writer, &link->urgent);
      take_from_locked (writer, &link->ordinary);
      link->writing = writer->n_batch > 0;
      if (link->closing && !link->writing)
        g_cond_broadcast (&link->changed); /* whoever closes it waits until all was written */
      if (link->lost || link->writing || !going_on)
        break;
      link->writer_waits = TRUE;
      if (!tti_lock_wait (&link->lock, &link->changed, limit))
        going_on = idle_locked (writer);
      link->writer_waits = FALSE;
    }
  note_write_locked (link, writer->n_batch);
  note_write_locked (link, writer->n_part);
  going_on = going_on && !link->lost;
  tti_lock_release (&link->lock);
  return going_on;
}

static gboolean
write_all (Writer *writer, GError **error)
{
  TtiLink *link = writer->link;

  return g_output_stream_write_all (link->output, writer->batch, writer->n_batch, NULL, NULL, error)
         && (writer->n_part == 0
             || g_output_stream_write_all (link->output, writer->part, writer->n_part, NULL, NULL, error));
}

/* Nothing can be sent any more. What the other side has sent before it went is still to be read: the reader finds the end by itself. */
static void
end_writing (TtiLink *link, const GError *error)
{
  tti_lock_take (&link->lock);
  link->writing = FALSE;
  if (error != NULL && link->reason == NULL && !link->lost)
    link->reason = g_strdup (error->message);
  link->lost = link->closing = TRUE;
  g_cond_broadcast (&link->changed);
  tti_lock_release (&link->lock);
  if (link->socket != NULL)
    (void) g_socket_shutdown (link->socket, FALSE, TRUE, NULL);
}

gpointer
tti_link_write (gpointer data)
{
  g_autofree Writer *writer = g_new0 (Writer, 1);
  TtiLink *link = data;
  g_autoptr (GError) error = NULL;

  writer->link = link;
  while (error == NULL && take (writer))
    {
      (void) write_all (writer, &error);
      g_clear_pointer (&writer->finished, tti_link_out_free);
    }
  g_clear_pointer (&writer->finished, tti_link_out_free); /* taken when the link broke */
  if (error != NULL)
    end_writing (link, error);
  else
    tti_link_break (link);
  return NULL;
}
