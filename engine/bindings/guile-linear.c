/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for dense linear algebra: row-major matrices in f64vectors, through CBLAS and LAPACK.
 *
 * A matrix is given as rows, columns and a vector of rows x columns numbers; lengths are checked before anything is computed.
 * Results are new vectors. */
#include "bindings/guile-error.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include <cblas.h>
#include <limits.h>
#include <string.h>


/* LAPACK from Fortran (its C header is a package of its own). The last argument is the length of UPLO. */
extern void dpotrf_ (const char *uplo, const int *n, double *a, const int *lda, int *info, size_t length);
extern void dpotrs_ (const char *uplo, const int *n, const int *n_rhs, const double *a, const int *lda, double *b, const int *ldb,
                     int *info, size_t length);

typedef struct
{
  int rows, columns;
  const double *data;
} Matrix;

typedef struct
{
  size_t n;
  const double *data;
} Vector;

static Vector
to_vector (SCM vector, const char *who, int position)
{
  Vector result;

  result.data = tutti_guile_numbers (vector, who, position, &result.n);
  return result;
}

static Matrix
to_matrix (SCM rows, SCM columns, SCM entries, const char *who)
{
  Matrix matrix = { .rows = scm_to_signed_integer (rows, 0, INT_MAX), .columns = scm_to_signed_integer (columns, 0, INT_MAX) };
  Vector vector = to_vector (entries, who, 3);

  size_t expected = (size_t) matrix.rows * (size_t) matrix.columns;
  if (vector.n != expected)
    tutti_guile_raise_sizes (who, expected, vector.n, "a %d x %d matrix needs %zu numbers, its vector has %zu", matrix.rows,
                             matrix.columns, expected, vector.n);
  matrix.data = vector.data;
  return matrix;
}

static void
check_length (const char *who, Matrix matrix, const char *what, size_t got, int expected)
{
  if (got != (size_t) expected)
    tutti_guile_raise_sizes (who, expected, got, "the matrix is %d x %d, so %s must have length %d; it has %zu", matrix.rows,
                             matrix.columns, what, expected, got);
}

/* CBLAS refuses a leading dimension of 0. */
static int
stride (Matrix matrix)
{
  return MAX (matrix.columns, 1);
}

/* (%matrix-vector rows columns a x) -> A x */
static SCM
matrix_vector (SCM rows, SCM columns, SCM a, SCM x)
{
  static const char who[] = "matrix-vector";
  Matrix matrix = to_matrix (rows, columns, a, who);
  Vector vector = to_vector (x, who, 4);

  check_length (who, matrix, "the vector", vector.n, matrix.columns);
  SCM result;
  double *y = tutti_guile_new_numbers (matrix.rows, &result);
  cblas_dgemv (CblasRowMajor, CblasNoTrans, matrix.rows, matrix.columns, 1, matrix.data, stride (matrix), vector.data, 1, 0, y, 1);
  scm_remember_upto_here_2 (a, x);
  return result;
}

/* (%matrix-transpose-vector rows columns a y) -> A^T y */
static SCM
matrix_transpose_vector (SCM rows, SCM columns, SCM a, SCM y)
{
  static const char who[] = "matrix-transpose-vector";
  Matrix matrix = to_matrix (rows, columns, a, who);
  Vector vector = to_vector (y, who, 4);

  check_length (who, matrix, "the vector", vector.n, matrix.rows);
  SCM result;
  double *x = tutti_guile_new_numbers (matrix.columns, &result);
  cblas_dgemv (CblasRowMajor, CblasTrans, matrix.rows, matrix.columns, 1, matrix.data, stride (matrix), vector.data, 1, 0, x, 1);
  scm_remember_upto_here_2 (a, y);
  return result;
}

