/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What metg.h has, for other languages, as a shared object. */
#include "metg.h"
#include "speed-timing.h"

int metg_kernel_predecessors (int pattern, int width, int t, int i, int *columns);
uint64_t metg_kernel_spin (uint64_t n, uint64_t x);
double metg_kernel_calibrate (void);

int
metg_kernel_predecessors (int pattern, int width, int t, int i, int *columns)
{
  return metg_predecessors (pattern, width, t, i, columns);
}

uint64_t
metg_kernel_spin (uint64_t n, uint64_t x)
{
  return metg_spin (n, x);
}

/* Iterations a second, when nothing else runs: the best of many times 0.1 ms or so. */
double
metg_kernel_calibrate (void)
{
  enum { N = 100000, TRIES = 2000 };
  double best = 1e9;
  uint64_t x = 1;

  for (int i = 0; i < TRIES; i++)
    {
      double start = timing_now ();

      x = metg_spin (N, x);
      double seconds = timing_now () - start;

      if (seconds < best)
        best = seconds;
    }
  return x == 0 ? 0 : N / best;
}
