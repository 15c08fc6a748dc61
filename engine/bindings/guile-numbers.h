/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The numbers in f64vectors and c64vectors, and matrices of them, for primitives that compute. Numbers stay where they are as long as
 * their vector lives: scm_remember_upto_here () the vector after the last use. */
#pragma once
#include "module/matrix-math.h"
#include <libguile.h>

/* An argument, an f64vector or c64vector. */
typedef struct
{
  SCM vector;
  double *data;
  size_t n; /* numbers; in a c64vector each has two doubles */
  gboolean is_complex;
} TtiNumbers;

/* Argument POSITION of WHO; anything but an f64vector is a wrong-type-arg. */
TtiNumbers tti_guile_real_numbers (SCM vector, const char *who, int position);
/* Argument POSITION of WHO; anything but an f64vector or c64vector is a wrong-type-arg. */
TtiNumbers tti_guile_any_numbers (SCM vector, const char *who, int position);

/* A new private vector of N zeros. */
TtiNumbers tti_guile_new_any (size_t n, gboolean is_complex);

/* The same where only numbers of one kind are used: the *N numbers of an f64vector, and those of a new one, which goes to *VECTOR. */
const double *tti_guile_numbers (SCM vector, const char *who, int position, size_t *n);
double *tti_guile_new_numbers (size_t n, SCM *vector);

/* A &shape-error of WHO unless ACTUAL is EXPECTED: "WHAT needs 9 numbers, its vector has 8". */
void tti_guile_check_count (const char *who, const char *what, size_t expected, size_t actual);

/* A number of rows or columns. */
int tti_guile_to_dimension (SCM n);

/* The ROWS x COLUMNS matrix with ENTRIES, row-major; a &shape-error of WHO if they are not as many. NAME: what that calls the
 * matrix; NULL: "a 3 x 3 matrix". */
TtiMatrix tti_guile_to_matrix (const char *who, SCM rows, SCM columns, TtiNumbers entries, const char *name);

/* A &shape-error of WHO unless ACTUAL is EXPECTED: "the matrix is 3 x 3, so WHAT must have length 3; it has 2". */
void tti_guile_check_length (const char *who, const TtiMatrix *matrix, const char *what, int expected, size_t actual);
