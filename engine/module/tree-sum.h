/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The sum of numbered arrays, number by number, by a fixed binary tree.
 *
 * The node over the items from A up to B is item A if that is the only one; otherwise it is the sum of the node from A to M and the node
 * from M to B, where M is A plus the largest power of two that is less than B - A:
 *
 *   0..7 = (0..4) + (4..7),   0..4 = (0 + 1) + (2 + 3),   4..7 = (4 + 5) + 6
 *
 * So which numbers are added to which depends on the number of items alone, not on who has them: whoever has all items of a node can add
 * them (the shape of a node depends on its length alone, so that is the sum of its items as if they began at 0), and who has K
 * neighbours has at most 2 log2 K + 2 such nodes. Rounding errors grow with the logarithm of the number of items. The bits are the same
 * however the sum is shared out, but for one thing: where several NaN meet, which of them comes out is not said. */
#pragma once
#include <glib.h>

/* Z = the sum of N_ARRAYS arrays of N numbers, in one pass over memory; zeros if there are none. Z may be none of them. */
void tti_math_sum (double *z, const double *const *x, gsize n_arrays, gsize n);

/* The same of arrays that are nodes, one behind the other: array I is that of the items from ENDS[I - 1] (0 for the first) up to
 * ENDS[I]. FALSE if one of them is no node of the tree over the items from 0 up to the last end; Z is as before then. */
gboolean tti_math_sum_nodes (double *z, const double *const *x, const gsize *ends, gsize n_arrays, gsize n);
