/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Nothing is left behind: a master with 8 busy workers, each of which has started a "sleep 1000" in a session of its
 * own; then the master, the watcher or the guard is killed, or the watcher stopped, or one of the pair stopped and then the master
 * killed. All of them must go (a zombie counts as gone), by /proc. How soon after the death of a master is told by a benchmark: failure.
 *
 * The master is this program, started again with --master: it says whom it has started and sleeps. It does not even
 * read what the watcher tells it. */
#include "../support/watcher-fixture.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include <signal.h>
#include <sys/wait.h>

#define N_WORKERS 8
#define ROUNDS 5

typedef enum { KILL_MASTER, KILL_WATCHER, KILL_GUARD, STOP_WATCHER, STOP_WATCHER_KILL_MASTER, STOP_GUARD_KILL_MASTER } Blow;

typedef struct
{
  pid_t master, guard, watcher;
  GArray *below; /* pid_t: the workers and what they started */
  int stdout_fd, stdin_fd;
} Session;

/* The numbers of all, a line each; then wait to be killed. */
static int
run_master (void)
{
  Fixture fixture;
  Stub stubs[N_WORKERS];

  fixture_open (&fixture);
  g_print ("%d\n%d\n", (int) tti_watcher_link_get_guard_pid (fixture.link), (int) tti_watcher_link_get_watcher_pid (fixture.link));
  for (guint i = 0; i < N_WORKERS; i++)
    {
      stubs[i] = stub_start (&fixture, i + 1, "subreaper report sleep:1 say:ready busy");
      g_print ("%d\n", (int) stub_expect (&stubs[i], "self "));
      g_print ("%d\n", (int) stub_expect (&stubs[i], "pid "));
      stub_expect (&stubs[i], "ready");
    }
  g_print ("0\n");
  tti_fd_wait (STDIN_FILENO, POLLIN, -1); /* until the test is gone */
  for (guint i = 0; i < N_WORKERS; i++)
    stub_clear (&stubs[i]);
  fixture_close (&fixture);
  return 0;
}

static void
session_open (Session *session)
{
  const char *argv[] = { "master", "--master", NULL };
  g_autoptr (GError) error = NULL;
  int output[2], input[2];

  g_assert_true (tti_fd_pipe (output, NULL));
  g_assert_true (tti_fd_pipe (input, NULL));
  int fds[] = { input[0], output[1], STDERR_FILENO };
  TtiSpawn spawn = { .path = "/proc/self/exe", .argv = argv, .envp = (const char *const *) environ, .fds = fds, .n_fds = 3 };

  *session = (Session){ .below = g_array_new (FALSE, FALSE, sizeof (pid_t)), .stdout_fd = output[0], .stdin_fd = input[1] };
  session->master = tti_spawn (&spawn, &error);
  g_assert_no_error (error);
  tti_fd_clear (&output[1]);
  tti_fd_clear (&input[0]);
  Stub lines = { .output = session->stdout_fd };

  session->guard = stub_expect (&lines, "");
  session->watcher = stub_expect (&lines, "");
  for (pid_t pid; (pid = stub_expect (&lines, "")) != 0;)
    g_array_append_val (session->below, pid);
  g_assert_cmpuint (session->below->len, ==, 2 * N_WORKERS);
}

static void
session_close (Session *session)
{
  kill (session->master, SIGKILL);
  waitpid (session->master, NULL, 0);
  g_array_unref (session->below);
  tti_fd_clear (&session->stdout_fd);
  tti_fd_clear (&session->stdin_fd);
}

static void
strike (Session *session, Blow blow)
{
  switch (blow)
    {
    case KILL_MASTER:
      kill (session->master, SIGKILL);
      break;
    case KILL_WATCHER:
      kill (session->watcher, SIGKILL);
      break;
    case KILL_GUARD:
      kill (session->guard, SIGKILL);
      break;
    case STOP_WATCHER:
      kill (session->watcher, SIGSTOP);
      break;
    case STOP_WATCHER_KILL_MASTER:
      kill (session->watcher, SIGSTOP);
      kill (session->master, SIGKILL);
      break;
    case STOP_GUARD_KILL_MASTER:
      kill (session->guard, SIGSTOP);
      kill (session->master, SIGKILL);
      break;
    }
}

/* Strike, and return the time (µs) after which the last of those below was gone. The pidfds tell the moment without
 * taking part in the race for the processor; /proc is asked whether it is true. */
static gint64
session_measure (Session *session, Blow blow)
{
  GArray *below = session->below;
  g_autofree int *pidfds = g_new (int, below->len);

  for (guint i = 0; i < below->len; i++)
    {
      pid_t pid = g_array_index (below, pid_t, i);

      g_assert_true (is_alive (pid));
      pidfds[i] = tti_process_open (pid, NULL);
      g_assert_cmpint (pidfds[i], >=, 0);
    }
  gint64 start = g_get_monotonic_time ();

  strike (session, blow);
  for (guint i = 0; i < below->len; i++)
    {
      if (!tti_fd_wait (pidfds[i], POLLIN, start + PATIENCE * G_TIME_SPAN_SECOND))
        g_test_message ("process %d lives on", g_array_index (below, pid_t, i));
    }
  gint64 took = g_get_monotonic_time () - start;

  for (guint i = 0; i < below->len; i++)
    {
      g_assert_false (is_alive (g_array_index (below, pid_t, i)));
      tti_fd_clear (&pidfds[i]);
    }
  return took;
}

/* The pair itself is gone as well, soon. */
static void
assert_pair_gone (Session *session)
{
  pid_t pair[] = { session->guard, session->watcher };

  for (guint i = 0; i < G_N_ELEMENTS (pair); i++)
    {
      tti_autofd int pidfd = tti_process_open (pair[i], NULL);

      if (pidfd >= 0)
        g_assert_true (tti_fd_wait (pidfd, POLLIN, SECONDS (PATIENCE)));
      g_assert_false (is_alive (pair[i]));
    }
}

static void
test_all_gone (gconstpointer blow)
{
  g_autoptr (GString) times = g_string_new (NULL);

  for (guint round = 0; round < ROUNDS; round++)
    {
      Session session;

      session_open (&session);
      g_string_append_printf (times, " %.1f", (double) session_measure (&session, (Blow) GPOINTER_TO_INT (blow)) / 1000);
      assert_pair_gone (&session);
      session_close (&session);
    }
  g_test_message ("%d processes gone after (ms):%s", 2 * N_WORKERS, times->str);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && strcmp (argv[1], "--master") == 0)
    return run_master ();
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/kill-tree/master-killed", GINT_TO_POINTER (KILL_MASTER), test_all_gone);
  g_test_add_data_func ("/kill-tree/watcher-killed", GINT_TO_POINTER (KILL_WATCHER), test_all_gone);
  g_test_add_data_func ("/kill-tree/guard-killed", GINT_TO_POINTER (KILL_GUARD), test_all_gone);
  g_test_add_data_func ("/kill-tree/watcher-stopped", GINT_TO_POINTER (STOP_WATCHER), test_all_gone);
  g_test_add_data_func ("/kill-tree/watcher-stopped/master-killed", GINT_TO_POINTER (STOP_WATCHER_KILL_MASTER), test_all_gone);
  g_test_add_data_func ("/kill-tree/guard-stopped/master-killed", GINT_TO_POINTER (STOP_GUARD_KILL_MASTER), test_all_gone);
  return g_test_run ();
}
