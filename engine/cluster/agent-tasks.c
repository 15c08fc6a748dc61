/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What tasks of workers elsewhere use there, where they write to, and what they leave there for others. */
#include "cluster/agent-node-private.h"

typedef struct
{
  guint64 generation, task;
} Whose;

static gboolean
is_destination_of (G_GNUC_UNUSED gpointer key, gpointer value, gpointer data)
{
  const TtiAgentDestination *destination = value;
  const Whose *whose = data;

  return destination->generation == whose->generation && (whose->task == 0 || destination->task == whose->task);
}

void
tti_agent_forget_destinations_locked (TtiAgentNode *self, guint64 generation, guint64 task)
{
  TTI_ASSERT_LOCKED (&self->lock);
  Whose whose = { generation, task };

  if (g_hash_table_size (self->destinations) > 0)
    g_hash_table_foreach_remove (self->destinations, is_destination_of, &whose);
}

void
tti_agent_end_task_locked (TtiAgentNode *self, TtiAgentWorker *worker, guint64 task)
{
  TTI_ASSERT_LOCKED (&self->lock);
  gpointer key, numbers;

  tti_agent_forget_destinations_locked (self, worker->generation, task);
  g_hash_table_remove (worker->leaving, &task);
  if (!g_hash_table_steal_extended (worker->tasks, &task, &key, &numbers))
    return;
  g_free (key);
  tti_agent_unuse_locked (self, numbers);
}

/* --- what is left there ------------------------------------------------------------------------------------------------------ */

/* Nobody here refers to what is there as NUMBER any more. */
static void
on_left (guint64 number, gpointer user_data)
{
  tti_link_send (user_data, &(TtiLinkFrame){ .kind = TTI_SAY_DROP, .id = number }, NULL);
}

TtiVector *
tti_agent_new_left_locked (TtiAgentNode *self, guint64 number, guint64 size, GError **error)
{
  TTI_ASSERT_LOCKED (&self->lock);
  if (number == 0 || size <= TTI_INLINE_LIMIT || size > TTI_MESSAGE_MAX_BYTES || self->link == NULL)
    {
      tti_link_refuse (error, "contents that cannot have stayed", size);
      return NULL;
    }
  /* A home is closed before its link is freed. */
  if (self->home == NULL)
    self->home = tti_home_new (on_left, self->link);
  return tti_vector_new_away (self->home, number, (gsize) size, error);
}

gboolean
tti_agent_may_leave_locked (G_GNUC_UNUSED TtiAgentNode *self, TtiAgentWorker *worker, const TtiMessage *answer)
{
  TTI_ASSERT_LOCKED (&self->lock);
  guint n = answer->payload != NULL ? tti_payload_get_n_vectors (answer->payload) : 0;
  gboolean left = FALSE;

  for (guint i = 0; i < n && !left; i++)
    left = tti_vector_get_home (tti_payload_get_vector (answer->payload, i, NULL), NULL) != NULL;
  return !left || (answer->kind == TTI_MESSAGE_RESULT && g_hash_table_contains (worker->leaving, &answer->id));
}

TtiLink *
tti_agent_take_link_locked (TtiAgentNode *self)
{
  TTI_ASSERT_LOCKED (&self->lock);
  g_clear_pointer (&self->home, tti_home_close);
  return g_steal_pointer (&self->link);
}
