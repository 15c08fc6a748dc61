/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Workers on this machine: their channels, their processes, and what the watcher reports of them. */
#include "node/local-node-private.h"
#include "platform/cpu-set.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/memory-usage.h"
#include "platform/process-mark.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "transport/local-transport.h"
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

/* --- processes --------------------------------------------------------------------------------------------------------------- */

static void
process_free (gpointer data)
{
  TtiLocalProcess *process = data;

  tti_fd_clear (&process->pidfd);
  g_free (process);
}

static TtiLocalProcess *
find_process_locked (TtiLocalNode *self, guint64 generation)
{
  TTI_ASSERT_LOCKED (&self->lock);
  return g_hash_table_lookup (self->processes, &generation);
}

static void
forget_process_locked (TtiLocalNode *self, guint64 generation)
{
  TTI_ASSERT_LOCKED (&self->lock);
  TtiLocalProcess *process = find_process_locked (self, generation);

  if (process == NULL)
    return;
  tti_watch_remove (self->pidfds, &process->watch);
  g_hash_table_remove (self->processes, &generation);
}

/* The number of GENERATION's process, 0 if there is none. */
static pid_t
find_pid (TtiNode *node, guint64 generation)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  TtiLocalProcess *process = find_process_locked (self, generation);
  pid_t pid = process != NULL ? process->pid : 0;

  tti_lock_release (&self->lock);
  return pid;
}

/* A pidfd says that its process has ended. Without a watcher nobody else will report that. */
static void
on_pidfd (guint64 number, G_GNUC_UNUSED guint32 events, gpointer user_data)
{
  static const TtiWorkerExit unknown = { .status = -1, .detail = "" };
  TtiLocalNode *self = user_data;
  const TtiNodeEvents *to = self->node.events;
  gpointer data;

  tti_lock_take (&self->lock);
  gboolean known = tti_watch_find (self->pidfds, number, &data) != NULL && !self->stopped;
  gboolean watched = self->link != NULL, replacing = self->replacing;
  guint64 generation = known ? ((TtiLocalProcess *) data)->generation : 0;

  /* The source would fire for ever: a pidfd stays readable. */
  if (known)
    tti_watch_remove (self->pidfds, &((TtiLocalProcess *) data)->watch);
  if (known && !watched && !replacing)
    forget_process_locked (self, generation);
  tti_lock_release (&self->lock);
  if (known && watched)
    to->gone (&self->node, self->node.user_data, generation);
  else if (known && !replacing) /* else its life ends when all that it had started is gone */
    to->exited (&self->node, self->node.user_data, generation, &unknown);
}

/* --- what the watcher reports ------------------------------------------------------------------------------------------------ */

static void
on_spawned (gpointer user_data, guint64 generation, pid_t pid, int pidfd)
{
  TtiLocalNode *self = user_data;
  TtiLocalProcess *process = g_new0 (TtiLocalProcess, 1);

  tti_fd_move_up (&pidfd);
  *process = (TtiLocalProcess){ .generation = generation, .pid = pid, .pidfd = pidfd };
  tti_lock_take (&self->lock);
  g_hash_table_replace (self->processes, &process->generation, process);
  /* If it cannot be watched the watcher's word is enough while there is a watcher, and the end of the transport. */
  process->watch = tti_watch_add (self->pidfds, pidfd, process, NULL);
  tti_lock_release (&self->lock);
  self->node.events->spawned (&self->node, self->node.user_data, generation, (int) pid);
}

static void
on_failed (gpointer user_data, guint64 generation, int saved_errno, const char *message)
{
  TtiLocalNode *self = user_data;

  self->node.events->failed (&self->node, self->node.user_data, generation, saved_errno, message);
}

static void
on_exited (gpointer user_data, guint64 generation, const TtiWorkerExit *exit)
{
  TtiLocalNode *self = user_data;

  /* First: whoever hears of the last exit may count descriptors. */
  tti_lock_take (&self->lock);
  forget_process_locked (self, generation);
  tti_lock_release (&self->lock);
  self->node.events->exited (&self->node, self->node.user_data, generation, exit);
}

static void
on_stopped (gpointer user_data, guint64 generation, int signal)
{
  TtiLocalNode *self = user_data;

  self->node.events->stopped (&self->node, self->node.user_data, generation, signal);
}

static void
on_message (gpointer user_data, const char *message)
{
  TtiLocalNode *self = user_data;

  self->node.events->message (&self->node, self->node.user_data, message);
}

const TtiWatcherLinkEvents *
tti_local_node_get_link_events (void)
{
  static const TtiWatcherLinkEvents events = {
    .ready = tti_local_node_pair_ready, .spawned = on_spawned, .failed = on_failed, .exited = on_exited, .stopped = on_stopped,
    .lost = tti_local_node_pair_lost, .message = on_message,
  };

  return &events;
}

