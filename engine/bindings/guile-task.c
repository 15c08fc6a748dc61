/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for tasks. */
#include <string.h>
#include "bindings/guile-call.h"
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-pool-private.h"
#include "platform/error.h"
#include "platform/host-name.h"

static void
task_release (gpointer task)
{
  tti_task_unref (task);
}

static TtiHandleType task_type = { .name = "<task>", .what = "task", .release = task_release, .late = TRUE };

/* A task that one procedure submits, waits for and forgets: it is released by hand, because finalisation by the collector is
 * expensive. */
static TtiHandleType call_type = { .name = "<call>", .what = "call" };

/* More bytes than that are released in time. */
enum { SMALL = 1024 };

static gboolean
is_small (TtiPayload *payload)
{
  return tti_payload_get_n_vectors (payload) == 0 && tti_payload_get_size (payload) <= SMALL;
}

TtiTask *
tti_guile_to_task (SCM object, const char *who)
{
  if (tti_guile_is_handle (&call_type, object))
    {
      TtiTask *task = tti_guile_from_handle (&call_type, object, 1, who);

      if (task == NULL)
        scm_misc_error (who, "this call is over", SCM_EOL);
      return task;
    }
  return tti_guile_from_handle (&task_type, object, 1, who);
}

/* RESOURCES: a pair of processors and bytes, see tti_task_set_resources (). */
static void
task_set_resources (TtiTask *task, SCM resources)
{
  tti_task_set_resources (task, scm_to_uint (scm_car (resources)), scm_to_uint64 (scm_cdr (resources)));
}

/* (%make-task handler payload dependencies held timeout-us retries worker makes resources): all are checked before anything is made.
 * RETRIES: a pair of a number, and whether it is not tried again after the loss of its node either. MAKES: the object that the worker holds
 * when the task is done, or #f. */
static SCM
make_task (SCM handler, SCM payload, SCM dependencies, SCM held, SCM timeout, SCM retries, SCM worker, SCM makes, SCM resources)
{
  static const char who[] = "pool-submit!";
  TtiPayload *c_payload = tti_guile_to_payload (payload, who);
  int kind = scm_to_int (handler), c_worker = scm_to_int (worker);
  gint64 c_timeout = scm_to_int64 (timeout);
  guint c_retries = scm_to_uint (scm_car (retries));

  for (SCM l = dependencies; scm_is_pair (l); l = scm_cdr (l))
    tti_guile_to_task (scm_car (l), who);
  for (SCM l = held; scm_is_pair (l); l = scm_cdr (l))
    tti_guile_to_held (scm_car (l), who);
  TtiHeld *c_makes = scm_is_true (makes) ? tti_guile_to_held (makes, who) : NULL;

  TtiTask *task = tti_task_new ((TtiHandlerKind) kind, c_payload);
  tti_task_set_timeout (task, c_timeout);
  tti_task_set_retries (task, c_retries);
  if (scm_is_true (SCM_CDR (retries)))
    tti_task_set_most_losses (task, 0);
  tti_task_set_worker (task, c_worker);
  task_set_resources (task, resources);
  for (SCM l = dependencies; scm_is_pair (l); l = SCM_CDR (l))
    tti_task_add_dependency (task, tti_guile_to_task (SCM_CAR (l), who));
  for (SCM l = held; scm_is_pair (l); l = SCM_CDR (l))
    tti_task_add_held (task, tti_guile_to_held (SCM_CAR (l), who));
  if (c_makes != NULL)
    tti_task_set_makes (task, c_makes);
  SCM object = tti_guile_make_handle (&task_type, task, FALSE);

  /* It keeps what it depends on. */
  if (!is_small (c_payload) || scm_is_pair (dependencies) || scm_is_pair (held) || c_makes != NULL)
    tti_guile_release_in_time (object);
  return object;
}

/* (%task-leave! task bytes): vectors of its value that have so many bytes, or more, stay on its node, see tti_task_set_stays (). It was not
 * submitted. */
static SCM
task_leave (SCM task, SCM bytes)
{
  tti_task_set_stays (tti_guile_to_task (task, "pool-submit!"), scm_to_uint64 (bytes));
  scm_remember_upto_here_1 (task);
  return SCM_UNSPECIFIED;
}

