/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "python/object.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-vector.h"

#define COLLECT_AFTER ((gsize) 256 * 1024 * 1024) /* as guile-vector.c has it for shared vectors */

typedef struct _Held Held;

struct _Held
{
  PyObject *object; /* NULL: */
  SCM value;        /* a value of Scheme's that was protected for Python */
  gsize bytes;      /* of its memory that a vector shows */
  gboolean generator;
  guint64 serial;   /* of the task for which a generator was last seeded */
  Held *next;
};

static Held *let_go;         /* atomic: a stack */
static gsize shown_bytes;    /* atomic: in vectors over Python's memory */
static gsize shown_at_collection; /* atomic */

static void
held_release (gpointer thing)
{
  Held *held = thing, *first = __atomic_load_n (&let_go, __ATOMIC_RELAXED);

  __atomic_sub_fetch (&shown_bytes, held->bytes, __ATOMIC_RELAXED);
  do
    held->next = first;
  while (!__atomic_compare_exchange_n (&let_go, &first, held, TRUE, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static TtiHandleType object_type = { .name = "python-object", .what = "Python object", .release = held_release };
static TtiHandleType array_type = { .name = "python-memory", .what = "memory of Python", .release = held_release };

void
tti_object_init (void)
{
  tti_guile_define_handle_type (&object_type);
  tti_guile_define_handle_type (&array_type);
}

static Held *
held_new (PyObject *object, gsize bytes)
{
  Held *held = g_new0 (Held, 1);

  held->object = object;
  held->bytes = bytes;
  __atomic_add_fetch (&shown_bytes, bytes, __ATOMIC_RELAXED);
  return held;
}

SCM
tti_object_to_handle (PyObject *object, gboolean generator)
{
  Held *held = held_new (object, 0);

  held->generator = generator;
  return tti_guile_make_handle (&object_type, held, FALSE);
}

gboolean
tti_object_is_handle (SCM value)
{
  return tti_guile_is_handle (&object_type, value);
}

PyObject *
tti_object_from_handle (SCM handle, guint64 serial, gboolean *fresh)
{
  Held *held = tti_guile_from_handle (&object_type, handle, 1, "python-send");

  if (fresh != NULL)
    {
      *fresh = held->generator && held->serial != serial;
      held->serial = serial;
    }
  return held->object;
}

SCM
tti_object_to_vector (PyObject *array, gpointer data, gsize count, int kind)
{
  SCM owner
    = tti_guile_make_handle (&array_type, held_new (array, count * tti_number_size ((TtiNumberKind) kind)), FALSE);

  return tti_guile_make_view (data, count, tti_guile_get_kind_symbol ((TtiNumberKind) kind), owner);
}

void
tti_object_let_go_of_value (SCM value)
{
  Held *held = held_new (NULL, 0);

  held->value = value;
  held_release (held);
}

void
tti_object_drain (void)
{
  if (G_LIKELY (__atomic_load_n (&let_go, __ATOMIC_RELAXED) == NULL))
    return;
  Held *held = __atomic_exchange_n (&let_go, NULL, __ATOMIC_ACQUIRE);

  while (held != NULL)
    {
      Held *next = held->next;

      if (held->object != NULL)
        tti_py.Py_DecRef (held->object);
      else
        scm_gc_unprotect_object (held->value);
      g_free (held);
      held = next;
    }
}

void
tti_object_collect_if_due (void)
{
  gsize shown = __atomic_load_n (&shown_bytes, __ATOMIC_RELAXED), before = __atomic_load_n (&shown_at_collection, __ATOMIC_RELAXED);

  if (shown > before && shown - before > MAX (COLLECT_AFTER, before / 2))
    {
      scm_gc ();
      scm_run_finalizers ();
    }
  else if (shown >= before)
    return;
  __atomic_store_n (&shown_at_collection, __atomic_load_n (&shown_bytes, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}
