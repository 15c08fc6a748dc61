/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decimation with a zero-phase filter.
 *
 * The filter is a sinc with a Kaiser window (Kaiser 1974, Proc. IEEE Symp. Circuits and Systems, 20-23; the
 * estimates of its length and shape are in Oppenheim & Schafer, Discrete-Time Signal Processing, 7.6). */
#include "mt/mt.h"
#include <math.h>
#include <stdlib.h>

#define STOP_DB 100.0
#define TRANSITION 0.25 /* of the new sampling rate, around half of it: from 3/8 to 5/8, so that up to 3/8 is clean */

/* The modified Bessel function I_0 (Abramowitz & Stegun 1964, 9.6.12). */
static double
bessel_i0 (double x)
{
  double sum = 1, term = 1;

  for (int k = 1; term > 1e-17 * sum; k++)
    {
      term *= (x / (2 * k)) * (x / (2 * k));
      sum += term;
    }
  return sum;
}

#define LANES 8 /* sums that are kept apart, so that additions need not wait for each other */

/* Two numbers that the processor computes with at once, anywhere in memory. */
typedef double Pair __attribute__ ((vector_size (2 * sizeof (double)), aligned (sizeof (double)), may_alias));

typedef struct
{
  size_t half;  /* taps on each side of the middle */
  size_t count; /* of all taps with zeros after them, a multiple of LANES */
  double *taps;
} Filter;

/* The sum of the taps is 1. */
static int
filter_init (Filter *filter, size_t factor)
{
  double width = 2 * M_PI * TRANSITION / (double)factor;
  double beta = 0.1102 * (STOP_DB - 8.7), sum = 0;

  filter->half = (size_t)ceil ((STOP_DB - 7.95) / (2.285 * width) / 2);
  filter->count = (2 * filter->half + LANES) / LANES * LANES;
  filter->taps = calloc (filter->count, sizeof *filter->taps);
  if (filter->taps == NULL)
    return TUTTI_MT_NO_MEMORY;
  double *middle = filter->taps + filter->half;
  for (size_t k = 0; k <= filter->half; k++)
    {
      double place = (double)k / (double)filter->half, x = M_PI * (double)k / (double)factor;
      double tap = (k == 0 ? 1 : sin (x) / x) * bessel_i0 (beta * sqrt (1 - place * place));

      middle[k] = *(middle - k) = tap;
      sum += k == 0 ? tap : 2 * tap;
    }
  for (size_t k = 0; k < filter->count; k++)
    filter->taps[k] /= sum;
  return 0;
}

/* X[I], where X is continued at both ends by its point reflection about the last sample, which keeps a trend. Further away than the
 * length of X, the other end is repeated. */
static double
continued (const double *x, ssize_t n, ssize_t i)
{
  if (i < 0)
    return 2 * x[0] - x[-i < n ? -i : n - 1];
  if (i >= n)
    return 2 * x[n - 1] - x[2 * (n - 1) - i >= 0 ? 2 * (n - 1) - i : 0];
  return x[i];
}

static double
filtered (const Filter *filter, const double *x)
{
  Pair sums[LANES / 2] = { { 0, 0 } };

  for (size_t k = 0; k < filter->count; k += LANES)
    for (size_t lane = 0; lane < LANES / 2; lane++)
      sums[lane] += *(const Pair *)(filter->taps + k + 2 * lane) * *(const Pair *)(x + k + 2 * lane);
  Pair sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return sum[0] + sum[1];
}

static double
filtered_at_end (const Filter *filter, const double *x, ssize_t n, ssize_t first)
{
  double sum = 0;

  for (size_t k = 0; k <= 2 * filter->half; k++)
    sum += filter->taps[k] * continued (x, n, first + (ssize_t)k);
  return sum;
}

int
tutti_mt_decimate (const double *x, size_t n, ssize_t offset, size_t factor, double *y, size_t m)
{
  Filter filter;

  if (filter_init (&filter, factor) != 0)
    return TUTTI_MT_NO_MEMORY;
  for (size_t j = 0; j < m; j++)
    {
      ssize_t first = offset + (ssize_t)(j * factor) - (ssize_t)filter.half;

      if (first >= 0 && first + (ssize_t)filter.count <= (ssize_t)n)
        y[j] = filtered (&filter, x + first);
      else
        y[j] = filtered_at_end (&filter, x, (ssize_t)n, first);
    }
  free (filter.taps);
  return 0;
}
