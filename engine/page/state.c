/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "page/state.h"
#include "page/json.h"
#include "page/pieces.h"
#include <string.h>

typedef struct
{
  guint64 version; /* at which it was changed, or added */
  char *text;
} Piece;

typedef enum { FACT_RUN, FACT_COUNTS, FACT_PROGRESS, FACT_POOLS, FACT_NODES, FACT_PLOTS, N_FACTS } Fact;

static const char *const fact_names[N_FACTS] = { "run", "counts", "progress", "pools", "nodes", "plots" };

typedef enum { LIST_FAILURES, LIST_TOLD, LIST_OUTPUT, LIST_SERIES, N_LISTS } List;

static const struct { const char *name; guint most; } lists[N_LISTS] = {
  [LIST_FAILURES] = { "failures", TTI_BOARD_MOST_FAILURES },
  [LIST_TOLD] = { "told", TTI_BOARD_MOST_LINES },
  [LIST_OUTPUT] = { "output", TTI_BOARD_MOST_LINES },
  [LIST_SERIES] = { "series", TTI_PAGE_MOST_SAMPLES },
};

struct _TtiPageState
{
  int pid;
  gint64 began;               /* wall clock */
  guint64 version;
  gboolean changed;           /* since the version was raised */
  Piece facts[N_FACTS];
  GQueue lists[N_LISTS];      /* of Piece, owned */
  guint64 last[N_LISTS];      /* the number of the event of the last element */
  GHashTable *workers;        /* key -> Piece, both owned */
  guint64 workers_left;       /* the version at which one has gone last */
  guint n_updates;            /* that took place; marks those workers that are still there */
};

typedef struct
{
  Piece piece;
  guint mark;
} Worker;

static void
piece_free (gpointer data)
{
  Piece *piece = data;

  g_free (piece->text);
  g_free (piece);
}

TtiPageState *
tti_page_state_new (int pid, gint64 began)
{
  TtiPageState *state = g_new0 (TtiPageState, 1);

  state->pid = pid;
  state->began = began;
  state->version = 1;
  /* A Piece is the first member of a Worker. */
  state->workers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, piece_free);
  for (guint i = 0; i < N_LISTS; i++)
    g_queue_init (&state->lists[i]);
  return state;
}

void
tti_page_state_free (TtiPageState *state)
{
  if (state == NULL)
    return;
  for (guint i = 0; i < N_FACTS; i++)
    g_free (state->facts[i].text);
  for (guint i = 0; i < N_LISTS; i++)
    g_queue_clear_full (&state->lists[i], piece_free);
  g_hash_table_unref (state->workers);
  g_free (state);
}

guint64
tti_page_state_version (const TtiPageState *state)
{
  return state->version;
}

/* --- what changes ------------------------------------------------------------------------------------------------------------ */

/* The version of what changes now. */
static guint64
next_version (TtiPageState *state)
{
  state->changed = TRUE;
  return state->version + 1;
}

/* TEXT, which is taken, is what PIECE has now. */
static void
piece_set (TtiPageState *state, Piece *piece, char *text)
{
  if (piece->text != NULL && strcmp (piece->text, text) == 0)
    {
      g_free (text);
      return;
    }
  g_free (piece->text);
  piece->text = text;
  piece->version = next_version (state);
}

static void
list_add (TtiPageState *state, List list, char *text)
{
  Piece *piece = g_new0 (Piece, 1);

  piece_set (state, piece, text);
  g_queue_push_tail (&state->lists[list], piece);
  if (g_queue_get_length (&state->lists[list]) > lists[list].most)
    piece_free (g_queue_pop_head (&state->lists[list]));
}

static void
update_failures (TtiPageState *state, const TtiBoard *board)
{
  guint n = tti_board_get_n_failures (board), fresh = 0;

  while (fresh < n && tti_board_get_failure (board, fresh)->number > state->last[LIST_FAILURES])
    fresh++;
  while (fresh-- > 0)
    {
      const TtiBoardFailure *failure = tti_board_get_failure (board, fresh);

      list_add (state, LIST_FAILURES, tti_piece_failure (board, failure));
      state->last[LIST_FAILURES] = failure->number;
    }
}

static void
update_lines (TtiPageState *state, const TtiBoard *board, TtiBoardLines kind, List list)
{
  guint n = tti_board_get_n_lines (board, kind), fresh = 0;

  while (fresh < n && tti_board_get_line (board, kind, fresh)->number > state->last[list])
    fresh++;
  while (fresh-- > 0)
    {
      const TtiBoardLine *line = tti_board_get_line (board, kind, fresh);

      list_add (state, list, tti_piece_line (board, line));
      state->last[list] = line->number;
    }
}

