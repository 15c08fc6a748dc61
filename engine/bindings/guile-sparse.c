/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for sparse matrices. A matrix is an opaque object, which does not travel: (%sparse-entries s) does. Its
 * finaliser, which any thread may run, only frees memory. */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include "bindings/guile-sparse.h"
#include "bindings/guile-vector.h"
#include "module/sparse-math.h"

static void
sparse_drop (gpointer sparse)
{
  tti_sparse_free (sparse);
}

static TtiHandleType sparse_type = { .name = "<sparse-matrix>", .what = "sparse matrix", .release = sparse_drop };

static TtiSparse *
unwrap (SCM object)
{
  return tti_guile_from_handle (&sparse_type, object, 0, "sparse matrix");
}

const TtiSparse *
tti_guile_to_sparse (SCM object)
{
  return unwrap (object);
}

/* Takes over S, or raises ERROR if there is none. */
static SCM
wrap (TtiSparse *s, const char *who, GError *error)
{
  if (s == NULL)
    tti_guile_raise (who, error);
  scm_gc_register_allocation (tti_sparse_get_bytes (s));
  return tti_guile_make_handle (&sparse_type, s, FALSE);
}

static const guint32 *
to_indices (SCM vector, const char *who, int position, size_t *n)
{
  if (!scm_is_bytevector (vector) || tti_guile_get_kind (vector) != TTI_NUMBER_U32)
    scm_wrong_type_arg_msg (who, position, vector, "u32vector");
  *n = SCM_BYTEVECTOR_LENGTH (vector) / sizeof (guint32);
  return (const guint32 *)SCM_BYTEVECTOR_CONTENTS (vector);
}

/* Entry NUMBER is outside of the matrix: its ROW is too large, or its COLUMN. */
static void G_GNUC_NORETURN
raise_stray (const char *who, guint32 rows, guint32 columns, size_t number, guint32 row, guint32 column)
{
  gboolean in_row = row >= rows;

  tti_guile_raise_sizes (who, in_row ? rows : columns, in_row ? row : column,
                         "entry %zu is in row %u, column %u, but the matrix is %u x %u, counted from 0", number, row,
                         column, rows, columns);
}

/* (%make-sparse rows columns row-indices column-indices values) */
static SCM
make_sparse (SCM rows, SCM columns, SCM row_indices, SCM column_indices, SCM values)
{
  static const char who[] = "make-sparse";
  GError *error = NULL;
  guint32 n_rows = (guint32) tti_guile_to_count (rows, G_MAXUINT32, who, "a number of rows"),
          n_columns = (guint32) tti_guile_to_count (columns, G_MAXUINT32, who, "a number of columns");
  size_t n, n_columns_given;
  const guint32 *row = to_indices (row_indices, who, 3, &n);
  const guint32 *column = to_indices (column_indices, who, 4, &n_columns_given);
  TtiNumbers numbers = tti_guile_any_numbers (values, who, 5);

  if (n_columns_given != n || numbers.n != n)
    tti_guile_raise_sizes (
      who, n, n_columns_given != n ? n_columns_given : numbers.n,
      "there are %zu row indices, %zu column indices and %zu values; each entry needs one of each", n, n_columns_given,
      numbers.n);
  size_t stray = tti_sparse_find_stray (n_rows, n_columns, n, row, column);
  if (stray < n)
    raise_stray (who, n_rows, n_columns, stray, row[stray], column[stray]);
  TtiSparse *s = tti_sparse_new (n_rows, n_columns, n, row, column, numbers.data, numbers.is_complex, &error);
  scm_remember_upto_here (row_indices, column_indices, values);
  return wrap (s, who, error);
}

/* (%sparse-sizes s) -> (rows columns entries complex?) */
static SCM
sparse_sizes (SCM object)
{
  const TtiSparse *s = unwrap (object);

  return scm_list_4 (scm_from_uint32 (tti_sparse_get_rows (s)), scm_from_uint32 (tti_sparse_get_columns (s)),
                     scm_from_size_t (tti_sparse_get_count (s)), scm_from_bool (tti_sparse_is_complex (s)));
}

typedef void (*Product) (const TtiSparse *s, const double *x, gboolean is_complex, double *y);

static SCM
multiply (SCM object, SCM x, gboolean adjoint, const char *who)
{
  const TtiSparse *s = unwrap (object);
  guint32 rows = tti_sparse_get_rows (s), columns = tti_sparse_get_columns (s), expected = adjoint ? rows : columns;
  TtiNumbers factor = tti_guile_any_numbers (x, who, 2);
  Product product = adjoint ? tti_sparse_adjoint : tti_sparse_apply;

  if (factor.n != expected)
    tti_guile_raise_sizes (who, expected, factor.n,
                           "the sparse matrix is %u x %u, so the vector must have length %u; it has %zu", rows,
                           columns, expected, factor.n);
  TtiNumbers result
    = tti_guile_new_any (adjoint ? columns : rows, tti_sparse_is_complex (s) || factor.is_complex);
  product (s, factor.data, factor.is_complex, result.data);
  scm_remember_upto_here_2 (object, x);
  return result.vector;
}

