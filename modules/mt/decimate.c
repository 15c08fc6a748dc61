/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decimation by a filter without phase.
 *
 * The filter is a sinc that a Kaiser window ends (Kaiser 1974, Proc. IEEE Symp. Circuits and Systems, 20-23; the
 * estimates of its length and shape are in Oppenheim & Schafer, Discrete-Time Signal Processing, 7.6). Half of it is
 * kept, as it is symmetric. */
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

/* The taps 0 … HALF of the filter for FACTOR, whose sum over -HALF … HALF is 1. */
static double *
filter_new (size_t factor, size_t *half)
{
  double width = 2 * M_PI * TRANSITION / (double)factor;
  double beta = 0.1102 * (STOP_DB - 8.7);

  *half = (size_t)ceil ((STOP_DB - 7.95) / (2.285 * width) / 2);
  double *taps = malloc ((*half + 1) * sizeof *taps);
  if (taps == NULL)
    return NULL;
  double sum = 0;
  for (size_t k = 0; k <= *half; k++)
    {
      double place = (double)k / (double)*half, x = M_PI * (double)k / (double)factor;

      taps[k] = (k == 0 ? 1 : sin (x) / x) * bessel_i0 (beta * sqrt (1 - place * place));
      sum += k == 0 ? taps[k] : 2 * taps[k];
    }
  for (size_t k = 0; k <= *half; k++)
    taps[k] /= sum;
  return taps;
}

/* X[I], where X is continued at both ends by what is before or after, turned about its last sample: that keeps a trend. What
 * is further away than all of X repeats its other end. */
static double
continued (const double *x, ssize_t n, ssize_t i)
{
  if (i < 0)
    return 2 * x[0] - x[-i < n ? -i : n - 1];
  if (i >= n)
    return 2 * x[n - 1] - x[2 * (n - 1) - i >= 0 ? 2 * (n - 1) - i : 0];
  return x[i];
}

/* Four sums, so that additions need not wait for each other. */
static double
filtered (const double *x, const double *taps, size_t half)
{
  double sums[4] = { 0, 0, 0, 0 };
  size_t k = 1;

  for (; k + 3 <= half; k += 4)
    for (size_t i = 0; i < 4; i++)
      sums[i] += taps[k + i] * (x[k + i] + *(x - k - i));
  for (; k <= half; k++)
    sums[0] += taps[k] * (x[k] + *(x - k));
  return taps[0] * x[0] + ((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static double
filtered_at_end (const double *x, ssize_t n, ssize_t middle, const double *taps, size_t half)
{
  double sum = taps[0] * continued (x, n, middle);

  for (ssize_t k = 1; k <= (ssize_t)half; k++)
    sum += taps[k] * (continued (x, n, middle + k) + continued (x, n, middle - k));
  return sum;
}

int
tutti_mt_decimate (const double *x, size_t n, ssize_t offset, size_t factor, double *y, size_t m)
{
  size_t half;
  double *taps = filter_new (factor, &half);

  if (taps == NULL)
    return TUTTI_MT_NO_MEMORY;
  for (size_t j = 0; j < m; j++)
    {
      ssize_t middle = offset + (ssize_t)(j * factor);

      if (middle >= (ssize_t)half && middle + (ssize_t)half < (ssize_t)n)
        y[j] = filtered (x + middle, taps, half);
      else
        y[j] = filtered_at_end (x, (ssize_t)n, middle, taps, half);
    }
  free (taps);
  return 0;
}
