/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of the process with which every task begins: working folder, umask, environment, resource limits, nice value and
 * scheduling, processors, signals, standard descriptors, timers, locale.
 *
 * A task may change all of it, and the next task must not notice. Checking it after each task would take a dozen system calls; so
 * functions that change it announce the change: in a worker the functions that replace libc's (programs/tutti-worker-setters.c), in
 * the serial pool those that replace Guile's. A part is saved before it changes for the first time, and restored at the end of the
 * task. Changes within a keeper, such as loading a library, become part of the base state.
 *
 * There is one base state per process, and who saves it is the program's business: tutti-worker, and Guile's extension in other
 * processes, install a saver (base-state-saver.h). Elsewhere no task runs, and all that follows does nothing. Forked copies have none. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef enum
{
  TTI_BASE_FOLDER,
  TTI_BASE_UMASK,
  TTI_BASE_ENVIRONMENT,
  TTI_BASE_LIMIT,      /* limit of the resource WHICH */
  TTI_BASE_NICE,
  TTI_BASE_SCHEDULING, /* policy and priority */
  TTI_BASE_PROCESSORS,
  TTI_BASE_SIGNAL,     /* the disposition of signal WHICH */
  TTI_BASE_BLOCKED,    /* blocked signals, in the thread that begins */
  TTI_BASE_STREAM,     /* descriptor WHICH: 0, 1 or 2 */
  TTI_BASE_TIMER,      /* interval timer WHICH */
  TTI_BASE_LOCALE,
  TTI_BASE_INTERPRETER, /* state that the interpreter of tasks manages: records only that it was changed */
  TTI_BASE_N_PARTS
} TtiBasePart;

/* What saves and restores it: the functions below, in the same order. */
typedef struct
{
  void (*begin) (gboolean keep_streams);
  void (*end) (void);
  void (*changing) (TtiBasePart part, int which);
  void (*changed) (TtiBasePart part, int which, const char *name);
  void (*umask_changed) (mode_t before, mode_t now);
  gboolean (*keeps_streams) (void);
  void (*keep_begin) (void);
  guint64 (*keep_end) (void);
  gboolean (*is_touched) (void);
  guint64 (*restore) (void);
} TtiBaseOps;

/* OPS save the base state of this process from now on, unless others do. They must outlive it. Returns those that do, for who asks so often
 * that the way through the functions below counts. */
const TtiBaseOps *tti_base_install (const TtiBaseOps *ops);

/* Make the present state the base state, and this thread the one that runs tasks. KEEP_STREAMS: duplicate standard output and
 * error, so that they can be restored. May be nested: only the outermost END ends it. */
void tti_base_begin (gboolean keep_streams);
void tti_base_end (void);

/* To be called before and after a change of the part that WHICH identifies; NAME is a variable of the environment, NULL for all of
 * them. Any thread may call them. They preserve errno and are fast if there is nothing to do. */
void tti_base_changing (TtiBasePart part, int which);
void tti_base_changed (TtiBasePart part, int which, const char *name);
void tti_base_umask_changed (mode_t before, mode_t now);

/* Are there duplicates of standard output and error? FALSE in forked copies. */
gboolean tti_base_keeps_streams (void);

/* Changes by this thread between the two calls become part of the base state. May be nested. END returns the signals whose
 * dispositions were set, as bits: 1 << (signal - 1); 0 if this is not the outermost. */
void tti_base_keep_begin (void);
guint64 tti_base_keep_end (void);

/* Has anything been changed? Very fast. */
gboolean tti_base_is_touched (void);

/* Restore what was changed, and report on stderr what cannot be restored. Returns a bit for each signal whose disposition was
 * restored: 1 << (signal - 1). */
guint64 tti_base_restore (void);
