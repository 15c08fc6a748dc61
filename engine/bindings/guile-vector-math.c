/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Arithmetic on f64vectors and c64vectors: which of them can be combined, and whether the result is shared. */
#include "bindings/guile-error.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-vector.h"
#include "module/tree-sum.h"
#include "module/vector-math.h"
#include "platform/memory.h"
#include <string.h>

/* An argument, an f64vector or c64vector. */
typedef struct
{
  SCM vector;
  double *numbers;
  gsize n;
  gboolean complex, shared;
} Operand;

static Operand
operand_get (SCM object, const char *who, int position)
{
  TtiNumbers numbers = tti_guile_any_numbers (object, who, position);

  return (Operand){ object, numbers.data, numbers.n, numbers.is_complex, tti_guile_find_vector (object) != NULL };
}

static gsize
operand_doubles (const Operand *operand)
{
  return operand->complex ? 2 * operand->n : operand->n;
}

static Operand
result_new (gsize n, gboolean complex, gboolean shared, const char *who)
{
  TtiNumberKind kind = complex ? TTI_NUMBER_C64 : TTI_NUMBER_F64;

  return operand_get (shared ? tti_guile_make_shared_to_fill (kind, n, who) : tti_guile_make_private (kind, n), who, 1);
}

/* OPERAND as complex numbers; a copy if it is not. */
static Operand
operand_promote (Operand operand, const char *who)
{
  if (operand.complex)
    return operand;
  Operand wide = result_new (operand.n, TRUE, FALSE, who);

  tti_math_promote (wide.numbers, operand.numbers, operand.n);
  wide.shared = operand.shared;
  return wide;
}

static void
check_lengths (const Operand *x, const Operand *y, const char *who)
{
  if (x->n == y->n)
    return;
  SCM lengths[2] = { scm_from_size_t (x->n), scm_from_size_t (y->n) };
  SCM message
    = scm_simple_format (SCM_BOOL_F,
                         scm_from_utf8_string ("~A: the first vector has ~A numbers, the second ~A; they must "
                                               "have the same length"),
                         scm_list_3 (scm_from_utf8_string (who), lengths[0], lengths[1]));

  tti_guile_raise_shape (who, message, lengths[0], lengths[1]);
}

static void
operands_match (Operand *x, Operand *y, const char *who)
{
  check_lengths (x, y, who);
  if (x->complex != y->complex)
    {
      *x = operand_promote (*x, who);
      *y = operand_promote (*y, who);
    }
}

typedef void (*BinaryLoop) (double *z, const double *x, const double *y, gsize n);

/* COMPLEX_LOOP counts complex numbers; NULL: REAL_LOOP over both parts does it. */
static SCM
combine (SCM vx, SCM vy, BinaryLoop real_loop, BinaryLoop complex_loop, const char *who)
{
  Operand x = operand_get (vx, who, 1), y = operand_get (vy, who, 2);

  operands_match (&x, &y, who);
  Operand z = result_new (x.n, x.complex, x.shared || y.shared, who);

  if (x.complex && complex_loop != NULL)
    complex_loop (z.numbers, x.numbers, y.numbers, x.n);
  else
    real_loop (z.numbers, x.numbers, y.numbers, operand_doubles (&x));
  scm_remember_upto_here_2 (x.vector, y.vector);
  return z.vector;
}

static SCM
vec_add (SCM x, SCM y)
{
  return combine (x, y, tti_math_add, NULL, "vec+");
}

static SCM
vec_subtract (SCM x, SCM y)
{
  return combine (x, y, tti_math_subtract, NULL, "vec-");
}

static SCM
vec_multiply (SCM x, SCM y)
{
  return combine (x, y, tti_math_multiply, tti_math_multiply_complex, "vec*");
}

static gboolean
factor_get (SCM factor, double a[2], const char *who)
{
  if (scm_is_real (factor))
    {
      a[0] = scm_to_double (factor);
      a[1] = 0;
      return FALSE;
    }
  if (!scm_is_complex (factor))
    scm_wrong_type_arg_msg (who, 1, factor, "number");
  a[0] = scm_c_real_part (factor);
  a[1] = scm_c_imag_part (factor);
  return TRUE;
}

static SCM
vec_scale (SCM factor, SCM vx)
{
  static const char who[] = "vec-scale";
  double a[2];
  gboolean complex = factor_get (factor, a, who);
  Operand x = operand_get (vx, who, 2);

  if (complex)
    x = operand_promote (x, who);
  Operand z = result_new (x.n, x.complex, x.shared, who);

  if (complex)
    tti_math_scale_complex (z.numbers, a, x.numbers, x.n);
  else
    tti_math_scale (z.numbers, a[0], x.numbers, operand_doubles (&x));
  scm_remember_upto_here_1 (x.vector);
  return z.vector;
}

