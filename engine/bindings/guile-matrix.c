/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for linear operators of dense matrices, real and complex, and for what acts on each number alone.
 * Results are new private vectors. */
#include "bindings/guile-error.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include "module/matrix-math.h"
#include "platform/memory.h"
#include "module/vector-math.h"
#include <limits.h>
#include <string.h>

static TuttiMatrix
to_matrix (SCM rows, SCM columns, SCM entries, const char *who)
{
  TuttiNumbers numbers = tutti_guile_any_numbers (entries, who, 3);
  TuttiMatrix matrix = { .rows = scm_to_signed_integer (rows, 0, INT_MAX),
                         .columns = scm_to_signed_integer (columns, 0, INT_MAX),
                         .is_complex = numbers.is_complex,
                         .entries = numbers.data };
  size_t expected = (size_t)matrix.rows * (size_t)matrix.columns;

  if (numbers.n != expected)
    tutti_guile_raise_sizes (who, expected, numbers.n, "a %d x %d matrix needs %zu numbers, its vector has %zu",
                             matrix.rows, matrix.columns, expected, numbers.n);
  return matrix;
}

static TuttiNumbers
to_factor (SCM vector, const TuttiMatrix *matrix, int expected, const char *who)
{
  TuttiNumbers numbers = tutti_guile_any_numbers (vector, who, 4);

  if (numbers.n != (size_t)expected)
    tutti_guile_raise_sizes (who, expected, numbers.n,
                             "the matrix is %d x %d, so the vector must have length %d; it has %zu", matrix->rows,
                             matrix->columns, expected, numbers.n);
  return numbers;
}

/* (%matrix-apply rows columns a x) -> A x */
static SCM
matrix_apply (SCM rows, SCM columns, SCM a, SCM x)
{
  static const char who[] = "matrix-apply";
  TuttiMatrix matrix = to_matrix (rows, columns, a, who);
  TuttiNumbers factor = to_factor (x, &matrix, matrix.columns, who);
  TuttiNumbers result = tutti_guile_new_any (matrix.rows, matrix.is_complex || factor.is_complex);

  tutti_matrix_apply (&matrix, factor.data, factor.is_complex, result.data);
  scm_remember_upto_here_2 (a, x);
  return result.vector;
}

/* (%matrix-adjoint rows columns a y) -> A^H y */
static SCM
matrix_adjoint (SCM rows, SCM columns, SCM a, SCM y)
{
  static const char who[] = "matrix-adjoint";
  TuttiMatrix matrix = to_matrix (rows, columns, a, who);
  TuttiNumbers factor = to_factor (y, &matrix, matrix.rows, who);
  TuttiNumbers result = tutti_guile_new_any (matrix.columns, matrix.is_complex || factor.is_complex);

  tutti_matrix_adjoint (&matrix, factor.data, factor.is_complex, result.data);
  scm_remember_upto_here_2 (a, y);
  return result.vector;
}

/* (%use-large-pages! a): A will be read often */
static SCM
use_large_pages (SCM a)
{
  TuttiNumbers numbers = tutti_guile_any_numbers (a, "use-large-pages!", 1);

  tutti_memory_use_large_pages ((gpointer) numbers.data, numbers.n * sizeof (double) * (numbers.is_complex ? 2 : 1));
  scm_remember_upto_here_1 (a);
  return SCM_UNSPECIFIED;
}

static SCM
copy_of (TuttiNumbers x)
{
  TuttiNumbers copy = tutti_guile_new_any (x.n, x.is_complex);

  memcpy (copy.data, x.data, x.n * (x.is_complex ? 2 : 1) * sizeof (double));
  scm_remember_upto_here_1 (x.vector);
  return copy.vector;
}

/* (%vector-real z) -> the real parts; of a f64vector a copy */
static SCM
vector_real (SCM z)
{
  TuttiNumbers numbers = tutti_guile_any_numbers (z, "vector-real", 1);

  if (!numbers.is_complex)
    return copy_of (numbers);
  TuttiNumbers result = tutti_guile_new_any (numbers.n, FALSE);
  tutti_math_real_parts (result.data, numbers.data, numbers.n);
  scm_remember_upto_here_1 (z);
  return result.vector;
}

/* (%vector-complex x) -> the same as complex numbers; of a c64vector a copy */
static SCM
vector_complex (SCM x)
{
  TuttiNumbers numbers = tutti_guile_any_numbers (x, "vector-complex", 1);

  if (numbers.is_complex)
    return copy_of (numbers);
  TuttiNumbers result = tutti_guile_new_any (numbers.n, TRUE);
  tutti_math_promote (result.data, numbers.data, numbers.n);
  scm_remember_upto_here_1 (x);
  return result.vector;
}

/* (%exp-elements x) -> e^x, number by number */
static SCM
exp_elements (SCM x)
{
  TuttiNumbers numbers = tutti_guile_any_numbers (x, "exp-elements", 1);
  TuttiNumbers result = tutti_guile_new_any (numbers.n, numbers.is_complex);

  (numbers.is_complex ? tutti_math_exp_complex : tutti_math_exp) (result.data, numbers.data, numbers.n);
  scm_remember_upto_here_1 (x);
  return result.vector;
}

static const struct
{
  const char *name;
  int required;
  scm_t_subr procedure;
} primitives[] = {
  { "%matrix-apply", 4, matrix_apply }, { "%matrix-adjoint", 4, matrix_adjoint },
  { "%use-large-pages!", 1, use_large_pages },
  { "%vector-real", 1, vector_real },   { "%vector-complex", 1, vector_complex },
  { "%exp-elements", 1, exp_elements },
};

void
tutti_guile_init_matrix (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].required, 0, 0, primitives[i].procedure);
}
