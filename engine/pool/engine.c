/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An engine: one thread, one main loop, one lock, one pair of guard and watcher.
 *
 * The thread owns the main loop: deaths, deadlines, output, answers. It blocks all signals, so that they reach the application's
 * threads. It lives until tutti_engine_shutdown (). */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/fork.h"
#include "platform/requirements.h"
#include "platform/thread.h"
#include "node/local-node.h"
#include "pool/engine-private.h"
#include <stdlib.h>
#include <unistd.h>

#ifndef TUTTI_LIBEXECDIR
#define TUTTI_LIBEXECDIR "/usr/local/libexec/tutti"
#endif

/* Without a watcher that works, no report of the workers' ends comes. */
enum { EXIT_GRACE_MS = 1000, EXIT_LIMIT_US = 1500 * 1000 };
enum { GIVE_WAY_US = 20, GIVE_WAY_TRIES = 50 };

/* Its own, of the link, and for the moment in which guard and watcher are started. GLib ends the program if it has none for a main loop. */
enum { DESCRIPTORS = 16 };

void
tutti_engine_lock (TuttiEngine *engine)
{
  if (tutti_lock_try (&engine->lock))
    return;
  g_atomic_int_inc (&engine->n_wanting);
  tutti_lock_take (&engine->lock);
  g_atomic_int_add (&engine->n_wanting, -1);
}

void
tutti_engine_end_turn (TuttiEngine *engine)
{
  gboolean flooded = engine->flooded;

  engine->flooded = FALSE;
  tutti_engine_unlock (engine);
  /* A mutex is not fair: a thread that takes it again at once has it before those that were woken for it. That lasts longer than a moment
   * only where there is always something more to do. */
  for (guint n = 0; flooded && n < GIVE_WAY_TRIES && g_atomic_int_get (&engine->n_wanting) > 0; n++)
    g_usleep (GIVE_WAY_US);
}

void
tutti_engine_read_clock_locked (TuttiEngine *engine)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  engine->clock = g_get_monotonic_time ();
}

void
tutti_engine_unlock (TuttiEngine *engine)
{
  gboolean changed = FALSE;
  guint n_freed = 0;

  for (guint i = engine->clients->len; i-- > 0;)
    {
      TuttiEngineClient *client = g_ptr_array_index (engine->clients, i);

      if (client->handles == 0 && client->ops->is_quiet (client))
        {
          g_ptr_array_remove_index_fast (engine->clients, i);
          client->ops->free (client);
          n_freed++;
          continue;
        }
      if (!client->must_wake)
        continue;
      client->must_wake = FALSE;
      changed = TRUE;
      /* Under the lock: a wakeup descriptor may be closed as soon as its removal, which takes the lock, has returned. */
      for (guint w = 0; w < client->wakeups->len; w++)
        tutti_fd_wake (g_array_index (client->wakeups, int, w));
    }
  /* A broadcast that no thread waits for is a system call as well. */
  changed = changed && engine->n_waiting > 0;
  tutti_lock_release (&engine->lock);
  if (changed)
    g_cond_broadcast (&engine->changed);
  /* Those of the clients: the last may be among them. */
  while (n_freed-- > 0)
    tutti_engine_release (engine);
}

gboolean
tutti_engine_wait_locked (TuttiEngine *engine, gint64 deadline)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  engine->n_waiting++;
  gboolean in_time = tutti_lock_wait (&engine->lock, &engine->changed, deadline);

  engine->n_waiting--;
  return in_time;
}

void
tutti_engine_set_deadline_locked (TuttiEngine *engine, gint64 when)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  gint64 now_set = g_source_get_ready_time (engine->deadline);

  if (now_set < 0 || when < now_set)
    g_source_set_ready_time (engine->deadline, when);
}

static gboolean
deadline_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TuttiEngine *engine = ((TuttiEngineSource *) source)->engine;

  (void) callback;
  (void) data;
  tutti_engine_lock (engine);
  gint64 due = g_source_get_ready_time (source), now = g_get_monotonic_time ();

  g_source_set_ready_time (source, -1);
  for (guint i = engine->clients->len; i-- > 0;)
    {
      TuttiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->look_at_deadlines (client, due, now);
    }
  tutti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

