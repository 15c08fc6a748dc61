/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Guile in an application that has not started it, or not for us.
 *
 * The thread in which the collector is started must stay for ever: it takes that for the main one. So there is a thread of our own, which
 * starts Guile, loads the modules that run scripts, and then interrupts scripts that were cancelled: whoever cancels, perhaps in the
 * thread of the application's main loop, must neither enter Guile nor wait for its collector. */
#include "bindings/guile-error.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-name.h"
#include "bindings/guile-script.h"
#include "platform/thread.h"
#include <stdlib.h>
#include <unistd.h>

void tutti_guile_init (void);

/* How often a script is asked again that has not been left, since it was loading a module, or had asyncs blocked. */
enum { INTERRUPT_AGAIN_US = 20000 };

typedef enum { STATE_NONE, STATE_WANTED, STATE_LOADED, STATE_FAILED } State;

static GMutex lock; /* of what follows */
static GCond changed;
static State state;
static char *failure;
static GPtrArray *cancelled; /* runs */
static pid_t starter;        /* the process that has the thread */
static gint serves_application; /* atomic */

gboolean
tti_guile_serves_application (void)
{
  return g_atomic_int_get (&serves_application);
}

char *
tti_guile_describe_exception (SCM key, SCM arguments)
{
  SCM port = scm_open_output_string ();

  scm_print_exception (port, SCM_BOOL_F, key, arguments);
  char *utf8 = scm_to_utf8_string (scm_get_output_string (port)), *text = g_strchomp (g_strdup (utf8));

  free (utf8);
  return text;
}

/* --- in Guile ---------------------------------------------------------------------------------------------------------------- */

static void
init_extension (void *data)
{
  (void) data;
  tutti_guile_init ();
}

/* What Guile does for programs of its own: to look where Tutti is, and to compile modules when they are used first. */
static const char prepare[]
  = "(lambda (site site-ccache first?)"
    "  (unless (%search-load-path \"tutti/program/application.scm\")"
    "    (set! %load-path (append %load-path (list site)))"
    "    (set! %load-compiled-path (append %load-compiled-path (list site-ccache))))"
    "  (when first?"
    "    (set! %load-should-auto-compile (not (equal? (getenv \"GUILE_AUTO_COMPILE\") \"0\")))))";

static SCM
load_body (void *data)
{
  gboolean *first = data;
  /* What the modules take for their usual ports when they are loaded. What scripts write goes elsewhere, and nobody else prints. */
  SCM nowhere = scm_sys_make_void_port (scm_from_utf8_string ("w"));

  scm_set_current_output_port (nowhere);
  scm_set_current_error_port (nowhere);
  scm_set_current_warning_port (nowhere);
  /* Whichever file the modules would load: it is this library, which is there already. */
  scm_c_register_extension (NULL, "tutti_guile_init", init_extension, NULL);
  scm_call_3 (scm_c_eval_string (prepare), tti_guile_from_name (TUTTI_SITEDIR), tti_guile_from_name (TUTTI_SITECCACHEDIR),
              scm_from_bool (*first));
  *first = FALSE;
  scm_c_public_ref ("tutti program application", "run-for-application");
  return SCM_BOOL_T;
}

static SCM
load_failed (void *data, SCM key, SCM arguments)
{
  (void) data;
  g_free (failure);
  failure = tti_guile_describe_exception (key, arguments);
  return SCM_BOOL_F;
}

static void *
load (void *first)
{
  return scm_is_true (scm_internal_catch (SCM_BOOL_T, load_body, first, load_failed, NULL)) ? first : NULL;
}

static SCM
interrupt_body (void *data)
{
  TtiScriptRun *run = data;

  return scm_system_async_mark_for_thread (run->interrupter, run->thread);
}

static SCM
interrupt_failed (void *data, SCM key, SCM arguments)
{
  TtiScriptRun *run = data;

  (void) key;
  (void) arguments;
  run->is_posted = FALSE; /* try again */
  return SCM_BOOL_F;
}

