/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A request that needs a model: what it asks, and its answer. */
#include "platform/error.h"
#include "umbridge/serve-private.h"
#include <string.h>

#define RETRY_AFTER 1 /* seconds, for whom there is no place */

TtiUmbridgeJob *
tti_umbridge_job_new (TtiUmbridgeServer *server, TtiHttpRequest *request, TtiUmbridgeCall call)
{
  TtiUmbridgeJob *job = g_new0 (TtiUmbridgeJob, 1);

  job->server = tti_umbridge_server_ref (server);
  job->request = tti_http_request_ref (request);
  job->call = call;
  return job;
}

void
tti_umbridge_job_free (TtiUmbridgeJob *job)
{
  if (job == NULL)
    return;
  tti_umbridge_job_fail (job, 500, TTI_UMBRIDGE_UNAVAILABLE, "the request was given up without an answer");
  tti_http_request_unref (job->request);
  tti_json_free (job->json);
  g_free (job->input);
  g_free (job->output);
  g_free (job->point);
  g_free (job->vector);
  tti_umbridge_server_unref (job->server);
  g_free (job);
}

void
tti_umbridge_job_fail (TtiUmbridgeJob *job, guint status, const char *type, const char *message)
{
  GString *body;

  if (!tti_http_request_is_open (job->request))
    return;
  body = g_string_new (NULL);
  tti_umbridge_append_error (body, type, message);
  tti_http_request_answer (job->request, status, body, status == 503 ? RETRY_AFTER : 0);
}

static gboolean G_GNUC_PRINTF (3, 4) refuse (TtiUmbridgeJob *job, const char *type, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list arguments;

  va_start (arguments, format);
  message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  tti_umbridge_job_fail (job, tti_umbridge_get_status (type), type, message);
  return FALSE;
}

static gboolean
refuse_error (TtiUmbridgeJob *job, GError *error)
{
  refuse (job, TTI_UMBRIDGE_INVALID_INPUT, "%s", error->message);
  g_error_free (error);
  return FALSE;
}

/* Understanding the request. */

