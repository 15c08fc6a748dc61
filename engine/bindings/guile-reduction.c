/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for model reduction: many long vectors, given as lists, decompositions of small matrices, and sparse systems. */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include "bindings/guile-sparse.h"
#include "bindings/guile-vector.h"
#include "module/decompositions.h"
#include "module/reduction-math.h"
#include "module/sparse-factor.h"
#include <limits.h>
#include <math.h>
#include <string.h>

/* The vectors of a list, all of N numbers, in collected memory. */
typedef struct
{
  size_t count, n;
  const double **data;
} Vectors;

/* N: how many numbers each must have. */
static Vectors
to_vectors (SCM list, size_t n, const char *who)
{
  Vectors vectors = { .count = scm_to_size_t (scm_length (list)), .n = n };

  vectors.data = scm_gc_malloc (MAX (vectors.count, 1) * sizeof *vectors.data, "vectors");
  for (size_t i = 0; i < vectors.count; i++, list = scm_cdr (list))
    {
      size_t length;

      vectors.data[i] = tti_guile_numbers (scm_car (list), who, 1, &length);
      if (length != n)
        tti_guile_raise_sizes (who, n, length, "vector %zu (from 0) has %zu numbers; %zu were expected", i, length, n);
    }
  return vectors;
}

static size_t
length_of (SCM vector, const char *who, int position)
{
  size_t n;

  tti_guile_numbers (vector, who, position, &n);
  return n;
}

static void
check_factors (const char *who, size_t expected, size_t actual)
{
  if (expected != actual)
    tti_guile_raise_sizes (who, expected, actual, "there are %zu vectors and %zu factors", expected, actual);
}

static TtiNorm
to_norm (SCM norm)
{
  if (scm_is_eq (norm, scm_from_utf8_symbol ("euclidean")))
    return TTI_NORM_EUCLIDEAN;
  return scm_is_eq (norm, scm_from_utf8_symbol ("sup")) ? TTI_NORM_SUP : TTI_NORM_NONE;
}

/* (%vectors-norms vectors norm) -> f64vector; NORM: euclidean or sup */
static SCM
vectors_norms (SCM list, SCM norm)
{
  static const char who[] = "vectors-norms";
  size_t count = scm_to_size_t (scm_length (list));
  SCM result;
  double *norms = tti_guile_new_numbers (count, &result);

  for (size_t i = 0; i < count; i++, list = scm_cdr (list))
    {
      size_t n;
      const double *x = tti_guile_numbers (scm_car (list), who, 1, &n);

      norms[i] = tti_reduction_norm (x, n, to_norm (norm));
    }
  scm_remember_upto_here_1 (list);
  return result;
}

/* (%vectors-interpolate! vectors basis dof norm) -> (norms . factors): subtract from each of VECTORS a factor, its number at DOF, times
 * BASIS. NORM: euclidean, sup, or anything else for zeros. */
static SCM
vectors_interpolate (SCM list, SCM basis, SCM dof, SCM norm)
{
  static const char who[] = "vectors-interpolate!";
  size_t n;
  const double *vector = tti_guile_numbers (basis, who, 2, &n);
  size_t place = tti_guile_to_count (dof, n - 1, who, "an index");
  Vectors vectors = to_vectors (list, n, who);
  TtiNorm kind = to_norm (norm);
  SCM s_norms, s_factors;
  double *norms = tti_guile_new_numbers (vectors.count, &s_norms), *factors = tti_guile_new_numbers (vectors.count, &s_factors);

  for (SCM rest = list; scm_is_pair (rest); rest = scm_cdr (rest))
    tti_guile_check_writable (scm_car (rest), who);
  for (size_t i = 0; i < vectors.count; i++)
    {
      factors[i] = vectors.data[i][place];
      norms[i] = tti_reduction_subtract ((double *)vectors.data[i], factors[i], vector, n, kind);
    }
  scm_remember_upto_here_2 (list, basis);
  return scm_cons (s_norms, s_factors);
}