/* (%task-name! task text): what people call it, the name of its procedure. It was not submitted. */
static SCM
task_name (SCM task, SCM text)
{
  TtiTask *c_task = tti_guile_to_task (task, "pool-submit!");

  scm_dynwind_begin (0);
  char *name = scm_to_utf8_string (text);

  scm_dynwind_free (name);
  tti_task_set_name (c_task, name);
  scm_dynwind_end ();
  scm_remember_upto_here_1 (task);
  return SCM_UNSPECIFIED;
}

/* (%task-state task) -> waiting, queued, running, done, raised, failed */
static SCM
task_state (SCM task)
{
  static const char *const names[] = { "new", "waiting", "queued", "running", "done", "raised", "failed" };

  return scm_from_utf8_symbol (names[tti_task_get_state (tti_guile_to_task (task, "task-state"))]);
}

static SCM
task_ended_p (SCM task)
{
  return scm_from_bool (tti_task_has_ended (tti_guile_to_task (task, "task-done?")));
}

static SCM
task_id (SCM task)
{
  return scm_from_uint64 (tti_task_get_id (tti_guile_to_task (task, "task-id")));
}

static SCM
task_order (SCM task)
{
  return scm_from_uint64 (tti_task_get_order (tti_guile_to_task (task, "task-wait-any")));
}

/* (%task-culprit task) -> #f; or the task whose failure TASK has ended with: #(id worker attempts timeout-us maker?) */
static SCM
task_culprit (SCM task)
{
  TtiTask *culprit = tti_task_get_culprit (tti_guile_to_task (task, "task-wait"));

  if (culprit == NULL)
    return SCM_BOOL_F;
  SCM result = scm_vector (scm_list_5 (scm_from_uint64 (tti_task_get_id (culprit)), scm_from_int (tti_task_get_worker (culprit)),
                                       scm_from_uint (tti_task_get_attempts (culprit)),
                                       scm_from_int64 (tti_task_get_timeout (culprit)), scm_from_bool (tti_task_is_maker (culprit))));
  scm_remember_upto_here_1 (task);
  return result;
}

static SCM
task_attempts (SCM task)
{
  return scm_from_uint (tti_task_get_attempts (tti_guile_to_task (task, "task-wait")));
}

/* (%task-parts-begun task) -> how many items of TASK, a chunk of a map, were begun; 0: that is not known */
static SCM
task_parts_begun (SCM task)
{
  SCM n = scm_from_uint (tti_task_get_parts_begun (tti_guile_to_task (task, "pool-map")));

  scm_remember_upto_here_1 (task);
  return n;
}

/* (%task-withhold-parts! task keep) -> how many items TASK, a chunk of a map, has from now on: those that were begun, and KEEP more;
 * 0: as above */
static SCM
task_withhold_parts (SCM task, SCM keep)
{
  SCM n = scm_from_uint (tti_task_withhold_parts (tti_guile_to_task (task, "pool-map"), scm_to_uint (keep)));

  scm_remember_upto_here_1 (task);
  return n;
}

static SCM
task_worker (SCM task)
{
  return scm_from_int (tti_task_get_worker (tti_guile_to_task (task, "task-wait")));
}

/* (%task-host task) -> the name of the host where that worker was, if that is elsewhere, or #f */
static SCM
task_host (SCM task)
{
  const char *host = tti_task_get_host (tti_guile_to_task (task, "task-wait"));

  return host != NULL && tti_host_is_elsewhere (host) ? tti_guile_from_text (host, -1) : SCM_BOOL_F;
}

/* (%task-result task) -> a payload, or #f */
static SCM
task_result (SCM task)
{
  TtiPayload *result = tti_task_get_result (tti_guile_to_task (task, "task-wait"));

  if (result != NULL && !is_small (result))
    tti_guile_release_in_time (task);
  return result != NULL ? tti_guile_from_payload (tti_payload_ref (result)) : SCM_BOOL_F;
}

/* The names in Scheme for the kinds of failure that a task can end with. */
static const char *
failure_name (const GError *error)
{
  if (error->domain != TUTTI_ERROR)
    return "other";
  switch ((TuttiError) error->code)
    {
    case TUTTI_ERROR_CLOSED: return "closed";
    case TUTTI_ERROR_DIED: return "died";
    case TUTTI_ERROR_TIMEOUT: return "timeout";
    case TUTTI_ERROR_CANCELLED: return "cancelled";
    case TUTTI_ERROR_FAULT: return "fault";
    case TUTTI_ERROR_SPAWN:
    case TUTTI_ERROR_SYSTEM:
    case TUTTI_ERROR_PROTOCOL:
    case TUTTI_ERROR_LIMIT:
    case TUTTI_ERROR_SHAPE:
    case TUTTI_ERROR_ARGUMENT:
    case TUTTI_ERROR_SHORTAGE:
    case TUTTI_ERROR_FORKED:
    case TUTTI_ERROR_MODULE:
      break;
    }
  return "other";
}

