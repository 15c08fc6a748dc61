/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Dense least squares through LAPACK, and an active set for bounds. */
#include "module/least-squares.h"
#include "module/lapack.h"
#include <cblas.h>
#include <float.h>
#include <math.h>
#include <string.h>

static gboolean
all_finite (const double *numbers, gsize n)
{
  double sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += 0 * numbers[i];
  return sum == 0;
}

gboolean
tti_least_squares_reduce (int rows, int columns, const double *a, const double *b, double *r, double *c)
{
  int height = MAX (MAX (rows, columns), 1), one = 1, info = 0, length = 64 * height;
  g_autofree double *factor = g_new0 (double, (gsize)height * columns + 1), *right = g_new0 (double, height),
                    *tau = g_new (double, (gsize)columns + 1), *work = g_new (double, length);

  if (!all_finite (a, (gsize)rows * columns) || !all_finite (b, rows))
    return FALSE;
  for (int j = 0; j < columns; j++)
    memcpy (factor + (gsize)j * height, a + (gsize)j * rows, rows * sizeof *factor);
  memcpy (right, b, rows * sizeof *right);
  if (columns == 0)
    return TRUE;
  dgeqrf_ (&height, &columns, factor, &height, tau, work, &length, &info);
  g_assert (info == 0);
  dormqr_ ("L", "T", &height, &one, &columns, factor, &height, tau, right, &height, work, &length, &info, 1, 1);
  g_assert (info == 0);
  for (int i = 0; i < columns; i++)
    for (int j = 0; j < columns; j++)
      r[(gsize)i * columns + j] = j >= i ? factor[(gsize)j * height + i] : 0;
  memcpy (c, right, columns * sizeof *c);
  return TRUE;
}

/* Is F^T F = A, up to rounding? F is N x N, row-major. */
static gboolean
is_factor (int n, const double *a, const double *f)
{
  g_autofree double *product = g_new (double, (gsize)n * n);
  double most = 0, gap = 0;

  cblas_dsyrk (CblasRowMajor, CblasUpper, CblasTrans, n, n, 1, f, n, 0, product, n);
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++)
      {
        most = MAX (most, fabs (a[(gsize)i * n + j]));
        gap = MAX (gap, fabs (a[(gsize)i * n + j] - product[(gsize)i * n + j]));
      }
  return gap <= 1e-10 * most;
}

gboolean
tti_semidefinite_factor (int n, const double *a, double *f)
{
  int rank = 0, info = 0;
  double usual = -1;
  g_autofree double *factor = g_new (double, (gsize)n * n + 1), *work = g_new (double, 2 * (gsize)n + 1);
  g_autofree int *pivots = g_new0 (int, (gsize)n + 1);

  if (!all_finite (a, (gsize)n * n))
    return FALSE;
  memset (f, 0, (gsize)n * n * sizeof *f);
  if (n == 0)
    return TRUE;
  memcpy (factor, a, (gsize)n * n * sizeof *factor);
  /* The upper triangle by rows is Fortran's lower one by columns: P^T A P = L L^T, and F is L^T P^T. */
  dpstrf_ ("L", &n, factor, &n, pivots, &rank, &usual, work, &info, 1);
  g_assert (info >= 0);
  for (int i = 0; i < rank; i++)
    for (int j = i; j < n; j++)
      f[(gsize)i * n + pivots[j] - 1] = factor[(gsize)i * n + j];
  return is_factor (n, a, f);
}

typedef enum { FREE, AT_LOWER, AT_UPPER, FIXED } Place;

typedef struct
{
  int rows, columns;      /* with the rows of the damping */
  double *a;              /* column after column, each of norm 1 or 0 */
  double *norms;          /* the norms of the original columns; 1 for columns of zeros */
  double *b, *lower, *upper;
  double *x;              /* the scaled unknowns: each times the norm of its column */
  double *residual;       /* b - A x */
  double *step;           /* of the free ones, in their order */
  Place *places;
  gboolean *barred;       /* freeing it did not help; it stays barred until freeing another has */
  double *columns_free, *work;
  int *pivots, work_length;
  int n_factorisations;
} Problem;

