/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The server for Scheme: threads of Scheme take jobs, and answer them. */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "umbridge/json-scheme.h"
#include "umbridge/serve.h"
#include "umbridge/umbridge.h"
#include <string.h>

/* How often a waiting thread looks whether it is to be interrupted. */
#define SLICE (100 * G_TIME_SPAN_MILLISECOND)

/* A finalizer must not wait for the thread of a server that nobody has ended; that goes on, and refuses all. */
static void
release_server (gpointer server)
{
  tti_umbridge_server_close (server);
  if (tti_umbridge_server_get_http (server) == NULL)
    tti_umbridge_server_unref (server);
}

static void
release_job (gpointer job)
{
  tti_umbridge_job_free (job);
}

static TtiHandleType server_type = { .name = "umbridge-server", .what = "server", .release = release_server };
static TtiHandleType job_type = { .name = "umbridge-job", .what = "request", .release = release_job };

static TtiUmbridgeServer *
to_server (SCM handle, const char *who)
{
  return tti_guile_from_handle (&server_type, handle, 1, who);
}

static TtiUmbridgeJob *
to_job (SCM handle, const char *who)
{
  TtiUmbridgeJob *job = tti_guile_from_handle (&job_type, handle, 1, who);

  if (job == NULL)
    scm_misc_error (who, "the request was answered", SCM_EOL);
  return job;
}

/* Sizes: a list of integers, which the caller of these has checked. */
static gsize *
to_sizes (SCM list, gsize *n)
{
  gsize *sizes;

  *n = (gsize) scm_to_size_t (scm_length (list));
  sizes = g_new (gsize, *n);
  for (gsize i = 0; i < *n; i++, list = scm_cdr (list))
    sizes[i] = (gsize) scm_to_size_t (scm_car (list));
  return sizes;
}

static char *
to_text (SCM string)
{
  char *text = scm_to_utf8_string (string), *copy = g_strdup (text);

  free (text);
  return copy;
}

/* Beginning. */

/* #(name configured? input output derivatives?) */
static TtiUmbridgeModel
to_model (SCM description)
{
  TtiUmbridgeModel model = { .name = to_text (scm_c_vector_ref (description, 0)),
                             .configured = scm_is_true (scm_c_vector_ref (description, 1)),
                             .derivatives = scm_is_true (scm_c_vector_ref (description, 4)) };

  model.input = to_sizes (scm_c_vector_ref (description, 2), &model.n_inputs);
  model.output = to_sizes (scm_c_vector_ref (description, 3), &model.n_outputs);
  return model;
}

/* (%umbridge-serve models address port clients bytes held patience waiting) */
static SCM
serve (SCM models, SCM address, SCM port, SCM clients, SCM bytes, SCM held, SCM patience, SCM waiting)
{
  static const char who[] = "umbridge-serve";
  TtiHttpOptions options = { .port = scm_to_uint16 (port),
                             .most_clients = scm_to_uint (clients),
                             .most_bytes = scm_to_size_t (bytes),
                             .most_bytes_held = scm_to_size_t (held),
                             .patience = scm_to_double (patience) };
  guint most_waiting = scm_to_uint (waiting);
  GArray *array = g_array_new (FALSE, FALSE, sizeof (TtiUmbridgeModel));
  g_autofree char *text = to_text (address);
  GError *error = NULL;
  TtiUmbridgeServer *server;

  for (; scm_is_pair (models); models = scm_cdr (models))
    {
      TtiUmbridgeModel model = to_model (scm_car (models));

      g_array_append_val (array, model);
    }
  options.address = text;
  server = tti_umbridge_server_new (&options, array, most_waiting, &error);
  if (server == NULL)
    {
      g_free (g_steal_pointer (&text));
      tti_guile_raise (who, error);
    }
  return tti_guile_make_handle (&server_type, server, FALSE);
}

static SCM
port (SCM handle)
{
  return scm_from_uint16 (tti_http_server_get_port (tti_umbridge_server_get_http (to_server (handle, "umbridge-port"))));
}

/* (%umbridge-counts server) -> #(connections requests answers refusals lost clients waiting) */
static SCM
counts (SCM handle)
{
  TtiUmbridgeServer *server = to_server (handle, "umbridge-statistics");
  TtiHttpCounts counted;
  guint waiting;

  tti_umbridge_server_get_counts (server, &counted, &waiting);
  return scm_vector (scm_list_n (scm_from_uint64 (counted.connections), scm_from_uint64 (counted.requests),
                                 scm_from_uint64 (counted.answers), scm_from_uint64 (counted.refusals), scm_from_uint64 (counted.lost),
                                 scm_from_uint (counted.clients), scm_from_uint (waiting),
                                 SCM_UNDEFINED));
}

