/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The numbers in f64vectors and c64vectors, shared or private: all are bytevectors, whose contents the collector never moves. */
#include "bindings/guile-numbers.h"
#include "bindings/guile-error.h"
#include "bindings/guile-vector.h"
#include <limits.h>
#include <string.h>

static TtiNumbers
numbers_of (SCM vector, TtiNumberKind kind)
{
  return (TtiNumbers){ vector, (double *) SCM_BYTEVECTOR_CONTENTS (vector),
                         SCM_BYTEVECTOR_LENGTH (vector) / tti_number_size (kind), kind == TTI_NUMBER_C64 };
}

static TtiNumberKind
kind_of (SCM vector)
{
  return scm_is_bytevector (vector) ? tti_guile_get_kind (vector) : TTI_NUMBER_VU8;
}

TtiNumbers
tti_guile_real_numbers (SCM vector, const char *who, int position)
{
  if (kind_of (vector) != TTI_NUMBER_F64)
    scm_wrong_type_arg_msg (who, position, vector, "f64vector");
  return numbers_of (vector, TTI_NUMBER_F64);
}

TtiNumbers
tti_guile_any_numbers (SCM vector, const char *who, int position)
{
  TtiNumberKind kind = kind_of (vector);

  if (kind != TTI_NUMBER_F64 && kind != TTI_NUMBER_C64)
    scm_wrong_type_arg_msg (who, position, vector, "f64vector or c64vector");
  return numbers_of (vector, kind);
}

TtiNumbers
tti_guile_new_any (size_t n, gboolean is_complex)
{
  TtiNumberKind kind = is_complex ? TTI_NUMBER_C64 : TTI_NUMBER_F64;
  TtiNumbers numbers = numbers_of (tti_guile_make_private (kind, n), kind);

  memset (numbers.data, 0, n * tti_number_size (kind));
  return numbers;
}

const double *
tti_guile_numbers (SCM vector, const char *who, int position, size_t *n)
{
  TtiNumbers numbers = tti_guile_real_numbers (vector, who, position);

  *n = numbers.n;
  return numbers.data;
}

double *
tti_guile_new_numbers (size_t n, SCM *vector)
{
  TtiNumbers numbers = tti_guile_new_any (n, FALSE);

  *vector = numbers.vector;
  return numbers.data;
}

void
tti_guile_check_count (const char *who, const char *what, size_t expected, size_t actual)
{
  if (expected != actual)
    tti_guile_raise_sizes (who, expected, actual, "%s needs %zu numbers, its vector has %zu", what, expected, actual);
}

int
tti_guile_to_dimension (SCM n)
{
  return scm_to_signed_integer (n, 0, INT_MAX);
}

TtiMatrix
tti_guile_to_matrix (const char *who, SCM rows, SCM columns, TtiNumbers entries, const char *name)
{
  TtiMatrix matrix = { .rows = tti_guile_to_dimension (rows),
                         .columns = tti_guile_to_dimension (columns),
                         .is_complex = entries.is_complex,
                         .entries = entries.data };
  char text[64];

  if (name == NULL)
    g_snprintf (text, sizeof text, "a %d x %d matrix", matrix.rows, matrix.columns);
  tti_guile_check_count (who, name != NULL ? name : text, (size_t) matrix.rows * (size_t) matrix.columns, entries.n);
  return matrix;
}

void
tti_guile_check_length (const char *who, const TtiMatrix *matrix, const char *what, int expected, size_t actual)
{
  if (actual != (size_t) expected)
    tti_guile_raise_sizes (who, expected, actual, "the matrix is %d x %d, so %s must have length %d; it has %zu", matrix->rows,
                           matrix->columns, what, expected, actual);
}
