/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "support/fake-node.h"
#include "node/patience.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/memory-usage.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "support/buffered-transport.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { BEAT_MS = 5, LOST_LIMIT = 5, LOST_WINDOW_US = 10 * G_USEC_PER_SEC, LONGEST_PROGRAM = 16 << 20 };

typedef enum
{
  STATE_THERE,
  STATE_LOSING,   /* to be told */
  STATE_ENDING,   /* told: its workers are being ended */
  STATE_AWAY,
  STATE_HOPELESS
} State;

typedef struct
{
  guint64 generation;
  pid_t pid;        /* 0: it is asked for */
  char *path;
  char **argv, **envp;
  int folder;
  int fds[4];       /* its ends, until it has them: 0 to 3 */
  guint64 memory_limit;
  int signal;       /* for when it runs, 0: none */
  gint64 kill_at;   /* 0: never */
  TtiExitCause cause;
  gboolean lost;    /* its end is not told any more */
} FakeWorker;

typedef struct
{
  TtiNode node;
  FakeNodeOptions is;   /* its fate under the lock */
  GSource *beat;
  GArray *lost;         /* of gint64: when it was */
  GCond changed;        /* STATE, or N_REFUSED */
  GMutex lock;          /* of what follows */
  GHashTable *workers;  /* generation -> FakeWorker */
  State state;
  gboolean stopped, wanted, drains;
  guint n_refused;      /* workers that were asked for while it was not there */
  char *reason;
} FakeNode;

static void
worker_free (gpointer data)
{
  FakeWorker *worker = data;

  g_free (worker->path);
  g_strfreev (worker->argv);
  g_strfreev (worker->envp);
  tti_fd_clear (&worker->folder);
  for (guint i = 0; i < G_N_ELEMENTS (worker->fds); i++)
    tti_fd_clear (&worker->fds[i]);
  g_free (worker);
}

static FakeWorker *
find_locked (FakeNode *self, guint64 generation)
{
  return g_hash_table_lookup (self->workers, &generation);
}

static pid_t
find_pid (TtiNode *node, guint64 generation)
{
  FakeNode *self = (FakeNode *) node;

  g_mutex_lock (&self->lock);
  FakeWorker *worker = find_locked (self, generation);
  pid_t pid = worker != NULL ? worker->pid : 0;

  g_mutex_unlock (&self->lock);
  return pid;
}

/* --- its beat: what was asked for is done, and what has happened is told ------------------------------------------------------- */

static void
worker_start (FakeNode *self, FakeWorker *worker)
{
  g_autoptr (GError) error = NULL;
  const TtiSpawn spawn = { .path = worker->path, .argv = (const char *const *) worker->argv,
                             .envp = (const char *const *) worker->envp, .fds = worker->fds, .n_fds = G_N_ELEMENTS (worker->fds),
                             .new_group = TRUE, .folder = worker->folder >= 0 ? &worker->folder : NULL };
  guint64 generation = worker->generation;
  gboolean full = self->is.room > 0 && self->is.refuses_later && fake_node_count (&self->node) > self->is.room;
  pid_t pid = full ? -1 : tti_spawn (&spawn, &error);
  int saved_errno = full ? EAGAIN : errno;

  g_mutex_lock (&self->lock);
  worker->pid = pid;
  for (guint i = 0; i < G_N_ELEMENTS (worker->fds); i++)
    tti_fd_clear (&worker->fds[i]);
  if (pid > 0 && worker->signal != 0)
    kill (pid, worker->signal);
  if (pid < 0)
    g_hash_table_remove (self->workers, &generation);
  g_mutex_unlock (&self->lock);
  if (pid > 0)
    self->node.events->spawned (&self->node, self->node.user_data, generation, (int) pid);
  else
    self->node.events->failed (&self->node, self->node.user_data, generation, saved_errno, full ? "no room" : error->message);
}

