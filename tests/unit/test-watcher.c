/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Guard and watcher alone, over the bare socket: their reaction to a master that is wrong, silent or gone. */
#include "../support/watcher-fixture.h"
#include "platform/memory.h"
#include "platform/process-mark.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "process/watcher-guard-child.h"
#include "process/watcher-loop.h"
#include "process/watcher-packet.h"
#include "process/watcher-program.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

typedef struct
{
  TtiGuardChild *guard;
  pid_t watcher;
  int control;
  TtiWatchQueue queue;
} Pair;

/* The next packet that the watcher sends. */
static void
pair_receive (Pair *pair, TtiWatchParcel *parcel)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tti_fd_wait (pair->control, POLLIN, SECONDS (60)));
  g_assert_cmpint (tti_watch_parcel_receive (pair->control, parcel, &error), ==, TTI_WATCH_IO_DONE);
  g_assert_no_error (error);
}

static TtiWatchPacket
pair_expect (Pair *pair, TtiWatchKind kind, guint64 worker)
{
  g_auto (TtiWatchParcel) parcel = { 0 };

  pair_receive (pair, &parcel);
  g_assert_cmpuint (parcel.packet.kind, ==, kind);
  g_assert_cmpuint (parcel.packet.worker, ==, worker);
  g_assert_cmpuint (parcel.n_fds, ==, kind == TTI_WATCH_SPAWNED ? 1 : 0);
  return parcel.packet;
}

static void
pair_open (Pair *pair)
{
  g_autofree char *program = watcher_path ();
  g_autoptr (GError) error = NULL;
  int sockets[2];

  g_assert_true (tti_fd_socket_pair (SOCK_SEQPACKET, sockets, NULL));
  *pair = (Pair){ .control = sockets[0], .queue = TTI_WATCH_QUEUE_INIT };
  pair->guard = tti_guard_child_new (program, sockets[1], &error);
  g_assert_no_error (error);
  tti_fd_clear (&sockets[1]);
  TtiWatchPacket hello = pair_expect (pair, TTI_WATCH_HELLO, 0);

  pair->watcher = hello.pid;
  g_assert_cmpint (hello.status, ==, tti_guard_child_get_pid (pair->guard));
}

/* Wait for the end of both; the guard must exit with STATUS. */
static void
pair_await_end (Pair *pair, int status)
{
  g_autofree char *expected = g_strdup_printf ("exited with status %d", status);

  g_assert_true (tti_guard_child_await (pair->guard, SECONDS (60)));
  g_autofree char *fate = tti_guard_child_describe (pair->guard);

  g_assert_cmpstr (fate, ==, expected);
  g_assert_false (is_alive (pair->watcher));
  g_clear_pointer (&pair->guard, tti_guard_child_unref);
  tti_fd_clear (&pair->control);
  tti_watch_queue_clear (&pair->queue);
}

static void
pair_close (Pair *pair)
{
  tti_fd_clear (&pair->control);
  pair_await_end (pair, TTI_WATCHER_EXIT_ENDED);
}

static TtiWatchIo
pair_send (Pair *pair, const TtiWatchPacket *packet, const int *fds, guint n_fds)
{
  return tti_watch_queue_send (&pair->queue, pair->control, packet, fds, n_fds, NULL);
}

/* Ask for a worker with a control socket that ends at once. */
static void
pair_spawn (Pair *pair, guint64 generation, const char *action)
{
  g_autofree char *path = stub_path ();
  const char *argv[] = { "stub-worker", action, NULL }, *envp[] = { NULL };
  TtiWatcherProgram program = { .path = path, .argv = argv, .envp = envp };
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_SPAWN, generation);
  tti_autofd int strings = tti_watcher_program_pack (&program, &packet.n_args, NULL);
  tti_autofd int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  g_assert_cmpint (pair_send (pair, &packet, (int[]){ null, null, null, strings }, 4), !=, TTI_WATCH_IO_FAILED);
}

static void
test_broken_packets (void)
{
  TtiWatchPacket good = tti_watch_packet_make (TTI_WATCH_SIGNAL, 1);
  struct { TtiWatchPacket packet; gsize length; } cases[]
      = { { good, 17 }, { good, sizeof good }, { good, sizeof good }, { good, sizeof good }, { good, sizeof good }, { good, sizeof good } };

  cases[1].packet.magic++;
  cases[2].packet.version++;
  cases[3].packet.kind = 0;
  cases[4].packet.kind = TTI_WATCH_LAST + 1;
  cases[5].packet.kind = TTI_WATCH_HELLO; /* only the watcher sends it */
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Pair pair;

      pair_open (&pair);
      pair_spawn (&pair, 1, "busy");
      pid_t worker = pair_expect (&pair, TTI_WATCH_SPAWNED, 1).pid;

      g_assert_cmpint (send (pair.control, &cases[i].packet, cases[i].length, 0), ==, cases[i].length);
      pair_await_end (&pair, TTI_WATCHER_EXIT_BROKEN);
      g_assert_false (is_alive (worker));
    }
}

