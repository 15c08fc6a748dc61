/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Held objects: what they are, what they need, and how they are forgotten when nobody refers to them. */
#include "platform/error.h"
#include "pool/held-private.h"

struct _TtiHeld
{
  gatomicrefcount refs;
  TtiEngine *engine; /* atomic; from its first use; a reference of its memory */
  guint64 id;
  TtiHeldKind kind;
  GPtrArray *payloads; /* one for all workers, or one for each */
  GPtrArray *needs;    /* of TtiHeld, or NULL */
  guint n_places;      /* G_MAXUINT: for all */
  gint64 timeout;
  guint retries;
  const char *name;    /* interned; NULL: it has none */
  /* Where a walk over what is needed has come to, under its engine's lock: */
  guint64 walk;        /* the last one that came here */
  guint next_need;
  TtiHeld *from;     /* also the next to be freed */
};

guint64
tti_held_next_id (void)
{
  static guint64 last;

  return __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
}

TtiHeld *
tti_held_new (guint64 id, TtiHeldKind kind, TtiPayload *const *payloads, guint n_payloads)
{
  g_return_val_if_fail (id != 0 && n_payloads > 0, NULL);
  TtiHeld *held = g_new0 (TtiHeld, 1);

  g_atomic_ref_count_init (&held->refs);
  held->id = id;
  held->kind = kind;
  held->payloads = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_payload_unref);
  held->n_places = n_payloads == 1 ? G_MAXUINT : n_payloads;
  for (guint i = 0; i < n_payloads; i++)
    g_ptr_array_add (held->payloads, tti_payload_ref (payloads[i]));
  held->retries = 2;
  return held;
}

void
tti_held_set_name (TtiHeld *held, const char *name)
{
  held->name = g_intern_string (name);
}

const char *
tti_held_get_name (TtiHeld *held)
{
  return held->name;
}

TtiHeld *
tti_held_ref (TtiHeld *held)
{
  g_return_val_if_fail (held != NULL, NULL);
  g_atomic_ref_count_inc (&held->refs);
  return held;
}

void
tti_held_add_need (TtiHeld *held, TtiHeld *needed)
{
  g_return_if_fail (held != needed);
  if (held->needs == NULL)
    held->needs = g_ptr_array_new (); /* its references: see tti_held_unref () */
  g_ptr_array_add (held->needs, tti_held_ref (needed));
  held->n_places = MIN (held->n_places, needed->n_places);
}

void
tti_held_set_making (TtiHeld *held, gint64 timeout, guint retries)
{
  g_return_if_fail (timeout >= 0);
  held->timeout = timeout;
  held->retries = retries;
}

guint64
tti_held_get_id (TtiHeld *held)
{
  return held->id;
}

guint
tti_held_hash (TtiHeld *held)
{
  guint hash = held->payloads->len;

  for (guint i = 0; i < held->payloads->len; i++)
    hash = hash * 31 + tti_payload_hash (g_ptr_array_index (held->payloads, i));
  return hash;
}

gboolean
tti_held_is_equal (TtiHeld *one, TtiHeld *other)
{
  if (one->kind != TTI_HELD_GIVEN || other->kind != TTI_HELD_GIVEN || one->payloads->len != other->payloads->len)
    return FALSE;
  for (guint i = 0; i < one->payloads->len; i++)
    if (!tti_payload_is_equal (g_ptr_array_index (one->payloads, i), g_ptr_array_index (other->payloads, i)))
      return FALSE;
  return TRUE;
}

TtiPayload *
tti_held_get_payload (TtiHeld *held, guint place)
{
  return g_ptr_array_index (held->payloads, held->payloads->len == 1 ? 0 : place);
}

guint
tti_held_get_n_places (TtiHeld *held)
{
  return held->n_places;
}

gboolean
tti_held_is_same (TtiHeld *held)
{
  return held->kind == TTI_HELD_GIVEN && held->n_places == G_MAXUINT;
}

TtiHeldKind
tti_held_get_kind (TtiHeld *held)
{
  return held->kind;
}