/* --- operations -------------------------------------------------------------------------------------------------------------- */

/* The environment of PROGRAM with LINK's mark in front, which is everybody's. MARK has its text. To be freed with g_free. */
static const char **
environment_with_mark (const TtiNodeProgram *program, const char *mark)
{
  const char **envp = g_new (const char *, g_strv_length ((char **) program->envp) + 2);
  guint n = 0;

  envp[n++] = mark;
  for (guint i = 0; program->envp[i] != NULL; i++)
    if (!g_str_has_prefix (program->envp[i], TTI_PROCESS_MARK "="))
      envp[n++] = program->envp[i];
  envp[n] = NULL;
  return envp;
}

static gboolean
open_channels (TtiLocalNode *self, guint64 generation, const TtiNodeProgram *program, TtiNodeChannels *channels, GError **error)
{
  int control[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
  g_autofree char *mark = tti_process_mark_setting (tti_watcher_link_get_mark (self->link));
  g_autofree const char **envp = environment_with_mark (program, mark);
  const TtiWatcherProgram wanted = { .path = program->program, .argv = program->argv, .envp = envp, .n_own = program->n_own,
                                       .folder = program->folder };
  gboolean opened = tti_fd_socket_pair (tti_local_transport_get_socket_type (), control, error)
                    && tti_fd_pipe (out, error) && tti_fd_pipe (err, error)
                    && tti_watcher_link_spawn (self->link, generation, &wanted, control[1], out[1], err[1], TTI_WORKER_OOM_SCORE,
                                               program->memory_limit, error);

  if (opened)
    {
      tti_fd_move_up (&control[0]);
      tti_fd_move_up (&out[0]);
      tti_fd_move_up (&err[0]);
      *channels = (TtiNodeChannels){ tti_local_transport_new (g_steal_fd (&control[0]), FALSE), g_steal_fd (&out[0]),
                                       g_steal_fd (&err[0]) };
    }
  for (guint i = 0; i < 2; i++)
    {
      tti_fd_clear (&control[i]);
      tti_fd_clear (&out[i]);
      tti_fd_clear (&err[i]);
    }
  return opened;
}

/* The same with what PROGRAM is to have of the machine. */
static gboolean
open_placed (TtiLocalNode *self, guint64 generation, const TtiNodeProgram *program, TtiNodeChannels *channels, GError **error)
{
  g_auto (TtiPlacedProgram) placed = { 0 };

  if (program->n_cpus == 0 && program->n_gpus == 0)
    return open_channels (self, generation, program, channels, error);
  return tti_placement_take (self->placement, generation, program, &placed, error)
         && open_channels (self, generation, &placed.program, channels, error);
}

static gboolean
local_spawn (TtiNode *node, guint64 generation, const TtiNodeProgram *program, TtiNodeChannels *channels, GError **error)
{
  TtiLocalNode *self = (TtiLocalNode *) node;
  gboolean opened = FALSE;

  tti_lock_take (&self->lock);
  if (self->stopped)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "no more workers are started: the node is coming to its end");
  else if (self->link != NULL)
    {
      tti_fd_begin_opening ();
      opened = open_placed (self, generation, program, channels, error);
      tti_fd_end_opening ();
    }
  else
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "there is no watcher now");
      tti_local_node_want_locked (self);
    }
  tti_lock_release (&self->lock);
  return opened;
}

static void
local_want (TtiNode *node)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  if (self->link == NULL && !self->stopped)
    tti_local_node_want_locked (self);
  tti_lock_release (&self->lock);
}

static gboolean
local_signal (TtiNode *node, guint64 generation, int signal, int grace_ms)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  gboolean sent = self->link != NULL && tti_watcher_link_signal (self->link, generation, signal, grace_ms);

  tti_lock_release (&self->lock);
  return sent;
}

static char
local_get_state (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);

  return pid > 0 ? tti_process_get_state (pid) : '\0';
}

static gboolean
local_is_stopped (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);

  return pid > 0 && tti_process_is_stopped (pid);
}

gboolean
tti_local_process_is_stuck (pid_t pid)
{
  char state = tti_process_get_state (pid);

  /* Dead, and the watcher is about to tell; or busy dying. */
  return (state != '\0' && strchr ("ZXRS", state) == NULL) || tti_process_is_foreign (pid);
}

static gboolean
local_is_stuck (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);

  return pid > 0 && tti_local_process_is_stuck (pid);
}

static gboolean
local_is_gone (TtiNode *node, guint64 generation)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  TtiLocalProcess *process = find_process_locked (self, generation);
  gboolean gone = process == NULL || tti_fd_wait (process->pidfd, POLLIN, 0);

  tti_lock_release (&self->lock);
  return gone;
}

