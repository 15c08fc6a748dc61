/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The kernels of magnetotelluric processing, called as Scheme calls them: at the edges of their arrays, with damaged text, and by several
 * threads at once. What they compute is tested in detail from Scheme; here sanitizers can watch. */
#include "mt/clean.h"
#include "mt/files.h"
#include "mt/mt.h"
#include <glib.h>
#include <math.h>
#include <string.h>

enum { SIZE = 64, STEP = 48, WINDOWS = 40, LO = 3, HI = 20, WIDTH = HI - LO, N = SIZE + (WINDOWS - 1) * STEP };

static double *
noise (guint32 seed, gsize n)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  double *x = g_new (double, n);

  for (gsize i = 0; i < n; i++)
    x[i] = g_rand_double_range (random, -1, 1);
  return x;
}

static float complex *
spectra_of (const double *x)
{
  float complex *spectra = g_new (float complex, WINDOWS * WIDTH);
  g_autofree double *taper = g_new (double, SIZE);

  g_assert_cmpint (tutti_mt_taper (6, SIZE, taper), ==, 0);
  g_assert_cmpint (tutti_mt_window_spectra (x, NULL, SIZE, STEP, WINDOWS, taper, LO, HI, spectra), ==, 0);
  return spectra;
}

static float complex *
noise_spectra (guint32 seed)
{
  g_autofree double *x = noise (seed, N);

  return spectra_of (x);
}

/* A line is removed; nearby frequencies stay, with their phases, and so do mean and trend, also at the ends. */
static void
test_notch (void)
{
  enum { n = 4000 };
  double y[n], rest[n];

  for (gsize i = 0; i < n; i++)
    {
      rest[i] = 3 + 1e-3 * (double) i + sin (2 * G_PI * 0.03 * (double) i + 1) + cos (2 * G_PI * 0.19 * (double) i);
      y[i] = rest[i] + 100 * sin (2 * G_PI * 0.1 * (double) i + 0.3);
    }
  g_assert_cmpint (tutti_mt_notch (y, n, 0.1), ==, 0);
  for (gsize i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (y[i], rest[i], i < 400 || i >= n - 400 ? 0.3 : 0.03);
  for (gsize size = 0; size < 5; size++)
    g_assert_cmpint (tutti_mt_notch (y, size, 0.499), ==, 0);
}

static void
test_tapers (void)
{
  for (int kind = 0; kind < 10; kind++)
    for (gsize size = 1; size < 70; size = size * 2 + 1)
      {
        g_autofree double *w = g_new (double, size);

        g_assert_cmpint (tutti_mt_taper (kind, size, w), ==, 0);
        for (gsize i = 0; i < size; i++)
          {
            g_assert_true (isfinite (w[i]));
            g_assert_cmpfloat_with_epsilon (w[i], w[size - 1 - i], 1e-12);
          }
      }
}

/* Constant samples stay, at the ends of the series, too. */
static void
test_decimation (void)
{
  const gsize factors[] = { 1, 2, 3, 8, 64 };

  for (gsize n = 1; n < 3000; n = 3 * n + 1)
    for (gsize f = 0; f < G_N_ELEMENTS (factors); f++)
      {
        gsize m = (n - 1) / factors[f] + 1;
        g_autofree double *x = g_new (double, n), *y = g_new (double, m);

        for (gsize i = 0; i < n; i++)
          x[i] = 5;
        g_assert_cmpint (tutti_mt_decimate (x, n, 0, factors[f], y, m), ==, 0);
        for (gsize j = 0; j < m; j++)
          g_assert_cmpfloat_with_epsilon (y[j], 5, 1e-9);
      }
}

static gpointer
spectra_in_thread (gpointer series)
{
  return spectra_of (series);
}

static void
test_spectra_in_threads (void)
{
  g_autofree double *x = noise (1, N);
  g_autofree float complex *expected = spectra_of (x);
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("spectra", spectra_in_thread, x);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      g_autofree float complex *spectra = g_thread_join (threads[i]);

      g_assert_cmpmem (spectra, WINDOWS * WIDTH * sizeof *spectra, expected, WINDOWS * WIDTH * sizeof *expected);
    }
}

