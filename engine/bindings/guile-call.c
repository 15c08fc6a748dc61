/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The short way of a small call: a procedure that the workers hold, arguments that need nothing but the codec, and a plain value.
 *
 * Everything can go the long way, through the hooks of (tutti worker wire). But there each payload is an object of Scheme, and its
 * finalisation by the collector costs more than the whole rest of a small call. */
#include "bindings/guile-call.h"
#include "bindings/guile-encoder.h"
#include "bindings/guile-internals.h"
#include <string.h>

enum { MOST_PARTS = 32 };

/* TRUE if VALUE needs nothing but the codec, and is not large; *PARTS counts down, which ends cycles too. */
static gboolean
is_plain (SCM value, guint *parts)
{
  for (; scm_is_pair (value); value = SCM_CDR (value))
    if ((*parts)-- == 0 || !is_plain (SCM_CAR (value), parts))
      return FALSE;
  return tti_guile_is_small_integer (value) || scm_is_bool (value) || scm_is_eq (value, SCM_EOL) || scm_is_eq (value, SCM_UNSPECIFIED)
         || tti_guile_is_character (value) || (!SCM_IMP (value) && tti_guile_get_type (value) == TTI_GUILE_NUMBER);
}

TtiPayload *
tti_guile_encode_call (const char *kind, TtiHeld *procedure, SCM arguments, SCM stream)
{
  guint parts = MOST_PARTS;

  if (!is_plain (arguments, &parts) || !is_plain (stream, &parts))
    return NULL;
  const SCM rest[] = { arguments, stream };
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_open (writer, TTI_ITEM_VECTOR, 0, 4);
  tti_writer_text (writer, TTI_ITEM_SYMBOL, kind, strlen (kind));
  tti_writer_held (writer, tti_held_get_id (procedure));
  tti_encoder_write (writer, rest, G_N_ELEMENTS (rest));
  return tti_writer_finish (writer);
}

gboolean
tti_guile_decode_plain (TtiPayload *payload, SCM *value)
{
  gsize size;
  const guint8 *bytes = tti_payload_get_data (payload, &size);
  union { gint64 integer; double real; } number;

  if (size == 1 && bytes[0] == TTI_ITEM_FALSE)
    *value = SCM_BOOL_F;
  else if (size == 1 && bytes[0] == TTI_ITEM_TRUE)
    *value = SCM_BOOL_T;
  else if (size == 1 && bytes[0] == TTI_ITEM_UNSPECIFIED)
    *value = SCM_UNSPECIFIED;
  else if (size == 1 + sizeof number && (bytes[0] == TTI_ITEM_INTEGER || bytes[0] == TTI_ITEM_REAL))
    {
      memcpy (&number, bytes + 1, sizeof number);
      *value = bytes[0] == TTI_ITEM_INTEGER ? scm_from_int64 (number.integer) : scm_from_double (number.real);
    }
  else
    return FALSE;
  return TRUE;
}
