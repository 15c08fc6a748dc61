/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Held objects: what they are, what they need, and how they are forgotten when nobody refers to them. */
#include "platform/error.h"
#include "pool/held-private.h"

struct _TuttiHeld
{
  gatomicrefcount refs;
  TuttiEngine *engine; /* atomic; from its first use; a reference of its memory */
  guint64 id;
  TuttiHeldKind kind;
  GPtrArray *payloads; /* one for all workers, or one for each */
  GPtrArray *needs;    /* of TuttiHeld, or NULL */
  gint64 timeout;
  guint retries;
  /* Where a walk over what is needed has come to, under its engine's lock: */
  guint64 walk;        /* the last one that came here */
  guint next_need;
  TuttiHeld *from;     /* also the next to be freed */
};

guint64
tutti_held_next_id (void)
{
  static guint64 last;

  return __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
}

TuttiHeld *
tutti_held_new (guint64 id, TuttiHeldKind kind, TuttiPayload *const *payloads, guint n_payloads)
{
  g_return_val_if_fail (id != 0 && n_payloads > 0, NULL);
  TuttiHeld *held = g_new0 (TuttiHeld, 1);

  g_atomic_ref_count_init (&held->refs);
  held->id = id;
  held->kind = kind;
  held->payloads = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_payload_unref);
  for (guint i = 0; i < n_payloads; i++)
    g_ptr_array_add (held->payloads, tutti_payload_ref (payloads[i]));
  held->retries = 2;
  return held;
}

TuttiHeld *
tutti_held_ref (TuttiHeld *held)
{
  g_return_val_if_fail (held != NULL, NULL);
  g_atomic_ref_count_inc (&held->refs);
  return held;
}

void
tutti_held_add_need (TuttiHeld *held, TuttiHeld *needed)
{
  g_return_if_fail (held != needed);
  if (held->needs == NULL)
    held->needs = g_ptr_array_new (); /* its references: see tutti_held_unref () */
  g_ptr_array_add (held->needs, tutti_held_ref (needed));
}

void
tutti_held_set_making (TuttiHeld *held, gint64 timeout, guint retries)
{
  g_return_if_fail (timeout >= 0);
  held->timeout = timeout;
  held->retries = retries;
}

guint64
tutti_held_get_id (TuttiHeld *held)
{
  return held->id;
}

guint
tutti_held_hash (TuttiHeld *held)
{
  guint hash = held->payloads->len;

  for (guint i = 0; i < held->payloads->len; i++)
    hash = hash * 31 + tutti_payload_hash (g_ptr_array_index (held->payloads, i));
  return hash;
}

gboolean
tutti_held_is_equal (TuttiHeld *one, TuttiHeld *other)
{
  if (one->kind != TUTTI_HELD_GIVEN || other->kind != TUTTI_HELD_GIVEN || one->payloads->len != other->payloads->len)
    return FALSE;
  for (guint i = 0; i < one->payloads->len; i++)
    if (!tutti_payload_is_equal (g_ptr_array_index (one->payloads, i), g_ptr_array_index (other->payloads, i)))
      return FALSE;
  return TRUE;
}

TuttiPayload *
tutti_held_get_payload (TuttiHeld *held, guint index)
{
  return g_ptr_array_index (held->payloads, held->payloads->len == 1 ? 0 : index);
}

TuttiHeldKind
tutti_held_get_kind (TuttiHeld *held)
{
  return held->kind;
}

guint
tutti_held_get_n_payloads (TuttiHeld *held)
{
  return held->payloads->len;
}

gboolean
tutti_held_claim (TuttiHeld *held, TuttiEngine *engine, GError **error)
{
  /* What was claimed before was claimed with all that it needs. */
  if (G_LIKELY (g_atomic_pointer_get (&held->engine) == engine))
    return TRUE;
  g_autoptr (GPtrArray) open = g_ptr_array_new ();

  for (TuttiHeld *next = held; next != NULL; next = open->len > 0 ? g_ptr_array_steal_index (open, open->len - 1) : NULL)
    {
      gboolean known = g_atomic_pointer_get (&next->engine) == engine;

      if (!known && !tutti_engine_claim (&next->engine, engine))
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a held object belongs to the engine whose workers have had it first");
          return FALSE;
        }
      for (guint i = 0; !known && next->needs != NULL && i < next->needs->len; i++)
        g_ptr_array_add (open, g_ptr_array_index (next->needs, i));
    }
  return TRUE;
}

