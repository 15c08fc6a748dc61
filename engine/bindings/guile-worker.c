/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Running Scheme tasks in a worker.
 *
 * Requests are interpreted in Scheme, by (tutti worker main): its run-request takes the payload of a task and returns a pair,
 * the payload of the answer and whether that describes an exception; or a value that needs nothing but the codec. */
#include "bindings/guile-worker.h"
#include "bindings/guile-environment.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-pool.h"
#include "bindings/guile-pool-private.h"
#include "bindings/guile-stack.h"
#include "bindings/guile-vector.h"
#include "platform/error.h"
#include "platform/memory.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKER_KEEPS ((gsize) 256 * 1024 * 1024)

/* REQUEST: the one object for the payloads of all tasks. Finalisation by the collector would cost more than all else of a small task. */
static SCM start_worker, run_request, refuse_answer, answer_uncaught, hold_object, drop_object, key_out_of_memory, request;

typedef struct
{
  const TtiMessage *task;
  TtiPayload *result;
  gboolean raised;
  gboolean flushed; /* the current ports */
} Run;

static SCM
run_body (void *data)
{
  Run *run = data;
  int place = tti_place_from_detail (run->task->detail);
  SCM answer = scm_call_2 (run_request, run->task->payload != NULL ? request : SCM_BOOL_F, place < 0 ? SCM_BOOL_F : scm_from_int (place));

  if (scm_is_pair (answer))
    {
      run->raised = scm_is_true (SCM_CDR (answer));
      run->result = tti_payload_ref (tti_guile_to_payload (SCM_CAR (answer), "run-request"));
    }
  else
    run->result = tti_guile_encode (answer, SCM_BOOL_F, SCM_BOOL_F, "run-request");
  /* Here, because another handler for errors would take longer than the output of small tasks. */
  scm_force_output (scm_current_output_port ());
  scm_force_output (scm_current_error_port ());
  run->flushed = TRUE;
  return SCM_UNSPECIFIED;
}

/* Guile could not get memory. The task, Guile or a library may have left anything half done, so no further task may run here; and nothing
 * is allocated on the way out, not even by exit (). */
static void
end_out_of_memory (void)
{
  static const char words[] = TTI_DEATH_WORDS_OUT_OF_MEMORY;

  if (write (STDERR_FILENO, words, sizeof words - 1) < 0)
    _exit (TTI_DEATH_STATUS_OUT_OF_MEMORY + 1); /* without the words the status would mean nothing */
  _exit (TTI_DEATH_STATUS_OUT_OF_MEMORY);
}

static gboolean is_worker;
static void (*at_task_end) (void);

gboolean
tti_guile_is_worker (void)
{
  return is_worker;
}

void
tti_guile_at_task_end (void (*function) (void))
{
  at_task_end = function;
}

typedef struct
{
  SCM key, arguments;
} Thrown;

static SCM
uncaught_body (void *data)
{
  Thrown *thrown = data;

  return scm_call_2 (answer_uncaught, thrown->key, thrown->arguments);
}

static SCM
print_handler (void *data, SCM key, SCM arguments)
{
  (void) data;
  scm_print_exception (scm_current_error_port (), SCM_BOOL_F, key, arguments);
  return SCM_BOOL_F;
}

/* run-request catches the exceptions of a task itself. Those that arrive here end the process, exit among them, or have passed its
 * handler because there was no stack left for it. */
static SCM
run_handler (void *data, SCM key, SCM arguments)
{
  Run *run = data;

  if (scm_is_eq (key, key_out_of_memory))
    end_out_of_memory ();
  if (run->result != NULL)
    return SCM_UNSPECIFIED; /* a port that cannot be written to */
  if (scm_is_eq (key, scm_from_utf8_symbol ("quit")))
    {
      int status = scm_exit_status (arguments); /* as Guile understands what exit was called with */

      if (tti_guile_is_copy ())
        tti_guile_end_copy (status);
      if (at_task_end != NULL)
        at_task_end ();
      exit (status);
    }
  Thrown thrown = { key, arguments };
  SCM payload = scm_internal_catch (SCM_BOOL_T, uncaught_body, &thrown, print_handler, NULL);

  if (scm_is_true (payload))
    {
      run->result = tti_payload_ref (tti_guile_to_payload (payload, "answer-uncaught"));
      run->raised = TRUE;
    }
  return SCM_UNSPECIFIED;
}

/* The task of the worker that this thread runs. A task may start threads, in which serial pools have tasks of their own. */
static __thread const TtiMessage *own_task;

guint64
tti_guile_get_task (guint *attempt)
{
  *attempt = own_task != NULL ? MAX (own_task->attempt, 1) : 0;
  return own_task != NULL ? own_task->id : 0;
}

static TtiParts *worker_parts; /* NULL: this process is not a worker, or has no mailbox */

static void
scheme_begin (gpointer data, const TtiWorkerSide *side)
{
  (void) data;
  worker_parts = side->parts;
  tti_guile_await_probes (side);
}

