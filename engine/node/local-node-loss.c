/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The local node's pair of guard and watcher, when it is lost, and its replacement.
 *
 * A pair that is lost takes all workers with it. Before there is another, everything that was below it is ended: a task that is tried
 * again while a simulator of its first attempt still runs would have two of them write one file. So the node reports that the loss has
 * settled, and lost workers' tasks end or go back to the queue, when all that they had started is gone, or is known not to be in our
 * power.
 *
 * All of it happens in steps in the thread of the context, which does not wait meanwhile. */
#include "node/local-node-private.h"
#include "node/patience.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include <poll.h>
#include <signal.h>

enum
{
  LOST_LIMIT = 5, /* pairs lost within the window before we give up */
  LOST_WINDOW_US = 10 * G_USEC_PER_SEC,
  DYING_PAUSE_MS = 20,
  DYING_POLLS = 500 /* ten seconds of our own time */
};

static void
attach (TtiLocalNode *self, GSource *source, const char *name, GSourceFunc callback)
{
  g_source_set_static_name (source, name);
  g_source_set_callback (source, callback, self, NULL);
  g_source_attach (source, self->node.context);
  g_source_unref (source);
}

static gboolean
is_stopped (TtiLocalNode *self)
{
  tti_lock_take (&self->lock);
  gboolean stopped = self->stopped;

  tti_lock_release (&self->lock);
  return stopped;
}

/* --- the next pair ----------------------------------------------------------------------------------------------------------- */

/* There is LINK, or there will be no other, for FAILURE. */
static void
pair_replaced (TtiLocalNode *self, TtiWatcherLink *link, const GError *failure)
{
  tti_lock_take (&self->lock);
  self->link = link;
  self->replacing = FALSE;
  gboolean stopped = self->stopped;
  tti_lock_release (&self->lock);
  self->short_since = 0;
  if (stopped)
    return;
  if (failure != NULL)
    self->node.events->hopeless (&self->node, self->node.user_data, failure);
  else
    self->node.events->ready (&self->node, self->node.user_data);
}

static gboolean pair_wanted (gpointer self);

/* It cannot be started, for ERROR. TRUE: for want of something, and it is tried again later; FALSE: for another reason, or that has lasted
 * too long. */
static gboolean
is_patient (TtiLocalNode *self, const GError *error)
{
  gint64 now = g_get_monotonic_time ();

  if (!g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE))
    return FALSE;
  if (self->short_since == 0)
    {
      self->short_since = now;
      self->short_in_row = 0;
    }
  gint64 pause = tti_shortage_pause (self->short_in_row++, self->short_since, now);

  if (pause < 0)
    return FALSE;
  attach (self, g_timeout_source_new ((guint) (pause / 1000)), "[tutti] watcher wanted again", pair_wanted);
  return TRUE;
}

static void
pair_start (TtiLocalNode *self)
{
  g_autoptr (GError) error = NULL;

  self->coming = tti_watcher_link_start (self->program, self->node.context, tti_local_node_get_link_events (), self, &error);
  if (self->coming == NULL && !is_patient (self, error))
    pair_replaced (self, NULL, error);
}

static gboolean
pair_wanted (gpointer self)
{
  if (!is_stopped (self))
    pair_start (self);
  return G_SOURCE_REMOVE;
}

void
tti_local_node_pair_ready (gpointer user_data)
{
  TtiLocalNode *self = user_data;

  pair_replaced (self, g_steal_pointer (&self->coming), NULL);
}

/* Once there was no new pair to be had, nobody tries until somebody wants to spawn; then the reason may be gone. In the thread of
 * the context, where the end of a pair is heard of: never before the pair is known. */
void
tti_local_node_want_locked (TtiLocalNode *self)
{
  TTI_ASSERT_LOCKED (&self->lock);
  if (self->replacing)
    return;
  self->replacing = TRUE;
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  attach (self, source, "[tutti] watcher wanted", pair_wanted);
}

/* --- what the last pair has left --------------------------------------------------------------------------------------------- */

/* All workers of the lost pair are being ended by what is left of it; and by us, with what is below them, in case that nothing is left. */
static void
kill_processes_locked (TtiLocalNode *self)
{
  TTI_ASSERT_LOCKED (&self->lock);
  g_autoptr (GArray) scan = tti_process_scan ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->processes);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const TtiLocalProcess *process = value;
      g_autoptr (GArray) below = tti_process_below (scan, process->pid);

      tti_process_kill (process->pidfd);
      for (guint i = 0; i < below->len; i++)
        tti_process_end (g_array_index (below, pid_t, i));
    }
}

/* Is one of the workers, which were killed, about to end? When its first thread is dead the kernel calls it a zombie, as those that only
 * wait to be reaped; but others of its threads may need the processor once more, and until then it has its memory and its descriptors. */
