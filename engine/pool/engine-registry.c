/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The engines of this process: the default one, and what becomes of all of them in a copy of the process. */
#include "platform/error.h"
#include "platform/fork.h"
#include "platform/slab.h"
#include "pool/engine-private.h"
#include <unistd.h>

static GMutex registry_lock;   /* of the next; its holder may take engines' locks, never the other way round */
static GPtrArray *engines;     /* those with a thread; NULL: there was never one */
static GMutex default_lock;    /* of the next two; its holder may take all other locks */
static TtiEngine *the_default; /* a user's reference, until there is another */
static gboolean default_is_over;

/* --- copies of the process ------------------------------------------------------------------------------------------------- */

/* Written by fork () only: 0, or the process whose copy this is. What belongs to an engine is shared with it (sockets, mailboxes, wakeup
 * descriptors) or missing here (the thread). */
static pid_t original;
static pid_t starter; /* the process that has started engines */

static void
lock_for_fork (void)
{
  g_mutex_lock (&registry_lock);
  for (guint i = 0; i < engines->len; i++)
    tti_engine_lock (g_ptr_array_index (engines, i));
}

static void
unlock_after_fork (void)
{
  for (guint i = engines->len; i-- > 0;)
    tti_lock_release (&((TtiEngine *) g_ptr_array_index (engines, i))->lock);
  g_mutex_unlock (&registry_lock);
}

static void
note_copy (void)
{
  original = starter;
}

gboolean
tti_engine_is_copy (GError **error)
{
  if (G_LIKELY (original == 0))
    return FALSE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_FORKED,
               "this process is a forked copy of process %d, to which the engine and the workers belong: use them there, or start a new "
               "process instead of a copy", (int) original);
  return TRUE;
}

/* --- all of them ----------------------------------------------------------------------------------------------------------- */

void
tti_engine_register (TtiEngine *engine)
{
  static gsize followed;

  if (g_once_init_enter (&followed))
    {
      engines = g_ptr_array_new ();
      starter = getpid ();
      /* Vectors are freed under engines' locks. */
      tti_vector_follow_forks ();
      tti_slab_protect ();
      tti_fork_protect (lock_for_fork, unlock_after_fork, note_copy);
      g_once_init_leave (&followed, 1);
    }
  g_mutex_lock (&registry_lock);
  g_ptr_array_add (engines, engine);
  g_mutex_unlock (&registry_lock);
}

void
tti_engine_deregister (TtiEngine *engine)
{
  g_mutex_lock (&registry_lock);
  g_ptr_array_remove (engines, engine);
  g_mutex_unlock (&registry_lock);
}

/* --- the default one ------------------------------------------------------------------------------------------------------- */

static gboolean
engine_is_ending (TtiEngine *engine)
{
  tti_engine_lock (engine);
  gboolean ending = tti_engine_is_over_locked (engine, NULL);

  tti_engine_unlock (engine);
  return ending;
}

TtiEngine *
tti_engine_get_default (GError **error)
{
  TtiEngine *engine = NULL, *ended = NULL;

  if (tti_engine_is_copy (error))
    return NULL;
  g_mutex_lock (&default_lock);
  if (default_is_over)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED,
                 "the engine was shut down, as at the end of the process: there are no more pools; make and use them before");
  else if (the_default != NULL && !engine_is_ending (the_default))
    engine = tti_engine_ref (the_default);
  else if ((engine = tti_engine_new (error)) != NULL)
    {
      ended = the_default;
      the_default = tti_engine_ref (engine);
    }
  g_mutex_unlock (&default_lock);
  tti_engine_unref (ended);
  return engine;
}

TtiEngine *
tti_engine_peek_default (void)
{
  if (tti_engine_is_copy (NULL))
    return NULL;
  g_mutex_lock (&default_lock);
  TtiEngine *engine = the_default != NULL && !engine_is_ending (the_default) ? tti_engine_ref (the_default) : NULL;

  g_mutex_unlock (&default_lock);
  return engine;
}

void
tti_engine_end_default (void)
{
  if (tti_engine_is_copy (NULL))
    return;
  g_mutex_lock (&default_lock);
  TtiEngine *engine = the_default != NULL ? tti_engine_ref (the_default) : NULL;

  default_is_over = TRUE;
  g_mutex_unlock (&default_lock);
  if (engine != NULL)
    tti_engine_shutdown (engine);
  tti_engine_unref (engine);
}
