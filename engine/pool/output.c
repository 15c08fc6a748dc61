/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Workers' lines on their way to whoever reads them, with a bound: a worker that floods its output must not grow its master. What comes
 * when the bound is reached goes to files (spill.c). */
#include "pool/pool-private.h"
#include <string.h>

enum
{
  OUTPUT_LIMIT = 1 << 20,
  DEATHS_LIMIT = 2 * OUTPUT_LIMIT, /* with the deaths, for which there is room when lines have filled theirs */
  RECORD_COST = 64
};

void
tti_output_record_clear (TtiOutputRecord *record)
{
  g_clear_pointer (&record->text, g_free);
  g_clear_pointer (&record->certificate, tti_certificate_unref);
}

/* Takes over RECORD. */
static void
pool_add_record_locked (TtiPool *pool, TtiOutputRecord *record)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  pool->output_bytes += record->length + RECORD_COST;
  g_queue_push_tail (&pool->output, record);
  pool->client.must_wake = TRUE;
  if (pool->output_source != NULL)
    g_source_set_ready_time (pool->output_source, 0);
}

static gboolean
pool_has_room_locked (TtiPool *pool, gsize length, gsize limit)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  return pool->output_bytes + length + RECORD_COST <= limit;
}

/* BYTES, whole lines, do not go to the queue. */
static void
pool_spill_locked (TtiPool *pool, guint index, const char *bytes, gsize length)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  pool->output_dropped += tti_spill_add (&pool->spills[index], &pool->spill_place, index, bytes, length);
  g_atomic_int_set (&pool->spilled, TRUE);
  pool->client.must_wake = TRUE;
}

void
tti_pool_add_output_locked (TtiPool *pool, guint index, gboolean is_error, const char *text, gsize length)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (tti_engine_is_watched_locked (pool->engine))
    tti_pool_show_line_locked (pool, index, is_error, text, length);
  if (!pool->keep_output)
    return;
  if (pool->spills[index].active || !pool_has_room_locked (pool, length, OUTPUT_LIMIT))
    {
      g_autofree char *line = g_malloc (length + 1);

      memcpy (line, text, length);
      line[length] = '\n';
      pool_spill_locked (pool, index, line, length + 1);
      return;
    }
  TtiOutputRecord *record = g_new0 (TtiOutputRecord, 1);

  record->index = index;
  record->host = tti_node_get_name (pool->slots[index]->life.node);
  record->is_error = is_error;
  record->text = g_malloc (length + 1); /* there may be anything in it, also zeros */
  memcpy (record->text, text, length);
  record->text[length] = '\0';
  record->length = length;
  pool_add_record_locked (pool, record);
}

void
tti_pool_add_death_locked (TtiPool *pool, TtiCertificate *certificate, guint attempt, guint begun, gboolean again)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  /* Of a node that was lost people are told once, and not of each worker that goes on elsewhere. */
  gboolean goes_on = certificate->reason == TUTTI_DEATH_WATCHER_LOST && (again || certificate->task == 0)
                     && !pool->slots[certificate->index]->life.node->shares_memory;

  if (!pool->keep_output || goes_on || certificate->reason == TUTTI_DEATH_CANCELLED || certificate->reason == TUTTI_DEATH_CLOSED)
    return;
  g_autofree char *text = tti_certificate_describe (certificate);

  gsize length = strlen (text);

  if (!pool_has_room_locked (pool, length, DEATHS_LIMIT))
    {
      pool->output_dropped++;
      return;
    }
  TtiOutputRecord *record = g_new0 (TtiOutputRecord, 1);

  *record = (TtiOutputRecord){ .index = certificate->index, .host = certificate->host, .is_error = TRUE, .is_death = TRUE,
                                 .again = again, .attempt = attempt, .begun = begun, .task = certificate->task,
                                 .text = g_steal_pointer (&text), .length = length, .certificate = tti_certificate_ref (certificate) };
  pool_add_record_locked (pool, record);
}

gboolean
tti_pool_flood_locked (TtiPool *pool, guint index, const char *bytes, gsize length)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (!pool->keep_output)
    return TRUE;
  if (!pool->spills[index].active)
    return FALSE;
  pool_spill_locked (pool, index, bytes, length);
  return TRUE;
}

