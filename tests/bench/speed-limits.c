/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* speed-limits CASE: what this machine can do at best, with nothing in between.
 *
 *   notify    8 processes are told that a vector of 80 MB, which they have mapped, has changed, and answer with one number of it
 *   pass      one thread adds 8 vectors of 80 MB in one pass
 *   copy      80 MB from one warm place to another */
#include "speed-timing.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

enum { N_WORKERS = 8, N_ROUNDS = 200, N_PASSES = 7, N_NUMBERS = 10000000, N_BYTES = 8 * N_NUMBERS };

static double *
map_numbers (int flags, int fd)
{
  void *place = mmap (NULL, N_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);

  timing_check (place != MAP_FAILED, "there is no memory for 80 MB");
  return place;
}

static double *
new_numbers (double first)
{
  double *numbers = map_numbers (MAP_PRIVATE | MAP_ANONYMOUS, -1);

  for (int i = 0; i < N_NUMBERS; i++)
    numbers[i] = first + i;
  return numbers;
}

static double *
new_shared_numbers (void)
{
  int fd = memfd_create ("speed-limits", MFD_CLOEXEC);

  timing_check (fd >= 0 && ftruncate (fd, N_BYTES) == 0, "there is no shared memory");
  double *numbers = map_numbers (MAP_SHARED, fd);

  close (fd);
  memset (numbers, 0, N_BYTES);
  return numbers;
}

/* In a worker: whoever asks for number I is told it, until nobody is left to ask. */
static void
answer_all (int socket, const double *numbers)
{
  int index;

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  while (read (socket, &index, sizeof index) == sizeof index)
    if (write (socket, &numbers[index], sizeof (double)) != sizeof (double))
      break;
  _exit (EXIT_SUCCESS);
}

static double
time_notify (const int *sockets, double *numbers, int round)
{
  int index = round * 40000;
  double answers[N_WORKERS];

  numbers[index] = round + 0.5;
  double start = timing_now ();

  for (int i = 0; i < N_WORKERS; i++)
    timing_check (write (sockets[i], &index, sizeof index) == sizeof index, "a worker cannot be told");
  for (int i = 0; i < N_WORKERS; i++)
    timing_check (read (sockets[i], &answers[i], sizeof (double)) == sizeof (double), "a worker does not answer");
  double seconds = timing_now () - start;

  for (int i = 0; i < N_WORKERS; i++)
    timing_check (answers[i] == round + 0.5, "a worker sees something else");
  return seconds;
}

static void
measure_notify (void)
{
  double *numbers = new_shared_numbers ();
  double times[N_ROUNDS];
  int sockets[N_WORKERS];

  for (int i = 0; i < N_WORKERS; i++)
    {
      int pair[2];

      timing_check (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "there is no socket");
      pid_t pid = fork ();

      timing_check (pid >= 0, "there is no process");
      if (pid == 0)
        {
          close (pair[0]);
          answer_all (pair[1], numbers);
        }
      close (pair[1]);
      sockets[i] = pair[0];
    }
  time_notify (sockets, numbers, 0);
  for (int i = 0; i < N_ROUNDS; i++)
    times[i] = time_notify (sockets, numbers, i);
  timing_print ("notify", timing_median (times, N_ROUNDS));
  /* A worker has inherited our ends to those before it, so only the last one's closes for good: backwards. */
  for (int i = N_WORKERS - 1; i >= 0; i--)
    {
      close (sockets[i]);
      wait (NULL);
    }
}

static void
add_all (double *restrict sum, double *const *parts)
{
  for (int i = 0; i < N_NUMBERS; i++)
    sum[i] = ((parts[0][i] + parts[1][i]) + (parts[2][i] + parts[3][i])) + ((parts[4][i] + parts[5][i]) + (parts[6][i] + parts[7][i]));
}

static void
measure_pass (void)
{
  double *parts[8], *sum = new_numbers (0);
  double times[N_PASSES];

  for (int i = 0; i < 8; i++)
    parts[i] = new_numbers (i);
  for (int round = -1; round < N_PASSES; round++)
    {
      double start = timing_now ();

      add_all (sum, parts);
      if (round >= 0)
        times[round] = timing_now () - start;
    }
  for (int i = 0; i < N_NUMBERS; i++)
    timing_check (sum[i] == 28 + 8.0 * i, "the sum is wrong");
  timing_print ("pass", timing_median (times, N_PASSES));
}

static void
measure_copy (void)
{
  double *from = new_numbers (1), *to = new_numbers (0);
  double times[N_PASSES];

  for (int round = 0; round < N_PASSES; round++)
    {
      from[round] = -round;
      double start = timing_now ();

      memcpy (to, from, N_BYTES);
      times[round] = timing_now () - start;
      timing_check (to[round] == -round && to[N_NUMBERS - 1] == N_NUMBERS, "the copy is wrong");
    }
  timing_print ("copy", timing_median (times, N_PASSES));
}

int
main (int argc, char **argv)
{
  const char *name = argc > 1 ? argv[1] : "";

  if (strcmp (name, "notify") == 0)
    measure_notify ();
  else if (strcmp (name, "pass") == 0)
    measure_pass ();
  else if (strcmp (name, "copy") == 0)
    measure_copy ();
  else
    timing_fail ("usage: speed-limits notify | pass | copy");
  return EXIT_SUCCESS;
}