static void
test_refused_spawns (void)
{
  Pair pair;
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_SPAWN, 2);
  tti_autofd int null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  tti_autofd int strings = tti_memory_open ("test", 16, NULL);

  pair_open (&pair);
  pair_spawn (&pair, 1, "busy");
  pair_expect (&pair, TTI_WATCH_SPAWNED, 1);
  pair_spawn (&pair, 1, "busy");
  g_assert_cmpint (pair_expect (&pair, TTI_WATCH_FAILED, 1).status, ==, EEXIST);
  pair_spawn (&pair, 0, "busy");
  g_assert_cmpint (pair_expect (&pair, TTI_WATCH_FAILED, 0).status, ==, EEXIST);
  pair_send (&pair, &packet, (int[]){ null, null }, 2);
  g_assert_cmpint (pair_expect (&pair, TTI_WATCH_FAILED, 2).status, ==, EMFILE);
  packet.n_args = 1;
  pair_send (&pair, &packet, (int[]){ null, null, null, null }, 4);
  g_assert_cmpint (pair_expect (&pair, TTI_WATCH_FAILED, 2).status, ==, EINVAL);
  packet.n_args = G_MAXUINT32;
  pair_send (&pair, &packet, (int[]){ null, null, null, strings }, 4);
  g_assert_cmpint (pair_expect (&pair, TTI_WATCH_FAILED, 2).status, ==, EINVAL);
  packet.n_args = 1;
  g_assert_cmpint (pwrite (strings, "x", 1, 15), ==, 1); /* no NUL at the end */
  pair_send (&pair, &packet, (int[]){ null, null, null, strings }, 4);
  g_assert_cmpint (pair_expect (&pair, TTI_WATCH_FAILED, 2).status, ==, EINVAL);
  pair_close (&pair);
}

/* If a master does not read for long, nobody waits for it, and nothing is lost. The answers exceed the capacity of a socket. */
static void
test_silent_master (void)
{
  enum { N = 400 };
  Pair pair;
  guint spawned = 0, exited = 0;

  pair_open (&pair);
  for (guint64 generation = 1; generation <= N; generation++)
    {
      pair_spawn (&pair, generation, "exit:5");
      while (tti_watch_queue_flush (&pair.queue, pair.control, NULL) == TTI_WATCH_IO_AGAIN)
        g_assert_true (tti_fd_wait (pair.control, POLLOUT, SECONDS (60)));
    }
  /* All workers have started and ended: the watcher has no child left, although nothing was read. */
  gint64 deadline = SECONDS (60);
  guint n_children = 1;

  while (n_children > 0 || tti_fd_wait (pair.control, POLLOUT, 0) == FALSE)
    {
      g_autoptr (GArray) children = tti_process_children (pair.watcher);

      n_children = children->len;
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    }
  while (exited < N)
    {
      g_auto (TtiWatchParcel) parcel = { 0 };

      pair_receive (&pair, &parcel);
      if (parcel.packet.kind == TTI_WATCH_SPAWNED)
        {
          g_assert_cmpuint (parcel.packet.worker, ==, ++spawned);
          g_assert_cmpuint (parcel.n_fds, ==, 1);
          continue;
        }
      g_assert_cmpuint (parcel.packet.kind, ==, TTI_WATCH_EXITED);
      g_assert_cmpint (parcel.packet.status, ==, 5);
      g_assert_cmpuint (parcel.packet.worker, <=, spawned);
      exited++;
    }
  g_assert_cmpuint (spawned, ==, N);
  pair_close (&pair);
}

/* The pair ignores the terminal's signals, and others. */
static void
test_unmoved (void)
{
  static const int signals[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP, SIGPIPE, SIGUSR1, SIGALRM, SIGCHLD };
  Pair pair;

  pair_open (&pair);
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_assert_cmpint (kill (-tti_guard_child_get_pid (pair.guard), signals[i]), ==, 0);
  pair_spawn (&pair, 1, "exit:0");
  pair_expect (&pair, TTI_WATCH_SPAWNED, 1);
  pair_expect (&pair, TTI_WATCH_EXITED, 1);
  pair_close (&pair);
}

/* Their titles in ps and top, which leave the mark by which they are found unchanged. */
static void
test_names (void)
{
  Pair pair;

  pair_open (&pair);
  pid_t pids[] = { tti_guard_child_get_pid (pair.guard), pair.watcher };
  const char *names[] = { "tutti-guard", "tutti-watcher" };

  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *comm_path = g_strdup_printf ("/proc/%d/comm", (int) pids[i]);
      g_autofree char *line_path = g_strdup_printf ("/proc/%d/cmdline", (int) pids[i]);
      g_autofree char *comm = NULL, *line = NULL;
      g_autofree char *title = g_strdup_printf ("%s: of pid %d", names[i], (int) getpid ());

      g_assert_true (g_file_get_contents (comm_path, &comm, NULL, NULL));
      g_assert_cmpstr (g_strchomp (comm), ==, names[i]);
      g_assert_true (g_file_get_contents (line_path, &line, NULL, NULL));
      g_assert_cmpstr (line, ==, title);
    }
  gboolean unclear;
  g_autoptr (GArray) marked = tti_process_marked (tti_guard_child_get_mark (pair.guard), &unclear);
  g_assert_nonnull (marked);
  g_assert_cmpuint (marked->len, ==, 2);
  pair_close (&pair);
}

