/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The columns of a CSV file as numbers, integers, or text. */
#include "file/file.h"
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct
{
  const char *p;
  size_t length;
  bool quoted;
} Field;

size_t
tutti_csv_column (TuttiCsvColumn *column, const char *text, const uint64_t *fields, size_t stride, size_t rows, const char *missing,
                  size_t n_missing, char decimal)
{
  if (column != NULL)
    *column = (TuttiCsvColumn) { text, fields, stride, rows, missing, n_missing, decimal };
  return sizeof *column;
}

static bool
is_blank (char c)
{
  return c == ' ' || c == '\t';
}

/* The field in ROW without the blanks around it. */
static Field
field_at (const TuttiCsvColumn *column, size_t row)
{
  const uint64_t *field = column->fields + TUTTI_CSV_WORDS * column->stride * row;
  Field f = { column->text + field[TUTTI_CSV_START], field[TUTTI_CSV_LENGTH] >> 2, field[TUTTI_CSV_LENGTH] & 1 };

  for (; f.length > 0 && is_blank (f.p[0]); f.p++)
    f.length--;
  while (f.length > 0 && is_blank (f.p[f.length - 1]))
    f.length--;
  return f;
}

static bool
is_missing (const TuttiCsvColumn *column, const Field *f)
{
  const char *word = column->missing;

  if (f->quoted)
    return f->length == 0;
  for (size_t i = 0; i < column->n_missing; i++, word += strlen (word) + 1)
    if (strlen (word) == f->length && memcmp (word, f->p, f->length) == 0)
      return true;
  return false;
}

static bool
is_digit (char c)
{
  return c >= '0' && c <= '9';
}

/* An integer in digits that fits into 64 bits. */
static bool
as_integer (const Field *f, int64_t *integer)
{
  const char *p = f->p, *end = f->p + f->length;
  bool negative = p < end && *p == '-';
  uint64_t limit = negative ? (uint64_t) INT64_MAX + 1 : INT64_MAX, n = 0;

  p += p < end && (*p == '-' || *p == '+');
  if (p == end)
    return false;
  for (; p < end; p++)
    {
      if (!is_digit (*p) || n > (limit - (uint64_t) (*p - '0')) / 10)
        return false;
      n = 10 * n + (uint64_t) (*p - '0');
    }
  *integer = negative ? (int64_t) (0 - n) : (int64_t) n;
  return true;
}

static locale_t locale_of_c;

static void
make_locale (void)
{
  locale_of_c = newlocale (LC_ALL_MASK, "C", (locale_t) 0);
}

/* The locale in which numbers have points, whatever the user's language. */
static locale_t
get_locale (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, make_locale);
  return locale_of_c;
}

/* What the C library makes of a number's text. */
static double
slow_number (const Field *f, char decimal)
{
  char small[128], *text = f->length < sizeof small ? small : malloc (f->length + 1);
  double x = NAN;

  if (text != NULL && get_locale () != (locale_t) 0)
    {
      memcpy (text, f->p, f->length);
      text[f->length] = '\0';
      if (decimal != '.' && memchr (text, decimal, f->length) != NULL)
        *strchr (text, decimal) = '.';
      x = strtod_l (text, NULL, get_locale ());
    }
  if (text != small)
    free (text);
  return x;
}

/* The words that are numbers: inf, infinity and nan, with a sign or without. */
static bool
as_word (const char *p, const char *end, bool negative, double *x)
{
  size_t n = (size_t) (end - p);

  if ((n == 3 && strncasecmp (p, "inf", n) == 0) || (n == 8 && strncasecmp (p, "infinity", n) == 0))
    *x = negative ? -INFINITY : INFINITY;
  else if (n == 3 && strncasecmp (p, "nan", n) == 0)
    *x = NAN;
  else
    return false;
  return true;
}

/* X may be NULL, when it is only to be known whether F is a number. */
static bool
as_number (const Field *f, char decimal, double *x)
{
  static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
  const char *p = f->p, *end = f->p + f->length;
  bool negative = p < end && *p == '-', fraction = false, minus = false;
  uint64_t digits = 0;
  int significant = 0;
  int64_t n = 0, power = 0, exponent = 0;

  p += p < end && (*p == '-' || *p == '+');
  for (; p < end && (is_digit (*p) || (*p == decimal && !fraction)); p++)
    if (!is_digit (*p))
      fraction = true;
    else
      {
        n++;
        significant += significant > 0 ? significant < 100 : *p != '0';
        if (significant <= 15)
          digits = 10 * digits + (uint64_t) (*p - '0');
        power -= fraction;
      }
  if (n == 0)
    {
      double word;

      return !fraction && as_word (p, end, negative, x != NULL ? x : &word);
    }
  if (p < end && (*p == 'e' || *p == 'E'))
    {
      p++;
      minus = p < end && *p == '-';
      p += p < end && (*p == '-' || *p == '+');
      if (p == end)
        return false;
      for (; p < end && is_digit (*p); p++)
        exponent = exponent < INT64_MAX / 100 ? 10 * exponent + (*p - '0') : exponent;
    }
  if (p < end || x == NULL)
    return p == end;
  power += minus ? -exponent : exponent;
  /* Both are exact then, so that the quotient or product is rounded once. */
  if (significant <= 15 && power >= -22 && power <= 22)
    {
      *x = power < 0 ? (double) digits / tens[-power] : (double) digits * tens[power];
      if (negative)
        *x = -*x;
    }
  else
    *x = slow_number (f, decimal);
  return true;
}

int
tutti_csv_kind (const TuttiCsvColumn *column)
{
  bool integers = true, some = false, empty = false;

  for (size_t row = 0; row < column->rows; row++)
    {
      Field f = field_at (column, row);
      int64_t integer;

      if (is_missing (column, &f))
        {
          integers = false;
          empty = empty || f.quoted;
          continue;
        }
      some = true;
      if (integers && as_integer (&f, &integer))
        continue;
      integers = false;
      if (!as_number (&f, column->decimal, NULL))
        return TUTTI_CSV_TEXT;
    }
  /* A column of nothing but "" has texts. */
  return !some && empty ? TUTTI_CSV_TEXT : integers && some ? TUTTI_CSV_INTEGERS : TUTTI_CSV_NUMBERS;
}

size_t
tutti_csv_numbers (const TuttiCsvColumn *column, double *numbers)
{
  for (size_t row = 0; row < column->rows; row++)
    {
      Field f = field_at (column, row);

      if (is_missing (column, &f))
        numbers[row] = NAN;
      else if (!as_number (&f, column->decimal, numbers + row))
        return row;
    }
  return column->rows;
}

size_t
tutti_csv_integers (const TuttiCsvColumn *column, int64_t *integers)
{
  for (size_t row = 0; row < column->rows; row++)
    {
      Field f = field_at (column, row);

      if (!as_integer (&f, integers + row))
        return row;
    }
  return column->rows;
}
