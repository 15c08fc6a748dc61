/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ending what tasks leave behind.
 *
 * The process keeps a table of the children that it makes itself, under a lock that is held from before the fork until the number
 * is known: otherwise a task that starts a simulator and ends at once would kill it as an orphan. A pid is forgotten when it is no
 * longer that of a child of ours; until then the kernel does not reuse it. */
#include "process/worker-orphans.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_US = G_USEC_PER_SEC, FIRST_PRUNING = 64 };

static GRecMutex lock;
static gboolean here;  /* are children remembered? A forked copy has the table, but not the children. */
static GArray *own;    /* of pid_t */
static guint prune_at; /* the length at which we remove children that are gone */

static void
forget_in_copy (void)
{
  here = FALSE;
}

void
tti_worker_orphans_start (void)
{
  g_rec_mutex_lock (&lock);
  here = TRUE;
  prune_at = FIRST_PRUNING;
  if (own == NULL)
    {
      own = g_array_new (FALSE, FALSE, sizeof (pid_t));
      /* Calling getpid () each time would cost a system call for each task. */
      pthread_atfork (NULL, NULL, forget_in_copy);
    }
  g_rec_mutex_unlock (&lock);
}

static gboolean
child_is_ours (pid_t pid)
{
  siginfo_t info = { 0 };

  return waitid (P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void
own_prune (void)
{
  for (guint i = own->len; i-- > 0;)
    if (!child_is_ours (g_array_index (own, pid_t, i)))
      g_array_remove_index_fast (own, i);
  prune_at = MAX (FIRST_PRUNING, 2 * own->len);
}

gboolean
tti_worker_child_begin (void)
{
  if (!here)
    return FALSE;
  g_rec_mutex_lock (&lock);
  return TRUE;
}

void
tti_worker_child_remember (pid_t pid)
{
  int saved = errno;

  if (own->len >= prune_at)
    own_prune ();
  g_array_append_val (own, pid);
  errno = saved;
}

void
tti_worker_child_end (pid_t pid)
{
  if (pid > 0)
    tti_worker_child_remember (pid);
  g_rec_mutex_unlock (&lock);
}

GArray *
tti_worker_children_unknown (void)
{
  int saved = errno;
  GArray *children = tti_process_children (getpid ());

  for (guint i = children != NULL ? children->len : 0; i-- > 0;)
    for (guint o = 0; o < own->len; o++)
      if (g_array_index (own, pid_t, o) == g_array_index (children, pid_t, i))
        {
          g_array_remove_index_fast (children, i);
          break;
        }
  errno = saved;
  return children != NULL ? children : g_array_new (FALSE, FALSE, sizeof (pid_t));
}

static gboolean
has_children (void)
{
  siginfo_t info = { 0 };

  return waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* Report the remaining orphans, and spare the next tasks the wait. */
static void
give_up_orphans (void)
{
  g_autoptr (GArray) left = tti_worker_children_unknown ();

  if (left->len == 0)
    g_printerr ("tutti-worker: cannot look for processes that a task has left behind, for lack of descriptors or memory; they may go on\n");
  for (guint i = 0; i < left->len; i++)
    {
      pid_t pid = g_array_index (left, pid_t, i);
      g_autofree char *description = tti_process_describe (pid);

      g_printerr ("tutti-worker: %s, which a task has left behind, cannot be ended, and goes on\n", description);
      tti_worker_child_remember (pid);
    }
}

void
tti_worker_orphans_end (void)
{
  if (!tti_worker_child_begin ())
    return;
  if (!has_children ())
    g_array_set_size (own, 0);
  else
    {
      own_prune ();
      if (!tti_process_end_children_but (own, g_get_monotonic_time () + PATIENCE_US))
        give_up_orphans ();
    }
  g_rec_mutex_unlock (&lock);
}
