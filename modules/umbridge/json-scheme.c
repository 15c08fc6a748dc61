/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "umbridge/json-scheme.h"

static SCM
number_to_scheme (double number, gboolean integer)
{
  return integer ? scm_from_int64 ((gint64) number) : scm_from_double (number);
}

static SCM
items_to_scheme (const TtiJson *json)
{
  SCM vector = scm_c_make_vector (json->count, SCM_BOOL_F);

  for (gsize i = 0; i < json->count; i++)
    scm_c_vector_set_x (vector, i,
                        json->kind == TTI_JSON_ARRAY ? tti_json_to_scheme (&json->items[i])
                                                     : number_to_scheme (json->numbers[i], json->integers));
  return vector;
}

static SCM
object_to_scheme (const TtiJson *json)
{
  SCM members = SCM_EOL;

  for (gsize i = json->count; i-- > 0;)
    members = scm_acons (scm_from_utf8_string (json->names[i]), tti_json_to_scheme (&json->items[i]), members);
  return members;
}

SCM
tti_json_to_scheme (const TtiJson *json)
{
  switch (json->kind)
    {
    case TTI_JSON_BOOLEAN:
      return scm_from_bool (json->truth);
    case TTI_JSON_NUMBER:
      return number_to_scheme (json->number, json->integers);
    case TTI_JSON_STRING:
      return scm_from_utf8_stringn (json->text, json->count);
    case TTI_JSON_NUMBERS:
    case TTI_JSON_ARRAY:
      return items_to_scheme (json);
    case TTI_JSON_OBJECT:
      return object_to_scheme (json);
    case TTI_JSON_NULL:
    default:
      return scm_from_utf8_symbol ("null");
    }
}
