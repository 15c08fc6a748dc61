/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Processes that a lost pair has left behind. Time-outs are counted in polls, not by the clock, so that time in which the whole job
 * is suspended does not count. */
#include "process/watcher-remnants.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/process-mark.h"
#include "platform/process-tree.h"
#include "platform/urgency.h"
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum
{
  FIRST_PAUSE_MS = 1,
  MOST_PAUSE_MS = 20,
  PAIR_POLLS = 55,  /* about a second */
  ASK_POLLS = 55,   /* launchers have so long */
  SWEEP_POLLS = 105, /* about two */
  BLIND_POLLS = 505, /* about ten, as a shortage may pass */
  CLEAN_POLLS = 2,
};

/* A process that was killed, until it is gone. */
typedef struct
{
  pid_t pid;
  int pidfd;
} Killed;

struct _TtiRemnants
{
  TtiWatcherLink *link;
  int oom_score_adj; /* identifies orphans that became our children; 0: there are none, or it does not identify them */
  guint pair_polls, sweep_polls, clean_polls, blind_polls;
  int pause_ms;
  GArray *killed;    /* of Killed */
  GArray *left;      /* of pid_t */
};

/* 0 if the process is gone; FALSE: unknown because of a shortage. */
static gboolean
read_oom_score_adj (pid_t pid, int *value)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/oom_score_adj", (int) pid), *text = NULL;
  g_autoptr (GError) error = NULL;

  tti_fd_begin_opening ();
  *value = g_file_get_contents (path, &text, NULL, &error) ? atoi (text) : 0;
  tti_fd_end_opening ();
  return !g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_MFILE) && !g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NFILE)
         && !g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOMEM);
}

static int
sign_of_workers (int oom_score_adj)
{
  int subreaper = 0, own;

  read_oom_score_adj (getpid (), &own);
  int sign = MIN (own + oom_score_adj, 1000);

  if (prctl (PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) < 0 || !subreaper || sign == own)
    return 0;
  return sign;
}

TtiRemnants *
tti_remnants_new (TtiWatcherLink *link, int oom_score_adj)
{
  TtiRemnants *remnants = g_new0 (TtiRemnants, 1);

  remnants->link = link;
  remnants->oom_score_adj = sign_of_workers (oom_score_adj);
  remnants->pause_ms = FIRST_PAUSE_MS;
  remnants->killed = g_array_new (FALSE, FALSE, sizeof (Killed));
  remnants->left = g_array_new (FALSE, FALSE, sizeof (pid_t));
  return remnants;
}

void
tti_remnants_free (TtiRemnants *remnants)
{
  if (remnants == NULL)
    return;
  tti_watcher_link_unref (remnants->link);
  for (guint i = 0; i < remnants->killed->len; i++)
    tti_fd_clear (&g_array_index (remnants->killed, Killed, i).pidfd);
  g_array_unref (remnants->killed);
  g_array_unref (remnants->left);
  g_free (remnants);
}

/* Append our children with the oom_score_adj of workers, which this program has not started itself. FALSE: some were not found
 * because of a shortage. */
static gboolean
append_fallen (TtiRemnants *remnants, GArray *found)
{
  if (remnants->oom_score_adj == 0)
    return TRUE;
  g_autoptr (GArray) children = tti_process_children (getpid ());

  for (guint i = 0; children != NULL && i < children->len; i++)
    {
      pid_t pid = g_array_index (children, pid_t, i);
      int sign;

      if (!read_oom_score_adj (pid, &sign))
        return FALSE;
      if (sign == remnants->oom_score_adj)
        g_array_append_val (found, pid);
    }
  return children != NULL;
}

/* The remaining processes and those below them, according to SCAN; NULL: some were not found because of a shortage. UNCLEAR as for
 * tti_process_marked (). */
static GArray *
remnants_find (TtiRemnants *remnants, GArray **scan, gboolean *unclear)
{
  g_autoptr (GArray) found = tti_process_marked (tti_watcher_link_get_mark (remnants->link), unclear);

  if (found == NULL || !append_fallen (remnants, found))
    return NULL;
  if (found->len > 0 && (*scan = tti_process_scan ()) == NULL)
    return NULL;
  return g_steal_pointer (&found);
}

