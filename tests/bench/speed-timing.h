/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the programs of the comparison have in common: a clock, a median, and the form in which they give a figure. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seconds of the monotonic clock. */
static inline double
timing_now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

static inline int
timing_compare (const void *one, const void *other)
{
  double x = *(const double *) one, y = *(const double *) other;

  return (x > y) - (x < y);
}

/* The median of the N > 0 TIMES, which are sorted. */
static inline double
timing_median (double *times, int n)
{
  qsort (times, (size_t) n, sizeof *times, timing_compare);
  return n % 2 == 1 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
}

/* Give a figure: seconds, bytes, or a number per second. */
static inline void
timing_print (const char *name, double value)
{
  printf ("%s %.9g\n", name, value);
  fflush (stdout);
}

/* Give up: a figure for something wrong is worth nothing. */
__attribute__ ((noreturn)) static inline void
timing_fail (const char *what)
{
  fprintf (stderr, "%s\n", what);
  exit (EXIT_FAILURE);
}

/* The same, unless WHAT is true. */
static inline void
timing_check (int what, const char *complaint)
{
  if (!what)
    timing_fail (complaint);
}