/* (%vec-largest x) -> the index of the first of the largest magnitudes */
static SCM
vec_largest (SCM x)
{
  size_t n;
  const double *numbers = tti_guile_numbers (x, "vec-largest", 1, &n);
  size_t index = tti_reduction_largest (numbers, n);

  scm_remember_upto_here_1 (x);
  return scm_from_size_t (index);
}

/* (%vec-stray x) -> the index of the first number that is not finite, or #f */
static SCM
vec_stray (SCM x)
{
  size_t n, i = 0;
  const double *numbers = tti_guile_numbers (x, "vec-stray", 1, &n);

  while (i < n && isfinite (numbers[i]))
    i++;
  scm_remember_upto_here_1 (x);
  return i < n ? scm_from_size_t (i) : SCM_BOOL_F;
}

/* (%vectors-combine n factors vectors) -> the sum of the products, of N numbers */
static SCM
vectors_combine (SCM size, SCM factors, SCM list)
{
  static const char who[] = "vectors-combine";
  size_t n = tti_guile_to_count (size, G_MAXSSIZE / sizeof (double), who, "a number of numbers"), n_factors;
  const double *numbers = tti_guile_numbers (factors, who, 2, &n_factors);
  Vectors vectors = to_vectors (list, n, who);
  SCM result;

  check_factors (who, vectors.count, n_factors);
  double *sum = tti_guile_new_numbers (n, &result);
  tti_reduction_combine (sum, numbers, vectors.data, vectors.count, n);
  scm_remember_upto_here_2 (factors, list);
  return result;
}

/* (%vectors-gram left right) -> f64vector of 32 x 32 inner products, of at most 32 vectors on each side */
static SCM
vectors_gram (SCM left, SCM right)
{
  static const char who[] = "vectors-gram";
  size_t n = length_of (scm_car (left), who, 1);
  Vectors x = to_vectors (left, n, who), y = to_vectors (right, n, who);
  SCM result;

  if (x.count > TTI_GRAM_BLOCK || y.count > TTI_GRAM_BLOCK)
    scm_out_of_range (who, scm_length (x.count > TTI_GRAM_BLOCK ? left : right));
  double *gram = tti_guile_new_numbers (TTI_GRAM_BLOCK * TTI_GRAM_BLOCK, &result);
  tti_reduction_gram (gram, x.data, x.count, y.data, y.count, n);
  scm_remember_upto_here_2 (left, right);
  return result;
}

/* (%symmetric-eigen n a) -> (values . vectors), or #f: largest first; row k of VECTORS is the k-th */
static SCM
symmetric_eigen (SCM size, SCM a)
{
  static const char who[] = "symmetric-eigen";
  TtiMatrix matrix = tti_guile_to_matrix (who, size, size, tti_guile_real_numbers (a, who, 2), NULL);
  size_t n = matrix.rows;
  SCM s_values, s_vectors;
  double *values = tti_guile_new_numbers (n, &s_values), *vectors = tti_guile_new_numbers (n * n, &s_vectors);

  memcpy (vectors, matrix.entries, n * n * sizeof *vectors);
  scm_remember_upto_here_1 (a);
  return tti_symmetric_eigen (matrix.rows, vectors, values) ? scm_cons (s_values, s_vectors) : SCM_BOOL_F;
}

/* (%singular-values rows columns a) -> (values . left vectors), or #f: as above */
static SCM
singular_values (SCM rows, SCM columns, SCM a)
{
  static const char who[] = "singular-values";
  TtiMatrix matrix = tti_guile_to_matrix (who, rows, columns, tti_guile_real_numbers (a, who, 3), NULL);
  size_t least = MIN (matrix.rows, matrix.columns);
  SCM s_values, s_vectors;
  double *values = tti_guile_new_numbers (least, &s_values), *vectors = tti_guile_new_numbers (least * matrix.rows, &s_vectors);
  gboolean done = tti_singular_values (matrix.rows, matrix.columns, matrix.entries, values, vectors);

  scm_remember_upto_here_1 (a);
  return done ? scm_cons (s_values, s_vectors) : SCM_BOOL_F;
}

