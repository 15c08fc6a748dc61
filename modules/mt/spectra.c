/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Spectra of windows.
 *
 * Natural fields are many times stronger at long periods, and through the side lobes of a taper such as Hamming's that leaks into
 * bins with weak fields. So each window is prewhitened before it is tapered: a times the sample before is subtracted from each sample,
 * where a is the window's correlation at a lag of one sample, and the spectrum is divided by the response of that filter
 * (Blackman & Tukey 1958, The Measurement of Power Spectra, section 11; a is less than 1, so that the response is never zero). The first
 * sample, which has none before it, is left out. Windows with too many bad samples have no spectrum. */
#include "mt/mt.h"
#include <fftw3.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  size_t size, lo, hi;
  const double *taper;   /* or NULL */
  double scale;          /* makes powers from squares */
  double complex *turns; /* exp (-2 pi i bin / size) for LO <= bin < HI */
  double *samples;       /* SIZE */
  fftw_complex *bins;    /* SIZE / 2 + 1 */
  fftw_plan plan;
} Transform;

/* FFTW plans in one thread at a time. */
static pthread_mutex_t planning = PTHREAD_MUTEX_INITIALIZER;

/* A plan depends on the wisdom of earlier ones. As it must depend on the size alone, FFTW forgets its wisdom before, and the
 * application's is restored afterwards. */
static fftw_plan
plan_new (size_t size, double *samples, fftw_complex *bins)
{
  pthread_mutex_lock (&planning);
  char *wisdom = fftw_export_wisdom_to_string ();
  fftw_forget_wisdom ();
  fftw_plan plan = fftw_plan_dft_r2c_1d ((int)size, samples, bins, FFTW_ESTIMATE);
  fftw_forget_wisdom ();
  if (wisdom != NULL)
    fftw_import_wisdom_from_string (wisdom);
  free (wisdom);
  pthread_mutex_unlock (&planning);
  return plan;
}

static void
transform_clear (Transform *transform)
{
  if (transform->plan != NULL)
    {
      pthread_mutex_lock (&planning);
      fftw_destroy_plan (transform->plan);
      pthread_mutex_unlock (&planning);
    }
  fftw_free (transform->samples);
  fftw_free (transform->bins);
  free (transform->turns);
}

#define MOST_BAD 0.6 /* of the power of the taper */

static double
taper_power (const Transform *transform)
{
  double sum = 0;

  for (size_t i = 1; i < transform->size; i++)
    sum += transform->taper != NULL ? transform->taper[i] * transform->taper[i] : 1;
  return sum;
}

/* Memory from FFTW always has the same alignment, the best for it. */
static int
transform_init (Transform *transform, size_t size, const double *taper, size_t lo, size_t hi)
{
  *transform = (Transform){ .size = size, .lo = lo, .hi = hi, .taper = taper };
  transform->samples = fftw_alloc_real (size);
  transform->bins = fftw_alloc_complex (size / 2 + 1);
  transform->turns = malloc ((hi - lo + 1) * sizeof *transform->turns);
  if (transform->samples != NULL && transform->bins != NULL && transform->turns != NULL)
    transform->plan = plan_new (size, transform->samples, transform->bins);
  if (transform->plan == NULL)
    {
      transform_clear (transform);
      return TUTTI_MT_NO_MEMORY;
    }
  transform->scale = sqrt (2 / taper_power (transform));
  for (size_t k = lo; k < hi; k++)
    {
      double angle = 2 * M_PI * (double)k / (double)size;

      transform->turns[k - lo] = CMPLX (cos (angle), -sin (angle));
    }
  return 0;
}

#define LANES 4 /* sums that are kept apart, so that additions need not wait for each other */

