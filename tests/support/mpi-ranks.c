/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mpi-ranks ACTION [ARGUMENT]: a program that uses MPI, as tests start it. Each rank says who it is; rank 0 computes with all of them:
 *
 *   sum FILE       read a number from FILE, and write "sum = " with the sum over ranks of number + rank to the standard output
 *   fail STATUS    rank 1 (rank 0 if it is alone) ends with STATUS before MPI_Finalize
 *   abort STATUS   it calls MPI_Abort
 *   hang           no rank ends
 *   hang-one       rank 1 does not end; the others wait for it
 *   deaf           no rank ends, nor listens to SIGTERM
 *   serve          rank 0 answers each line, a number in JSON, with the sum over ranks of number + rank */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, n_ranks;

static double
sum_over_ranks (double number)
{
  double mine, sum = 0;

  MPI_Bcast (&number, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  mine = number + rank;
  MPI_Reduce (&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
  return sum;
}

static void
sum_of_file (const char *name)
{
  double number = 0;

  if (rank == 0)
    {
      FILE *file = fopen (name, "r");

      if (file == NULL || fscanf (file, "%lf", &number) != 1)
        {
          fprintf (stderr, "no number in %s\n", name);
          MPI_Abort (MPI_COMM_WORLD, 2);
        }
      fclose (file);
    }
  double sum = sum_over_ranks (number);

  if (rank == 0)
    printf ("sum = %.17g\n", sum);
}

/* All ranks learn whether there is another line. */
static void
serve (void)
{
  for (;;)
    {
      double number = 0;
      int more = rank == 0 && scanf ("%lf", &number) == 1;

      MPI_Bcast (&more, 1, MPI_INT, 0, MPI_COMM_WORLD);
      if (!more)
        return;
      double sum = sum_over_ranks (number);

      if (rank == 0)
        {
          printf ("%.17g\n", sum);
          fflush (stdout);
        }
    }
}

static void
hang (void)
{
  for (;;)
    sleep (1000);
}

int
main (int argc, char **argv)
{
  char host[MPI_MAX_PROCESSOR_NAME];
  int length;
  const char *action = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : "3";

  MPI_Init (&argc, &argv);
  MPI_Comm_rank (MPI_COMM_WORLD, &rank);
  MPI_Comm_size (MPI_COMM_WORLD, &n_ranks);
  MPI_Get_processor_name (host, &length);
  /* In one call, so that lines of several ranks are not mixed. */
  fprintf (stderr, "rank %d of %d on %s, pid %d\n", rank, n_ranks, host, (int)getpid ());
  int chosen = rank == (n_ranks > 1);

  if (strcmp (action, "sum") == 0)
    sum_of_file (argument);
  else if (strcmp (action, "serve") == 0)
    serve ();
  else if (strcmp (action, "fail") == 0 && chosen)
    _exit (atoi (argument));
  else if (strcmp (action, "abort") == 0 && chosen)
    MPI_Abort (MPI_COMM_WORLD, atoi (argument));
  else if (strcmp (action, "deaf") == 0)
    {
      signal (SIGTERM, SIG_IGN);
      hang ();
    }
  else if (strcmp (action, "hang") == 0 || (strcmp (action, "hang-one") == 0 && chosen))
    hang ();
  MPI_Barrier (MPI_COMM_WORLD);
  MPI_Finalize ();
  return 0;
}
