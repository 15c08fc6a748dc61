/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The engine in a program that knows nothing of it but its functions: it changes nothing of the process and prints nothing, and in whatever
 * way the program ends no process stays. This program runs itself as the application, which is linked with the library. */
#include "platform/process-mark.h"
#include "pool-fixture.h"
#include "process/start-state.h"
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the application --------------------------------------------------------------------------------------------------------- */

enum { EXIT_CHANGED = 3, EXIT_DISTURBED = 4, EXIT_UNMARKED = 5, N_WORKERS = 4 };

static guint
count_marked (const char *mark)
{
  gboolean unclear;
  g_autoptr (GArray) found = tti_process_marked (mark, &unclear);

  g_assert_nonnull (found);
  return found->len + unclear;
}

/* What an application has to itself, as text. */
static char *
state_of_process (void)
{
  g_autoptr (TtiStartState) start = tti_start_state_new ();
  g_autofree char *folder = g_get_current_dir ();
  g_auto (GStrv) settings = g_get_environ ();
  g_autofree char *environment = g_strjoinv ("\n", settings);
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "%s\n%s\n%s\n%s\n", start->setting, folder, environment, setlocale (LC_ALL, NULL));
  for (int signal = 1; signal < NSIG; signal++)
    {
      struct sigaction action;

      if (sigaction (signal, NULL, &action) == 0)
        g_string_append_printf (text, "%d:%p:%x ", signal, (gpointer) action.sa_handler, (guint) action.sa_flags);
    }
  return g_string_free (text, FALSE);
}

static gpointer
exit_here (gpointer status)
{
  exit (GPOINTER_TO_INT (status));
}

/* A copy of the process ends as usual; the process goes on. */
static void
end_copy (TtiPool *pool)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    exit (0);
  if (waitpid (pid, &status, 0) != pid || status != 0)
    _exit (EXIT_DISTURBED);
  for (guint i = 0; i < 20; i++)
    assert_echo (pool, "still there");
}

/* Workers, of which two are busy, and then the END. Guard, watcher and workers have MARK. */
static int
application (const char *end, const char *mark)
{
  static char *const nothing[] = { NULL };
  gboolean ignores = strcmp (end, "no-children") == 0;

  if (ignores)
    signal (SIGCHLD, SIG_IGN);
  g_autofree char *before = state_of_process ();
  TtiEngine *engine = tti_engine_new (NULL);
  TtiPool *pool = pool_with (engine, N_WORKERS, NULL, NULL);

  assert_echo (pool, "here");
  TtiTask *running = submit (pool, task_new ("hang"));

  submit (pool, task_new ("deaf"));
  g_autofree char *during = state_of_process ();

  if (strcmp (before, during) != 0)
    return EXIT_CHANGED;
  if (count_marked (mark) < N_WORKERS + 2)
    return EXIT_UNMARKED;
  if (strcmp (end, "_exit") == 0)
    _exit (0);
  else if (strcmp (end, "exit") == 0)
    exit (0);
  else if (strcmp (end, "exit-elsewhere") == 0)
    {
      g_thread_unref (g_thread_new ("exit", exit_here, GINT_TO_POINTER (0)));
      tti_task_wait (running, -1);
    }
  else if (strcmp (end, "kill") == 0)
    raise (SIGKILL);
  else if (strcmp (end, "exec") == 0)
    execle ("/bin/cat", "cat", NULL, nothing);
  else if (strcmp (end, "copy") == 0)
    end_copy (pool);
  else if (strcmp (end, "shutdown") == 0 || ignores)
    {
      tti_engine_shutdown (engine);
      g_autofree char *after = state_of_process ();

      return strcmp (before, after) == 0 ? 0 : EXIT_CHANGED;
    }
  return 0;
}

/* --- who runs it ------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  const char *end;
  int status;        /* as of waitpid () */
  gboolean goes_on;  /* the process, as another program, when those of the engine are gone */
} Case;

static const Case cases[] = {
  { "return", 0, FALSE }, { "_exit", 0, FALSE }, { "exit", 0, FALSE }, { "exit-elsewhere", 0, FALSE }, { "kill", SIGKILL, FALSE },
  { "exec", 0, TRUE }, { "copy", 0, FALSE }, { "shutdown", 0, FALSE }, { "no-children", 0, FALSE },
};

/* The environment of the application, so that what it starts is known by MARK. */
static char **
environment_with (const char *mark)
{
  g_autofree char *setting = tti_process_mark_setting (mark);
  char **environment = g_environ_setenv (g_get_environ (), TTI_PROCESS_MARK, strchr (setting, '=') + 1, TRUE);

  /* It does not free what it has, and is asked to be silent. */
  return g_environ_setenv (environment, "ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1", TRUE);
}

/* Read FD to its end, which is that of all who have it: nothing may come. */
static void
assert_silent (int fd, gint64 limit)
{
  char text[1000];
  gssize n;

  do
    {
      g_assert_true (tti_fd_wait (fd, G_IO_IN, limit));
      n = read (fd, text, sizeof text - 1);
      text[MAX (n, 0)] = '\0';
      g_assert_cmpstr (text, ==, "");
    }
  while (n > 0);
}

static void
test_end (gconstpointer data)
{
  const Case *wanted = data;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL), *mark = tti_process_mark_new ();
  g_auto (GStrv) environment = environment_with (mark);
  char *argv[] = { self, (char *) wanted->end, mark, NULL };
  g_autoptr (GError) error = NULL;
  tti_autofd int in = -1, out = -1, err = -1;
  gint64 limit = LIMIT;
  int status;
  pid_t pid;

  g_spawn_async_with_pipes (NULL, argv, environment, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &in, &out, &err, &error);
  g_assert_no_error (error);
  if (!wanted->goes_on)
    {
      g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
      g_assert_cmpint (status, ==, wanted->status);
    }
  gint64 start = g_get_monotonic_time ();

  /* The application itself, while it has not become the other program, is one of them. */
  while (count_marked (mark) > 0)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (5000);
    }
  g_test_message ("%s: nothing was left after %d ms", wanted->end, (int) ((g_get_monotonic_time () - start) / 1000));
  if (wanted->goes_on)
    {
      g_assert_cmpint (waitpid (pid, &status, WNOHANG), ==, 0);
      tti_fd_clear (&in);
      g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
      g_assert_cmpint (status, ==, wanted->status);
    }
  assert_silent (out, limit);
  assert_silent (err, limit);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && argv[1][0] != '-')
    return application (argv[1], argv[2]);
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/application/%s", cases[i].end);

      g_test_add_data_func (path, &cases[i], test_end);
    }
  return g_test_run ();
}
