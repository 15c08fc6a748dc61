/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The ABI of operator modules: leaf operators written in C, loaded by Tutti at run time.
 *
 * A module is a shared object that exports one symbol, tutti_operator_module, of type TuttiOperatorModule. It lists
 * operator classes. An operator of a class maps R^domain to R^codomain; vectors are plain double arrays of these
 * lengths, owned by the caller, never overlapping; results are not yet filled in. An operator is immutable once
 * created: evaluate and linearize may be called again and again, in any order, and several derivatives may be alive
 * at once; a derivative keeps what it needs of its point, and is freed before its operator. Nothing here is called
 * from two threads at once for the same operator and its derivatives; another operator may be called meanwhile. A
 * function that can fail returns 0, or -1 after writing a message (what was wrong, with numbers) into ERROR, a
 * buffer of TUTTI_OPERATOR_ERROR_SIZE bytes. Results must depend on the arguments alone: workers make their
 * operators from the same parameters, and their results must have the same bits.
 *
 * Either side may be complex instead: C^n, whose vectors are arrays of 2 n doubles (real part, imaginary part of the
 * first number, and so on). The derivative is then linear for real factors, and its adjoint the one for the real
 * part of the inner product, the sum of re re' + im im': the transpose of the derivative as a real matrix on all
 * these doubles. */
#ifndef TUTTI_OPERATOR_H
#define TUTTI_OPERATOR_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TUTTI_OPERATOR_ABI 1
#define TUTTI_OPERATOR_ERROR_SIZE 512

/* A named parameter with which an operator is created: N doubles. */
typedef struct
{
  const char *name;
  const double *values;
  size_t n;
} TuttiOperatorParameter;

typedef struct
{
  const char *name;        /* "impedance" */
  const char *description; /* one line: what it computes, in which units */
  const char *const *parameters; /* names it understands, NULL-terminated; a parameter not listed here is refused by the loader */
  int linear;              /* non-zero: linearize and evaluate agree, derivatives do not depend on the point (and may be NULL) */
  int complex_domain;      /* non-zero: arguments are in C^domain */
  int complex_codomain;    /* non-zero: values are in C^codomain */

  /* Create an operator from N parameters; its sizes, in numbers, go to *DOMAIN and *CODOMAIN. NULL after
   * writing ERROR. PARAMETERS are gone when this returns. */
  void *(*create) (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error);
  void (*destroy) (void *self);

  /* y = T(x) */
  int (*evaluate) (void *self, const double *x, double *y, char *error);

  /* y = T(x); *DERIVATIVE: the derivative at x, to be freed with derivative_free */
  int (*linearize) (void *self, const double *x, double *y, void **derivative, char *error);
  /* dy = T'(x) h */
  int (*derivative) (void *self, void *derivative, const double *h, double *dy, char *error);
  /* dx = T'(x)^T dy */
  int (*adjoint) (void *self, void *derivative, const double *dy, double *dx, char *error);
  void (*derivative_free) (void *self, void *derivative);
} TuttiOperatorClass;

typedef struct
{
  int abi;                 /* TUTTI_OPERATOR_ABI */
  const char *name;        /* "mt1d" */
  const char *description;
  size_t n_classes;
  const TuttiOperatorClass *classes;
} TuttiOperatorModule;

#define TUTTI_OPERATOR_MODULE_SYMBOL "tutti_operator_module"

#ifdef __cplusplus
}
#endif
#endif
