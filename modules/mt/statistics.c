/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Statistics of single windows, from powers that are summed over the bins of a band.
 *
 * S_ab is the sum of a times the conjugate of b. Definitions: Bendat & Piersol 2010, Random Data, chapters 6 and 7 (coherences);
 * Fowler, Kotick & Elliott 1967, J. Geophys. Res. 72, 2871-2883 (polarisation); Gamble, Goubau & Clarke 1979, Geophysics 44,
 * 53-68 (remote reference). */
#include "mt/mt.h"
#include <math.h>

enum { HX, HY, EX, EY, HZ, RX, RY, N_CHANNELS };

/* Spectra are of single precision: a determinant that is this much smaller than its terms is nothing but rounding. */
#define SINGULAR 1e-9

typedef struct
{
  const float complex *channels[N_CHANNELS]; /* the row of the window */
  size_t start, end;                         /* of the band in it */
  double frequency, rate;
} View;

typedef void Statistic (const View *view, double *numbers, size_t stride);

static double complex
power (const View *view, int a, int b)
{
  const float complex *x = view->channels[a], *y = view->channels[b];
  double re = 0, im = 0;

  for (size_t k = view->start; k < view->end; k++)
    {
      double xr = crealf (x[k]), xi = cimagf (x[k]), yr = crealf (y[k]), yi = cimagf (y[k]);

      re += xr * yr + xi * yi;
      im += xi * yr - xr * yi;
    }
  return CMPLX (re, im);
}

static double
square (double complex z)
{
  return creal (z) * creal (z) + cimag (z) * cimag (z);
}

static double
quotient (double a, double b)
{
  return b > 0 ? a / b : NAN;
}

static double
coherence_of (const View *view, int a, int b)
{
  return quotient (square (power (view, a, b)), creal (power (view, a, a)) * creal (power (view, b, b)));
}

static void
coherence (const View *view, double *numbers, size_t stride)
{
  double hx = creal (power (view, HX, HX)), hy = creal (power (view, HY, HY));

  for (int e = EX; e <= EY; e++, numbers += 2 * stride)
    {
      double own = creal (power (view, e, e));

      numbers[0] = quotient (square (power (view, e, HX)), own * hx);
      numbers[stride] = quotient (square (power (view, e, HY)), own * hy);
    }
}

static void
density (const View *view, double *numbers, size_t stride)
{
  static const int order[] = { EX, EY, HX, HY, HZ };

  for (size_t i = 0; i < (view->channels[HZ] != NULL ? 5 : 4); i++)
    numbers[i * stride] = creal (power (view, order[i], order[i])) / ((double)(view->end - view->start) * view->rate);
}

static double
degrees (double radians)
{
  return radians * 180 / M_PI;
}

/* The angle from x to the long axis of the ellipse. */
static double
direction (const View *view, int x, int y)
{
  double difference = creal (power (view, x, x)) - creal (power (view, y, y)), both = 2 * creal (power (view, x, y));

  return difference == 0 && both == 0 ? NAN : degrees (atan2 (both, difference) / 2);
}

static void
polarisation (const View *view, double *numbers, size_t stride)
{
  numbers[0] = direction (view, EX, EY);
  numbers[stride] = direction (view, HX, HY);
}

/* Z in E = Z_x Hx + Z_y Hy, for both Ex and Ey, from the cross powers with the references X and Y. */
static void
impedance (const View *view, int x, int y, double complex z[4])
{
  double complex xx = power (view, HX, x), xy = power (view, HX, y), yx = power (view, HY, x), yy = power (view, HY, y);
  double complex determinant = xx * yy - yx * xy;
  double largest = fmax (cabs (xx * yy), cabs (yx * xy));

  for (int e = EX; e <= EY; e++, z += 2)
    {
      double complex ex = power (view, e, x), ey = power (view, e, y);

      if (cabs (determinant) > SINGULAR * largest)
        {
          z[0] = (ex * yy - ey * yx) / determinant;
          z[1] = (ey * xx - ex * xy) / determinant;
        }
      else
        z[0] = z[1] = CMPLX (NAN, NAN);
    }
}

