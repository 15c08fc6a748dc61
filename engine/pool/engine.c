/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An engine: one thread, one main loop, one lock, one pair of guard and watcher.
 *
 * The thread owns the main loop: deaths, deadlines, output, answers. It blocks all signals, so that they reach the application's
 * threads. It lives until tti_engine_shutdown (). */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/fork.h"
#include "platform/requirements.h"
#include "platform/thread.h"
#include "platform/urgency.h"
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
tti_engine_lock (TtiEngine *engine)
{
  if (tti_lock_try (&engine->lock))
    return;
  g_atomic_int_inc (&engine->n_wanting);
  tti_lock_take (&engine->lock);
  g_atomic_int_add (&engine->n_wanting, -1);
}

void
tti_engine_end_turn (TtiEngine *engine)
{
  gboolean flooded = engine->flooded;

  engine->flooded = FALSE;
  tti_engine_unlock (engine);
  /* A mutex is not fair: a thread that takes it again at once has it before those that were woken for it. That lasts longer than a moment
   * only where there is always something more to do. */
  for (guint n = 0; flooded && n < GIVE_WAY_TRIES && g_atomic_int_get (&engine->n_wanting) > 0; n++)
    g_usleep (GIVE_WAY_US);
}

void
tti_engine_read_clock_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  engine->clock = g_get_monotonic_time ();
}

void
tti_engine_unlock (TtiEngine *engine)
{
  gboolean changed = FALSE;
  guint n_freed = 0;

  for (guint i = engine->clients->len; i-- > 0;)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      if (client->handles == 0 && client->ops->is_quiet (client))
        {
          g_ptr_array_remove_index_fast (engine->clients, i);
          client->ops->free (client);
          n_freed++;
          changed = TRUE; /* whoever shuts the engine down may wait for just this */
          continue;
        }
      if (!client->must_wake)
        continue;
      client->must_wake = FALSE;
      changed = TRUE;
      /* Under the lock: a wakeup descriptor may be closed as soon as its removal, which takes the lock, has returned. */
      for (guint w = 0; w < client->wakeups->len; w++)
        tti_fd_wake (g_array_index (client->wakeups, int, w));
    }
  /* A broadcast that no thread waits for is a system call as well. */
  changed = changed && engine->n_waiting > 0;
  tti_lock_release (&engine->lock);
  if (changed)
    g_cond_broadcast (&engine->changed);
  /* Those of the clients: the last may be among them. */
  while (n_freed-- > 0)
    tti_engine_release (engine);
}

gboolean
tti_engine_wait_locked (TtiEngine *engine, gint64 deadline)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  engine->n_waiting++;
  gboolean in_time = tti_lock_wait (&engine->lock, &engine->changed, deadline);

  engine->n_waiting--;
  return in_time;
}

void
tti_engine_set_deadline_locked (TtiEngine *engine, gint64 when)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  gint64 now_set = g_source_get_ready_time (engine->deadline);

  if (now_set < 0 || when < now_set)
    g_source_set_ready_time (engine->deadline, when);
}

static gboolean
deadline_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TtiEngine *engine = ((TtiEngineSource *) source)->engine;

  (void) callback;
  (void) data;
  tti_engine_lock (engine);
  gint64 due = g_source_get_ready_time (source), now = g_get_monotonic_time ();

  g_source_set_ready_time (source, -1);
  for (guint i = engine->clients->len; i-- > 0;)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->look_at_deadlines (client, due, now);
    }
  tti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

static gpointer
engine_main (gpointer data)
{
  TtiEngine *engine = data;

  (void) tti_urgency_wake_soon ();
  g_main_context_push_thread_default (engine->context);
  /* Not a GMainLoop: it forgets that it was told to quit if it has not begun to run. */
  while (!g_atomic_int_get (&engine->quit))
    g_main_context_iteration (engine->context, TRUE);
  g_main_context_pop_thread_default (engine->context);
  return NULL;
}

char *
tti_engine_find_program (const char *name)
{
  const char *directory = g_getenv ("TUTTI_LIBEXECDIR");

  return g_build_filename (directory != NULL ? directory : TUTTI_LIBEXECDIR, name, NULL);
}

