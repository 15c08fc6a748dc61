/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "umbridge/serve.h"
#include "platform/error.h"
#include "platform/lock.h"
#include "umbridge/serve-private.h"
#include <string.h>

/* Longer requests take milliseconds to read: that is done by the threads that have a model, not by the one that answers the others. */
enum { LONG = 65536 };

struct _TtiUmbridgeServer
{
  gatomicrefcount references;
  GArray *models;
  guint most_waiting;
  TtiLock lock;
  GCond changed;
  GQueue waiting;  /* under the lock */
  gboolean closed;      /* under the lock */
  TtiHttpServer *http;  /* set under the lock; the one who ends the server is the only one who uses it without */
  TtiHttpCounts counts; /* under the lock: those of HTTP, which has ended */
};

/* Models. */

static void
clear_model (gpointer data)
{
  TtiUmbridgeModel *model = data;

  g_free (model->name);
  g_free (model->input);
  g_free (model->output);
}

void
tti_umbridge_models_free (GArray *models)
{
  for (guint i = 0; i < models->len; i++)
    clear_model (&g_array_index (models, TtiUmbridgeModel, i));
  g_array_free (models, TRUE);
}

const TtiUmbridgeModel *
tti_umbridge_server_get_model (TtiUmbridgeServer *server, gsize index)
{
  return index < server->models->len ? &g_array_index (server->models, TtiUmbridgeModel, index) : NULL;
}

/* What needs no model. */

static void
answer_info (TtiUmbridgeServer *server, TtiHttpRequest *request)
{
  GString *body = g_string_new ("{\"protocolVersion\":" TTI_UMBRIDGE_VERSION ",\"models\":[");

  for (guint i = 0; i < server->models->len; i++)
    {
      if (i > 0)
        g_string_append_c (body, ',');
      tti_json_append_string (body, tti_umbridge_server_get_model (server, i)->name);
    }
  g_string_append (body, "]}");
  tti_http_request_answer (request, 200, body, 0);
}

static void
answer_model_info (TtiUmbridgeJob *job)
{
  GString *body = g_string_new ("{\"support\":{");

  for (guint call = TTI_UMBRIDGE_EVALUATE; call < TTI_UMBRIDGE_N_CALLS; call++)
    {
      gboolean support = call == TTI_UMBRIDGE_EVALUATE || (call != TTI_UMBRIDGE_APPLY_HESSIAN && job->model->derivatives);

      g_string_append_printf (body, "%s\"%s\":%s", call > TTI_UMBRIDGE_EVALUATE ? "," : "", tti_umbridge_get_name ((TtiUmbridgeCall) call),
                              support ? "true" : "false");
    }
  g_string_append (body, "}}");
  tti_http_request_answer (job->request, 200, body, 0);
}

/* Answer JOB if no model is needed for that, or if it is wrong. */
static gboolean
is_done (TtiUmbridgeJob *job)
{
  const TtiUmbridgeModel *model = job->model;

  if (job->call == TTI_UMBRIDGE_MODEL_INFO)
    answer_model_info (job);
  else if (model->configured)
    return FALSE;
  else if (job->call == TTI_UMBRIDGE_INPUT_SIZES)
    tti_umbridge_job_answer_sizes (job, model->input, model->n_inputs);
  else if (job->call == TTI_UMBRIDGE_OUTPUT_SIZES)
    tti_umbridge_job_answer_sizes (job, model->output, model->n_outputs);
  else
    return !tti_umbridge_job_check (job, model->input, model->n_inputs, model->output, model->n_outputs);
  return TRUE;
}

/* The queue. */

/* JOB is taken. */
static void
enqueue (TtiUmbridgeServer *server, TtiUmbridgeJob *job)
{
  gboolean closed, full;

  tti_lock_take (&server->lock);
  closed = server->closed;
  full = server->waiting.length >= server->most_waiting;
  if (!closed && !full)
    {
      g_queue_push_tail (&server->waiting, job);
      g_cond_signal (&server->changed);
    }
  tti_lock_release (&server->lock);
  if (!closed && !full)
    return;
  tti_umbridge_job_fail (job, 503, TTI_UMBRIDGE_UNAVAILABLE,
                         closed ? "this server is being stopped" : "as many requests wait here as may; try again later");
  tti_umbridge_job_free (job);
}

/* Is there something left to do for JOB, which may not have been read? If not, it is freed. */
static gboolean
is_left (TtiUmbridgeJob *job)
{
  if (job->is_read || (tti_http_request_is_open (job->request) && tti_umbridge_job_read (job) && !is_done (job)))
    return TRUE;
  tti_umbridge_job_free (job);
  return FALSE;
}

TtiUmbridgeJob *
tti_umbridge_server_next (TtiUmbridgeServer *server, gint64 duration)
{
  gint64 deadline = g_get_monotonic_time () + duration;
  TtiUmbridgeJob *job;

  do
    {
      tti_lock_take (&server->lock);
      while ((job = g_queue_pop_head (&server->waiting)) == NULL && !server->closed
             && tti_lock_wait (&server->lock, &server->changed, deadline))
        ;
      tti_lock_release (&server->lock);
    }
  while (job != NULL && !is_left (job));
  return job;
}

gboolean
tti_umbridge_server_is_closed (TtiUmbridgeServer *server)
{
  gboolean closed;

  tti_lock_take (&server->lock);
  closed = server->closed;
  tti_lock_release (&server->lock);
  return closed;
}

