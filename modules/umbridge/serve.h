/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The server's side of UM-Bridge, without what computes: it understands requests, answers those that need no model, and queues the others
 * for threads that have one. What is wrong with a request is said at once, also while all of those are busy. */
#pragma once
#include "http/server.h"
#include "umbridge/protocol.h"

/* The types of errors for which the protocol has none: the model failed; the server has no time, or is being stopped. */
#define TTI_UMBRIDGE_MODEL_ERROR "ModelError"
#define TTI_UMBRIDGE_UNAVAILABLE "ServiceUnavailable"

typedef struct _TtiUmbridgeServer TtiUmbridgeServer;

typedef struct
{
  char *name;
  gboolean configured;  /* there is one for each configuration, whose sizes the one who asks knows; otherwise none is taken */
  gboolean derivatives; /* Gradient and ApplyJacobian */
  gsize *input, *output;
  gsize n_inputs, n_outputs;
} TtiUmbridgeModel;

/* A request that needs a model. Used by one thread at a time. */
typedef struct
{
  TtiUmbridgeServer *server;
  TtiHttpRequest *request;
  TtiUmbridgeCall call;
  const TtiUmbridgeModel *model;
  gboolean is_read; /* was it understood, but for its arguments? */
  TtiJson *json;
  const TtiJson *config; /* NULL: none, or an empty one */
  gsize *input, *output; /* sizes, once it was checked */
  gsize n_inputs, n_outputs;
  double *point, *vector; /* the input; vec or sens, NULL for Evaluate */
  gsize point_size, vector_size;
  gsize in_wrt, out_wrt;
} TtiUmbridgeJob;

/* MODELS, TtiUmbridgeModel, are taken. At most MOST_WAITING jobs wait. */
TtiUmbridgeServer *tti_umbridge_server_new (const TtiHttpOptions *options, GArray *models, guint most_waiting, GError **error);
TtiUmbridgeServer *tti_umbridge_server_ref (TtiUmbridgeServer *server);
void tti_umbridge_server_unref (TtiUmbridgeServer *server);
void tti_umbridge_models_free (GArray *models);
/* NULL: it was ended. */
TtiHttpServer *tti_umbridge_server_get_http (TtiUmbridgeServer *server);
const TtiUmbridgeModel *tti_umbridge_server_get_model (TtiUmbridgeServer *server, gsize index);

/* The next job, waiting for it for DURATION (µs). NULL if there is none. */
TtiUmbridgeJob *tti_umbridge_server_next (TtiUmbridgeServer *server, gint64 duration);
gboolean tti_umbridge_server_is_closed (TtiUmbridgeServer *server);
void tti_umbridge_server_get_counts (TtiUmbridgeServer *server, TtiHttpCounts *counts, guint *waiting);

/* Take no more requests, and refuse those that wait. */
void tti_umbridge_server_close (TtiUmbridgeServer *server);
/* End the connections and the thread. Jobs that are left have nobody to answer to. */
void tti_umbridge_server_end (TtiUmbridgeServer *server);

/* Read the arguments of JOB, whose model has such sizes, copied. FALSE: it was refused, and is done. */
gboolean tti_umbridge_job_check (TtiUmbridgeJob *job, const gsize *input, gsize n_inputs, const gsize *output, gsize n_outputs);
/* Answer: the value or derivative of the model. If a number is not finite, or there are not as many as there should be, the answer is
 * that. */
void tti_umbridge_job_answer (TtiUmbridgeJob *job, const double *numbers, gsize n);
void tti_umbridge_job_answer_sizes (TtiUmbridgeJob *job, const gsize *sizes, gsize n);
void tti_umbridge_job_fail (TtiUmbridgeJob *job, guint status, const char *type, const char *message);
/* Free JOB; if it has no answer, it gets one that says so. */
void tti_umbridge_job_free (TtiUmbridgeJob *job);
