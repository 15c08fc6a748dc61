/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A model that one or several servers of UM-Bridge have, and requests to it. */
#pragma once
#include "umbridge/exchange.h"
#include "umbridge/protocol.h"

/* What is the same for all requests. */
typedef struct
{
  TtiHttpHost **servers;
  guint n_servers;
  guint n_slots;     /* requests that a server has at once */
  double timeout;    /* seconds for an attempt; 0: none */
  guint retries;     /* attempts after the first */
  gsize limit;       /* bytes of an answer; 0: as many as are plausible */
  char *model;       /* NULL: no model yet */
  char *config;      /* an object of JSON */
  gsize *in_sizes;   /* of the blocks of its argument */
  gsize *out_sizes;  /* of those of its value */
  gsize n_in, n_out; /* numbers of blocks */
  gsize n_input;     /* numbers in all blocks of its argument */
  gsize n_output;
  int preferred; /* the server that has answered last */
} TtiUmbridgeClient;

/* Release what CLIENT has, and itself; no request of it is there any more. */
void tti_umbridge_client_free (TtiUmbridgeClient *client);

/* What a call is about; a call looks at what it needs. */
typedef struct
{
  TtiUmbridgeCall call;
  gsize out_wrt, in_wrt, in_wrt2; /* numbers of blocks */
  const double *input;            /* all blocks of it */
  const double *sens;             /* of the block OUT_WRT */
  const double *vec;              /* of the block IN_WRT, or of IN_WRT2 of a Hessian */
} TtiUmbridgeArguments;

typedef struct _TtiUmbridgeRequest TtiUmbridgeRequest;

/* A request of CLIENT, to its server number ONLY, or to any that has time (-1). NULL (TUTTI_ERROR_ARGUMENT) if its numbers cannot be sent.
 * It needs nothing of ARGUMENTS afterwards. */
TtiUmbridgeRequest *tti_umbridge_request_new (TtiUmbridgeClient *client, const TtiUmbridgeArguments *arguments,
                                              int only, GError **error);

/* Go on until the request ends, or the time UNTIL (g_get_monotonic_time ()). TRUE if it has ended. */
gboolean tti_umbridge_request_advance (TtiUmbridgeRequest *request, gint64 until);

/* What the request is doing, and with whom, for people: "waiting for an answer of http://…". To be freed. */
char *tti_umbridge_request_describe (const TtiUmbridgeRequest *request);

/* How a request failed. */
typedef enum
{
  TTI_UMBRIDGE_MODEL,       /* the server sent an error with type and message */
  TTI_UMBRIDGE_UNREACHABLE, /* no connection, or it was lost */
  TTI_UMBRIDGE_LATE,        /* no answer in time */
  TTI_UMBRIDGE_BUSY,        /* the server has no time */
  TTI_UMBRIDGE_FAILED,      /* a status of an error, without type and message */
  TTI_UMBRIDGE_ANSWER       /* what came is no answer to this call */
} TtiUmbridgeFailureKind;

typedef struct
{
  TtiUmbridgeFailureKind kind;
  char *type; /* MODEL: of the error, as the server says it; else NULL */
  char *message;
  const char *url; /* of the server that was asked last */
} TtiUmbridgeFailure;

/* NULL if the request, which has ended, succeeded. */
const TtiUmbridgeFailure *tti_umbridge_request_get_failure (const TtiUmbridgeRequest *request);

/* The COUNT numbers that an evaluation and the like has returned, and the document that other calls have. */
const double *tti_umbridge_request_get_numbers (const TtiUmbridgeRequest *request, gsize *count);
const TtiJson *tti_umbridge_request_get_document (const TtiUmbridgeRequest *request);

/* Give the request up if it has not ended, and free it. */
void tti_umbridge_request_free (TtiUmbridgeRequest *request);
