/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "page/json.h"
#include <math.h>

void
tti_json_next (GString *json)
{
  char last = json->len > 0 ? json->str[json->len - 1] : '{';

  if (last != '{' && last != '[' && last != ':')
    g_string_append_c (json, ',');
}

static void
add_value (GString *json, const char *text)
{
  g_autofree char *valid = g_utf8_validate (text, -1, NULL) ? NULL : g_utf8_make_valid (text, -1);

  g_string_append_c (json, '"');
  for (const char *at = valid != NULL ? valid : text; *at != '\0'; at++)
    if (*at == '"' || *at == '\\')
      {
        g_string_append_c (json, '\\');
        g_string_append_c (json, *at);
      }
    else if ((guchar) *at < ' ' || *at == 0x7f)
      g_string_append_printf (json, "\\u%04x", *at);
    else
      g_string_append_c (json, *at);
  g_string_append_c (json, '"');
}

void
tti_json_add_key (GString *json, const char *key)
{
  tti_json_next (json);
  g_string_append_c (json, '"');
  g_string_append (json, key);
  g_string_append (json, "\":");
}

void
tti_json_add_text (GString *json, const char *key, const char *text)
{
  tti_json_add_key (json, key);
  add_value (json, text);
}

void
tti_json_add_number (GString *json, const char *key, guint64 number)
{
  tti_json_add_key (json, key);
  g_string_append_printf (json, "%" G_GUINT64_FORMAT, number);
}

void
tti_json_add_time (GString *json, const char *key, gint64 time)
{
  tti_json_add_key (json, key);
  if (time > 0)
    g_string_append_printf (json, "%" G_GINT64_FORMAT, time / 1000);
  else
    g_string_append (json, "null");
}

void
tti_json_add_double (GString *json, const char *key, double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  tti_json_add_key (json, key);
  g_string_append (json, isfinite (value) && value >= 0 ? g_ascii_formatd (text, sizeof text, "%.6g", value) : "null");
}

void
tti_json_add_true (GString *json, const char *key)
{
  tti_json_add_key (json, key);
  g_string_append (json, "true");
}
