/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The engine: one thread, one main loop, one lock, one pair of guard and watcher per process.
 *
 * The thread owns the main loop: deaths, deadlines, output, answers. It blocks all signals, so that they reach the application's
 * threads. It starts with the first pool and lives until tutti_engine_shutdown (). */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/fork.h"
#include "platform/requirements.h"
#include "platform/thread.h"
#include "pool/engine-private.h"
#include <stdlib.h>
#include <unistd.h>

#ifndef TUTTI_LIBEXECDIR
#define TUTTI_LIBEXECDIR "/usr/local/libexec/tutti"
#endif

/* Without a watcher that works nobody tells that the workers are gone. */
enum { EXIT_GRACE_MS = 1000, EXIT_LIMIT_US = 1500 * 1000 };
enum { GIVE_WAY_US = 20, GIVE_WAY_TRIES = 50 };

/* Its own, of the link, and for the moment in which guard and watcher are started. GLib ends the program if it has none for a main loop. */
enum { DESCRIPTORS = 16 };

static GMutex start_lock;
static TuttiEngine *the_engine;

TuttiEngine *
tutti_engine_peek (void)
{
  return g_atomic_pointer_get (&the_engine);
}

void
tutti_engine_lock (TuttiEngine *engine)
{
  if (g_mutex_trylock (&engine->lock))
    return;
  g_atomic_int_inc (&engine->n_wanting);
  g_mutex_lock (&engine->lock);
  g_atomic_int_add (&engine->n_wanting, -1);
}

void
tutti_engine_end_turn (TuttiEngine *engine)
{
  gboolean flooded = engine->flooded;

  engine->flooded = FALSE;
  tutti_engine_unlock (engine);
  /* A mutex is not fair: who takes it again at once has it before those who were woken for it. Only where there is always something more
   * to do is that more than a moment. */
  for (guint n = 0; flooded && n < GIVE_WAY_TRIES && g_atomic_int_get (&engine->n_wanting) > 0; n++)
    g_usleep (GIVE_WAY_US);
}

void
tutti_engine_read_clock_locked (TuttiEngine *engine)
{
  engine->clock = g_get_monotonic_time ();
}

void
tutti_engine_unlock (TuttiEngine *engine)
{
  gboolean changed = FALSE;

  for (guint i = engine->pools->len; i-- > 0;)
    {
      TuttiPool *pool = g_ptr_array_index (engine->pools, i);

      if (pool->handles == 0 && pool->state == POOL_QUIET)
        {
          g_ptr_array_remove_index_fast (engine->pools, i);
          tutti_pool_free (pool);
          continue;
        }
      if (!pool->ring)
        continue;
      pool->ring = FALSE;
      changed = TRUE;
      /* Rung under the lock: a bell may be closed as soon as its removal, which takes the lock, has returned. */
      for (guint b = 0; b < pool->bells->len; b++)
        tutti_fd_ring (g_array_index (pool->bells, int, b));
    }
  /* To tell nobody is a system call as well. */
  changed = changed && engine->n_waiting > 0;
  g_mutex_unlock (&engine->lock);
  if (changed)
    g_cond_broadcast (&engine->changed);
}

gboolean
tutti_engine_wait_locked (TuttiEngine *engine, gint64 deadline)
{
  gboolean in_time = TRUE;

  engine->n_waiting++;
  if (deadline < 0)
    g_cond_wait (&engine->changed, &engine->lock);
  else
    in_time = g_cond_wait_until (&engine->changed, &engine->lock, deadline);
  engine->n_waiting--;
  return in_time;
}

void
tutti_engine_set_deadline_locked (TuttiEngine *engine, gint64 when)
{
  gint64 now_set = g_source_get_ready_time (engine->deadline);

  if (now_set < 0 || when < now_set)
    g_source_set_ready_time (engine->deadline, when);
}

