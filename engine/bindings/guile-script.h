/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of scripts for applications share.
 *
 * The application has a TuttiGuileScript (guile-script.c). Each time that it is run there is a run (guile-script-run.c): a thread in
 * Guile, and events from there for the application's main context. The script's thread talks to the run through primitives
 * (guile-script-primitives.c), by whose help (tutti program application) does the rest. One thread has started Guile and stays
 * (guile-start.c). */
#pragma once
#include "platform/lock.h"
#include "pool/engine.h"
#include "tutti/guile.h"
#include "value/value.h"
#include <libguile.h>

typedef struct _TtiScriptRun TtiScriptRun;

typedef struct
{
  char *name;
  TuttiGuileProcedure function;
  gpointer data;
  GDestroyNotify destroy;
} TtiScriptProcedure;

/* --- the script (guile-script.c), in the application's threads ---------------------------------------------------------------- */

/* Emit the signals. */
void tti_script_emit_output (TuttiGuileScript *script, const char *text, gboolean is_error);
void tti_script_emit_progress (TuttiGuileScript *script, guint64 done, guint64 total, const char *text);
/* The run is over: another may begin. */
void tti_script_end_run (TuttiGuileScript *script, int exit_status);

/* --- a run (guile-script-run.c) ----------------------------------------------------------------------------------------------- */

/* What is run, by whom and how; all of it is owned by the run. */
typedef struct
{
  TuttiGuileScript *script;
  TtiEngine *engine;      /* NULL: the default one */
  char *file, *expression; /* one of them is NULL */
  GStrv arguments;
  GPtrArray *procedures;  /* of TtiScriptProcedure */
  GMainContext *context;  /* where events are handled; NULL: whoever calls tti_script_run_wait () handles them */
  GTask *result;          /* is returned from with the last event; NULL if there is no context */
} TtiScriptPlan;

/* A call of a procedure of the application. The thread that has called it waits, or has forgotten it. */
typedef struct
{
  gatomicrefcount refs;
  guint index;           /* of the procedure */
  GPtrArray *arguments;  /* of TuttiValue */
  gboolean is_done, is_forgotten; /* under the run's lock, as is the next */
  TtiPayload *result;    /* NULL: .error */
  GError *error;
} TtiScriptCall;

struct _TtiScriptRun
{
  gatomicrefcount refs;
  TtiScriptPlan plan;
  guint number;          /* of its session */

  TtiLock lock;          /* of what follows */
  GCond changed;         /* there are events */
  GSource *source;       /* that handles events in the context; NULL: there is no context, or it is over */
  GQueue events;
  gsize queued;          /* bytes of text in them */
  GArray *wakeups;       /* descriptors of threads that wait for the application */
  GString *rest[2];      /* of output and errors: what has no newline yet */
  gboolean is_over;      /* nothing comes from the script any more */

  /* How to interrupt it: objects of Guile, protected from the collector, while INTERRUPTIBLE. */
  SCM thread, interrupter;
  gboolean is_interruptible, is_cancelled, is_posted;

  /* The outcome, written by its thread before the last event. */
  TuttiValue *value;
  GError *error;
  int exit_status;
};

/* Begin to run what PLAN says, which is taken over. NULL, with ERROR: there is no thread for it; PLAN is freed. */
TtiScriptRun *tti_script_run_start (const TtiScriptPlan *plan, GCancellable *cancellable, GError **error);
/* Of one without context: handle its events in this thread until it is over, and return its value, or NULL with its error. */
TuttiValue *tti_script_run_wait (TtiScriptRun *run, GError **error);
TtiScriptRun *tti_script_run_ref (TtiScriptRun *run);
void tti_script_run_unref (TtiScriptRun *run);

/* From the script's threads. A line is complete, and owned by the caller. PROGRESS tells one progress from others. Of what comes after the
 * end nothing reaches the application; a call then is refused with FALSE. */
void tti_script_run_push_line (TtiScriptRun *run, const char *line, gsize size, gboolean is_error);
void tti_script_run_push_progress (TtiScriptRun *run, guint64 progress, guint64 done, guint64 total, const char *text);
gboolean tti_script_run_push_call (TtiScriptRun *run, TtiScriptCall *call);
/* Is there room for more lines? */
gboolean tti_script_run_has_room (TtiScriptRun *run);

void tti_script_call_unref (TtiScriptCall *call);

/* In Guile: run the script, and set the run's outcome (guile-script-primitives.c). */
void tti_script_run_in_guile (TtiScriptRun *run);

/* The engine for the pools of the run that OBJECT is, or, if it is #f, of the program: a reference. */
TtiEngine *tti_guile_to_engine (SCM object, GError **error);

/* Define the primitives. */
void tti_guile_init_script (void);

/* --- Guile in an application (guile-start.c) -------------------------------------------------------------------------------- */

/* Start Guile, unless that was done, and load what runs scripts. Waits. */
gboolean tti_guile_start (GError **error);
/* Let RUN be interrupted, again and again until it is. */
void tti_guile_interrupt (TtiScriptRun *run);
/* Was Guile started for an application by the function above? Then it has no part in how the process ends and takes signals. */
gboolean tti_guile_serves_application (void);

/* The text of what was thrown with KEY and ARGUMENTS, as Guile prints it. Free with g_free. */
char *tti_guile_describe_exception (SCM key, SCM arguments);
