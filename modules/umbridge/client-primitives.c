/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The primitives of clients. A request goes on outside of Guile, in slices of time; between them Ctrl-C and the like are seen. */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-vector.h"
#include "platform/error.h"
#include "umbridge/client.h"
#include "umbridge/json-scheme.h"
#include "umbridge/umbridge.h"
#include <string.h>

#define SLICE (50 * G_TIME_SPAN_MILLISECOND)

static const char who[] = "umbridge-operator";

static void
release_client (gpointer client)
{
  tti_umbridge_client_free (client);
}

static TtiHandleType client_type
  = { .name = "<umbridge-client>", .what = "client of UM-Bridge", .release = release_client };

/*** Clients. ***/

/* STRING in memory of GLib, or NULL for #f. */
static char *
take_text (SCM string)
{
  if (scm_is_false (string))
    return NULL;
  char *text = scm_to_utf8_string (string), *copy = g_strdup (text);

  free (text);
  return copy;
}

/* The sizes in LIST, and their number and sum. */
static gsize *
take_sizes (SCM list, gsize *count, gsize *total)
{
  *total = 0;
  *count = (gsize) scm_ilength (list);
  gsize *sizes = g_new (gsize, *count);

  for (gsize i = 0; i < *count; i++, list = scm_cdr (list))
    *total += sizes[i] = scm_to_size_t (scm_car (list));
  return sizes;
}

/* (%umbridge-client urls model config sizes settings): SIZES is a pair of the lists of those of argument and value, SETTINGS a vector of
 * the numbers of requests, seconds, retries and bytes. */
static SCM
make_client (SCM urls, SCM model, SCM config, SCM sizes, SCM settings)
{
  TtiUmbridgeClient *client = g_new0 (TtiUmbridgeClient, 1);
  SCM handle = tti_guile_make_handle (&client_type, client, FALSE);
  GError *error = NULL;

  client->n_servers = (guint) scm_ilength (urls);
  client->servers = g_new0 (TtiHttpHost *, client->n_servers);
  for (guint i = 0; i < client->n_servers && error == NULL; i++, urls = scm_cdr (urls))
    {
      g_autofree char *url = take_text (scm_car (urls));

      client->servers[i] = tti_http_host_find (url, &error);
    }
  if (error != NULL)
    tti_guile_raise (who, error);
  /* Processes that begin at the same time share several servers evenly, more or less. */
  client->preferred = (int) g_random_int_range (0, (gint32)client->n_servers);
  client->model = take_text (model);
  client->config = take_text (config);
  client->in_sizes = take_sizes (scm_car (sizes), &client->n_in, &client->n_input);
  client->out_sizes = take_sizes (scm_cdr (sizes), &client->n_out, &client->n_output);
  client->n_slots = scm_to_uint (scm_c_vector_ref (settings, 0));
  client->timeout = scm_to_double (scm_c_vector_ref (settings, 1));
  client->retries = scm_to_uint (scm_c_vector_ref (settings, 2));
  client->limit = scm_to_size_t (scm_c_vector_ref (settings, 3));
  return handle;
}

static TtiUmbridgeClient *
to_client (SCM handle)
{
  return tti_guile_from_handle (&client_type, handle, 1, who);
}

/*** Requests. ***/

/* The numbers of VECTOR, an f64vector of COUNT; NULL for #f. */
static const double *
to_numbers (SCM vector, gsize count)
{
  if (scm_is_false (vector))
    return NULL;
  if (!scm_is_bytevector (vector) || SCM_BYTEVECTOR_LENGTH (vector) != count * sizeof (double))
    scm_wrong_type_arg (who, 0, vector);
  return (const double *) (gpointer) SCM_BYTEVECTOR_CONTENTS (vector);
}

typedef struct
{
  TtiUmbridgeRequest *request;
  gint64 begun;
  double patience; /* seconds until the next report */
} Run;

static void
run_free (void *data)
{
  Run *run = data;

  tti_umbridge_request_free (run->request);
  g_free (run);
}

static void *
run_step (void *data)
{
  Run *run = data;

  return GINT_TO_POINTER (tti_umbridge_request_advance (run->request, g_get_monotonic_time () + SLICE));
}

/* Tell of a request that takes long: nobody may know that it has no limit of time. */
static void
report (Run *run, SCM reporter)
{
  double seconds = (double) (g_get_monotonic_time () - run->begun) / G_TIME_SPAN_SECOND;

  if (seconds < run->patience)
    return;
  run->patience *= 2;
  char *text = tti_umbridge_request_describe (run->request);
  SCM doing = tti_guile_from_text (text, -1);

  /* (The reporter may leave by a jump.) */
  g_free (text);
  scm_call_2 (reporter, scm_from_double (seconds), doing);
}

