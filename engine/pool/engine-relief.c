/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decides which thread gives relief to tasks that wait while a worker has nothing to do, and when.
 *
 * A pool that lets a task wait says when relief is due. A thread that then has the lock anyway, because it submits or polls for answers,
 * gives it. When there is none, because the program's threads sleep or compute, a timer wakes the engine's thread, which does it alone.
 * While no task waits, or no worker is free, relief is never due, and there is no timer. What relief is: see relief.c. */
#include "platform/fd.h"
#include "pool/engine-private.h"

void
tutti_engine_set_timer_locked (TuttiEngine *engine)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  if (engine->relief_at == 0 || engine->attended || (engine->timer_at != 0 && engine->timer_at <= engine->relief_at))
    return;
  engine->timer_at = engine->relief_at;
  tutti_fd_set_timer (engine->timer, engine->timer_at);
}

void
tutti_engine_want_relief_locked (TuttiEngine *engine, gint64 when)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  if (engine->relief_at != 0 && engine->relief_at <= when)
    return;
  engine->relief_at = when;
  tutti_engine_set_timer_locked (engine);
}

void
tutti_engine_relieve_locked (TuttiEngine *engine)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  if (engine->relief_at == 0)
    return;
  tutti_engine_read_clock_locked (engine);
  if (engine->clock >= engine->relief_at)
    {
      engine->relief_at = 0;
      /* Workers that have answered are further than they seem. */
      tutti_engine_take_answers_locked (engine);
      for (guint i = 0; i < engine->clients->len; i++)
        {
          TuttiEngineClient *client = g_ptr_array_index (engine->clients, i);

          client->ops->relieve (client);
        }
    }
  tutti_engine_set_timer_locked (engine);
}

/* --- in the engine's thread ---------------------------------------------------------------------------------------------- */
typedef struct
{
  TuttiEngineSource source;
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
  TuttiEngine *engine = ((TuttiEngineSource *) source)->engine;

  (void) callback;
  (void) data;
  tutti_engine_lock (engine);
  tutti_fd_drain (engine->timer);
  engine->timer_at = 0;
  tutti_engine_relieve_locked (engine);
  tutti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs relief_funcs = { .check = relief_check, .dispatch = relief_dispatch };

gboolean
tutti_engine_start_relief (TuttiEngine *engine, GError **error)
{
  engine->timer = tutti_fd_open_timer (error);
  if (engine->timer < 0)
    return FALSE;
  engine->relief = tutti_engine_add_source (engine, &relief_funcs, sizeof (ReliefSource), "[tutti] relief");
  ((ReliefSource *) engine->relief)->tag = g_source_add_unix_fd (engine->relief, engine->timer, G_IO_IN);
  return TRUE;
}

void
tutti_engine_stop_relief (TuttiEngine *engine)
{
  if (engine->relief != NULL)
    g_source_destroy (engine->relief);
  g_clear_pointer (&engine->relief, g_source_unref);
  tutti_fd_clear (&engine->timer);
}
