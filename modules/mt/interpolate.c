/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Likely values of a few samples: their conditional mean, given their neighbours, by the variogram of the series (Matheron 1963,
 * Economic Geology 58, 1246-1266). The error of such a value is not correlated with the value, so that it does not bias transfer
 * functions towards zero, as noise that is added to a field does. */
#include "mt/clean.h"
#include <math.h>
#include <string.h>

#define SIDE TUTTI_MT_SIDE
#define KNOWN (2 * SIDE)
#define RIDGE 1e-9      /* of the variance */
#define PAIRS 30000     /* that a variogram is estimated from */

void
tutti_mt_variogram (const double *y, const uint8_t *bad, size_t n, double *variogram)
{
  size_t stride = n / PAIRS + 1;

  for (size_t lag = 0; lag < TUTTI_MT_LAGS; lag++)
    {
      double sum = 0;
      size_t count = 0;

      for (size_t i = 0; i + lag < n; i += stride)
        if (!bad[i] && !bad[i + lag])
          {
            sum += (y[i + lag] - y[i]) * (y[i + lag] - y[i]) / 2;
            count++;
          }
      variogram[lag] = count > 0 ? sum / (double)count : 0;
    }
}

/* Solves A X = B in place; A is symmetric and positive definite but for rounding. Returns whether that was so. */
static int
solve (size_t n, double a[][KNOWN], size_t columns, double b[][TUTTI_MT_SHORT])
{
  for (size_t k = 0; k < n; k++)
    {
      if (!(a[k][k] > 0))
        return 0;
      for (size_t i = k + 1; i < n; i++)
        {
          double factor = a[i][k] / a[k][k];

          for (size_t j = k; j < n; j++)
            a[i][j] -= factor * a[k][j];
          for (size_t j = 0; j < columns; j++)
            b[i][j] -= factor * b[k][j];
        }
    }
  for (size_t k = n; k-- > 0;)
    for (size_t j = 0; j < columns; j++)
      {
        for (size_t i = k + 1; i < n; i++)
          b[k][j] -= a[k][i] * b[i][j];
        b[k][j] /= a[k][k];
      }
  return 1;
}

static double
covariance (const double *variogram, double sill, size_t a, size_t b)
{
  return sill - variogram[a > b ? a - b : b - a];
}

/* The good samples among SIDE samples on each side of the gap from FIRST to END. */
static size_t
find_known (const uint8_t *bad, size_t n, size_t first, size_t end, size_t *known)
{
  size_t count = 0;

  for (size_t k = 1; k <= SIDE; k++)
    {
      if (first >= k && !bad[first - k])
        known[count++] = first - k;
      if (end + k - 1 < n && !bad[end + k - 1])
        known[count++] = end + k - 1;
    }
  return count;
}

int
tutti_mt_interpolate (double *y, const uint8_t *bad, size_t n, size_t first, size_t end, const double *variogram)
{
  size_t known[KNOWN], count = find_known (bad, n, first, end, known);
  double a[KNOWN][KNOWN], b[KNOWN][TUTTI_MT_SHORT], sill = 0, mean = 0;

  for (size_t lag = 0; lag < TUTTI_MT_LAGS; lag++)
    sill = fmax (sill, variogram[lag]);
  if (count == 0 || !(sill > 0))
    return 0;
  for (size_t i = 0; i < count; i++)
    {
      mean += y[known[i]] / (double)count;
      for (size_t j = 0; j < count; j++)
        a[i][j] = covariance (variogram, sill, known[i], known[j]) + (i == j ? RIDGE * sill : 0);
      for (size_t j = 0; j < end - first; j++)
        b[i][j] = covariance (variogram, sill, known[i], first + j);
    }
  if (!solve (count, a, end - first, b))
    return 0;
  for (size_t j = 0; j < end - first; j++)
    {
      double value = mean;

      for (size_t i = 0; i < count; i++)
        value += b[i][j] * (y[known[i]] - mean);
      y[first + j] = value;
    }
  return 1;
}
