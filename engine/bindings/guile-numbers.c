/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The numbers in f64vectors and c64vectors, shared or private: all are bytevectors, whose contents the collector never moves. */
#include "bindings/guile-numbers.h"
#include "bindings/guile-error.h"
#include "bindings/guile-vector.h"
#include <limits.h>
#include <string.h>

static TuttiNumbers
numbers_of (SCM vector, TuttiNumberKind kind)
{
  return (TuttiNumbers){ vector, (double *) SCM_BYTEVECTOR_CONTENTS (vector),
                         SCM_BYTEVECTOR_LENGTH (vector) / tutti_number_size (kind), kind == TUTTI_NUMBER_C64 };
}

static TuttiNumberKind
kind_of (SCM vector)
{
  return scm_is_bytevector (vector) ? tutti_guile_get_kind (vector) : TUTTI_NUMBER_VU8;
}

TuttiNumbers
tutti_guile_real_numbers (SCM vector, const char *who, int position)
{
  if (kind_of (vector) != TUTTI_NUMBER_F64)
    scm_wrong_type_arg_msg (who, position, vector, "f64vector");
  return numbers_of (vector, TUTTI_NUMBER_F64);
}

TuttiNumbers
tutti_guile_any_numbers (SCM vector, const char *who, int position)
{
  TuttiNumberKind kind = kind_of (vector);

  if (kind != TUTTI_NUMBER_F64 && kind != TUTTI_NUMBER_C64)
    scm_wrong_type_arg_msg (who, position, vector, "f64vector or c64vector");
  return numbers_of (vector, kind);
}

TuttiNumbers
tutti_guile_new_any (size_t n, gboolean is_complex)
{
  TuttiNumberKind kind = is_complex ? TUTTI_NUMBER_C64 : TUTTI_NUMBER_F64;
  TuttiNumbers numbers = numbers_of (tutti_guile_make_private (kind, n), kind);

  memset (numbers.data, 0, n * tutti_number_size (kind));
  return numbers;
}

const double *
tutti_guile_numbers (SCM vector, const char *who, int position, size_t *n)
{
  TuttiNumbers numbers = tutti_guile_real_numbers (vector, who, position);

  *n = numbers.n;
  return numbers.data;
}

double *
tutti_guile_new_numbers (size_t n, SCM *vector)
{
  TuttiNumbers numbers = tutti_guile_new_any (n, FALSE);

  *vector = numbers.vector;
  return numbers.data;
}

void
tutti_guile_check_count (const char *who, const char *what, size_t expected, size_t actual)
{
  if (expected != actual)
    tutti_guile_raise_sizes (who, expected, actual, "%s needs %zu numbers, its vector has %zu", what, expected, actual);
}

int
tutti_guile_to_dimension (SCM n)
{
  return scm_to_signed_integer (n, 0, INT_MAX);
}

TuttiMatrix
tutti_guile_to_matrix (const char *who, SCM rows, SCM columns, TuttiNumbers entries, const char *name)
{
  TuttiMatrix matrix = { .rows = tutti_guile_to_dimension (rows),
                         .columns = tutti_guile_to_dimension (columns),
                         .is_complex = entries.is_complex,
                         .entries = entries.data };
  char text[64];

  if (name == NULL)
    g_snprintf (text, sizeof text, "a %d x %d matrix", matrix.rows, matrix.columns);
  tutti_guile_check_count (who, name != NULL ? name : text, (size_t) matrix.rows * (size_t) matrix.columns, entries.n);
  return matrix;
}

void
tutti_guile_check_length (const char *who, const TuttiMatrix *matrix, const char *what, int expected, size_t actual)
{
  if (actual != (size_t) expected)
    tutti_guile_raise_sizes (who, expected, actual, "the matrix is %d x %d, so %s must have length %d; it has %zu", matrix->rows,
                             matrix->columns, what, expected, actual);
}
