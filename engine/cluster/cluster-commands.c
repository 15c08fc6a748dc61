/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The commands of a cluster, which start agents. They are started and ended in a thread of the cluster's. */
#include "cluster/cluster-private.h"
#include "cluster/launch.h"
#include "platform/thread.h"

enum { KILL_LIMIT_US = 2 * G_USEC_PER_SEC };

typedef struct
{
  TtiCluster *cluster;
  guint64 number;        /* of the launch */
  TtiLaunch *launch;   /* NULL: it has ended */
} Command;

struct _TtiClusterCommands
{
  GMainContext *context;
  GThread *thread;
  gint quit;             /* atomic */

  /* The thread only: */
  TtiLaunches *launches;
  GPtrArray *commands;   /* of Command, owned */

  GMutex lock;           /* of what follows, and of what a Call says */
  GCond changed;
  guint n_running;
};

/* Something to be done in the thread, for which the caller waits. */
typedef struct
{
  TtiClusterCommands *commands;
  void (*run) (gpointer call);
  gboolean done;
} Call;

static void
command_free (gpointer data)
{
  Command *command = data;

  tti_launch_free (command->launch);
  g_free (command);
}

/* --- the thread -------------------------------------------------------------------------------------------------------------- */

static gpointer
commands_main (gpointer data)
{
  TtiClusterCommands *self = data;

  g_main_context_push_thread_default (self->context);
  while (!g_atomic_int_get (&self->quit))
    g_main_context_iteration (self->context, TRUE);
  g_ptr_array_set_size (self->commands, 0);
  g_clear_pointer (&self->launches, tti_launches_free);
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static gboolean
call_dispatch (gpointer data)
{
  Call *call = data;

  call->run (call);
  g_mutex_lock (&call->commands->lock);
  call->done = TRUE;
  g_cond_broadcast (&call->commands->changed);
  g_mutex_unlock (&call->commands->lock);
  return G_SOURCE_REMOVE;
}

static void
call_and_wait (Call *call)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  TtiClusterCommands *self = call->commands;

  g_source_set_callback (source, call_dispatch, call, NULL);
  g_source_attach (source, self->context);
  g_mutex_lock (&self->lock);
  while (!call->done)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

/* --- commands ---------------------------------------------------------------------------------------------------------------- */

static void
on_line (G_GNUC_UNUSED TtiLaunch *launch, gboolean is_error, const char *text, gpointer data)
{
  Command *command = data;

  tti_cluster_tell (command->cluster, (TtiClusterEvent){ .kind = TTI_CLUSTER_LINE, .launch = command->number, .is_error = is_error,
                                                           .text = g_strdup (text) });
}

static void
on_ended (TtiLaunch *launch, int status, int signal, const char *reason, gpointer data)
{
  Command *command = data;
  TtiClusterCommands *self = command->cluster->commands;

  tti_cluster_tell (command->cluster, (TtiClusterEvent){ .kind = TTI_CLUSTER_ENDED, .launch = command->number, .status = status,
                                                           .signal = signal,
                                                           .text = reason != NULL ? g_strdup (reason) : tti_launch_get_output (launch) });
  tti_cluster_forget_launch (command->cluster, command->number);
  g_clear_pointer (&command->launch, tti_launch_free);
  g_mutex_lock (&self->lock);
  self->n_running--;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  g_ptr_array_remove_fast (self->commands, command);
}

typedef struct
{
  Call call;
  TtiCluster *cluster;
  guint64 number;
  const char *const *argv;
  const char *input;
  gboolean started;
  GError **error;
} Starting;

static void
start (gpointer data)
{
  static const TtiLaunchEvents events = { .line = on_line, .ended = on_ended };
  Starting *starting = data;
  TtiClusterCommands *self = starting->call.commands;
  Command *command = g_new0 (Command, 1);

  *command = (Command){ .cluster = starting->cluster, .number = starting->number };
  command->launch = tti_launch_start (self->launches, starting->argv, starting->input, &events, command, starting->error);
  starting->started = command->launch != NULL;
  if (!starting->started)
    {
      g_free (command);
      return;
    }
  g_ptr_array_add (self->commands, command);
  g_mutex_lock (&self->lock);
  self->n_running++;
  g_mutex_unlock (&self->lock);
}

gboolean
tti_cluster_commands_start (TtiCluster *cluster, guint64 number, const char *const *argv, const char *input, GError **error)
{
  Starting starting = { .call = { cluster->commands, start, FALSE }, .cluster = cluster, .number = number, .argv = argv, .input = input,
                        .error = error };

  call_and_wait (&starting.call);
  return starting.started;
}

typedef struct
{
  Call call;
  guint grace_ms;
} Ending;

static void
end (gpointer data)
{
  Ending *ending = data;
  GPtrArray *commands = ending->call.commands->commands;

  for (guint i = 0; i < commands->len; i++)
    tti_launch_end (((Command *) g_ptr_array_index (commands, i))->launch, (int) ending->grace_ms);
}

/* --- all of them ------------------------------------------------------------------------------------------------------------- */

TtiClusterCommands *
tti_cluster_commands_new (GError **error)
{
  TtiClusterCommands *self = g_new0 (TtiClusterCommands, 1);
  g_autofree char *watcher = tti_engine_find_program ("tutti-watcher");

  self->context = g_main_context_new ();
  self->launches = tti_launches_new (watcher, self->context);
  self->commands = g_ptr_array_new_with_free_func (command_free);
  self->thread = tti_thread_start ("tutti-cluster", commands_main, self, error);
  if (self->thread != NULL)
    return self;
  tti_launches_free (self->launches);
  tti_cluster_commands_free (self);
  return NULL;
}

void
tti_cluster_commands_end (TtiClusterCommands *commands, guint grace_ms)
{
  Ending ending = { { commands, end, FALSE }, grace_ms };
  gint64 limit = g_get_monotonic_time () + (gint64) grace_ms * G_TIME_SPAN_MILLISECOND + KILL_LIMIT_US;

  if (commands->thread == NULL)
    return;
  call_and_wait (&ending.call);
  g_mutex_lock (&commands->lock);
  while (commands->n_running > 0)
    if (!g_cond_wait_until (&commands->changed, &commands->lock, limit))
      break;
  g_mutex_unlock (&commands->lock);
  g_atomic_int_set (&commands->quit, TRUE);
  g_main_context_wakeup (commands->context);
  g_clear_pointer (&commands->thread, g_thread_join);
}

void
tti_cluster_commands_free (TtiClusterCommands *commands)
{
  if (commands == NULL)
    return;
  g_ptr_array_unref (commands->commands);
  g_main_context_unref (commands->context);
  g_cond_clear (&commands->changed);
  g_mutex_clear (&commands->lock);
  g_free (commands);
}