gboolean
tti_held_claim (TtiHeld *held, TtiEngine *engine, GError **error)
{
  /* What was claimed before was claimed with all that it needs. */
  if (G_LIKELY (g_atomic_pointer_get (&held->engine) == engine))
    return TRUE;
  g_autoptr (GPtrArray) open = g_ptr_array_new ();

  for (TtiHeld *next = held; next != NULL; next = open->len > 0 ? g_ptr_array_steal_index (open, open->len - 1) : NULL)
    {
      gboolean known = g_atomic_pointer_get (&next->engine) == engine;

      if (!known && !tti_engine_claim (&next->engine, engine))
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
held_tell_to_forget (TtiHeld *held)
{
  if (held->engine != NULL && !tti_engine_is_copy (NULL))
    tti_engine_forget (held->engine, held->id);
}

/* Objects may need one another in a chain of any length, for which no stack is deep enough: those that are to be freed are a list. */
void
tti_held_unref (TtiHeld *held)
{
  if (held == NULL || !g_atomic_ref_count_dec (&held->refs))
    return;
  held->from = NULL;
  while (held != NULL)
    {
      TtiHeld *dead = held, *next = held->from;

      for (guint i = 0; dead->needs != NULL && i < dead->needs->len; i++)
        {
          TtiHeld *need = g_ptr_array_index (dead->needs, i);

          if (!g_atomic_ref_count_dec (&need->refs))
            continue;
          need->from = next;
          next = need;
        }
      held_tell_to_forget (dead);
      tti_engine_release (dead->engine);
      g_ptr_array_unref (dead->payloads);
      g_clear_pointer (&dead->needs, g_ptr_array_unref);
      g_free (dead);
      held = next;
    }
}

TtiHeld *
tti_held_walk_locked (TtiHeld *root, TtiWalkStep (*enter) (TtiHeld *, gpointer), gboolean (*leave) (TtiHeld *, gpointer),
                      gpointer data)
{
  TTI_ASSERT_LOCKED (&root->engine->lock);
  static guint64 last; /* atomic */
  guint64 walk = __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);

  for (TtiHeld *held = NULL, *next = root;;)
    {
      TtiWalkStep step = next != NULL && next->walk != walk ? enter (next, data) : TTI_WALK_PAST;

      if (next != NULL)
        next->walk = walk;
      if (step == TTI_WALK_STOP)
        return next;
      if (step == TTI_WALK_IN)
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

static TtiWalkStep
walk_in (TtiHeld *held, gpointer data)
{
  (void) held;
  (void) data;
  return TTI_WALK_IN;
}

typedef struct
{
  void (*visit) (TtiVector *);
} VectorWalk;

static gboolean
visit_vectors (TtiHeld *held, gpointer data)
{
  const VectorWalk *walk = data;

  for (guint p = 0; p < held->payloads->len; p++)
    tti_payload_foreach_shared (g_ptr_array_index (held->payloads, p), walk->visit);
  return TRUE;
}

void
tti_held_foreach_vector_locked (TtiHeld *held, void (*visit) (TtiVector *))
{
  TTI_ASSERT_LOCKED (&held->engine->lock);
  VectorWalk walk = { visit };

  if (held->needs == NULL)
    visit_vectors (held, &walk);
  else
    tti_held_walk_locked (held, walk_in, visit_vectors, &walk);
}

TtiTask *
tti_held_new_maker (TtiHeld *held, TtiHandlerKind handler, guint slot, guint place)
{
  TtiTask *maker = tti_task_new (handler, tti_held_get_payload (held, place));

  tti_task_set_worker (maker, (int) place);
  maker->slot = (int) slot;
  tti_task_set_timeout (maker, held->timeout);
  tti_task_set_retries (maker, held->retries);
  for (guint i = 0; held->needs != NULL && i < held->needs->len; i++)
    tti_task_add_held (maker, g_ptr_array_index (held->needs, i));
  tti_task_set_makes (maker, held);
  maker->is_maker = TRUE;
  return maker;
}
