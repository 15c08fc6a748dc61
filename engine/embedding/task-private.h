/* SPDX-License-Identifier: LGPL-3.0-or-later */
#pragma once
#include "embedding/embedding-private.h"

/* Submit SELF, which was not submitted before, to POOL. */
gboolean tutti_task_submit (TuttiTask *self, TtiPool *pool, GError **error);

/* What the engine has of it, owned by SELF; NULL before it is submitted. */
TtiTask *tutti_task_inside (TuttiTask *self);
/* Was it? Otherwise TUTTI_ERROR_ARGUMENT. */
gboolean tutti_task_check_submitted (TuttiTask *self, GError **error);
