/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Lines of a CSV file. */
#include "file/file.h"
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 32 };   /* bytes of a number */

/* Writes X, which reading gives back bit by bit, and in a way that shows that it need not be an integer. Returns its length. */
static size_t
print_number (double x, char decimal, char *text)
{
  char *point;

  if (isnan (x))
    return (size_t) snprintf (text, LONGEST, "NaN");
  if (isinf (x))
    return (size_t) snprintf (text, LONGEST, x > 0 ? "inf" : "-inf");
  char shortest[LONGEST];

  if (fabs (x) < 1e15 && x == trunc (x))
    snprintf (shortest, LONGEST, "%.1f", x);
  else
    for (int digits = 15; digits <= 17; digits++)
      {
        snprintf (shortest, LONGEST, "%.*g", digits, x);
        if (strtod (shortest, NULL) == x)
          break;
      }
  strcpy (text, shortest);
  if (strpbrk (text, ".e") == NULL)
    strcat (text, ".0");
  point = strchr (text, '.');
  if (point != NULL)
    *point = decimal;
  return strlen (text);
}

/* What ROW needs at most, with its separators. */
static size_t
room_for (size_t n_columns, const uint8_t *kinds, const uint64_t *offsets, size_t row)
{
  size_t room = 0;

  for (size_t c = 0; c < n_columns; c++)
    {
      const uint64_t *offset = (const uint64_t *) (uintptr_t) offsets[c];

      room += 1 + (kinds[c] == TUTTI_CSV_TEXT ? (size_t) (offset[row + 1] - offset[row]) : LONGEST);
    }
  return room;
}

static char *
print_cell (int kind, const void *data, const uint64_t *offset, size_t row, char decimal, char *p)
{
  size_t length;

  if (kind == TUTTI_CSV_INTEGERS)
    return p + snprintf (p, LONGEST, "%" PRId64, ((const int64_t *) data)[row]);
  if (kind == TUTTI_CSV_NUMBERS)
    return p + print_number (((const double *) data)[row], decimal, p);
  length = (size_t) (offset[row + 1] - offset[row]);
  memcpy (p, (const char *) data + offset[row], length);
  return p + length;
}

size_t
tutti_csv_print (size_t n_columns, const uint8_t *kinds, const uint64_t *data, const uint64_t *offsets, size_t first, size_t end,
                 char separator, char decimal, char *text, size_t room, uint64_t *rows)
{
  locale_t c = newlocale (LC_ALL_MASK, "C", (locale_t) 0), before = uselocale (c);   /* for the decimal point */
  char *p = text;
  size_t row = first;

  for (; row < end && room_for (n_columns, kinds, offsets, row) <= room - (size_t) (p - text); row++)
    {
      for (size_t i = 0; i < n_columns; i++)
        {
          p = print_cell (kinds[i], (const void *) (uintptr_t) data[i], (const uint64_t *) (uintptr_t) offsets[i], row, decimal, p);
          *p++ = separator;
        }
      p[-1] = '\n';
    }
  uselocale (before);
  if (c != (locale_t) 0)
    freelocale (c);
  *rows = row - first;
  return (size_t) (p - text);
}
