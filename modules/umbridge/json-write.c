/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Writing JSON. */
#include "platform/error.h"
#include "umbridge/json.h"
#include <math.h>
#include <string.h>

void
tti_json_append_number (GString *out, double number)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_dtostr (text, sizeof text, number);
  g_string_append (out, text);
  /* In many languages 1 / 2 is another thing than 1.0 / 2. */
  if (strpbrk (text, ".e") == NULL)
    g_string_append (out, ".0");
}

gboolean
tti_json_append_numbers (GString *out, const double *numbers, gsize count, GError **error)
{
  g_string_append_c (out, '[');
  for (gsize i = 0; i < count; i++)
    {
      if (!isfinite (numbers[i]))
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                       "number %" G_GSIZE_FORMAT " is %s, and JSON has no such number", i,
                       isnan (numbers[i]) ? "not a number (NaN)" : "infinite");
          return FALSE;
        }
      if (i > 0)
        g_string_append_c (out, ',');
      tti_json_append_number (out, numbers[i]);
    }
  g_string_append_c (out, ']');
  return TRUE;
}

void
tti_json_append_string (GString *out, const char *text)
{
  g_autofree char *made = g_utf8_validate (text, -1, NULL) ? NULL : g_utf8_make_valid (text, -1);

  g_string_append_c (out, '"');
  for (const char *c = made != NULL ? made : text; *c != '\0'; c++)
    if (*c == '"' || *c == '\\')
      {
        g_string_append_c (out, '\\');
        g_string_append_c (out, *c);
      }
    else if (*c == '\n')
      g_string_append (out, "\\n");
    else if ((guchar)*c < 0x20)
      g_string_append_printf (out, "\\u%04x", (guchar)*c);
    else
      g_string_append_c (out, *c);
  g_string_append_c (out, '"');
}

static void
append_number (GString *out, double number, gboolean integer)
{
  if (integer)
    g_string_append_printf (out, "%" G_GINT64_FORMAT, (gint64) number);
  else
    tti_json_append_number (out, number);
}

static void
append_members (GString *out, const TtiJson *json)
{
  gboolean object = json->kind == TTI_JSON_OBJECT;

  g_string_append_c (out, object ? '{' : '[');
  for (gsize i = 0; i < json->count; i++)
    {
      if (i > 0)
        g_string_append_c (out, ',');
      if (object)
        {
          tti_json_append_string (out, json->names[i]);
          g_string_append_c (out, ':');
        }
      if (json->kind == TTI_JSON_NUMBERS)
        append_number (out, json->numbers[i], json->integers);
      else
        tti_json_append (out, &json->items[i]);
    }
  g_string_append_c (out, object ? '}' : ']');
}

void
tti_json_append (GString *out, const TtiJson *json)
{
  switch (json->kind)
    {
    case TTI_JSON_NULL:
      g_string_append (out, "null");
      break;
    case TTI_JSON_BOOLEAN:
      g_string_append (out, json->truth ? "true" : "false");
      break;
    case TTI_JSON_NUMBER:
      append_number (out, json->number, json->integers);
      break;
    case TTI_JSON_STRING:
      tti_json_append_string (out, json->text);
      break;
    case TTI_JSON_NUMBERS:
    case TTI_JSON_ARRAY:
    case TTI_JSON_OBJECT:
      append_members (out, json);
      break;
    }
}