/* Jobs. */

typedef struct
{
  TtiUmbridgeServer *server;
  TtiUmbridgeJob *job;
} Wait;

static void *
wait_for_job (void *data)
{
  Wait *wait = data;

  wait->job = tti_umbridge_server_next (wait->server, SLICE);
  return NULL;
}

/* (%umbridge-next server): the next job, waiting for it; #f when the server is being stopped */
static SCM
next (SCM handle)
{
  Wait wait = { .server = to_server (handle, "umbridge-serve") };

  while (wait.job == NULL && !tti_umbridge_server_is_closed (wait.server))
    {
      scm_without_guile (wait_for_job, &wait);
      if (wait.job == NULL)
        scm_async_tick ();
    }
  scm_remember_upto_here_1 (handle);
  return wait.job != NULL ? tti_guile_make_handle (&job_type, wait.job, FALSE) : SCM_BOOL_F;
}

/* (%umbridge-job job) -> #(call model config key): names of what is asked for and of the model; the configuration, an association list,
 * and as a text */
static SCM
describe_job (SCM handle)
{
  TtiUmbridgeJob *job = to_job (handle, "umbridge-serve");
  GString *key = g_string_new (NULL);
  SCM text;

  if (job->config != NULL)
    tti_json_append (key, job->config);
  text = scm_from_utf8_stringn (key->str, key->len);
  g_string_free (key, TRUE);
  text = scm_vector (scm_list_4 (scm_from_utf8_symbol (tti_umbridge_get_name (job->call)), scm_from_utf8_string (job->model->name),
                                 job->config != NULL ? tti_json_to_scheme (job->config) : SCM_EOL, text));
  scm_remember_upto_here_1 (handle);
  return text;
}

static SCM
from_numbers (const double *numbers, gsize n)
{
  SCM vector = scm_make_f64vector (scm_from_size_t (n), SCM_UNDEFINED);

  if (n > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (vector), numbers, n * sizeof *numbers);
  return vector;
}

/* (%umbridge-check! job input output): does the request fit a model of these sizes? If not, it is answered. */
static SCM
check (SCM handle, SCM input, SCM output)
{
  TtiUmbridgeJob *job = to_job (handle, "umbridge-serve");
  g_autofree gsize *inputs = NULL, *outputs = NULL;
  gsize n_inputs, n_outputs;

  inputs = to_sizes (input, &n_inputs);
  outputs = to_sizes (output, &n_outputs);
  return scm_from_bool (tti_umbridge_job_check (job, inputs, n_inputs, outputs, n_outputs));
}

/* (%umbridge-arguments job) -> #(point vector out-wrt in-wrt) */
static SCM
arguments (SCM handle)
{
  TtiUmbridgeJob *job = to_job (handle, "umbridge-serve");
  SCM result = scm_vector (scm_list_4 (from_numbers (job->point, job->point_size),
                                       job->vector != NULL ? from_numbers (job->vector, job->vector_size) : SCM_BOOL_F,
                                       scm_from_size_t (job->out_wrt), scm_from_size_t (job->in_wrt)));

  scm_remember_upto_here_1 (handle);
  return result;
}

typedef struct
{
  TtiUmbridgeJob *job;
  const double *numbers;
  gsize n;
} Answer;

static void *
send_answer (void *data)
{
  Answer *answer = data;

  tti_umbridge_job_answer (answer->job, answer->numbers, answer->n);
  return NULL;
}

/* (%umbridge-answer! job numbers) */
static SCM
answer (SCM handle, SCM numbers)
{
  Answer answered = { .job = to_job (handle, "umbridge-serve") };

  if (!scm_is_bytevector (numbers))
    scm_wrong_type_arg_msg ("umbridge-serve", 2, numbers, "f64vector");
  answered.numbers = (const double *) SCM_BYTEVECTOR_CONTENTS (numbers);
  answered.n = scm_c_bytevector_length (numbers) / sizeof (double);
  scm_without_guile (send_answer, &answered);
  scm_remember_upto_here_2 (handle, numbers);
  return SCM_UNSPECIFIED;
}

