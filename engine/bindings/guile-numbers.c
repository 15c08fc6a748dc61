/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The numbers in f64vectors, shared or private: both are bytevectors, whose contents the collector never moves. */
#include "bindings/guile-numbers.h"

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
