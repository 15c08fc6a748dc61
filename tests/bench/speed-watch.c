/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Look at a program from outside: nothing that it says of itself is taken for its figure.
 *
 *   speed-watch start NAME N PROGRAM ARG…    seconds from its start to the line on which it names N different processes
 *   speed-watch memory NAME PROGRAM ARG…     the most memory that it and all below it had at one time (sum of PSS), in bytes. Where it
 *                                            should be looked at in any case it writes a line, and waits for one. */
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "speed-timing.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_EVERY (5 * G_TIME_SPAN_MILLISECOND)

typedef struct
{
  pid_t pid;
  int input, output; /* our ends */
} Program;

static Program
program_start (char **command)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_find_program_in_path (command[0]);
  g_auto (GStrv) environment = g_get_environ ();
  int input[2], output[2];

  timing_check (path != NULL, "there is no such program");
  timing_check (pipe2 (input, O_CLOEXEC) == 0 && pipe2 (output, O_CLOEXEC) == 0, "there is no pipe");
  int fds[] = { input[0], output[1], STDERR_FILENO };
  TtiSpawn spawn = { .path = path, .argv = (const char *const *) command, .envp = (const char *const *) environment,
                       .fds = fds, .n_fds = 3 };
  Program program = { .pid = tti_spawn (&spawn, &error), .input = input[1], .output = output[0] };

  if (program.pid < 0)
    timing_fail (error->message);
  close (input[0]);
  close (output[1]);
  return program;
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
  int status;
  double start = timing_now ();
  Program program = program_start (command);

  timing_check (fgets (line, sizeof line, fdopen (program.output, "r")) != NULL, "the program says nothing");
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
  g_autoptr (GArray) scan = tti_process_scan ();
  g_autoptr (GArray) below = tti_process_below (scan, pid);
  double sum = proportional_size (pid);

  for (guint i = 0; i < below->len; i++)
    sum += proportional_size (g_array_index (below, pid_t, i));
  return sum;
}

static void
watch_memory (const char *name, char **command)
{
  Program program = program_start (command);
  double most = 0;
  int status, n_asked = 0;

  while (waitpid (program.pid, &status, WNOHANG) == 0)
    {
      gboolean asked = tti_fd_wait (program.output, POLLIN, g_get_monotonic_time () + LOOK_EVERY);
      char line[80];

      most = MAX (most, size_of_tree (program.pid));
      if (asked && read (program.output, line, sizeof line) > 0)
        {
          timing_check (write (program.input, "\n", 1) == 1, "the program does not listen");
          n_asked++;
        }
    }
  check_status (status);
  timing_check (n_asked > 0, "the program has not asked to be looked at");
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
