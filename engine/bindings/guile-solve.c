/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for dense systems of linear equations, and for least squares. Results are new private vectors. */
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include "module/dense-solve.h"
#include "module/least-squares.h"
#include <string.h>

/* The solution of A x = B, or #f if SOLVE cannot tell it. SOLVE overwrites what it gets, so that gets copies. */
static SCM
solve_with (gboolean (*solve) (int n, double *a, double *x), TtiMatrix matrix, TtiNumbers right)
{
  size_t n = matrix.rows;
  SCM workspace, result;
  double *factor = tti_guile_new_numbers (n * n, &workspace), *x = tti_guile_new_numbers (n, &result);

  memcpy (factor, matrix.entries, n * n * sizeof *factor);
  memcpy (x, right.data, n * sizeof *x);
  gboolean solved = solve (matrix.rows, factor, x);
  scm_remember_upto_here_2 (workspace, right.vector);
  return solved ? result : SCM_BOOL_F;
}

/* (%solve-positive-definite n a b) -> x with A x = b, or #f if A is not positive definite. Only A's upper triangle is read. */
static SCM
solve_positive_definite (SCM size, SCM a, SCM b)
{
  static const char who[] = "solve-positive-definite";
  TtiMatrix matrix = tti_guile_to_matrix (who, size, size, tti_guile_real_numbers (a, who, 2), NULL);
  TtiNumbers right = tti_guile_real_numbers (b, who, 3);

  tti_guile_check_length (who, &matrix, "the right-hand side", matrix.rows, right.n);
  SCM result = solve_with (tti_dense_solve_positive, matrix, right);
  scm_remember_upto_here_1 (a);
  return result;
}

/* (%solve-linear n a b) -> x with A x = b, or #f if A is singular. */
static SCM
solve_linear (SCM size, SCM a, SCM b)
{
  static const char who[] = "solve-linear";
  TtiMatrix matrix = tti_guile_to_matrix (who, size, size, tti_guile_real_numbers (a, who, 2), "the matrix");
  TtiNumbers right = tti_guile_real_numbers (b, who, 3);

  tti_guile_check_count (who, "the right-hand side", matrix.rows, right.n);
  SCM result = solve_with (tti_dense_solve_general, matrix, right);
  scm_remember_upto_here_1 (a);
  return result;
}

/* (%least-squares-reduce rows columns a b) -> (r . c), or #f if a number is not finite; A column after column. */
static SCM
least_squares_reduce (SCM rows, SCM columns, SCM a, SCM b)
{
  static const char who[] = "least-squares-reduce";
  /* As many numbers as by rows. */
  TtiMatrix matrix = tti_guile_to_matrix (who, rows, columns, tti_guile_real_numbers (a, who, 3), "the matrix");
  TtiNumbers right = tti_guile_real_numbers (b, who, 4);
  size_t n = matrix.columns;
  SCM factor, reduced;

  tti_guile_check_count (who, "the right-hand side", matrix.rows, right.n);
  double *r = tti_guile_new_numbers (n * n, &factor), *c = tti_guile_new_numbers (n, &reduced);
  gboolean finite = tti_least_squares_reduce (matrix.rows, matrix.columns, matrix.entries, right.data, r, c);
  scm_remember_upto_here_2 (a, b);
  return finite ? scm_cons (factor, reduced) : SCM_BOOL_F;
}

/* (%semidefinite-factor n a) -> f, or #f if A is not positive semidefinite. */
static SCM
semidefinite_factor (SCM size, SCM a)
{
  static const char who[] = "semidefinite-factor";
  TtiMatrix matrix = tti_guile_to_matrix (who, size, size, tti_guile_real_numbers (a, who, 2), "the matrix");
  SCM factor;
  double *f = tti_guile_new_numbers ((size_t) matrix.rows * matrix.rows, &factor);
  gboolean done = tti_semidefinite_factor (matrix.rows, matrix.entries, f);

  scm_remember_upto_here_1 (a);
  return done ? factor : SCM_BOOL_F;
}

/* (%least-squares-bounded rows columns (a . b) damping lower upper) -> (x . number of factorisations), or #f if a number is not
 * finite. DAMPING may be #f. */
static SCM
least_squares_bounded (SCM rows, SCM columns, SCM system, SCM damping, SCM lower, SCM upper)
{
  static const char who[] = "least-squares-bounded";
  gboolean damped = scm_is_true (damping);
  TtiMatrix matrix
    = tti_guile_to_matrix (who, rows, columns, tti_guile_real_numbers (scm_car (system), who, 3), "the matrix");
  TtiNumbers right = tti_guile_real_numbers (scm_cdr (system), who, 3), low = tti_guile_real_numbers (lower, who, 5),
               high = tti_guile_real_numbers (upper, who, 6),
               factors = damped ? tti_guile_real_numbers (damping, who, 4) : (TtiNumbers) { .n = 0 };
  SCM result;

  tti_guile_check_count (who, "the right-hand side", matrix.rows, right.n);
  tti_guile_check_count (who, "the damping", damped ? matrix.columns : 0, factors.n);
  tti_guile_check_count (who, "the lower bound", matrix.columns, low.n);
  tti_guile_check_count (who, "the upper bound", matrix.columns, high.n);
  double *x = tti_guile_new_numbers (matrix.columns, &result);
  int n = tti_least_squares_bounded (matrix.rows, matrix.columns, matrix.entries, right.data, factors.data, low.data, high.data, x);
  scm_remember_upto_here_2 (system, damping);
  scm_remember_upto_here_2 (lower, upper);
  return n >= 0 ? scm_cons (result, scm_from_int (n)) : SCM_BOOL_F;
}

static const struct
{
  const char *name;
  int required;
  scm_t_subr procedure;
} primitives[] = {
  { "%solve-positive-definite", 3, solve_positive_definite },
  { "%solve-linear", 3, solve_linear },
  { "%least-squares-reduce", 4, least_squares_reduce },
  { "%semidefinite-factor", 2, semidefinite_factor },
  { "%least-squares-bounded", 6, least_squares_bounded },
};

void
tti_guile_init_solve (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].required, 0, 0, primitives[i].procedure);
}
