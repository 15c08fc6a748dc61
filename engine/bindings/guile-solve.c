/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Systems of linear equations with general matrices, through LAPACK's LU factorisation with row exchanges. */
#include "bindings/guile-error.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include <limits.h>
#include <string.h>

/* LAPACK from Fortran (its C header is a package of its own). The last argument is the length of TRANS. */
extern void dgetrf_ (const int *m, const int *n, double *a, const int *lda, int *pivots, int *info);
extern void dgetrs_ (const char *trans, const int *n, const int *n_rhs, const double *a, const int *lda, const int *pivots,
                     double *b, const int *ldb, int *info, size_t length);

static void
check_count (const char *who, const char *what, size_t expected, size_t actual)
{
  char text[128];

  if (expected == actual)
    return;
  g_snprintf (text, sizeof text, "%s needs %zu numbers, its vector has %zu", what, expected, actual);
  tutti_guile_raise_shape (who, scm_from_utf8_string (text), scm_from_size_t (expected), scm_from_size_t (actual));
}

/* (%solve-linear n a b) -> x with A x = b, or #f if A is singular. */
static SCM
solve_linear (SCM size, SCM a, SCM b)
{
  static const char who[] = "solve-linear";
  size_t n_entries, n_right;
  int n = scm_to_signed_integer (size, 0, INT_MAX), one = 1, info = 0, lead = MAX (n, 1);
  const double *entries = tutti_guile_numbers (a, who, 2, &n_entries), *right = tutti_guile_numbers (b, who, 3, &n_right);

  check_count (who, "the matrix", (size_t) n * n, n_entries);
  check_count (who, "the right-hand side", n, n_right);
  SCM workspace, result, exchanges = scm_c_make_bytevector ((size_t) n * sizeof (int));
  double *factor = tutti_guile_new_numbers (n_entries, &workspace);
  double *x = tutti_guile_new_numbers (n, &result);
  int *pivots = (int *) SCM_BYTEVECTOR_CONTENTS (exchanges);

  memcpy (factor, entries, n_entries * sizeof *factor);
  memcpy (x, right, n * sizeof *x);
  /* What we have by rows is the transpose to Fortran, so its transpose is what is to be solved with. */
  dgetrf_ (&n, &n, factor, &lead, pivots, &info);
  if (info == 0)
    dgetrs_ ("T", &n, &one, factor, &lead, pivots, x, &lead, &info, 1);
  g_assert (info >= 0);
  scm_remember_upto_here (workspace, exchanges, a, b);
  return info == 0 ? result : SCM_BOOL_F;
}

void
tutti_guile_init_solve (void)
{
  scm_c_define_gsubr ("%solve-linear", 3, 0, 0, solve_linear);
}