static void *
interrupt (void *data)
{
  TtiScriptRun *run = data;

  /* Under the lock it cannot leave the script, and its thread not end. */
  tti_lock_take (&run->lock);
  if (run->is_interruptible && run->is_cancelled && !run->is_posted)
    {
      run->is_posted = TRUE;
      scm_internal_catch (SCM_BOOL_T, interrupt_body, run, interrupt_failed, NULL);
    }
  tti_lock_release (&run->lock);
  return NULL;
}

/* --- the thread -------------------------------------------------------------------------------------------------------------- */

static gboolean
run_waits_for_interrupt (TtiScriptRun *run)
{
  tti_lock_take (&run->lock);
  gboolean waits = run->is_cancelled && !run->is_over;

  tti_lock_release (&run->lock);
  return waits;
}

/* Ask all runs that were cancelled, and forget those that are being left. The lock is held, but not meanwhile. */
static void
interrupt_all (void)
{
  g_autoptr (GPtrArray) runs = g_steal_pointer (&cancelled);

  cancelled = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_script_run_unref);
  g_mutex_unlock (&lock);
  for (guint i = 0; i < runs->len; i++)
    scm_with_guile (interrupt, runs->pdata[i]);
  g_mutex_lock (&lock);
  for (guint i = 0; i < runs->len; i++)
    if (run_waits_for_interrupt (runs->pdata[i]))
      g_ptr_array_add (cancelled, tti_script_run_ref (runs->pdata[i]));
}

static gpointer
guile_thread (gpointer data)
{
  gboolean first = !scm_initialized_p;

  (void) data;
  tti_guile_accept_collector_signals ();
  g_mutex_lock (&lock);
  for (;;)
    if (state == STATE_WANTED)
      {
        g_mutex_unlock (&lock);
        gboolean loaded = scm_with_guile (load, &first) != NULL;

        g_mutex_lock (&lock);
        state = loaded ? STATE_LOADED : STATE_FAILED;
        g_cond_broadcast (&changed);
      }
    else if (cancelled->len > 0)
      {
        interrupt_all ();
        if (cancelled->len > 0)
          g_cond_wait_until (&changed, &lock, g_get_monotonic_time () + INTERRUPT_AGAIN_US);
      }
    else
      g_cond_wait (&changed, &lock);
  return NULL;
}

/* The lock is held. */
static gboolean
start_thread (GError **error)
{
  if (starter != 0)
    return TRUE;
  cancelled = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_script_run_unref);
  GThread *thread = tti_thread_start ("tutti-guile", guile_thread, NULL, error);

  if (thread == NULL)
    return FALSE;
  g_thread_unref (thread);
  starter = getpid ();
  return TRUE;
}

gboolean
tti_guile_start (GError **error)
{
  g_mutex_lock (&lock);
  if (starter != 0 && starter != getpid ())
    {
      g_mutex_unlock (&lock);
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_FORKED,
                   "this process is a forked copy of process %d, in which Guile runs: run scripts there, or start a new process instead of "
                   "a copy", (int) starter);
      return FALSE;
    }
  g_atomic_int_set (&serves_application, TRUE);
  if (!start_thread (error))
    {
      g_mutex_unlock (&lock);
      return FALSE;
    }
  if (state == STATE_NONE || state == STATE_FAILED)
    {
      state = STATE_WANTED;
      g_cond_broadcast (&changed);
    }
  while (state == STATE_WANTED)
    g_cond_wait (&changed, &lock);
  gboolean loaded = state == STATE_LOADED;

  if (!loaded)
    g_set_error (error, TUTTI_GUILE_ERROR, TUTTI_GUILE_ERROR_UNAVAILABLE,
                 "the Guile modules of Tutti cannot be loaded: %s\n"
                 "They are expected in Guile's load path or in %s. If they are elsewhere, say so by GUILE_LOAD_PATH and "
                 "GUILE_LOAD_COMPILED_PATH.", failure, TUTTI_SITEDIR);
  g_mutex_unlock (&lock);
  return loaded;
}

void
tti_guile_interrupt (TtiScriptRun *run)
{
  g_mutex_lock (&lock);
  /* Before there is a thread no script runs that could be interrupted; it is looked at when one begins. */
  if (cancelled != NULL)
    {
      g_ptr_array_add (cancelled, tti_script_run_ref (run));
      g_cond_broadcast (&changed);
    }
  g_mutex_unlock (&lock);
}