static gboolean
deadline_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TuttiEngine *engine = tutti_engine_peek ();

  (void) callback;
  (void) data;
  tutti_engine_lock (engine);
  gint64 due = g_source_get_ready_time (source), now = g_get_monotonic_time ();

  g_source_set_ready_time (source, -1);
  for (guint p = engine->pools->len; p-- > 0;)
    {
      TuttiPool *pool = g_ptr_array_index (engine->pools, p);

      for (guint i = 0; i < pool->size; i++)
        {
          if (due >= 0)
            tutti_slot_note_lateness_locked (&pool->slots[i], due, now);
          tutti_slot_look_at_deadlines_locked (&pool->slots[i], now);
        }
    }
  tutti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs deadline_funcs = { .dispatch = deadline_dispatch };

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

/* --- copies of the process ------------------------------------------------------------------------------------------------- */

/* Written by fork () only: 0, or the process whose copy this is. What belongs to the engine is shared with it (sockets, mailboxes, bells)
 * or missing here (the thread). */
static pid_t original;
static pid_t starter; /* the process that has started the engine */
static TuttiEngine *locked_for_fork;

static void
engine_lock_for_fork (void)
{
  locked_for_fork = tutti_engine_peek ();
  if (locked_for_fork != NULL)
    tutti_engine_lock (locked_for_fork);
}

static void
engine_unlock_after_fork (void)
{
  if (locked_for_fork != NULL)
    g_mutex_unlock (&locked_for_fork->lock);
}

static void
engine_note_copy (void)
{
  original = starter;
}

static void
follow_forks (void)
{
  starter = getpid ();
  /* Vectors are freed under the engine's lock. */
  tutti_vector_follow_forks ();
  tutti_fork_protect (engine_lock_for_fork, engine_unlock_after_fork, engine_note_copy);
}

gboolean
tutti_engine_is_copy (GError **error)
{
  if (G_LIKELY (original == 0))
    return FALSE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_FORKED,
               "this process is a forked copy of process %d, to which the engine and the workers belong: use them there, or start a new "
               "process instead of a copy", (int) original);
  return TRUE;
}

/* --- its life --------------------------------------------------------------------------------------------------------------- */

static void
engine_free (TuttiEngine *engine)
{
  tutti_watcher_link_unref (engine->link);
  tutti_engine_stop_relief (engine);
  tutti_engine_stop_watching (engine);
  g_ptr_array_unref (engine->pools);
  g_array_unref (engine->lost);
  g_hash_table_unref (engine->slots);
  g_hash_table_unref (engine->given_up);
  g_clear_pointer (&engine->deadline, g_source_unref);
  g_clear_pointer (&engine->mail, g_source_unref);
  g_main_context_unref (engine->context);
  g_cond_clear (&engine->changed);
  g_mutex_clear (&engine->lock);
  g_free (engine->watcher_program);
  g_free (engine);
}

static TuttiEngine *
engine_new (void)
{
  TuttiEngine *engine = g_new0 (TuttiEngine, 1);

  g_mutex_init (&engine->lock);
  g_cond_init (&engine->changed);
  engine->context = g_main_context_new ();
  engine->slots = g_hash_table_new (g_int64_hash, g_int64_equal);
  engine->given_up = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) tutti_worker_free);
  engine->pools = g_ptr_array_new ();
  engine->lost = g_array_new (FALSE, FALSE, sizeof (gint64));
  engine->watcher_program = tutti_engine_find_program ("tutti-watcher");
  engine->timer = -1;
  engine->deadline = g_source_new (&deadline_funcs, sizeof (GSource));
  g_source_set_static_name (engine->deadline, "[tutti] deadlines");
  g_source_attach (engine->deadline, engine->context);
  tutti_engine_start_mail (engine);
  return engine;
}