static SCM
failure_from_error (const GError *error)
{
  return scm_cons (scm_from_utf8_symbol (failure_name (error)), scm_from_utf8_string (error->message));
}

static SCM
failure_take_error (GError *error)
{
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler ((void (*) (void *)) g_error_free, error, SCM_F_WIND_EXPLICITLY);
  SCM failure = failure_from_error (error);
  scm_dynwind_end ();
  return failure;
}

/* (%pool-submit! pool task) -> #f, or why the pool takes no tasks: (code . message) */
static SCM
pool_submit (SCM pool, SCM task)
{
  GError *error = NULL;

  if (tti_pool_submit (tti_guile_to_pool (pool, "pool-submit!"), tti_guile_to_task (task, "pool-submit!"), &error))
    return SCM_BOOL_F;
  return failure_take_error (error);
}

/* (%submit-call pool kind procedure arguments stream worker options) -> a task; or #f if a part of the request is not plain; or
 * why the pool takes no tasks. KIND: is it for one worker? PROCEDURE: held by the workers. OPTIONS: #(retries timeout-us call?
 * resources); a task that is a call has to be released by %release-call!. */
static SCM
submit_call (SCM pool, SCM kind, SCM procedure, SCM arguments, SCM stream, SCM worker, SCM options)
{
  static const char who[] = "pool-submit!";
  TtiPool *c_pool = tti_guile_to_pool (pool, who);
  TtiHeld *held = tti_guile_to_held (procedure, who);
  int c_worker = scm_to_int (worker);
  guint c_retries = scm_to_uint (scm_vector_ref (options, scm_from_int (0)));
  gint64 c_timeout = scm_to_int64 (scm_vector_ref (options, scm_from_int (1)));
  gboolean is_call = scm_is_true (scm_vector_ref (options, scm_from_int (2)));
  TtiPayload *payload = tti_guile_encode_call (scm_is_true (kind) ? "apply" : "call", held, arguments, stream);
  GError *error = NULL;

  if (payload == NULL)
    return SCM_BOOL_F;
  TtiTask *task = tti_task_new (TTI_HANDLER_SCHEME, payload);
  tti_payload_unref (payload);
  tti_task_set_timeout (task, c_timeout);
  tti_task_set_retries (task, c_retries);
  if (c_retries == 0)
    tti_task_set_most_losses (task, 0);
  tti_task_set_worker (task, c_worker);
  task_set_resources (task, scm_vector_ref (options, scm_from_int (3)));
  tti_task_add_held (task, held);
  if (tti_pool_submit (c_pool, task, &error))
    return tti_guile_make_handle (is_call ? &call_type : &task_type, task, FALSE);
  tti_task_unref (task);
  return failure_take_error (error);
}

/* (%release-call! task): it is not used again. */
static SCM
release_call (SCM task)
{
  if (tti_guile_is_handle (&call_type, task))
    tti_task_unref (tti_guile_empty_handle (task));
  return SCM_UNSPECIFIED;
}

/* (%task-forget! task): it is not used again; its result is freed as soon as no other task needs it, and not only when the
 * collector finds that. */
static SCM
task_forget (SCM task)
{
  if (tti_guile_is_handle (&task_type, task))
    tti_task_unref (tti_guile_empty_handle (task));
  return SCM_UNSPECIFIED;
}

/* (%task-result-size task) -> the size of the value that TASK has ended with, in bytes, with its vectors; 0: it has none */
static SCM
task_result_size (SCM task)
{
  TtiTask *c_task = tti_guile_to_task (task, "task-wait");

  return scm_from_size_t (tti_task_get_state (c_task) == TTI_TASK_DONE
                              ? tti_payload_get_size (tti_task_get_result (c_task)) : 0);
}

/* (%task-plain-value task otherwise) -> the value that TASK has ended with, if it is a plain one; else OTHERWISE */
static SCM
task_plain_value (SCM task, SCM otherwise)
{
  TtiTask *c_task = tti_guile_to_task (task, "task-wait");
  SCM value;

  if (tti_task_get_state (c_task) == TTI_TASK_DONE && tti_guile_decode_plain (tti_task_get_result (c_task), &value))
    return value;
  return otherwise;
}