/* (%umbridge-answer-sizes! job sizes) */
static SCM
answer_sizes (SCM handle, SCM list)
{
  TtiUmbridgeJob *job = to_job (handle, "umbridge-serve");
  gsize n;
  g_autofree gsize *sizes = to_sizes (list, &n);

  tti_umbridge_job_answer_sizes (job, sizes, n);
  scm_remember_upto_here_1 (handle);
  return SCM_UNSPECIFIED;
}

/* (%umbridge-fail! job status type message): TYPE is #f for one of our own, as STATUS says. Unless JOB was answered. */
static SCM
fail (SCM handle, SCM status, SCM type, SCM message)
{
  TtiUmbridgeJob *job = tti_guile_from_handle (&job_type, handle, 1, "umbridge-serve");
  guint number = scm_to_uint (status);
  g_autofree char *text = to_text (message);
  g_autofree char *name
    = scm_is_true (type) ? to_text (type) : g_strdup (number == 503 ? TTI_UMBRIDGE_UNAVAILABLE : TTI_UMBRIDGE_MODEL_ERROR);

  if (job != NULL)
    tti_umbridge_job_fail (job, number, name, text);
  scm_remember_upto_here_1 (handle);
  return SCM_UNSPECIFIED;
}

/* (%umbridge-done! job): forget JOB, which is answered, or is now */
static SCM
done (SCM handle)
{
  if (tti_guile_from_handle (&job_type, handle, 1, "umbridge-serve") != NULL)
    tti_umbridge_job_free (tti_guile_empty_handle (handle));
  return SCM_UNSPECIFIED;
}

/* The end. */

static SCM
close_server (SCM handle)
{
  tti_umbridge_server_close (to_server (handle, "umbridge-stop"));
  scm_remember_upto_here_1 (handle);
  return SCM_UNSPECIFIED;
}

typedef struct
{
  TtiHttpServer *http;
  gint64 duration;
  gboolean done;
} Drain;

static void *
drain_slice (void *data)
{
  Drain *drain = data;

  drain->done = tti_http_server_drain (drain->http, MIN (SLICE, drain->duration));
  return NULL;
}

/* (%umbridge-drain server seconds): wait until all requests are answered, and return true; or so long, and return #f */
static SCM
drain (SCM handle, SCM seconds)
{
  gint64 deadline = g_get_monotonic_time () + (gint64) (scm_to_double (seconds) * G_TIME_SPAN_SECOND);
  Drain drain = { .http = tti_umbridge_server_get_http (to_server (handle, "umbridge-stop")) };

  while (!drain.done && drain.http != NULL && (drain.duration = deadline - g_get_monotonic_time ()) > 0)
    {
      scm_without_guile (drain_slice, &drain);
      scm_async_tick ();
    }
  scm_remember_upto_here_1 (handle);
  return scm_from_bool (drain.done);
}

static void *
end (void *server)
{
  tti_umbridge_server_end (server);
  return NULL;
}

/* (%umbridge-end! server): end its connections and its thread, which takes milliseconds */
static SCM
end_server (SCM handle)
{
  scm_without_guile (end, to_server (handle, "umbridge-stop"));
  scm_remember_upto_here_1 (handle);
  return SCM_UNSPECIFIED;
}

void
tti_umbridge_init_serve (void)
{
  tti_guile_define_handle_type (&server_type);
  tti_guile_define_handle_type (&job_type);
  scm_c_define_gsubr ("%umbridge-serve", 8, 0, 0, serve);
  scm_c_define_gsubr ("%umbridge-port", 1, 0, 0, port);
  scm_c_define_gsubr ("%umbridge-counts", 1, 0, 0, counts);
  scm_c_define_gsubr ("%umbridge-next", 1, 0, 0, next);
  scm_c_define_gsubr ("%umbridge-job", 1, 0, 0, describe_job);
  scm_c_define_gsubr ("%umbridge-check!", 3, 0, 0, check);
  scm_c_define_gsubr ("%umbridge-arguments", 1, 0, 0, arguments);
  scm_c_define_gsubr ("%umbridge-answer!", 2, 0, 0, answer);
  scm_c_define_gsubr ("%umbridge-answer-sizes!", 2, 0, 0, answer_sizes);
  scm_c_define_gsubr ("%umbridge-fail!", 4, 0, 0, fail);
  scm_c_define_gsubr ("%umbridge-done!", 1, 0, 0, done);
  scm_c_define_gsubr ("%umbridge-close!", 1, 0, 0, close_server);
  scm_c_define_gsubr ("%umbridge-drain", 2, 0, 0, drain);
  scm_c_define_gsubr ("%umbridge-end!", 1, 0, 0, end_server);
}
