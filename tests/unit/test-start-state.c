/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state that programs inherit: recorded here, and restored by a child that has changed everything. */
#include "process/start-state.h"
#include "platform/cpu-set.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Give the process a state of its own. */
static void
change_everything (void)
{
  struct rlimit limit;
  cpu_set_t one;
  sigset_t blocked;

  umask (0077);
  g_assert_cmpint (getrlimit (RLIMIT_CORE, &limit), ==, 0);
  limit.rlim_cur = limit.rlim_cur == 4096 ? 0 : MIN (4096, limit.rlim_max);
  g_assert_cmpint (setrlimit (RLIMIT_CORE, &limit), ==, 0);
  CPU_ZERO (&one);
  CPU_SET (sched_getcpu (), &one);
  g_assert_cmpint (sched_setaffinity (0, sizeof one, &one), ==, 0);
  sigemptyset (&blocked);
  sigaddset (&blocked, SIGUSR1);
  sigaddset (&blocked, SIGRTMAX);
  sigprocmask (SIG_BLOCK, &blocked, NULL);
}

/* Run BODY in a child; it returns the exit status, which is returned. */
static int
in_child (int (*body) (gpointer), gpointer data)
{
  int status;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    _exit (body (data));
  while (waitpid (pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

static void
put_into_environment (const char *setting)
{
  g_auto (GStrv) parts = g_strsplit (setting, "=", 2);

  g_setenv (parts[0], parts[1], TRUE);
}

/* Replace the nice value in SETTING. */
static char *
with_nice (const char *setting, int value)
{
  g_autoptr (GRegex) number = g_regex_new (" nice:-?[0-9]+", 0, 0, NULL);
  g_autofree char *text = g_strdup_printf (" nice:%d", value);

  return g_regex_replace_literal (number, setting, -1, 0, text, 0, NULL);
}

static int
enter_and_compare (gpointer data)
{
  const TtiStartState *wanted = data;
  int script = getpriority (PRIO_PROCESS, 0), worker = MIN (script + 1, 19);

  change_everything ();
  g_autoptr (TtiStartState) changed = tti_start_state_new ();
  g_assert_cmpstr (changed->setting, !=, wanted->setting);
  put_into_environment (wanted->setting);
  g_assert_true (tti_start_state_enter ());
  g_assert_null (g_getenv (TTI_START_SETTING));
  g_autoptr (TtiStartState) now = tti_start_state_new ();
  g_autofree char *expected = with_nice (wanted->setting, MIN (worker + 1, 19));
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, worker);
  g_assert_cmpstr (now->setting, ==, expected);
  return EXIT_SUCCESS;
}

static void
test_entered (void)
{
  g_autoptr (TtiStartState) state = tti_start_state_new ();

  g_assert_cmpint (state->folder, >=, 0);
  g_assert_true (g_str_has_prefix (state->setting, TTI_START_SETTING "="));
  g_assert_cmpint (in_child (enter_and_compare, state), ==, EXIT_SUCCESS);
}

static int
change_and_compare (gpointer data)
{
  (void) data;
  change_everything ();
  g_autoptr (TtiStartState) state = tti_start_state_new ();

  g_assert_nonnull (strstr (state->setting, "umask:77 "));
  g_assert_nonnull (strstr (state->setting, "blocked:8000000000000200"));
  return EXIT_SUCCESS;
}

static void
test_taken (void)
{
  g_assert_cmpint (in_child (change_and_compare, NULL), ==, EXIT_SUCCESS);
}

static int
enter_setting (gpointer setting)
{
  if (setting != NULL)
    g_setenv (TTI_START_SETTING, setting, TRUE);
  else
    g_unsetenv (TTI_START_SETTING);
  return tti_start_state_enter () ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
enter_folder (gpointer path)
{
  g_autofree char *setting = g_strdup_printf ("umask:22 folder:%s", (char *) path);
  int status = enter_setting (setting);
  g_autofree char *here = g_get_current_dir ();

  g_assert_cmpstr (here, ==, path);
  return status;
}

static void
test_settings (void)
{
  g_assert_cmpint (in_child (enter_setting, NULL), ==, EXIT_SUCCESS);
  g_assert_cmpint (in_child (enter_setting, "umask:22"), ==, EXIT_SUCCESS);
  g_assert_cmpint (in_child (enter_setting, "colour:22"), ==, EXIT_FAILURE);
  g_assert_cmpint (in_child (enter_setting, "umask"), ==, EXIT_FAILURE);
  g_assert_cmpint (in_child (enter_setting, "folder:/no such: folder"), ==, EXIT_FAILURE);
  g_autofree char *folder = g_dir_make_tmp ("tutti a: b=c XXXXXX", NULL);

  g_assert_cmpint (in_child (enter_folder, folder), ==, EXIT_SUCCESS);
  rmdir (folder);
}

static void
assert_processors (const char *setting, const char *expected)
{
  g_autoptr (GArray) cpus = tti_start_state_get_processors (setting);
  g_autofree char *text = cpus != NULL ? tti_cpus_format (cpus) : g_strdup ("none");

  g_assert_cmpstr (text, ==, expected);
}

/* Those of a setting, and others instead. */
static void
test_processors (void)
{
  g_autoptr (TtiStartState) state = tti_start_state_new ();
  g_autoptr (GArray) allowed = tti_cpus_get_allowed (), two = tti_cpus_parse ("1,63"), many = tti_cpus_parse ("200");
  g_autofree char *text = tti_cpus_format (allowed), *same = tti_start_state_set_processors (state->setting, allowed);

  assert_processors (state->setting, text);
  g_assert_cmpstr (same, ==, state->setting);
  assert_processors (TTI_START_SETTING "=umask:22 folder:/x processors:0100000000000000", "none");
  assert_processors (TTI_START_SETTING "=umask:22", "none");
  assert_processors (TTI_START_SETTING "=", "none");
  g_autofree char *first = tti_start_state_set_processors (TTI_START_SETTING "=processors:0100000000000000 nice:0 folder:/a", two);
  g_assert_cmpstr (first, ==, TTI_START_SETTING "=processors:0200000000000080 nice:0 folder:/a");
  g_autofree char *added = tti_start_state_set_processors (TTI_START_SETTING "=umask:22 folder:/x processors:01", many);
  assert_processors (added, "200");
  g_assert_true (g_str_has_suffix (added, " umask:22 folder:/x processors:01"));
  g_autofree char *alone = tti_start_state_set_processors (NULL, many);
  assert_processors (alone, "200");
  g_assert_cmpint (in_child (enter_setting, strchr (same, '=') + 1), ==, EXIT_SUCCESS);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/start-state/taken", test_taken);
  g_test_add_func ("/start-state/entered", test_entered);
  g_test_add_func ("/start-state/settings", test_settings);
  g_test_add_func ("/start-state/processors", test_processors);
  return g_test_run ();
}