static void
worker_keep_limits_locked (FakeWorker *worker, gint64 now)
{
  if (worker->memory_limit > 0 && tti_memory_usage_get (worker->pid) > (gint64) worker->memory_limit)
    {
      worker->cause = TTI_EXIT_CAUSE_MEMORY_LIMIT;
      worker->kill_at = now;
    }
  if (worker->kill_at != 0 && now >= worker->kill_at)
    tti_process_kill_tree (worker->pid);
}

static void
worker_tell_exit (FakeNode *self, FakeWorker *worker, int status, guint64 peak_memory)
{
  gboolean by_signal = WIFSIGNALED (status);
  guint64 generation = worker->generation;
  const TtiWorkerExit exit = { .status = by_signal ? -1 : WEXITSTATUS (status), .signal = by_signal ? WTERMSIG (status) : 0,
                                 .peak_memory = peak_memory, .cause = worker->cause, .detail = "" };

  kill (-worker->pid, SIGKILL); /* what it has left in its group */
  g_mutex_lock (&self->lock);
  gboolean told = !worker->lost;

  g_hash_table_remove (self->workers, &generation);
  g_mutex_unlock (&self->lock);
  if (told)
    self->node.events->exited (&self->node, self->node.user_data, generation, &exit);
}

static void
worker_beat (FakeNode *self, guint64 generation)
{
  struct rusage usage;
  int status;

  g_mutex_lock (&self->lock);
  FakeWorker *worker = find_locked (self, generation);
  gboolean there = self->state == STATE_THERE;

  if (worker != NULL && worker->pid > 0)
    worker_keep_limits_locked (worker, g_get_monotonic_time ());
  g_mutex_unlock (&self->lock);
  /* An event may have changed what there is, but only this thread takes workers away. */
  if (worker != NULL && worker->pid == 0 && there)
    worker_start (self, worker);
  else if (worker != NULL && worker->pid > 0 && wait4 (worker->pid, &status, WNOHANG | WUNTRACED, &usage) == worker->pid)
    {
      if (!WIFSTOPPED (status))
        worker_tell_exit (self, worker, status, (guint64) usage.ru_maxrss * 1024);
      else if (there)
        self->node.events->stopped (&self->node, self->node.user_data, generation, WSTOPSIG (status));
    }
}

static gboolean
drop_unstarted (G_GNUC_UNUSED gpointer key, gpointer worker, gpointer all)
{
  return ((FakeWorker *) worker)->pid == 0 || *(gboolean *) all;
}

static void
kill_all_locked (FakeNode *self)
{
  gboolean all = FALSE;
  GHashTableIter iter;
  gpointer worker;

  g_hash_table_foreach_remove (self->workers, drop_unstarted, &all);
  g_hash_table_iter_init (&iter, self->workers);
  while (g_hash_table_iter_next (&iter, NULL, &worker))
    {
      ((FakeWorker *) worker)->lost = TRUE;
      ((FakeWorker *) worker)->kill_at = self->is.keeps_workers ? 0 : g_get_monotonic_time ();
    }
}

/* The next step of a loss, under the lock. TRUE: it has led to *NEXT, which is to be told. */
static gboolean
step_locked (FakeNode *self, State *next)
{
  gint64 now = g_get_monotonic_time ();
  gboolean hopeless;

  switch (self->state)
    {
    case STATE_THERE:
      return FALSE;
    case STATE_LOSING:
      kill_all_locked (self);
      g_array_append_val (self->lost, now);
      *next = STATE_ENDING;
      break;
    case STATE_ENDING:
      if (self->is.never_settles || (g_hash_table_size (self->workers) > 0 && !self->is.keeps_workers))
        return FALSE;
      *next = STATE_AWAY;
      break;
    case STATE_AWAY:
      if (self->is.fate == FAKE_STAYS_AWAY)
        return FALSE;
      hopeless = self->is.fate == FAKE_IS_HOPELESS || tti_limit_is_hit (self->lost, now, LOST_WINDOW_US, LOST_LIMIT);
      *next = hopeless ? STATE_HOPELESS : STATE_THERE;
      break;
    case STATE_HOPELESS:
      if (!self->wanted)
        return FALSE;
      *next = self->is.fate == FAKE_IS_HOPELESS ? STATE_HOPELESS : STATE_THERE;
      break;
    }
  self->state = *next;
  self->wanted = FALSE;
  g_cond_broadcast (&self->changed);
  return TRUE;
}

