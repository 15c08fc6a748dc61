/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Protocol 1.0 of UM-Bridge: what clients and servers say to each other over HTTP, in JSON. A model is a function of one or more vectors
 * (blocks) whose value is one or more vectors. Here those of a model are one array of doubles, one block behind the other, and their
 * sizes. */
#pragma once
#include "umbridge/json.h"

#define TTI_UMBRIDGE_VERSION "1.0"

/* What a server is asked for. All but Info (GET) are POST. */
typedef enum
{
  TTI_UMBRIDGE_INFO,
  TTI_UMBRIDGE_MODEL_INFO,
  TTI_UMBRIDGE_INPUT_SIZES,
  TTI_UMBRIDGE_OUTPUT_SIZES,
  TTI_UMBRIDGE_EVALUATE,
  TTI_UMBRIDGE_GRADIENT,
  TTI_UMBRIDGE_APPLY_JACOBIAN,
  TTI_UMBRIDGE_APPLY_HESSIAN,
  TTI_UMBRIDGE_N_CALLS
} TtiUmbridgeCall;

/* Types of errors, in {"error": {"type": …, "message": …}}. */
#define TTI_UMBRIDGE_UNSUPPORTED_FEATURE "UnsupportedFeature"
#define TTI_UMBRIDGE_MODEL_NOT_FOUND "ModelNotFound"
#define TTI_UMBRIDGE_INVALID_INPUT "InvalidInput"
#define TTI_UMBRIDGE_INVALID_OUTPUT "InvalidOutput"

/* The name of CALL, as ModelInfo has it: "Evaluate". Its path is the same behind a slash. */
const char *tti_umbridge_get_name (TtiUmbridgeCall call);

/* The call that PATH, with its slash, stands for; TTI_UMBRIDGE_N_CALLS if none. */
TtiUmbridgeCall tti_umbridge_find_call (const char *path);

/* The status of HTTP for an error of TYPE: 400 if the client is to blame, else 500. */
guint tti_umbridge_get_status (const char *type);

/* Write the whole answer for an error. */
void tti_umbridge_append_error (GString *out, const char *type, const char *message);

/* The type and the message of the error that the document ANSWER tells of; FALSE if it tells of none. Both belong to ANSWER. */
gboolean tti_umbridge_get_error (const TtiJson *answer, const char **type, const char **message);

/* Read the array JSON of sizes of blocks, which is called WHAT in messages. *SIZES is to be freed. */
gboolean tti_umbridge_read_sizes (const TtiJson *json, const char *what, gsize **sizes, gsize *n_blocks,
                                  GError **error);
void tti_umbridge_append_sizes (GString *out, const gsize *sizes, gsize n_blocks);

/* Read the array JSON of N_BLOCKS arrays of numbers, of SIZES, to NUMBERS, which has room for all. FALSE (TUTTI_ERROR_SHAPE) if it is
 * anything else, also NULL. */
gboolean tti_umbridge_read_blocks (const TtiJson *json, const char *what, const gsize *sizes, gsize n_blocks,
                                   double *numbers, GError **error);

/* FALSE (TUTTI_ERROR_ARGUMENT) if one of NUMBERS is not finite. */
gboolean tti_umbridge_append_blocks (GString *out, const double *numbers, const gsize *sizes, gsize n_blocks,
                                     GError **error);

/* The same for one array of SIZE numbers. (Write it with tti_json_append_numbers ().) */
gboolean tti_umbridge_read_vector (const TtiJson *json, const char *what, gsize size, double *numbers, GError **error);