static gboolean
workers_are_dying (TtiLocalNode *self)
{
  gboolean dying = FALSE;
  GHashTableIter iter;
  gpointer value;

  tti_lock_take (&self->lock);
  g_hash_table_iter_init (&iter, self->processes);
  while (!dying && g_hash_table_iter_next (&iter, NULL, &value))
    {
      const TtiLocalProcess *process = value;

      dying = process->pidfd >= 0 && !tti_fd_wait (process->pidfd, POLLIN, 0) && !tti_local_process_is_stuck (process->pid);
    }
  tti_lock_release (&self->lock);
  return dying;
}

/* Their end is settled: whoever wants to know more has asked. */
static void
forget_processes (TtiLocalNode *self)
{
  GHashTableIter iter;
  gpointer value;

  tti_lock_take (&self->lock);
  g_hash_table_iter_init (&iter, self->processes);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      tti_watch_remove (self->pidfds, &((TtiLocalProcess *) value)->watch);
      g_hash_table_iter_remove (&iter);
    }
  tti_lock_release (&self->lock);
}

static void
remnants_report (TtiLocalNode *self)
{
  const TtiNodeEvents *to = self->node.events;
  const GArray *left = tti_remnants_get_left (self->remnants);

  if (tti_remnants_are_hidden (self->remnants))
    to->message (&self->node, self->node.user_data,
                 "what a lost watcher has left cannot be found for want of a descriptor or memory, and may go on");
  for (guint i = 0; i < left->len; i++)
    {
      g_autofree char *description = tti_process_describe (g_array_index (left, pid_t, i));
      g_autofree char *message = g_strconcat (description, ", which a lost watcher has left, cannot be ended, and goes on", NULL);

      to->message (&self->node, self->node.user_data, message);
    }
}

static void remnants_poll_in (TtiLocalNode *self, int pause_ms);

static gboolean
remnants_poll (gpointer data)
{
  TtiLocalNode *self = data;

  if (is_stopped (self)) /* then whoever frees the node ends them */
    return G_SOURCE_REMOVE;
  int pause_ms = self->dying_polls == 0 ? tti_remnants_poll (self->remnants) : -1;

  if (pause_ms < 0 && self->dying_polls < DYING_POLLS && workers_are_dying (self))
    {
      self->dying_polls++;
      pause_ms = DYING_PAUSE_MS;
    }
  if (pause_ms >= 0)
    {
      remnants_poll_in (self, pause_ms);
      return G_SOURCE_REMOVE;
    }
  remnants_report (self);
  g_clear_pointer (&self->remnants, tti_remnants_free);
  self->node.events->settled (&self->node, self->node.user_data);
  forget_processes (self);
  g_autoptr (GError) failure = g_steal_pointer (&self->hopeless);

  if (failure == NULL)
    pair_start (self);
  else
    pair_replaced (self, NULL, failure);
  return G_SOURCE_REMOVE;
}

static void
remnants_poll_in (TtiLocalNode *self, int pause_ms)
{
  attach (self, g_timeout_source_new ((guint) pause_ms), "[tutti] what a pair has left", remnants_poll);
}

void
tti_local_node_end_remnants (TtiLocalNode *self)
{
  int pause_ms;

  tti_watcher_link_unref (g_steal_pointer (&self->coming));
  if (self->remnants == NULL)
    return;
  while ((pause_ms = tti_remnants_poll (self->remnants)) >= 0)
    g_usleep ((gulong) pause_ms * 1000);
  remnants_report (self);
  g_clear_pointer (&self->remnants, tti_remnants_free);
}

/* --- the loss ---------------------------------------------------------------------------------------------------------------- */

void
tti_local_node_pair_lost (gpointer user_data, const char *reason)
{
  TtiLocalNode *self = user_data;
  gint64 now = g_get_monotonic_time ();
  TtiWatcherLink *old = g_steal_pointer (&self->coming);
  gboolean was_coming = old != NULL;

  tti_lock_take (&self->lock);
  if (self->stopped)
    {
      self->coming = old;
      tti_lock_release (&self->lock);
      return;
    }
  if (!was_coming)
    {
      old = g_steal_pointer (&self->link);
      self->replacing = TRUE;
      kill_processes_locked (self);
    }
  tti_lock_release (&self->lock);
  /* One that does not come may have lacked what another process needed for a moment: there is the same limit for both. */
  g_array_append_val (self->lost, now);
  if (tti_limit_is_hit (self->lost, now, LOST_WINDOW_US, LOST_LIMIT))
    self->hopeless = was_coming ? g_error_new_literal (TUTTI_ERROR, TUTTI_ERROR_SPAWN, reason)
                                : g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED, "the watcher was lost %d times in 10 s; the last time: %s",
                                               LOST_LIMIT, reason);
  if (!was_coming)
    self->node.events->lost (&self->node, self->node.user_data, reason);
  self->dying_polls = 0;
  self->remnants = tti_remnants_new (old, TTI_WORKER_OOM_SCORE);
  remnants_poll_in (self, 0);
}
