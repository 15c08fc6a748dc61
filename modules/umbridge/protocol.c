/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "umbridge/protocol.h"
#include "platform/error.h"
#include <string.h>

static const char *const names[TTI_UMBRIDGE_N_CALLS] = {
  [TTI_UMBRIDGE_INFO] = "Info",
  [TTI_UMBRIDGE_MODEL_INFO] = "ModelInfo",
  [TTI_UMBRIDGE_INPUT_SIZES] = "InputSizes",
  [TTI_UMBRIDGE_OUTPUT_SIZES] = "OutputSizes",
  [TTI_UMBRIDGE_EVALUATE] = "Evaluate",
  [TTI_UMBRIDGE_GRADIENT] = "Gradient",
  [TTI_UMBRIDGE_APPLY_JACOBIAN] = "ApplyJacobian",
  [TTI_UMBRIDGE_APPLY_HESSIAN] = "ApplyHessian",
};

const char *
tti_umbridge_get_name (TtiUmbridgeCall call)
{
  return names[call];
}

TtiUmbridgeCall
tti_umbridge_find_call (const char *path)
{
  guint call = 0;

  if (*path != '/')
    return TTI_UMBRIDGE_N_CALLS;
  while (call < TTI_UMBRIDGE_N_CALLS && strcmp (path + 1, names[call]) != 0)
    call++;
  return (TtiUmbridgeCall) call;
}

guint
tti_umbridge_get_status (const char *type)
{
  return strcmp (type, TTI_UMBRIDGE_INVALID_OUTPUT) == 0 ? 500 : 400;
}

void
tti_umbridge_append_error (GString *out, const char *type, const char *message)
{
  g_string_append (out, "{\"error\":{\"type\":");
  tti_json_append_string (out, type);
  g_string_append (out, ",\"message\":");
  tti_json_append_string (out, message);
  g_string_append (out, "}}");
}

gboolean
tti_umbridge_get_error (const TtiJson *answer, const char **type, const char **message)
{
  const TtiJson *error = tti_json_get (answer, "error"), *member;

  if (error == NULL)
    return FALSE;
  member = tti_json_get (error, "type");
  *type = member != NULL && member->kind == TTI_JSON_STRING ? member->text : "unknown";
  member = error->kind == TTI_JSON_STRING ? error : tti_json_get (error, "message");
  *message = member != NULL && member->kind == TTI_JSON_STRING ? member->text : "(no message)";
  return TRUE;
}

static gboolean
refuse (GError **error, const char *what, const TtiJson *json, const char *expected)
{
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "%s is %s; expected %s", what,
               json == NULL ? "missing" : tti_json_describe (json), expected);
  return FALSE;
}

gboolean
tti_umbridge_read_sizes (const TtiJson *json, const char *what, gsize **sizes, gsize *n_blocks, GError **error)
{
  /* So that no sum of a million of them overflows. */
  const double most = (double) (G_GUINT64_CONSTANT (1) << 40);

  if (json == NULL || json->kind != TTI_JSON_NUMBERS)
    return refuse (error, what, json, "an array of sizes");
  for (gsize i = 0; i < json->count; i++)
    if (!(json->numbers[i] >= 0 && json->numbers[i] <= most && json->numbers[i] == (double) (guint64) json->numbers[i]))
      {
        g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE,
                     "number %" G_GSIZE_FORMAT " of %s is %g; expected the size of a vector", i, what,
                     json->numbers[i]);
        return FALSE;
      }
  *n_blocks = json->count;
  *sizes = g_new (gsize, json->count);
  for (gsize i = 0; i < json->count; i++)
    (*sizes)[i] = (gsize) json->numbers[i];
  return TRUE;
}

void
tti_umbridge_append_sizes (GString *out, const gsize *sizes, gsize n_blocks)
{
  g_string_append_c (out, '[');
  for (gsize i = 0; i < n_blocks; i++)
    g_string_append_printf (out, "%s%" G_GSIZE_FORMAT, i > 0 ? "," : "", sizes[i]);
  g_string_append_c (out, ']');
}

gboolean
tti_umbridge_read_vector (const TtiJson *json, const char *what, gsize size, double *numbers, GError **error)
{
  if (json == NULL || json->kind != TTI_JSON_NUMBERS)
    return refuse (error, what, json, "an array of numbers");
  if (json->count != size)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE,
                   "%s has %" G_GSIZE_FORMAT " number%s; expected %" G_GSIZE_FORMAT, what, json->count,
                   json->count == 1 ? "" : "s", size);
      return FALSE;
    }
  if (size > 0)
    memcpy (numbers, json->numbers, size * sizeof (double));
  return TRUE;
}

gboolean
tti_umbridge_read_blocks (const TtiJson *json, const char *what, const gsize *sizes, gsize n_blocks, double *numbers,
                          GError **error)
{
  char name[64];

  /* An empty array is one of numbers as well. */
  if (json == NULL || !(json->kind == TTI_JSON_ARRAY || (json->kind == TTI_JSON_NUMBERS && json->count == 0)))
    return refuse (error, what, json, "an array of arrays of numbers");
  if (json->count != n_blocks)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE,
                   "%s has %" G_GSIZE_FORMAT " vector%s; expected %" G_GSIZE_FORMAT, what, json->count,
                   json->count == 1 ? "" : "s", n_blocks);
      return FALSE;
    }
  for (gsize i = 0; i < n_blocks; numbers += sizes[i], i++)
    {
      g_snprintf (name, sizeof name, "vector %" G_GSIZE_FORMAT " of %s", i, what);
      if (!tti_umbridge_read_vector (&json->items[i], name, sizes[i], numbers, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
tti_umbridge_append_blocks (GString *out, const double *numbers, const gsize *sizes, gsize n_blocks, GError **error)
{
  g_string_append_c (out, '[');
  for (gsize i = 0; i < n_blocks; numbers += sizes[i], i++)
    {
      if (i > 0)
        g_string_append_c (out, ',');
      if (!tti_json_append_numbers (out, numbers, sizes[i], error))
        {
          g_prefix_error (error, "vector %" G_GSIZE_FORMAT ": ", i);
          return FALSE;
        }
    }
  g_string_append_c (out, ']');
  return TRUE;
}
