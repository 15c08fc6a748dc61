/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state with which tasks begin: this program is the worker, and contains the functions of tutti-worker that replace libc's. */
#include "process/base-state-saver.h"
#include "process/start-state.h"
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIBCS_FLAG = 0x04000000 }; /* SA_RESTORER, which libc adds */

static void
handler (int signal)
{
  (void) signal;
}

/* All parts of the state that can be compared, as text. */
static char *
everything (void)
{
  g_autoptr (TtiStartState) state = tti_start_state_new ();
  g_autofree char *folder = g_get_current_dir ();
  g_auto (GStrv) settings = g_get_environ ();
  g_autofree char *environment = g_strjoinv ("\n", settings);
  GString *text = g_string_new (NULL);
  struct itimerval timer;

  g_string_append_printf (text, "%s\n%s\n%s\n%s\n", state->setting, folder, environment, setlocale (LC_ALL, NULL));
  for (int signal = 1; signal < 32; signal++)
    {
      struct sigaction action;

      if (sigaction (signal, NULL, &action) == 0)
        g_string_append_printf (text, "%d:%p:%x ", signal, (gpointer) action.sa_handler, (guint) action.sa_flags & ~(guint) LIBCS_FLAG);
    }
  g_assert_cmpint (getitimer (ITIMER_REAL, &timer), ==, 0);
  g_string_append_printf (text, "\n%ld\n", (long) timer.it_value.tv_sec);
  for (int fd = 0; fd < 3; fd++)
    {
      struct stat status;

      g_string_append_printf (text, "%d:%lx ", fd, fstat (fd, &status) == 0 ? (gulong) status.st_ino : 0);
    }
  return g_string_free (text, FALSE);
}

static void
change_environment (void)
{
  static char setting[] = "TUTTI_TEST_PUT=1";

  setenv ("TUTTI_TEST_NEW", "1", 1);
  setenv ("HOME", "/nowhere", 1);
  unsetenv ("PATH");
  putenv (setting);
}

static void
assign_environment (void)
{
  static char setting[] = "ONLY=1";
  static char *only[] = { setting, NULL };

  environ = only;
}

static void
assign_and_change_environment (void)
{
  assign_environment ();
  setenv ("TUTTI_TEST_NEW", "1", 1);
}

static void
clear_environment (void)
{
  clearenv ();
}

static void
change_folder (void)
{
  g_assert_cmpint (chdir ("/"), ==, 0);
  g_assert_cmpint (chdir ("/usr"), ==, 0);
}

static void
change_limits (void)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_CORE, &limit), ==, 0);
  limit.rlim_cur = limit.rlim_cur == 4096 ? 0 : MIN (4096, limit.rlim_max);
  g_assert_cmpint (setrlimit (RLIMIT_CORE, &limit), ==, 0);
  g_assert_cmpint (prlimit (0, RLIMIT_CORE, &limit, NULL), ==, 0);
}

static void
change_scheduling (void)
{
  cpu_set_t one;

  CPU_ZERO (&one);
  CPU_SET (sched_getcpu (), &one);
  g_assert_cmpint (sched_setaffinity (0, sizeof one, &one), ==, 0);
  setpriority (PRIO_PROCESS, 0, getpriority (PRIO_PROCESS, 0));
}

static void
change_umask (void)
{
  umask (077);
  umask (011);
}

static void
change_signals (void)
{
  struct sigaction action = { .sa_handler = handler };
  sigset_t blocked;

  g_assert_cmpint (sigaction (SIGUSR1, &action, NULL), ==, 0);
  signal (SIGUSR2, SIG_IGN);
  sigemptyset (&blocked);
  sigaddset (&blocked, SIGHUP);
  pthread_sigmask (SIG_BLOCK, &blocked, NULL);
}

static void
change_timers (void)
{
  alarm (100);
}

static void
change_locale (void)
{
  setlocale (LC_ALL, "C.UTF-8");
}

static void
close_streams (void)
{
  for (int fd = 0; fd < 3; fd++)
    g_assert_cmpint (close (fd), ==, 0);
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >, 2); /* otherwise descriptors opened now would be in the way */
  close (fd);
}

static void
redirect_streams (void)
{
  int fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  dup2 (fd, STDOUT_FILENO);
  dup3 (fd, STDERR_FILENO, O_CLOEXEC);
  close (fd);
}

static void
change_everything (void)
{
  change_environment ();
  change_folder ();
  change_limits ();
  change_scheduling ();
  change_umask ();
  change_signals ();
  change_timers ();
  change_locale ();
  redirect_streams ();
}

static void
test_change (gconstpointer data)
{
  void (*change) (void) = *(void (*const *) (void)) data;
  g_autofree char *before = everything ();

  for (int round = 0; round < 3; round++)
    {
      tti_base_begin (TRUE);
      g_assert_false (tti_base_is_touched ());
      change ();
      g_assert_true (tti_base_is_touched ());
      (void) tti_base_restore ();
      g_assert_false (tti_base_is_touched ());
      g_autofree char *after = everything ();

      g_assert_cmpstr (after, ==, before);
      tti_base_end ();
    }
}