static void
node_beat (FakeNode *self)
{
  const TtiNodeEvents *to = self->node.events;
  State next = STATE_THERE;

  g_mutex_lock (&self->lock);
  gboolean drains = self->drains && !self->stopped, tell = !drains && !self->stopped && step_locked (self, &next);

  self->drains = FALSE;
  g_autofree char *reason = g_strdup (self->reason);
  g_autoptr (GError) error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED, "the fake node does not come back: %s", reason);

  g_mutex_unlock (&self->lock);
  if (drains)
    to->draining (&self->node, self->node.user_data, reason);
  if (!tell)
    return;
  if (next == STATE_ENDING)
    to->lost (&self->node, self->node.user_data, reason);
  else if (next == STATE_AWAY)
    to->settled (&self->node, self->node.user_data);
  else if (next == STATE_HOPELESS)
    to->hopeless (&self->node, self->node.user_data, error);
  else
    to->ready (&self->node, self->node.user_data);
}

static gboolean
beat (gpointer data)
{
  FakeNode *self = data;
  GHashTableIter iter;
  gpointer worker;
  g_autoptr (GArray) generations = g_array_new (FALSE, FALSE, sizeof (guint64));

  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->workers);
  while (g_hash_table_iter_next (&iter, NULL, &worker))
    g_array_append_val (generations, ((FakeWorker *) worker)->generation);
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < generations->len; i++)
    worker_beat (self, g_array_index (generations, guint64, i));
  node_beat (self);
  return G_SOURCE_CONTINUE;
}

/* --- operations -------------------------------------------------------------------------------------------------------------- */

static gboolean
program_is_short (const TtiNodeProgram *program, GError **error)
{
  gsize size = 0;

  for (guint i = 0; program->argv[i] != NULL; i++)
    size += strlen (program->argv[i]) + 1;
  for (guint i = 0; program->envp[i] != NULL; i++)
    size += strlen (program->envp[i]) + 1;
  if (size > LONGEST_PROGRAM)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "arguments and environment have %" G_GSIZE_FORMAT " bytes, more than %d", size,
                 LONGEST_PROGRAM);
  return size <= LONGEST_PROGRAM;
}

static gboolean
open_channels (FakeNode *self, FakeWorker *worker, TtiNodeChannels *channels, GError **error)
{
  int control[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
  gboolean opened = tti_fd_socket_pair (SOCK_STREAM, control, error) && tti_fd_pipe (out, error) && tti_fd_pipe (err, error);

  worker->fds[1] = out[1];
  worker->fds[2] = err[1];
  worker->fds[3] = control[1];
  if (opened)
    {
      *channels = (TtiNodeChannels){ .out_fd = out[0], .err_fd = err[0] };
      channels->transport = self->is.buffered ? buffered_transport_new (control[0], FALSE) : tti_stream_transport_new (control[0], FALSE);
      return TRUE;
    }
  tti_fd_clear (&out[0]);
  tti_fd_clear (&err[0]);
  tti_fd_clear (&control[0]);
  return FALSE;
}

static FakeWorker *
worker_new (guint64 generation, const TtiNodeProgram *program)
{
  FakeWorker *worker = g_new0 (FakeWorker, 1);
  g_auto (GStrv) envp = g_strdupv ((char **) program->envp);

  *worker = (FakeWorker){ .generation = generation, .path = g_strdup (program->program), .argv = g_strdupv ((char **) program->argv),
                          .folder = program->folder != NULL ? fcntl (*program->folder, F_DUPFD_CLOEXEC, 0) : -1,
                          .fds = { -1, -1, -1, -1 }, .memory_limit = program->memory_limit };
  worker->envp = g_environ_setenv (g_steal_pointer (&envp), "TUTTI_TEST_TRANSPORT", "stream", TRUE);
  return worker;
}

static gboolean
fake_spawn (TtiNode *node, guint64 generation, const TtiNodeProgram *program, TtiNodeChannels *channels, GError **error)
{
  FakeNode *self = (FakeNode *) node;

  if (!program_is_short (program, error))
    return FALSE;
  FakeWorker *worker = worker_new (generation, program);

  g_mutex_lock (&self->lock);
  gboolean there = self->state == STATE_THERE && !self->stopped;
  gboolean full = there && self->is.room > 0 && !self->is.refuses_later && g_hash_table_size (self->workers) >= self->is.room;
  gboolean opened = there && !full && open_channels (self, worker, channels, error);

  if (opened)
    g_hash_table_insert (self->workers, &worker->generation, worker);
  else if (full)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE, "the fake node has no room");
  else if (!there)
    {
      self->wanted = TRUE;
      self->n_refused++;
      g_cond_broadcast (&self->changed);
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "the fake node is away");
    }
  g_mutex_unlock (&self->lock);
  if (!opened)
    worker_free (worker);
  return opened;
}

