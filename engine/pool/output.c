/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Workers' lines on their way to whoever reads them, with a bound: a worker that floods its output must not grow its master. */
#include "pool/engine-private.h"
#include <string.h>

enum
{
  OUTPUT_LIMIT = 1 << 20,
  DEATHS_LIMIT = 2 * OUTPUT_LIMIT, /* with the deaths, for which there is room when lines have filled theirs */
  RECORD_COST = 64
};

/* Takes over RECORD. */
static void
pool_add_record_locked (TuttiPool *pool, TuttiOutputRecord *record)
{
  pool->output_bytes += record->length + RECORD_COST;
  g_queue_push_tail (&pool->output, record);
  pool->ring = TRUE;
}

static gboolean
pool_has_room_locked (TuttiPool *pool, gsize length, gsize limit)
{
  gboolean fits = pool->output_bytes + length + RECORD_COST <= limit;

  pool->output_dropped += !fits;
  return fits;
}

void
tutti_pool_add_output_locked (TuttiPool *pool, guint index, gboolean is_error, const char *text, gsize length)
{
  if (!pool->keep_output || !pool_has_room_locked (pool, length, OUTPUT_LIMIT))
    return;
  TuttiOutputRecord *record = g_new0 (TuttiOutputRecord, 1);

  record->index = index;
  record->is_error = is_error;
  record->text = g_malloc (length + 1); /* there may be anything in it, also zeros */
  memcpy (record->text, text, length);
  record->text[length] = '\0';
  record->length = length;
  pool_add_record_locked (pool, record);
}

void
tutti_pool_add_death_locked (TuttiPool *pool, const TuttiCertificate *certificate, guint attempt, guint begun, gboolean again)
{
  if (!pool->keep_output || certificate->reason == TUTTI_DEATH_CANCELLED || certificate->reason == TUTTI_DEATH_CLOSED)
    return;
  g_autofree char *text = tutti_certificate_describe (certificate);

  gsize length = strlen (text);

  if (!pool_has_room_locked (pool, length, DEATHS_LIMIT))
    return;
  TuttiOutputRecord *record = g_new0 (TuttiOutputRecord, 1);

  *record = (TuttiOutputRecord){ .index = certificate->index, .is_error = TRUE, .is_death = TRUE, .again = again, .attempt = attempt,
                                 .begun = begun, .task = certificate->task, .text = g_steal_pointer (&text),
                                 .length = length };
  pool_add_record_locked (pool, record);
}

gboolean
tutti_pool_take_output (TuttiPool *pool, TuttiOutputRecord *record, guint64 *dropped)
{
  TuttiEngine *engine = tutti_engine_peek ();

  *dropped = 0;
  /* The original shows these lines. */
  if (tutti_engine_is_copy (NULL))
    return FALSE;
  tutti_engine_lock (engine);
  g_autofree TuttiOutputRecord *first = g_queue_pop_head (&pool->output);
  if (first != NULL)
    {
      *record = *first;
      pool->output_bytes -= first->length + RECORD_COST;
    }
  else
    {
      /* Lines are dropped while the queue is full, that is after all that is in it. */
      *dropped = pool->output_dropped;
      pool->output_dropped = 0;
    }
  tutti_engine_unlock (engine);
  return first != NULL;
}
