/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "umbridge/json.h"
#include "platform/error.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Integers up to here are exact as doubles, and powers of ten up to 10^MOST_EXACT_POWER. */
#define MOST_EXACT_INTEGER (G_GUINT64_CONSTANT (1) << 53)
#define MOST_EXACT_POWER 22

typedef struct
{
  const char *text, *at, *end;
  gsize values;
  int depth;
  GError **error;
} Reader;

static gboolean read_value (Reader *reader, TtiJson *value);

static void
clear_value (TtiJson *value)
{
  switch (value->kind)
    {
    case TTI_JSON_STRING:
      g_free (value->text);
      break;
    case TTI_JSON_NUMBERS:
      g_free (value->numbers);
      break;
    case TTI_JSON_ARRAY:
    case TTI_JSON_OBJECT:
      for (gsize i = 0; i < value->count; i++)
        {
          if (value->names != NULL)
            g_free (value->names[i]);
          clear_value (&value->items[i]);
        }
      g_free (value->names);
      g_free (value->items);
      break;
    case TTI_JSON_NULL:
    case TTI_JSON_BOOLEAN:
    case TTI_JSON_NUMBER:
      break;
    }
  *value = (TtiJson){ .kind = TTI_JSON_NULL };
}

/* Refuse what is at AT: it is not EXPECTED. Columns count characters, from 1. */
static gboolean
refuse (Reader *reader, const char *at, const char *expected)
{
  gsize line = 1, column = 1;
  char found[32];

  for (const char *c = reader->text; c < at; c++)
    if (*c == '\n')
      line++, column = 1;
    else if ((*c & 0xc0) != 0x80)
      column++;
  if (at >= reader->end)
    g_strlcpy (found, "the end", sizeof found);
  else if (g_ascii_isgraph (*at))
    g_snprintf (found, sizeof found, "'%c'", *at);
  else
    g_snprintf (found, sizeof found, "byte %u", (guchar)*at);
  g_set_error (reader->error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
               "line %" G_GSIZE_FORMAT ", column %" G_GSIZE_FORMAT ": expected %s, found %s", line, column, expected,
               found);
  return FALSE;
}

