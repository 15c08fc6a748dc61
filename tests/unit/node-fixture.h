/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of nodes: a node of any kind whose events become lines, and workers on it. */
#pragma once
#include "../support/descriptors.h"
#include "kept-memory.h"
#include "node/local-node.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "process/worker-protocol.h"
#include "support/agent-thread.h"
#include "support/fake-node.h"
#include "transport/codec.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT (g_get_monotonic_time () + 60 * G_USEC_PER_SEC)

typedef struct
{
  const char *name;
  TtiNode *(*new) (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, gpointer options, GError **error);
  FakeNodeOptions options;
  void (*lose) (TtiNode *node);
} Kind;

typedef struct
{
  GMainContext *context;
  TtiNode *node;
  const Kind *kind;
  guint descriptors;      /* at the start */
  gint operating;         /* atomic: a thread is in an operation of the node */
  GThread *thread;        /* in which events come */
  GPtrArray *events;      /* "spawned 1", "exited 1 STATUS SIGNAL", "lost", … */
  guint64 expected[2];    /* workers that are to be gone when a loss has settled */
  int pid;                /* of the last that was spawned */
  guint64 peak_memory;    /* of the last that exited */
  TtiExitCause cause;
  char *message;          /* of the last failure, loss, or of hopelessness */
} Fixture;

/* --- events ------------------------------------------------------------------------------------------------------------------ */

static inline void
note (Fixture *fixture, const char *format, ...)
{
  va_list arguments;

  /* They come in the thread of the context, and never out of an operation. */
  g_assert_true (g_main_context_is_owner (fixture->context));
  g_assert_false (g_atomic_int_get (&fixture->operating) && g_thread_self () == fixture->thread);
  va_start (arguments, format);
  g_ptr_array_add (fixture->events, g_strdup_vprintf (format, arguments));
  va_end (arguments);
}

static inline void
note_message (Fixture *fixture, const char *message)
{
  g_free (fixture->message);
  fixture->message = g_strdup (message);
}

static inline void
on_spawned (TtiNode *node, gpointer data, guint64 generation, int pid)
{
  Fixture *fixture = data;

  g_assert_true (node == fixture->node);
  g_assert_cmpint (pid, >, 0);
  fixture->pid = pid;
  note (fixture, "spawned %" G_GUINT64_FORMAT, generation);
}

static inline void
on_failed (TtiNode *node, gpointer data, guint64 generation, int saved_errno, const char *message)
{
  g_assert_true (node == ((Fixture *) data)->node);
  note_message (data, message);
  note (data, "failed %" G_GUINT64_FORMAT " %d", generation, saved_errno);
}

/* It may come or not. */
static inline void
on_gone (TtiNode *node, gpointer data, guint64 generation)
{
  Fixture *fixture = data;

  g_assert_true (node == fixture->node && generation != 0);
}

static inline void
on_exited (TtiNode *node, gpointer data, guint64 generation, const TtiWorkerExit *exit)
{
  Fixture *fixture = data;

  g_assert_true (node == fixture->node);
  g_assert_true (tti_node_is_gone (node, generation));
  g_assert_nonnull (exit->detail);
  fixture->peak_memory = exit->peak_memory;
  fixture->cause = exit->cause;
  note (fixture, "exited %" G_GUINT64_FORMAT " %d %d", generation, exit->status, exit->signal);
}

static inline void
on_stopped (G_GNUC_UNUSED TtiNode *node, gpointer data, guint64 generation, int signal)
{
  note (data, "stopped %" G_GUINT64_FORMAT " %d", generation, signal);
}

static inline void
on_lost (G_GNUC_UNUSED TtiNode *node, gpointer data, const char *reason)
{
  note_message (data, reason);
  note (data, "lost");
}

static inline void
on_settled (TtiNode *node, gpointer data)
{
  Fixture *fixture = data;

  for (guint i = 0; i < G_N_ELEMENTS (fixture->expected); i++)
    g_assert_true (fixture->expected[i] == 0 || tti_node_is_gone (node, fixture->expected[i]));
  note (data, "settled");
}

static inline void
on_ready (G_GNUC_UNUSED TtiNode *node, gpointer data)
{
  note (data, "ready");
}

static inline void
on_draining (G_GNUC_UNUSED TtiNode *node, gpointer data, const char *reason)
{
  note_message (data, reason);
  note (data, "draining");
}

static inline void
on_hopeless (G_GNUC_UNUSED TtiNode *node, gpointer data, const GError *error)
{
  note_message (data, error->message);
  note (data, "hopeless");
}

static inline void
on_told (G_GNUC_UNUSED TtiNode *node, gpointer data, const char *message)
{
  note_message (data, message);
}