static gboolean
fake_has_room (TtiNode *node, const TtiNodeProgram *program, guint n, GError **error)
{
  guint n_cpus = ((FakeNode *) node)->is.n_cpus;
  gboolean has_room = n_cpus == 0 || n * program->n_cpus <= n_cpus;

  return has_room || (g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE, "the fake node has %u processors", n_cpus), FALSE);
}

static gboolean
fake_signal (TtiNode *node, guint64 generation, int signal, int grace_ms)
{
  FakeNode *self = (FakeNode *) node;
  gint64 now = g_get_monotonic_time ();

  g_mutex_lock (&self->lock);
  FakeWorker *worker = find_locked (self, generation);
  gboolean there = self->state == STATE_THERE && !node->closed;

  if (worker != NULL && there)
    {
      if (signal == SIGKILL)
        worker->kill_at = now;
      else if (worker->pid > 0 && signal != 0)
        kill (worker->pid, signal);
      else if (signal != 0)
        worker->signal = signal;
      if (grace_ms >= 0 && worker->kill_at == 0)
        worker->kill_at = now + grace_ms * G_TIME_SPAN_MILLISECOND;
    }
  g_mutex_unlock (&self->lock);
  return there;
}

static char
fake_get_state (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);

  return pid > 0 ? tti_process_get_state (pid) : '\0';
}

static gboolean
fake_is_stopped (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);

  return pid > 0 && tti_process_is_stopped (pid);
}

static gboolean
fake_is_stuck (TtiNode *node, guint64 generation)
{
  return ((FakeNode *) node)->is.keeps_workers && find_pid (node, generation) > 0;
}

static gboolean
fake_is_gone (TtiNode *node, guint64 generation)
{
  return find_pid (node, generation) == 0;
}

static guint64
fake_get_peak_memory (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);
  gint64 peak = pid > 0 ? tti_memory_usage_get_peak (pid) : 0;

  return peak > 0 ? (guint64) peak : 0;
}

static char *
fake_describe (TtiNode *node, guint64 generation)
{
  pid_t pid = find_pid (node, generation);

  return pid > 0 ? tti_process_describe (pid) : g_strdup ("which the fake node does not have");
}

static void
fake_stop (TtiNode *node)
{
  FakeNode *self = (FakeNode *) node;

  g_mutex_lock (&self->lock);
  self->stopped = TRUE;
  g_mutex_unlock (&self->lock);
}

static void
fake_close (TtiNode *node)
{
  FakeNode *self = (FakeNode *) node;
  gboolean all = TRUE;
  GHashTableIter iter;
  gpointer value;

  g_source_destroy (self->beat);
  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->workers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      FakeWorker *worker = value;

      if (worker->pid == 0)
        continue;
      tti_process_kill_tree (worker->pid);
      TEMP_FAILURE_RETRY (waitpid (worker->pid, NULL, 0));
    }
  g_hash_table_foreach_remove (self->workers, drop_unstarted, &all);
  g_mutex_unlock (&self->lock);
}