/* Slices of one shared vector may overlap; numbers that were just written must not be read as operands. */
static Operand
operand_apart (Operand x, const Operand *target, const char *who)
{
  const double *from = x.numbers, *to = target->numbers;

  if (from == to || from + operand_doubles (&x) <= to || to + operand_doubles (target) <= from)
    return x;
  Operand copy = result_new (x.n, x.complex, FALSE, who);

  memcpy (copy.numbers, x.numbers, operand_doubles (&x) * sizeof (double));
  return copy;
}

static SCM
vec_axpy (SCM factor, SCM vx, SCM vy)
{
  static const char who[] = "vec-axpy!";
  double a[2];
  gboolean complex = factor_get (factor, a, who);
  Operand x = operand_get (vx, who, 2), y = operand_get (vy, who, 3);

  check_lengths (&x, &y, who);
  tti_guile_check_writable (vy, who);
  if ((complex || x.complex) && !y.complex)
    scm_wrong_type_arg_msg (who, 3, vy, "c64vector, because the result is complex");
  if (y.complex)
    x = operand_promote (x, who);
  x = operand_apart (x, &y, who);
  if (complex)
    tti_math_axpy_complex (y.numbers, a, x.numbers, x.n);
  else
    tti_math_axpy (y.numbers, a[0], x.numbers, operand_doubles (&x));
  scm_remember_upto_here_2 (x.vector, y.vector);
  return SCM_UNSPECIFIED;
}

static SCM
vec_dot (SCM vx, SCM vy)
{
  static const char who[] = "vec-dot";
  Operand x = operand_get (vx, who, 1), y = operand_get (vy, who, 2);
  double dot[2] = { 0, 0 };

  operands_match (&x, &y, who);
  if (x.complex)
    tti_math_dot_complex (dot, x.numbers, y.numbers, x.n);
  else
    dot[0] = tti_math_dot (x.numbers, y.numbers, x.n);
  scm_remember_upto_here_2 (x.vector, y.vector);
  return x.complex ? scm_c_make_rectangular (dot[0], dot[1]) : scm_from_double (dot[0]);
}

static SCM
vec_norm (SCM vx)
{
  Operand x = operand_get (vx, "vec-norm", 1);
  double norm = tti_math_norm (x.numbers, operand_doubles (&x));

  scm_remember_upto_here_1 (vx);
  return scm_from_double (norm);
}

static SCM
vec_conjugate (SCM vx)
{
  static const char who[] = "vec-conjugate";
  Operand x = operand_get (vx, who, 1), z = result_new (x.n, x.complex, x.shared, who);

  if (x.complex)
    tti_math_conjugate (z.numbers, x.numbers, x.n);
  else if (x.n > 0)
    memcpy (z.numbers, x.numbers, x.n * sizeof (double));
  scm_remember_upto_here_1 (vx);
  return z.vector;
}

typedef void (*UnaryLoop) (double *z, const double *x, gsize n);

/* The real numbers that a loop computes from X; NULL: X itself. */
static SCM
make_real (SCM vx, UnaryLoop real_loop, UnaryLoop complex_loop, const char *who)
{
  Operand x = operand_get (vx, who, 1), z = result_new (x.n, FALSE, x.shared, who);

  if (x.complex)
    complex_loop (z.numbers, x.numbers, x.n);
  else if (real_loop != NULL)
    real_loop (z.numbers, x.numbers, x.n);
  else if (x.n > 0)
    memcpy (z.numbers, x.numbers, x.n * sizeof (double));
  scm_remember_upto_here_1 (vx);
  return z.vector;
}

static SCM
vec_real (SCM x)
{
  return make_real (x, NULL, tti_math_real_parts, "vec-real");
}

static void
zeros (double *z, const double *x G_GNUC_UNUSED, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = 0;
}

static SCM
vec_imaginary (SCM x)
{
  return make_real (x, zeros, tti_math_imaginary_parts, "vec-imaginary");
}

static SCM
vec_abs (SCM x)
{
  return make_real (x, tti_math_abs, tti_math_abs_complex, "vec-abs");
}

static SCM
vec_to_complex (SCM vx)
{
  static const char who[] = "vec->complex";
  Operand x = operand_get (vx, who, 1), z = result_new (x.n, TRUE, x.shared, who);

  if (!x.complex)
    tti_math_promote (z.numbers, x.numbers, x.n);
  else if (x.n > 0)
    memcpy (z.numbers, x.numbers, 2 * x.n * sizeof (double));
  scm_remember_upto_here_1 (vx);
  return z.vector;
}