static void
test_statistics (void)
{
  const guint64 bands[] = { LO, LO + 5, LO + 4, HI };
  const double frequencies[] = { 0.05, 0.2 };
  const guint components[] = { 4, 5, 2, 6, 8, 8, 8, 8, 8, 8 };
  g_autofree float complex *hx = noise_spectra (1), *hy = noise_spectra (2), *ex = noise_spectra (3), *ey = noise_spectra (4),
                           *hz = noise_spectra (5), *rx = noise_spectra (6), *ry = noise_spectra (7);

  for (int kind = 0; kind < (int) G_N_ELEMENTS (components); kind++)
    {
      gsize n = (gsize) components[kind] * WINDOWS * 2;
      g_autofree double *numbers = g_new (double, n);

      for (gsize i = 0; i < n; i++)
        numbers[i] = INFINITY;
      g_assert_cmpint (tutti_mt_statistic (kind, hx, hy, ex, ey, hz, rx, ry, WINDOWS, WIDTH, LO, bands, frequencies, 2, 1, numbers),
                       ==, 0);
      for (gsize i = 0; i < n; i++)
        {
          g_assert_true (isfinite (numbers[i]));
          if (kind == 0)
            g_assert_true (numbers[i] >= 0 && numbers[i] <= 1 + 1e-12);
        }
    }
}

typedef struct
{
  gsize n;
  double complex *outputs, *inputs, *references;
} Observations;

/* E = Z H, except in every third window. */
static Observations
observe (gsize n, const double complex *z)
{
  Observations self = { n, g_new (double complex, 2 * n), g_new (double complex, 2 * n), g_new (double complex, 2 * n) };
  g_autofree double *random = noise (9, 8 * n);

  for (gsize i = 0; i < 2 * n; i++)
    {
      self.inputs[i] = CMPLX (random[2 * i], random[2 * i + 1]);
      self.references[i] = self.inputs[i] + 0.1 * CMPLX (random[4 * n + 2 * i], random[4 * n + 2 * i + 1]);
    }
  for (gsize o = 0; o < 2; o++)
    for (gsize i = 0; i < n; i++)
      self.outputs[o * n + i] = i / WIDTH % 3 == 0 ? 100 * random[i] : z[2 * o] * self.inputs[i] + z[2 * o + 1] * self.inputs[n + i];
  return self;
}

static void
observations_clear (Observations *self)
{
  g_free (self->outputs);
  g_free (self->inputs);
  g_free (self->references);
}

static void
test_regression (void)
{
  const double complex z[] = { CMPLX (0.1, 0.2), CMPLX (10, 9), CMPLX (-8, -7), CMPLX (0.3, -0.1) };
  Observations o = observe (WIDTH * WINDOWS, z);

  for (int kind = 0; kind < 3; kind++)
    for (int remote = 0; remote < 2; remote++)
      for (int intercept = 0; intercept < 2; intercept++)
        {
          double complex transfer[4];
          double variances[4], scale[2], offsets[4], support[6];
          gint32 iterations[2];

          g_assert_cmpint (tutti_mt_regress (kind, o.n, WIDTH, 2, 2, o.outputs, o.inputs, remote ? o.references : NULL, intercept, NULL,
                                             transfer, variances, scale, iterations, offsets, support), ==, 0);
          for (guint i = 0; i < 4; i++)
            {
              g_assert_true (isfinite (variances[i]) && variances[i] >= 0);
              g_assert_cmpint (cabs (transfer[i] - z[i]) < 1e-3, ==, kind > 0);
            }
        }
  observations_clear (&o);
}

static void
test_too_few (void)
{
  const double complex z[] = { 1, 2, 3, 4 };
  Observations o = observe (WIDTH, z);
  double complex transfer[4];
  double variances[4], scale[2], offsets[4], support[6];
  gint32 iterations[2];

  for (gsize i = 0; i < o.n; i++)
    o.inputs[o.n + i] = 2 * o.inputs[i];
  for (int kind = 0; kind < 3; kind++)
    {
      g_assert_cmpint (tutti_mt_regress (kind, 1, 1, 2, 2, o.outputs, o.inputs, NULL, 0, NULL, transfer, variances, scale, iterations,
                                         offsets, support), ==,
                       TUTTI_MT_UNDETERMINED);
      g_assert_cmpint (tutti_mt_regress (kind, o.n, WIDTH, 2, 2, o.outputs, o.inputs, NULL, 0, NULL, transfer, variances, scale, iterations,
                                         offsets, support),
                       ==, TUTTI_MT_UNDETERMINED);
    }
  observations_clear (&o);
}

