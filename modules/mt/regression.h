/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the parts of the robust regression know of each other. Functions that return int return whether that was possible. */
#pragma once
#include "mt/mt.h"

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

/* The equations of each group by itself, without references: each has the numbers of group_size (). */
size_t group_size (const Problem *problem);
void group_equations (const Problem *problem, double complex *equations);

/* Least squares over the groups of which KEEP is not 0. */
int solve_groups (const Problem *problem, const double complex *equations, const unsigned char *keep, double complex *z);

/* The sum of the squared residuals of a group, from its EQUATIONS. */
double group_square (const Problem *problem, const double complex *equations, const double complex *z);

/* E = y - X z. */
void residuals (const Problem *problem, const double complex *z, double complex *e);

/* Multiplies the N weights W by what bounds the leverage of the rows of the columns X. There are 2 N numbers in SPARE. */
int bound_leverage (size_t n, size_t columns, const double complex *const *x, double *w, double *spare);

/* The number that a third of the N numbers do not exceed; reorders them. */
double third (double *numbers, size_t n);

/* Z that fits the third of the groups that can be fitted best, as far as a few starts find that. */
int best_third (const Problem *problem, double complex *z);