static gboolean
any_negative (const Operand *x)
{
  for (gsize i = 0; i < x->n; i++)
    if (x->numbers[i] < 0)
      return TRUE;
  return FALSE;
}

static SCM
vec_sqrt (SCM vx)
{
  static const char who[] = "vec-sqrt";
  Operand x = operand_get (vx, who, 1);

  if (!x.complex && any_negative (&x))
    x = operand_promote (x, who);
  Operand z = result_new (x.n, x.complex, x.shared, who);

  if (x.complex)
    tti_math_sqrt_complex (z.numbers, x.numbers, x.n);
  else
    tti_math_sqrt (z.numbers, x.numbers, x.n);
  scm_remember_upto_here_2 (vx, x.vector);
  return z.vector;
}

/* TO = FROM, where both are of one length; real numbers may become complex ones. */
static void
operand_copy (double *to, gboolean complex, const Operand *from)
{
  if (complex && !from->complex)
    tti_math_promote (to, from->numbers, from->n);
  else if (from->n > 0)
    memmove (to, from->numbers, operand_doubles (from) * sizeof (double));
}

static SCM
vec_copy (SCM vto, SCM vfrom)
{
  static const char who[] = "vec-copy!";
  Operand to = operand_get (vto, who, 1), from = operand_get (vfrom, who, 2);

  check_lengths (&to, &from, who);
  tti_guile_check_writable (vto, who);
  if (from.complex && !to.complex)
    scm_wrong_type_arg_msg (who, 1, vto, "c64vector, because the numbers are complex");
  operand_copy (to.numbers, to.complex, &from);
  scm_remember_upto_here_2 (vto, vfrom);
  return SCM_UNSPECIFIED;
}

static SCM
vec_concatenate (SCM list)
{
  static const char who[] = "vec-concatenate";
  gboolean complex = FALSE, shared = FALSE;
  gsize n = 0;

  if (scm_ilength (list) < 0)
    scm_wrong_type_arg_msg (who, 1, list, "list of vectors");
  /* A copy of the list, as another thread may change it between measuring and copying. */
  SCM vectors = scm_vector (list);
  gsize n_vectors = SCM_SIMPLE_VECTOR_LENGTH (vectors);

  for (gsize i = 0; i < n_vectors; i++)
    {
      Operand x = operand_get (SCM_SIMPLE_VECTOR_REF (vectors, i), who, 1);

      complex |= x.complex;
      shared |= x.shared;
      n += x.n;
    }
  Operand z = result_new (n, complex, shared, who);
  double *to = z.numbers;

  for (gsize i = 0; i < n_vectors; i++)
    {
      Operand x = operand_get (SCM_SIMPLE_VECTOR_REF (vectors, i), who, 1);

      operand_copy (to, complex, &x);
      to += complex ? 2 * x.n : x.n;
    }
  scm_remember_upto_here_1 (vectors);
  return z.vector;
}

/* (%vec-part v start end): a private copy; the caller has checked the bounds. */
static SCM
vec_part (SCM vx, SCM start, SCM end)
{
  static const char who[] = "vec-slice";
  Operand x = operand_get (vx, who, 1);
  gsize to = scm_to_unsigned_integer (end, 0, x.n), from = scm_to_unsigned_integer (start, 0, to),
        width = x.complex ? 2 : 1;
  Operand z = result_new (to - from, x.complex, FALSE, who);

  if (to > from)
    memcpy (z.numbers, x.numbers + from * width, (to - from) * width * sizeof (double));
  scm_remember_upto_here_1 (vx);
  return z.vector;
}

/* The items of LIST, each an index from 0 to MOST; or, if it is no list, N times that index. To be collected. */
static gsize *
to_indices (SCM list, gsize n, gsize most, const char *who)
{
  gsize *indices = scm_gc_malloc_pointerless (MAX (n, 1) * sizeof *indices, who);
  gboolean is_list = scm_is_pair (list) || scm_is_null (list);

  for (gsize i = 0; i < n; i++)
    {
      if (is_list && !scm_is_pair (list))
        scm_wrong_type_arg_msg (who, 0, list, "an index for each vector");
      indices[i] = tti_guile_to_count (is_list ? SCM_CAR (list) : list, most, who, "an index");
      list = is_list ? SCM_CDR (list) : list;
    }
  return indices;
}

/* (%vec-sum! to at vectors starts ends n): N numbers of the sum of VECTORS are written to TO from AT on. All are real or all complex.
 * STARTS: the index of the first of these numbers in all vectors, or a list of one for each. ENDS: #f, or a list: the vectors are nodes
 * of the sum of more items (tree-sum.h). */