GSource *
tti_engine_add_source (TtiEngine *engine, GSourceFuncs *funcs, gsize size, const char *name)
{
  GSource *source = g_source_new (funcs, (guint) size);

  ((TtiEngineSource *) source)->engine = engine;
  g_source_set_static_name (source, name);
  g_source_attach (source, engine->context);
  return source;
}

guint64
tti_engine_next_number (void)
{
  static guint64 last;

  return __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
}

/* --- references ------------------------------------------------------------------------------------------------------------ */

static void
engine_free (TtiEngine *engine)
{
  g_clear_pointer (&engine->nodes, g_ptr_array_unref);
  tti_engine_clear_looking (engine);
  tti_history_clear (&engine->history);
  tti_engine_stop_relief (engine);
  tti_engine_stop_watching (engine);
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
  g_clear_pointer (&engine->notifier, g_source_unref);
  g_array_unref (engine->notices);
  g_main_context_unref (engine->context);
  g_cond_clear (&engine->changed);
  tti_lock_clear (&engine->lock);
  g_mutex_clear (&engine->forgotten_lock);
  g_queue_clear_full (&engine->messages, g_free);
  g_mutex_clear (&engine->messages_lock);
  g_free (engine);
}

TtiEngine *
tti_engine_hold (TtiEngine *engine)
{
  g_atomic_ref_count_inc (&engine->refs);
  return engine;
}

void
tti_engine_release (TtiEngine *engine)
{
  /* In a copy of the process its lock and its main loop are as a fork has found them: they go with the copy. */
  if (engine != NULL && g_atomic_ref_count_dec (&engine->refs) && !tti_engine_is_copy (NULL))
    engine_free (engine);
}

gboolean
tti_engine_claim (TtiEngine **owner, TtiEngine *engine)
{
  TtiEngine *known = g_atomic_pointer_get (owner);

  if (G_LIKELY (known != NULL))
    return known == engine;
  tti_engine_hold (engine);
  if (g_atomic_pointer_compare_and_exchange (owner, NULL, engine))
    return TRUE;
  tti_engine_release (engine);
  return g_atomic_pointer_get (owner) == engine;
}

TtiEngine *
tti_engine_ref (TtiEngine *engine)
{
  g_return_val_if_fail (engine != NULL, NULL);
  g_atomic_int_inc (&engine->users);
  return engine;
}

static gpointer
engine_end (gpointer data)
{
  TtiEngine *engine = data;

  tti_engine_shutdown (engine);
  tti_engine_release (engine);
  return NULL;
}

void
tti_engine_unref (TtiEngine *engine)
{
  if (engine == NULL || !g_atomic_int_dec_and_test (&engine->users))
    return;
  if (g_thread_self () != engine->thread || tti_engine_is_copy (NULL))
    {
      engine_end (engine);
      return;
    }
  /* The last user was told of an end, here, and had no other use for it: this thread cannot wait for itself. Where there are no threads to
   * be had the engine stays, and its processes end with this one. */
  GThread *thread = g_thread_try_new ("tutti-end", engine_end, engine, NULL);
  if (thread != NULL)
    g_thread_unref (thread);
}

/* --- its life -------------------------------------------------------------------------------------------------------------- */

static GSourceFuncs deadline_funcs = { .dispatch = deadline_dispatch };

static TtiEngine *
engine_alloc (void)
{
  TtiEngine *engine = g_new0 (TtiEngine, 1);

  g_atomic_ref_count_init (&engine->refs);
  engine->users = 1;
  g_mutex_init (&engine->forgotten_lock);
  g_mutex_init (&engine->messages_lock);
  g_queue_init (&engine->messages);
  g_cond_init (&engine->changed);
  engine->context = g_main_context_new ();
  engine->lives = g_hash_table_new (g_int64_hash, g_int64_equal);
  engine->given_up = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) tti_worker_free);
  engine->clients = g_ptr_array_new ();
  engine->nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_node_free);
  engine->timer = -1;
  engine->deadline = tti_engine_add_source (engine, &deadline_funcs, sizeof (TtiEngineSource), "[tutti] deadlines");
  tti_engine_start_polling (engine);
  tti_engine_start_notices (engine);
  tti_engine_init_looking (engine);
  return engine;
}

