/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Forked copies of a process that runs a task.
 *
 * A task may fork, and the child may return from the task's procedure instead of ending by itself. It is no worker: the answer is
 * its parent's to give, and what comes after the task, the next item or the rest of the script, is its parent's to do. So it ends
 * there, with what it has written flushed. A child is known by a counter, not by its number: to ask for that is a system call. */
#include "bindings/guile-pool-private.h"
#include <pthread.h>
#include <unistd.h>

static guint copies;          /* how often this process was made by fork () out of one that had us loaded */
static __thread guint before; /* what that was when this thread began its task */

static void
count_copy (void)
{
  copies++;
}

guint
tutti_guile_task_begin (void)
{
  guint outer = before;

  before = copies;
  return outer;
}

void
tutti_guile_task_end (guint outer)
{
  before = outer;
}

gboolean
tutti_guile_is_copy (void)
{
  return copies != before;
}

static SCM
flush_body (void *port)
{
  return scm_force_output (SCM_PACK_POINTER (port));
}

static SCM
flush_handler (void *data, SCM key, SCM arguments)
{
  (void) data;
  (void) key;
  (void) arguments;
  return SCM_UNSPECIFIED; /* whoever closed it does not want to see it */
}

static void
flush (void)
{
  SCM ports[] = { scm_current_output_port (), scm_current_error_port () };

  for (gsize i = 0; i < G_N_ELEMENTS (ports); i++)
    scm_internal_catch (SCM_BOOL_T, flush_body, SCM_UNPACK_POINTER (ports[i]), flush_handler, NULL);
}

void
tutti_guile_end_copy (int status)
{
  /* As at the end of each task. What other ports have in their buffers is the parent's to write. */
  flush ();
  _exit (status);
}

/* (%task-begin!) -> what %task-end! is to be called with */
static SCM
task_begin (void)
{
  flush (); /* or a copy would write it as well */
  return scm_from_uint (tutti_guile_task_begin ());
}

/* (%task-end! outer): the end of the task, and of the process if it is a copy that the task has forked */
static SCM
task_end (SCM outer)
{
  if (tutti_guile_is_copy ())
    tutti_guile_end_copy (EXIT_SUCCESS);
  tutti_guile_task_end (scm_to_uint (outer));
  return SCM_UNSPECIFIED;
}

/* (%copy?): has the task that runs here forked this process? */
static SCM
is_copy (void)
{
  return scm_from_bool (tutti_guile_is_copy ());
}

/* (%end-copy! status): end the process, which is one, without anything that is the parent's to do */
static SCM
end_copy (SCM status)
{
  tutti_guile_end_copy (scm_to_int (status));
  return SCM_UNSPECIFIED;
}

void
tutti_guile_init_copy (void)
{
  pthread_atfork (NULL, NULL, count_copy);
  scm_c_define_gsubr ("%task-begin!", 0, 0, 0, task_begin);
  scm_c_define_gsubr ("%task-end!", 1, 0, 0, task_end);
  scm_c_define_gsubr ("%copy?", 0, 0, 0, is_copy);
  scm_c_define_gsubr ("%end-copy!", 1, 0, 0, end_copy);
}
