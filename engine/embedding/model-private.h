/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Operators that workers hold, and their derivatives. */
#pragma once
#include "embedding/operation.h"

/* One operator of a module, which one worker holds. */
typedef struct
{
  gatomicrefcount refs;
  TtiHeld *held;
  int worker;
  gsize domain, codomain;                   /* in numbers */
  gboolean complex_domain, complex_codomain;
} TuttiMember;

/* The members T_i of T (x)_i = T_i (x), one after the other. */
struct _TuttiOperator
{
  gatomicrefcount refs;
  TuttiPool *pool;     /* owned */
  GPtrArray *members;  /* of TuttiMember; at least one */
  gsize domain, codomain;
  TuttiElementType domain_type, codomain_type;
};

struct _TuttiDerivative
{
  gatomicrefcount refs;
  TuttiOperator *operator; /* owned */
  GPtrArray *held;         /* of TtiHeld, by member */
};

/* Which member of a family a request is for, and what to do with the parts of the result. */
typedef enum
{
  TUTTI_PARTS_IN_ORDER, /* one behind the other */
  TUTTI_PARTS_SUMMED
} TuttiPartsUse;

/* What one request to all members of an operator needs until its end; freed with tutti_application_free (). */
typedef struct
{
  TuttiOperator *operator;  /* owned */
  TuttiPartsUse use;
  TuttiElementType type;    /* of the result */
  gsize n;                  /* numbers of the result */
  TuttiVector *destination; /* into which workers write, or NULL: their answers have the parts */
  GPtrArray *parts;         /* with TUTTI_PARTS_SUMMED: of TuttiVector, the destination of each; or NULL */
  GPtrArray *derivatives;   /* of TtiHeld, for a linearisation; or NULL */
} TuttiApplication;

/* The application of OPERATOR whose result is of the kind of its codomain, in order; or, ADJOINT, of its domain, a sum. NULL with ERROR if
 * there is no memory. */
TuttiApplication *tutti_application_new (TuttiOperator *operator, gboolean adjoint, GError **error);
void tutti_application_free (gpointer application);

/* The vector for the part of member I, or NULL: it comes with the answer. A reference for the caller. */
TuttiVector *tutti_application_get_part (TuttiApplication *self, guint i, gsize offset);

/* Make the result when all tasks have ended. */
TuttiVector *tutti_application_finish (TuttiApplication *self, TtiTask *const *tasks, guint n, GError **error);

/* Is X a vector for a side of N numbers of TYPE, which real ones fit if TYPE is complex? Otherwise TUTTI_ERROR_SHAPE or _ARGUMENT. */
gboolean tutti_model_check_argument (TuttiVector *x, gsize n, TuttiElementType type, const char *what, GError **error);

/* Start OPERATION for a function with TAG; if it is NULL, return ERROR. */
void tutti_model_start (TuttiOperation *operation, GError *error, gpointer tag, GCancellable *cancellable, GAsyncReadyCallback callback,
                        gpointer user_data);