static double *
column (Problem *self, int j)
{
  return self->a + (gsize)j * self->rows;
}

static void
problem_init (Problem *self, int rows, int columns, const double *a, const double *b, const double *damping)
{
  gsize n = columns, m = (gsize)rows + (damping != NULL ? n : 0);

  *self = (Problem) { .rows = (int) MAX (m, 1), .columns = columns, .work_length = (int) (64 * (n + 2) + 4 * (m + n)) };
  m = self->rows;
  self->a = g_new0 (double, m * n + 1);
  self->norms = g_new (double, n + 1);
  self->b = g_new0 (double, m);
  self->lower = g_new (double, n + 1);
  self->upper = g_new (double, n + 1);
  self->x = g_new (double, n + 1);
  self->residual = g_new (double, m);
  self->step = g_new (double, MAX (m, n) + 1);
  self->places = g_new (Place, n + 1);
  self->barred = g_new0 (gboolean, n + 1);
  self->columns_free = g_new (double, m * n + 1);
  self->work = g_new (double, self->work_length);
  self->pivots = g_new (int, n + 1);
  memcpy (self->b, b, rows * sizeof *b);
  for (int j = 0; j < columns; j++)
    {
      double *to = column (self, j);

      for (int i = 0; i < rows; i++)
        to[i] = a[(gsize)i * columns + j];
      if (damping != NULL)
        to[rows + j] = damping[j];
      double norm = cblas_dnrm2 (self->rows, to, 1);
      self->norms[j] = norm > 0 ? norm : 1;
      for (int i = 0; i < self->rows; i++)
        to[i] /= self->norms[j];
    }
}

static void
problem_clear (Problem *self)
{
  g_free (self->a);
  g_free (self->norms);
  g_free (self->b);
  g_free (self->lower);
  g_free (self->upper);
  g_free (self->x);
  g_free (self->residual);
  g_free (self->step);
  g_free (self->places);
  g_free (self->barred);
  g_free (self->columns_free);
  g_free (self->work);
  g_free (self->pivots);
}

static void
update_residual (Problem *self)
{
  memcpy (self->residual, self->b, self->rows * sizeof *self->b);
  cblas_dgemv (CblasColMajor, CblasNoTrans, self->rows, self->columns, -1, self->a, self->rows, self->x, 1, 1, self->residual, 1);
}

/* The step of least norm to the minimum of the free unknowns. */
static void
find_step (Problem *self)
{
  int n = 0, one = 1, rank = 0, info = 0;
  double condition = DBL_EPSILON;

  for (int j = 0; j < self->columns; j++)
    if (self->places[j] == FREE)
      {
        memcpy (self->columns_free + (gsize)n * self->rows, column (self, j), self->rows * sizeof *self->a);
        self->pivots[n++] = 0;
      }
  int lead = MAX (self->rows, n);

  memset (self->step, 0, lead * sizeof *self->step);
  memcpy (self->step, self->residual, self->rows * sizeof *self->step);
  if (n == 0)
    return;
  self->n_factorisations++;
  dgelsy_ (&self->rows, &n, &one, self->columns_free, &self->rows, self->step, &lead, self->pivots, &condition, &rank, self->work,
           &self->work_length, &info);
  g_assert (info == 0);
}

static void
put_at (Problem *self, int j, Place place)
{
  self->places[j] = place;
  self->x[j] = place == AT_UPPER ? self->upper[j] : self->lower[j];
}

/* Begin with the solution without bounds: as often as it leaves the box, put the unknowns that do on their bounds. Most of them then are
 * where they are in the end. */
static void
begin (Problem *self)
{
  gboolean left = TRUE;

  while (left)
    {
      left = FALSE;
      update_residual (self);
      find_step (self);
      for (int j = 0, k = 0; j < self->columns; j++)
        {
          if (self->places[j] != FREE)
            continue;
          double x = self->x[j] + self->step[k++];
          left = left || x < self->lower[j] || x > self->upper[j];
          if (x < self->lower[j])
            put_at (self, j, AT_LOWER);
          else if (x > self->upper[j])
            put_at (self, j, AT_UPPER);
          else
            self->x[j] = x;
        }
    }
  update_residual (self);
}

