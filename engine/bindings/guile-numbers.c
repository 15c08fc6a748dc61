/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The numbers in f64vectors and c64vectors, shared or private: all are bytevectors, whose contents the collector never moves. */
#include "bindings/guile-numbers.h"
#include "bindings/guile-vector.h"
#include <string.h>

const double *
tutti_guile_numbers (SCM vector, const char *who, int position, size_t *n)
{
  scm_t_array_handle handle;
  ssize_t increment;

  if (!scm_is_true (scm_f64vector_p (vector)))
    scm_wrong_type_arg_msg (who, position, vector, "f64vector");
  const double *data = scm_f64vector_elements (vector, &handle, n, &increment);
  scm_array_handle_release (&handle);
  if (increment != 1 && *n > 1)
    scm_wrong_type_arg_msg (who, position, vector, "contiguous f64vector");
  return data;
}

double *
tutti_guile_new_numbers (size_t n, SCM *vector)
{
  scm_t_array_handle handle;
  ssize_t increment;

  *vector = scm_make_f64vector (scm_from_size_t (n), scm_from_double (0));
  double *data = scm_f64vector_writable_elements (*vector, &handle, &n, &increment);
  scm_array_handle_release (&handle);
  return data;
}

static TuttiNumbers
numbers_of (SCM vector, TuttiNumberKind kind)
{
  return (TuttiNumbers){ vector, (double *) SCM_BYTEVECTOR_CONTENTS (vector),
                         SCM_BYTEVECTOR_LENGTH (vector) / tutti_number_size (kind), kind == TUTTI_NUMBER_C64 };
}

TuttiNumbers
tutti_guile_any_numbers (SCM vector, const char *who, int position)
{
  TuttiNumberKind kind = SCM_BYTEVECTOR_P (vector) ? tutti_guile_get_kind (vector) : TUTTI_NUMBER_VU8;

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