static void
update_worker (TtiPageState *state, const TtiBoard *board, const TtiBoardPool *pool, const TtiBoardWorker *worker)
{
  char key[64];

  g_snprintf (key, sizeof key, "%" G_GUINT64_FORMAT ".%u", pool->number, worker->index);
  Worker *known = g_hash_table_lookup (state->workers, key);

  if (known == NULL)
    {
      if (g_hash_table_size (state->workers) >= TTI_PAGE_MOST_WORKERS)
        return;
      known = g_new0 (Worker, 1);
      g_hash_table_insert (state->workers, g_strdup (key), known);
    }
  piece_set (state, &known->piece, tti_piece_worker (board, pool, worker));
  known->mark = state->n_updates;
}

/* Those of pools that are closed have gone, as have those beyond a pool's size. */
static void
update_workers (TtiPageState *state, const TtiBoard *board)
{
  const GPtrArray *pools = tti_board_get_pools (board);
  GHashTableIter iter;
  gpointer value;

  state->n_updates++;
  for (guint i = 0; i < pools->len; i++)
    {
      const TtiBoardPool *pool = g_ptr_array_index (pools, i);

      for (guint k = 0; pool->state < TTI_LOOK_POOL_CLOSED && k < pool->workers->len; k++)
        {
          const TtiBoardWorker *worker = g_ptr_array_index (pool->workers, k);

          if (worker != NULL && (k < pool->size || worker->generation != 0))
            update_worker (state, board, pool, worker);
        }
    }
  g_hash_table_iter_init (&iter, state->workers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Worker *) value)->mark != state->n_updates)
      {
        state->workers_left = next_version (state);
        g_hash_table_iter_remove (&iter);
      }
}

gboolean
tti_page_state_update (TtiPageState *state, const TtiBoard *board, const TtiPlots *plots, TtiPageEnd end, gint64 now)
{
  piece_set (state, &state->facts[FACT_RUN], tti_piece_run (board, state->pid, state->began, end));
  piece_set (state, &state->facts[FACT_COUNTS], tti_piece_counts (board, now));
  piece_set (state, &state->facts[FACT_PROGRESS], tti_piece_progress (board, now));
  piece_set (state, &state->facts[FACT_POOLS], tti_piece_pools (board));
  piece_set (state, &state->facts[FACT_NODES], tti_piece_nodes (board));
  piece_set (state, &state->facts[FACT_PLOTS], tti_piece_plots (plots));
  update_workers (state, board);
  update_failures (state, board);
  update_lines (state, board, TTI_BOARD_TOLD, LIST_TOLD);
  update_lines (state, board, TTI_BOARD_OUTPUT, LIST_OUTPUT);
  gboolean changed = state->changed;

  state->version += changed ? 1 : 0;
  state->changed = FALSE;
  return changed;
}

void
tti_page_state_sample (TtiPageState *state, const TtiBoard *board, gint64 now)
{
  list_add (state, LIST_SERIES, tti_piece_sample (board, now));
}

/* --- what is told of it ------------------------------------------------------------------------------------------------------ */

static void
add_workers (const TtiPageState *state, guint64 version, GString *json)
{
  gboolean all = state->workers_left > version;
  gsize before = json->len;
  GHashTableIter iter;
  gpointer key, value;
  guint n = 0;

  tti_json_add_key (json, "workers");
  g_string_append_c (json, '{');
  g_hash_table_iter_init (&iter, state->workers);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      const Piece *piece = value;

      if (!all && piece->version <= version)
        continue;
      tti_json_add_key (json, key);
      g_string_append (json, piece->text);
      n++;
    }
  g_string_append_c (json, '}');
  if (all)
    tti_json_add_true (json, "all_workers");
  else if (n == 0)
    g_string_truncate (json, before);
}

static void
add_list (const TtiPageState *state, List list, guint64 version, GString *json)
{
  const GQueue *queue = &state->lists[list];
  GList *first = queue->tail;

  if (first == NULL || ((Piece *) first->data)->version <= version)
    return;
  while (first->prev != NULL && ((Piece *) first->prev->data)->version > version)
    first = first->prev;
  tti_json_add_key (json, lists[list].name);
  g_string_append_c (json, '[');
  for (GList *link = first; link != NULL; link = link->next)
    {
      tti_json_next (json);
      g_string_append (json, ((Piece *) link->data)->text);
    }
  g_string_append_c (json, ']');
}

char *
tti_page_state_since (const TtiPageState *state, guint64 version)
{
  GString *json = g_string_new ("{");

  tti_json_add_number (json, "version", state->version);
  tti_json_add_time (json, "now", g_get_real_time ());
  if (version == 0)
    tti_json_add_true (json, "whole");
  for (guint i = 0; i < N_FACTS; i++)
    if (state->facts[i].text != NULL && state->facts[i].version > version)
      {
        tti_json_add_key (json, fact_names[i]);
        g_string_append (json, state->facts[i].text);
      }
  add_workers (state, version, json);
  for (guint i = 0; i < N_LISTS; i++)
    add_list (state, (List) i, version, json);
  g_string_append_c (json, '}');
  return g_string_free (json, FALSE);
}
