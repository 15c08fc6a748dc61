/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Commands under a real guard and watcher: what they read, write and inherit, how they end, and that they do not stay. */
#include "cluster/launch.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE (60 * G_TIME_SPAN_SECOND)

typedef struct
{
  GMainContext *context;
  TtiLaunches *launches;
  TtiLaunch *launch;
  GPtrArray *lines; /* "out TEXT", "err TEXT" */
  gboolean free_at_line, free_at_end;
  guint n_ended;
  int status, signal;
  char *reason;
} Fixture;

static void
on_line (TtiLaunch *launch, gboolean is_error, const char *text, gpointer data)
{
  Fixture *fixture = data;

  g_assert_true (g_utf8_validate (text, -1, NULL));
  g_ptr_array_add (fixture->lines, g_strconcat (is_error ? "err " : "out ", text, NULL));
  if (fixture->free_at_line)
    {
      g_assert_true (launch == fixture->launch);
      g_clear_pointer (&fixture->launch, tti_launch_free);
    }
}

static void
on_ended (TtiLaunch *launch, int status, int signal, const char *reason, gpointer data)
{
  Fixture *fixture = data;

  fixture->n_ended++;
  fixture->status = status;
  fixture->signal = signal;
  g_free (fixture->reason);
  fixture->reason = g_strdup (reason);
  if (fixture->free_at_end)
    {
      g_assert_true (launch == fixture->launch);
      g_clear_pointer (&fixture->launch, tti_launch_free);
    }
}

static const TtiLaunchEvents events = { on_line, on_ended };

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *watcher = g_build_filename (g_getenv ("TUTTI_LIBEXECDIR"), "tutti-watcher", NULL);

  (void) data;
  fixture->context = g_main_context_new ();
  fixture->launches = tti_launches_new (watcher, fixture->context);
  fixture->lines = g_ptr_array_new_with_free_func (g_free);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  tti_launch_free (fixture->launch);
  tti_launches_free (fixture->launches);
  g_main_context_unref (fixture->context);
  g_ptr_array_unref (fixture->lines);
  g_free (fixture->reason);
}

static void
start (Fixture *fixture, const char *const *argv, const char *input)
{
  GError *error = NULL;

  g_clear_pointer (&fixture->launch, tti_launch_free);
  g_ptr_array_set_size (fixture->lines, 0);
  fixture->n_ended = 0;
  fixture->launch = tti_launch_start (fixture->launches, argv, input, &events, fixture, &error);
  g_assert_no_error (error);
}
#define ARGV(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define SHELL(script) ARGV ("sh", "-c", script)

static gboolean
tick (gpointer data)
{
  (void) data;
  return G_SOURCE_CONTINUE;
}

/* Run the context until CONDITION. */
#define AWAIT(fixture, condition) \
  do \
    { \
      gint64 deadline_ = g_get_monotonic_time () + DEADLINE; \
      GSource *ticks_ = g_timeout_source_new (1000); \
      g_source_set_callback (ticks_, tick, NULL, NULL); \
      g_source_attach (ticks_, (fixture)->context); \
      while (!(condition)) \
        { \
          g_assert_cmpint (g_get_monotonic_time (), <, deadline_); \
          g_main_context_iteration ((fixture)->context, TRUE); \
        } \
      g_source_destroy (ticks_); \
      g_source_unref (ticks_); \
    } \
  while (FALSE)

static void
assert_ends (Fixture *fixture, int status, int signal)
{
  AWAIT (fixture, fixture->n_ended > 0);
  g_assert_cmpint (fixture->status, ==, status);
  g_assert_cmpint (fixture->signal, ==, signal);
  g_assert_cmpuint (fixture->n_ended, ==, 1);
}

static const char *
line (Fixture *fixture, guint i)
{
  return i < fixture->lines->len ? g_ptr_array_index (fixture->lines, i) : "";
}

static gboolean
is_dead (pid_t pid)
{
  tti_autofd int pidfd = tti_process_open (pid, NULL);

  return pidfd < 0 || tti_fd_wait (pidfd, POLLIN, g_get_monotonic_time () + DEADLINE);
}

