/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of the pool bindings share. */
#pragma once
#include "bindings/guile-pool.h"

/* The pool of a <pool> object, owned by it; raises wrong-type-arg as WHO. */
TuttiPool *tutti_guile_to_pool (SCM object, const char *who);

/* The held object of a <held> object, owned by it; raises wrong-type-arg as WHO, also if it was released. */
TuttiHeld *tutti_guile_to_held (SCM object, const char *who);

/* Define the primitives of guile-held.c, guile-random.c, guile-signal.c, guile-task.c and guile-wait.c. */
void tutti_guile_init_held (void);
void tutti_guile_init_random (void);
void tutti_guile_init_signal (void);
void tutti_guile_init_task (void);
void tutti_guile_init_wait (void);
