/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Residuals, combinations and inner products of many long vectors. */
#include "module/reduction-math.h"
#include "module/vector-math.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

static double
largest_magnitude (const double *x, gsize n)
{
  double most = 0;

  for (gsize i = 0; i < n; i++)
    {
      double size = fabs (x[i]);

      if (isnan (size))
        return size;
      most = MAX (most, size);
    }
  return most;
}

double
tti_reduction_norm (const double *x, gsize n, TtiNorm norm)
{
  switch (norm)
    {
    case TTI_NORM_EUCLIDEAN:
      return tti_math_norm (x, n);
    case TTI_NORM_SUP:
      return largest_magnitude (x, n);
    case TTI_NORM_NONE:
    default:
      return 0;
    }
}

double
tti_reduction_subtract (double *x, double factor, const double *y, gsize n, TtiNorm norm)
{
  if (norm != TTI_NORM_EUCLIDEAN)
    {
      tti_math_axpy (x, -factor, y, n);
      return tti_reduction_norm (x, n, norm);
    }
  double squares = tti_math_axpy_square (x, -factor, y, n);
  /* As in tti_math_norm (), which scales where squares vanish or overflow. */
  return squares > 0x1p-900 && squares < INFINITY ? sqrt (squares) : tti_math_norm (x, n);
}

gsize
tti_reduction_largest (const double *x, gsize n)
{
  gsize index = 0;

  for (gsize i = 1; i < n; i++)
    if (fabs (x[i]) > fabs (x[index]))
      index = i;
  return index;
}

/* A block of the sum stays in the first cache while all vectors are added to it. */
enum
{
  COMBINE_BLOCK = 1024
};

void
tti_reduction_combine (double *z, const double *factors, const double *const *x, gsize n_vectors, gsize n)
{
  for (gsize start = 0; start < n; start += COMBINE_BLOCK)
    {
      gsize count = MIN (n - start, COMBINE_BLOCK);

      memset (z + start, 0, count * sizeof *z);
      for (gsize k = 0; k < n_vectors; k++)
        tti_math_axpy (z + start, factors[k], x[k] + start, count);
    }
}

enum
{
  GRAM_PANEL = 1024
};

/* The numbers from START on of N_X vectors, one after the other. */
static void
panel_fill (double *panel, const double *const *x, gsize n_x, gsize start, gsize n)
{
  gsize count = MIN (n - start, GRAM_PANEL);

  for (gsize i = 0; i < n_x; i++)
    {
      memcpy (panel + i * GRAM_PANEL, x[i] + start, count * sizeof *panel);
      memset (panel + i * GRAM_PANEL + count, 0, (GRAM_PANEL - count) * sizeof *panel);
    }
}

void
tti_reduction_gram (double *gram, const double *const *x, gsize n_x, const double *const *y, gsize n_y, gsize n)
{
  enum
  {
    SIDE = TTI_GRAM_BLOCK
  };
  /* Rows beyond the vectors stay zero. */
  g_autofree double *left = g_new0 (double, SIDE * GRAM_PANEL), *right = g_new0 (double, SIDE * GRAM_PANEL);

  memset (gram, 0, SIDE * SIDE * sizeof *gram);
  for (gsize start = 0; start < n; start += GRAM_PANEL)
    {
      panel_fill (left, x, n_x, start, n);
      panel_fill (right, y, n_y, start, n);
      cblas_dgemm (CblasRowMajor, CblasNoTrans, CblasTrans, SIDE, SIDE, GRAM_PANEL, 1, left, GRAM_PANEL, right, GRAM_PANEL, 1,
                   gram, SIDE);
    }
}