/* The unknown at a bound that would gain most by leaving it, or -1. */
static int
find_leaver (Problem *self)
{
  double size = cblas_dnrm2 (self->rows, self->b, 1) + cblas_dnrm2 (self->rows, self->residual, 1), most = 16 * DBL_EPSILON * size;
  int leaver = -1;

  for (int j = 0; j < self->columns; j++)
    {
      double pull = cblas_ddot (self->rows, column (self, j), 1, self->residual, 1);

      if (self->places[j] == AT_UPPER)
        pull = -pull;
      if ((self->places[j] == AT_LOWER || self->places[j] == AT_UPPER) && !self->barred[j] && pull > most)
        {
          most = pull;
          leaver = j;
        }
    }
  return leaver;
}

/* Which fraction of the step is within the bounds, and which unknown then is at which bound: -1 if none. */
static double
find_block (Problem *self, int *block, Place *place)
{
  double length = 1;

  *block = -1;
  for (int j = 0, k = 0; j < self->columns; j++)
    {
      if (self->places[j] != FREE)
        continue;
      double step = self->step[k++], bound = step < 0 ? self->lower[j] : self->upper[j];

      if ((step < 0 && self->x[j] + step < bound) || (step > 0 && self->x[j] + step > bound))
        if (*block < 0 || (bound - self->x[j]) / step < length)
          {
            length = MAX ((bound - self->x[j]) / step, 0);
            *block = j;
            *place = step < 0 ? AT_LOWER : AT_UPPER;
          }
    }
  return length;
}

/* Go to the minimum of the free unknowns, LEAVER among them; those that meet their bounds on the way stay there. */
static void
descend (Problem *self, int leaver)
{
  int block;
  Place place = FREE;

  self->places[leaver] = FREE;
  do
    {
      find_step (self);
      double length = find_block (self, &block, &place);
      for (int j = 0, k = 0; j < self->columns; j++)
        if (self->places[j] == FREE)
          self->x[j] += length * self->step[k++];
      if (block >= 0)
        put_at (self, block, place);
      update_residual (self);
    }
  while (block >= 0);
}

static void
solve (Problem *self)
{
  begin (self);
  double norm = cblas_dnrm2 (self->rows, self->residual, 1);
  int leaver, left = 100 + 20 * self->columns; /* in exact arithmetic no set comes twice */

  while (left-- > 0 && (leaver = find_leaver (self)) >= 0)
    {
      descend (self, leaver);
      double next = cblas_dnrm2 (self->rows, self->residual, 1);
      if (next < norm)
        memset (self->barred, 0, self->columns * sizeof *self->barred);
      else
        self->barred[leaver] = TRUE;
      norm = MIN (norm, next);
    }
}

int
tti_least_squares_bounded (int rows, int columns, const double *a, const double *b, const double *damping, const double *lower,
                           const double *upper, double *x)
{
  Problem self;

  if (!all_finite (a, (gsize)rows * columns) || !all_finite (b, rows) || (damping != NULL && !all_finite (damping, columns)))
    return -1;
  if (columns == 0)
    return 0;
  problem_init (&self, rows, columns, a, b, damping);
  for (int j = 0; j < columns; j++)
    {
      self.lower[j] = lower[j] * self.norms[j];
      self.upper[j] = upper[j] * self.norms[j];
      self.x[j] = CLAMP (0, self.lower[j], self.upper[j]);
      self.places[j] = lower[j] < upper[j] ? FREE : FIXED;
    }
  solve (&self);
  for (int j = 0; j < columns; j++)
    if (self.places[j] == FREE)
      x[j] = CLAMP (self.x[j] / self.norms[j], lower[j], upper[j]);
    else
      x[j] = self.places[j] == AT_UPPER ? upper[j] : lower[j];
  int n = self.n_factorisations;
  problem_clear (&self);
  return n;
}
