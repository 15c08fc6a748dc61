/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Look at a program from outside: nothing that it says of itself is taken for its figure.
 *
 *   speed-watch start NAME N PROGRAM ARG…    seconds from its start to the line on which it names N different processes
 *   speed-watch memory NAME PROGRAM ARG…     the most memory that it and all below it had at one time (sum of PSS), in bytes */
#include "platform/error.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "speed-timing.h"
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  pid_t pid;
  FILE *output; /* NULL: it has ours */
} Program;

static void
program_start (Program *program, char **command, gboolean piped)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_find_program_in_path (command[0]);
  g_auto (GStrv) environment = g_get_environ ();
  int ends[2] = { -1, -1 };

  timing_check (path != NULL, "there is no such program");
  timing_check (!piped || pipe (ends) == 0, "there is no pipe");
  int fds[] = { -1, piped ? ends[1] : STDERR_FILENO, STDERR_FILENO };
  TuttiSpawn spawn = { .path = path, .argv = (const char *const *) command, .envp = (const char *const *) environment,
                       .fds = fds, .n_fds = 3 };

  program->pid = tutti_spawn (&spawn, &error);
  if (program->pid < 0)
    timing_fail (error->message);
  program->output = NULL;
  if (piped)
    {
      close (ends[1]);
      program->output = fdopen (ends[0], "r");
    }
}

static void
check_status (int status)
{
  timing_check (WIFEXITED (status) && WEXITSTATUS (status) == 0, "the program has failed");
}

/* The number of different words in LINE. */
static guint
count_words (const char *line)
{
  g_auto (GStrv) words = g_strsplit_set (line, " ()\n", -1);
  g_autoptr (GHashTable) set = g_hash_table_new (g_str_hash, g_str_equal);

  for (char **word = words; *word != NULL; word++)
    if (**word != '\0')
      g_hash_table_add (set, *word);
  return g_hash_table_size (set);
}

static void
watch_start (const char *name, guint n, char **command)
{
  static char line[4096];
  Program program;
  int status;
  double start = timing_now ();

  program_start (&program, command, TRUE);
  timing_check (fgets (line, sizeof line, program.output) != NULL, "the program says nothing");
  double seconds = timing_now () - start;

  timing_check (count_words (line) == n, "not all workers have answered");
  waitpid (program.pid, &status, 0);
  check_status (status);
  timing_print (name, seconds);
}

/* What PID has, with its part of what it shares; 0 if it is gone. */
static double
proportional_size (pid_t pid)
{
  g_autofree char *file = g_strdup_printf ("/proc/%d/smaps_rollup", (int) pid);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (file, &text, NULL, NULL))
    return 0;
  const char *entry = strstr (text, "\nPss:");

  return entry != NULL ? 1024 * g_ascii_strtod (entry + 5, NULL) : 0;
}

static double
size_of_tree (pid_t pid)
{
  g_autoptr (GArray) scan = tutti_process_scan ();
  g_autoptr (GArray) below = tutti_process_below (scan, pid);
  double sum = proportional_size (pid);

  for (guint i = 0; i < below->len; i++)
    sum += proportional_size (g_array_index (below, pid_t, i));
  return sum;
}

static void
watch_memory (const char *name, char **command)
{
  Program program;
  double most = 0;
  int status;

  program_start (&program, command, FALSE);
  while (waitpid (program.pid, &status, WNOHANG) == 0)
    {
      most = MAX (most, size_of_tree (program.pid));
      g_usleep (5000);
    }
  check_status (status);
  timing_print (name, most);
}

int
main (int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "";

  if (strcmp (what, "start") == 0 && argc > 4)
    watch_start (argv[2], (guint) atoi (argv[3]), argv + 4);
  else if (strcmp (what, "memory") == 0 && argc > 3)
    watch_memory (argv[2], argv + 3);
  else
    timing_fail ("usage: speed-watch start NAME N PROGRAM ARG... | speed-watch memory NAME PROGRAM ARG...");
  return EXIT_SUCCESS;
}
