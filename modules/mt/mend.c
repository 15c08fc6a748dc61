/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The repair of faults.
 *
 * There is a step where the level behind a fault differs from that before it by far more than levels at this distance usually do. It is
 * subtracted from all that follows, as it would corrupt each window that contains it. */
#include "mt/clean.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_STEP 64 /* samples that a fault with a step may have */
#define STEP 8          /* normal differences of levels */
#define NORMAL 0.6745   /* the median modulus of a normal number of variance 1 */
#define PLACES 400      /* at which the usual difference is measured */
#define MOST_LEVEL 64   /* samples of a level */
#define NEAR 8          /* good samples between bad ones that are one fault */
#define RAMP 16         /* samples over which fields vanish into a long gap */

/* Bad samples of one channel with at most NEAR good ones in between are one fault; one of LONG samples or more is a fault of all
 * channels. */
void
tutti_mt_join_gaps (uint8_t *bad, size_t n, size_t channels)
{
  for (size_t c = 0; c < channels; c++)
    for (size_t i = 0, end; i < n; i = end)
      {
        uint8_t bits = TUTTI_MT_BAD (c) | TUTTI_MT_BAD_ALL;
        size_t last = i;

        end = i + 1;
        if (!(bad[i] & bits))
          continue;
        for (; end < n && end - last <= NEAR; end++)
          if (bad[end] & bits)
            last = end;
        if (last - i + 1 >= TUTTI_MT_SHORT)
          for (size_t k = i; k <= last; k++)
            bad[k] |= TUTTI_MT_BAD_ALL;
        end = last + 1;
      }
}

/*** Steps. ***/

