/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Running a program once: what it wrote, how it ended, and that it and its group are gone, whatever it does. */
#include "platform/program.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { PATIENCE = 60, LIMIT = 1 << 20 };

static TtiProgram *
start_shell (const char *script, double seconds, gsize limit)
{
  g_autoptr (GError) error = NULL;
  const char *argv[] = { "/bin/sh", "-c", script, NULL };
  const TtiProgramOptions options = { .argv = argv, .seconds = seconds, .limit = limit };
  TtiProgram *program = tti_program_start (&options, &error);

  g_assert_no_error (error);
  g_assert_nonnull (program);
  return program;
}

/* Wait in slices, as callers do, until PROGRAM has ended like END. */
static void
assert_ends (TtiProgram *program, TtiProgramEnd end)
{
  gint64 deadline = g_get_monotonic_time () + 2 * PATIENCE * G_TIME_SPAN_SECOND;

  while (!tti_program_wait (program, G_TIME_SPAN_SECOND))
    g_assert_cmpint (g_get_monotonic_time (), <, deadline);
  g_assert_cmpint (program->end, ==, end);
}

static void
assert_text (const GByteArray *bytes, const char *text)
{
  g_assert_cmpmem (bytes->data, bytes->len, text, strlen (text));
}

static void
test_exit (void)
{
  TtiProgram *program = start_shell ("echo out; echo err >&2; read x || echo end; exit 7", PATIENCE, LIMIT);

  assert_ends (program, TTI_PROGRAM_EXITED);
  g_assert_cmpint (program->number, ==, 7);
  assert_text (program->output, "out\nend\n");
  assert_text (program->errors, "err\n");
  tti_program_free (program);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
}

static void
test_signal (void)
{
  TtiProgram *program = start_shell ("kill -TERM $$", PATIENCE, LIMIT);

  assert_ends (program, TTI_PROGRAM_SIGNALED);
  g_assert_cmpint (program->number, ==, SIGTERM);
  tti_program_free (program);
}

/* The time is short, because all of it passes. Stopped processes end as well. */
static void
test_late (void)
{
  TtiProgram *program = start_shell ("echo before; kill -STOP $$; sleep 1000", 0.1, LIMIT);

  assert_ends (program, TTI_PROGRAM_LATE);
  assert_text (program->output, "before\n");
  tti_program_free (program);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
}

static void
test_flood (gconstpointer script)
{
  TtiProgram *program = start_shell (script, PATIENCE, 100000);

  assert_ends (program, TTI_PROGRAM_FLOODED);
  g_assert_cmpint (program->output->len + program->errors->len, <, 200000);
  tti_program_free (program);
}

/* A process in the background has the pipes and would keep them open; it ends with the program. */
static void
test_background (void)
{
  TtiProgram *program = start_shell ("sleep 1000 & echo $!", PATIENCE, LIMIT);

  assert_ends (program, TTI_PROGRAM_EXITED);
  g_byte_array_append (program->output, (const guint8 *) "", 1);
  int pid = atoi ((const char *) program->output->data);
  gint64 deadline = g_get_monotonic_time () + PATIENCE * G_TIME_SPAN_SECOND;

  g_assert_cmpint (pid, >, 0);
  /* It is a child of nobody here, and whoever reaps it takes a moment. */
  for (char state = 'S'; state != 'Z' && kill (pid, 0) == 0;)
    {
      g_autofree char *name = g_strdup_printf ("/proc/%d/stat", pid);
      g_autofree char *text = NULL;

      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      if (g_file_get_contents (name, &text, NULL, NULL) && strrchr (text, ')') != NULL)
        state = strrchr (text, ')')[2];
      g_usleep (1000);
    }
  tti_program_free (program);
}

