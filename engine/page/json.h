/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Writing JSON into a GString. Before each member and element but the first these functions put a comma by themselves. */
#pragma once
#include <glib.h>

/* Append a member of an object, with its KEY, which has nothing to escape. TEXT is any bytes: what is no UTF-8 is replaced, and no control
 * character remains, so that the whole is one line. Doubles that are not finite, or negative, become null. */
void tti_json_add_text (GString *json, const char *key, const char *text);
void tti_json_add_number (GString *json, const char *key, guint64 number);
void tti_json_add_time (GString *json, const char *key, gint64 time); /* µs in, ms out; 0: null */
void tti_json_add_double (GString *json, const char *key, double value);
void tti_json_add_true (GString *json, const char *key);
/* Append only the key: the value is to follow. */
void tti_json_add_key (GString *json, const char *key);

/* Append a comma, if something stands before it in the present object or array. */
void tti_json_next (GString *json);