/* (%sparse-apply s x) -> S x */
static SCM
sparse_apply (SCM object, SCM x)
{
  return multiply (object, x, FALSE, "sparse-apply");
}

/* (%sparse-adjoint s y) -> S^H y */
static SCM
sparse_adjoint (SCM object, SCM y)
{
  return multiply (object, y, TRUE, "sparse-adjoint");
}

/* (%sparse-entries s) -> (row-indices column-indices values), by row, then column; no place twice */
static SCM
sparse_entries (SCM object)
{
  const TtiSparse *s = unwrap (object);
  size_t n = tti_sparse_get_count (s);
  SCM rows = tti_guile_make_private (TTI_NUMBER_U32, n), columns = tti_guile_make_private (TTI_NUMBER_U32, n);
  TtiNumbers values = tti_guile_new_any (n, tti_sparse_is_complex (s));

  tti_sparse_get_entries (s, (guint32 *)SCM_BYTEVECTOR_CONTENTS (rows), (guint32 *)SCM_BYTEVECTOR_CONTENTS (columns),
                          values.data);
  scm_remember_upto_here_1 (object);
  return scm_list_3 (rows, columns, values.vector);
}

/* (%sparse-multiply a b) -> A B */
static SCM
sparse_multiply (SCM left, SCM right)
{
  static const char who[] = "sparse-multiply";
  GError *error = NULL;
  const TtiSparse *a = unwrap (left), *b = unwrap (right);

  if (tti_sparse_get_columns (a) != tti_sparse_get_rows (b))
    tti_guile_raise_sizes (
      who, tti_sparse_get_columns (a), tti_sparse_get_rows (b),
      "the first sparse matrix is %u x %u, the second %u x %u: as many rows as the first has columns were expected",
      tti_sparse_get_rows (a), tti_sparse_get_columns (a), tti_sparse_get_rows (b), tti_sparse_get_columns (b));
  TtiSparse *product = tti_sparse_multiply (a, b, &error);
  scm_remember_upto_here_2 (left, right);
  return wrap (product, who, error);
}

/* (%sparse-add a b) -> A + B */
static SCM
sparse_add (SCM left, SCM right)
{
  static const char who[] = "sparse-add";
  GError *error = NULL;
  const TtiSparse *a = unwrap (left), *b = unwrap (right);
  guint32 rows = tti_sparse_get_rows (a), columns = tti_sparse_get_columns (a);

  if (rows != tti_sparse_get_rows (b) || columns != tti_sparse_get_columns (b))
    {
      gboolean in_rows = rows != tti_sparse_get_rows (b);
      tti_guile_raise_sizes (who, in_rows ? rows : columns,
                             in_rows ? tti_sparse_get_rows (b) : tti_sparse_get_columns (b),
                             "the first sparse matrix is %u x %u, the second %u x %u; they must have the same shape",
                             rows, columns, tti_sparse_get_rows (b), tti_sparse_get_columns (b));
    }
  TtiSparse *sum = tti_sparse_add (a, b, &error);
  scm_remember_upto_here_2 (left, right);
  return wrap (sum, who, error);
}

/* (%sparse-scale-rows s v) -> diag (v) S */
static SCM
sparse_scale_rows (SCM object, SCM v)
{
  static const char who[] = "sparse-scale-rows";
  GError *error = NULL;
  const TtiSparse *s = unwrap (object);
  TtiNumbers factors = tti_guile_any_numbers (v, who, 2);

  if (factors.n != tti_sparse_get_rows (s))
    tti_guile_raise_sizes (who, tti_sparse_get_rows (s), factors.n,
                           "the sparse matrix is %u x %u, so there must be %u factors; there are %zu",
                           tti_sparse_get_rows (s), tti_sparse_get_columns (s), tti_sparse_get_rows (s),
                           factors.n);
  TtiSparse *scaled = tti_sparse_scale_rows (s, factors.data, factors.is_complex, &error);
  scm_remember_upto_here_2 (object, v);
  return wrap (scaled, who, error);
}

/* (%sparse-square s) -> the squared magnitudes of the entries, real */
static SCM
sparse_square (SCM object)
{
  GError *error = NULL;
  TtiSparse *square = tti_sparse_square (unwrap (object), &error);

  scm_remember_upto_here_1 (object);
  return wrap (square, "sparse-square", error);
}

static const struct
{
  const char *name;
  int required;
  scm_t_subr procedure;
} primitives[] = {
  { "%make-sparse", 5, make_sparse },
  { "%sparse-sizes", 1, sparse_sizes },
  { "%sparse-entries", 1, sparse_entries },
  { "%sparse-apply", 2, sparse_apply },
  { "%sparse-adjoint", 2, sparse_adjoint },
  { "%sparse-multiply", 2, sparse_multiply },
  { "%sparse-add", 2, sparse_add },
  { "%sparse-scale-rows", 2, sparse_scale_rows },
  { "%sparse-square", 1, sparse_square },
};

void
tti_guile_init_sparse (void)
{
  tti_guile_define_handle_type (&sparse_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].required, 0, 0, primitives[i].procedure);
}