static void
test_gather (void)
{
  g_autofree float complex *x = noise_spectra (1);
  g_autofree double complex *column = g_new (double complex, WINDOWS * 2);
  guint8 mask[WINDOWS] = { 0 };

  mask[0] = mask[WINDOWS - 1] = 1;
  g_assert_cmpuint (tutti_mt_gather (x, WINDOWS, NULL, WIDTH, WIDTH - 2, 2, column), ==, WINDOWS * 2);
  g_assert_cmpuint (tutti_mt_gather (x, WINDOWS, mask, WIDTH, WIDTH - 2, 2, column), ==, 4);
  g_assert_true (column[3] == (double complex) x[WINDOWS * WIDTH - 1]);
}

typedef struct
{
  const char *text;
  int status;
  guint64 line, second;
} Text;

/* The text is in memory of exactly its size. */
static void
test_text (void)
{
  static const Text texts[] = {
    { "1 2\n3 4", TUTTI_MT_GOOD, 3, 2 },
    { "# comment\n\n 1,\t2.5e0 # more\r\n-3 , +4.0000000000000000001\n", TUTTI_MT_GOOD, 5, 2 },
    { "", TUTTI_MT_FEW_LINES, 1, 0 },
    { "1 2\n", TUTTI_MT_FEW_LINES, 2, 1 },
    { "1 2\n3 4\n5 6", TUTTI_MT_MANY_LINES, 3, 2 },
    { "1 2\n3", TUTTI_MT_FEW_COLUMNS, 2, 1 },
    { "1 2\n3 4 5", TUTTI_MT_MANY_COLUMNS, 2, 3 },
    { "1 2\n3 e", TUTTI_MT_NO_NUMBER, 2, 2 },
    { "1 2\n3 -", TUTTI_MT_NO_NUMBER, 2, 2 },
    { "1 2\n3 4e", TUTTI_MT_NO_NUMBER, 2, 2 },
    { "1 2\n3,,", TUTTI_MT_NO_NUMBER, 2, 2 },
    { "1 2\n3 1e999", TUTTI_MT_NOT_FINITE, 2, 2 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      gsize size = strlen (texts[i].text);
      g_autofree char *text = g_memdup2 (texts[i].text, size);
      double y[4];
      guint64 place[2];

      g_assert_cmpint (tutti_mt_text_columns (text, size, 0, 2, 2, y, 2, place), ==, texts[i].status);
      g_assert_cmpuint (place[0], ==, texts[i].line);
      g_assert_cmpuint (place[1], ==, texts[i].second);
      if (texts[i].status == TUTTI_MT_GOOD)
        g_assert_true (fabs (y[0]) == 1 && fabs (y[1]) == 3 && y[3] == 4);
    }
}

static void
test_binary (void)
{
  const gint32 words[] = { GINT32_TO_LE (1), GINT32_TO_LE (-2), GINT32_TO_LE (3), GINT32_TO_LE (0x7fc00000) };
  const gint32 infinite[] = { GINT32_TO_LE (0x3f800000), GINT32_TO_LE (0x7f800000) };
  const guint32 doubles[] = { 0, 0, 0, GUINT32_TO_LE (0xbff80000) };   /* 0 and -1.5 */
  double y[4];
  guint64 place[2];

  g_assert_cmpint (tutti_mt_binary_column (words, 0, 1, 2, 0.5, y, 2, place), ==, TUTTI_MT_GOOD);
  g_assert_true (y[0] == -1 && y[1] == 0x3fe00000);
  g_assert_cmpint (tutti_mt_binary_column (words, TUTTI_MT_FLOAT32, 1, 2, 1, y, 2, place), ==, TUTTI_MT_GOOD);
  g_assert_true (isnan (y[0]) && isnan (y[1]));
  g_assert_cmpint (tutti_mt_binary_column (infinite, TUTTI_MT_FLOAT32, 0, 1, 1, y, 2, place), ==, TUTTI_MT_NOT_FINITE);
  g_assert_cmpuint (place[0], ==, 1);
  g_assert_cmpint (tutti_mt_binary_column (words, TUTTI_MT_INT16, 2, 4, 1, y, 2, place), ==, TUTTI_MT_GOOD);
  g_assert_true (y[0] == -2 && y[1] == 0);
  g_assert_cmpint (tutti_mt_binary_column (doubles, TUTTI_MT_FLOAT64, 1, 2, 2, y, 1, place), ==, TUTTI_MT_GOOD);
  g_assert_cmpfloat (y[0], ==, -3);
  g_assert_cmpint (tutti_mt_binary_column ("\xff\xfe\1\2", TUTTI_MT_BIG_ENDIAN + TUTTI_MT_INT16, 0, 1, 1, y, 2, place), ==, TUTTI_MT_GOOD);
  g_assert_true (y[0] == -2 && y[1] == 258);
  g_assert_cmpuint (tutti_mt_checksum (0, "123456789", 9), ==, 0xcbf43926);
  g_assert_cmpuint (tutti_mt_checksum (tutti_mt_checksum (0, "1234", 4), "56789", 5), ==, 0xcbf43926);
}

static void
test_gaps (void)
{
  double x[64], values[4], step;
  guint64 counts[6], gaps[3 * 4];

  for (int i = 0; i < 64; i++)
    x[i] = i % 2 == 0 ? i : -0.5 * i;
  x[0] = NAN;
  for (int i = 10; i < 15; i++)
    x[i] = 0;
  for (int i = 20; i < 40; i++)
    x[i] = 2.5;
  x[62] = x[63] = 100;
  tutti_mt_extremes (x, 64, values, counts);
  g_assert_true (fabs (values[0] + 30.5) < 1e-9 && values[1] == -29.5 && values[2] == 60 && fabs (values[3] - 100) < 1e-9);
  g_assert_true (counts[0] == 1 && counts[1] == 1 && counts[2] == 1);
  g_assert_true (counts[3] == 2 && counts[4] == 1 && counts[5] == 1);
  tutti_mt_repeats (x, 64, counts, &step);
  g_assert_cmpfloat (step, ==, 2.5);
  g_assert_true (counts[0] == 38 && counts[1] == 2);
  g_assert_cmpuint (tutti_mt_gaps (x, 64, -INFINITY, 100, step, 5, 20, gaps, 4), ==, 4);
  const guint64 expected[] = { 0, 1, TUTTI_MT_MISSING, 10, 15, TUTTI_MT_ZEROS, 20, 40, TUTTI_MT_STUCK, 62, 64, TUTTI_MT_SATURATED };
  g_assert_cmpmem (gaps, sizeof gaps, expected, sizeof expected);
  g_assert_cmpuint (tutti_mt_gaps (x, 64, -INFINITY, INFINITY, step, 6, 21, gaps, 0), ==, 1);
  g_assert_cmpuint (tutti_mt_gaps (x, 64, -INFINITY, INFINITY, 15, 5, 20, gaps, 4), ==, 2);
  tutti_mt_fill (x, 64, 0, 1);
  g_assert_cmpfloat (x[0], ==, x[1]);
  tutti_mt_fill (x, 64, 10, 15);
  g_assert_cmpfloat (x[12], ==, (x[9] + x[15]) / 2);
  tutti_mt_fill (x, 64, 62, 64);
  g_assert_cmpfloat (x[63], ==, x[61]);
}

/* Two channels of each kind of white noise, in which E is correlated with H. */
static float *
two_fields (gsize n)
{
  float *x = g_new (float, 4 * n);

  for (gsize c = 0; c < 2; c++)
    {
      g_autofree double *h = noise (20 + (guint32)c, n);

      for (gsize i = 0; i < n; i++)
        {
          x[c * n + i] = (float)h[i];
          x[(2 + c) * n + i] = (float)(3 * h[i]);
        }
    }
  return x;
}

enum { LONG = 20000 };

static void
find (const float *x, guint8 *bad, guint8 *bursts)
{
  g_autofree float *copy = g_memdup2 (x, 4 * LONG * sizeof *x);
  gint32 reaches[TUTTI_MT_SCALES];

  memset (bad, 0, LONG);
  g_assert_cmpint (tutti_mt_find_faults (copy, LONG, 4, (const guint8[]){ 0, 0, 1, 1 }, bad, bursts, reaches), ==, 0);
  for (int k = 0; k < TUTTI_MT_SCALES; k++)
    g_assert_true (reaches[k] >= k && reaches[k] < TUTTI_MT_SCALES);
}

static void
test_faults (void)
{
  g_autofree float *x = two_fields (LONG);
  g_autofree guint8 *bad = g_new (guint8, LONG), *bursts = g_new (guint8, LONG);
  g_autofree double *extra = noise (30, LONG);

  find (x, bad, bursts);
  g_assert_true (memchr (bad, 1, LONG) == NULL && memchr (bursts, 1, LONG) == NULL);
  /* A spike in one channel; one that the channels of the other kind have too does not count, if there are many of these. */
  x[3 * LONG + 77] += 60;
  find (x, bad, bursts);
  g_assert_cmpint (bad[77], ==, TUTTI_MT_BAD (3));
  for (gsize i = 500; i < LONG; i += 500)
    for (gsize c = 0; c < 4; c++)
      x[c * LONG + i] *= 50;
  find (x, bad, bursts);
  g_assert_cmpint (bad[77], ==, TUTTI_MT_BAD (3));
  g_assert_cmpint (bad[5000], ==, 0);
  /* Noise in the magnetic channels. */
  for (gsize i = 8000; i < 9000; i++)
    x[i] += (float)(20 * extra[i]);
  find (x, bad, bursts);
  gsize found = 0;
  for (gsize i = 8000; i < 9000; i++)
    found += bursts[i] != 0;
  g_assert_cmpuint (found, >, 950);
}

static void
test_mending (void)
{
  enum { M = 3000, STEP_AT = 1000, SPIKE_AT = 2000 };
  g_autofree double *y = noise (40, M), *truth = g_memdup2 (y, M * sizeof *y);
  g_autofree guint8 *bad = g_new0 (guint8, M), *own = g_new (guint8, M), *bursts = g_new0 (guint8, M);

  for (gsize i = STEP_AT; i < M; i++)
    y[i] += 50;
  y[SPIKE_AT] += 100;
  bad[STEP_AT] = bad[SPIKE_AT] = TUTTI_MT_BAD (0);
  bad[2500] = TUTTI_MT_BAD (1);
  bursts[2600] = 2;
  for (int likely = 0; likely < 2; likely++)
    {
      g_autofree double *z = g_memdup2 (y, M * sizeof *y);

      g_assert_cmpint (tutti_mt_mend (z, M, bad, bursts, 1, 0, likely, own), ==, 1);
      g_assert_true (own[STEP_AT] && own[SPIKE_AT] && !own[2500] && !own[2600]);
      for (gsize i = 0; i < M; i++)
        g_assert_cmpfloat_with_epsilon (z[i], truth[i], own[i] ? 2.5 : 0.5);
    }
  memset (bad, 0, M);
  g_assert_cmpint (tutti_mt_mend (y, M, bad, bursts, 1, 0, 1, own), ==, 0);
}

static void
test_flags (void)
{
  guint8 bad[64] = { 0 }, less[8];

  memset (bad + 21, 1, 6);
  tutti_mt_decimate_flags (bad, 64, 0, 8, less, 8);
  for (int j = 0; j < 8; j++)
    g_assert_cmpint (less[j], ==, j == 3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mt/notch", test_notch);
  g_test_add_func ("/mt/tapers", test_tapers);
  g_test_add_func ("/mt/gaps", test_gaps);
  g_test_add_func ("/mt/decimation", test_decimation);
  g_test_add_func ("/mt/spectra-in-threads", test_spectra_in_threads);
  g_test_add_func ("/mt/statistics", test_statistics);
  g_test_add_func ("/mt/regression", test_regression);
  g_test_add_func ("/mt/too-few", test_too_few);
  g_test_add_func ("/mt/gather", test_gather);
  g_test_add_func ("/mt/text", test_text);
  g_test_add_func ("/mt/binary", test_binary);
  g_test_add_func ("/mt/faults", test_faults);
  g_test_add_func ("/mt/mending", test_mending);
  g_test_add_func ("/mt/flags", test_flags);
  return g_test_run ();
}
