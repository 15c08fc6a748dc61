/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* JSON (RFC 8259) from peers that nobody knows. It is strict: what is not JSON is refused, with its line and column. It is bounded: neither
 * deep nesting nor many small values take more stack, or much more memory, than their text. Numbers are read to the nearest double and
 * written such that they are read back exactly; an array of numbers is a vector of doubles at once, not a tree.
 *
 * json-glib of Debian 12 does neither: a megabyte of brackets overflows its stack, integers beyond 64 bits become others, and a number
 * takes a hundred bytes. */
#pragma once
#include <glib.h>

#define TTI_JSON_MOST_DEPTH 64       /* arrays and objects within each other */
#define TTI_JSON_MOST_VALUES 1000000 /* of a document, without those in arrays of numbers */

typedef enum
{
  TTI_JSON_NULL,
  TTI_JSON_BOOLEAN,
  TTI_JSON_NUMBER,
  TTI_JSON_STRING,
  TTI_JSON_NUMBERS, /* an array that has numbers alone; also the empty array */
  TTI_JSON_ARRAY,   /* any other array */
  TTI_JSON_OBJECT
} TtiJsonKind;

typedef struct _TtiJson TtiJson;
struct _TtiJson
{
  TtiJsonKind kind;
  gboolean integers; /* NUMBER, NUMBERS: all are written as integers, and of at most 2^53 */
  gsize count;       /* NUMBERS, ARRAY, OBJECT: members; STRING: bytes */
  char **names;      /* OBJECT: of its members, which are all different */
  union
  {
    gboolean truth;
    double number;
    char *text; /* UTF-8, with a NUL behind it and none in it */
    double *numbers;
    TtiJson *items;
  };
};

/* The document in LENGTH bytes of TEXT, to be freed with tti_json_free (). NULL (TUTTI_ERROR_PROTOCOL) if it is none. */
TtiJson *tti_json_read (const char *text, gsize length, GError **error);

void tti_json_free (TtiJson *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiJson, tti_json_free)

/* The member NAME of OBJECT; NULL if OBJECT has none, or is no object. */
const TtiJson *tti_json_get (const TtiJson *object, const char *name);

/* What JSON is, as messages say it: "a string". */
const char *tti_json_describe (const TtiJson *json);

/* Write NUMBER, which is finite, such that it is read back as the same double, and as no integer. */
void tti_json_append_number (GString *out, double number);

/* Write COUNT NUMBERS as an array. FALSE (TUTTI_ERROR_ARGUMENT) if one is not finite, which JSON has no notation for: the message says
 * which. */
gboolean tti_json_append_numbers (GString *out, const double *numbers, gsize count, GError **error);

/* Write TEXT, which is UTF-8, as a string. (What is not UTF-8 is replaced.) */
void tti_json_append_string (GString *out, const char *text);

/* Write JSON in the shortest way, the members of objects in their order. */
void tti_json_append (GString *out, const TtiJson *json);