/* (%task-error task) -> (code . message), or #f */
static SCM
task_error (SCM task)
{
  const GError *error = tti_task_get_error (tti_guile_to_task (task, "task-wait"));

  return error != NULL ? failure_from_error (error) : SCM_BOOL_F;
}

/* Text from outside: bytes that are not UTF-8 become question marks. */
static SCM
lenient_string (const char *text)
{
  return scm_from_stringn (text, strlen (text), "UTF-8", SCM_FAILED_CONVERSION_QUESTION_MARK);
}

/* #(reason status signal stderr task peak-memory worker pid input-size detail node core-dumped?) */
static SCM
vector_from_certificate (const TtiCertificate *certificate)
{
  SCM items = scm_list_4 (certificate->task != 0 ? scm_from_size_t (certificate->input_size) : SCM_BOOL_F,
                          certificate->detail != NULL ? lenient_string (certificate->detail) : SCM_BOOL_F,
                          certificate->host != NULL ? lenient_string (certificate->host) : SCM_BOOL_F,
                          scm_from_bool (certificate->core_dumped));
  items = scm_cons2 (scm_from_uint (certificate->index), scm_from_int (certificate->pid), items);
  items = scm_cons2 (certificate->task != 0 ? scm_from_uint64 (certificate->task) : SCM_BOOL_F,
                     scm_from_uint64 (certificate->peak_memory), items);
  items = scm_cons (lenient_string (certificate->stderr_tail), items);
  items = scm_cons (certificate->signal != 0 ? scm_from_int (certificate->signal) : SCM_BOOL_F, items);
  items = scm_cons2 (scm_from_utf8_symbol (tti_death_reason_name (certificate->reason)),
                     certificate->status >= 0 ? scm_from_int (certificate->status) : SCM_BOOL_F, items);
  return scm_vector (items);
}

/* (%task-certificate task) -> the certificate of the worker that died while it ran TASK, or #f */
static SCM
task_certificate (SCM task)
{
  TtiCertificate *certificate = tti_task_get_certificate (tti_guile_to_task (task, "task-wait"));

  return certificate != NULL ? vector_from_certificate (certificate) : SCM_BOOL_F;
}

static void
certificate_unref (void *certificate)
{
  tti_certificate_unref (certificate);
}

/* (%pool-last-death pool) -> the certificate of the worker that died last, or #f */
static SCM
pool_last_death (SCM pool)
{
  TtiCertificate *certificate = tti_pool_get_last_death (tti_guile_to_pool (pool, "pool-submit!"));

  if (certificate == NULL)
    return SCM_BOOL_F;
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (certificate_unref, certificate, SCM_F_WIND_EXPLICITLY);
  SCM result = vector_from_certificate (certificate);
  scm_dynwind_end ();
  return result;
}

static SCM
task_cancel (SCM task)
{
  tti_task_cancel (tti_guile_to_task (task, "task-cancel!"));
  return SCM_UNSPECIFIED;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%make-task", 9, make_task },
  { "%task-name!", 2, task_name },
  { "%task-leave!", 2, task_leave },
  { "%pool-submit!", 2, pool_submit },
  { "%submit-call", 7, submit_call },
  { "%release-call!", 1, release_call },
  { "%task-plain-value", 2, task_plain_value },
  { "%task-forget!", 1, task_forget },
  { "%task-result-size", 1, task_result_size },
  { "%task-state", 1, task_state },
  { "%task-ended?", 1, task_ended_p },
  { "%task-id", 1, task_id },
  { "%task-order", 1, task_order },
  { "%task-worker", 1, task_worker },
  { "%task-host", 1, task_host },
  { "%task-parts-begun", 1, task_parts_begun },
  { "%task-withhold-parts!", 2, task_withhold_parts },
  { "%task-attempts", 1, task_attempts },
  { "%task-culprit", 1, task_culprit },
  { "%task-result", 1, task_result },
  { "%task-error", 1, task_error },
  { "%task-certificate", 1, task_certificate },
  { "%pool-last-death", 1, pool_last_death },
  { "%task-cancel!", 1, task_cancel },
};

void
tti_guile_init_task (void)
{
  tti_guile_define_handle_type (&task_type);
  tti_guile_define_handle_type (&call_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
