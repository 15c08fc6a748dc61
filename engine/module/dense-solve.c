/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Row-major systems, solved by LAPACK, which is column-major. */
#include "module/dense-solve.h"
#include "module/lapack.h"

gboolean
tti_dense_solve_positive (int n, double *a, double *x)
{
  int one = 1, info = 0, lead = MAX (n, 1);

  /* The upper triangle by rows is Fortran's lower one by columns. */
  dpotrf_ ("L", &n, a, &lead, &info, 1);
  if (info == 0)
    dpotrs_ ("L", &n, &one, a, &lead, x, &lead, &info, 1);
  g_assert (info >= 0);
  return info == 0;
}

gboolean
tti_dense_solve_general (int n, double *a, double *x)
{
  int one = 1, info = 0, lead = MAX (n, 1);
  g_autofree int *pivots = g_new (int, lead);

  /* For Fortran a row-major matrix is the transpose, so LAPACK solves with the transpose of that. */
  dgetrf_ (&n, &n, a, &lead, pivots, &info);
  if (info == 0)
    dgetrs_ ("T", &n, &one, a, &lead, pivots, x, &lead, &info, 1);
  g_assert (info >= 0);
  return info == 0;
}
