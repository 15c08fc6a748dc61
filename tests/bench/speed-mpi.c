/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* speed-mpi CASE, started by mpirun: what somebody who writes MPI in C gets.
 *
 *   ping-pong   eight bytes there and back, 2 ranks: the median
 *   ring        100 000 empty tasks, each handed to the rank that has answered; rank 0 has none: how many a second */
#include "speed-timing.h"
#include <mpi.h>

enum { N_ROUND_TRIPS = 20000, N_WARM = 1000, N_TASKS = 100000, TAG_TASK = 1, TAG_END };

static void
ping_pong (int rank)
{
  static double times[N_ROUND_TRIPS];

  for (int i = -N_WARM; i < N_ROUND_TRIPS; i++)
    {
      double number = i, start = timing_now ();

      if (rank == 0)
        {
          MPI_Send (&number, 1, MPI_DOUBLE, 1, TAG_TASK, MPI_COMM_WORLD);
          MPI_Recv (&number, 1, MPI_DOUBLE, 1, TAG_TASK, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
          timing_check (number == i, "a wrong number came back");
        }
      else
        {
          MPI_Recv (&number, 1, MPI_DOUBLE, 0, TAG_TASK, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
          MPI_Send (&number, 1, MPI_DOUBLE, 0, TAG_TASK, MPI_COMM_WORLD);
        }
      if (i >= 0)
        times[i] = timing_now () - start;
    }
  if (rank == 0)
    timing_print ("mpi-ping-pong", timing_median (times, N_ROUND_TRIPS));
}

static void
ring_master (int n_ranks)
{
  double start = timing_now ();
  int next = 0, running = 0;
  long sum = 0;

  for (int rank = 1; rank < n_ranks; rank++, next++, running++)
    MPI_Send (&next, 1, MPI_INT, rank, TAG_TASK, MPI_COMM_WORLD);
  while (running > 0)
    {
      MPI_Status status;
      int answer;

      MPI_Recv (&answer, 1, MPI_INT, MPI_ANY_SOURCE, TAG_TASK, MPI_COMM_WORLD, &status);
      sum += answer;
      if (next < N_TASKS)
        {
          MPI_Send (&next, 1, MPI_INT, status.MPI_SOURCE, TAG_TASK, MPI_COMM_WORLD);
          next++;
        }
      else
        {
          MPI_Send (&next, 1, MPI_INT, status.MPI_SOURCE, TAG_END, MPI_COMM_WORLD);
          running--;
        }
    }
  double seconds = timing_now () - start;

  timing_check (sum == (long) N_TASKS * (N_TASKS - 1) / 2, "a task is missing");
  timing_print ("mpi-ring", N_TASKS / seconds);
}

static void
ring_worker (void)
{
  for (;;)
    {
      MPI_Status status;
      int task;

      MPI_Recv (&task, 1, MPI_INT, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
      if (status.MPI_TAG == TAG_END)
        return;
      MPI_Send (&task, 1, MPI_INT, 0, TAG_TASK, MPI_COMM_WORLD);
    }
}

int
main (int argc, char **argv)
{
  int rank, n_ranks;

  MPI_Init (&argc, &argv);
  MPI_Comm_rank (MPI_COMM_WORLD, &rank);
  MPI_Comm_size (MPI_COMM_WORLD, &n_ranks);
  const char *name = argc > 1 ? argv[1] : "";

  if (strcmp (name, "ping-pong") == 0 && n_ranks == 2)
    ping_pong (rank);
  else if (strcmp (name, "ring") == 0 && n_ranks > 1)
    {
      if (rank == 0)
        ring_master (n_ranks);
      else
        ring_worker ();
    }
  else
    timing_fail ("usage: mpirun -n 2 speed-mpi ping-pong | mpirun -n 3 speed-mpi ring");
  MPI_Finalize ();
  return EXIT_SUCCESS;
}