/* Changes by keepers stay, whatever else is restored. */
static void
test_keepers (void)
{
  tti_base_begin (TRUE);
  setenv ("TUTTI_TEST_TASK", "1", 1);
  signal (SIGUSR1, SIG_IGN);
  tti_base_keep_begin ();
  setenv ("TUTTI_TEST_LIBRARY", "1", 1);
  unsetenv ("TUTTI_TEST_OLD");
  signal (SIGUSR2, SIG_IGN);
  signal (SIGUSR1, handler);
  umask (055);
  g_assert_cmphex (tti_base_keep_end (), ==, 1u << (SIGUSR1 - 1) | 1u << (SIGUSR2 - 1));
  umask (077);
  signal (SIGUSR2, SIG_DFL);
  g_assert_cmphex (tti_base_restore (), ==, 1u << (SIGUSR1 - 1) | 1u << (SIGUSR2 - 1));
  g_assert_null (getenv ("TUTTI_TEST_TASK"));
  g_assert_cmpstr (getenv ("TUTTI_TEST_LIBRARY"), ==, "1");
  g_assert_cmpint (umask (022), ==, 055);
  g_assert_true (signal (SIGUSR1, SIG_DFL) == handler);
  g_assert_true (signal (SIGUSR2, SIG_DFL) == SIG_IGN);
  tti_base_end ();
  unsetenv ("TUTTI_TEST_LIBRARY");
}

/* A forked copy, and a child that runs in our memory, change only their own state. */
static void
test_copies (void)
{
  int status;

  tti_base_begin (TRUE);
  pid_t pid = fork ();

  if (pid == 0)
    {
      change_folder ();
      g_assert_false (tti_base_is_touched ());
      g_assert_cmpint (close (0), ==, 0);
      _exit (fcntl (0, F_GETFD) < 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
  while (waitpid (pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  g_assert_cmpint (status, ==, 0);
  pid = vfork ();
  if (pid == 0)
    _exit (chdir ("/") == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
  while (waitpid (pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  g_assert_cmpint (status, ==, 0);
  g_assert_false (tti_base_is_touched ());
  tti_base_end ();
}

static void
test_outside (void)
{
  tti_base_begin (FALSE);
  tti_base_begin (FALSE);
  tti_base_end ();
  setenv ("TUTTI_TEST_INSIDE", "1", 1);
  (void) tti_base_restore ();
  g_assert_null (getenv ("TUTTI_TEST_INSIDE"));
  tti_base_end ();
  setenv ("TUTTI_TEST_OUTSIDE", "1", 1);
  g_assert_false (tti_base_is_touched ());
  (void) tti_base_restore ();
  g_assert_cmpstr (getenv ("TUTTI_TEST_OUTSIDE"), ==, "1");
  unsetenv ("TUTTI_TEST_OUTSIDE");
}

static const struct { const char *name; void (*change) (void); } changes[] = {
  { "environment", change_environment }, { "environment-assigned", assign_environment },
  { "environment-assigned-and-set", assign_and_change_environment }, { "environment-cleared", clear_environment },
  { "folder", change_folder }, { "limits", change_limits }, { "scheduling", change_scheduling }, { "umask", change_umask },
  { "signals", change_signals }, { "timers", change_timers }, { "locale", change_locale }, { "streams-closed", close_streams },
  { "streams-redirected", redirect_streams }, { "everything", change_everything },
};

/* Where no program has installed a saver nothing is noted and nothing restored; then the first that is installed stays. */
static void
test_nobody (void)
{
  TtiBaseOps other = tti_base_saver;

  other.is_touched = NULL;
  tti_base_begin (TRUE);
  g_setenv ("TUTTI_TEST_NOBODY", "1", TRUE);
  g_assert_false (tti_base_is_touched ());
  g_assert_cmpuint (tti_base_restore (), ==, 0);
  g_assert_cmpstr (g_getenv ("TUTTI_TEST_NOBODY"), ==, "1");
  tti_base_end ();
  g_assert_true (tti_base_install (&tti_base_saver) == &tti_base_saver);
  g_assert_true (tti_base_install (&other) == &tti_base_saver);
  g_assert_false (tti_base_is_touched ());
  g_unsetenv ("TUTTI_TEST_NOBODY");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base-state/nobody", test_nobody); /* first */
  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/base-state/%s", changes[i].name);

      g_test_add_data_func (path, &changes[i].change, test_change);
    }
  g_test_add_func ("/base-state/keepers", test_keepers);
  g_test_add_func ("/base-state/copies", test_copies);
  g_test_add_func ("/base-state/outside", test_outside);
  return g_test_run ();
}