void
tti_pool_read_output (TtiPool *pool)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  for (guint i = 0; i < pool->n_slots; i++)
    tti_slot_read_output_locked (pool->slots[i]);
  tti_engine_unlock (engine);
}

void
tti_pool_set_output_source (TtiPool *pool, GSource *source)
{
  TtiEngine *engine = pool->engine;

  tti_engine_lock (engine);
  GSource *before = g_steal_pointer (&pool->output_source);
  pool->output_source = source != NULL ? g_source_ref (source) : NULL;
  tti_engine_unlock (engine);
  if (before != NULL)
    g_source_unref (before);
}

gboolean
tti_pool_take_output (TtiPool *pool, TtiOutputRecord *record, guint64 *dropped)
{
  TtiEngine *engine = pool->engine;

  *dropped = 0;
  /* The original shows these lines. */
  if (tti_engine_is_copy (NULL))
    return FALSE;
  tti_engine_lock (engine);
  g_autofree TtiOutputRecord *first = g_queue_pop_head (&pool->output);
  if (first != NULL)
    {
      *record = *first;
      pool->output_bytes -= first->length + RECORD_COST;
    }
  else
    {
      /* Lines are lost while the queue is full, that is after all that is in it. */
      *dropped = pool->output_dropped;
      pool->output_dropped = 0;
    }
  tti_engine_unlock (engine);
  return first != NULL;
}

gboolean
tti_pool_take_spill (TtiPool *pool, TtiSpillReport *report)
{
  TtiEngine *engine = pool->engine;
  gboolean taken = FALSE;

  /* Asked after each wait, so that it must not take long where nothing has happened. */
  if (!g_atomic_int_get (&pool->spilled) || tti_engine_is_copy (NULL))
    return FALSE;
  tti_engine_lock (engine);
  for (guint i = 0; i < pool->n_slots && !taken; i++)
    taken = tti_spill_take (&pool->spills[i], i, report);
  g_atomic_int_set (&pool->spilled, taken);
  tti_engine_unlock (engine);
  return taken;
}

static void
output_record_free (gpointer data)
{
  TtiOutputRecord *record = data;

  tti_output_record_clear (record);
  g_free (record);
}

void
tti_pool_discard_output (TtiPool *pool)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  for (GList *link = pool->output.head, *next; link != NULL; link = next)
    {
      TtiOutputRecord *record = link->data;

      next = link->next;
      if (record->is_death)
        continue;
      pool->output_bytes -= record->length + RECORD_COST;
      output_record_free (record);
      g_queue_delete_link (&pool->output, link);
    }
  pool->output_dropped = 0;
  for (guint i = 0; i < pool->n_slots && pool->spilled; i++)
    tti_spill_discard (&pool->spills[i]);
  g_atomic_int_set (&pool->spilled, FALSE);
  tti_engine_unlock (engine);
}

void
tti_pool_end_output (TtiPool *pool)
{
  for (guint i = 0; i < pool->n_slots; i++)
    {
      TtiSpillReport report = { 0 };

      if (tti_spill_take (&pool->spills[i], i, &report) && report.lines > 0)
        tti_engine_tell (pool->engine,
                         "%" G_GUINT64_FORMAT " lines of worker %u of %s came faster than they could be shown: they are in %s",
                         report.lines, i, pool->name, report.file);
      tti_spill_report_clear (&report);
    }
}

void
tti_pool_init_output (TtiPool *pool, gboolean keep, guint64 limit)
{
  pool->keep_output = keep;
  tti_spill_place_init (&pool->spill_place, limit);
}

void
tti_pool_add_spill (TtiPool *pool)
{
  pool->spills = g_renew (TtiSpill, pool->spills, pool->n_slots + 1);
  tti_spill_init (&pool->spills[pool->n_slots]);
}

void
tti_pool_free_output (TtiPool *pool)
{
  tti_pool_end_output (pool);
  g_queue_clear_full (&pool->output, output_record_free);
  for (guint i = 0; i < pool->n_slots; i++)
    tti_spill_clear (&pool->spills[i]);
  g_clear_pointer (&pool->spills, g_free);
  tti_spill_place_clear (&pool->spill_place);
}
