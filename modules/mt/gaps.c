/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Gaps: samples that are not numbers, that do not change, or that are at the end of the range of an instrument. */
#include "mt/files.h"
#include <math.h>
#include <stdbool.h>

/* A sample that is nearer to an extreme than this fraction of it counts as at it: a sine computed in floating point does not always have
 * the same largest value. */
#define AT_EXTREME 1e-14
#define NEXT_TO_EXTREME 1e-3 /* of the range: samples as near as this to the number next to an extreme count as next to it */

typedef struct
{
  uint64_t count, runs, beyond; /* samples at an extreme, in how many runs, and those next to it */
  double next;                  /* the number next to it */
} Extreme;

/* The upper extreme of SIGN times X: samples of at least HIGH are at it, those of at most LOW at the other one. */
static Extreme
count_extreme (const double *x, size_t n, double sign, double low, double high)
{
  Extreme extreme = { .next = -INFINITY };
  bool before = false;

  for (size_t i = 0; i < n; i++)
    {
      double y = sign * x[i];
      bool at = y >= high;

      extreme.count += at;
      extreme.runs += at && !before;
      if (!at && y > low && y > extreme.next)
        extreme.next = y;
      before = at;
    }
  double close = extreme.next - NEXT_TO_EXTREME * (extreme.next - low);
  for (size_t i = 0; i < n; i++)
    extreme.beyond += sign * x[i] >= close && sign * x[i] < high;
  extreme.next *= sign;
  return extreme;
}

void
tutti_mt_extremes (const double *x, size_t n, double *values, uint64_t *counts)
{
  double least = INFINITY, most = -INFINITY;

  for (size_t i = 0; i < n; i++)
    {
      least = x[i] < least ? x[i] : least;
      most = x[i] > most ? x[i] : most;
    }
  double low = least + AT_EXTREME * fabs (least), high = most - AT_EXTREME * fabs (most);
  Extreme lower = count_extreme (x, n, -1, -high, -low), upper = count_extreme (x, n, 1, low, high);
  values[0] = low;
  values[1] = lower.next;
  values[2] = upper.next;
  values[3] = high;
  counts[0] = lower.count;
  counts[1] = lower.runs;
  counts[2] = lower.beyond;
  counts[3] = upper.count;
  counts[4] = upper.runs;
  counts[5] = upper.beyond;
}

static int
kind_of (double x, double low, double high)
{
  if (isnan (x))
    return TUTTI_MT_MISSING;
  if (x <= low || x >= high)
    return x == 0 ? TUTTI_MT_ZEROS : TUTTI_MT_SATURATED;
  return x == 0 ? TUTTI_MT_ZEROS : TUTTI_MT_STUCK;
}

/* Where the run of samples of KIND that begins at I ends; they are equal if KIND is that of samples that do not change. */
static size_t
run_end (const double *x, size_t n, size_t i, double low, double high, int kind)
{
  size_t end = i + 1;

  while (end < n && kind_of (x[end], low, high) == kind && (kind != TUTTI_MT_STUCK || x[end] == x[i]))
    end++;
  return end;
}

void
tutti_mt_repeats (const double *x, size_t n, uint64_t *counts, double *step)
{
  counts[0] = counts[1] = 0;
  *step = INFINITY;
  for (size_t i = 1; i < n; i++)
    {
      double difference = fabs (x[i] - x[i - 1]);

      if (difference > 0 && difference < *step)
        *step = difference;
    }
  for (size_t i = 0, end; i < n; i = end)
    {
      int kind = kind_of (x[i], -INFINITY, INFINITY);

      end = run_end (x, n, i, -INFINITY, INFINITY, kind);
      counts[0] += kind == TUTTI_MT_STUCK;
      counts[1] += kind == TUTTI_MT_STUCK && end - i > 1;
    }
}