static const TtiNodeEvents fixture_events = {
  .spawned = on_spawned, .failed = on_failed, .gone = on_gone, .exited = on_exited, .stopped = on_stopped, .lost = on_lost,
  .settled = on_settled, .ready = on_ready, .draining = on_draining, .hopeless = on_hopeless, .message = on_told,
};

/* --- kinds ------------------------------------------------------------------------------------------------------------------- */

static inline TtiNode *
make_local (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, G_GNUC_UNUSED gpointer options, GError **error)
{
  g_autofree char *watcher = g_build_filename (g_getenv ("TUTTI_LIBEXECDIR"), "tutti-watcher", NULL);

  return tti_local_node_new (watcher, context, events, user_data, error);
}

/* Kill the watcher, the only grandchild of this process. */
static inline void
lose_local (G_GNUC_UNUSED TtiNode *node)
{
  g_autoptr (GArray) guards = tti_process_children (getpid ());

  for (guint i = 0; i < guards->len; i++)
    {
      g_autoptr (GArray) watchers = tti_process_children (g_array_index (guards, pid_t, i));

      if (watchers->len > 0)
        kill (g_array_index (watchers, pid_t, 0), SIGKILL);
    }
}

static inline void
lose_fake (TtiNode *node)
{
  fake_node_lose (node, "somebody has pulled a plug");
}

static const Kind kinds[] = {
  { .name = "local", .new = make_local, .lose = lose_local },
  { .name = "fake", .new = fake_node_new, .lose = lose_fake },
  { .name = "agent", .new = agent_thread_node_new, .lose = agent_thread_kill_watcher },
  { .name = "buffered", .new = fake_node_new, .options = { .buffered = TRUE }, .lose = lose_fake },
};

static inline void
fixture_open (Fixture *fixture, gconstpointer kind)
{
  g_autoptr (GError) error = NULL;
  const Kind *as = kind;

  drop_kept_memory ();
  guint descriptors = count_descriptors ();

  *fixture = (Fixture){ .kind = kind, .descriptors = descriptors, .thread = g_thread_self (),
                        .context = g_main_context_new (), .events = g_ptr_array_new_with_free_func (g_free) };
  fixture->node = as->new (fixture->context, &fixture_events, fixture, (gpointer) &as->options, &error);
  g_assert_no_error (error);
}

/* Nothing is left of it: no process, no descriptor. */
static inline void
fixture_close (Fixture *fixture, G_GNUC_UNUSED gconstpointer kind)
{
  tti_node_free (fixture->node);
  g_main_context_unref (fixture->context);
  g_ptr_array_unref (fixture->events);
  g_free (fixture->message);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
  drop_kept_memory ();
  /* The thread that has waited for a guard has one for a moment longer. */
  for (gint64 limit = LIMIT; count_descriptors () != fixture->descriptors && g_get_monotonic_time () < limit;)
    g_usleep (1000);
  g_assert_cmpuint (count_descriptors (), ==, fixture->descriptors);
}

/* The place of EVENT among those that came, from 1; 0: it has not come. */
static inline guint
find_event (Fixture *fixture, const char *event)
{
  for (guint i = 0; i < fixture->events->len; i++)
    if (strcmp (g_ptr_array_index (fixture->events, i), event) == 0)
      return i + 1;
  return 0;
}

static inline guint
count_events (Fixture *fixture, const char *prefix)
{
  guint n = 0;

  for (guint i = 0; i < fixture->events->len; i++)
    n += g_str_has_prefix (g_ptr_array_index (fixture->events, i), prefix);
  return n;
}

