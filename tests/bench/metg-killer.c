/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* metg-killer PERIOD: end workers by SIGKILL, from outside. For a line with the number of a process it begins to kill the oldest worker
 * below that process every PERIOD milliseconds; for the next line it stops, and answers how many it has killed. */
#include "speed-timing.h"
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum { MOST_WORKERS = 4096 };

typedef struct
{
  int pids[MOST_WORKERS];
  int n;
} Workers;

/* The name that workers give themselves; templates and helpers have others. */
static int
is_worker (int pid)
{
  char path[64], name[32] = "";

  snprintf (path, sizeof path, "/proc/%d/comm", pid);
  FILE *file = fopen (path, "r");
  if (file == NULL)
    return 0;
  char *line = fgets (name, sizeof name, file);
  fclose (file);
  return line != NULL && strncmp (name, "tutti-w:", 8) == 0;
}

static void find_workers (int pid, Workers *workers);

/* The same below the children of one thread of PID. */
static void
find_workers_of_thread (int pid, const char *thread, Workers *workers)
{
  char path[64];
  int child;

  snprintf (path, sizeof path, "/proc/%d/task/%.20s/children", pid, thread);
  FILE *file = fopen (path, "r");
  if (file == NULL)
    return;
  while (fscanf (file, "%d", &child) == 1)
    find_workers (child, workers);
  fclose (file);
}

/* Append PID, if it is a worker, and all workers below it. */
static void
find_workers (int pid, Workers *workers)
{
  char path[64];

  if (is_worker (pid) && workers->n < MOST_WORKERS)
    workers->pids[workers->n++] = pid;
  snprintf (path, sizeof path, "/proc/%d/task", pid);
  DIR *threads = opendir (path);
  if (threads == NULL)
    return;
  for (struct dirent *entry; (entry = readdir (threads)) != NULL;)
    if (entry->d_name[0] != '.')
      find_workers_of_thread (pid, entry->d_name, workers);
  closedir (threads);
}

/* The first one found is the oldest. */
static int
kill_oldest (int root)
{
  static Workers workers;

  workers.n = 0;
  find_workers (root, &workers);
  return workers.n > 0 && kill (workers.pids[0], SIGKILL) == 0;
}

static int
line_comes (int timeout_ms)
{
  struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

  return poll (&input, 1, timeout_ms) != 0;
}

static int
read_line (char *line, size_t size)
{
  ssize_t n = read (STDIN_FILENO, line, size - 1);

  if (n <= 0)
    return 0;
  line[n] = '\0';
  return 1;
}

int
main (int argc, char **argv)
{
  char line[64];

  timing_check (argc == 2, "usage: metg-killer PERIOD");
  double period = 1e-3 * atof (argv[1]);
  while (read_line (line, sizeof line))
    {
      int root = atoi (line), n = 0;

      timing_check (root > 1, "metg-killer: expected the number of a process");
      for (double next = timing_now () + period;; next += period)
        {
          double left = next - timing_now ();

          if (line_comes (left > 0 ? (int) (1e3 * left + 0.5) : 0))
            break;
          n += kill_oldest (root);
        }
      if (!read_line (line, sizeof line))
        return EXIT_SUCCESS;
      printf ("%d\n", n);
      fflush (stdout);
    }
  return EXIT_SUCCESS;
}
