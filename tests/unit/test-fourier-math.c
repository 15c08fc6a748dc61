/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The transform against its definition, and the same bits after any earlier transforms. */
#include "module/fourier-math.h"
#include <complex.h>
#include <dlfcn.h>
#include <fftw3.h>
#include <math.h>
#include <string.h>

enum
{
  A = 6,
  B = 5,
  C = 4,
  N = A * B * C
};

static const int dims[] = { A, B, C };

static int n_plans; /* that FFTW has made and not yet destroyed */

/* These stand in front of FFTW's. */
fftw_plan
fftw_plan_dft (int rank, const int *n, fftw_complex *in, fftw_complex *out, int sign, unsigned flags)
{
  fftw_plan (*plan_dft) (int, const int *, fftw_complex *, fftw_complex *, int, unsigned) = dlsym (RTLD_NEXT, "fftw_plan_dft");

  n_plans++;
  return plan_dft (rank, n, in, out, sign, flags);
}

void
fftw_destroy_plan (fftw_plan plan)
{
  void (*destroy_plan) (fftw_plan) = dlsym (RTLD_NEXT, "fftw_destroy_plan");

  n_plans--;
  destroy_plan (plan);
}

static double *
numbers_new (gsize n, guint32 seed)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  double *x = g_new (double, n);

  for (gsize i = 0; i < n; i++)
    x[i] = g_rand_double_range (random, -1, 1);
  return x;
}

static void
transform (const int *shape, guint rank, const double *x, gboolean is_complex, double *y, gboolean inverse)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tti_fourier_transform (shape, rank, x, is_complex, y, inverse, &error));
  g_assert_no_error (error);
}

static void
test_definition (void)
{
  g_autofree double *x = numbers_new (2 * N, 1);
  double y[2 * N];

  for (int inverse = 0; inverse < 2; inverse++)
    for (int wide = 0; wide < 2; wide++)
      {
        transform (dims, 3, x, wide, y, inverse);
        for (int k = 0; k < N; k++)
          {
            double complex sum = 0;
            for (int j = 0; j < N; j++)
              {
                double turns = (double)(k / (B * C)) * (j / (B * C)) / A + (double)(k / C % B) * (j / C % B) / B
                               + (double)(k % C) * (j % C) / C;
                sum += (wide ? CMPLX (x[2 * j], x[2 * j + 1]) : x[j]) * cexp ((inverse ? 2 : -2) * M_PI * I * turns);
              }
            g_assert_cmpfloat (cabs (sum / sqrt (N) - CMPLX (y[2 * k], y[2 * k + 1])), <, 1e-13);
          }
      }
}

static void
test_small (void)
{
  const int none[] = { 3, 0 };
  const double x[] = { 3, 4 };
  double y[2] = { 0 };

  transform (NULL, 0, x, TRUE, y, FALSE);
  g_assert_cmpmem (y, sizeof y, x, sizeof x);
  transform (none, 2, NULL, TRUE, NULL, FALSE);
}

/* In place, and at any address. */
static void
test_alignment (void)
{
  g_autofree double *x = numbers_new (2 * N, 2);
  double want[2 * N], moved[2 * N + 8];

  transform (dims, 3, x, TRUE, want, FALSE);
  for (int shift = 0; shift < 8; shift++)
    {
      memcpy (moved + shift, x, sizeof want);
      transform (dims, 3, moved + shift, TRUE, moved + shift, FALSE);
      g_assert_cmpmem (moved + shift, sizeof want, want, sizeof want);
    }
}

/* FFTW reuses its wisdom: here a plan of the same size that it has measured. The wisdom is still there afterwards. */
static void
test_history (void)
{
  const int n = 360;
  g_autofree double *x = numbers_new (2 * n, 3);
  double want[720], got[720];

  transform (&n, 1, x, TRUE, want, FALSE);
  fftw_complex *buffer = fftw_malloc (n * sizeof *buffer);
  int n_before = n_plans;
  fftw_plan measured = fftw_plan_dft_1d (n, buffer, buffer, FFTW_FORWARD, FFTW_MEASURE);
  int n_own = n_plans - n_before; /* 0 where FFTW does not call itself by way of ours */
  char *before = fftw_export_wisdom_to_string ();
  /* More sizes than plans are kept, so that the first one is planned again. */
  for (int size = 1; size <= 70; size++)
    transform (&size, 1, x, TRUE, got, FALSE);
  g_assert_cmpint (n_plans, >, n_own);
  g_assert_cmpint (n_plans - n_own, <=, 64);
  transform (&n, 1, x, TRUE, got, FALSE);
  g_assert_cmpmem (got, sizeof got, want, sizeof want);
  char *after = fftw_export_wisdom_to_string ();
  g_assert_cmpuint (strlen (after), ==, strlen (before));
  fftw_destroy_plan (measured);
  fftw_free (buffer);
  free (before);
  free (after);
}

enum { MANY = 80 }; /* more than plans are kept */

static gpointer
transform_many (gpointer data)
{
  const double *x = data;
  double y[2 * MANY];

  for (int size = 1; size <= MANY; size++)
    transform (&size, 1, x, TRUE, y, FALSE);
  return g_memdup2 (y, sizeof y);
}

/* Plans are discarded while other threads use them. */
static void
test_threads (void)
{
  g_autofree double *x = numbers_new (2 * MANY, 4);
  GThread *threads[2];
  g_autofree double *want = transform_many (x);

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("transform", transform_many, x);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      g_autofree double *got = g_thread_join (threads[i]);
      g_assert_cmpmem (got, 2 * MANY * sizeof *got, want, 2 * MANY * sizeof *want);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fourier/definition", test_definition);
  g_test_add_func ("/fourier/small", test_small);
  g_test_add_func ("/fourier/alignment", test_alignment);
  g_test_add_func ("/fourier/history", test_history);
  g_test_add_func ("/fourier/threads", test_threads);
  return g_test_run ();
}
