/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Two sources in the main context of a pool: one is made ready by the engine when there are lines or deaths to be told; the other looks at
 * the progress, while there is some, at intervals: thousands of tasks that end must not keep a main loop from all else. */
#include "embedding/pool-private.h"

enum { INTERVAL_US = 50 * 1000, MOST_AT_ONCE = 200 };

struct _TuttiPoolSignals
{
  gatomicrefcount refs; /* of the pool and of the sources: another thread may drop the pool while a source is at work */
  GWeakRef object;
  TtiPool *inside;     /* not owned: it lives as long as OBJECT */
  GSource *output, *progress;
  GMutex lock;         /* for whether PROGRESS has a time */
  guint64 n_told;      /* in the context's thread */
};

typedef struct
{
  GSource source;
  TuttiPoolSignals *signals; /* a reference */
} SignalsSource;

static void
signals_unref (TuttiPoolSignals *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_weak_ref_clear (&self->object);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
source_finalize (GSource *source)
{
  signals_unref (((SignalsSource *) source)->signals);
}

/* The pool, unless it is being freed by another thread. */
static TuttiPool *
source_get_pool (GSource *source)
{
  TuttiPoolSignals *self = ((SignalsSource *) source)->signals;

  return g_weak_ref_get (&self->object);
}

static void
emit_record (TuttiPool *pool, TtiOutputRecord *record)
{
  g_autofree char *text = g_utf8_make_valid (record->text, (gssize) record->length);

  if (record->is_death)
    tutti_pool_emit_worker_died (pool, (TuttiCertificate *) record->certificate, record->again);
  else
    tutti_pool_emit_output (pool, record->index, text, record->is_error);
  tti_output_record_clear (record);
}

static gboolean
output_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  g_autoptr (TuttiPool) pool = source_get_pool (source);
  TtiOutputRecord record;
  guint64 dropped;

  (void) callback;
  (void) data;
  if (pool == NULL)
    return G_SOURCE_REMOVE;
  g_source_set_ready_time (source, -1);
  for (guint n = 0; tti_pool_take_output (tutti_pool_inside (pool), &record, &dropped); n++)
    {
      emit_record (pool, &record);
      if (n < MOST_AT_ONCE)
        continue;
      /* Others in the loop come first. */
      g_source_set_ready_time (source, 0);
      break;
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
progress_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TuttiPoolSignals *self = ((SignalsSource *) source)->signals;
  g_autoptr (TuttiPool) pool = source_get_pool (source);

  (void) callback;
  (void) data;
  if (pool == NULL)
    return G_SOURCE_REMOVE;
  guint64 n_submitted, n_ended;
  g_mutex_lock (&self->lock);
  n_ended = tti_pool_get_n_ended (self->inside, &n_submitted);
  g_source_set_ready_time (source, n_ended < n_submitted ? g_get_monotonic_time () + INTERVAL_US : -1);
  g_mutex_unlock (&self->lock);
  if (n_ended != self->n_told)
    tutti_pool_emit_progress (pool, n_ended, n_submitted);
  self->n_told = n_ended;
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs output_funcs = { .dispatch = output_dispatch, .finalize = source_finalize };
static GSourceFuncs progress_funcs = { .dispatch = progress_dispatch, .finalize = source_finalize };

static GSource *
new_source (TuttiPoolSignals *self, GSourceFuncs *funcs, const char *name, GMainContext *context)
{
  GSource *source = g_source_new (funcs, sizeof (SignalsSource));

  g_atomic_ref_count_inc (&self->refs);
  ((SignalsSource *) source)->signals = self;
  g_source_set_name (source, name);
  g_source_attach (source, context);
  return source;
}

TuttiPoolSignals *
tutti_pool_signals_new (TuttiPool *object, GMainContext *context)
{
  TuttiPoolSignals *self = g_new0 (TuttiPoolSignals, 1);

  g_atomic_ref_count_init (&self->refs);
  g_weak_ref_init (&self->object, object);
  g_mutex_init (&self->lock);
  self->output = new_source (self, &output_funcs, "[tutti] output of workers", context);
  self->progress = new_source (self, &progress_funcs, "[tutti] progress", context);
  return self;
}

void
tutti_pool_signals_follow (TuttiPoolSignals *self, TtiPool *inside)
{
  self->inside = inside;
  tti_pool_set_output_source (inside, self->output);
}

void
tutti_pool_signals_submitted (TuttiPoolSignals *self)
{
  g_mutex_lock (&self->lock);
  /* To set the time wakes the main loop: not for each task. */
  if (g_source_get_ready_time (self->progress) < 0)
    g_source_set_ready_time (self->progress, g_get_monotonic_time () + INTERVAL_US);
  g_mutex_unlock (&self->lock);
}

void
tutti_pool_signals_free (TuttiPoolSignals *self)
{
  if (self == NULL)
    return;
  if (self->inside != NULL)
    tti_pool_set_output_source (self->inside, NULL);
  g_source_destroy (self->output);
  g_source_destroy (self->progress);
  g_source_unref (g_steal_pointer (&self->output));
  g_source_unref (g_steal_pointer (&self->progress));
  signals_unref (self);
}
