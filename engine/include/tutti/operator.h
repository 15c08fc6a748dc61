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
 * these doubles.
 *
 * Parameters are numbers or text. This is version 2 of the ABI; version 1 had numbers only. A module that was
 * built with its header is loaded as ever, and its source needs no change to be built with this one.
 *
 * How it grows: the structures never change their size or the order of their fields, so that arrays of them
 * stay what they are to either side. What comes later takes the place of a reserved field, and NULL there means
 * what there was before. A module sets none of the reserved fields, not even to NULL: an initialiser does that
 * for all that it does not name, so a source stays valid when a field gets a name. A Tutti that finds a field
 * set which it does not know refuses the module and says so, since it cannot do what is asked for; a module
 * that sets none is loaded by every Tutti from version 2 on. (If each module stated the sizes of its
 * structures, every author would have to state them rightly, and an older Tutti would silently ignore a newer
 * field.) The last reserved field of a structure is kept for a pointer to a structure with more, which begins
 * with its size. The number of the version changes only if a module can no longer be understood. */
#ifndef TUTTI_OPERATOR_H
#define TUTTI_OPERATOR_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TUTTI_OPERATOR_ABI 2
#define TUTTI_OPERATOR_ERROR_SIZE 512

/* A named parameter with which an operator is created: N doubles, or a text of LENGTH bytes, as its class has said. */
typedef struct
{
  const char *name;
  const double *values;    /* may be NULL if there are none */
  size_t n;                /* 0 for a text */
  const char *text;        /* UTF-8, text[length] is NUL and no byte before it is; may be empty; NULL for numbers */
  size_t length;           /* 0 for numbers */
  const void *reserved[3]; /* NULL */
} TuttiOperatorParameter;

typedef struct
{
  const char *name;        /* "impedance" */
  const char *description; /* one line: what it computes, in which units */
  const char *const *parameters; /* names of those that are numbers, NULL-terminated; NULL: none */
  int linear;              /* non-zero: linearize and evaluate agree, derivatives do not depend on the point (and may be NULL) */
  int complex_domain;      /* non-zero: arguments are in C^domain */
  int complex_codomain;    /* non-zero: values are in C^codomain */

  /* Create an operator from N parameters; its sizes, in numbers, go to *DOMAIN and *CODOMAIN. NULL after
   * writing ERROR. PARAMETERS are gone when this returns. They are in any order, each at most once, and any may be
   * missing; what the class does not list, numbers for a text and a text for numbers have been refused already. */
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

  /* Since version 2. */
  const char *const *text_parameters; /* names of those that are text, NULL-terminated; NULL: none */
  const void *reserved[7]; /* not to be set */
} TuttiOperatorClass;

typedef struct
{
  int abi;                 /* TUTTI_OPERATOR_ABI */
  const char *name;        /* "mt1d" */
  const char *description;
  size_t n_classes;
  const TuttiOperatorClass *classes;
  const void *reserved[4]; /* not to be set */
} TuttiOperatorModule;

#define TUTTI_OPERATOR_MODULE_SYMBOL "tutti_operator_module"

#ifdef __cplusplus
}
#endif
#endif
