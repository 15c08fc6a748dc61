/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The life of a link, and its queues. */
#include "cluster/link-private.h"
#include "platform/error.h"
#include "platform/thread.h"

TtiLink *
tti_link_new (GIOStream *stream, const TtiLinkOptions *options)
{
  TtiLink *self = g_new0 (TtiLink, 1);

  self->stream = stream;
  self->input = g_io_stream_get_input_stream (stream);
  self->output = g_io_stream_get_output_stream (stream);
  self->socket = options->socket != NULL ? g_object_ref (options->socket) : NULL;
  self->peer = g_strdup (options->peer);
  self->window = options->window;
  self->silence = (gint64) options->silence_ms * G_TIME_SPAN_MILLISECOND;
  self->may_cost = TTI_LINK_FIRST_WINDOW;
  g_cond_init (&self->changed);
  g_queue_init (&self->urgent);
  g_queue_init (&self->ordinary);
  g_queue_init (&self->writes);
  return self;
}

gboolean
tti_link_start (TtiLink *link, GError **error)
{
  const TtiLinkFrame credit = { .kind = TTI_LINK_CREDIT, .id = link->window };

  g_return_val_if_fail (link->ops != NULL, FALSE);
  link->heard = g_get_monotonic_time ();
  tti_link_send_urgent (link, &credit, NULL);
  link->reader = tti_thread_start ("tutti-reader", tti_link_read, link, error);
  if (link->reader != NULL)
    link->writer = tti_thread_start ("tutti-writer", tti_link_write, link, error);
  if (link->writer != NULL)
    return TRUE;
  tti_link_break (link);
  return FALSE;
}

void
tti_link_set_owner (TtiLink *link, const TtiLinkOps *ops, gpointer user_data)
{
  tti_lock_take (&link->lock);
  link->ops = ops;
  link->user_data = user_data;
  tti_lock_release (&link->lock);
}

/* --- queues ------------------------------------------------------------------------------------------------------------------ */

void
tti_link_out_free (TtiLinkOut *out)
{
  if (out->release != NULL)
    out->release (out->keep);
  g_free (out);
}

static TtiLinkOut *
out_new (const TtiLinkFrame *frame, gconstpointer data, guint64 size, gpointer keep, GDestroyNotify release)
{
  TtiLinkOut *out = g_new0 (TtiLinkOut, 1);

  *out = (TtiLinkOut){ .frame = *frame, .data = data, .keep = keep, .release = release };
  out->link.data = out;
  out->frame.magic = TTI_LINK_MAGIC;
  out->frame.flags = 0;
  out->frame.size = size;
  return out;
}

static void
release_bytes (gpointer bytes)
{
  g_bytes_unref (bytes);
}

static TtiLinkOut *
out_new_for_bytes (const TtiLinkFrame *frame, GBytes *bytes)
{
  gsize size = 0;
  gconstpointer data = bytes != NULL ? g_bytes_get_data (bytes, &size) : NULL;

  return out_new (frame, data, size, bytes != NULL ? g_bytes_ref (bytes) : NULL, bytes != NULL ? release_bytes : NULL);
}

void
tti_link_wake_writer_locked (TtiLink *link)
{
  TTI_ASSERT_LOCKED (&link->lock);
  if (!link->writer_waits)
    return;
  link->writer_waits = FALSE;
  g_cond_broadcast (&link->changed); /* whoever closes the link may wait as well */
}

static void
put (TtiLink *link, GQueue *queue, TtiLinkOut *out)
{
  tti_lock_take (&link->lock);
  gboolean taken = !link->closing && !link->lost;

  if (taken)
    {
      g_queue_push_tail_link (queue, &out->link);
      if (link->n_holds == 0 || queue == &link->urgent)
        tti_link_wake_writer_locked (link);
    }
  tti_lock_release (&link->lock);
  if (!taken)
    tti_link_out_free (out);
}

