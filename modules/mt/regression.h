/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the parts of the robust regression share. Functions that return int return whether they succeeded. */
#pragma once
#include "mt/mt.h"

/* Hidden: the process that loads the module does not see these names. */
#pragma GCC visibility push(hidden)

#define MAX_COLUMNS 8 /* inputs and the intercept */

/* Observations of one output: y = X z + noise. A group is the GROUP observations of one window. */
typedef struct
{
  size_t n, group, n_groups, columns;
  const double complex *x[MAX_COLUMNS]; /* inputs */
  const double complex *r[MAX_COLUMNS]; /* references; the inputs themselves where there are none */
  const double complex *y;
} Problem;

/* Z solves sum w conj(r) (y - x z) = 0; W may be NULL: all 1. INVERSE, which may be NULL, becomes the inverse of the matrix of
 * the equations, row-major. */
int solve_weighted (const Problem *problem, const double *w, double complex *z, double complex *inverse);

/* The equations of each group by itself, without references: COLUMNS rows of its matrix, its right sides, the power of its y, which
 * are together group_size () numbers. */
size_t group_size (const Problem *problem);
void group_equations (const Problem *problem, double complex *equations);

/* Solves P equations, row-major; INVERSE, which may be NULL, becomes that of A. */
int solve_equations (size_t p, const double complex *a, const double complex *b, double complex *z, double complex *inverse);

/* Number I of y - X z, and the squared moduli of all. */
double complex residual (const Problem *problem, const double complex *z, size_t i);
void residual_squares (const Problem *problem, const double complex *z, double *squares);

/* Multiplies the N weights W by factors that bound the leverage of the rows of the columns X. SPARE has room for N numbers. */
int bound_leverage (size_t n, size_t columns, const double complex *const *x, double *w, double *spare);

/* The number that a third of the N numbers do not exceed; reorders them. */
double third (double *numbers, size_t n);

/* The Z for the third of the groups that can be fitted best, as far as a few starts find it. EQUATIONS are those of the groups. */
int best_third (const Problem *problem, const double complex *equations, double complex *z);

#pragma GCC visibility pop
