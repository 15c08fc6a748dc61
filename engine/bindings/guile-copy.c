/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Forked copies of a process that runs a task.
 *
 * A task may fork, and the child may return from the task's procedure instead of ending by itself. It is no worker: its parent
 * answers, and its parent continues after the task, with the next item or the rest of the script. So the child ends there, after
 * flushing what it has written. A counter tells that a process is such a child, as to ask for its number would be a system call. */
#include "bindings/guile-pool-private.h"
#include <pthread.h>
#include <unistd.h>

static guint copies;          /* how many calls of fork () are between the process that loaded this and the present one */

/* Read for each item of a map: the quickest kind of thread-local variable. */
#define NEAR __attribute__ ((tls_model ("initial-exec")))
static __thread guint before NEAR; /* COPIES when this thread began its task */
static __thread guint depth NEAR;  /* how many tasks this thread is in: those of serial pools may be nested */

static void
count_copy (void)
{
  copies++;
}

guint
tti_guile_task_begin (void)
{
  guint outer = before;

  before = copies;
  depth++;
  return outer;
}

void
tti_guile_task_end (guint outer)
{
  before = outer;
  depth--;
}

gboolean
tti_guile_task_is_outermost (void)
{
  return depth == 1;
}

void
tti_guile_task_begin_item (void)
{
  if (G_UNLIKELY (copies != before))
    tti_guile_end_copy (EXIT_SUCCESS); /* the parent does the items that follow */
  if (depth == 1)
    tti_guile_base_restore_item ();
}

gboolean
tti_guile_is_copy (void)
{
  return copies != before;
}

void
tti_guile_end_copy (int status)
{
  /* As at the end of each task. The parent writes what is in the buffers of other ports. */
  tti_guile_flush ();
  _exit (status);
}

/* (%task-begin!) -> the argument of %task-end! */
static SCM
task_begin (void)
{
  tti_guile_flush (); /* or a copy would write it as well */
  guint outer = tti_guile_task_begin ();

  /* A nested task, in a worker too, has the state of the outer one. */
  if (tti_guile_task_is_outermost ())
    tti_guile_base_begin (FALSE);
  return scm_from_uint (outer);
}

/* (%task-end! outer) */
static SCM
task_end (SCM outer)
{
  if (tti_guile_task_is_outermost ())
    {
      tti_guile_base_restore ();
      tti_guile_base_end ();
    }
  tti_guile_task_end (scm_to_uint (outer));
  return SCM_UNSPECIFIED;
}

/* (%exit-status arguments) -> what a process exits with that calls exit with ARGUMENTS */
static SCM
exit_status (SCM arguments)
{
  return scm_from_int (scm_exit_status (arguments));
}

/* (%copy?): has the task that runs here forked this process? */
static SCM
is_copy (void)
{
  return scm_from_bool (tti_guile_is_copy ());
}

/* (%end-copy! status): end this process, a copy, without the steps that its parent takes */
static SCM
end_copy (SCM status)
{
  tti_guile_end_copy (scm_to_int (status));
  return SCM_UNSPECIFIED;
}

void
tti_guile_init_copy (void)
{
  pthread_atfork (NULL, NULL, count_copy);
  scm_c_define_gsubr ("%task-begin!", 0, 0, 0, task_begin);
  scm_c_define_gsubr ("%task-end!", 1, 0, 0, task_end);
  scm_c_define_gsubr ("%exit-status", 1, 0, 0, exit_status);
  scm_c_define_gsubr ("%copy?", 0, 0, 0, is_copy);
  scm_c_define_gsubr ("%end-copy!", 1, 0, 0, end_copy);
}