static inline gboolean
wake (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

/* Let the loop run for MS. */
static inline void
run_for (Fixture *fixture, guint ms)
{
  g_autoptr (GSource) clock = g_timeout_source_new (ms);
  gboolean over = FALSE;

  g_source_set_callback (clock, wake, &over, NULL);
  g_source_attach (clock, fixture->context);
  while (!over)
    g_main_context_iteration (fixture->context, TRUE);
}

static inline void
await_event (Fixture *fixture, const char *format, ...)
{
  gint64 limit = LIMIT;
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *event = g_strdup_vprintf (format, arguments);

  va_end (arguments);
  while (find_event (fixture, event) == 0)
    {
      if (g_get_monotonic_time () > limit)
        g_error ("'%s' does not come; last: %s", event,
                 fixture->events->len > 0 ? (char *) g_ptr_array_index (fixture->events, fixture->events->len - 1) : "nothing");
      run_for (fixture, 1);
    }
}

/* --- workers ----------------------------------------------------------------------------------------------------------------- */

/* One that a test has asked for. */
typedef struct
{
  guint64 generation;
  TtiNodeChannels channels;
} Worker;

static inline void
worker_clear (Worker *worker)
{
  g_clear_pointer (&worker->channels.transport, tti_transport_free);
  tti_fd_clear (&worker->channels.out_fd);
  tti_fd_clear (&worker->channels.err_fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Worker, worker_clear)

static inline Worker
worker_none (void)
{
  return (Worker){ .channels = { .out_fd = -1, .err_fd = -1 } };
}

/* Numbers that are never used twice. */
static inline guint64
next_generation (void)
{
  static guint64 last;

  return ++last;
}

static inline gboolean
try_to_spawn (Fixture *fixture, const char *path, const char *const *arguments, guint64 memory_limit, Worker *worker, GError **error)
{
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();
  g_auto (GStrv) environment = g_get_environ ();
  g_autofree char *number = NULL;

  *worker = worker_none ();
  worker->generation = next_generation ();
  number = g_strdup_printf ("%" G_GUINT64_FORMAT, worker->generation);
  environment = g_environ_setenv (environment, "TUTTI_GENERATION", number, TRUE);
  environment = g_environ_setenv (environment, "TUTTI_WORKER_INDEX", "0", TRUE);
  g_strv_builder_add (argv, path);
  g_strv_builder_addv (argv, (const char **) arguments);
  g_auto (GStrv) words = g_strv_builder_end (argv);
  const TtiNodeProgram program = { .program = path, .argv = (const char *const *) words,
                                     .envp = (const char *const *) environment, .memory_limit = memory_limit };

  g_atomic_int_set (&fixture->operating, TRUE);
  gboolean asked = tti_node_spawn (fixture->node, worker->generation, &program, &worker->channels, error);
  g_atomic_int_set (&fixture->operating, FALSE);
  return asked;
}

static inline Worker
spawn (Fixture *fixture, const char *helper, const char *const *arguments, guint64 memory_limit)
{
  g_autofree char *path = g_build_filename (g_getenv ("TUTTI_HELPERS"), helper, NULL);
  g_autoptr (GError) error = NULL;
  Worker worker;

  g_assert_true (try_to_spawn (fixture, path, arguments, memory_limit, &worker, &error));
  g_assert_no_error (error);
  return worker;
}

/* One that acts as its arguments say (support/stub-worker.c). */
#define spawn_stub(fixture, ...) spawn ((fixture), "stub-worker", (const char *const[]){ __VA_ARGS__, NULL }, 0)

static inline gboolean
send_signal (Fixture *fixture, guint64 generation, int signal, int grace_ms)
{
  g_atomic_int_set (&fixture->operating, TRUE);
  gboolean sent = tti_node_signal (fixture->node, generation, signal, grace_ms);

  g_atomic_int_set (&fixture->operating, FALSE);
  return sent;
}

/* The next message of WORKER, while the node goes on. */
static inline void
receive_from (Fixture *fixture, Worker *worker, TtiMessage *message)
{
  gint64 limit = LIMIT;
  g_autoptr (GError) error = NULL;

  while (tti_transport_receive (worker->channels.transport, message, &error) == TTI_RECEIVED_NOTHING)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      (void) tti_transport_flush (worker->channels.transport, NULL);
      run_for (fixture, 1);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (message->generation, ==, worker->generation);
}

static inline void
await_hello (Fixture *fixture, Worker *worker)
{
  TtiMessage message;

  receive_from (fixture, worker, &message);
  g_assert_cmpint (message.kind, ==, TTI_MESSAGE_HELLO);
  tti_message_clear (&message);
}

static inline TtiPayload *
text_payload (const char *text)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
  return tti_writer_finish (writer);
}

static inline void
tell_payload (Worker *worker, TtiPayload *payload)
{
  g_autoptr (GError) error = NULL;

  tti_transport_send (worker->channels.transport,
                      &(TtiMessage){ .kind = TTI_MESSAGE_TASK, .attempt = 1, .generation = worker->generation, .id = 1,
                                         .detail = TTI_HANDLER_ECHO, .payload = payload }, &error);
  g_assert_no_error (error);
}

static inline void
tell (Worker *worker, const char *text)
{
  g_autoptr (TtiPayload) payload = text_payload (text);

  tell_payload (worker, payload);
}

/* One that has said hello and does what it is told (support/rogue-worker.c). */
static inline Worker
spawn_rogue (Fixture *fixture)
{
  Worker worker = spawn (fixture, "rogue-worker", (const char *const[]){ NULL }, 0);

  await_hello (fixture, &worker);
  return worker;
}

/* All of FD, to its end, while the node goes on. */
static inline char *
read_all (Fixture *fixture, int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gint64 limit = LIMIT;
  char buffer[4096];
  gssize n;

  while ((n = read (fd, buffer, sizeof buffer)) != 0)
    if (n > 0)
      g_string_append_len (text, buffer, n);
    else
      {
        g_assert_cmpint (errno, ==, EAGAIN);
        g_assert_cmpint (g_get_monotonic_time (), <, limit);
        run_for (fixture, 1);
      }
  return g_string_free (g_steal_pointer (&text), FALSE);
}