/* What the server of HTTP calls. */

static GString *
describe (guint status, const char *message, gpointer data)
{
  GString *body = g_string_new (NULL);

  (void) data;
  tti_umbridge_append_error (body, status == 503 ? TTI_UMBRIDGE_UNAVAILABLE : TTI_UMBRIDGE_INVALID_INPUT, message);
  return body;
}

/* MESSAGE is taken. */
static void
refuse (TtiHttpRequest *request, guint status, char *message)
{
  tti_http_request_answer (request, status, describe (status, message, NULL), 0);
  g_free (message);
}

static void
handle (TtiHttpRequest *request, gpointer data)
{
  TtiUmbridgeServer *server = data;
  const char *method = tti_http_request_get_method (request), *path = tti_http_request_get_path (request);
  TtiUmbridgeCall call = tti_umbridge_find_call (path);
  gboolean get = strcmp (method, "GET") == 0 || strcmp (method, "HEAD") == 0;
  TtiUmbridgeJob *job;

  if (call == TTI_UMBRIDGE_N_CALLS)
    refuse (request, 404,
            g_strdup_printf ("%s is nothing that UM-Bridge has; expected GET /Info, or POST to /ModelInfo, /InputSizes, /OutputSizes, "
                             "/Evaluate, /Gradient or /ApplyJacobian",
                             path));
  else if (call == TTI_UMBRIDGE_INFO ? !get : strcmp (method, "POST") != 0)
    refuse (request, 405, g_strdup_printf ("the method is %s; expected %s %s", method, call == TTI_UMBRIDGE_INFO ? "GET" : "POST", path));
  else if (call == TTI_UMBRIDGE_INFO)
    answer_info (server, request);
  else
    {
      job = tti_umbridge_job_new (server, request, call);
      if (tti_http_request_get_body (request)->len > LONG || is_left (job))
        enqueue (server, job);
    }
}

/* A job that waits is not computed for nobody. */
static void
gone (TtiHttpRequest *request, gpointer data)
{
  TtiUmbridgeServer *server = data;
  TtiUmbridgeJob *job = NULL;

  tti_lock_take (&server->lock);
  for (GList *link = server->waiting.head; link != NULL; link = link->next)
    if (((TtiUmbridgeJob *) link->data)->request == request)
      {
        job = link->data;
        g_queue_delete_link (&server->waiting, link);
        break;
      }
  tti_lock_release (&server->lock);
  tti_umbridge_job_free (job);
}

/* Beginning and end. */

TtiUmbridgeServer *
tti_umbridge_server_new (const TtiHttpOptions *options, GArray *models, guint most_waiting, GError **error)
{
  static const TtiHttpHandlers handlers = { .handle = handle, .gone = gone, .describe = describe };
  TtiUmbridgeServer *server = g_new0 (TtiUmbridgeServer, 1);

  g_atomic_ref_count_init (&server->references);
  server->models = models;
  server->most_waiting = most_waiting;
  g_queue_init (&server->waiting);
  g_cond_init (&server->changed);
  server->http = tti_http_server_new (options, &handlers, server, error);
  if (server->http != NULL)
    return server;
  tti_umbridge_server_end (server);
  tti_umbridge_server_unref (server);
  return NULL;
}

TtiUmbridgeServer *
tti_umbridge_server_ref (TtiUmbridgeServer *server)
{
  g_atomic_ref_count_inc (&server->references);
  return server;
}

void
tti_umbridge_server_unref (TtiUmbridgeServer *server)
{
  if (!g_atomic_ref_count_dec (&server->references))
    return;
  tti_umbridge_models_free (server->models);
  g_cond_clear (&server->changed);
  tti_lock_clear (&server->lock);
  g_free (server);
}

TtiHttpServer *
tti_umbridge_server_get_http (TtiUmbridgeServer *server)
{
  return server->http;
}

static TtiUmbridgeJob *
pop (TtiUmbridgeServer *server)
{
  TtiUmbridgeJob *job;

  tti_lock_take (&server->lock);
  job = g_queue_pop_head (&server->waiting);
  tti_lock_release (&server->lock);
  return job;
}

void
tti_umbridge_server_close (TtiUmbridgeServer *server)
{
  TtiUmbridgeJob *job;

  tti_lock_take (&server->lock);
  server->closed = TRUE;
  g_cond_broadcast (&server->changed);
  tti_lock_release (&server->lock);
  if (server->http != NULL)
    tti_http_server_close (server->http);
  while ((job = pop (server)) != NULL)
    {
      tti_umbridge_job_fail (job, 503, TTI_UMBRIDGE_UNAVAILABLE, "this server is being stopped");
      tti_umbridge_job_free (job);
    }
}

void
tti_umbridge_server_end (TtiUmbridgeServer *server)
{
  TtiHttpServer *http;

  tti_umbridge_server_close (server);
  tti_lock_take (&server->lock);
  http = g_steal_pointer (&server->http);
  if (http != NULL)
    tti_http_server_get_counts (http, &server->counts);
  server->counts.clients = 0;
  tti_lock_release (&server->lock);
  tti_http_server_free (http);
}

void
tti_umbridge_server_get_counts (TtiUmbridgeServer *server, TtiHttpCounts *counts, guint *waiting)
{
  tti_lock_take (&server->lock);
  *counts = server->counts;
  if (server->http != NULL)
    tti_http_server_get_counts (server->http, counts);
  *waiting = server->waiting.length;
  tti_lock_release (&server->lock);
}
