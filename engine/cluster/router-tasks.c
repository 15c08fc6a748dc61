/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The tasks that workers of an agent have been sent, those that the master wants back, and what of their values stays here. */
#include "cluster/router-private.h"
#include <string.h>

enum { MOST_FORGOTTEN = 256 }; /* ended tasks at the front of the list */

/* The master chooses the numbers of what it sends: it never comes that far. */
#define OUR_NUMBERS (G_GUINT64_CONSTANT (1) << 63)

void
tti_router_note_task_locked (TtiRouter *router, TtiRouterWorker *worker, guint64 id, guint64 stays)
{
  TTI_ASSERT_LOCKED (&router->lock);
  const TtiRouterTask task = { id, worker->transport != NULL ? tti_transport_get_ticket (worker->transport) : 0, stays };

  router->n_busy += tti_router_count_tasks (worker) == 0 ? 1 : 0;
  g_array_append_val (worker->sent, task);
}

/* Where task ID is in the list of WORKER, or G_MAXUINT. Most are answered in order, and taken back from the end. */
static guint
find_task (const TtiRouterWorker *worker, guint64 id, gboolean from_end)
{
  guint n = tti_router_count_tasks (worker);

  for (guint i = 0; i < n; i++)
    {
      guint at = from_end ? worker->sent->len - 1 - i : worker->first_sent + i;

      if (g_array_index (worker->sent, TtiRouterTask, at).id == id)
        return at;
    }
  return G_MAXUINT;
}

static void
remove_task_locked (TtiRouter *self, TtiRouterWorker *worker, guint at)
{
  TTI_ASSERT_LOCKED (&self->lock);
  if (at == worker->first_sent)
    worker->first_sent++;
  else
    g_array_remove_index (worker->sent, at);
  guint n = tti_router_count_tasks (worker);

  self->n_busy -= n == 0 ? 1 : 0;
  if (n == 0 || worker->first_sent > MOST_FORGOTTEN)
    {
      g_array_remove_range (worker->sent, 0, worker->first_sent);
      worker->first_sent = 0;
    }
}

/* What stays is to be used by several workers here: one alone does as well to send it. */
static gboolean
has_others_locked (TtiRouter *self, const TtiRouterWorker *worker)
{
  TTI_ASSERT_LOCKED (&self->lock);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->workers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (value != worker && ((TtiRouterWorker *) value)->transport != NULL)
      return TRUE;
  return FALSE;
}

guint64
tti_router_end_task_locked (TtiRouter *router, TtiRouterWorker *worker, guint64 id)
{
  TTI_ASSERT_LOCKED (&router->lock);
  guint at = find_task (worker, id, FALSE);

  if (at == G_MAXUINT)
    return 0;
  guint64 stays = g_array_index (worker->sent, TtiRouterTask, at).stays;

  remove_task_locked (router, worker, at);
  return stays > 0 && has_others_locked (router, worker) ? stays : 0;
}

guint64
tti_router_keep_value_locked (TtiRouter *router, TtiRouterWorker *worker, TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&router->lock);
  const TtiLinkFrame frame = { .kind = TTI_SAY_STAYS, .worker = worker->generation, .id = ++router->last_number | OUR_NUMBERS,
                               .detail = tti_vector_get_size (vector) };

  g_hash_table_insert (router->vectors, g_memdup2 (&frame.id, sizeof frame.id), tti_vector_ref (vector));
  tti_link_send (router->link, &frame, NULL);
  return frame.id;
}

guint
tti_router_count_tasks (const TtiRouterWorker *worker)
{
  return worker->sent->len - worker->first_sent;
}

/* FALSE: WORKER has begun task ID, or has answered it. */
static gboolean
take_back_locked (TtiRouter *self, TtiRouterWorker *worker, guint64 id)
{
  TTI_ASSERT_LOCKED (&self->lock);
  guint at = find_task (worker, id, TRUE);

  if (at == G_MAXUINT || worker->transport == NULL
      || !tti_transport_recall (worker->transport, g_array_index (worker->sent, TtiRouterTask, at).ticket))
    return FALSE;
  remove_task_locked (self, worker, at);
  tti_router_forget_rooms_locked (self, worker, id);
  return TRUE;
}

gboolean
tti_router_recall (TtiRouter *router, guint64 generation, GBytes *bytes, GError **error)
{
  gsize size = 0;
  const guint8 *ids = bytes != NULL ? g_bytes_get_data (bytes, &size) : NULL;
  g_autoptr (GByteArray) returned = g_byte_array_new ();

  if (size % sizeof (guint64) != 0)
    return tti_link_refuse (error, "numbers of tasks that cannot be", size);
  tti_lock_take (&router->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (router, generation);

  for (gsize i = 0; worker != NULL && i < size; i += sizeof (guint64))
    {
      guint64 id;

      memcpy (&id, ids + i, sizeof id);
      if (take_back_locked (router, worker, id))
        g_byte_array_append (returned, ids + i, sizeof id);
    }
  if (returned->len > 0)
    {
      g_autoptr (GBytes) all = g_byte_array_free_to_bytes (g_steal_pointer (&returned));

      /* Under the lock, so that it comes in order with answers. */
      tti_link_send (router->link, &(TtiLinkFrame){ .kind = TTI_SAY_RETURNED, .worker = generation }, all);
    }
  tti_lock_release (&router->lock);
  return TRUE;
}