static void
fake_free (TtiNode *node)
{
  FakeNode *self = (FakeNode *) node;

  g_source_unref (self->beat);
  g_hash_table_unref (self->workers);
  g_array_unref (self->lost);
  g_free (self->reason);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  tti_node_clear (node);
  g_free (self);
}

/* --- what tests do with it ---------------------------------------------------------------------------------------------------- */

TtiNode *
fake_node_new (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, gpointer options, G_GNUC_UNUSED GError **error)
{
  static const TtiNodeOps ops = {
    .spawn = fake_spawn, .signal = fake_signal, .get_state = fake_get_state, .is_stopped = fake_is_stopped, .is_stuck = fake_is_stuck,
    .is_gone = fake_is_gone, .get_peak_memory = fake_get_peak_memory, .describe = fake_describe,
    .has_room = fake_has_room, .stop = fake_stop, .close = fake_close, .free = fake_free,
  };
  const FakeNodeOptions none = { 0 }, *wanted = options != NULL ? options : &none;
  FakeNode *self = g_new0 (FakeNode, 1);

  tti_node_init (&self->node, &ops, FALSE, context, events, user_data);
  tti_node_set_name (&self->node, wanted->name != NULL ? wanted->name : "fake");
  self->is = *wanted;
  g_cond_init (&self->changed);
  g_mutex_init (&self->lock);
  self->workers = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, worker_free);
  self->lost = g_array_new (FALSE, FALSE, sizeof (gint64));
  self->beat = g_timeout_source_new (BEAT_MS);
  g_source_set_callback (self->beat, beat, self, NULL);
  g_source_attach (self->beat, context);
  return &self->node;
}

void
fake_node_lose (TtiNode *node, const char *reason)
{
  FakeNode *self = (FakeNode *) node;

  g_mutex_lock (&self->lock);
  if (self->state == STATE_THERE)
    {
      g_free (self->reason);
      self->reason = g_strdup (reason);
      self->state = STATE_LOSING;
    }
  g_mutex_unlock (&self->lock);
}

void
fake_node_drain (TtiNode *node, const char *reason)
{
  FakeNode *self = (FakeNode *) node;

  g_mutex_lock (&self->lock);
  g_free (self->reason);
  self->reason = g_strdup (reason);
  self->drains = TRUE;
  g_mutex_unlock (&self->lock);
}

void
fake_node_set_fate (TtiNode *node, FakeNodeFate fate)
{
  FakeNode *self = (FakeNode *) node;

  g_mutex_lock (&self->lock);
  self->is.fate = fate;
  g_mutex_unlock (&self->lock);
}

void
fake_node_come_back (TtiNode *node)
{
  fake_node_set_fate (node, FAKE_COMES_BACK);
}

gboolean
fake_node_await_away (TtiNode *node, gint64 deadline)
{
  FakeNode *self = (FakeNode *) node;
  gboolean in_time = TRUE;

  g_mutex_lock (&self->lock);
  while (self->state != STATE_AWAY && in_time)
    in_time = g_cond_wait_until (&self->changed, &self->lock, deadline);
  g_mutex_unlock (&self->lock);
  return in_time;
}

gboolean
fake_node_await_refusal (TtiNode *node, gint64 deadline)
{
  FakeNode *self = (FakeNode *) node;
  gboolean in_time = TRUE;

  g_mutex_lock (&self->lock);
  while (self->n_refused == 0 && in_time)
    in_time = g_cond_wait_until (&self->changed, &self->lock, deadline);
  g_mutex_unlock (&self->lock);
  return in_time;
}

guint
fake_node_count (TtiNode *node)
{
  FakeNode *self = (FakeNode *) node;

  g_mutex_lock (&self->lock);
  guint n = g_hash_table_size (self->workers);
  g_mutex_unlock (&self->lock);
  return n;
}