static void
test_input (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) much = g_string_new (NULL);
  g_autofree char *expected = NULL;

  (void) data;
  start (fixture, ARGV ("cat"), "one\ntwo words\nthree");
  assert_ends (fixture, 0, 0);
  g_assert_cmpuint (fixture->lines->len, ==, 3);
  g_assert_cmpstr (line (fixture, 1), ==, "out two words");
  g_assert_cmpstr (line (fixture, 2), ==, "out three");
  g_assert_null (fixture->reason);
  start (fixture, ARGV ("cat"), "");
  assert_ends (fixture, 0, 0);
  g_assert_cmpuint (fixture->lines->len, ==, 0);
  /* More than a pipe holds, read or not. */
  for (guint i = 0; i < 30000; i++)
    g_string_append_printf (much, "%09u\n", i);
  start (fixture, ARGV ("md5sum"), much->str);
  assert_ends (fixture, 0, 0);
  expected = g_compute_checksum_for_string (G_CHECKSUM_MD5, much->str, -1);
  g_assert_true (g_str_has_prefix (line (fixture, 0) + strlen ("out "), expected));
  start (fixture, ARGV ("true"), much->str);
  assert_ends (fixture, 0, 0);
}

static void
test_output (Fixture *fixture, gconstpointer data)
{
  g_autofree char *output = NULL;

  (void) data;
  start (fixture, SHELL ("echo a; sleep 0.1; echo b >&2; printf 'x\\377y\\nend'; exit 3"), "");
  assert_ends (fixture, 3, 0);
  g_assert_cmpstr (line (fixture, 0), ==, "out a");
  g_assert_cmpuint (fixture->lines->len, ==, 4);
  for (guint i = 1; i < 4; i++)
    g_assert_true (strstr ("err b|out x\357\277\275y|out end", line (fixture, i)) != NULL);
  start (fixture, SHELL ("i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo $i; done"), "");
  assert_ends (fixture, 0, 0);
  g_assert_cmpuint (fixture->lines->len, ==, 50);
  output = tti_launch_get_output (fixture->launch);
  g_assert_true (g_str_has_prefix (output, "31\n32\n"));
  g_assert_true (g_str_has_suffix (output, "\n49\n50\n"));
  /* A line without an end comes in pieces. */
  start (fixture, SHELL ("head -c 1000000 /dev/zero | tr '\\0' x"), "");
  assert_ends (fixture, 0, 0);
  g_assert_cmpuint (fixture->lines->len, >, 100);
  g_assert_cmpuint (strlen (line (fixture, 0)), <, 10000);
}

static void
test_surroundings (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-launch-XXXXXX", NULL), *before = g_get_current_dir (),
                  *expected = g_strconcat ("out ", folder, NULL);

  (void) data;
  start (fixture, ARGV ("true"), "");
  assert_ends (fixture, 0, 0); /* the watcher is there */
  g_setenv ("TUTTI_TEST_SETTING", "x y", TRUE);
  g_assert_cmpint (g_chdir (folder), ==, 0);
  start (fixture, SHELL ("pwd; echo \"$TUTTI_TEST_SETTING\"; echo ${TUTTI_RUN:+marked}; ls /proc/self/fd | tr '\\n' ' ';"
                         "[ -p /dev/stdin ] && echo p"), "");
  assert_ends (fixture, 0, 0);
  g_assert_cmpint (g_chdir (before), ==, 0);
  g_unsetenv ("TUTTI_TEST_SETTING");
  g_rmdir (folder);
  g_assert_cmpstr (line (fixture, 0), ==, expected);
  g_assert_cmpstr (line (fixture, 1), ==, "out x y");
  g_assert_cmpstr (line (fixture, 2), ==, "out marked");
  g_assert_cmpstr (line (fixture, 3), ==, "out 0 1 2 3 p"); /* 3: the folder that ls reads */
  start (fixture, ARGV ("sh", "-c", "echo \"$1|$2|$#\"", "x", "a b", "$HOME'\"", ""), "");
  assert_ends (fixture, 0, 0);
  g_assert_cmpstr (line (fixture, 0), ==, "out a b|$HOME'\"|3");
}

