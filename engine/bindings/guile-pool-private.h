/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of the pool bindings share. */
#pragma once
#include "bindings/guile-pool.h"
#include <sys/time.h>

/* The pool of a <pool> object, owned by it; raises wrong-type-arg as WHO, and in a copy of the process what tti_guile_check_original
 * () raises. */
TtiPool *tti_guile_to_pool (SCM object, const char *who);

/* The same for what a copy of the process may ask as well: nothing is raised there. */
TtiPool *tti_guile_to_any_pool (SCM object, const char *who);

/* The task of a <task> object, owned by it; raises wrong-type-arg as WHO. */
TtiTask *tti_guile_to_task (SCM object, const char *who);

/* Raise as WHO if this process is a copy, made by fork (), of the one that has started the engine. */
void tti_guile_check_original (const char *who);

/* The held object of a <held> object, owned by it; raises wrong-type-arg as WHO, also if it was released. */
TtiHeld *tti_guile_to_held (SCM object, const char *who);

/* Let people see what ENGINE, which is a script's, has to tell, and let them find it. Twice is fine. */
void tti_guile_adopt_engine (TtiEngine *engine);

/* Open a wakeup descriptor for the first wait, as long as descriptors can be had. */
void tti_guile_reserve_wakeup (void);

/* What scm_std_select returns for FD (-1: none), for reading or FOR_WRITING, within LIMIT (NULL: none): it is left early for an async of
 * this thread, which has not run yet then. */
int tti_guile_select (int fd, gboolean for_writing, struct timeval *limit);

/* To be called before and after each task that this thread runs. Tasks may be nested: BEGIN returns the argument of END. */
guint tti_guile_task_begin (void);
void tti_guile_task_end (guint outer);
gboolean tti_guile_task_is_outermost (void);
void tti_guile_task_begin_item (void); /* one after another, of a map */
/* The task that this thread runs has N items, and the first is begun. NULL: it is not a worker's own, or nobody can take items back. */
TtiParts *tti_guile_task_begin_parts (guint n);

/* A number for the random generators of other languages, which begin anew with each task and each item of a map: *SEED depends on the seed
 * of the script and on the numbers of the task and the item alone. Returns a number that changes when this thread begins another task or
 * item, from 1. */
guint64 tti_guile_get_task_seed (guint64 *seed);

/* What is now is the state with which tasks begin (process/base-state.h); set it back, if it has changed, after a task or between two
 * items of a map. Nothing is raised. */
void tti_guile_base_begin (gboolean keep_streams);
void tti_guile_base_end (void);
void tti_guile_base_restore (void);
void tti_guile_base_restore_item (void); /* the same, quicker: between two items of a map */
/* Write what is in the buffers of the current output and error port; that they cannot be written is ignored. */
void tti_guile_flush (void);

/* Is this process a copy, forked by the task that this thread runs? Such a one ends with STATUS, and does nothing of its parent's. */
gboolean tti_guile_is_copy (void);
void tti_guile_end_copy (int status) G_GNUC_NORETURN;

/* Flush all ports, as the procedure of %at-exit! does if there is one. The status with which the process should exit instead of
 * STATUS. */
int tti_guile_end (int status);

/* Nobody comes to this process any more, and those who are there cannot keep it: see guile-listen.c. Twice is fine. */
void tti_guile_end_listening (void);

/* Define the primitives of guile-base.c, guile-copy.c, guile-exit.c, guile-held.c, guile-inspect.c, guile-listen.c, guile-protect.c,
 * guile-random.c, guile-signal.c, guile-task.c and guile-wait.c. */
void tti_guile_init_base (void);
void tti_guile_init_copy (void);
void tti_guile_init_exit (void);
void tti_guile_init_held (void);
void tti_guile_init_listen (void);
void tti_guile_init_looking (void);
void tti_guile_init_board (void);
void tti_guile_init_inspect (void);
void tti_guile_init_capsule (void);
void tti_guile_init_protect (void);
void tti_guile_init_random (void);
void tti_guile_init_signal (void);
void tti_guile_init_task (void);
void tti_guile_init_wait (void);