static gboolean
engine_start (GError **error)
{
  static gsize followed;

  if (!tutti_fd_check_free (DESCRIPTORS, "the engine", error))
    return FALSE;
  if (g_once_init_enter (&followed))
    {
      follow_forks ();
      g_once_init_leave (&followed, 1);
    }
  tutti_fd_begin_opening ();
  TuttiEngine *engine = engine_new ();
  gboolean watching = tutti_engine_start_watching (engine, error) && tutti_engine_start_relief (engine, error);

  tutti_fd_end_opening ();
  if (watching)
    engine->link = tutti_watcher_link_new (engine->watcher_program, engine->context, tutti_supervise_get_events (), NULL, error);
  if (engine->link != NULL)
    {
      g_atomic_pointer_set (&the_engine, engine);
      engine->thread = tutti_thread_start ("tutti-engine", engine_main, engine, error);
      if (engine->thread != NULL)
        return TRUE;
      g_atomic_pointer_set (&the_engine, NULL);
    }
  engine_free (engine);
  return FALSE;
}

TuttiEngine *
tutti_engine_get (GError **error)
{
  if (tutti_engine_is_copy (error))
    return NULL;
  g_mutex_lock (&start_lock);
  /* First, or what fails for want of it would be blamed. */
  TuttiEngine *engine = the_engine != NULL || (tutti_requirements_check (error) && engine_start (error)) ? the_engine : NULL;

  g_mutex_unlock (&start_lock);
  return engine;
}

gboolean
tutti_engine_is_over_locked (TuttiEngine *engine, GError **error)
{
  if (engine->ending)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED,
                 "the engine was shut down, as at the end of the process: there are no more pools; make and use them before");
  return engine->ending;
}

guint
tutti_engine_get_worker_count (void)
{
  TuttiEngine *engine = tutti_engine_peek ();
  guint n = 0;

  if (engine == NULL)
    return 0;
  tutti_engine_lock (engine);
  for (guint i = 0; i < engine->pools->len; i++)
    {
      TuttiPool *pool = g_ptr_array_index (engine->pools, i);

      n += pool->state == POOL_OPEN ? pool->size : 0;
    }
  tutti_engine_unlock (engine);
  return n;
}

static gboolean
pools_are_quiet_locked (TuttiEngine *engine)
{
  for (guint i = 0; i < engine->pools->len; i++)
    if (((TuttiPool *) g_ptr_array_index (engine->pools, i))->state != POOL_QUIET)
      return FALSE;
  return TRUE;
}

/* Close the pools that nobody has closed, as if somebody did. */
static void
pools_close_and_wait_locked (TuttiEngine *engine)
{
  gint64 limit = g_get_monotonic_time () + EXIT_LIMIT_US;

  for (guint i = 0; i < engine->pools->len; i++)
    tutti_pool_close_locked (g_ptr_array_index (engine->pools, i), EXIT_GRACE_MS);
  while (!pools_are_quiet_locked (engine) && tutti_engine_wait_locked (engine, limit))
    ;
}

void
tutti_engine_shutdown (void)
{
  TuttiEngine *engine = tutti_engine_peek ();
  TuttiWatcherLink *link;

  if (engine == NULL || tutti_engine_is_copy (NULL))
    return;
  tutti_engine_lock (engine);
  if (engine->ending)
    {
      tutti_engine_unlock (engine);
      return;
    }
  engine->ending = TRUE; /* nobody makes another pool while these are waited for */
  pools_close_and_wait_locked (engine);
  for (guint i = 0; i < engine->pools->len; i++)
    tutti_pool_end_output (g_ptr_array_index (engine->pools, i));
  engine->shut_down = TRUE;
  link = g_steal_pointer (&engine->link);
  tutti_engine_unlock (engine);
  g_atomic_int_set (&engine->quit, TRUE);
  g_main_context_wakeup (engine->context);
  g_thread_join (engine->thread);
  /* Closing the link ends everything below the watcher; what is in memory goes with the process. */
  tutti_watcher_link_unref (link);
  tutti_pair_end_remnants (engine);
}