/* Workers are to forget HELD, which is freed. */
static void
held_tell_to_forget (TuttiHeld *held)
{
  if (held->engine != NULL && !tutti_engine_is_copy (NULL))
    tutti_engine_forget (held->engine, held->id);
}

/* Objects may need one another in a chain of any length, for which no stack is deep enough: those that are to be freed are a list. */
void
tutti_held_unref (TuttiHeld *held)
{
  if (held == NULL || !g_atomic_ref_count_dec (&held->refs))
    return;
  held->from = NULL;
  while (held != NULL)
    {
      TuttiHeld *dead = held, *next = held->from;

      for (guint i = 0; dead->needs != NULL && i < dead->needs->len; i++)
        {
          TuttiHeld *need = g_ptr_array_index (dead->needs, i);

          if (!g_atomic_ref_count_dec (&need->refs))
            continue;
          need->from = next;
          next = need;
        }
      held_tell_to_forget (dead);
      tutti_engine_release (dead->engine);
      g_ptr_array_unref (dead->payloads);
      g_clear_pointer (&dead->needs, g_ptr_array_unref);
      g_free (dead);
      held = next;
    }
}

TuttiHeld *
tutti_held_walk_locked (TuttiHeld *root, TuttiWalkStep (*enter) (TuttiHeld *, gpointer), gboolean (*leave) (TuttiHeld *, gpointer),
                        gpointer data)
{
  TUTTI_ASSERT_LOCKED (&root->engine->lock);
  static guint64 last; /* atomic */
  guint64 walk = __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);

  for (TuttiHeld *held = NULL, *next = root;;)
    {
      TuttiWalkStep step = next != NULL && next->walk != walk ? enter (next, data) : TUTTI_WALK_PAST;

      if (next != NULL)
        next->walk = walk;
      if (step == TUTTI_WALK_STOP)
        return next;
      if (step == TUTTI_WALK_IN)
        {
          next->from = held;
          next->next_need = 0;
          held = next;
        }
      for (next = NULL; held != NULL && next == NULL;)
        if (held->needs != NULL && held->next_need < held->needs->len)
          next = g_ptr_array_index (held->needs, held->next_need++);
        else if (leave != NULL && !leave (held, data))
          return held;
        else
          held = held->from;
      if (next == NULL)
        return NULL;
    }
}

static TuttiWalkStep
walk_in (TuttiHeld *held, gpointer data)
{
  (void) held;
  (void) data;
  return TUTTI_WALK_IN;
}

typedef struct
{
  void (*visit) (TuttiVector *);
} VectorWalk;

static gboolean
visit_vectors (TuttiHeld *held, gpointer data)
{
  const VectorWalk *walk = data;

  for (guint p = 0; p < held->payloads->len; p++)
    tutti_payload_foreach_shared (g_ptr_array_index (held->payloads, p), walk->visit);
  return TRUE;
}

void
tutti_held_foreach_vector_locked (TuttiHeld *held, void (*visit) (TuttiVector *))
{
  TUTTI_ASSERT_LOCKED (&held->engine->lock);
  VectorWalk walk = { visit };

  if (held->needs == NULL)
    visit_vectors (held, &walk);
  else
    tutti_held_walk_locked (held, walk_in, visit_vectors, &walk);
}

TuttiTask *
tutti_held_new_maker (TuttiHeld *held, TuttiHandlerKind handler, guint index)
{
  TuttiTask *maker = tutti_task_new (handler, tutti_held_get_payload (held, index));

  tutti_task_set_worker (maker, (int) index);
  tutti_task_set_timeout (maker, held->timeout);
  tutti_task_set_retries (maker, held->retries);
  for (guint i = 0; held->needs != NULL && i < held->needs->len; i++)
    tutti_task_add_held (maker, g_ptr_array_index (held->needs, i));
  tutti_task_set_makes (maker, held);
  maker->is_maker = TRUE;
  return maker;
}
