/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Columns of numbers, as text and as little-endian binary. */
#include "mt/files.h"
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 128 /* characters of a number */

/* Powers of ten that a double has exactly. */
static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static bool
is_digit (char c)
{
  return c >= '0' && c <= '9';
}

static bool
is_blank (char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool
ends_number (char c)
{
  return is_blank (c) || c == '\n' || c == ',' || c == '#';
}

/* A number of the form that all languages write, in START to END; false if it has another. What comes out are its digits as
 * an integer, if they are few enough, and the power of ten. */
static bool
scan_number (const char *p, const char *end, uint64_t *digits, int *power, bool *exact)
{
  int n_digits = 0, significant = 0, exponent = 0;
  bool negative = false;

  *digits = 0;
  *power = 0;
  for (bool fraction = false; p < end; p++)
    {
      if (*p == '.' && !fraction)
        fraction = true;
      else if (is_digit (*p))
        {
          n_digits++;
          significant += significant > 0 || *p != '0';
          if (significant <= 18)
            *digits = 10 * *digits + (uint64_t) (*p - '0');
          *power -= fraction;
        }
      else
        break;
    }
  if (n_digits > 0 && p < end && (*p == 'e' || *p == 'E'))
    {
      p++;
      if (p < end && (*p == '+' || *p == '-'))
        negative = *p++ == '-';
      if (p == end)
        return false;
      for (; p < end && is_digit (*p); p++)
        exponent = exponent < 100000 ? 10 * exponent + (*p - '0') : exponent;
    }
  *power += negative ? -exponent : exponent;
  *exact = significant <= 18 && *digits <= (uint64_t) 1 << 53 && *power >= -22 && *power <= 22;
  return n_digits > 0 && p == end;
}

/* What the C library makes of the same characters, whatever the locale. */
static double
slow_number (const char *start, const char *end)
{
  char text[LONGEST + 1];
  locale_t c_locale = newlocale (LC_ALL_MASK, "C", (locale_t) 0);
  double x;

  memcpy (text, start, (size_t) (end - start));
  text[end - start] = '\0';
  x = strtod_l (text, NULL, c_locale);
  freelocale (c_locale);
  return x;
}

/* One rounding only where digits and power of ten are exact, so that the result is the nearest double, as strtod's is (Clinger
 * 1990, "How to read floating point numbers accurately"). */
static int
read_number (const char *start, const char *end, double *x)
{
  const char *p = start;
  bool negative = *p == '-', exact;
  uint64_t digits;
  int power;

  p += *p == '-' || *p == '+';
  if (end - start > LONGEST || !scan_number (p, end, &digits, &power, &exact))
    return TUTTI_MT_NO_NUMBER;
  if (exact)
    *x = power < 0 ? (double) digits / tens[-power] : (double) digits * tens[power];
  else
    *x = slow_number (p, end);
  if (negative)
    *x = -*x;
  return isfinite (*x) ? TUTTI_MT_GOOD : TUTTI_MT_NOT_FINITE;
}

/* Finds the next number of the line at *P, START to *P. Returns false at the end of the line. */
static bool
next_number (const char **p, const char *end, const char **start)
{
  while (*p < end && is_blank (**p))
    (*p)++;
  *start = *p;
  if (*p == end || **p == '\n' || **p == '#')
    return false;
  while (*p < end && !ends_number (**p))
    (*p)++;
  return true;
}

/* Steps over the comma that may be behind a number; one more number must follow it. */
static void
skip_comma (const char **p, const char *end)
{
  while (*p < end && is_blank (**p))
    (*p)++;
  if (*p < end && **p == ',')
    (*p)++;
}

/* The line from *P on: *Y, how many numbers it has, and *P behind it. All numbers must be some, not only that of COLUMN. */
static int
read_line (const char **p, const char *end, size_t column, size_t columns, double *y, size_t *found)
{
  const char *start;
  int status = TUTTI_MT_GOOD;

  for (*found = 0; status == TUTTI_MT_GOOD && next_number (p, end, &start); skip_comma (p, end))
    {
      double x;
      (*found)++;
      if (*found > columns)
        return TUTTI_MT_MANY_COLUMNS;
      /* Two commas in a row have an empty text between them. */
      status = start == *p ? TUTTI_MT_NO_NUMBER : read_number (start, *p, &x);
      if (status == TUTTI_MT_GOOD && *found == column + 1)
        *y = x;
    }
  if (status == TUTTI_MT_GOOD && *found > 0 && *found < columns)
    return TUTTI_MT_FEW_COLUMNS;
  if (status == TUTTI_MT_GOOD)
    {
      const char *newline = *p < end ? memchr (*p, '\n', (size_t) (end - *p)) : NULL;
      *p = newline != NULL ? newline + 1 : end;
    }
  return status;
}

int
tutti_mt_text_column (const char *text, size_t size, size_t column, size_t columns, double scale, double *y, size_t n,
                      uint64_t *place)
{
  const char *p = text, *end = text + size;
  size_t i = 0, found;
  double x = 0;

  for (place[0] = 1; p < end; place[0]++)
    {
      int status = read_line (&p, end, column, columns, &x, &found);
      place[1] = found;
      if (status != TUTTI_MT_GOOD)
        return status;
      if (found == 0)
        continue;
      if (i == n)
        return TUTTI_MT_MANY_LINES;
      y[i++] = x * scale;
    }
  place[1] = i;
  return i < n ? TUTTI_MT_FEW_LINES : TUTTI_MT_GOOD;
}

static uint32_t
little_endian (const uint8_t *p)
{
  return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

int
tutti_mt_binary_column (const void *bytes, int is_float, size_t column, size_t columns, double scale, double *y, size_t n,
                        uint64_t *place)
{
  const uint8_t *p = (const uint8_t *) bytes + 4 * column;

  for (size_t i = 0; i < n; i++, p += 4 * columns)
    {
      uint32_t word = little_endian (p);
      float x;
      memcpy (&x, &word, sizeof x);
      if (is_float && !isfinite (x))
        {
          place[0] = i;
          return TUTTI_MT_NOT_FINITE;
        }
      y[i] = scale * (is_float ? (double) x : (double) (int32_t) word);
    }
  return TUTTI_MT_GOOD;
}
