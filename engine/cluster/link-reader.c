/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The reader of a link: frames as they come, each to its place. */
#include "cluster/link-private.h"
#include "platform/error.h"
#include <string.h>

enum { AHEAD = 64 * 1024, FIRST_CAPACITY = 64 * 1024, UNTOLD_SHARE = 8 };

/* A frame whose bytes come: those that are collected are in memory that grows with them. */
typedef struct
{
  TtiLinkFrame frame;
  const TtiLinkOps *ops;    /* whose it is */
  gpointer user_data;
  TtiLinkTaking taking;
  guint8 *place, *data;
  guint64 n_done, capacity;
} Body;

typedef struct
{
  TtiLink *link;
  guint8 ahead[AHEAD];      /* read and not looked at: from START to END */
  gsize start, end;
  guint64 untold;           /* bytes that were read since the other side was told, */
  guint64 untold_frames;    /* and frames */
  gboolean in_parts;        /* a long frame has begun: */
  Body parts;
} Reader;

static gboolean
refuse (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
refuse (GError **error, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *what = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "frame refused: %s", what);
  return FALSE;
}

/* Tell the other side, from time to time, how much was read. Each frame is counted as one write, though it may have come with others, or in
 * two: so what is counted here is at least half of what it costs there (tti_link_cost ()), and the other side does not come to wait. */
static void
note_read (Reader *reader, gsize n)
{
  TtiLink *link = reader->link;

  __atomic_store_n (&link->heard, g_get_monotonic_time (), __ATOMIC_RELAXED);
  reader->untold += n;
  if (reader->untold + reader->untold_frames * TTI_TCP_RECORD < link->window / UNTOLD_SHARE)
    return;
  tti_link_send_urgent (link, &(TtiLinkFrame){ .kind = TTI_LINK_CREDIT, .id = link->window, .detail = reader->untold }, NULL);
  reader->untold = reader->untold_frames = 0;
}

/* Up to SIZE bytes, at least one. 0: the end, or ERROR. */
static gsize
read_some (Reader *reader, gpointer to, gsize size, GError **error)
{
  TtiLink *link = reader->link;
  gssize n = g_input_stream_read (link->input, to, size, NULL, error);

  if (n == 0)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "it has closed the connection");
  if (n <= 0)
    return 0;
  note_read (reader, (gsize) n);
  return (gsize) n;
}

/* SIZE bytes to TO, or to nowhere if that is NULL. */
static gboolean
read_exactly (Reader *reader, guint8 *to, guint64 size, GError **error)
{
  while (size > 0)
    {
      gsize n = reader->end - reader->start;

      if (n == 0 && to != NULL && size >= AHEAD)
        {
          n = read_some (reader, to, (gsize) MIN (size, G_MAXINT), error);
          if (n == 0)
            return FALSE;
        }
      else if (n == 0)
        {
          reader->start = 0;
          reader->end = read_some (reader, reader->ahead, AHEAD, error);
          if (reader->end == 0)
            return FALSE;
          continue;
        }
      else
        {
          n = (gsize) MIN (n, size);
          if (to != NULL)
            memcpy (to, reader->ahead + reader->start, n);
          reader->start += n;
        }
      size -= n;
      to = to != NULL ? to + n : NULL;
    }
  return TRUE;
}

/* Make room for N bytes more of those that are collected. */
static gboolean
body_grow (Body *body, guint64 n, GError **error)
{
  guint64 needed = body->n_done + n;

  if (needed <= body->capacity)
    return TRUE;
  guint64 capacity = MIN (body->frame.size, MAX (needed, MAX (2 * body->capacity, FIRST_CAPACITY)));
  guint8 *more = g_try_realloc (body->data, (gsize) capacity);

  if (more == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "no memory for %" G_GUINT64_FORMAT " bytes of a frame", capacity);
      return FALSE;
    }
  body->data = more;
  body->capacity = capacity;
  return TRUE;
}

/* The next N bytes of the body. */
static gboolean
body_read (Reader *reader, Body *body, guint64 n, GError **error)
{
  guint8 *to = NULL;

  if (body->taking == TTI_LINK_COLLECT && n > 0)
    {
      if (!body_grow (body, n, error))
        return FALSE;
      to = body->data + body->n_done;
    }
  else if (body->taking == TTI_LINK_PLACE)
    to = body->place + body->n_done;
  if (!read_exactly (reader, to, n, error))
    return FALSE;
  body->n_done += n;
  return TRUE;
}

/* The other side has read N bytes more, and can take unread what costs MAY_COST. */
static gboolean
add_credit (TtiLink *link, guint64 may_cost, guint64 n, GError **error)
{
  TtiLinkWrite *write;

  tti_lock_take (&link->lock);
  gboolean ok = n <= link->n_sent - link->n_read;

  link->may_cost = may_cost;
  link->n_read += ok ? n : 0;
  while ((write = g_queue_peek_head (&link->writes)) != NULL && write->end <= link->n_read)
    {
      link->unread_cost -= write->cost;
      g_free (g_queue_pop_head (&link->writes));
    }
  if (link->ordinary.length > 0)
    tti_link_wake_writer_locked (link);
  tti_lock_release (&link->lock);
  return ok || refuse (error, "%" G_GUINT64_FORMAT " bytes were read that were not sent", n);
}

