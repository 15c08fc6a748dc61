/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decides which thread gives relief to tasks that wait while a worker has nothing to do, and when.
 *
 * A pool that lets a task wait says when relief is due. A thread that then has the lock anyway, because it submits or polls for answers,
 * gives it. When there is none, because the program's threads sleep or compute, a timer wakes the engine's thread, which does it alone.
 * While no task waits, or no worker is free, relief is never due, and there is no timer. What relief is: see relief.c. */
#include "platform/fd.h"
#include "pool/engine-private.h"

void
tti_engine_set_timer_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine->relief_at == 0 || engine->attended || (engine->timer_at != 0 && engine->timer_at <= engine->relief_at))
    return;
  engine->timer_at = engine->relief_at;
  tti_fd_set_timer (engine->timer, engine->timer_at);
}

void
tti_engine_want_relief_locked (TtiEngine *engine, gint64 when)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine->relief_at != 0 && engine->relief_at <= when)
    return;
  engine->relief_at = when;
  tti_engine_set_timer_locked (engine);
}

void
tti_engine_relieve_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine->relief_at == 0)
    return;
  tti_engine_read_clock_locked (engine);
  if (engine->clock >= engine->relief_at)
    {
      engine->relief_at = 0;
      /* Workers that have answered are further than they seem. */
      tti_engine_take_answers_locked (engine);
      for (guint i = 0; i < engine->clients->len; i++)
        {
          TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

          client->ops->relieve (client);
        }
    }
  tti_engine_set_timer_locked (engine);
}

/* --- in the engine's thread ---------------------------------------------------------------------------------------------- */
typedef struct
{
  TtiEngineSource source;
  gpointer tag;
} ReliefSource;

static gboolean
relief_check (GSource *source)
{
  return g_source_query_unix_fd (source, ((ReliefSource *) source)->tag) != 0;
}

static gboolean
relief_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TtiEngine *engine = ((TtiEngineSource *) source)->engine;

  (void) callback;
  (void) data;
  tti_engine_lock (engine);
  tti_fd_drain (engine->timer);
  engine->timer_at = 0;
  tti_engine_relieve_locked (engine);
  tti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs relief_funcs = { .check = relief_check, .dispatch = relief_dispatch };

gboolean
tti_engine_start_relief (TtiEngine *engine, GError **error)
{
  engine->timer = tti_fd_open_timer (error);
  if (engine->timer < 0)
    return FALSE;
  engine->relief = tti_engine_add_source (engine, &relief_funcs, sizeof (ReliefSource), "[tutti] relief");
  ((ReliefSource *) engine->relief)->tag = g_source_add_unix_fd (engine->relief, engine->timer, G_IO_IN);
  return TRUE;
}

void
tti_engine_stop_relief (TtiEngine *engine)
{
  if (engine->relief != NULL)
    g_source_destroy (engine->relief);
  g_clear_pointer (&engine->relief, g_source_unref);
  tti_fd_clear (&engine->timer);
}