static gpointer
engine_main (gpointer data)
{
  TuttiEngine *engine = data;

  g_main_context_push_thread_default (engine->context);
  /* Not a GMainLoop: it forgets that it was told to quit if it has not begun to run. */
  while (!g_atomic_int_get (&engine->quit))
    g_main_context_iteration (engine->context, TRUE);
  g_main_context_pop_thread_default (engine->context);
  return NULL;
}

char *
tutti_engine_find_program (const char *name)
{
  const char *directory = g_getenv ("TUTTI_LIBEXECDIR");

  return g_build_filename (directory != NULL ? directory : TUTTI_LIBEXECDIR, name, NULL);
}

GSource *
tutti_engine_add_source (TuttiEngine *engine, GSourceFuncs *funcs, gsize size, const char *name)
{
  GSource *source = g_source_new (funcs, (guint) size);

  ((TuttiEngineSource *) source)->engine = engine;
  g_source_set_static_name (source, name);
  g_source_attach (source, engine->context);
  return source;
}

guint64
tutti_engine_next_number (void)
{
  static guint64 last;

  return __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
}

/* --- references ------------------------------------------------------------------------------------------------------------ */

static void
engine_free (TuttiEngine *engine)
{
  g_clear_pointer (&engine->nodes, g_ptr_array_unref);
  tutti_engine_stop_relief (engine);
  tutti_engine_stop_watching (engine);
  if (engine->ticks != NULL)
    g_source_destroy (engine->ticks);
  g_clear_pointer (&engine->ticks, g_source_unref);
  g_assert (engine->clients->len == 0);
  g_ptr_array_unref (engine->clients);
  g_hash_table_unref (engine->lives);
  g_hash_table_unref (engine->given_up);
  g_clear_pointer (&engine->forgotten, g_array_unref);
  g_clear_pointer (&engine->deadline, g_source_unref);
  g_clear_pointer (&engine->polling, g_source_unref);
  g_main_context_unref (engine->context);
  g_cond_clear (&engine->changed);
  tutti_lock_clear (&engine->lock);
  g_mutex_clear (&engine->forgotten_lock);
  g_free (engine);
}

TuttiEngine *
tutti_engine_hold (TuttiEngine *engine)
{
  g_atomic_ref_count_inc (&engine->refs);
  return engine;
}

void
tutti_engine_release (TuttiEngine *engine)
{
  /* In a copy of the process its lock and its main loop are as a fork has found them: they go with the copy. */
  if (engine != NULL && g_atomic_ref_count_dec (&engine->refs) && !tutti_engine_is_copy (NULL))
    engine_free (engine);
}

gboolean
tutti_engine_claim (TuttiEngine **owner, TuttiEngine *engine)
{
  TuttiEngine *known = g_atomic_pointer_get (owner);

  if (G_LIKELY (known != NULL))
    return known == engine;
  tutti_engine_hold (engine);
  if (g_atomic_pointer_compare_and_exchange (owner, NULL, engine))
    return TRUE;
  tutti_engine_release (engine);
  return g_atomic_pointer_get (owner) == engine;
}

TuttiEngine *
tutti_engine_ref (TuttiEngine *engine)
{
  g_return_val_if_fail (engine != NULL, NULL);
  g_atomic_int_inc (&engine->users);
  return engine;
}

void
tutti_engine_unref (TuttiEngine *engine)
{
  if (engine == NULL || !g_atomic_int_dec_and_test (&engine->users))
    return;
  tutti_engine_shutdown (engine);
  tutti_engine_release (engine);
}

/* --- its life -------------------------------------------------------------------------------------------------------------- */

static GSourceFuncs deadline_funcs = { .dispatch = deadline_dispatch };

static TuttiEngine *
engine_alloc (void)
{
  TuttiEngine *engine = g_new0 (TuttiEngine, 1);

  g_atomic_ref_count_init (&engine->refs);
  engine->users = 1;
  g_mutex_init (&engine->forgotten_lock);
  g_cond_init (&engine->changed);
  engine->context = g_main_context_new ();
  engine->lives = g_hash_table_new (g_int64_hash, g_int64_equal);
  engine->given_up = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) tutti_worker_free);
  engine->clients = g_ptr_array_new ();
  engine->nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_node_free);
  engine->timer = -1;
  engine->deadline = tutti_engine_add_source (engine, &deadline_funcs, sizeof (TuttiEngineSource), "[tutti] deadlines");
  tutti_engine_start_polling (engine);
  return engine;
}