static gboolean
engine_add_local_node (TtiEngine *engine, GError **error)
{
  g_autofree char *watcher = tti_engine_find_program ("tutti-watcher");
  TtiNode *node = tti_local_node_new (watcher, engine->context, tti_engine_get_node_events (), engine, error);

  if (node != NULL)
    g_ptr_array_add (engine->nodes, node);
  return node != NULL;
}

TtiNode *
tti_engine_add_node (TtiEngine *engine, TtiNodeMaker maker, gpointer data, GError **error)
{
  if (tti_engine_is_copy (error))
    return NULL;
  tti_engine_lock (engine);
  gboolean over = tti_engine_is_over_locked (engine, error);

  tti_engine_unlock (engine);
  TtiNode *node = over ? NULL : maker (engine->context, tti_engine_get_node_events (), engine, data, error);

  if (node == NULL)
    return NULL;
  tti_engine_lock (engine);
  over = tti_engine_is_over_locked (engine, error);

  if (!over)
    g_ptr_array_add (engine->nodes, node);
  tti_engine_unlock (engine);
  if (over)
    g_clear_pointer (&node, tti_node_free);
  return node;
}

TtiEngine *
tti_engine_new (GError **error)
{
  /* The requirements first, or what fails for want of them would be blamed. */
  if (tti_engine_is_copy (error) || !tti_requirements_check (error) || !tti_fd_check_free (DESCRIPTORS, "the engine", error))
    return NULL;
  tti_fd_begin_opening ();
  TtiEngine *engine = engine_alloc ();
  gboolean watching = tti_engine_start_watching (engine, error) && tti_engine_start_relief (engine, error);

  tti_fd_end_opening ();
  if (watching && engine_add_local_node (engine, error))
    {
      tti_engine_register (engine);
      engine->thread = tti_thread_start ("tutti-engine", engine_main, tti_engine_hold (engine), error);
      if (engine->thread != NULL)
        return engine;
      tti_engine_deregister (engine);
    }
  g_clear_pointer (&engine->nodes, g_ptr_array_unref);
  tti_engine_append_messages (engine, error);
  engine_free (engine);
  return NULL;
}

gboolean
tti_engine_is_over_locked (TtiEngine *engine, GError **error)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine->ending)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED,
                 "the engine was shut down, as at the end of the process: there are no more pools with it; make and use them before");
  return engine->ending;
}

static gboolean
clients_are_quiet_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      if (!client->ops->is_quiet (client))
        return FALSE;
    }
  return TRUE;
}

/* Close those that are open, as their users would. */
static void
clients_close_and_wait_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  gint64 limit = g_get_monotonic_time () + EXIT_LIMIT_US;

  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->close (client, EXIT_GRACE_MS);
    }
  while (!clients_are_quiet_locked (engine) && tti_engine_wait_locked (engine, limit))
    ;
}

void
tti_engine_shutdown (TtiEngine *engine)
{
  g_return_if_fail (engine != NULL && g_thread_self () != engine->thread);
  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  if (engine->ending)
    {
      /* Another thread does it; or this one, if a callback asks for it again. */
      while (!engine->over && engine->ending_thread != g_thread_self ())
        (void) tti_engine_wait_locked (engine, -1);
      tti_engine_unlock (engine);
      return;
    }
  engine->ending_thread = g_thread_self ();
  engine->ending = TRUE; /* no thread makes another client while this one waits for these */
  clients_close_and_wait_locked (engine);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->end (client);
    }
  g_ptr_array_foreach (engine->nodes, (GFunc) (void (*) (void)) tti_node_stop, NULL);
  tti_engine_unlock (engine);
  g_atomic_int_set (&engine->quit, TRUE);
  g_main_context_wakeup (engine->context);
  g_thread_join (engine->thread);
  /* That ends everything below them. */
  g_ptr_array_foreach (engine->nodes, (GFunc) (void (*) (void)) tti_node_close, NULL);
  tti_engine_lock (engine);
  tti_engine_settle_locked (engine);
  engine->over = TRUE;
  tti_engine_unlock (engine);
  g_cond_broadcast (&engine->changed);
  tti_engine_deliver_notices (engine);
  tti_engine_deregister (engine);
  tti_engine_end_looking (engine);
  tti_engine_end_messages (engine);
  tti_engine_release (engine); /* the thread's */
}