static void
test_failure (void)
{
  g_autoptr (GError) error = NULL;
  const char *argv[] = { "/nonexistent/python3", NULL };

  const TtiProgramOptions options = { .argv = argv, .seconds = PATIENCE, .limit = LIMIT };

  g_assert_null (tti_program_start (&options, &error));
  g_assert_cmpint (errno, ==, ENOENT);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
}

static void
test_free_running (void)
{
  TtiProgram *program = start_shell ("sleep 1000", PATIENCE, LIMIT);

  g_assert_false (tti_program_wait (program, 0));
  tti_program_free (program);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  tti_program_free (NULL);
}

/* A process that ignores SIGCHLD has its children reaped by the kernel. */
static void
test_ignored_sigchld (void)
{
  struct sigaction before, ignore = { .sa_handler = SIG_IGN };

  sigaction (SIGCHLD, &ignore, &before);
  TtiProgram *program = start_shell ("echo out", PATIENCE, LIMIT);

  assert_ends (program, TTI_PROGRAM_UNKNOWN);
  assert_text (program->output, "out\n");
  tti_program_free (program);
  sigaction (SIGCHLD, &before, NULL);
}

/* In a folder of its own, with files for all that it reads and writes, and another environment. */
static void
test_files (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("tutti-program-XXXXXX", &error), *text = NULL;
  g_autofree char *in_name = g_build_filename (folder, "in", NULL), *out_name = g_build_filename (folder, "out", NULL);
  const char *argv[] = { "/bin/sh", "-c", "read x; echo $x $WORD; echo late >&2; ls", NULL }, *envp[] = { "WORD=word", NULL };

  g_assert_no_error (error);
  g_assert_true (g_file_set_contents (in_name, "line\n", -1, NULL));
  tti_autofd int at = open (folder, O_DIRECTORY | O_CLOEXEC), in = open (in_name, O_RDONLY | O_CLOEXEC);
  tti_autofd int out = open (out_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const TtiProgramOptions options = { .argv = argv, .envp = envp, .folder = &at, .input = &in, .output = &out, .seconds = INFINITY,
                                      .limit = LIMIT };
  TtiProgram *program = tti_program_start (&options, &error);

  g_assert_no_error (error);
  assert_ends (program, TTI_PROGRAM_EXITED);
  g_assert_cmpuint (program->output->len, ==, 0);
  assert_text (program->errors, "late\n");
  tti_program_free (program);
  g_assert_true (g_file_get_contents (out_name, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "line word\nin\nout\n");
  g_assert_cmpint (g_unlink (in_name) + g_unlink (out_name) + g_rmdir (folder), ==, 0);
}

/* A file that it writes to grows no more than about what it may. */
static void
test_file_flood (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  tti_autofd int out = g_file_open_tmp ("tutti-program-XXXXXX", &name, &error);
  const char *argv[] = { "/bin/sh", "-c", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaa; done", NULL };
  const TtiProgramOptions options = { .argv = argv, .output = &out, .errors = &out, .seconds = PATIENCE, .limit = 1000 };
  TtiProgram *program = tti_program_start (&options, &error);

  g_assert_no_error (error);
  while (!tti_program_wait (program, G_TIME_SPAN_MILLISECOND))
    ;
  g_assert_cmpint (program->end, ==, TTI_PROGRAM_FLOODED);
  tti_program_free (program);
  g_unlink (name);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/program/exit", test_exit);
  g_test_add_func ("/program/signal", test_signal);
  g_test_add_func ("/program/late", test_late);
  g_test_add_data_func ("/program/flood/output", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaa; done", test_flood);
  g_test_add_data_func ("/program/flood/errors", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaa >&2; done", test_flood);
  g_test_add_func ("/program/files", test_files);
  g_test_add_func ("/program/flood/file", test_file_flood);
  g_test_add_func ("/program/background", test_background);
  g_test_add_func ("/program/failure", test_failure);
  g_test_add_func ("/program/free-running", test_free_running);
  g_test_add_func ("/program/ignored-sigchld", test_ignored_sigchld);
  return g_test_run ();
}
