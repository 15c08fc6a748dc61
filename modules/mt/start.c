/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Where the robust regression starts, so that also more bad than good data do not mislead it: least squares over the third of the
 * windows whose residuals are least (least trimmed squares, Rousseeuw 1984, J. Am. Stat. Assoc. 79, 871-880). It is found from some
 * first windows by repeating: fit, and keep the third that fits best (Rousseeuw & Van Driessen 2006, Data Min. Knowl. Disc. 12,
 * 29-45). Noise comes and goes with time, so whole windows are kept or not. */
#include "mt/regression.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STARTS 16
#define STEPS 6

typedef struct
{
  const Problem *problem;
  double complex *equations; /* of each group */
  double *squares, *sorted;  /* by group */
  unsigned char *keep;
  size_t kept; /* how many groups */
} Search;

static size_t
at_least (size_t a, size_t b)
{
  return a > b ? a : b;
}

static void
swap (double *a, double *b)
{
  double kept = *a;

  *a = *b;
  *b = kept;
}

/* The K-th smallest, counted from 0 (Hoare's selection). */
static double
select_kth (double *numbers, size_t n, size_t k)
{
  size_t low = 0, high = n - 1;

  while (low < high)
    {
      double pivot = numbers[low + (high - low) / 2];
      size_t i = low, j = high;

      for (;;)
        {
          while (numbers[i] < pivot)
            i++;
          while (numbers[j] > pivot)
            j--;
          if (i >= j)
            break;
          swap (&numbers[i++], &numbers[j--]);
        }
      /* Below I none exceeds the pivot, above J none is less. */
      if (i == j && numbers[i] <= pivot)
        i++;
      if (k < i)
        high = i - 1;
      else
        low = i;
    }
  return numbers[k];
}

double
third (double *numbers, size_t n)
{
  return select_kth (numbers, n, n / 3);
}

/* Keeps the groups with the least squares for Z; the sum over them. */
static double
keep_best (Search *search, const double complex *z)
{
  const Problem *problem = search->problem;
  size_t n = problem->n_groups, left = search->kept;
  double sum = 0;

  for (size_t g = 0; g < n; g++)
    search->squares[g] = group_square (problem, search->equations + g * group_size (problem), z);
  memcpy (search->sorted, search->squares, n * sizeof *search->sorted);
  double limit = select_kth (search->sorted, n, search->kept - 1);
  /* What is below the limit first: of those that are at it only as many as are needed. */
  for (size_t g = 0; g < n; g++)
    {
      search->keep[g] = search->squares[g] < limit;
      left -= search->keep[g];
    }
  for (size_t g = 0; g < n && left > 0; g++)
    if (search->squares[g] == limit)
      {
        search->keep[g] = 1;
        left--;
      }
  for (size_t g = 0; g < n; g++)
    sum += search->keep[g] ? search->squares[g] : 0;
  return sum;
}

static int
descend (Search *search, double complex *z, double *sum)
{
  *sum = INFINITY;
  for (int step = 0; step < STEPS; step++)
    {
      if (!solve_groups (search->problem, search->equations, search->keep, z))
        return 0;
      double before = *sum;
      *sum = keep_best (search, z);
      if (*sum >= before)
        break;
    }
  return 1;
}

static int
search_starts (Search *search, double complex *z)
{
  const Problem *problem = search->problem;
  size_t n = problem->n_groups;
  size_t first = at_least (1, (4 * problem->columns + problem->group - 1) / problem->group); /* enough to solve for Z */
  size_t starts = n < STARTS ? n : STARTS;
  double best = INFINITY;

  for (size_t start = 0; start < starts; start++)
    {
      double complex candidate[MAX_COLUMNS];
      double sum;

      for (size_t g = 0; g < n; g++)
        search->keep[g] = g >= start * n / starts && g < start * n / starts + first;
      if (descend (search, candidate, &sum) && sum < best)
        {
          best = sum;
          memcpy (z, candidate, problem->columns * sizeof *z);
        }
    }
  return best < INFINITY;
}

int
best_third (const Problem *problem, double complex *z)
{
  size_t n = problem->n_groups;
  size_t kept = at_least (n / 3, (4 * problem->columns + problem->group - 1) / problem->group);
  Search search = { .problem = problem, .kept = kept < n ? kept : n };
  int found = 0;

  search.equations = malloc (n * group_size (problem) * sizeof *search.equations);
  search.squares = malloc (2 * n * sizeof *search.squares);
  search.keep = malloc (n);
  if (search.equations != NULL && search.squares != NULL && search.keep != NULL)
    {
      search.sorted = search.squares + n;
      group_equations (problem, search.equations);
      found = search_starts (&search, z);
    }
  free (search.equations);
  free (search.squares);
  free (search.keep);
  return found;
}
