/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ending process trees: real ones, deep, wide, stopped, busy and growing. This program is the subreaper. */
#include "platform/process-tree.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS(n) (g_get_monotonic_time () + (n) * G_TIME_SPAN_SECOND)

/* A stub worker; its standard output is returned in OUTPUT, its control socket in CONTROL. */
static pid_t
start_stub (const char *const *actions, int *output, int *control)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (g_getenv ("TUTTI_HELPERS"), "stub-worker", NULL);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  int out[2], pair[2];

  g_ptr_array_add (argv, path);
  for (; *actions != NULL; actions++)
    g_ptr_array_add (argv, (gpointer) *actions);
  g_ptr_array_add (argv, NULL);
  g_assert_true (tti_fd_pipe (out, NULL));
  g_assert_true (tti_fd_socket_pair (SOCK_STREAM, pair, NULL));
  int fds[] = { -1, out[1], STDERR_FILENO, pair[1] };
  TtiSpawn spawn = { .path = path, .argv = (const char *const *) argv->pdata, .envp = (const char *const *) environ,
                       .fds = fds, .n_fds = 4, .new_group = TRUE };
  pid_t pid = tti_spawn (&spawn, &error);

  g_assert_no_error (error);
  tti_fd_clear (&out[1]);
  tti_fd_clear (&pair[1]);
  *output = out[0];
  *control = pair[0];
  return pid;
}

/* The number in the next line of output, which must begin with WORD. */
static pid_t
expect (int output, const char *word)
{
  char line[64];
  gsize length = 0;
  gint64 deadline = SECONDS (60);

  for (;;)
    {
      g_assert_true (tti_fd_wait (output, POLLIN, deadline));
      g_assert_cmpint (read (output, line + length, 1), ==, 1);
      if (line[length] == '\n')
        break;
      length++;
      g_assert_cmpuint (length, <, sizeof line - 1);
    }
  line[length] = '\0';
  g_assert_true (g_str_has_prefix (line, word));
  return (pid_t) g_ascii_strtoll (line + strlen (word), NULL, 10);
}

/* Does PID run, according to /proc? */
static gboolean
is_alive (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  return strstr (text, ") Z ") == NULL && strstr (text, ") X ") == NULL;
}

