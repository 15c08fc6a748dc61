/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Columns of numbers, as text and as little-endian binary. */
#include "mt/files.h"
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 128 /* characters of a number */

/* Powers of ten, of which a double has the first 23 exactly, and a long double of 64 bits all. */
static const long double tens[] = { 1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                    1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                    1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L };

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

/* Parses a number of the form that all languages write, from P to END; returns false if it has another form. The results are its digits
 * as an integer, if WHOLE, and the power of ten. */
static bool
scan_number (const char *p, const char *end, uint64_t *digits, int *power, bool *whole)
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
          if (significant <= 19)
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
  *whole = significant <= 19;
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

/* DIGITS times ten to the POWER, where there is a quick way to the nearest double. */
static bool
quick_number (uint64_t digits, int power, double *x)
{
  if (digits <= (uint64_t) 1 << 53 && power >= -22 && power <= 22)
    {
      /* A single rounding of exact numbers gives the nearest double, as strtod does (Clinger 1990, "How to read floating point
       * numbers accurately"). */
      *x = power < 0 ? (double) digits / (double) tens[-power] : (double) digits * (double) tens[power];
      return true;
    }
#if LDBL_MANT_DIG == 64
  if (power >= -27 && power <= 27)
    {
      /* The same with 64 bits, which are then rounded to 53. Only if they are as good as half-way between two doubles,
       * the first rounding may have made the second go wrong. */
      int exponent;
      long double y = power < 0 ? (long double) digits / tens[-power] : (long double) digits * tens[power];
      uint64_t tail = (uint64_t) ldexpl (frexpl (y, &exponent), 64) & 0x7ff;
      *x = (double) y;
      return tail < 0x3ff || tail > 0x401;
    }
#endif
  return false;
}

/* What other programs write where a sample is missing. */
static bool
is_nan (const char *p, const char *end)
{
  return end - p == 3 && (p[0] == 'n' || p[0] == 'N') && (p[1] == 'a' || p[1] == 'A') && (p[2] == 'n' || p[2] == 'N');
}

/* Reads the number from START to END; if X is NULL, it is only checked. */
static int
read_number (const char *start, const char *end, double *x)
{
  const char *p = start;
  bool negative = *p == '-', whole;
  uint64_t digits;
  int power;

  p += *p == '-' || *p == '+';
  if (is_nan (p, end))
    {
      if (x != NULL)
        *x = NAN;
      return TUTTI_MT_GOOD;
    }
  if (end - start > LONGEST || !scan_number (p, end, &digits, &power, &whole))
    return TUTTI_MT_NO_NUMBER;
  if (x == NULL)
    return TUTTI_MT_GOOD;
  if (!(whole && quick_number (digits, power, x)))
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

/* Reads the line at *P: writes its numbers FIRST to FIRST + COUNT to Y, N apart, tells how many numbers it has, and sets *P behind
 * it. All its numbers must be valid, not only those that are written. Y is NULL if there is no room for more lines. */
static int
read_line (const char **p, const char *end, size_t first, size_t count, size_t columns, double *y, size_t n, size_t *found)
{
  const char *start;
  int status = TUTTI_MT_GOOD;

  for (*found = 0; status == TUTTI_MT_GOOD && next_number (p, end, &start); skip_comma (p, end))
    {
      (*found)++;
      if (*found > columns)
        return TUTTI_MT_MANY_COLUMNS;
      /* Two commas in a row have an empty text between them. */
      size_t column = *found - 1;
      bool wanted = y != NULL && column >= first && column - first < count;
      status = start == *p ? TUTTI_MT_NO_NUMBER : read_number (start, *p, wanted ? y + (column - first) * n : NULL);
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
tutti_mt_text_columns (const char *text, size_t size, size_t first, size_t count, size_t columns, double *y, size_t n,
                       uint64_t *place)
{
  const char *p = text, *end = text + size;
  size_t i = 0, found;

  for (place[0] = 1; p < end; place[0]++)
    {
      int status = read_line (&p, end, first, count, columns, i < n ? y + i : NULL, n, &found);
      place[1] = found;
      if (status != TUTTI_MT_GOOD)
        return status;
      if (found == 0)
        continue;
      if (i == n)
        return TUTTI_MT_MANY_LINES;
      i++;
    }
  place[1] = i;
  return i < n ? TUTTI_MT_FEW_LINES : TUTTI_MT_GOOD;
}

static const size_t sizes[] = { [TUTTI_MT_INT16] = 2, [TUTTI_MT_INT32] = 4, [TUTTI_MT_FLOAT32] = 4, [TUTTI_MT_FLOAT64] = 8 };

static double
binary_number (const uint8_t *p, int kind, bool big)
{
  size_t size = sizes[kind];
  uint64_t word = 0;
  uint32_t half;
  float single;
  double x;

  for (size_t i = 0; i < size; i++)
    word |= (uint64_t) p[i] << (8 * (big ? size - 1 - i : i));
  half = (uint32_t) word;
  switch (kind)
    {
    case TUTTI_MT_INT16:
      return (int16_t) half;
    case TUTTI_MT_INT32:
      return (int32_t) half;
    case TUTTI_MT_FLOAT32:
      memcpy (&single, &half, sizeof single);
      return single;
    default:
      memcpy (&x, &word, sizeof x);
      return x;
    }
}

int
tutti_mt_binary_column (const void *bytes, int kind, size_t column, size_t columns, double scale, double *y, size_t n,
                        uint64_t *place)
{
  bool big = kind >= TUTTI_MT_BIG_ENDIAN;
  int plain = big ? kind - TUTTI_MT_BIG_ENDIAN : kind;
  const uint8_t *p = (const uint8_t *) bytes + sizes[plain] * column;

  for (size_t i = 0; i < n; i++, p += sizes[plain] * columns)
    {
      y[i] = scale * binary_number (p, plain, big);
      if (isinf (y[i]))
        {
          place[0] = i;
          return TUTTI_MT_NOT_FINITE;
        }
    }
  return TUTTI_MT_GOOD;
}
