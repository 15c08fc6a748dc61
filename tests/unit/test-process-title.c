/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The titles that ps and top show, for names of any bytes; and signals in messages. */
#include "platform/fd.h"
#include "platform/process-state.h"
#include "platform/process-title.h"
#include "platform/process-tree.h"
#include "platform/signal-name.h"
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct
{
  int argc;
  char **argv;
} started;

static void
test_text (void)
{
  static const struct { const char *text; gsize most; gboolean mark; const char *expected; } cases[] = {
    { "tiles", 10, TRUE, "tiles" },
    { "tiles", 5, TRUE, "tiles" },
    { "tiles", 4, FALSE, "tile" },
    { "tiles", 4, TRUE, "t…" },
    { "tiles", 2, TRUE, "" },
    { "tiles", 0, TRUE, "" },
    { "", 0, FALSE, "" },
    { "Größe", 4, FALSE, "Gr\xc3\xb6" },
    { "Größe", 3, FALSE, "Gr" },
    { "a\nb\x1b[1mc\x7f", 20, FALSE, "a?b?[1mc?" },
    { "a\xff\xc3", 20, FALSE, "a??" },
    { "a\xc2\x9b" "b", 20, FALSE, "a?b" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = tti_process_title_text (cases[i].text, cases[i].most, cases[i].mark);

      g_test_message ("case %u", i);
      g_assert_true (g_utf8_validate (text, -1, NULL));
      g_assert_cmpstr (text, ==, cases[i].expected);
    }
}

/* What ps shows of a process with TITLE and NAME. */
static void
show (const char *title, const char *name, char **line, gsize *length, char **comm, char **environ_before, char **environ_after)
{
  int ready[2], done[2];
  char byte;

  g_assert_true (tti_fd_pipe (ready, NULL) && tti_fd_pipe (done, NULL));
  pid_t child = fork ();

  if (child == 0)
    {
      tti_process_title_prepare (started.argc, started.argv);
      tti_process_set_title (title, name);
      (void) !write (ready[1], "", 1);
      tti_fd_wait (done[0], POLLIN, -1);
      _exit (0);
    }
  g_autofree char *line_path = g_strdup_printf ("/proc/%d/cmdline", (int) child);
  g_autofree char *comm_path = g_strdup_printf ("/proc/%d/comm", (int) child);
  g_autofree char *environ_path = g_strdup_printf ("/proc/%d/environ", (int) child);

  g_assert_true (tti_fd_wait (ready[0], POLLIN, g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND));
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  g_assert_true (g_file_get_contents (line_path, line, length, NULL));
  g_assert_true (g_file_get_contents (comm_path, comm, NULL, NULL));
  g_assert_true (g_file_get_contents ("/proc/self/environ", environ_before, NULL, NULL));
  g_assert_true (g_file_get_contents (environ_path, environ_after, NULL, NULL));
  g_assert_cmpint (write (done[1], "", 1), ==, 1);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  for (guint i = 0; i < 2; i++)
    {
      tti_fd_clear (&ready[i]);
      tti_fd_clear (&done[i]);
    }
}

static void
test_title (void)
{
  g_autofree char *long_title = g_strnfill (100000, 'x');
  const char *titles[] = { "a: of b", long_title, "" };

  for (guint i = 0; i < G_N_ELEMENTS (titles); i++)
    {
      g_autofree char *line = NULL, *comm = NULL, *before = NULL, *after = NULL;
      gsize length;

      show (titles[i], "tutti-w:longer than fifteen", &line, &length, &comm, &before, &after);
      if (titles[i] == long_title)
        g_assert_true (strlen (line) < length && g_str_has_prefix (long_title, line)); /* it ends where the arguments did */
      else
        g_assert_cmpstr (line, ==, titles[i]);
      g_assert_cmpstr (comm, ==, "tutti-w:longer \n");
      g_assert_cmpstr (after, ==, before);
    }
}

static void
test_number (void)
{
  tti_autofd int self = tti_process_open (getpid (), NULL);

  g_assert_cmpint (tti_process_get_number (self), ==, getpid ());
  g_assert_cmpint (tti_process_get_number (-1), ==, -1);
  g_assert_cmpint (tti_process_get_number (STDERR_FILENO), ==, -1);
}

static void
assert_described (int signal, const char *expected)
{
  g_autofree char *description = tti_signal_describe (signal);

  g_assert_cmpstr (description, ==, expected);
}

static void
test_signals (void)
{
  g_autofree char *real_time = g_strdup_printf ("signal %d (SIGRTMIN+3)", SIGRTMIN + 3);
  g_autofree char *first = g_strdup_printf ("signal %d (SIGRTMIN)", SIGRTMIN);

  assert_described (SIGKILL, "signal 9 (SIGKILL)");
  assert_described (SIGSEGV, "signal 11 (SIGSEGV)");
  assert_described (SIGTTIN, "signal 21 (SIGTTIN: it wanted the terminal, to read from it)");
  assert_described (SIGPIPE, "signal 13 (SIGPIPE: it wrote to a pipe or socket that nobody reads any more)");
  assert_described (SIGRTMIN + 3, real_time);
  assert_described (SIGRTMIN, first);
  assert_described (0, "signal 0");
  assert_described (-1, "signal -1");
  assert_described (1000, "signal 1000");
  for (int signal = 1; signal <= SIGRTMAX; signal++)
    {
      g_autofree char *description = tti_signal_describe (signal);

      /* The C library uses two itself. */
      g_assert_true (strstr (description, "(SIG") != NULL || (signal >= 32 && signal < SIGRTMIN));
    }
}

int
main (int argc, char **argv)
{
  started.argc = argc;
  started.argv = g_memdup2 (argv, ((gsize) argc + 1) * sizeof *argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/title/text", test_text);
  g_test_add_func ("/title/shown", test_title);
  g_test_add_func ("/title/number", test_number);
  g_test_add_func ("/signals", test_signals);
  return g_test_run ();
}