static SCM
vec_sum (SCM vto, SCM at, SCM list, SCM vstarts, SCM vends, SCM count)
{
  static const char who[] = "sum-vectors";
  SCM vectors = scm_vector (list);
  gsize n_vectors = SCM_SIMPLE_VECTOR_LENGTH (vectors);
  Operand to = operand_get (vto, who, 1);
  const double **parts = scm_gc_malloc_pointerless (MAX (n_vectors, 1) * sizeof *parts, who);
  gsize width = to.complex ? 2 : 1, into = scm_to_unsigned_integer (at, 0, to.n), n = scm_to_unsigned_integer (count, 0, to.n - into);
  const gsize *starts = to_indices (vstarts, n_vectors, G_MAXSSIZE, who),
              *ends = scm_is_true (vends) ? to_indices (vends, n_vectors, G_MAXSSIZE, who) : NULL;

  tti_guile_check_writable (vto, who);
  for (gsize i = 0; i < n_vectors; i++)
    {
      Operand x = operand_get (SCM_SIMPLE_VECTOR_REF (vectors, i), who, 3);

      if (x.complex != to.complex || starts[i] > x.n || n > x.n - starts[i])
        scm_out_of_range (who, count);
      parts[i] = x.numbers + starts[i] * width;
    }
  if (!tti_math_sum_nodes (to.numbers + into * width, parts, ends, n_vectors, n * width))
    scm_misc_error (who, "the vectors are not those of one sum: they end behind the items ~S", scm_list_1 (vends));
  scm_remember_upto_here_2 (vto, vectors);
  return SCM_UNSPECIFIED;
}

/* (%vector->shared v): of any kind. */
static SCM
vector_to_shared (SCM vector)
{
  static const char who[] = "vector->shared";

  SCM_ASSERT_TYPE (scm_is_bytevector (vector), vector, 1, who, "SRFI-4 vector or bytevector");
  TtiNumberKind kind = tti_guile_get_kind (vector);
  gsize size = SCM_BYTEVECTOR_LENGTH (vector);
  SCM shared = tti_guile_make_shared_to_fill (kind, size / tti_number_size (kind), who);

  if (size > 0)
    tti_memory_copy (SCM_BYTEVECTOR_CONTENTS (shared), SCM_BYTEVECTOR_CONTENTS (vector), size);
  scm_remember_upto_here_1 (vector);
  return shared;
}

/* (%vec-fill! v number): V is new, so nobody reads it. */
static SCM
vec_fill (SCM vx, SCM number)
{
  static const char who[] = "make-shared-vector";
  double a[2];
  gboolean complex = factor_get (number, a, who);
  Operand x = operand_get (vx, who, 1);

  if (complex && !x.complex)
    scm_wrong_type_arg_msg (who, 2, number, "real number");
  gsize width = x.complex ? 2 : 1;

  for (gsize i = 0; i < operand_doubles (&x); i++)
    x.numbers[i] = a[i % width];
  scm_remember_upto_here_1 (vx);
  return SCM_UNSPECIFIED;
}

/* (%exp-elements x) -> e^x, number by number, private */
static SCM
exp_elements (SCM vx)
{
  TtiNumbers x = tti_guile_any_numbers (vx, "exp-elements", 1), result = tti_guile_new_any (x.n, x.is_complex);

  (x.is_complex ? tti_math_exp_complex : tti_math_exp) (result.data, x.data, x.n);
  scm_remember_upto_here_1 (vx);
  return result.vector;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%vec+", 2, vec_add },          { "%vec-", 2, vec_subtract }, { "%vec*", 2, vec_multiply },
  { "%vec-scale", 2, vec_scale },   { "%vec-axpy!", 3, vec_axpy }, { "%vec-dot", 2, vec_dot },
  { "%vec-norm", 1, vec_norm },     { "%vec-conjugate", 1, vec_conjugate },
  { "%vec-real", 1, vec_real },     { "%vec-imaginary", 1, vec_imaginary }, { "%vec-abs", 1, vec_abs },
  { "%vec-sqrt", 1, vec_sqrt },     { "%vec->complex", 1, vec_to_complex },
  { "%vec-copy!", 2, vec_copy },    { "%vec-concatenate", 1, vec_concatenate },
  { "%vec-fill!", 2, vec_fill },
  { "%vec-sum!", 6, vec_sum },      { "%vec-part", 3, vec_part },     { "%vector->shared", 1, vector_to_shared },
  { "%exp-elements", 1, exp_elements },
};

void
tti_guile_init_vector_math (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
