/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* metg-mpi, started by mpirun: graphs of metg.h as somebody writes them with MPI in C. Each rank has its columns, side by side; values
 * go to the ranks of other columns as messages, one for each pair of points, all of a timestep under way together. Rank 0 reads lines
 * "PATTERN WIDTH STEPS ITERATIONS" and answers how many seconds that took. */
#include "metg.h"
#include "speed-timing.h"
#include <mpi.h>
#include <unistd.h>

enum { ASK = 1, VALUES };

typedef struct
{
  int pattern, width, steps, first, end; /* columns of this rank: from FIRST to before END */
  long iterations;
  int n[METG_MOST_PERIOD][METG_MOST_WIDTH];
  int columns[METG_MOST_PERIOD][METG_MOST_WIDTH][METG_MOST_PREDECESSORS];
} Graph;

static Graph graph;
static int rank, n_ranks;

/* What the graph needs is looked up once, so that it costs nothing while it is measured. */
static void
graph_open (const long *line)
{
  graph.pattern = (int) line[0];
  graph.width = (int) line[1];
  graph.steps = (int) line[2];
  graph.iterations = line[3];
  timing_check (graph.width <= METG_MOST_WIDTH && graph.width % n_ranks == 0, "the width does not suit");
  graph.first = graph.width / n_ranks * rank;
  graph.end = graph.first + graph.width / n_ranks;
  int period = metg_period (graph.pattern, graph.width);
  for (int t = period; t < 2 * period; t++)
    for (int i = 0; i < graph.width; i++)
      graph.n[t % period][i] = metg_predecessors (graph.pattern, graph.width, t, i, graph.columns[t % period][i]);
}

static int
owner (int column)
{
  return column / (graph.width / n_ranks);
}

/* Send what points of T of this rank need elsewhere, and receive what is needed here, behind VALUES[i] of each column of this rank, in
 * the order of its predecessors. Those of this rank come from OLD. */
static void
exchange (int t, const int64_t *old, int64_t (*values)[METG_MOST_PREDECESSORS])
{
  static MPI_Request requests[2 * METG_MOST_WIDTH * METG_MOST_PREDECESSORS];
  int n = 0, phase = t % metg_period (graph.pattern, graph.width);

  for (int i = 0; i < graph.width; i++)
    for (int k = 0; k < graph.n[phase][i]; k++)
      {
        int from = graph.columns[phase][i][k], tag = VALUES + i * METG_MOST_PREDECESSORS + k;

        if (owner (i) == rank && owner (from) == rank)
          values[i][k] = old[from];
        else if (owner (i) == rank)
          MPI_Irecv (&values[i][k], 1, MPI_INT64_T, owner (from), tag, MPI_COMM_WORLD, &requests[n++]);
        else if (owner (from) == rank)
          MPI_Isend (&old[from], 1, MPI_INT64_T, owner (i), tag, MPI_COMM_WORLD, &requests[n++]);
      }
  MPI_Waitall (n, requests, MPI_STATUSES_IGNORE);
}

static double
run (void)
{
  static int64_t both[2][METG_MOST_WIDTH], values[METG_MOST_WIDTH][METG_MOST_PREDECESSORS];
  int period = metg_period (graph.pattern, graph.width);

  MPI_Barrier (MPI_COMM_WORLD);
  double start = timing_now ();

  for (int t = 0; t < graph.steps; t++)
    {
      if (t > 0)
        exchange (t, both[(t - 1) % 2], values);
      for (int i = graph.first; i < graph.end; i++)
        {
          int64_t index = (int64_t) t * graph.width + i;

          both[t % 2][i] = metg_point (graph.pattern, graph.width, index, (uint64_t) graph.iterations, values[i],
                                       t > 0 ? graph.n[t % period][i] : 0);
          timing_check (both[t % 2][i] == index + 1, "a point got a wrong value");
        }
    }
  MPI_Barrier (MPI_COMM_WORLD);
  return timing_now () - start;
}

/* The others sleep until rank 0 has something for them: ranks that wait in MPI use their processors. */
static void
receive_line (long *line)
{
  int there = 0;

  while (!there)
    {
      MPI_Iprobe (0, ASK, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
      if (!there)
        usleep (500);
    }
  MPI_Recv (line, 4, MPI_LONG, 0, ASK, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

int
main (int argc, char **argv)
{
  long line[4] = { 0 };

  MPI_Init (&argc, &argv);
  MPI_Comm_rank (MPI_COMM_WORLD, &rank);
  MPI_Comm_size (MPI_COMM_WORLD, &n_ranks);
  for (;;)
    {
      if (rank > 0)
        receive_line (line);
      else
        {
          if (scanf ("%ld %ld %ld %ld", &line[0], &line[1], &line[2], &line[3]) != 4)
            line[2] = 0; /* the end */
          for (int other = 1; other < n_ranks; other++)
            MPI_Send (line, 4, MPI_LONG, other, ASK, MPI_COMM_WORLD);
        }
      if (line[2] == 0)
        break;
      graph_open (line);
      double seconds = run ();
      if (rank == 0)
        {
          printf ("%.9g\n", seconds);
          fflush (stdout);
        }
    }
  MPI_Finalize ();
  return EXIT_SUCCESS;
}
