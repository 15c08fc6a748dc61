/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Removing a line from a series: first its constant part, by least squares, which leaves no trace at the ends; then its varying part,
 * by the second-order notch (Orfanidis 1996, Introduction to Signal Processing, section 11.3), applied forwards and backwards, so
 * that phases stay as they are. Beyond its ends the series is continued by its mirror image about the last sample. */
#include "mt/mt.h"
#include <math.h>
#include <stdlib.h>

#define QUALITY 35.0 /* the line's frequency divided by the width in which more than half of the power is lost in one pass */

typedef struct
{
  double gain, cosine; /* y[i] = gain (x[i] - 2 cosine x[i-1] + x[i-2]) + 2 gain cosine y[i-1] - (2 gain - 1) y[i-2] */
} Notch;

/* The filter begins in the steady state for the first value. */
static void
filter (Notch notch, double *x, ssize_t n, ssize_t first, ssize_t step)
{
  double x1 = x[first], x2 = x1, y1 = x1, y2 = x1;

  for (ssize_t k = 0, i = first; k < n; k++, i += step)
    {
      double now = x[i];
      double y = notch.gain * (now - 2 * notch.cosine * x1 + x2) + 2 * notch.gain * notch.cosine * y1 - (2 * notch.gain - 1) * y2;

      x2 = x1;
      x1 = now;
      y2 = y1;
      y1 = y;
      x[i] = y;
    }
}

/* The straight line through the N numbers Y, by least squares: value in the middle, and slope. */
static void
fit_trend (const double *y, size_t n, double *mean, double *slope)
{
  double sum = 0, moment = 0, square = 0, middle = ((double)n - 1) / 2;

  for (size_t i = 0; i < n; i++)
    {
      double t = (double)i - middle;

      sum += y[i];
      moment += t * y[i];
      square += t * t;
    }
  *mean = sum / (double)n;
  *slope = square > 0 ? moment / square : 0;
}

static void
take_steady_line (double *y, size_t n, double omega)
{
  double mean, slope, middle = ((double)n - 1) / 2, cc = 0, cs = 0, ss = 0, yc = 0, ys = 0;

  fit_trend (y, n, &mean, &slope);
  for (size_t i = 0; i < n; i++)
    {
      double c = cos (omega * (double)i), s = sin (omega * (double)i), x = y[i] - mean - slope * ((double)i - middle);

      cc += c * c;
      cs += c * s;
      ss += s * s;
      yc += x * c;
      ys += x * s;
    }
  double determinant = cc * ss - cs * cs;

  if (!(determinant > 1e-6 * cc * ss))
    return; /* too few samples for a fit */
  double a = (yc * ss - ys * cs) / determinant, b = (ys * cc - yc * cs) / determinant;

  for (size_t i = 0; i < n; i++)
    y[i] -= a * cos (omega * (double)i) + b * sin (omega * (double)i);
}

int
tutti_mt_notch (double *y, size_t n, double frequency)
{
  double omega = 2 * M_PI * frequency, beta = tan (omega / QUALITY / 2);
  Notch notch = { 1 / (1 + beta), cos (omega) };
  size_t settles = (size_t)(4 * QUALITY / frequency), beyond = n == 0 ? 0 : settles < n - 1 ? settles : n - 1;
  double *x = malloc ((n + 2 * beyond + 1) * sizeof *x);

  if (x == NULL)
    return TUTTI_MT_NO_MEMORY;
  if (n > 0)
    take_steady_line (y, n, omega);
  for (size_t i = 0; i < n; i++)
    x[beyond + i] = y[i];
  for (size_t i = 1; i <= beyond; i++)
    {
      x[beyond - i] = 2 * y[0] - y[i];
      x[beyond + n - 1 + i] = 2 * y[n - 1] - y[n - 1 - i];
    }
  ssize_t all = (ssize_t)(n + 2 * beyond);

  if (all > 0)
    {
      filter (notch, x, all, 0, 1);
      filter (notch, x, all, all - 1, -1);
    }
  for (size_t i = 0; i < n; i++)
    y[i] = x[beyond + i];
  free (x);
  return 0;
}
