/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Symmetric tapers. Unless said otherwise, formulas and coefficients are those of Harris 1978, Proc. IEEE 66, 51-83. */
#include "mt/mt.h"
#include <math.h>
#include <stdlib.h>

#define CHEBYSHEV_DB 100.0

/* The sum of COEFFICIENTS[k] cos (2 pi k X) with alternating signs; X runs from 0 to 1 over the taper. */
static double
cosines (const double *coefficients, int n, double x)
{
  double sum = 0;

  for (int k = 0; k < n; k++)
    sum += (k % 2 == 0 ? 1 : -1) * coefficients[k] * cos (2 * M_PI * k * x);
  return sum;
}

/* Ha & Pearce 1989, IEEE Trans. ASSP 37, 298-301. */
static double
barthann (double x)
{
  return 0.62 - 0.48 * fabs (x - 0.5) + 0.38 * cos (2 * M_PI * (x - 0.5));
}

static double
bartlett (double x)
{
  return 1 - fabs (2 * x - 1);
}

static double
blackman (double x)
{
  return cosines ((const double[]){ 0.42, 0.5, 0.08 }, 3, x);
}

static double
blackmanharris (double x)
{
  return cosines ((const double[]){ 0.35875, 0.48829, 0.14128, 0.01168 }, 4, x);
}

static double
bohman (double x)
{
  double t = fabs (2 * x - 1);

  return t >= 1 ? 0 : (1 - t) * cos (M_PI * t) + sin (M_PI * t) / M_PI;
}

static double
hamming (double x)
{
  return cosines ((const double[]){ 0.54, 0.46 }, 2, x);
}

static double
hann (double x)
{
  return cosines ((const double[]){ 0.5, 0.5 }, 2, x);
}

/* The minimal 4-term window of Nuttall 1981, IEEE Trans. ASSP 29, 84-91. */
static double
nuttall (double x)
{
  return cosines ((const double[]){ 0.3635819, 0.4891775, 0.1365995, 0.0106411 }, 4, x);
}

/* The Chebyshev polynomial T_ORDER, also outside of -1 … 1. */
static double
chebyshev (int order, double x)
{
  if (fabs (x) <= 1)
    return cos (order * acos (x));
  double value = cosh (order * acosh (fabs (x)));
  return x < 0 && order % 2 != 0 ? -value : value;
}

/* The window of Dolph (1946, Proc. IRE 34, 335-348) whose side lobes are all CHEBYSHEV_DB low: T_(size - 1) sampled on the
 * unit circle is its transform. */
static int
dolph (size_t size, double *w)
{
  size_t order = size - 1, circle = 2 * size;
  double x0 = cosh (acosh (pow (10, CHEBYSHEV_DB / 20)) / (double)order), max = 0;
  double *samples = malloc (3 * size * sizeof *samples), *cosine = samples + size;

  if (samples == NULL)
    return TUTTI_MT_NO_MEMORY;
  for (size_t k = 0; k < size; k++)
    samples[k] = chebyshev ((int)order, x0 * cos (M_PI * (double)k / (double)size));
  for (size_t k = 0; k < circle; k++)
    cosine[k] = cos (M_PI * (double)k / (double)size);
  for (size_t i = 0; i < size; i++)
    {
      size_t twice = 2 * i > order ? 2 * i - order : order - 2 * i; /* the distance from the middle in half samples */

      w[i] = 0;
      for (size_t k = 0; k < size; k++)
        w[i] += samples[k] * cosine[k * twice % circle];
      max = fmax (max, w[i]);
    }
  for (size_t i = 0; i < size; i++)
    w[i] /= max;
  free (samples);
  return 0;
}

/* The knots of the window are half a sample outside of the taper, so that no sample is zero. */
static void
parzen (size_t size, double *w)
{
  for (size_t i = 0; i < size; i++)
    {
      double t = fabs (2 * (double)i - ((double)size - 1)) / (double)size, rest = 1 - t;

      w[i] = t <= 0.5 ? 1 - 6 * t * t * rest : 2 * rest * rest * rest;
    }
}

int
tutti_mt_taper (int kind, size_t size, double *w)
{
  enum { CHEBWIN = 5, PARZEN = 9 };
  static double (*const shapes[]) (double) = { barthann, bartlett, blackman, blackmanharris, bohman, NULL,
                                               hamming,  hann,     nuttall,  NULL };

  if (size == 1)
    w[0] = 1;
  else if (kind == CHEBWIN)
    return dolph (size, w);
  else if (kind == PARZEN)
    parzen (size, w);
  else
    for (size_t i = 0; i < size; i++)
      w[i] = shapes[kind]((double)i / ((double)size - 1));
  return 0;
}
