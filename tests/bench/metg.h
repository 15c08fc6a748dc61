/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The task graphs of metg.scm, the same for all sides: STEPS timesteps of WIDTH points, a power of two. A point needs the values of
 * some of the points of the timestep before, works for a while, and has a value of its own, by which those who get it see that it is
 * the right one. */
#pragma once
#include <stdint.h>

enum { METG_TRIVIAL, METG_CHAIN, METG_STENCIL, METG_FFT, METG_TREE, METG_NEAREST, METG_RANDOM, METG_N_PATTERNS };
enum { METG_MOST_PREDECESSORS = 5, METG_MOST_PERIOD = 16, METG_MOST_WIDTH = 1024 };

/* The work: N multiplications and additions, each of which needs the result of the one before. It reads no clock, so that a processor
 * that is taken away meanwhile is not counted as used. */
__attribute__ ((noinline)) static uint64_t
metg_spin (uint64_t n, uint64_t x)
{
  for (uint64_t i = 0; i < n; i++)
    x = x * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
  return x;
}

/* After so many timesteps the pattern is the same again. */
static inline int
metg_period (int pattern, int width)
{
  return pattern == METG_FFT && width > 1 ? __builtin_ctz ((unsigned) width) : pattern == METG_RANDOM ? METG_MOST_PERIOD : 1;
}

/* Two columns other than COLUMNS[0], and than each other if there are so many. */
static inline int
metg_draw (int width, int t, int i, int *columns)
{
  int n = 1;

  for (uint64_t k = 1; n < 3 && n < width; k++)
    {
      uint64_t seed = (uint64_t) (t % METG_MOST_PERIOD * METG_MOST_WIDTH + i);
      int column = (int) ((metg_spin (3, 20200614 + (seed << 8) + k) >> 40) % (uint64_t) width);

      if (column != columns[0] && (n == 1 || column != columns[1]))
        columns[n++] = column;
    }
  return n;
}

/* The columns of the points of the timestep before T that the point of T in column I needs, and how many. */
static inline int
metg_predecessors (int pattern, int width, int t, int i, int *columns)
{
  int radius = pattern == METG_NEAREST ? 2 : pattern == METG_STENCIL ? 1 : 0, n = 0;

  if (t == 0 || pattern == METG_TRIVIAL)
    return 0;
  if (pattern == METG_TREE)
    {
      columns[0] = i / 2;
      return 1;
    }
  if (radius == 0)
    columns[n++] = i;
  if (pattern == METG_FFT && width > 1)
    columns[n++] = i ^ 1 << (t - 1) % metg_period (pattern, width);
  if (pattern == METG_RANDOM)
    n = metg_draw (width, t, i, columns);
  if (radius > 0)
    for (int column = i - radius; column <= i + radius; column++)
      if (column >= 0 && column < width)
        columns[n++] = column;
  return n;
}

/* The value of the point with INDEX, T * WIDTH + I, which works for ITERATIONS and got the N VALUES; 0: one of them is wrong. */
static inline int64_t
metg_point (int pattern, int width, int64_t index, uint64_t iterations, const int64_t *values, int n)
{
  int columns[METG_MOST_PREDECESSORS], t = (int) (index / width);
  int64_t before = (t - 1) * (int64_t) width;

  if (metg_predecessors (pattern, width, t, (int) (index % width), columns) != n)
    return 0;
  for (int k = 0; k < n; k++)
    if (values[k] != before + columns[k] + 1)
      return 0;
  return index + 1 + (metg_spin (iterations, (uint64_t) index) == 0);
}