static gboolean
killed_have (TtiRemnants *remnants, pid_t pid)
{
  for (guint i = 0; i < remnants->killed->len; i++)
    if (g_array_index (remnants->killed, Killed, i).pid == pid)
      return TRUE;
  return FALSE;
}

static void
remnants_kill (TtiRemnants *remnants, pid_t pid)
{
  if (remnants->sweep_polls < ASK_POLLS && tti_process_end (pid))
    return; /* the next poll finds it */
  if (killed_have (remnants, pid))
    {
      kill (pid, SIGKILL);
      return;
    }
  Killed killed = { pid, tti_process_open (pid, NULL) };

  if (killed.pidfd < 0)
    kill (pid, SIGKILL); /* gone, or no descriptor left to wait with: then the next poll finds it */
  else
    {
      tti_process_kill (killed.pidfd);
      g_array_append_val (remnants->killed, killed);
    }
}

/* Forget the processes that are gone. */
static void
remnants_settle (TtiRemnants *remnants)
{
  for (guint i = remnants->killed->len; i-- > 0;)
    {
      Killed *killed = &g_array_index (remnants->killed, Killed, i);

      if (!tti_fd_wait (killed->pidfd, POLLIN, 0))
        continue;
      /* In case it has become our child. */
      TtiScheduling before = tti_urgency_soften ();

      waitid (P_PIDFD, (id_t) killed->pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
      tti_urgency_end (&before);
      tti_fd_clear (&killed->pidfd);
      g_array_remove_index_fast (remnants->killed, i);
    }
}

/* Returns TRUE when no process is left, or nothing more can be done. */
static gboolean
remnants_sweep (TtiRemnants *remnants)
{
  g_autoptr (GArray) scan = NULL;
  g_autoptr (GArray) found = NULL;
  gboolean unclear;

  remnants_settle (remnants);
  found = remnants_find (remnants, &scan, &unclear);
  if (found == NULL)
    return ++remnants->blind_polls >= BLIND_POLLS;
  remnants->clean_polls = found->len == 0 && !unclear && remnants->killed->len == 0 ? remnants->clean_polls + 1 : 0;
  if (remnants->clean_polls >= CLEAN_POLLS)
    return TRUE;
  for (guint i = 0; i < found->len; i++)
    {
      pid_t pid = g_array_index (found, pid_t, i);
      g_autoptr (GArray) below = tti_process_below (scan, pid);

      remnants_kill (remnants, pid);
      for (guint b = 0; b < below->len; b++)
        remnants_kill (remnants, g_array_index (below, pid_t, b));
    }
  for (guint i = 0; i < remnants->killed->len; i++)
    tti_urgency_hasten (g_array_index (remnants->killed, Killed, i).pid);
  if (++remnants->sweep_polls < SWEEP_POLLS)
    return FALSE;
  for (guint i = 0; i < remnants->killed->len; i++)
    g_array_append_val (remnants->left, g_array_index (remnants->killed, Killed, i).pid);
  return TRUE;
}

/* Returns TRUE when guard and watcher are gone, or nothing more can be done. */
static gboolean
remnants_await_pair (TtiRemnants *remnants)
{
  if (remnants->pair_polls >= 2 * PAIR_POLLS || tti_watcher_link_has_ended (remnants->link))
    return TRUE;
  if (++remnants->pair_polls == PAIR_POLLS)
    tti_watcher_link_kill (remnants->link);
  return FALSE;
}

int
tti_remnants_poll (TtiRemnants *remnants)
{
  /* What is to be ended may compute on all processors. */
  TtiScheduling before = tti_urgency_begin ();
  gboolean over = remnants_await_pair (remnants) && remnants_sweep (remnants);

  tti_urgency_end (&before);
  if (over)
    return -1;
  int pause_ms = remnants->pause_ms;

  remnants->pause_ms = MIN (2 * pause_ms, MOST_PAUSE_MS);
  return pause_ms;
}

gboolean
tti_remnants_are_hidden (TtiRemnants *remnants)
{
  return remnants->blind_polls >= BLIND_POLLS;
}

const GArray *
tti_remnants_get_left (TtiRemnants *remnants)
{
  return remnants->left;
}
