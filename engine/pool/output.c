/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Workers' lines on their way to whoever reads them, with a bound: a worker that floods its output must not grow its master. */
#include "pool/engine-private.h"
#include <string.h>

enum { OUTPUT_LIMIT = 1 << 20, RECORD_COST = 64 };

void
tutti_pool_add_output_locked (TuttiPool *pool, guint index, gboolean is_error, const char *text, gsize length)
{
  if (!pool->keep_output)
    return;
  if (pool->output_bytes + length + RECORD_COST > OUTPUT_LIMIT)
    {
      pool->output_dropped++;
      return;
    }
  TuttiOutputRecord *record = g_new0 (TuttiOutputRecord, 1);

  record->index = index;
  record->is_error = is_error;
  record->text = g_malloc (length + 1);
  memcpy (record->text, text, length);
  record->text[length] = '\0';
  record->length = length;
  pool->output_bytes += length + RECORD_COST;
  g_queue_push_tail (&pool->output, record);
  pool->ring = TRUE;
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