/* The fraction of the power of E that both H explain, and the fraction that one of them explains of what the other leaves. */
static void
partial (const View *view, double *numbers, size_t stride)
{
  double complex z[4];
  double hx = creal (power (view, HX, HX)), hy = creal (power (view, HY, HY));

  impedance (view, HX, HY, z);
  for (int i = 0; i < 2; i++)
    {
      double complex ex = power (view, EX + i, HX), ey = power (view, EX + i, HY);
      double own = creal (power (view, EX + i, EX + i));
      double both = quotient (creal (z[2 * i] * conj (ex) + z[2 * i + 1] * conj (ey)), own);
      double with_x = quotient (square (ex), own * hx), with_y = quotient (square (ey), own * hy);

      numbers[(size_t)i * stride] = both;
      numbers[(size_t)(2 + 2 * i) * stride] = quotient (both - with_y, 1 - with_y);
      numbers[(size_t)(3 + 2 * i) * stride] = quotient (both - with_x, 1 - with_x);
    }
}

static void
write_impedance (const View *view, int x, int y, double *numbers, size_t stride)
{
  double complex z[4];

  impedance (view, x, y, z);
  for (size_t i = 0; i < 4; i++)
    {
      numbers[2 * i * stride] = creal (z[i]);
      numbers[(2 * i + 1) * stride] = cimag (z[i]);
    }
}

/* 0.2 T |Z|^2 is in ohm m for Z in mV/km/nT. */
static void
write_resistivity (const View *view, int x, int y, double *numbers, size_t stride)
{
  double complex z[4];

  impedance (view, x, y, z);
  for (size_t i = 0; i < 4; i++)
    {
      numbers[2 * i * stride] = 0.2 * square (z[i]) / view->frequency;
      numbers[(2 * i + 1) * stride] = square (z[i]) > 0 ? degrees (carg (z[i])) : NAN;
    }
}

static void
transfer (const View *view, double *numbers, size_t stride)
{
  write_impedance (view, HX, HY, numbers, stride);
}

static void
resistivity (const View *view, double *numbers, size_t stride)
{
  write_resistivity (view, HX, HY, numbers, stride);
}

static void
remote_transfer (const View *view, double *numbers, size_t stride)
{
  write_impedance (view, RX, RY, numbers, stride);
}

static void
remote_resistivity (const View *view, double *numbers, size_t stride)
{
  write_resistivity (view, RX, RY, numbers, stride);
}

static void
remote_coherence (const View *view, double *numbers, size_t stride)
{
  static const int order[] = { EX, EY, HX, HY };

  for (size_t i = 0; i < 4; i++)
    for (int r = RX; r <= RY; r++)
      numbers[(2 * i + (size_t)(r - RX)) * stride] = coherence_of (view, order[i], r);
}

/* The coherence over the band of a times the conjugate of r with b times the conjugate of r: the terms of an equation for Z. */
static double
equation_coherence (const View *view, int a, int b, int r)
{
  const float complex *x = view->channels[a], *y = view->channels[b], *z = view->channels[r];
  double complex cross = 0;
  double left = 0, right = 0;

  for (size_t k = view->start; k < view->end; k++)
    {
      double complex p = (double complex)x[k] * conj (z[k]), q = (double complex)y[k] * conj (z[k]);

      cross += p * conj (q);
      left += square (p);
      right += square (q);
    }
  return quotient (square (cross), left * right);
}

static void
remote_equation (const View *view, double *numbers, size_t stride)
{
  for (int r = RX; r <= RY; r++)
    for (int e = EX; e <= EY; e++)
      for (int h = HX; h <= HY; h++, numbers += stride)
        *numbers = equation_coherence (view, e, h, r);
}

static Statistic *const statistics[] = { coherence,        density,         polarisation,    partial,        transfer, resistivity,
                                         remote_coherence, remote_equation, remote_transfer, remote_resistivity };

int
tutti_mt_statistic (int kind, const float complex *hx, const float complex *hy, const float complex *ex, const float complex *ey,
                    const float complex *hz, const float complex *rhx, const float complex *rhy, size_t n, size_t width, size_t lo,
                    const uint64_t *bands, const double *frequencies, size_t n_bands, double rate, double *numbers)
{
  const float complex *const channels[N_CHANNELS] = { hx, hy, ex, ey, hz, rhx, rhy };

  for (size_t window = 0; window < n; window++)
    for (size_t band = 0; band < n_bands; band++)
      {
        View view = { .start = bands[2 * band] - lo, .end = bands[2 * band + 1] - lo,
                      .frequency = frequencies[band], .rate = rate };

        for (int c = 0; c < N_CHANNELS; c++)
          view.channels[c] = channels[c] != NULL ? channels[c] + window * width : NULL;
        statistics[kind](&view, numbers + window * n_bands + band, n * n_bands);
      }
  return 0;
}
