/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "look/events.h"
#include "platform/error.h"
#include <string.h>

/* What each kind has: its name, the size of its struct, and how many texts. */
typedef struct
{
  const char *name;
  gsize size;
  guint n_texts;
} Format;

static const Format formats[] = {
  [TTI_EVENT_CLOCK] = { "clock", sizeof (TtiLookClock), 0 },
  [TTI_EVENT_SNAPSHOT] = { "snapshot", sizeof (TtiLookSnapshot), 0 },
  [TTI_EVENT_POOL] = { "pool", sizeof (TtiLookPool), 2 },
  [TTI_EVENT_WORKER] = { "worker", sizeof (TtiLookWorker), 2 },
  [TTI_EVENT_NODE] = { "node", sizeof (TtiLookNode), 2 },
  [TTI_EVENT_SUBMITTED] = { "submitted", sizeof (TtiLookSubmitted), 1 },
  [TTI_EVENT_STARTED] = { "started", sizeof (TtiLookStarted), 1 },
  [TTI_EVENT_PARTS] = { "parts", sizeof (TtiLookParts), 0 },
  [TTI_EVENT_ENDED] = { "ended", sizeof (TtiLookEnded), 2 },
  [TTI_EVENT_ITEM] = { "item", sizeof (TtiLookItem), 1 },
  [TTI_EVENT_DIED] = { "died", sizeof (TtiLookDied), 2 },
  [TTI_EVENT_OUTPUT] = { "output", sizeof (TtiLookOutput), 1 },
  [TTI_EVENT_PROGRESS] = { "progress", sizeof (TtiLookProgress), 1 },
  [TTI_EVENT_TOLD] = { "told", sizeof (TtiLookTold), 1 },
  [TTI_EVENT_NOTE] = { "note", sizeof (TtiLookNote), 2 },
  [TTI_EVENT_ANSWER] = { "answer", sizeof (TtiLookAnswer), 0 },
  [TTI_EVENT_FAILURE] = { "failure", sizeof (TtiLookFailure), 2 },
};

static const Format *
find_format (guint kind)
{
  return kind < G_N_ELEMENTS (formats) && formats[kind].name != NULL ? &formats[kind] : NULL;
}

/* The bytes of TEXT that fit, up to a whole character; *COPY, to be freed, is set where TEXT is not as readers may expect it. */
static TtiEventBytes
text_bytes (const char *text, char **copy)
{
  gsize length = text != NULL ? strlen (text) : 0;

  *copy = NULL;
  if (length == 0)
    return (TtiEventBytes){ "", 1 };
  if (length < TTI_EVENT_MOST_TEXT && g_utf8_validate (text, (gssize) length, NULL))
    return (TtiEventBytes){ text, length + 1 };
  *copy = g_utf8_make_valid (text, (gssize) MIN (length, TTI_EVENT_MOST_TEXT - 1));
  /* Made valid, it may be three times as long. */
  length = strlen (*copy);
  if (length >= TTI_EVENT_MOST_TEXT)
    {
      length = (gsize) (g_utf8_find_prev_char (*copy, *copy + TTI_EVENT_MOST_TEXT) - *copy);
      (*copy)[length] = '\0';
    }
  return (TtiEventBytes){ *copy, length + 1 };
}

void
tti_event_write (TtiEventRing *ring, gint64 time, TtiEventKind kind, gconstpointer data, const char *first, const char *second)
{
  const Format *format = find_format (kind);
  const char *texts[TTI_EVENT_MOST_TEXTS] = { first, second };
  char *copies[TTI_EVENT_MOST_TEXTS] = { NULL };
  TtiEventBytes bytes[1 + TTI_EVENT_MOST_TEXTS] = { { data, format->size } };

  for (guint i = 0; i < format->n_texts; i++)
    bytes[1 + i] = text_bytes (texts[i], &copies[i]);
  tti_event_ring_write (ring, kind, time, bytes, 1 + format->n_texts);
  for (guint i = 0; i < format->n_texts; i++)
    g_free (copies[i]);
}

gboolean
tti_event_read (const TtiEventRecord *record, gconstpointer bytes, TtiEvent *event, GError **error)
{
  const Format *format = find_format (record->kind);
  const char *at = bytes, *end = at + record->size;
  gboolean whole = format != NULL && record->size >= format->size;

  *event = (TtiEvent){ .kind = record->kind, .number = record->number, .time = record->time, .data = bytes, .texts = { "", "" } };
  if (whole)
    at += format->size;
  for (guint i = 0; whole && i < format->n_texts; i++)
    {
      const char *zero = memchr (at, 0, (gsize) (end - at));

      whole = zero != NULL;
      event->texts[i] = at;
      at = whole ? zero + 1 : end;
    }
  if (whole && at == end)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "event %" G_GUINT64_FORMAT ", of kind %u and %u bytes, is none of this version",
               record->number, record->kind, record->size);
  return FALSE;
}

const char *
tti_event_kind_name (TtiEventKind kind)
{
  const Format *format = find_format (kind);

  return format != NULL ? format->name : "unknown";
}

const char *
tti_look_end_name (TtiLookEnd end)
{
  static const char *const names[] = { "done", "raised", "failed", "cancelled", "timed out", "died", "closed" };

  return (guint) end < G_N_ELEMENTS (names) ? names[end] : "unknown";
}

const char *
tti_look_pool_state_name (TtiLookPoolState state)
{
  static const char *const names[] = { "open", "closing", "closed", "failed" };

  return (guint) state < G_N_ELEMENTS (names) ? names[state] : "unknown";
}

const char *
tti_look_node_state_name (TtiLookNodeState state)
{
  static const char *const names[] = { "there", "away", "draining", "hopeless" };

  return (guint) state < G_N_ELEMENTS (names) ? names[state] : "unknown";
}
