/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The structures of version 1, as they are in modules that people have: nothing here can ever change. */
#include "module/operator-abi-1.h"
#include <string.h>

typedef struct
{
  const char *name;
  const double *values;
  size_t n;
} Parameter1;

typedef struct
{
  const char *name;
  const char *description;
  const char *const *parameters;
  int linear;
  int complex_domain;
  int complex_codomain;
  void *(*create) (const Parameter1 *parameters, size_t n, size_t *domain, size_t *codomain, char *error);
  void (*destroy) (void *self);
  int (*evaluate) (void *self, const double *x, double *y, char *error);
  int (*linearize) (void *self, const double *x, double *y, void **derivative, char *error);
  int (*derivative) (void *self, void *derivative, const double *h, double *dy, char *error);
  int (*adjoint) (void *self, void *derivative, const double *dy, double *dx, char *error);
  void (*derivative_free) (void *self, void *derivative);
} Class1;

typedef struct
{
  int abi;
  const char *name;
  const char *description;
  size_t n_classes;
  const Class1 *classes;
} Module1;

/* The number of the version is where a module of any version has it, and those of version 1 begin as the present ones do. */
G_STATIC_ASSERT (G_STRUCT_OFFSET (TuttiOperatorModule, abi) == 0);
G_STATIC_ASSERT (G_STRUCT_OFFSET (TuttiOperatorModule, reserved) == sizeof (Module1));
G_STATIC_ASSERT (G_STRUCT_OFFSET (TuttiOperatorClass, text_parameters) == sizeof (Class1));

typedef struct
{
  TuttiOperatorModule contents; /* first: it stands for the whole */
  const Class1 *originals;
  TuttiOperatorClass classes[]; /* in the order of the originals */
} Adapted;

/* Stands for the create of a class that has one; tti_abi_1_create () knows that one itself. */
static void *
create_elsewhere (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  (void) parameters, (void) n, (void) domain, (void) codomain, (void) error;
  g_return_val_if_reached (NULL);
}

static TuttiOperatorClass
adapt_class (const Class1 *original)
{
  return (TuttiOperatorClass){ .name = original->name,
                               .description = original->description,
                               .parameters = original->parameters,
                               .linear = original->linear,
                               .complex_domain = original->complex_domain,
                               .complex_codomain = original->complex_codomain,
                               .create = original->create != NULL ? create_elsewhere : NULL,
                               .destroy = original->destroy,
                               .evaluate = original->evaluate,
                               .linearize = original->linearize,
                               .derivative = original->derivative,
                               .adjoint = original->adjoint,
                               .derivative_free = original->derivative_free };
}

TuttiOperatorModule *
tti_abi_1_adapt (const TuttiOperatorModule *contents)
{
  g_return_val_if_fail (contents != NULL && contents->abi == 1 && (contents->classes != NULL || contents->n_classes == 0), NULL);

  const Module1 *original = (const Module1 *) contents;
  Adapted *adapted = g_malloc (sizeof *adapted + original->n_classes * sizeof adapted->classes[0]);
  adapted->contents = (TuttiOperatorModule){ .abi = 1,
                                             .name = original->name,
                                             .description = original->description,
                                             .n_classes = original->n_classes,
                                             .classes = adapted->classes };
  adapted->originals = original->classes;
  for (size_t i = 0; i < original->n_classes; i++)
    adapted->classes[i] = adapt_class (&original->classes[i]);
  return &adapted->contents;
}

void *
tti_abi_1_create (const TuttiOperatorModule *contents, const TuttiOperatorClass *class, const TuttiOperatorParameter *parameters,
                  size_t n, size_t *domain, size_t *codomain, char *error)
{
  const Adapted *adapted = (const Adapted *) contents;
  g_autofree Parameter1 *narrow = g_new (Parameter1, n + 1); /* never NULL */

  for (size_t i = 0; i < n; i++)
    narrow[i] = (Parameter1){ .name = parameters[i].name, .values = parameters[i].values, .n = parameters[i].n };
  return adapted->originals[class - adapted->classes].create (narrow, n, domain, codomain, error);
}
