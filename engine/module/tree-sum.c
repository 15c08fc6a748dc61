/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sums by a binary tree: all arrays are read once, in blocks that stay in the first cache.
 *
 * The tree is walked as in postfix notation: behind each array stands how many additions follow, each of the two sums on top of a
 * stack. An array on the stack is where the caller has it, not a copy; only sums need memory, and the lowest is in the result. */
#include "module/tree-sum.h"
#include "platform/memory.h"
#include <string.h>

/* As many sums wait on the stack as the tree has levels. */
enum { SUM_BLOCK = 1024, MOST_DEPTH = 65 };

/* Two numbers at once: at -O2 the compiler does not vectorise the loop by itself. */
typedef double Two __attribute__ ((vector_size (16), aligned (8), may_alias));

#define TWO(x, i) (*(const Two *) ((x) + (i)))

/* Z = the sum SUM of numbers, an expression with AT (x) for that of the array X; Z may be one of them. */
#define SUM_LOOP(z, n, SUM) \
  do \
    { \
      gsize i = 0; \
      for (; i + 2 <= (n); i += 2) \
        *(Two *) ((z) + i) = SUM (TWO); \
      for (; i < (n); i++) \
        (z)[i] = SUM (ONE); \
    } \
  while (0)

#define ONE(x, i) ((x)[i])
#define SUM_OF_TWO(AT) (AT (a, i) + AT (b, i))
#define SUM_OF_FOUR(AT) ((AT (a, i) + AT (b, i)) + (AT (c, i) + AT (d, i)))
#define SUM_AND_TWO(AT) (AT (sum, i) + (AT (a, i) + AT (b, i)))
#define SUM_AND_FOUR(AT) (AT (sum, i) + ((AT (a, i) + AT (b, i)) + (AT (c, i) + AT (d, i))))

static void
add_two (double *z, const double *a, const double *b, gsize n)
{
  SUM_LOOP (z, n, SUM_OF_TWO);
}

static void
add_four (double *z, const double *a, const double *b, const double *c, const double *d, gsize n)
{
  SUM_LOOP (z, n, SUM_OF_FOUR);
}

static void
add_sum_and_two (double *z, const double *sum, const double *a, const double *b, gsize n)
{
  SUM_LOOP (z, n, SUM_AND_TWO);
}

static void
add_sum_and_four (double *z, const double *sum, const double *a, const double *b, const double *c, const double *d, gsize n)
{
  SUM_LOOP (z, n, SUM_AND_FOUR);
}

/* --- the tree ---------------------------------------------------------------------------------------------------------------- */

/* Note in ADDITIONS how many follow each array of the node from START up to END, whose first array is number I. Returns the number behind
 * its last, or 0 if the arrays do not make that node. */
static gsize
note_additions (guint8 *additions, const gsize *ends, gsize n_arrays, gsize i, gsize start, gsize end)
{
  if (i == n_arrays)
    return 0;
  if ((ends != NULL ? ends[i] : i + 1) == end)
    {
      additions[i] = 0;
      return i + 1;
    }
  if (end - start < 2)
    return 0;
  gsize middle = start + ((gsize) 1 << (g_bit_storage (end - start - 1) - 1));

  i = note_additions (additions, ends, n_arrays, i, start, middle);
  if (i > 0)
    i = note_additions (additions, ends, n_arrays, i, middle, end);
  if (i > 0)
    additions[i - 1]++;
  return i;
}

/* How many arrays or sums are on the stack at most. */
static gsize
get_depth (const guint8 *additions, gsize n_arrays)
{
  gsize depth = 0, most = 0;

  for (gsize i = 0; i < n_arrays; i++)
    {
      most = MAX (most, depth + 1);
      depth = depth + 1 - additions[i];
    }
  g_assert (depth == 1 && most <= MOST_DEPTH);
  return most;
}

/* --- a block of it ----------------------------------------------------------------------------------------------------------- */

