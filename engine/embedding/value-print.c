/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values as text, for messages and for looking at them. */
#include "embedding/embedding-private.h"
#include <math.h>
#include <string.h>

enum { MOST_SHOWN = 20, MOST_DEPTH = 20 };

static void
print_real (double number, GString *text)
{
  static const char *const formats[] = { "%.15g", "%.16g", "%.17g" };
  char digits[G_ASCII_DTOSTR_BUF_SIZE];

  /* As short as can be read back. */
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    if (g_ascii_strtod (g_ascii_formatd (digits, sizeof digits, formats[i], number), NULL) == number)
      break;
  g_string_append (text, digits);
  if (strpbrk (digits, ".en") == NULL)
    g_string_append (text, ".0");
}

static void
print_vector (TuttiVector *vector, GString *text)
{
  static const char *const names[] = { "f64", "f32", "c64", "c32", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "bytes" };
  const double *numbers = tti_vector_get_data (vector->memory);

  g_string_append_printf (text, "#<%s vector of %" G_GSIZE_FORMAT, names[vector->type], vector->n);
  if (vector->type == TUTTI_ELEMENT_F64)
    for (gsize i = 0; i < vector->n; i++)
      {
        g_string_append (text, i == 0 ? ": " : " ");
        if (i == MOST_SHOWN)
          {
            g_string_append (text, "...");
            break;
          }
        print_real (numbers[i], text);
      }
  g_string_append_c (text, '>');
}

static void
print_text (TuttiValue *value, GString *text)
{
  g_string_append_c (text, '"');
  for (gsize i = 0; i < value->n; i++)
    {
      const guchar byte = (guchar) value->bytes[i];

      if (byte == '\n' || byte == '\t')
        g_string_append (text, byte == '\n' ? "\\n" : "\\t");
      else if (byte < ' ' || byte == 0x7f)
        g_string_append_printf (text, "\\x%02x;", byte);
      else if (byte == '"' || byte == '\\')
        g_string_append_printf (text, "\\%c", byte);
      else
        g_string_append_c (text, (char) byte);
    }
  g_string_append_c (text, '"');
}

/* Recursive, but not deeper than what is shown. */
static void
print_value (TuttiValue *value, guint depth, GString *text)
{
  gboolean table = value->type == TUTTI_VALUE_TABLE;

  switch ((TuttiValueType) value->type)
    {
    case TUTTI_VALUE_NULL: g_string_append (text, "null"); break;
    case TUTTI_VALUE_BOOLEAN: g_string_append (text, value->boolean ? "true" : "false"); break;
    case TUTTI_VALUE_INTEGER: g_string_append_printf (text, "%" G_GINT64_FORMAT, value->integer); break;
    case TUTTI_VALUE_REAL: print_real (value->real, text); break;
    case TUTTI_VALUE_COMPLEX:
      print_real (value->real, text);
      if (!signbit (value->imaginary) || isnan (value->imaginary))
        g_string_append_c (text, '+');
      print_real (value->imaginary, text);
      g_string_append_c (text, 'i');
      break;
    case TUTTI_VALUE_TEXT: print_text (value, text); break;
    case TUTTI_VALUE_SYMBOL: g_string_append_len (text, value->bytes, (gssize) value->n); break;
    case TUTTI_VALUE_VECTOR: print_vector (value->vector, text); break;
    case TUTTI_VALUE_OTHER: g_string_append_printf (text, "#<%s>", value->text); break;
    case TUTTI_VALUE_LIST:
    case TUTTI_VALUE_TABLE:
      g_string_append_c (text, table ? '{' : '(');
      for (gsize i = 0; i < value->n; i++)
        {
          if (i > 0)
            g_string_append (text, table ? ", " : " ");
          if (i == MOST_SHOWN || depth == MOST_DEPTH)
            {
              g_string_append (text, "...");
              break;
            }
          if (table)
            {
              print_value (value->items[2 * i], depth + 1, text);
              g_string_append (text, ": ");
            }
          g_autoptr (TuttiValue) item = tti_value_get_item (value, table ? 2 * i + 1 : i);
          print_value (item, depth + 1, text);
        }
      g_string_append_c (text, table ? '}' : ')');
      break;
    }
}

/**
 * tutti_value_print:
 * @value: a value
 *
 * Shows a value in one line, of long lists and vectors the beginning.
 *
 * Returns: (transfer full): the text, to be freed with g_free()
 */
char *
tutti_value_print (TuttiValue *value)
{
  g_return_val_if_fail (value != NULL, NULL);
  GString *text = g_string_new (NULL);

  print_value (value, 0, text);
  return g_string_free (text, FALSE);
}
