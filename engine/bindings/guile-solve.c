/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Systems of linear equations with general matrices, through LAPACK's LU factorisation with row exchanges, and least squares. */
#include "bindings/guile-error.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include "module/least-squares.h"
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

/* (%least-squares-reduce rows columns a b) -> (r . c), or #f if a number is not finite; A column after column. */
static SCM
least_squares_reduce (SCM s_rows, SCM s_columns, SCM a, SCM b)
{
  static const char who[] = "least-squares-reduce";
  size_t n_entries, n_right;
  int rows = scm_to_signed_integer (s_rows, 0, INT_MAX), columns = scm_to_signed_integer (s_columns, 0, INT_MAX);
  const double *entries = tutti_guile_numbers (a, who, 3, &n_entries), *right = tutti_guile_numbers (b, who, 4, &n_right);

  check_count (who, "the matrix", (size_t) rows * columns, n_entries);
  check_count (who, "the right-hand side", rows, n_right);
  SCM factor, reduced;
  double *r = tutti_guile_new_numbers ((size_t) columns * columns, &factor), *c = tutti_guile_new_numbers (columns, &reduced);
  gboolean finite = tutti_least_squares_reduce (rows, columns, entries, right, r, c);
  scm_remember_upto_here_2 (a, b);
  return finite ? scm_cons (factor, reduced) : SCM_BOOL_F;
}

/* (%semidefinite-factor n a) -> f, or #f if A is not positive semidefinite. */
static SCM
semidefinite_factor (SCM size, SCM a)
{
  static const char who[] = "semidefinite-factor";
  size_t n_entries;
  int n = scm_to_signed_integer (size, 0, INT_MAX);
  const double *entries = tutti_guile_numbers (a, who, 2, &n_entries);

  check_count (who, "the matrix", (size_t) n * n, n_entries);
  SCM factor;
  double *f = tutti_guile_new_numbers ((size_t) n * n, &factor);
  gboolean done = tutti_semidefinite_factor (n, entries, f);
  scm_remember_upto_here_1 (a);
  return done ? factor : SCM_BOOL_F;
}

/* (%least-squares-bounded rows columns (a . b) damping lower upper) -> (x . number of factorisations), or #f if a number is not
 * finite. DAMPING may be #f. */
static SCM
least_squares_bounded (SCM s_rows, SCM s_columns, SCM system, SCM damping, SCM lower, SCM upper)
{
  static const char who[] = "least-squares-bounded";
  size_t n_entries, n_right, n_lower, n_upper, n_damping = 0;
  int rows = scm_to_signed_integer (s_rows, 0, INT_MAX), columns = scm_to_signed_integer (s_columns, 0, INT_MAX);
  const double *entries = tutti_guile_numbers (scm_car (system), who, 3, &n_entries),
               *right = tutti_guile_numbers (scm_cdr (system), who, 3, &n_right),
               *damped = scm_is_true (damping) ? tutti_guile_numbers (damping, who, 4, &n_damping) : NULL,
               *low = tutti_guile_numbers (lower, who, 5, &n_lower), *high = tutti_guile_numbers (upper, who, 6, &n_upper);

  check_count (who, "the matrix", (size_t) rows * columns, n_entries);
  check_count (who, "the right-hand side", rows, n_right);
  check_count (who, "the damping", damped != NULL ? columns : 0, n_damping);
  check_count (who, "the lower bound", columns, n_lower);
  check_count (who, "the upper bound", columns, n_upper);
  SCM result;
  double *x = tutti_guile_new_numbers (columns, &result);
  int n = tutti_least_squares_bounded (rows, columns, entries, right, damped, low, high, x);
  scm_remember_upto_here_2 (system, damping);
  scm_remember_upto_here_2 (lower, upper);
  return n >= 0 ? scm_cons (result, scm_from_int (n)) : SCM_BOOL_F;
}

void
tutti_guile_init_solve (void)
{
  scm_c_define_gsubr ("%solve-linear", 3, 0, 0, solve_linear);
  scm_c_define_gsubr ("%least-squares-reduce", 4, 0, 0, least_squares_reduce);
  scm_c_define_gsubr ("%semidefinite-factor", 2, 0, 0, semidefinite_factor);
  scm_c_define_gsubr ("%least-squares-bounded", 6, 0, 0, least_squares_bounded);
}
