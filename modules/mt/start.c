/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The start of the robust regression, chosen so that it is not misled even by more bad data than good: least squares over the third of
 * the windows with the smallest residuals (least trimmed squares, Rousseeuw 1984, J. Am. Stat. Assoc. 79, 871-880). It is found from some
 * first windows by repeating: fit, and keep the third that fits best (Rousseeuw & Van Driessen 2006, Data Min. Knowl. Disc. 12,
 * 29-45). Noise comes and goes with time, so whole windows are kept or not. */
#include "mt/regression.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STARTS 16
#define FIRST_STEPS 2  /* of each start, among SOME windows */
#define SOME 256
#define LAST_STEPS 8   /* of the best start, with all windows */

/* Every STRIDE-th group of the problem: N of them. */
typedef struct
{
  const Problem *problem;
  const double complex *equations; /* of each group of the problem */
  size_t stride, n;
  size_t kept;               /* how many of them are kept */
  double *squares, *sorted;  /* by group */
  unsigned char *keep;
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

static const double complex *
equations_of (const Search *search, size_t g)
{
  return search->equations + g * search->stride * group_size (search->problem);
}

static int
solve_kept (const Search *search, double complex *z)
{
  size_t p = search->problem->columns;
  double complex sum[MAX_COLUMNS * (MAX_COLUMNS + 1)] = { 0 };

  for (size_t g = 0; g < search->n; g++)
    if (search->keep[g])
      {
        const double complex *equations = equations_of (search, g);

        for (size_t i = 0; i < p * (p + 1); i++)
          sum[i] += equations[i];
      }
  return solve_equations (p, sum, sum + p * p, z, NULL);
}

/* The real part of conj(A) B. */
static double
dot (double complex a, double complex b)
{
  return creal (a) * creal (b) + cimag (a) * cimag (b);
}

/* The sum of the squared residuals of a group: |y|^2 - 2 Re z^H b + z^H A z, whose matrix A is Hermitian. */
static double
group_square (size_t p, const double complex *equations, const double complex *z)
{
  double sum = creal (equations[p * p + p]);

  for (size_t i = 0; i < p; i++)
    {
      sum += dot (z[i], z[i]) * creal (equations[i * p + i]) - 2 * dot (z[i], equations[p * p + i]);
      for (size_t j = i + 1; j < p; j++)
        {
          double re = creal (z[i]) * creal (z[j]) + cimag (z[i]) * cimag (z[j]);
          double im = creal (z[i]) * cimag (z[j]) - cimag (z[i]) * creal (z[j]);

          sum += 2 * (re * creal (equations[i * p + j]) - im * cimag (equations[i * p + j]));
        }
    }
  return fmax (sum, 0);
}

/* Keeps the groups with the smallest squares for Z; returns the sum over them. */
static double
keep_best (Search *search, const double complex *z)
{
  size_t n = search->n, left = search->kept;
  double sum = 0;

  for (size_t g = 0; g < n; g++)
    search->squares[g] = group_square (search->problem->columns, equations_of (search, g), z);
  memcpy (search->sorted, search->squares, n * sizeof *search->sorted);
  double limit = select_kth (search->sorted, n, search->kept - 1);
  /* First those below the limit; of those that are equal to it only as many as are needed. */
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

/* From the groups that are kept. SUM becomes that over the groups that fit Z best. */
static int
descend (Search *search, int steps, double complex *z, double *sum)
{
  *sum = INFINITY;
  for (int step = 0; step < steps; step++)
    {
      double before = *sum;

      if (!solve_kept (search, z))
        return 0;
      *sum = keep_best (search, z);
      if (*sum >= before)
        break;
    }
  return 1;
}

/* How many groups determine Z. */
static size_t
enough (const Problem *problem)
{
  return at_least (1, (4 * problem->columns + problem->group - 1) / problem->group);
}

static void
search_among (Search *search, size_t stride)
{
  size_t least = enough (search->problem);

  search->stride = stride;
  search->n = search->problem->n_groups / stride;
  search->kept = at_least (search->n / 3, least) < search->n ? at_least (search->n / 3, least) : search->n;
}

static int
try_starts (Search *search, double complex *z)
{
  size_t n = search->n, starts = n < STARTS ? n : STARTS;
  double best = INFINITY;

  for (size_t start = 0; start < starts; start++)
    {
      double complex candidate[MAX_COLUMNS];
      double sum;
      size_t first = start * n / starts;

      for (size_t g = 0; g < n; g++)
        search->keep[g] = g >= first && g < first + enough (search->problem);
      if (descend (search, FIRST_STEPS, candidate, &sum) && sum < best)
        {
          best = sum;
          memcpy (z, candidate, search->problem->columns * sizeof *z);
        }
    }
  return best < INFINITY;
}

int
best_third (const Problem *problem, const double complex *equations, double complex *z)
{
  size_t n = problem->n_groups;
  Search search = { .problem = problem, .equations = equations };
  double sum;
  int found = 0;

  search.squares = malloc (2 * n * sizeof *search.squares);
  search.keep = malloc (n);
  if (search.squares != NULL && search.keep != NULL)
    {
      search.sorted = search.squares + n;
      search_among (&search, at_least (1, n / SOME));
      if (try_starts (&search, z))
        {
          search_among (&search, 1);
          keep_best (&search, z);
          found = descend (&search, LAST_STEPS, z, &sum);
        }
    }
  free (search.squares);
  free (search.keep);
  return found;
}