static gboolean
body_begin (Reader *reader, Body *body, const TtiLinkFrame *frame, GError **error)
{
  TtiLink *link = reader->link;
  gpointer place = NULL;

  *body = (Body){ .frame = *frame };
  tti_lock_take (&link->lock);
  body->ops = link->ops;
  body->user_data = link->user_data;
  tti_lock_release (&link->lock);
  body->taking = body->ops->begins (link, frame, &place, body->user_data, error);
  body->place = place;
  if (body->taking == TTI_LINK_COLLECT && frame->size > TTI_LINK_MOST_UNPLACED)
    return refuse (error, "kind %u with %" G_GUINT64_FORMAT " bytes, at most %" G_GUINT64_FORMAT, frame->kind, frame->size,
                   TTI_LINK_MOST_UNPLACED);
  return body->taking != TTI_LINK_REFUSE;
}

static gboolean
body_end (Reader *reader, Body *body, GError **error)
{
  gsize size = (gsize) body->n_done;
  g_autoptr (GBytes) bytes = body->data != NULL ? g_bytes_new_take (g_steal_pointer (&body->data), size) : NULL;

  return body->ops->arrived (reader->link, &body->frame, bytes, body->user_data, error);
}

/* A frame whose bytes follow at once. */
static gboolean
take_short (Reader *reader, const TtiLinkFrame *frame, GError **error)
{
  Body body;

  if (frame->size > TTI_LINK_SHORT)
    return refuse (error, "kind %u with %" G_GUINT64_FORMAT " bytes at once, at most %d", frame->kind, frame->size, TTI_LINK_SHORT);
  gboolean ok = body_begin (reader, &body, frame, error) && body_read (reader, &body, frame->size, error)
                && body_end (reader, &body, error);

  g_free (body.data);
  return ok;
}

static gboolean
take_long (Reader *reader, const TtiLinkFrame *frame, GError **error)
{
  if (reader->in_parts || frame->size == 0)
    return refuse (error, "a long frame of %" G_GUINT64_FORMAT " bytes, and another one has not ended", frame->size);
  reader->in_parts = TRUE;
  return body_begin (reader, &reader->parts, frame, error);
}

static gboolean
take_part (Reader *reader, const TtiLinkFrame *frame, GError **error)
{
  Body *body = &reader->parts;

  if (!reader->in_parts || frame->size == 0 || frame->size > TTI_LINK_MOST_PART || frame->size > body->frame.size - body->n_done)
    return refuse (error, "a part of %" G_GUINT64_FORMAT " bytes that belongs to no frame", frame->size);
  if (!body_read (reader, body, frame->size, error))
    return FALSE;
  reader->in_parts = body->n_done < body->frame.size;
  return reader->in_parts || body_end (reader, body, error);
}

/* A frame of the link's own. */
static gboolean
hear (Reader *reader, const TtiLinkFrame *frame, GError **error)
{
  if (frame->kind == TTI_LINK_PART)
    return take_part (reader, frame, error);
  if (frame->size > 0 || frame->kind > TTI_LINK_LAST)
    return refuse (error, "kind %u with %" G_GUINT64_FORMAT " bytes", frame->kind, frame->size);
  if (frame->kind == TTI_LINK_CREDIT)
    return add_credit (reader->link, frame->id, frame->detail, error);
  return TRUE;
}

static gboolean
read_frame (Reader *reader, GError **error)
{
  TtiLinkFrame frame;

  if (!read_exactly (reader, (guint8 *) &frame, sizeof frame, error))
    return FALSE;
  reader->untold_frames++;
  if (frame.magic != TTI_LINK_MAGIC || frame.flags > TTI_LINK_LONG)
    return refuse (error, "it begins with 0x%08x, expected 0x%08x (flags %u)", frame.magic, TTI_LINK_MAGIC, frame.flags);
  if (frame.kind >= TTI_LINK_CREDIT)
    return hear (reader, &frame, error);
  return frame.flags == TTI_LINK_LONG ? take_long (reader, &frame, error) : take_short (reader, &frame, error);
}

/* The owner is told why: as whoever has broken the link says, else as was found here. */
static void
tell (TtiLink *link, const GError *found)
{
  tti_lock_take (&link->lock);
  const TtiLinkOps *ops = link->ops;
  gpointer user_data = link->user_data;
  g_autoptr (GError) error = link->reason != NULL ? g_error_new_literal (TUTTI_ERROR, TUTTI_ERROR_CLOSED, link->reason)
                                                  : g_error_copy (found);

  tti_lock_release (&link->lock);
  ops->lost (link, error, user_data);
}

gpointer
tti_link_read (gpointer data)
{
  g_autofree Reader *reader = g_new0 (Reader, 1);
  g_autoptr (GError) error = NULL;
  TtiLink *link = data;

  reader->link = link;
  while (read_frame (reader, &error))
    ;
  g_free (reader->parts.data);
  tti_link_break (link);
  tell (link, error);
  return NULL;
}
