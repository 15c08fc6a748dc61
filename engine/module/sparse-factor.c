/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Band factorisations of sparse matrices. */
#include "module/sparse-factor.h"
#include "module/lapack.h"
#include "module/sparse-private.h"
#include "platform/error.h"
#include <stdlib.h>
#include <string.h>

struct _TtiSparseFactor
{
  int n, below, above, lead; /* widths of the band below and above the diagonal; rows of BAND */
  gboolean positive;
  guint32 *places; /* row i of the matrix is row places[i] of the band */
  double *band;
  int *exchanges;
};

void
tti_sparse_factor_free (TtiSparseFactor *self)
{
  if (self == NULL)
    return;
  g_free (self->places);
  g_free (self->band);
  g_free (self->exchanges);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiSparseFactor, tti_sparse_factor_free)

guint32
tti_sparse_factor_get_size (const TtiSparseFactor *self)
{
  return self->n;
}

gsize
tti_sparse_factor_get_bytes (const TtiSparseFactor *self)
{
  return (gsize)self->lead * self->n * sizeof (double);
}

/* --- the order ---------------------------------------------------------------------------------------------------- */

/* The graph of the matrix, in both directions: the neighbours of i are indices[starts[i]] ..., some perhaps twice. */
typedef struct
{
  guint32 n;
  gsize *starts;
  guint32 *indices;
} Graph;

static void
graph_clear (Graph *graph)
{
  g_free (graph->starts);
  g_free (graph->indices);
}

static guint32
degree (const Graph *graph, guint32 i)
{
  return graph->starts[i + 1] - graph->starts[i];
}

static gboolean
graph_fill (Graph *graph, const TtiSparse *s, GError **error)
{
  graph->n = s->rows;
  graph->starts = g_new0 (gsize, (gsize)s->rows + 2);
  graph->indices = tti_sparse_reserve (2 * s->n, sizeof *graph->indices, s->rows, s->columns, error);
  if (graph->indices == NULL)
    return FALSE;
  for (guint32 i = 0; i < s->rows; i++)
    for (gsize k = s->starts[i]; k < s->starts[i + 1]; k++)
      {
        graph->starts[i + 2]++;
        graph->starts[s->indices[k] + 2]++;
      }
  for (guint32 i = 0; i < s->rows; i++)
    graph->starts[i + 2] += graph->starts[i + 1];
  /* starts[i + 1] now is the place of the next neighbour of i, and in the end the end of those of i. */
  for (guint32 i = 0; i < s->rows; i++)
    for (gsize k = s->starts[i]; k < s->starts[i + 1]; k++)
      {
        graph->indices[graph->starts[i + 1]++] = s->indices[k];
        graph->indices[graph->starts[s->indices[k] + 1]++] = i;
      }
  return TRUE;
}

static int
compare_degrees (const void *a, const void *b, gpointer data)
{
  guint32 i = *(const guint32 *)a, j = *(const guint32 *)b, of_i = degree (data, i), of_j = degree (data, j);

  return of_i != of_j ? (of_i > of_j) - (of_i < of_j) : (i > j) - (i < j);
}

/* Note in ORDER all that can be reached from START, level by level, those of small degree first; SEEN[i] becomes ROUND. Returns how
 * many there are, and in *LAST where the last level begins. */
static guint32
walk (const Graph *graph, guint32 start, guint32 *order, guint32 *seen, guint32 round, guint32 *last)
{
  guint32 count = 1, next = 0;

  order[0] = start;
  seen[start] = round;
  while (next < count)
    {
      *last = next;
      for (guint32 end = count; next < end; next++)
        {
          guint32 first = count;

          for (gsize k = graph->starts[order[next]]; k < graph->starts[order[next] + 1]; k++)
            if (seen[graph->indices[k]] != round)
              {
                seen[graph->indices[k]] = round;
                order[count++] = graph->indices[k];
              }
          g_qsort_with_data (order + first, count - first, sizeof *order, compare_degrees, (gpointer)graph);
        }
    }
  return count;
}