static void
assert_no_start (Fixture *fixture, const char *program, const char *words)
{
  GError *error = NULL;

  g_assert_null (tti_launch_start (fixture->launches, ARGV (program), "", &events, fixture, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' is not in '%s'", words, error->message);
  g_clear_error (&error);
}

static void
test_no_program (Fixture *fixture, gconstpointer data)
{
  TtiLaunches *launches = tti_launches_new ("/nowhere/tutti-watcher", fixture->context), *good = fixture->launches;

  (void) data;
  assert_no_start (fixture, "no-such-srun", "no program 'no-such-srun' on this machine's PATH");
  assert_no_start (fixture, "/nowhere/srun", "no program '/nowhere/srun'");
  fixture->launches = launches;
  assert_no_start (fixture, "true", "/nowhere/tutti-watcher");
  fixture->launches = good;
  tti_launches_free (launches);
}

static void
test_end (Fixture *fixture, gconstpointer data)
{
  gint64 start_time;

  (void) data;
  start (fixture, ARGV ("sleep", "1000"), "");
  tti_launch_end (fixture->launch, 60000);
  assert_ends (fixture, -1, SIGTERM);
  tti_launch_end (fixture->launch, 1); /* it has ended */
  start (fixture, SHELL ("trap '' TERM; echo ready; while :; do sleep 0.1; done"), "");
  AWAIT (fixture, fixture->lines->len > 0);
  start_time = g_get_monotonic_time ();
  tti_launch_end (fixture->launch, 100);
  assert_ends (fixture, -1, SIGKILL);
  g_assert_cmpint (g_get_monotonic_time () - start_time, >=, 100 * G_TIME_SPAN_MILLISECOND);
}

/* Freed while it runs, while it writes, and when it ends: nothing stays, and no event comes. */
static void
test_free (Fixture *fixture, gconstpointer data)
{
  pid_t pid;

  (void) data;
  start (fixture, SHELL ("echo $$; sleep 1000 & wait"), "");
  AWAIT (fixture, fixture->lines->len > 0);
  pid = atoi (line (fixture, 0) + strlen ("out "));
  g_clear_pointer (&fixture->launch, tti_launch_free);
  g_assert_true (is_dead (pid));
  fixture->free_at_line = TRUE;
  start (fixture, SHELL ("echo a; echo b; echo c; sleep 1000"), "");
  AWAIT (fixture, fixture->lines->len > 0);
  fixture->free_at_line = FALSE;
  fixture->free_at_end = TRUE;
  start (fixture, SHELL ("echo d"), "");
  assert_ends (fixture, 0, 0);
  g_assert_cmpuint (fixture->lines->len, ==, 1);
}

/* The watcher is killed: so are commands, and the next one has a new watcher. */
static void
test_lost (Fixture *fixture, gconstpointer data)
{
  pid_t pid;

  (void) data;
  start (fixture, SHELL ("echo $$; echo $PPID; exec sleep 1000"), "");
  AWAIT (fixture, fixture->lines->len == 2);
  pid = atoi (line (fixture, 0) + strlen ("out "));
  g_assert_cmpint (kill (atoi (line (fixture, 1) + strlen ("out ")), SIGKILL), ==, 0);
  assert_ends (fixture, -1, SIGKILL);
  g_assert_nonnull (strstr (fixture->reason, "has gone"));
  g_assert_true (is_dead (pid));
  start (fixture, ARGV ("true"), "");
  assert_ends (fixture, 0, 0);
}

/* Another process of this program: it launches a command that tells its number in the file PATH, and waits. */
static int
be_master (const char *path)
{
  Fixture fixture = { 0 };
  g_autofree char *script = g_strdup_printf ("echo $$ > '%s.new'; mv '%s.new' '%s'; sleep 1000", path, path, path);

  set_up (&fixture, NULL);
  start (&fixture, SHELL (script), "");
  for (;;)
    g_main_context_iteration (fixture.context, TRUE);
  return 0;
}

static void
test_master_killed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-launch-XXXXXX", NULL), *path = g_build_filename (folder, "pid", NULL), *text = NULL;
  g_auto (GStrv) environment = g_get_environ ();
  const char *argv[] = { "/proc/self/exe", "--master", path, NULL };
  TtiSpawn spawn = { .path = argv[0], .argv = argv, .envp = (const char *const *) environment, .fds = (const int[]) { -1, -1, 2 },
                     .n_fds = 3 };
  pid_t master = tti_spawn (&spawn, NULL);

  (void) fixture;
  (void) data;
  while (!g_file_get_contents (path, &text, NULL, NULL))
    g_usleep (10000);
  g_assert_cmpint (kill (master, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (master, NULL, 0), ==, master);
  g_assert_true (is_dead (atoi (text)));
  g_unlink (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && g_str_equal (argv[1], "--master"))
    return be_master (argv[2]);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add ("/launch/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("input", test_input);
  ADD ("output", test_output);
  ADD ("surroundings", test_surroundings);
  ADD ("no-program", test_no_program);
  ADD ("end", test_end);
  ADD ("free", test_free);
  ADD ("lost", test_lost);
  ADD ("master-killed", test_master_killed);
  return g_test_run ();
}