typedef struct
{
  const double **top;   /* the first free place of the stack */
  const double **bottom;
  double *z, *memory;   /* for the sum at the bottom, and for those above it, */
  gsize stride;         /* so many numbers apart */
} Stack;

/* Where the sum in the place of PLACE goes. */
static double *
stack_memory (const Stack *stack, const double **place)
{
  return place == stack->bottom ? stack->z : stack->memory + stack->stride * (gsize) (place - stack->bottom - 1);
}

/* Put the sum of the next arrays on the stack, up to four at once, and make the additions that follow. Returns how many they are. */
static gsize
sum_next (Stack *stack, const double *const *x, const guint8 *additions, gsize n_arrays, gsize start, gsize n)
{
  gsize taken = n_arrays >= 4 && additions[0] == 0 && additions[1] == 1 && additions[2] == 0 && additions[3] >= 2 ? 4
    : n_arrays >= 2 && additions[0] == 0 && additions[1] >= 1 ? 2 : 1;
  guint left = additions[taken - 1];
  const double **place = stack->top;

  if (taken == 1)
    *place = x[0] + start;
  else
    {
      /* Added to the sum below at once, if that is what comes next. */
      left -= taken == 4 ? 2 : 1;
      const double *sum = left > 0 ? *--place : NULL;
      double *to = stack_memory (stack, place);

      if (taken == 4 && sum != NULL)
        add_sum_and_four (to, sum, x[0] + start, x[1] + start, x[2] + start, x[3] + start, n);
      else if (taken == 4)
        add_four (to, x[0] + start, x[1] + start, x[2] + start, x[3] + start, n);
      else if (sum != NULL)
        add_sum_and_two (to, sum, x[0] + start, x[1] + start, n);
      else
        add_two (to, x[0] + start, x[1] + start, n);
      *place = to;
      left -= sum != NULL ? 1 : 0;
    }
  for (; left > 0; left--, place--)
    {
      double *to = stack_memory (stack, place - 1);

      add_two (to, place[-1], place[0], n);
      place[-1] = to;
    }
  stack->top = place + 1;
  return taken;
}

static void
sum_tree (double *z, const double *const *x, const guint8 *additions, gsize n_arrays, gsize n)
{
  const double *places[MOST_DEPTH];
  gsize stride = MIN (SUM_BLOCK, n);
  g_autofree double *memory = g_new (double, stride * (get_depth (additions, n_arrays) - 1));

  for (gsize start = 0; start < n; start += SUM_BLOCK)
    {
      Stack stack = { .top = places, .bottom = places, .z = z + start, .memory = memory, .stride = stride };

      for (gsize i = 0; i < n_arrays;)
        i += sum_next (&stack, x + i, additions + i, n_arrays - i, start, MIN (SUM_BLOCK, n - start));
    }
}

gboolean
tti_math_sum_nodes (double *z, const double *const *x, const gsize *ends, gsize n_arrays, gsize n)
{
  if (n_arrays == 0)
    {
      if (n > 0)
        memset (z, 0, n * sizeof (double));
      return TRUE;
    }
  guint8 few[64];
  g_autofree guint8 *many = n_arrays > G_N_ELEMENTS (few) ? g_new (guint8, n_arrays) : NULL;
  guint8 *additions = many != NULL ? many : few;

  if (note_additions (additions, ends, n_arrays, 0, 0, ends != NULL ? ends[n_arrays - 1] : n_arrays) != n_arrays)
    return FALSE;
  if (n_arrays == 1 && n > 0)
    tti_memory_copy (z, x[0], n * sizeof (double));
  else if (n > 0)
    sum_tree (z, x, additions, n_arrays, n);
  return TRUE;
}

void
tti_math_sum (double *z, const double *const *x, gsize n_arrays, gsize n)
{
  (void) tti_math_sum_nodes (z, x, NULL, n_arrays, n);
}