TtiParts *
tti_guile_task_begin_parts (guint n)
{
  if (own_task == NULL || worker_parts == NULL || !tti_guile_task_is_outermost () || tti_guile_is_copy ())
    return NULL;
  tti_parts_begin (worker_parts, own_task->id, n);
  return worker_parts;
}

static TtiPayload *
scheme_run (gpointer data, const TtiMessage *task, gboolean *raised, GError **error)
{
  Run run = { .task = task };

  (void) data;
  tti_guile_lend_payload (request, task->payload);
  guint outer = tti_guile_task_begin ();

  own_task = task;
  scm_internal_catch (SCM_BOOL_T, run_body, &run, run_handler, &run);
  own_task = NULL;
  if (G_UNLIKELY (tti_guile_is_copy ()))
    tti_guile_end_copy (run.result != NULL ? EXIT_SUCCESS : EXIT_FAILURE);
  if (G_UNLIKELY (at_task_end != NULL))
    at_task_end ();
  if (worker_parts != NULL)
    tti_parts_end (worker_parts);
  if (G_UNLIKELY (!run.flushed))
    tti_guile_flush ();
  tti_guile_base_restore ();
  tti_guile_task_end (outer);
  tti_guile_lend_payload (request, NULL);
  if (run.result == NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "(tutti worker main) gave no answer");
  *raised = run.raised;
  return run.result;
}

static SCM
refuse_body (void *reason)
{
  return scm_call_1 (refuse_answer, scm_from_stringn (reason, strlen (reason), "UTF-8", SCM_FAILED_CONVERSION_QUESTION_MARK));
}

static TtiPayload *
scheme_refuse (gpointer data, const char *reason)
{
  SCM payload = scm_internal_catch (SCM_BOOL_T, refuse_body, (void *) reason, print_handler, NULL);

  (void) data;
  return scm_is_true (payload) ? tti_payload_ref (tti_guile_to_payload (payload, "refuse-answer")) : NULL;
}

static void
scheme_hold (gpointer data, guint64 id, TtiPayload *payload)
{
  (void) data;
  if (payload != NULL)
    scm_call_2 (hold_object, scm_from_uint64 (id), tti_guile_from_payload (tti_payload_ref (payload)));
}

static void
scheme_drop (gpointer data, guint64 id)
{
  (void) data;
  scm_call_1 (drop_object, scm_from_uint64 (id));
}

/* The views of large vectors that a task had are garbage, unless it has kept them; the master waits for the memory. */
static void
scheme_tidy (gpointer data)
{
  (void) data;
  tti_guile_tidy_vectors ();
}

static const TtiHandler scheme_handler = { .run = scheme_run, .hold = scheme_hold, .drop = scheme_drop, .tidy = scheme_tidy,
                                             .refuse = scheme_refuse, .begin = scheme_begin };

static SCM
load_body (void *data)
{
  (void) data;
  start_worker = scm_c_public_ref ("tutti worker main", "start-worker!");
  run_request = scm_c_public_ref ("tutti worker main", "run-request");
  refuse_answer = scm_c_public_ref ("tutti worker main", "refuse-answer");
  answer_uncaught = scm_c_public_ref ("tutti worker main", "answer-uncaught");
  hold_object = scm_c_public_ref ("tutti worker main", "hold-object!");
  drop_object = scm_c_public_ref ("tutti worker main", "drop-object!");
  request = scm_permanent_object (tti_guile_from_payload (tti_payload_new (g_bytes_new_static ("", 0), NULL, NULL)));
  tti_payload_unref (tti_guile_empty_handle (request));
  tti_guile_prepare_stack ();
  key_out_of_memory = scm_from_utf8_symbol ("out-of-memory"); /* Guile's own symbol, which is never collected */
  return SCM_BOOL_T;
}

static SCM
load_handler (void *data, SCM key, SCM arguments)
{
  (void) data;
  scm_print_exception (scm_current_error_port (), SCM_BOOL_F, key, arguments);
  return SCM_BOOL_F;
}

const TtiHandler *
tti_guile_worker_handler (gboolean for_template)
{
  TtiKept kept;

  if (for_template)
    {
      /* One thread: none for the collector, and none for finalizers until the worker starts. */
      tti_guile_forbid_markers ();
      scm_set_automatic_finalization_enabled (0);
    }
  /* There are many workers: the other cores are busy, and the memory that each keeps adds up. */
  tti_memory_set_threads (1);
  tti_vector_get_kept (&kept);
  tti_vector_set_kept_limit (MIN (kept.limit, WORKER_KEEPS));
  tti_guile_adopt_locale ();
  scm_init_guile ();
  /* Nothing that is loaded now becomes garbage: the one collection that would come meanwhile takes a tenth of the time in vain. */
  tti_guile_pause_collector ();
  SCM loaded = scm_internal_catch (SCM_BOOL_T, load_body, NULL, load_handler, NULL);
  tti_guile_resume_collector ();
  return scm_is_true (loaded) ? &scheme_handler : NULL;
}

void
tti_guile_worker_start (void)
{
  scm_set_automatic_finalization_enabled (1);
  scm_call_0 (start_worker);
  is_worker = TRUE;
  tti_guile_base_begin (TRUE);
}