/* PLACES[i]: the new number of row I. */
static void
find_places (const Graph *graph, guint32 *places)
{
  /* A walk from the end of another one has many levels, which are small: two walks come near enough to the ends. */
  enum
  {
    WALKS = 3
  };
  g_autofree guint32 *order = g_new (guint32, MAX (graph->n, 1)), *seen = g_new0 (guint32, MAX (graph->n, 1));
  g_autofree gboolean *placed = g_new0 (gboolean, MAX (graph->n, 1));
  guint32 n_placed = 0, round = 0;

  for (guint32 i = 0; i < graph->n; i++)
    {
      guint32 start = i, count = 0, last = 0;

      if (placed[i])
        continue;
      for (int walks = 0; walks < WALKS; walks++)
        {
          count = walk (graph, start, order, seen, ++round, &last);
          start = order[last];
        }
      for (guint32 k = 0; k < count; k++)
        {
          places[order[k]] = graph->n - 1 - n_placed++;
          placed[order[k]] = TRUE;
        }
    }
}

/* --- the band ----------------------------------------------------------------------------------------------------- */

static void
measure (TtiSparseFactor *self, const TtiSparse *s)
{
  for (guint32 i = 0; i < s->rows; i++)
    for (gsize k = s->starts[i]; k < s->starts[i + 1]; k++)
      {
        int distance = (int)self->places[i] - (int)self->places[s->indices[k]];

        self->below = MAX (self->below, distance);
        self->above = MAX (self->above, -distance);
      }
  self->below = MAX (self->below, self->positive ? self->above : 0);
  self->lead = self->positive ? self->below + 1 : 2 * self->below + self->above + 1;
}

static void
fill (TtiSparseFactor *self, const TtiSparse *s)
{
  for (guint32 i = 0; i < s->rows; i++)
    for (gsize k = s->starts[i]; k < s->starts[i + 1]; k++)
      {
        int row = self->places[i], column = self->places[s->indices[k]];
        int offset = self->positive ? row - column : self->below + self->above + row - column;

        if (!self->positive || row >= column)
          self->band[(gsize)column * self->lead + offset] = s->values[k];
      }
}

static gboolean
factorise (TtiSparseFactor *self)
{
  int info = 0;

  if (self->positive)
    dpbtrf_ ("L", &self->n, &self->below, self->band, &self->lead, &info, 1);
  else
    dgbtrf_ (&self->n, &self->n, &self->below, &self->above, self->band, &self->lead, self->exchanges, &info);
  g_assert (info >= 0);
  return info == 0;
}

TtiSparseFactor *
tti_sparse_factor_new (const TtiSparse *s, gboolean positive, GError **error)
{
  g_autoptr (TtiSparseFactor) self = g_new0 (TtiSparseFactor, 1);
  Graph graph = { 0 };

  g_return_val_if_fail (s->rows == s->columns && !s->is_complex && s->rows <= G_MAXINT32, NULL);
  self->n = (int)s->rows;
  self->positive = positive;
  self->places = g_new (guint32, MAX (s->rows, 1));
  gboolean known = graph_fill (&graph, s, error);
  if (known)
    find_places (&graph, self->places);
  graph_clear (&graph);
  if (!known)
    return NULL;
  measure (self, s);
  gsize count = (gsize)self->lead * self->n;
  self->exchanges = g_new0 (int, MAX (self->n, 1));
  self->band = tti_sparse_reserve (count, sizeof *self->band, s->rows, s->columns, error);
  if (self->band == NULL)
    return NULL;
  memset (self->band, 0, count * sizeof *self->band);
  fill (self, s);
  return factorise (self) ? g_steal_pointer (&self) : NULL;
}

void
tti_sparse_factor_solve (const TtiSparseFactor *self, const double *b, double *x)
{
  g_autofree double *moved = g_new (double, MAX (self->n, 1));
  int one = 1, lead = MAX (self->n, 1), info = 0;

  for (int i = 0; i < self->n; i++)
    moved[self->places[i]] = b[i];
  if (self->positive)
    dpbtrs_ ("L", &self->n, &self->below, &one, self->band, &self->lead, moved, &lead, &info, 1);
  else
    dgbtrs_ ("N", &self->n, &self->below, &self->above, &one, self->band, &self->lead, self->exchanges, moved, &lead, &info, 1);
  g_assert (info == 0);
  for (int i = 0; i < self->n; i++)
    x[i] = moved[self->places[i]];
}
