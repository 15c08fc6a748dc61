/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for products with dense matrices, row-major in f64vectors and c64vectors. A matrix is given as rows, columns and a
 * vector of rows x columns numbers; lengths are checked before anything is computed. Results are new private vectors. */
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include "module/blas-threads.h"
#include "module/matrix-math.h"
#include "platform/memory.h"

typedef TtiNumbers (*ToNumbers) (SCM vector, const char *who, int position);
typedef void (*Product) (const TtiMatrix *a, const double *x, gboolean is_complex, double *y);

static SCM
multiply (SCM rows, SCM columns, SCM a, SCM x, const char *who, ToNumbers to_numbers, Product product)
{
  TtiMatrix matrix = tti_guile_to_matrix (who, rows, columns, to_numbers (a, who, 3), NULL);
  TtiNumbers factor = to_numbers (x, who, 4);
  gboolean adjoint = product == tti_matrix_adjoint;

  tti_guile_check_length (who, &matrix, "the vector", adjoint ? matrix.rows : matrix.columns, factor.n);
  TtiNumbers result = tti_guile_new_any (adjoint ? matrix.columns : matrix.rows, matrix.is_complex || factor.is_complex);
  product (&matrix, factor.data, factor.is_complex, result.data);
  scm_remember_upto_here_2 (a, x);
  return result.vector;
}

/* (%matrix-apply rows columns a x) -> A x */
static SCM
matrix_apply (SCM rows, SCM columns, SCM a, SCM x)
{
  return multiply (rows, columns, a, x, "matrix-apply", tti_guile_any_numbers, tti_matrix_apply);
}

/* (%matrix-adjoint rows columns a y) -> A^H y */
static SCM
matrix_adjoint (SCM rows, SCM columns, SCM a, SCM y)
{
  return multiply (rows, columns, a, y, "matrix-adjoint", tti_guile_any_numbers, tti_matrix_adjoint);
}

static SCM
multiply_block (SCM rows, SCM columns, SCM a, SCM n, SCM x, const char *who, gboolean adjoint)
{
  TtiMatrix matrix = tti_guile_to_matrix (who, rows, columns, tti_guile_any_numbers (a, who, 3), NULL);
  size_t vectors = scm_to_size_t (n);
  TtiNumbers factor = tti_guile_any_numbers (x, who, 5);
  size_t n_x = (size_t) (adjoint ? matrix.rows : matrix.columns), n_y = (size_t) (adjoint ? matrix.columns : matrix.rows), numbers;

  if (factor.is_complex != matrix.is_complex)
    scm_misc_error (who, "the matrix and the vectors must both be real, or both complex", SCM_EOL);
  if (__builtin_mul_overflow (vectors, n_x, &numbers) || numbers != factor.n || __builtin_mul_overflow (vectors, n_y, &numbers))
    scm_misc_error (who, "~A vectors of ~A numbers are expected in a vector of ~A", scm_list_3 (n, scm_from_size_t (n_x),
                                                                                                scm_from_size_t (factor.n)));
  TtiNumbers result = tti_guile_new_any (numbers, matrix.is_complex);
  (adjoint ? tti_matrix_adjoint_block : tti_matrix_apply_block) (&matrix, vectors, factor.data, result.data);
  scm_remember_upto_here_2 (a, x);
  return result.vector;
}

/* (%matrix-apply-block rows columns a n x) -> A times each of the n vectors that x is made of; both real, or both complex */
static SCM
matrix_apply_block (SCM rows, SCM columns, SCM a, SCM n, SCM x)
{
  return multiply_block (rows, columns, a, n, x, "matrix-apply-block", FALSE);
}

/* (%matrix-adjoint-block rows columns a n y) -> A^H times each of the n vectors that y is made of; both real, or both complex */
static SCM
matrix_adjoint_block (SCM rows, SCM columns, SCM a, SCM n, SCM y)
{
  return multiply_block (rows, columns, a, n, y, "matrix-adjoint-block", TRUE);
}

/* (%matrix-vector rows columns a x) -> A x, both real */
static SCM
matrix_vector (SCM rows, SCM columns, SCM a, SCM x)
{
  return multiply (rows, columns, a, x, "matrix-vector", tti_guile_real_numbers, tti_matrix_apply);
}

/* (%matrix-transpose-vector rows columns a y) -> A^T y, both real */
static SCM
matrix_transpose_vector (SCM rows, SCM columns, SCM a, SCM y)
{
  return multiply (rows, columns, a, y, "matrix-transpose-vector", tti_guile_real_numbers, tti_matrix_adjoint);
}

/* (%matrix-scale-rows rows columns a d) -> diag (d) A, both real */
static SCM
matrix_scale_rows (SCM rows, SCM columns, SCM a, SCM d)
{
  static const char who[] = "matrix-scale-rows";
  TtiMatrix matrix = tti_guile_to_matrix (who, rows, columns, tti_guile_real_numbers (a, who, 3), NULL);
  TtiNumbers factors = tti_guile_real_numbers (d, who, 4);
  SCM result;

  tti_guile_check_length (who, &matrix, "the vector of factors", matrix.rows, factors.n);
  double *entries = tti_guile_new_numbers ((size_t) matrix.rows * matrix.columns, &result);
  tti_matrix_scale_rows (&matrix, factors.data, entries);
  scm_remember_upto_here_2 (a, d);
  return result;
}

/* (%matrix-gram rows columns a) -> A^T A, both triangles; A is real */
static SCM
matrix_gram (SCM rows, SCM columns, SCM a)
{
  static const char who[] = "matrix-gram";
  TtiMatrix matrix = tti_guile_to_matrix (who, rows, columns, tti_guile_real_numbers (a, who, 3), NULL);
  SCM result;
  double *gram = tti_guile_new_numbers ((size_t) matrix.columns * matrix.columns, &result);

  tti_matrix_gram (&matrix, gram);
  scm_remember_upto_here_1 (a);
  return result;
}

/* (%use-large-pages! a): A will be read often */
static SCM
use_large_pages (SCM a)
{
  TtiNumbers numbers = tti_guile_any_numbers (a, "use-large-pages!", 1);

  tti_memory_use_large_pages ((gpointer) numbers.data, numbers.n * sizeof (double) * (numbers.is_complex ? 2 : 1));
  scm_remember_upto_here_1 (a);
  return SCM_UNSPECIFIED;
}

static const struct
{
  const char *name;
  int required;
  scm_t_subr procedure;
} primitives[] = {
  { "%matrix-apply", 4, matrix_apply },
  { "%matrix-adjoint", 4, matrix_adjoint },
  { "%matrix-apply-block", 5, matrix_apply_block },
  { "%matrix-adjoint-block", 5, matrix_adjoint_block },
  { "%matrix-vector", 4, matrix_vector },
  { "%matrix-transpose-vector", 4, matrix_transpose_vector },
  { "%matrix-scale-rows", 4, matrix_scale_rows },
  { "%matrix-gram", 3, matrix_gram },
  { "%use-large-pages!", 1, use_large_pages },
};

void
tti_guile_init_matrix (void)
{
  tti_blas_limit_threads ();
  /* Libraries that scripts and tasks load later read the environment. */
  g_setenv ("OPENBLAS_NUM_THREADS", "1", FALSE);
  g_setenv ("OMP_NUM_THREADS", "1", FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].required, 0, 0, primitives[i].procedure);
}
