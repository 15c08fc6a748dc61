/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The operators and derivatives that a worker holds for tasks of modules in C (task-requests.h). One thread. */
#pragma once
#include "module/task-requests.h"
#include "value/value.h"

/* Hold as ID the operator of CLASS_NAME of MODULE with PARAMETERS, a table; or, if that is taken, in the place of what is there: its worker
 * may be asked twice. Returns its sizes. */
TuttiValue *tti_task_operators_make (guint64 id, const char *module, const char *class_name, TuttiValue *parameters, GError **error);

/* VERB is EVALUATE or LINEARIZE of the operator HELD, or APPLY or ADJOINT of the derivative HELD; ID is for the derivative of LINEARIZE. */
TuttiValue *tti_task_operators_run (TtiRequestVerb verb, guint64 id, guint64 held, TuttiValue *argument, TuttiValue *destination,
                                    GError **error);

/* Forget what is held as ID. */
void tti_task_operators_drop (guint64 id);