static void
test_usage (void)
{
  g_autofree char *program = watcher_path ();
  const char *argv[] = { program, NULL };
  TtiSpawn spawn = { .path = program, .argv = argv, .envp = (const char *const *) environ, .fds = (int[]){ -1, -1, -1 }, .n_fds = 3 };
  int status;
  pid_t pid = tti_spawn (&spawn, NULL);

  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, TTI_WATCHER_EXIT_USAGE);
}

/* What does not fit into the socket is kept in order, with its descriptors, although the sender has closed them. */
static void
test_queue (void)
{
  TtiWatchQueue queue = TTI_WATCH_QUEUE_INIT;
  int sockets[2];
  guint64 n = 0;

  g_assert_true (tti_fd_socket_pair (SOCK_SEQPACKET, sockets, NULL));
  while (tti_watch_queue_length (&queue) < 50)
    {
      tti_autofd int file = tti_memory_open ("test", 1000 + n, NULL);
      TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_SPAWN, ++n);

      g_assert_cmpint (tti_watch_queue_send (&queue, sockets[0], &packet, &file, 1, NULL), <=, TTI_WATCH_IO_AGAIN);
    }
  g_assert_cmpint (tti_watch_queue_flush (&queue, sockets[0], NULL), ==, TTI_WATCH_IO_AGAIN);
  for (guint64 i = 1; i <= n; i++)
    {
      g_auto (TtiWatchParcel) parcel = { 0 };

      g_assert_cmpint (tti_watch_parcel_receive (sockets[1], &parcel, NULL), ==, TTI_WATCH_IO_DONE);
      g_assert_cmpuint (parcel.packet.worker, ==, i);
      g_assert_cmpuint (parcel.n_fds, ==, 1);
      g_assert_cmpint (tti_memory_size (parcel.fds[0], NULL), ==, 1000 + i - 1);
      g_assert_cmpint (fcntl (parcel.fds[0], F_GETFD), ==, FD_CLOEXEC);
      tti_watch_queue_flush (&queue, sockets[0], NULL);
    }
  g_assert_cmpuint (tti_watch_queue_length (&queue), ==, 0);
  tti_fd_clear (&sockets[0]);
  tti_fd_clear (&sockets[1]);
}

/* The other side has closed without reading all our packets: the kernel reports "connection reset" before it delivers its packets. */
static void
test_last_words (void)
{
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_EXITED, 1);
  TtiWatchQueue queue = TTI_WATCH_QUEUE_INIT;
  g_auto (TtiWatchParcel) parcel = { 0 };
  int sockets[2];

  g_assert_true (tti_fd_socket_pair (SOCK_SEQPACKET, sockets, NULL));
  g_assert_cmpint (tti_watch_queue_send (&queue, sockets[0], &packet, NULL, 0, NULL), ==, TTI_WATCH_IO_DONE);
  g_assert_cmpint (tti_watch_parcel_receive (sockets[0], &parcel, NULL), ==, TTI_WATCH_IO_AGAIN);
  packet.worker = 2;
  g_assert_cmpint (tti_watch_queue_send (&queue, sockets[1], &packet, NULL, 0, NULL), ==, TTI_WATCH_IO_DONE);
  tti_fd_clear (&sockets[1]);
  g_assert_cmpint (tti_watch_parcel_receive (sockets[0], &parcel, NULL), ==, TTI_WATCH_IO_DONE);
  g_assert_cmpuint (parcel.packet.worker, ==, 2);
  g_assert_cmpint (tti_watch_parcel_receive (sockets[0], &parcel, NULL), ==, TTI_WATCH_IO_ENDED);
  g_assert_cmpint (tti_watch_queue_send (&queue, sockets[0], &packet, NULL, 0, NULL), ==, TTI_WATCH_IO_ENDED);
  tti_fd_clear (&sockets[0]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watcher/packets/queue", test_queue);
  g_test_add_func ("/watcher/packets/last-words", test_last_words);
  g_test_add_func ("/watcher/broken-packets", test_broken_packets);
  g_test_add_func ("/watcher/refused-spawns", test_refused_spawns);
  g_test_add_func ("/watcher/silent-master", test_silent_master);
  g_test_add_func ("/watcher/unmoved", test_unmoved);
  g_test_add_func ("/watcher/names", test_names);
  g_test_add_func ("/watcher/usage", test_usage);
  return g_test_run ();
}
