/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The numbers in f64vectors and c64vectors, for primitives that compute. */
#pragma once
#include <glib.h>
#include <libguile.h>

/* The *N numbers of the f64vector VECTOR, argument POSITION of WHO; anything else is a wrong-type-arg. They stay where they are as
 * long as VECTOR lives: scm_remember_upto_here () it after the last use. */
const double *tutti_guile_numbers (SCM vector, const char *who, int position, size_t *n);

/* The numbers of a new f64vector of N zeros, which goes to *VECTOR. */
double *tutti_guile_new_numbers (size_t n, SCM *vector);

/* A f64vector or c64vector that was given as an argument. */
typedef struct
{
  SCM vector;
  double *data;
  size_t n; /* numbers; in a c64vector each has two doubles */
  gboolean is_complex;
} TuttiNumbers;

/* Argument POSITION of WHO; anything but a f64vector or c64vector is a wrong-type-arg. What holds for tutti_guile_numbers ()
 * holds here. */
TuttiNumbers tutti_guile_any_numbers (SCM vector, const char *who, int position);

/* A new private vector of N zeros. */
TuttiNumbers tutti_guile_new_any (size_t n, gboolean is_complex);