static guint64
local_get_peak_memory (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);
  gint64 peak = pid > 0 ? tti_memory_usage_get_peak (pid) : -1;

  /* If it is gone by now, the number may have been another's. */
  return peak < 0 || local_is_gone (node, generation) ? 0 : (guint64) peak;
}

static char *
local_describe (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);

  return pid > 0 ? tti_process_describe (pid) : g_strdup ("which has no process");
}

static gboolean
local_has_room (TtiNode *node, const TtiNodeProgram *program, guint n, GError **error)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  gboolean has_room = tti_placement_has_room (self->placement, program, n, error);

  tti_lock_release (&self->lock);
  return has_room;
}

static void
local_leave_place (TtiNode *node, guint64 place)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  tti_placement_leave (self->placement, place);
  tti_lock_release (&self->lock);
}

/* It is here that its processors change, and not in the watcher: what it is sent next must not come first. */
static void
local_lend (TtiNode *node, guint64 generation, const guint64 *places, guint n_places, guint64 memory_limit)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  TtiLocalProcess *process = find_process_locked (self, generation);
  g_autoptr (GArray) cpus = tti_placement_get_cpus (self->placement, generation);

  for (guint i = 0; cpus != NULL && i < n_places; i++)
    tti_placement_add_cpus (self->placement, places[i], cpus);
  if (process != NULL && cpus != NULL && !tti_fd_wait (process->pidfd, POLLIN, 0))
    (void) tti_cpus_set_process (process->pid, cpus);
  if (self->link != NULL)
    (void) tti_watcher_link_limit (self->link, generation, memory_limit);
  tti_lock_release (&self->lock);
}

static char *
local_get_cpus (TtiNode *node, guint64 generation)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  g_autoptr (GArray) cpus = tti_placement_get_cpus (self->placement, generation);

  tti_lock_release (&self->lock);
  return cpus != NULL ? tti_cpus_format (cpus) : NULL;
}

static char *
local_get_gpus (TtiNode *node, guint64 generation)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  char *gpus = g_strdup (tti_placement_get_gpus (self->placement, generation));

  tti_lock_release (&self->lock);
  return gpus;
}

static guint64
local_get_memory (G_GNUC_UNUSED TtiNode *node)
{
  return tti_memory_get_total ("/proc");
}

static void
local_stop (TtiNode *node)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  self->stopped = TRUE;
  tti_lock_release (&self->lock);
}

static void
local_close (TtiNode *node)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_lock_take (&self->lock);
  TtiWatcherLink *link = g_steal_pointer (&self->link);

  tti_lock_release (&self->lock);
  /* Closing the link ends everything below the watcher. */
  tti_watcher_link_unref (link);
  tti_local_node_end_remnants (self);
}

static void
local_free (TtiNode *node)
{
  TtiLocalNode *self = (TtiLocalNode *) node;

  tti_watch_set_free (self->pidfds);
  g_hash_table_unref (self->processes);
  tti_placement_free (self->placement);
  g_array_unref (self->lost);
  g_clear_error (&self->hopeless);
  tti_lock_clear (&self->lock);
  g_free (self->program);
  tti_node_clear (node);
  g_free (self);
}

static const TtiNodeOps local_ops = {
  .spawn = local_spawn, .signal = local_signal, .get_state = local_get_state, .is_stopped = local_is_stopped, .is_stuck = local_is_stuck,
  .is_gone = local_is_gone, .get_peak_memory = local_get_peak_memory, .describe = local_describe, .has_room = local_has_room,
  .leave_place = local_leave_place, .lend = local_lend, .get_cpus = local_get_cpus, .get_gpus = local_get_gpus,
  .get_memory = local_get_memory, .want = local_want, .stop = local_stop, .close = local_close, .free = local_free,
};

TtiNode *
tti_local_node_new (const char *program, GMainContext *context, const TtiNodeEvents *events, gpointer user_data, GError **error)
{
  TtiLocalNode *self = g_new0 (TtiLocalNode, 1);

  tti_node_init (&self->node, &local_ops, tti_local_transport_shares_memory (), context, events, user_data);
  self->program = g_strdup (program);
  self->processes = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, process_free);
  self->placement = tti_placement_new ("");
  self->lost = g_array_new (FALSE, FALSE, sizeof (gint64));
  tti_fd_begin_opening ();
  self->pidfds = tti_watch_set_new (context, "[tutti] workers' processes", on_pidfd, self, error);
  tti_fd_end_opening ();
  if (self->pidfds != NULL)
    self->link = tti_watcher_link_new (program, context, tti_local_node_get_link_events (), self, error);
  if (self->link != NULL)
    return &self->node;
  tti_node_free (&self->node);
  return NULL;
}