/* (%matrix-scale-rows rows columns a d) -> diag (d) A */
static SCM
matrix_scale_rows (SCM rows, SCM columns, SCM a, SCM d)
{
  static const char who[] = "matrix-scale-rows";
  Matrix matrix = to_matrix (rows, columns, a, who);
  Vector factors = to_vector (d, who, 4);

  check_length (who, matrix, "the vector of factors", factors.n, matrix.rows);
  SCM result;
  double *entries = tutti_guile_new_numbers ((size_t) matrix.rows * matrix.columns, &result);
  for (size_t i = 0, k = 0; i < (size_t) matrix.rows; i++)
    for (size_t j = 0; j < (size_t) matrix.columns; j++, k++)
      entries[k] = factors.data[i] * matrix.data[k];
  scm_remember_upto_here_2 (a, d);
  return result;
}

/* (%matrix-gram rows columns a) -> A^T A, both triangles */
static SCM
matrix_gram (SCM rows, SCM columns, SCM a)
{
  Matrix matrix = to_matrix (rows, columns, a, "matrix-gram");
  size_t n = matrix.columns;

  SCM result;
  double *gram = tutti_guile_new_numbers (n * n, &result);
  cblas_dsyrk (CblasRowMajor, CblasUpper, CblasTrans, matrix.columns, matrix.rows, 1, matrix.data, stride (matrix), 0, gram,
               stride (matrix));
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      gram[i * n + j] = gram[j * n + i];
  scm_remember_upto_here_1 (a);
  return result;
}

/* (%solve-positive-definite n a b) -> x with A x = b, or #f if A is not positive definite. Only A's upper triangle is read. */
static SCM
solve_positive_definite (SCM size, SCM a, SCM b)
{
  static const char who[] = "solve-positive-definite";
  Matrix matrix = to_matrix (size, size, a, who);
  Vector right = to_vector (b, who, 3);
  int n = matrix.rows, one = 1, info = 0, lead = stride (matrix);

  check_length (who, matrix, "the right-hand side", right.n, n);
  SCM workspace, result;
  double *factor = tutti_guile_new_numbers ((size_t) n * n, &workspace);
  double *x = tutti_guile_new_numbers (n, &result);
  memcpy (factor, matrix.data, (size_t) n * n * sizeof *factor);
  memcpy (x, right.data, n * sizeof *x);
  /* The upper triangle by rows is Fortran's lower one by columns. */
  dpotrf_ ("L", &n, factor, &lead, &info, 1);
  if (info == 0)
    dpotrs_ ("L", &n, &one, factor, &lead, x, &lead, &info, 1);
  g_assert (info >= 0);
  scm_remember_upto_here (workspace, a, b);
  return info == 0 ? result : SCM_BOOL_F;
}

static SCM
blas_threads (void)
{
  return scm_from_int (openblas_get_num_threads ());
}

static const struct
{
  const char *name;
  int required, optional;
  scm_t_subr procedure;
} primitives[] = {
  { "%matrix-vector", 4, 0, matrix_vector },
  { "%matrix-transpose-vector", 4, 0, matrix_transpose_vector },
  { "%matrix-scale-rows", 4, 0, matrix_scale_rows },
  { "%matrix-gram", 3, 0, matrix_gram },
  { "%solve-positive-definite", 3, 0, solve_positive_definite },
  { "%blas-threads", 0, 0, blas_threads },
};

/* With another number of threads OpenBLAS gives other bits, and it takes the cores from the workers: one, unless the user has said
 * otherwise. The library has read its environment when it was loaded, which is before this, so it is told; what is loaded later
 * reads the environment. */
static void
limit_threads (void)
{
  if (g_getenv ("OPENBLAS_NUM_THREADS") == NULL && g_getenv ("OMP_NUM_THREADS") == NULL)
    openblas_set_num_threads (1);
  g_setenv ("OPENBLAS_NUM_THREADS", "1", FALSE);
  g_setenv ("OMP_NUM_THREADS", "1", FALSE);
}

void
tutti_guile_init_linear (void)
{
  limit_threads ();
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].required, primitives[i].optional, 0, primitives[i].procedure);
}