static double
total (const double *sums)
{
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* Copies N samples without their straight line of least squares. */
static void
detrend (const double *y, size_t n, double *samples)
{
  double middle = ((double)n - 1) / 2, sums[LANES] = { 0 }, moments[LANES] = { 0 }, size = (double)n;
  size_t whole = n / LANES * LANES;

  for (size_t i = 0; i < whole; i += LANES)
    for (size_t lane = 0; lane < LANES; lane++)
      {
        sums[lane] += y[i + lane];
        moments[lane] += ((double)(ssize_t)(i + lane) - middle) * y[i + lane];
      }
  for (size_t i = whole; i < n; i++)
    {
      sums[0] += y[i];
      moments[0] += ((double)i - middle) * y[i];
    }
  double mean = total (sums) / size, slope = n > 1 ? total (moments) / (size * (size * size - 1) / 12) : 0;
  for (size_t i = 0; i < n; i++)
    samples[i] = y[i] - mean - slope * ((double)(ssize_t)i - middle);
}

static double
correlation (const double *samples, size_t n)
{
  double products[LANES] = { 0 }, powers[LANES] = { samples[0] * samples[0] };
  size_t i = 1;

  for (; i + LANES <= n; i += LANES)
    for (size_t lane = 0; lane < LANES; lane++)
      {
        products[lane] += samples[i + lane] * samples[i + lane - 1];
        powers[lane] += samples[i + lane] * samples[i + lane];
      }
  for (; i < n; i++)
    {
      products[0] += samples[i] * samples[i - 1];
      powers[0] += samples[i] * samples[i];
    }
  return total (powers) > 0 ? total (products) / total (powers) : 0;
}

/* Of a channel that is constant or a straight line, the rounding of the mean and the slope is left, which a regression would take for a
 * field. */
#define ROUNDING 1e-12

static bool
only_rounding (const double *y, const double *samples, size_t n)
{
  double largest = 0, rest = 0;

  for (size_t i = 0; i < n; i++)
    {
      largest = fmax (largest, fabs (y[i]));
      rest = fmax (rest, fabs (samples[i]));
    }
  return rest <= ROUNDING * largest;
}

static void
transform_window (const Transform *transform, const double *y, float complex *row)
{
  double *samples = transform->samples;
  const double *taper = transform->taper;

  detrend (y, transform->size, samples);
  if (only_rounding (y, samples, transform->size))
    {
      for (size_t k = transform->lo; k < transform->hi; k++)
        row[k - transform->lo] = CMPLXF (NAN, NAN);
      return;
    }
  double a = correlation (samples, transform->size);
  for (size_t i = transform->size - 1; i > 0; i--)
    samples[i] = (samples[i] - a * samples[i - 1]) * (taper != NULL ? taper[i] : 1);
  samples[0] = 0;
  fftw_execute (transform->plan);
  for (size_t k = transform->lo; k < transform->hi; k++)
    {
      double complex bin = transform->bins[k], turn = transform->turns[k - transform->lo];
      double re = 1 - a * creal (turn), im = -a * cimag (turn), scale = transform->scale / (re * re + im * im);

      /* Divided by the filter re + i im; written out, as C's product of complex numbers looks for infinities. */
      row[k - transform->lo] = CMPLXF ((float)(scale * (creal (bin) * re + cimag (bin) * im)),
                                       (float)(scale * (cimag (bin) * re - creal (bin) * im)));
    }
}

static int
is_usable (const Transform *transform, const uint8_t *bad, double power)
{
  double sum = 0;

  for (size_t i = 1; i < transform->size; i++)
    if (bad[i])
      sum += transform->taper != NULL ? transform->taper[i] * transform->taper[i] : 1;
  return sum <= MOST_BAD * power;
}

int
tutti_mt_window_spectra (const double *y, const uint8_t *bad, size_t size, size_t step, size_t count, const double *taper, size_t lo,
                         size_t hi, float complex *spectra)
{
  Transform transform;
  int status = transform_init (&transform, size, taper, lo, hi);

  if (status != 0)
    return status;
  double power = taper_power (&transform);
  for (size_t k = 0; k < count; k++)
    if (bad == NULL || is_usable (&transform, bad + k * step, power))
      transform_window (&transform, y + k * step, spectra + k * (hi - lo));
    else
      for (size_t i = k * (hi - lo); i < (k + 1) * (hi - lo); i++)
        spectra[i] = CMPLXF (NAN, NAN);
  transform_clear (&transform);
  return 0;
}