/* (%pivoted-columns vectors) -> (f64vector of columns . f64vector of sizes), or #f for want of memory */
static SCM
pivoted_columns (SCM list)
{
  static const char who[] = "pivoted-columns";
  size_t n = length_of (scm_car (list), who, 1);
  Vectors vectors = to_vectors (list, n, who);
  size_t least = MIN (vectors.count, n);
  SCM columns = tti_guile_make_private (TTI_NUMBER_U32, least), s_sizes;
  double *sizes = tti_guile_new_numbers (least, &s_sizes);

  if (n > INT_MAX || vectors.count > INT_MAX)
    scm_out_of_range (who, scm_from_size_t (n));
  gboolean done = tti_pivoted_columns (vectors.data, (int)vectors.count, (int)n, (guint32 *)SCM_BYTEVECTOR_CONTENTS (columns), sizes);
  scm_remember_upto_here_1 (list);
  return done ? scm_cons (columns, s_sizes) : SCM_BOOL_F;
}

/* --- sparse systems ----------------------------------------------------------------------------------------------- */

static void
factor_drop (gpointer factor)
{
  tti_sparse_factor_free (factor);
}

static TtiHandleType factor_type = { .name = "<sparse-factor>", .what = "factorisation of a sparse matrix", .release = factor_drop };

/* (%sparse-factor s positive?) -> a factorisation, or #f if S is singular, or not positive definite; S is square and real */
static SCM
sparse_factor (SCM object, SCM positive)
{
  static const char who[] = "sparse-factor";
  GError *error = NULL;
  const TtiSparse *s = tti_guile_to_sparse (object);
  guint32 rows = tti_sparse_get_rows (s), columns = tti_sparse_get_columns (s);

  if (rows != columns || rows > G_MAXINT32 || tti_sparse_is_complex (s))
    tti_guile_raise_sizes (who, rows, columns, "the sparse matrix is %u x %u; a square one of real numbers was expected", rows, columns);
  TtiSparseFactor *factor = tti_sparse_factor_new (s, scm_is_true (positive), &error);
  scm_remember_upto_here_1 (object);
  if (error != NULL)
    tti_guile_raise (who, error);
  if (factor == NULL)
    return SCM_BOOL_F;
  scm_gc_register_allocation (tti_sparse_factor_get_bytes (factor));
  return tti_guile_make_handle (&factor_type, factor, FALSE);
}

/* (%sparse-solve factor b) -> x */
static SCM
sparse_solve (SCM object, SCM b)
{
  static const char who[] = "sparse-solve";
  const TtiSparseFactor *factor = tti_guile_from_handle (&factor_type, object, 1, who);
  size_t n, expected = tti_sparse_factor_get_size (factor);
  const double *right = tti_guile_numbers (b, who, 2, &n);
  SCM result;

  if (n != expected)
    tti_guile_raise_sizes (who, expected, n, "the matrix is %zu x %zu, so the right-hand side must have length %zu; it has %zu",
                           expected, expected, expected, n);
  double *x = tti_guile_new_numbers (n, &result);
  tti_sparse_factor_solve (factor, right, x);
  scm_remember_upto_here_2 (object, b);
  return result;
}

static const struct
{
  const char *name;
  int required;
  scm_t_subr procedure;
} primitives[] = {
  { "%vectors-norms", 2, vectors_norms },
  { "%vectors-interpolate!", 4, vectors_interpolate },
  { "%vec-largest", 1, vec_largest },
  { "%vec-stray", 1, vec_stray },
  { "%vectors-combine", 3, vectors_combine },
  { "%vectors-gram", 2, vectors_gram },
  { "%symmetric-eigen", 2, symmetric_eigen },
  { "%singular-values", 3, singular_values },
  { "%pivoted-columns", 1, pivoted_columns },
  { "%sparse-factor", 2, sparse_factor },
  { "%sparse-solve", 2, sparse_solve },
};

void
tti_guile_init_reduction (void)
{
  tti_guile_define_handle_type (&factor_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].required, 0, 0, primitives[i].procedure);
}