static SCM
failure_to_scheme (const TtiUmbridgeFailure *failure)
{
  static const char *const kinds[] = {
    [TTI_UMBRIDGE_MODEL] = "model", [TTI_UMBRIDGE_UNREACHABLE] = "unreachable", [TTI_UMBRIDGE_LATE] = "late",
    [TTI_UMBRIDGE_BUSY] = "busy",   [TTI_UMBRIDGE_FAILED] = "failed",           [TTI_UMBRIDGE_ANSWER] = "answer",
  };

  return scm_vector (scm_list_4 (scm_from_utf8_symbol (kinds[failure->kind]),
                                 failure->type != NULL ? scm_from_utf8_string (failure->type) : SCM_BOOL_F,
                                 tti_guile_from_text (failure->message, -1), tti_guile_from_text (failure->url, -1)));
}

static SCM
result_to_scheme (const TtiUmbridgeRequest *request)
{
  gsize count;
  const double *numbers = tti_umbridge_request_get_numbers (request, &count);

  if (tti_umbridge_request_get_failure (request) != NULL)
    return failure_to_scheme (tti_umbridge_request_get_failure (request));
  if (numbers == NULL)
    return scm_list_1 (tti_json_to_scheme (tti_umbridge_request_get_document (request)));
  SCM vector = tti_guile_make_private (TTI_NUMBER_F64, count);

  if (count > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (vector), numbers, count * sizeof (double));
  return vector;
}

/* Run REQUEST, which is taken. PATIENCE: a pair of seconds and a procedure that is told of a request that takes longer. */
static SCM
run_request (TtiUmbridgeRequest *request, SCM patience)
{
  Run *run = g_new (Run, 1);

  *run = (Run){ request, g_get_monotonic_time (), 0 };
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (run_free, run, SCM_F_WIND_EXPLICITLY);
  run->patience = scm_to_double (scm_car (patience));
  while (scm_without_guile (run_step, run) == NULL)
    {
      scm_async_tick ();
      report (run, scm_cdr (patience));
    }
  SCM result = result_to_scheme (run->request);

  scm_dynwind_end ();
  return result;
}

static SCM
start_request (SCM client, const TtiUmbridgeArguments *arguments, int only, SCM patience)
{
  GError *error = NULL;
  TtiUmbridgeRequest *request = tti_umbridge_request_new (to_client (client), arguments, only, &error);

  if (request == NULL)
    tti_guile_raise (who, error);
  SCM result = run_request (request, patience);

  scm_remember_upto_here_1 (client);
  return result;
}

/* (%umbridge-ask client call server patience): ask the server number SERVER for what it says of the model, or of itself.
 * -> a list of the document, or a failure, a vector of kind, type, message and URL */
static SCM
ask (SCM client, SCM call, SCM server, SCM patience)
{
  TtiUmbridgeArguments arguments = { .call = (TtiUmbridgeCall) scm_to_uint (call) };

  return start_request (client, &arguments, scm_to_int (server), patience);
}

/* (%umbridge-call client call blocks input sens vec patience): BLOCKS is a vector of three numbers of blocks; SENS and VEC may be #f where
 * they are not needed.
 * -> an f64vector, or a failure */
static SCM
call_model (SCM handle, SCM call, SCM blocks, SCM input, SCM sens, SCM vec, SCM patience)
{
  const TtiUmbridgeClient *client = to_client (handle);
  TtiUmbridgeArguments arguments = {
    .call = (TtiUmbridgeCall) scm_to_uint (call),
    .out_wrt = scm_to_size_t (scm_c_vector_ref (blocks, 0)),
    .in_wrt = scm_to_size_t (scm_c_vector_ref (blocks, 1)),
    .in_wrt2 = scm_to_size_t (scm_c_vector_ref (blocks, 2)),
  };
  gsize of_vec = arguments.call == TTI_UMBRIDGE_APPLY_HESSIAN ? arguments.in_wrt2 : arguments.in_wrt;

  if (arguments.out_wrt >= client->n_out || arguments.in_wrt >= client->n_in || arguments.in_wrt2 >= client->n_in)
    scm_out_of_range (who, blocks);
  arguments.input = to_numbers (input, client->n_input);
  arguments.sens = to_numbers (sens, client->out_sizes[arguments.out_wrt]);
  arguments.vec = to_numbers (vec, client->in_sizes[of_vec]);
  SCM result = start_request (handle, &arguments, -1, patience);

  scm_remember_upto_here_2 (input, sens);
  scm_remember_upto_here_1 (vec);
  return result;
}

void
tti_umbridge_init_client (void)
{
  tti_guile_define_handle_type (&client_type);
  scm_c_define_gsubr ("%umbridge-client", 5, 0, 0, (scm_t_subr) make_client);
  scm_c_define_gsubr ("%umbridge-ask", 4, 0, 0, (scm_t_subr) ask);
  scm_c_define_gsubr ("%umbridge-call", 7, 0, 0, (scm_t_subr) call_model);
}
