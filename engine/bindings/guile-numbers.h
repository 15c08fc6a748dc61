/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The numbers in f64vectors, for primitives that compute. */
#pragma once
#include <libguile.h>

/* The *N numbers of the f64vector VECTOR, argument POSITION of WHO; anything else is a wrong-type-arg. They stay where they are as
 * long as VECTOR lives: scm_remember_upto_here () it after the last use. */
const double *tutti_guile_numbers (SCM vector, const char *who, int position, size_t *n);

/* The numbers of a new f64vector of N zeros, which goes to *VECTOR. */
double *tutti_guile_new_numbers (size_t n, SCM *vector);
