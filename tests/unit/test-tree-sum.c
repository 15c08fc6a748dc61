/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sums by the tree: the bits of a plain recursion, for any number of arrays, and however they are shared out. */
#include "module/tree-sum.h"
#include <math.h>
#include <string.h>

enum { MOST = 70, N = 2100 };

static double numbers[MOST][N];

static void
numbers_fill (void)
{
  static const double odd[] = { 0.0, -0.0, INFINITY, -INFINITY, 1e308, -1e308, 0x1p-1074, 1, -1 };

  for (guint k = 0; k < MOST; k++)
    for (guint i = 0; i < N; i++)
      numbers[k][i] = i % 7 == 0 ? odd[(k * 5 + i / 7) % G_N_ELEMENTS (odd)] : sin (1.7 * (k * N + i)) * pow (10, (k * 3 + i) % 17);
}

/* Number I of the node over the arrays from START up to END. */
static double
number_of_node (gsize start, gsize end, gsize i)
{
  gsize middle = 1;

  if (end - start == 1)
    return numbers[start][i];
  while (2 * middle < end - start)
    middle *= 2;
  return number_of_node (start, start + middle, i) + number_of_node (start + middle, end, i);
}

/* NaN is NaN: which one comes out where several meet is not said. */
static void
assert_node (const double *sum, gsize n_arrays, gsize n)
{
  for (gsize i = 0; i < n; i++)
    {
      double expected = number_of_node (0, n_arrays, i);

      if (isnan (expected))
        g_assert_true (isnan (sum[i]));
      else
        g_assert_cmpmem (&sum[i], sizeof (double), &expected, sizeof (double));
    }
}

static void
test_arrays (void)
{
  const double *arrays[MOST], *from[MOST];
  double sum[N];

  for (guint k = 0; k < MOST; k++)
    arrays[k] = numbers[k];
  for (gsize n_arrays = 1; n_arrays <= MOST; n_arrays++)
    {
      tti_math_sum (sum, arrays, n_arrays, N);
      assert_node (sum, n_arrays, N);
      /* Any part of it alone. */
      memset (sum, 0, sizeof sum);
      for (guint start = 0; start < N; start += 501)
        {
          for (guint k = 0; k < MOST; k++)
            from[k] = arrays[k] + start;
          tti_math_sum (sum + start, from, n_arrays, MIN (501, N - start));
        }
      assert_node (sum, n_arrays, N);
    }
}

static void
test_small (void)
{
  const double *arrays[] = { numbers[0], numbers[1], numbers[2] };
  double sum[3] = { 7, 7, 7 };

  tti_math_sum (sum, arrays, 3, 0);
  g_assert_cmpfloat (sum[0], ==, 7);
  tti_math_sum (sum, NULL, 0, 2);
  g_assert_cmpfloat (sum[1], ==, 0);
  g_assert_cmpfloat (sum[2], ==, 7);
  tti_math_sum (sum, arrays, 3, 1);
  assert_node (sum, 3, 1);
  g_assert_cmpfloat (sum[2], ==, 7);
}

/* Take every node that the tree over the items from START up to END has within the ones from FROM up to TO. */
static void
nodes_within (gsize start, gsize end, gsize from, gsize to, GArray *starts, GArray *ends)
{
  gsize middle = 1;

  if (to <= start || end <= from)
    return;
  if (from <= start && end <= to)
    {
      g_array_append_val (starts, start);
      g_array_append_val (ends, end);
      return;
    }
  while (2 * middle < end - start)
    middle *= 2;
  nodes_within (start, start + middle, from, to, starts, ends);
  nodes_within (start + middle, end, from, to, starts, ends);
}

/* Three that have neighbours each add what they can, and somebody the rest: the same bits, and few arrays. */
static void
test_shared_out (void)
{
  static double parts[3 * 2 * 8][N];
  const double *arrays[MOST], *nodes[G_N_ELEMENTS (parts)];
  double sum[N];

  for (guint k = 0; k < MOST; k++)
    arrays[k] = numbers[k];
  for (gsize n_arrays = 3; n_arrays <= MOST; n_arrays++)
    for (gsize cut = 1; cut + 1 < n_arrays; cut += 4)
      {
        const gsize bounds[] = { 0, cut, cut + (n_arrays - cut + 1) / 2, n_arrays };
        g_autoptr (GArray) starts = g_array_new (FALSE, FALSE, sizeof (gsize)), ends = g_array_new (FALSE, FALSE, sizeof (gsize));

        for (guint who = 0; who < 3; who++)
          nodes_within (0, n_arrays, bounds[who], bounds[who + 1], starts, ends);
        g_assert_cmpuint (ends->len, <=, G_N_ELEMENTS (parts));
        for (guint i = 0; i < ends->len; i++)
          {
            gsize start = g_array_index (starts, gsize, i);

            tti_math_sum (parts[i], arrays + start, g_array_index (ends, gsize, i) - start, N);
            nodes[i] = parts[i];
          }
        g_assert_true (tti_math_sum_nodes (sum, nodes, (const gsize *) (gpointer) ends->data, ends->len, N));
        assert_node (sum, n_arrays, N);
      }
}

static void
test_no_nodes (void)
{
  static const struct { gsize n, ends[4]; } wrong[] = {
    { 2, { 1, 4 } },       /* 1 … 3 */
    { 2, { 3, 4 } },       /* 0 … 2 */
    { 3, { 2, 2, 4 } },    /* nothing */
    { 3, { 2, 1, 4 } },    /* backward */
    { 2, { 2, 7 } },       /* 2 … 6 of 7 */
    { 4, { 1, 2, 3, 5 } }, /* 3 … 4 of 5 */
    { 2, { 5, 4 } },
  };
  const double *arrays[] = { numbers[0], numbers[1], numbers[2], numbers[3] };
  double sum[2] = { 7, 7 };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_assert_false (tti_math_sum_nodes (sum, arrays, wrong[i].ends, wrong[i].n, 2));
      g_assert_cmpfloat (sum[0], ==, 7);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  numbers_fill ();
  g_test_add_func ("/tree-sum/arrays", test_arrays);
  g_test_add_func ("/tree-sum/small", test_small);
  g_test_add_func ("/tree-sum/shared-out", test_shared_out);
  g_test_add_func ("/tree-sum/no-nodes", test_no_nodes);
  return g_test_run ();
}