static void
assert_nothing_left (void)
{
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

/* A child whose name misleads parsers that look for the first parenthesis. */
static void
test_children_names (void)
{
  pid_t child = fork ();

  if (child == 0)
    {
      prctl (PR_SET_NAME, "x) S 1 (y z", 0, 0, 0);
      for (;;)
        pause ();
    }
  g_autofree char *path = g_strdup_printf ("/proc/%d/comm", (int) child);
  gint64 deadline = SECONDS (60);
  g_autofree char *name = NULL;

  do
    {
      g_clear_pointer (&name, g_free);
      g_assert_true (g_file_get_contents (path, &name, NULL, NULL));
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    }
  while (strcmp (name, "x) S 1 (y z\n") != 0);
  g_autoptr (GArray) children = tti_process_children (getpid ());

  g_assert_cmpuint (children->len, ==, 1);
  g_assert_cmpint (g_array_index (children, pid_t, 0), ==, child);
  g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
}

static void
test_kill_tree (void)
{
  tti_autofd int output = -1, control = -1, other_output = -1, other_control = -1;
  pid_t other = start_stub ((const char *[]){ "report", NULL }, &other_output, &other_control);
  pid_t worker = start_stub ((const char *[]){ "subreaper", "sleep:4", "orphan", "no-term", "report", NULL }, &output, &control);
  pid_t pids[6];

  for (guint i = 0; i < 5; i++)
    pids[i] = expect (output, "pid ");
  pids[5] = expect (output, "self ");
  expect (other_output, "self ");
  g_assert_cmpint (pids[5], ==, worker);
  tti_process_kill_tree (worker);
  for (guint i = 0; i < 6; i++)
    {
      /* Processes that are not our children may stay unreaped, but they end. */
      tti_autofd int pidfd = tti_process_open (pids[i], NULL);

      if (pidfd >= 0)
        g_assert_true (tti_fd_wait (pidfd, POLLIN, SECONDS (60)));
      g_assert_false (is_alive (pids[i]));
    }
  g_assert_true (is_alive (other));
  g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
  g_assert_false (is_alive (other));
  assert_nothing_left ();
}

/* Eight busy processes, each with a session of its own below it; one of them is stopped. */
static void
test_end_all (void)
{
  int output[8], control[8];
  pid_t workers[8], sleeps[8];

  for (guint i = 0; i < 8; i++)
    {
      workers[i] = start_stub ((const char *[]){ "subreaper", "sleep:1", "say:ready", "busy", NULL }, &output[i], &control[i]);
      sleeps[i] = expect (output[i], "pid ");
      expect (output[i], "ready");
    }
  kill (workers[3], SIGSTOP);
  gint64 start = g_get_monotonic_time ();

  g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
  g_test_message ("8 busy workers and 8 sessions ended in %.1f ms", (double) (g_get_monotonic_time () - start) / 1000);
  for (guint i = 0; i < 8; i++)
    {
      g_assert_false (is_alive (workers[i]));
      g_assert_false (is_alive (sleeps[i]));
      tti_fd_clear (&output[i]);
      tti_fd_clear (&control[i]);
    }
  assert_nothing_left ();
}

/* 64 processes that fork again and again while they are being ended. */
static void
test_end_all_growing (void)
{
  for (guint round = 0; round < 20; round++)
    {
      tti_autofd int output = -1, control = -1;

      start_stub ((const char *[]){ "say:ready", "bomb:3", NULL }, &output, &control);
      expect (output, "ready");
      g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
      assert_nothing_left ();
    }
}

static void
test_end_all_nothing (void)
{
  assert_nothing_left ();
  g_assert_true (tti_process_end_all_descendants (0));
}

/* A deadline that has passed is respected, although there are processes to end. */
static void
test_end_all_deadline (void)
{
  tti_autofd int output = -1, control = -1;
  pid_t worker = start_stub ((const char *[]){ "report", NULL }, &output, &control);

  expect (output, "self ");
  g_assert_false (tti_process_end_all_descendants (g_get_monotonic_time ()));
  g_assert_true (is_alive (worker));
  g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
  assert_nothing_left ();
}

/* A process that is called as Slurm's launcher is, in GROUP (0: its own); it writes a byte to ASKED when it is asked to end, and does not
 * end if DEAF. */
static pid_t
start_launcher (pid_t group, int asked, gboolean deaf)
{
  int ready[2];

  g_assert_true (tti_fd_pipe (ready, NULL));
  pid_t pid = fork ();

  if (pid == 0)
    {
      sigset_t signals;
      int number;

      setpgid (0, group);
      prctl (PR_SET_NAME, "srun", 0, 0, 0);
      sigemptyset (&signals);
      sigaddset (&signals, SIGTERM);
      sigprocmask (SIG_BLOCK, &signals, NULL);
      close (ready[1]);
      do
        sigwait (&signals, &number);
      while (write (asked, "x", 1) == 1 && deaf);
      _exit (0);
    }
  char c;

  tti_fd_clear (&ready[1]);
  /* It has its name when it closes its end. */
  g_assert_true (tti_fd_wait (ready[0], POLLIN, SECONDS (60)));
  g_assert_cmpint (read (ready[0], &c, 1), ==, 0);
  tti_fd_clear (&ready[0]);
  return pid;
}

static guint
count_asked (int asked)
{
  char text[64];
  gssize n = tti_fd_wait (asked, POLLIN, 0) ? read (asked, text, sizeof text) : 0;

  return (guint) MAX (n, 0);
}

/* Launchers are asked, also those that are stopped. */
static void
test_launchers (void)
{
  int asked[2];
  siginfo_t info = { 0 };

  g_assert_true (tti_fd_pipe (asked, NULL));
  start_launcher (0, asked[1], FALSE);
  kill (start_launcher (0, asked[1], FALSE), SIGSTOP);
  g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
  g_assert_cmpuint (count_asked (asked[0]), ==, 2);
  assert_nothing_left ();

  start_launcher (0, asked[1], FALSE);
  g_assert_true (tti_process_end_children_but (NULL, SECONDS (60)));
  g_assert_cmpuint (count_asked (asked[0]), ==, 1);
  assert_nothing_left ();

  pid_t group = start_launcher (0, asked[1], FALSE);

  start_launcher (group, asked[1], FALSE);
  tti_process_end_group (group);
  g_assert_cmpuint (count_asked (asked[0]), ==, 2);
  g_assert_cmpint (waitid (P_PID, (id_t) group, &info, WEXITED), ==, 0);
  g_assert_cmpint (info.si_code, ==, CLD_EXITED);
  g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
  tti_fd_clear (&asked[0]);
  tti_fd_clear (&asked[1]);
}

/* One that does not listen is killed, not before its time and not much later. */
static void
test_launchers_deaf (void)
{
  int asked[2];
  gint64 start = g_get_monotonic_time ();

  g_assert_true (tti_fd_pipe (asked, NULL));
  start_launcher (0, asked[1], TRUE);
  g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
  g_assert_cmpint (g_get_monotonic_time () - start, >=, TTI_LAUNCHER_PATIENCE);
  g_assert_cmpuint (count_asked (asked[0]), >, 0);
  assert_nothing_left ();

  start = g_get_monotonic_time ();
  pid_t pid = start_launcher (0, asked[1], TRUE);
  tti_process_end_group (pid);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, TTI_LAUNCHER_PATIENCE);
  g_assert_true (tti_process_end_all_descendants (SECONDS (60)));
  /* A deadline that is near is respected. */
  start_launcher (0, asked[1], TRUE);
  g_assert_true (tti_process_end_all_descendants (g_get_monotonic_time () + TTI_LAUNCHER_PATIENCE));
  tti_fd_clear (&asked[0]);
  tti_fd_clear (&asked[1]);
}

static void
test_open (void)
{
  g_autoptr (GError) error = NULL;
  tti_autofd int self = tti_process_open (getpid (), &error);

  g_assert_no_error (error);
  g_assert_cmpint (fcntl (self, F_GETFD), ==, FD_CLOEXEC);
  g_assert_false (tti_fd_wait (self, POLLIN, 0));
  g_assert_cmpint (tti_process_open (G_MAXINT, &error), ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  g_assert_true (tti_process_become_subreaper (&error));
  g_assert_no_error (error);
  g_test_add_func ("/process-tree/children/names", test_children_names);
  g_test_add_func ("/process-tree/kill-tree", test_kill_tree);
  g_test_add_func ("/process-tree/end-all", test_end_all);
  g_test_add_func ("/process-tree/end-all/growing", test_end_all_growing);
  g_test_add_func ("/process-tree/end-all/nothing", test_end_all_nothing);
  g_test_add_func ("/process-tree/end-all/deadline", test_end_all_deadline);
  g_test_add_func ("/process-tree/launchers", test_launchers);
  g_test_add_func ("/process-tree/launchers/deaf", test_launchers_deaf);
  g_test_add_func ("/process-tree/open", test_open);
  return g_test_run ();
}
