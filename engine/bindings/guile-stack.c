/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A worker says where it is.
 *
 * A thread waits for probes. It is no thread of Guile's, blocks all signals, and costs nothing until it is woken. Then another one, which
 * lives for a moment only, has an async run in the thread of the tasks, at the next point where Guile lets one run; that makes the stack
 * and tells it. (If the first one entered Guile it would be one of its threads from then on, and Guile warns of those when a task forks.)
 *
 * No task may see that anybody has asked, so a thread that sleeps in Guile, in usleep for instance, is not woken for it: that would return
 * early. It tells its stack when it has slept; whoever asked has got the stack in C meanwhile. (A sleep that begins between the entry of
 * the async and its run does return early, in some versions of Guile: it finds that there is something to be run.) */
#include "bindings/guile-stack.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-pool-private.h"
#include "platform/thread.h"
#include <stdlib.h>

static struct
{
  TtiProbe *probe;
  void (*tell) (const char *text, gsize size);
  SCM thread, mark, text; /* of the tasks; a thunk that has the async run there; what makes the text */
} stack;

static SCM
text_body (void *data)
{
  (void) data;
  return scm_call_0 (stack.text);
}

static SCM
no_text (void *data, SCM key, SCM arguments)
{
  (void) data;
  (void) key;
  (void) arguments;
  return SCM_BOOL_F;
}

/* The async: in the thread of the tasks. What it raises is none of the task's business. */
static SCM
tell_stack (void)
{
  SCM text = tti_guile_is_copy () ? SCM_BOOL_F : scm_internal_catch (SCM_BOOL_T, text_body, NULL, no_text, NULL);

  if (scm_is_string (text))
    {
      gsize size;
      char *bytes = scm_to_utf8_stringn (text, &size);

      stack.tell (bytes, size);
      free (bytes);
    }
  return SCM_UNSPECIFIED;
}

static void *
mark_in_guile (void *data)
{
  (void) data;
  tti_guile_mark_quietly (stack.mark, stack.thread);
  return NULL;
}

static void *
mark_async (void *data)
{
  (void) data;
  scm_with_guile (mark_in_guile, NULL);
  return NULL;
}

static void *
hear (void *data)
{
  guint32 heard = tti_probe_count (stack.probe);

  (void) data;
  for (;;)
    {
      tti_probe_wait (stack.probe, heard);
      if (tti_probe_count (stack.probe) == heard)
        continue;
      heard = tti_probe_count (stack.probe);
      GThread *thread = g_thread_try_new ("[tutti] asked", mark_async, NULL, NULL);

      if (thread != NULL)
        g_thread_join (thread);
    }
  return NULL;
}

void
tti_guile_prepare_stack (void)
{
  stack.text = scm_permanent_object (scm_c_public_ref ("tutti worker main", "task-backtrace"));
  stack.mark = scm_permanent_object (scm_c_make_gsubr ("%tell-stack", 0, 0, 0, tell_stack));
}

void
tti_guile_await_probes (const TtiWorkerSide *side)
{
  if (side->probe == NULL)
    return;
  stack.probe = side->probe;
  stack.tell = side->tell_stack;
  stack.thread = scm_permanent_object (scm_current_thread ());
  GThread *thread = tti_thread_start ("[tutti] probes", hear, NULL, NULL);

  if (thread != NULL)
    g_thread_unref (thread);
}