/* A field that is weaker than the steps of the instrument does not change either, but comes and goes by single steps. */
static bool
jumps (const double *x, size_t n, size_t start, size_t end, double step)
{
  double before = start > 0 ? fabs (x[start] - x[start - 1]) : 0, after = end < n ? fabs (x[end] - x[start]) : 0;

  return !(before < 1.5 * step && after < 1.5 * step);
}

size_t
tutti_mt_gaps (const double *x, size_t n, double low, double high, double step, size_t zeros, size_t equal, uint64_t *gaps, size_t room)
{
  size_t found = 0;

  for (size_t i = 0, end; i < n; i = end)
    {
      int kind = kind_of (x[i], low, high);

      end = run_end (x, n, i, low, high, kind);
      bool outside = x[i] <= low || x[i] >= high;
      size_t least = outside ? 1 : kind == TUTTI_MT_ZEROS ? zeros : kind == TUTTI_MT_STUCK ? equal : 1;
      if (end - i < least || (least > 1 && !jumps (x, n, i, end, step)))
        continue;
      if (found < room)
        {
          gaps[3 * found] = i;
          gaps[3 * found + 1] = end;
          gaps[3 * found + 2] = (uint64_t) kind;
        }
      found++;
    }
  return found;
}

void
tutti_mt_fill (double *x, size_t n, size_t start, size_t end)
{
  double before = start > 0 ? x[start - 1] : end < n ? x[end] : 0, after = end < n ? x[end] : before;
  double steps = (double) (end - start + 1);

  for (size_t i = start; i < end; i++)
    x[i] = before + (after - before) * ((double) (i - start + 1) / steps);
}

/* Twice: the mean first, as the difference of two large sums would be nothing but rounding. */
void
tutti_mt_line (const double *x, size_t n, double *numbers)
{
  double size = (double) n, middle = (size - 1) / 2, sum = 0, moment = 0, squares = 0, largest = 0;

  for (size_t i = 0; i < n; i++)
    sum += x[i];
  double mean = sum / size;
  for (size_t i = 0; i < n; i++)
    moment += ((double) i - middle) * (x[i] - mean);
  double slope = n > 1 ? moment / (size * (size * size - 1) / 12) : 0;
  for (size_t i = 0; i < n; i++)
    {
      double rest = x[i] - mean - slope * ((double) i - middle);

      squares += rest * rest;
      largest = fabs (x[i]) > largest ? fabs (x[i]) : largest;
    }
  numbers[0] = sqrt (squares / size);
  numbers[1] = largest;
  numbers[2] = mean;
  numbers[3] = slope;
}

/* A, and the squares of Y - A X: for the series without their straight lines, and for their differences. */
static double
rest_of (double xx, double xy, double yy)
{
  return xx > 0 && yy > 0 ? fmax (0, 1 - xy / xx * (xy / yy)) : 1;
}

void
tutti_mt_proportion (const double *x, const double *y, size_t n, double *numbers)
{
  double lines[2][4], middle = ((double) n - 1) / 2, power[3] = { 0 }, steps[3] = { 0 }, before[2] = { 0 };

  tutti_mt_line (x, n, lines[0]);
  tutti_mt_line (y, n, lines[1]);
  for (size_t i = 0; i < n; i++)
    {
      double a = x[i] - lines[0][2] - lines[0][3] * ((double) i - middle);
      double b = y[i] - lines[1][2] - lines[1][3] * ((double) i - middle);
      double da = i > 0 ? a - before[0] : 0, db = i > 0 ? b - before[1] : 0;

      power[0] += a * a;
      power[1] += a * b;
      power[2] += b * b;
      steps[0] += da * da;
      steps[1] += da * db;
      steps[2] += db * db;
      before[0] = a;
      before[1] = b;
    }
  numbers[0] = power[0] > 0 ? power[1] / power[0] : 0;
  numbers[1] = fmax (rest_of (power[0], power[1], power[2]), rest_of (steps[0], steps[1], steps[2]));
}
