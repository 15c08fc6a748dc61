/* SPDX-License-Identifier: LGPL-3.0-or-later */
#pragma once
#include "embedding/embedding-private.h"

/* Submit SELF, which was not submitted before, to POOL. */
gboolean tutti_task_submit (TuttiTask *self, TtiPool *pool, GError **error);