static gboolean
find_model (TtiUmbridgeJob *job)
{
  const TtiJson *name = tti_json_get (job->json, "name");
  g_autoptr (GString) names = NULL;
  const TtiUmbridgeModel *model;

  if (name == NULL || name->kind != TTI_JSON_STRING)
    return refuse (job, TTI_UMBRIDGE_INVALID_INPUT, "\"name\" is %s; expected the name of a model, a string",
                   name == NULL ? "missing" : tti_json_describe (name));
  for (gsize i = 0; (model = tti_umbridge_server_get_model (job->server, i)) != NULL; i++)
    if (strcmp (name->text, model->name) == 0)
      {
        job->model = model;
        return TRUE;
      }
  names = g_string_new (NULL);
  for (gsize i = 0; (model = tti_umbridge_server_get_model (job->server, i)) != NULL; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", model->name);
  return refuse (job, TTI_UMBRIDGE_MODEL_NOT_FOUND, "there is no model %s here; there is %s", name->text, names->str);
}

static gboolean
check_support (TtiUmbridgeJob *job)
{
  if (job->call == TTI_UMBRIDGE_APPLY_HESSIAN)
    return refuse (job, TTI_UMBRIDGE_UNSUPPORTED_FEATURE, "ApplyHessian is not supported: operators have no second derivatives");
  if ((job->call == TTI_UMBRIDGE_GRADIENT || job->call == TTI_UMBRIDGE_APPLY_JACOBIAN) && !job->model->derivatives)
    return refuse (job, TTI_UMBRIDGE_UNSUPPORTED_FEATURE, "%s is not supported: the operator behind %s has no derivative",
                   tti_umbridge_get_name (job->call), job->model->name);
  return TRUE;
}

static gboolean
find_config (TtiUmbridgeJob *job)
{
  const TtiJson *config = tti_json_get (job->json, "config");

  /* Some clients write an empty object as an empty array, or null. */
  if (config == NULL || config->kind == TTI_JSON_NULL
      || ((config->kind == TTI_JSON_OBJECT || config->kind == TTI_JSON_NUMBERS) && config->count == 0))
    return TRUE;
  if (config->kind != TTI_JSON_OBJECT)
    return refuse (job, TTI_UMBRIDGE_INVALID_INPUT, "\"config\" is %s; expected an object", tti_json_describe (config));
  if (!job->model->configured)
    return refuse (job, TTI_UMBRIDGE_INVALID_INPUT, "the model %s has no configuration, but \"config\" has \"%s\"; expected {}",
                   job->model->name, config->names[0]);
  job->config = config;
  return TRUE;
}

gboolean
tti_umbridge_job_read (TtiUmbridgeJob *job)
{
  const GByteArray *body = tti_http_request_get_body (job->request);
  GError *error = NULL;

  job->json = tti_json_read ((const char *) body->data, body->len, &error);
  tti_http_request_drop_body (job->request);
  if (job->json == NULL)
    {
      g_prefix_error (&error, "the request is not JSON: ");
      return refuse_error (job, error);
    }
  if (job->json->kind != TTI_JSON_OBJECT)
    return refuse (job, TTI_UMBRIDGE_INVALID_INPUT, "the request is %s; expected an object", tti_json_describe (job->json));
  job->is_read = find_model (job) && check_support (job) && find_config (job);
  return job->is_read;
}

/* Its arguments. */

static gsize
add_up (const gsize *sizes, gsize n)
{
  gsize sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += sizes[i];
  return sum;
}

static gboolean
read_index (TtiUmbridgeJob *job, const char *name, gsize limit, const char *what, gsize *index)
{
  const TtiJson *json = tti_json_get (job->json, name);

  if (json == NULL || json->kind != TTI_JSON_NUMBER)
    return refuse (job, TTI_UMBRIDGE_INVALID_INPUT, "\"%s\" is %s; expected the index of a vector of the %s", name,
                   json == NULL ? "missing" : tti_json_describe (json), what);
  if (!(json->number >= 0 && json->number < (double) limit && json->number == (double) (gsize) json->number))
    return refuse (job, TTI_UMBRIDGE_INVALID_INPUT,
                   "\"%s\" is %g; expected an integer from 0 to %" G_GSIZE_FORMAT ", the index of a vector of the %s", name, json->number,
                   limit - 1, what);
  *index = (gsize) json->number;
  return TRUE;
}

/* For a derivative: which part of it, and the vector that it is to be applied to. */
static gboolean
read_direction (TtiUmbridgeJob *job)
{
  gboolean gradient = job->call == TTI_UMBRIDGE_GRADIENT;
  const char *name = gradient ? "sens" : "vec";
  GError *error = NULL;

  if (!read_index (job, "outWrt", job->n_outputs, "output", &job->out_wrt)
      || !read_index (job, "inWrt", job->n_inputs, "input", &job->in_wrt))
    return FALSE;
  job->vector_size = gradient ? job->output[job->out_wrt] : job->input[job->in_wrt];
  job->vector = g_new (double, job->vector_size);
  return tti_umbridge_read_vector (tti_json_get (job->json, name), name, job->vector_size, job->vector, &error)
         || refuse_error (job, error);
}

gboolean
tti_umbridge_job_check (TtiUmbridgeJob *job, const gsize *input, gsize n_inputs, const gsize *output, gsize n_outputs)
{
  GError *error = NULL;

  job->input = g_memdup2 (input, n_inputs * sizeof *input);
  job->output = g_memdup2 (output, n_outputs * sizeof *output);
  job->n_inputs = n_inputs;
  job->n_outputs = n_outputs;
  job->point_size = add_up (input, n_inputs);
  job->point = g_new (double, job->point_size);
  if (!tti_umbridge_read_blocks (tti_json_get (job->json, "input"), "input", input, n_inputs, job->point, &error))
    return refuse_error (job, error);
  if (job->call != TTI_UMBRIDGE_EVALUATE && !read_direction (job))
    return FALSE;
  if (job->config == NULL)
    g_clear_pointer (&job->json, tti_json_free);
  return TRUE;
}

/* Answers. */

static gboolean
append_output (GString *body, TtiUmbridgeJob *job, const double *numbers, gsize n, GError **error)
{
  gsize expected;

  if (job->call == TTI_UMBRIDGE_EVALUATE)
    expected = add_up (job->output, job->n_outputs);
  else if (job->call == TTI_UMBRIDGE_GRADIENT)
    expected = job->input[job->in_wrt];
  else
    expected = job->output[job->out_wrt];
  if (n != expected)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "it has %" G_GSIZE_FORMAT " numbers; expected %" G_GSIZE_FORMAT, n, expected);
      return FALSE;
    }
  if (job->call == TTI_UMBRIDGE_EVALUATE)
    return tti_umbridge_append_blocks (body, numbers, job->output, job->n_outputs, error);
  return tti_json_append_numbers (body, numbers, n, error);
}

void
tti_umbridge_job_answer (TtiUmbridgeJob *job, const double *numbers, gsize n)
{
  GString *body = g_string_new ("{\"output\":");
  GError *error = NULL;

  if (append_output (body, job, numbers, n, &error))
    {
      g_string_append_c (body, '}');
      tti_http_request_answer (job->request, 200, body, 0);
      return;
    }
  g_string_free (body, TRUE);
  refuse (job, TTI_UMBRIDGE_INVALID_OUTPUT, "the output of the model %s cannot be sent: %s", job->model->name, error->message);
  g_error_free (error);
}

void
tti_umbridge_job_answer_sizes (TtiUmbridgeJob *job, const gsize *sizes, gsize n)
{
  GString *body = g_string_new (job->call == TTI_UMBRIDGE_INPUT_SIZES ? "{\"inputSizes\":" : "{\"outputSizes\":");

  tti_umbridge_append_sizes (body, sizes, n);
  g_string_append_c (body, '}');
  tti_http_request_answer (job->request, 200, body, 0);
}
