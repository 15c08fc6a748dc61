/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of the process with which every task begins: working folder, umask, environment, resource limits, nice value and scheduling,
 * processors, signals, standard descriptors, timers, locale.
 *
 * A task may change all of it, and the next must not notice. To look at it after each task would take a dozen system calls; so those who
 * change it say so before: in a worker the functions that stand in front of libc's (programs/tutti-worker-setters.c), in
 * the serial pool those that stand in front of Guile's. What a part of it was is noted when it is changed for the first time, and set
 * back at the end of the task. What is changed by a keeper, such as a library that is being loaded, belongs to the base state.
 *
 * There is one such state, as there is one of the process. Forked copies have none. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef enum
{
  TUTTI_BASE_FOLDER,
  TUTTI_BASE_UMASK,
  TUTTI_BASE_ENVIRONMENT,
  TUTTI_BASE_LIMIT,      /* of the resource WHICH */
  TUTTI_BASE_NICE,
  TUTTI_BASE_SCHEDULING, /* policy and priority */
  TUTTI_BASE_PROCESSORS,
  TUTTI_BASE_SIGNAL,     /* what is done at signal WHICH */
  TUTTI_BASE_BLOCKED,    /* signals, in the thread that begins */
  TUTTI_BASE_STREAM,     /* descriptor WHICH: 0, 1 or 2 */
  TUTTI_BASE_TIMER,      /* interval timer WHICH */
  TUTTI_BASE_LOCALE,
  TUTTI_BASE_INTERPRETER, /* what is the business of the one who interprets tasks: only that it was changed */
  TUTTI_BASE_N_PARTS
} TuttiBasePart;

/* What is now is the base state, and this thread is the one that runs tasks. KEEP_STREAMS: standard output and error are kept open by
 * descriptors of their own, so that they can be set back. May be nested: only the outermost END leaves it. */
void tutti_base_begin (gboolean keep_streams);
void tutti_base_end (void);

/* Before and after the part of it that WHICH tells is changed; NAME is that of a variable of the environment, NULL for all of them. Any
 * thread may call them. They preserve errno and are quick if there is nothing to do. */
void tutti_base_changing (TuttiBasePart part, int which);
void tutti_base_changed (TuttiBasePart part, int which, const char *name);
void tutti_base_umask_changed (mode_t before, mode_t now);

/* Are standard output and error of this process kept open? FALSE in forked copies. */
gboolean tutti_base_keeps_streams (void);

/* What this thread changes between the two belongs to the base state. May be nested. END returns for which signals it was said what is
 * to be done, as bits: 1 << (signal - 1); 0 if this is not the outermost. */
void tutti_base_keep_begin (void);
guint64 tutti_base_keep_end (void);

/* Has anything been changed? Costs next to nothing. */
gboolean tutti_base_is_touched (void);

/* Set back what was changed. What cannot be set back is told of on stderr. Returns a bit for each signal that is at its base state
 * again: 1 << (signal - 1). */
guint64 tutti_base_restore (void);