static void
skip_space (Reader *reader)
{
  while (reader->at < reader->end
         && (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t'))
    reader->at++;
}

static gboolean
is_next (const Reader *reader, char c)
{
  return reader->at < reader->end && *reader->at == c;
}

/* Skip C, if it comes next. */
static gboolean
skip (Reader *reader, char c)
{
  gboolean there = is_next (reader, c);

  reader->at += there;
  return there;
}

/* Numbers. */

static gsize
skip_digits (Reader *reader)
{
  const char *start = reader->at;

  while (reader->at < reader->end && g_ascii_isdigit (*reader->at))
    reader->at++;
  return (gsize) (reader->at - start);
}

/* Skip a number as the grammar has it; it is written as an integer, or not. */
static gboolean
skip_number (Reader *reader, gboolean *integer)
{
  *integer = TRUE;
  skip (reader, '-');
  if (!skip (reader, '0') && skip_digits (reader) == 0)
    return refuse (reader, reader->at, "a digit (JSON has no NaN and no infinity)");
  if (skip (reader, '.'))
    {
      *integer = FALSE;
      if (skip_digits (reader) == 0)
        return refuse (reader, reader->at, "a digit behind the point");
    }
  if (is_next (reader, 'e') || is_next (reader, 'E'))
    {
      *integer = FALSE;
      reader->at++;
      if (!skip (reader, '-'))
        skip (reader, '+');
      if (skip_digits (reader) == 0)
        return refuse (reader, reader->at, "a digit of the exponent");
    }
  return TRUE;
}

/* A number of few digits, which is one exact product or quotient: FALSE if it is not like that. */
static gboolean
convert_short (const char *at, const char *end, double *number)
{
  static const double powers[MOST_EXACT_POWER + 1]
    = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
  gboolean negative = *at == '-', point = FALSE;
  guint64 digits = 0;
  int power = 0;

  for (at += negative; at < end; at++)
    if (*at == '.')
      point = TRUE;
    else if (!g_ascii_isdigit (*at) || digits >= MOST_EXACT_INTEGER / 10 - 1)
      return FALSE;
    else
      {
        digits = 10 * digits + (guint64) (*at - '0');
        power += point;
      }
  if (power > MOST_EXACT_POWER)
    return FALSE;
  *number = (double) digits / powers[power];
  if (negative)
    *number = -*number;
  return TRUE;
}

/* The same for any number, whatever the locale says of decimal points. */
static double
convert_long (const char *at, const char *end)
{
  static locale_t c_locale;
  char buffer[64], *copy = buffer;
  gsize length = (gsize) (end - at);
  double number;

  if (g_once_init_enter (&c_locale))
    g_once_init_leave (&c_locale, newlocale (LC_ALL_MASK, "C", NULL));
  if (length >= sizeof buffer)
    copy = g_malloc (length + 1);
  memcpy (copy, at, length);
  copy[length] = '\0';
  number = strtod_l (copy, NULL, c_locale);
  if (copy != buffer)
    g_free (copy);
  return number;
}

static gboolean
read_number (Reader *reader, double *number, gboolean *integer)
{
  const char *start = reader->at;

  if (!skip_number (reader, integer))
    return FALSE;
  if (!convert_short (start, reader->at, number))
    *number = convert_long (start, reader->at);
  if (!isfinite (*number))
    return refuse (reader, start, "a number that a double can hold");
  *integer = *integer && fabs (*number) <= (double) MOST_EXACT_INTEGER && (*number != 0 || !signbit (*number));
  return TRUE;
}

/* Strings. */

static gboolean
read_hex (Reader *reader, gunichar *code)
{
  *code = 0;
  for (int i = 0; i < 4; i++, reader->at++)
    {
      if (reader->at >= reader->end || !g_ascii_isxdigit (*reader->at))
        return refuse (reader, reader->at, "four hexadecimal digits behind \\u");
      *code = *code << 4 | (gunichar)g_ascii_xdigit_value (*reader->at);
    }
  return TRUE;
}

/* What follows \u: one code, or the two halves of one. */
static gboolean
read_unicode (Reader *reader, GString *text)
{
  const char *start = reader->at;
  gunichar code, low = 0;

  if (!read_hex (reader, &code))
    return FALSE;
  if (code >= 0xd800 && code < 0xdc00)
    {
      if (!skip (reader, '\\') || !skip (reader, 'u'))
        return refuse (reader, start, "both halves of a surrogate pair");
      if (!read_hex (reader, &low))
        return FALSE;
      if (low < 0xdc00 || low > 0xdfff)
        return refuse (reader, start, "both halves of a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
  if (code == 0 || (code >= 0xdc00 && code < 0xe000))
    return refuse (reader, start, "a character other than NUL and halves of pairs");
  g_string_append_unichar (text, code);
  return TRUE;
}

static gboolean
read_escape (Reader *reader, GString *text)
{
  static const char names[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
  const char *found;

  if (skip (reader, 'u'))
    return read_unicode (reader, text);
  if (reader->at >= reader->end || *reader->at == '\0' || (found = strchr (names, *reader->at)) == NULL)
    return refuse (reader, reader->at, "one of \"\\/bfnrtu behind a backslash");
  g_string_append_c (text, characters[found - names]);
  reader->at++;
  return TRUE;
}

/* The string at the reader's place; *LENGTH bytes in UTF-8, which the caller frees. */
static char *
read_string (Reader *reader, gsize *length)
{
  const char *start, *bad;
  GString *text;

  if (!skip (reader, '"'))
    {
      refuse (reader, reader->at, "a string");
      return NULL;
    }
  text = g_string_new (NULL);
  while (TRUE)
    {
      for (start = reader->at;
           reader->at < reader->end && *reader->at != '"' && *reader->at != '\\' && (guchar)*reader->at >= 0x20;)
        reader->at++;
      if (!g_utf8_validate_len (start, (gsize) (reader->at - start), &bad))
        {
          refuse (reader, bad, "UTF-8");
          break;
        }
      g_string_append_len (text, start, reader->at - start);
      if (skip (reader, '"'))
        {
          *length = text->len;
          return g_string_free (text, FALSE);
        }
      if (!skip (reader, '\\'))
        {
          refuse (reader, reader->at, "the quote that ends the string");
          break;
        }
      if (!read_escape (reader, text))
        break;
    }
  g_string_free (text, TRUE);
  return NULL;
}

/* Arrays and objects. */

/* The numbers so far are followed by something else: they become items. */
static gboolean
numbers_to_items (Reader *reader, const GArray *numbers, gboolean integers, GArray *items)
{
  reader->values += numbers->len;
  if (reader->values > TTI_JSON_MOST_VALUES)
    return refuse (reader, reader->at, "fewer values");
  for (guint i = 0; i < numbers->len; i++)
    {
      TtiJson item = { .kind = TTI_JSON_NUMBER, .number = g_array_index (numbers, double, i) };

      item.integers = integers && item.number == floor (item.number);
      g_array_append_val (items, item);
    }
  return TRUE;
}

static gboolean
is_number_next (const Reader *reader)
{
  return is_next (reader, '-') || (reader->at < reader->end && g_ascii_isdigit (*reader->at));
}

static gboolean
read_item (Reader *reader, GArray *items)
{
  TtiJson item = { .kind = TTI_JSON_NULL };

  if (!read_value (reader, &item))
    return FALSE;
  g_array_append_val (items, item);
  return TRUE;
}

/* Read members of an array until its end, the first ones to NUMBERS, and all to ITEMS as soon as one is no number. */
static gboolean
read_members (Reader *reader, GArray *numbers, GArray *items, gboolean *integers)
{
  gboolean integer;
  double number;

  *integers = TRUE;
  skip_space (reader);
  if (skip (reader, ']'))
    return TRUE;
  while (TRUE)
    {
      skip_space (reader);
      if (items->len == 0 && is_number_next (reader))
        {
          if (numbers->len == G_MAXUINT / sizeof (double) / 2)
            return refuse (reader, reader->at, "fewer numbers");
          if (!read_number (reader, &number, &integer))
            return FALSE;
          g_array_append_val (numbers, number);
          *integers = *integers && integer;
        }
      else if ((items->len == 0 && !numbers_to_items (reader, numbers, *integers, items)) || !read_item (reader, items))
        return FALSE;
      skip_space (reader);
      if (skip (reader, ']'))
        return TRUE;
      if (!skip (reader, ','))
        return refuse (reader, reader->at, "',' or ']'");
    }
}

static void
take_items (TtiJson *value, TtiJsonKind kind, GArray *items)
{
  value->kind = kind;
  value->count = items->len;
  value->items = (TtiJson *) (gpointer) g_array_free (items, FALSE);
}

static gboolean
read_array (Reader *reader, TtiJson *value)
{
  GArray *numbers = g_array_new (FALSE, FALSE, sizeof (double)), *items = g_array_new (FALSE, FALSE, sizeof (TtiJson));
  gboolean good = read_members (reader, numbers, items, &value->integers);

  if (items->len > 0 || !good)
    {
      g_array_free (numbers, TRUE);
      take_items (value, TTI_JSON_ARRAY, items);
    }
  else
    {
      g_array_free (items, TRUE);
      value->kind = TTI_JSON_NUMBERS;
      value->count = numbers->len;
      value->numbers = (double *) (gpointer) g_array_free (numbers, FALSE);
    }
  return good;
}

static gboolean
read_pair (Reader *reader, GPtrArray *names, GHashTable *seen, GArray *items)
{
  const char *start;
  gsize length;
  char *name;

  skip_space (reader);
  start = reader->at;
  name = read_string (reader, &length);
  if (name == NULL)
    return FALSE;
  g_ptr_array_add (names, name);
  if (!g_hash_table_add (seen, name))
    return refuse (reader, start, "a name that this object does not have already");
  skip_space (reader);
  if (!skip (reader, ':'))
    return refuse (reader, reader->at, "':'");
  skip_space (reader);
  return read_item (reader, items);
}

static gboolean
read_object (Reader *reader, TtiJson *value)
{
  GPtrArray *names = g_ptr_array_new ();
  GHashTable *seen = g_hash_table_new (g_str_hash, g_str_equal);
  GArray *items = g_array_new (FALSE, FALSE, sizeof (TtiJson));
  gboolean good = TRUE;

  skip_space (reader);
  if (!skip (reader, '}'))
    {
      do
        {
          good = read_pair (reader, names, seen, items);
          skip_space (reader);
        }
      while (good && skip (reader, ','));
      if (good && !skip (reader, '}'))
        good = refuse (reader, reader->at, "',' or '}'");
    }
  g_hash_table_destroy (seen);
  for (guint i = items->len; i < names->len; i++) /* a name whose value could not be read */
    g_free (names->pdata[i]);
  take_items (value, TTI_JSON_OBJECT, items);
  value->names = (char **)g_ptr_array_free (names, FALSE);
  return good;
}

/* Values. */

static gboolean
read_word (Reader *reader, TtiJson *value)
{
  static const struct
  {
    const char *word;
    TtiJsonKind kind;
    gboolean truth;
  } words[]
    = { { "null", TTI_JSON_NULL, FALSE }, { "true", TTI_JSON_BOOLEAN, TRUE }, { "false", TTI_JSON_BOOLEAN, FALSE } };

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      gsize length = strlen (words[i].word);

      if ((gsize) (reader->end - reader->at) >= length && memcmp (reader->at, words[i].word, length) == 0)
        {
          reader->at += length;
          value->kind = words[i].kind;
          value->truth = words[i].truth;
          return TRUE;
        }
    }
  if (is_next (reader, 'N') || is_next (reader, 'I'))
    return refuse (reader, reader->at, "a value (JSON has no NaN and no infinity)");
  return refuse (reader, reader->at, "a value");
}

static gboolean
read_nested (Reader *reader, TtiJson *value)
{
  gboolean good;

  if (++reader->depth > TTI_JSON_MOST_DEPTH)
    return refuse (reader, reader->at, "a value that is nested less deeply");
  good = *reader->at++ == '[' ? read_array (reader, value) : read_object (reader, value);
  reader->depth--;
  return good;
}

/* Read the value at the reader's place to VALUE, which is null. After a failure VALUE is null again. */
static gboolean
read_value (Reader *reader, TtiJson *value)
{
  gboolean good;

  if (++reader->values > TTI_JSON_MOST_VALUES)
    return refuse (reader, reader->at, "fewer values");
  if (is_next (reader, '[') || is_next (reader, '{'))
    good = read_nested (reader, value);
  else if (is_next (reader, '"'))
    {
      char *text = read_string (reader, &value->count);

      good = text != NULL;
      if (good)
        {
          value->kind = TTI_JSON_STRING;
          value->text = text;
        }
    }
  else if (is_number_next (reader))
    {
      value->kind = TTI_JSON_NUMBER;
      good = read_number (reader, &value->number, &value->integers);
    }
  else
    good = read_word (reader, value);
  if (!good)
    clear_value (value);
  return good;
}

TtiJson *
tti_json_read (const char *text, gsize length, GError **error)
{
  Reader reader = { .text = text, .at = text, .end = text + length, .error = error };
  TtiJson *json = g_new0 (TtiJson, 1);

  skip_space (&reader);
  if (read_value (&reader, json))
    {
      skip_space (&reader);
      if (reader.at == reader.end)
        return json;
      refuse (&reader, reader.at, "nothing more");
    }
  tti_json_free (json);
  return NULL;
}

void
tti_json_free (TtiJson *json)
{
  if (json == NULL)
    return;
  clear_value (json);
  g_free (json);
}

const TtiJson *
tti_json_get (const TtiJson *object, const char *name)
{
  if (object->kind == TTI_JSON_OBJECT)
    for (gsize i = 0; i < object->count; i++)
      if (strcmp (object->names[i], name) == 0)
        return &object->items[i];
  return NULL;
}

const char *
tti_json_describe (const TtiJson *json)
{
  static const char *const descriptions[] = {
    [TTI_JSON_NULL] = "null",
    [TTI_JSON_BOOLEAN] = "a boolean",
    [TTI_JSON_NUMBER] = "a number",
    [TTI_JSON_STRING] = "a string",
    [TTI_JSON_NUMBERS] = "an array of numbers",
    [TTI_JSON_ARRAY] = "an array that has not only numbers",
    [TTI_JSON_OBJECT] = "an object",
  };

  return descriptions[json->kind];
}