static int
by_size (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static double
median (double *numbers, size_t n)
{
  qsort (numbers, n, sizeof *numbers, by_size);
  return n == 0 ? 0 : n % 2 != 0 ? numbers[n / 2] : (numbers[n / 2 - 1] + numbers[n / 2]) / 2;
}

/* The median of up to COUNT good samples before I (DIRECTION -1), or from I on (1). COUNT becomes the number of those that were found. */
static double
level_at (const double *y, const uint8_t *bad, size_t n, size_t i, int direction, size_t *count)
{
  double samples[MOST_LEVEL];
  size_t found = 0;

  for (size_t k = 0; k < *count && (direction > 0 ? i + k < n : i > k); k++)
    {
      size_t at = direction > 0 ? i + k : i - 1 - k;

      if (bad[at])
        break;
      samples[found++] = y[at];
    }
  *count = found;
  return median (samples, found);
}

/* The usual difference of levels of COUNT samples on both sides of GAP samples. */
static double
usual_difference (const double *y, const uint8_t *bad, size_t n, size_t gap, size_t count, double *spare)
{
  size_t found = 0;

  for (size_t p = 0; p < PLACES; p++)
    {
      size_t i = (size_t)((double)p / PLACES * (double)n), before = count, after = count;
      double low = level_at (y, bad, n, i, -1, &before), high = level_at (y, bad, n, i + gap < n ? i + gap : n, 1, &after);

      if (before == count && after == count)
        spare[found++] = fabs (high - low);
    }
  return found >= 20 ? median (spare, found) / NORMAL : INFINITY;
}

/* A level is the median of as many samples as make the usual difference of levels smallest. */
typedef struct
{
  size_t count;
  double usual;
} Level;

static Level
best_level (const double *y, const uint8_t *bad, size_t n, size_t gap, double *spare)
{
  Level best = { 1, INFINITY };

  for (size_t count = 1; count <= MOST_LEVEL; count *= 4)
    {
      double usual = usual_difference (y, bad, n, gap, count, spare);

      if (usual < best.usual)
        best = (Level){ count, usual };
    }
  return best;
}

static void
take_steps_out (double *y, size_t n, const uint8_t *bad, double *spare)
{
  enum { GAPS = 7 }; /* of 1, 2, 4 … LONGEST_STEP samples */
  Level levels[GAPS] = { 0 };
  double offset = 0;

  for (size_t i = 0, end; i < n; i = end)
    {
      y[i] -= offset;
      end = i + 1;
      if (!bad[i])
        continue;
      while (end < n && bad[end])
        end++;
      if (i == 0 || end == n || end - i > LONGEST_STEP)
        {
          for (size_t k = i + 1; k < end; k++)
            y[k] -= offset;
          continue;
        }
      int g = 0;
      while (((size_t)1 << g) < end - i)
        g++;
      if (levels[g].count == 0)
        levels[g] = best_level (y, bad, n, (size_t)1 << g, spare);
      size_t before = levels[g].count, after = levels[g].count;
      double low = level_at (y, bad, n, i, -1, &before), high = level_at (y, bad, n, end, 1, &after) - offset;
      double fewer = sqrt ((double)levels[g].count / (double)(before < after ? before : after));

      if (fabs (high - low) > STEP * levels[g].usual * fewer)
        offset += high - low;
    }
}

/* Fades up to RAMP good samples before I, or from I on, into their mean, which is returned. Otherwise high frequencies would leak from
 * the edges of the gap. */
static double
ramp (double *y, const uint8_t *bad, size_t n, size_t i, int direction)
{
  size_t count = 0;
  double sum = 0;

#define AT(k) y[direction > 0 ? i + (k) : i - 1 - (k)]
  while (count < RAMP && (direction > 0 ? i + count < n && !bad[i + count] : i > count && !bad[i - 1 - count]))
    sum += AT (count++);
  double mean = count > 0 ? sum / (double)count : 0;
  for (size_t k = 0; k < count; k++)
    AT (k) = mean + (AT (k) - mean) * (1 - cos (M_PI * ((double)k + 1) / ((double)count + 1))) / 2;
#undef AT
  return mean;
}

static void
fill (double *y, size_t n, const uint8_t *bad, int likely)
{
  double variogram[TUTTI_MT_LAGS];

  tutti_mt_variogram (y, bad, n, variogram);
  for (size_t i = 0, end; i < n; i = end)
    {
      end = i + 1;
      if (!bad[i])
        continue;
      while (end < n && bad[end])
        end++;
      int is_long = end - i >= TUTTI_MT_SHORT;

      if (likely && !is_long && tutti_mt_interpolate (y, bad, n, i, end, variogram))
        continue;
      double before = i > 0 ? y[i - 1] : 0, after = end < n ? y[end] : 0;
      if (is_long && i > 0)
        before = ramp (y, bad, n, i, -1);
      if (is_long && end < n)
        after = ramp (y, bad, n, end, 1);
      if (i == 0)
        before = after;
      if (end == n)
        after = before;
      for (size_t k = i; k < end; k++)
        y[k] = before + (after - before) * (double)(k - i + 1) / (double)(end - i + 1);
    }
}

int
tutti_mt_mend (double *y, size_t n, const uint8_t *flags, const uint8_t *bursts, int bits, size_t channel, int likely, uint8_t *bad)
{
  for (size_t i = 0; i < n; i++)
    bad[i] = (flags[i] & (TUTTI_MT_BAD (channel) | TUTTI_MT_BAD_ALL)) != 0 || (bursts[i] & bits) != 0;
  if (memchr (bad, 1, n) == NULL)
    return 0;
  double *spare = malloc (PLACES * sizeof *spare);
  if (spare == NULL)
    return TUTTI_MT_NO_MEMORY;
  take_steps_out (y, n, bad, spare);
  fill (y, n, bad, likely);
  free (spare);
  return 1;
}

void
tutti_mt_copy_single (const double *y, size_t n, float *x)
{
  for (size_t i = 0; i < n; i++)
    x[i] = (float)y[i];
}

void
tutti_mt_decimate_flags (const uint8_t *bad, size_t n, ssize_t offset, size_t factor, uint8_t *less, size_t m)
{
  for (size_t j = 0; j < m; j++)
    {
      ssize_t middle = offset + (ssize_t)(j * factor), first = middle - (ssize_t)(factor / 2);
      size_t count = 0, asked = 0;

      for (ssize_t i = first; i < first + (ssize_t)factor; i++)
        if (i >= 0 && i < (ssize_t)n)
          {
            count += bad[i];
            asked++;
          }
      less[j] = 2 * count > asked;
    }
}