void
tti_link_send (TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes)
{
  put (link, &link->ordinary, out_new_for_bytes (frame, bytes));
}

void
tti_link_send_urgent (TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes)
{
  put (link, &link->urgent, out_new_for_bytes (frame, bytes));
}

void
tti_link_send_contents (TtiLink *link, const TtiLinkFrame *frame, gconstpointer data, guint64 size, gpointer keep,
                        GDestroyNotify release)
{
  put (link, &link->ordinary, out_new (frame, data, size, keep, release));
}

void
tti_link_hold (TtiLink *link)
{
  tti_lock_take (&link->lock);
  link->n_holds++;
  tti_lock_release (&link->lock);
}

void
tti_link_go (TtiLink *link)
{
  tti_lock_take (&link->lock);
  if (--link->n_holds == 0 && link->ordinary.length > 0)
    tti_link_wake_writer_locked (link);
  tti_lock_release (&link->lock);
}

/* --- its end ----------------------------------------------------------------------------------------------------------------- */

void
tti_link_break (TtiLink *link)
{
  tti_lock_take (&link->lock);
  link->lost = link->closing = TRUE;
  g_cond_broadcast (&link->changed);
  tti_lock_release (&link->lock);
  if (link->socket != NULL)
    (void) g_socket_shutdown (link->socket, TRUE, TRUE, NULL);
}

void
tti_link_abort (TtiLink *link, const char *reason)
{
  tti_lock_take (&link->lock);
  if (link->reason == NULL)
    link->reason = g_strdup (reason);
  tti_lock_release (&link->lock);
  tti_link_break (link);
}

void
tti_link_close (TtiLink *link, guint linger_ms)
{
  gint64 limit = g_get_monotonic_time () + (gint64) linger_ms * G_TIME_SPAN_MILLISECOND;

  tti_lock_take (&link->lock);
  link->closing = TRUE;
  g_cond_broadcast (&link->changed);
  while (!link->lost && (link->urgent.length > 0 || link->ordinary.length > 0 || link->writing))
    if (!tti_lock_wait (&link->lock, &link->changed, limit))
      break;
  tti_lock_release (&link->lock);
  tti_link_abort (link, "the link was closed");
  g_clear_pointer (&link->reader, g_thread_join);
  g_clear_pointer (&link->writer, g_thread_join);
  g_autoptr (GCancellable) at_once = g_cancellable_new ();

  g_cancellable_cancel (at_once); /* so that it does not wait to say goodbye */
  (void) g_io_stream_close (link->stream, at_once, NULL);
}

void
tti_link_free (TtiLink *link)
{
  TtiLinkOut *out;

  if (link == NULL)
    return;
  tti_link_close (link, 0);
  while ((out = g_queue_peek_head (&link->urgent)) != NULL || (out = g_queue_peek_head (&link->ordinary)) != NULL)
    {
      g_queue_unlink (link->urgent.length > 0 ? &link->urgent : &link->ordinary, &out->link);
      tti_link_out_free (out);
    }
  g_queue_clear_full (&link->writes, g_free);
  g_object_unref (link->stream);
  g_clear_object (&link->socket);
  g_cond_clear (&link->changed);
  tti_lock_clear (&link->lock);
  g_free (link->peer);
  g_free (link->reason);
  g_free (link);
}

gboolean
tti_link_refuse (GError **error, const char *what, guint64 number)
{
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "frame refused: %s (%" G_GUINT64_FORMAT ")", what, number);
  return FALSE;
}

gboolean
tti_link_is_lost (TtiLink *link)
{
  tti_lock_take (&link->lock);
  gboolean lost = link->lost;

  tti_lock_release (&link->lock);
  return lost;
}

const char *
tti_link_get_peer (TtiLink *link)
{
  return link->peer;
}

guint64
tti_link_get_sent (TtiLink *link)
{
  tti_lock_take (&link->lock);
  guint64 n = link->n_sent;

  tti_lock_release (&link->lock);
  return n;
}