static gboolean
engine_add_local_node (TuttiEngine *engine, GError **error)
{
  g_autofree char *watcher = tutti_engine_find_program ("tutti-watcher");
  TuttiNode *node = tutti_local_node_new (watcher, engine->context, tutti_engine_get_node_events (), engine, error);

  if (node != NULL)
    g_ptr_array_add (engine->nodes, node);
  return node != NULL;
}

TuttiNode *
tutti_engine_add_node (TuttiEngine *engine, TuttiNodeMaker maker, gpointer data, GError **error)
{
  if (tutti_engine_is_copy (error))
    return NULL;
  TuttiNode *node = maker (engine->context, tutti_engine_get_node_events (), engine, data, error);

  if (node == NULL)
    return NULL;
  tutti_engine_lock (engine);
  gboolean over = tutti_engine_is_over_locked (engine, error);

  if (!over)
    g_ptr_array_add (engine->nodes, node);
  tutti_engine_unlock (engine);
  if (over)
    g_clear_pointer (&node, tutti_node_free);
  return node;
}

TuttiEngine *
tutti_engine_new (GError **error)
{
  /* The requirements first, or what fails for want of them would be blamed. */
  if (tutti_engine_is_copy (error) || !tutti_requirements_check (error) || !tutti_fd_check_free (DESCRIPTORS, "the engine", error))
    return NULL;
  tutti_fd_begin_opening ();
  TuttiEngine *engine = engine_alloc ();
  gboolean watching = tutti_engine_start_watching (engine, error) && tutti_engine_start_relief (engine, error);

  tutti_fd_end_opening ();
  if (watching && engine_add_local_node (engine, error))
    {
      tutti_engine_register (engine);
      engine->thread = tutti_thread_start ("tutti-engine", engine_main, tutti_engine_hold (engine), error);
      if (engine->thread != NULL)
        return engine;
      tutti_engine_deregister (engine);
    }
  engine_free (engine);
  return NULL;
}

gboolean
tutti_engine_is_over_locked (TuttiEngine *engine, GError **error)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  if (engine->ending)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED,
                 "the engine was shut down, as at the end of the process: there are no more pools with it; make and use them before");
  return engine->ending;
}

static gboolean
clients_are_quiet_locked (TuttiEngine *engine)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TuttiEngineClient *client = g_ptr_array_index (engine->clients, i);

      if (!client->ops->is_quiet (client))
        return FALSE;
    }
  return TRUE;
}

/* Close those that are open, as their users would. */
static void
clients_close_and_wait_locked (TuttiEngine *engine)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  gint64 limit = g_get_monotonic_time () + EXIT_LIMIT_US;

  for (guint i = 0; i < engine->clients->len; i++)
    {
      TuttiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->close (client, EXIT_GRACE_MS);
    }
  while (!clients_are_quiet_locked (engine) && tutti_engine_wait_locked (engine, limit))
    ;
}

void
tutti_engine_shutdown (TuttiEngine *engine)
{
  g_return_if_fail (engine != NULL && g_thread_self () != engine->thread);
  if (tutti_engine_is_copy (NULL))
    return;
  tutti_engine_lock (engine);
  if (engine->ending)
    {
      tutti_engine_unlock (engine);
      return;
    }
  engine->ending = TRUE; /* no thread makes another client while this one waits for these */
  clients_close_and_wait_locked (engine);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TuttiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->end (client);
    }
  g_ptr_array_foreach (engine->nodes, (GFunc) (void (*) (void)) tutti_node_stop, NULL);
  tutti_engine_unlock (engine);
  g_atomic_int_set (&engine->quit, TRUE);
  g_main_context_wakeup (engine->context);
  g_thread_join (engine->thread);
  /* That ends everything below them. */
  g_ptr_array_foreach (engine->nodes, (GFunc) (void (*) (void)) tutti_node_close, NULL);
  tutti_engine_lock (engine);
  tutti_engine_settle_locked (engine);
  tutti_engine_unlock (engine);
  tutti_engine_deregister (engine);
  tutti_engine_release (engine); /* the thread's */
}
