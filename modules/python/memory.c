/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "python/memory.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-vector.h"
#include "python/object.h"
#include <string.h>

typedef struct
{
  TtiVector *vector; /* a shared vector: NULL for others */
  SCM scheme;        /* a private one, while the call runs */
  SCM kept;          /* what holds the contents that Python has kept; SCM_UNDEFINED: nothing */
  void *data;
  gsize size;
  gboolean read_only;
  gsize exports;     /* how many arrays and the like are over it */
  PyObject *next;    /* in the list of the call */
} Memory;

static PyObject *memory_type, *buffer_error;
static gsize memory_offset; /* what CPython has at the beginning of each object */

static Memory *
memory_of (PyObject *object)
{
  return (Memory *) (gpointer) ((char *) object + memory_offset);
}

static int
memory_get_buffer (PyObject *object, Py_buffer *view, int flags)
{
  Memory *memory = memory_of (object);

  if ((flags & PyBUF_WRITABLE) && memory->read_only)
    {
      view->obj = NULL;
      tti_py.PyErr_SetString (buffer_error, "this vector can only be read: its task shares it with others");
      return -1;
    }
  if (tti_py.PyBuffer_FillInfo (view, object, memory->data, (Py_ssize_t) memory->size, memory->read_only, flags) < 0)
    return -1;
  memory->exports++;
  return 0;
}

static void
memory_release_buffer (PyObject *object, Py_buffer *view)
{
  (void) view;
  memory_of (object)->exports--;
}

static void
memory_dealloc (PyObject *object)
{
  Memory *memory = memory_of (object);

  tti_vector_unref (memory->vector);
  if (!SCM_UNBNDP (memory->kept))
    tti_object_let_go_of_value (memory->kept);
  tti_py.PyObject_Free (object);
  tti_py.Py_DecRef (memory_type);
}

/* The size of a plain object. */
static gboolean
find_offset (PyObject *builtins)
{
  PyObject *plain = tti_py.PyObject_GetAttrString (builtins, "object");
  PyObject *size = plain != NULL ? tti_py.PyObject_GetAttrString (plain, "__basicsize__") : NULL;
  int overflow;

  if (size != NULL)
    {
      memory_offset = (gsize) tti_py.PyLong_AsLongLongAndOverflow (size, &overflow);
      memory_offset = (memory_offset + 15) & ~(gsize) 15;
      tti_py.Py_DecRef (size);
    }
  if (plain != NULL)
    tti_py.Py_DecRef (plain);
  return size != NULL;
}

gboolean
tti_memory_init (void)
{
  PyObject *builtins = tti_py.PyImport_ImportModule ("builtins");

  if (builtins == NULL || !find_offset (builtins))
    return FALSE;
  PyType_Slot slots[] = { { Py_bf_getbuffer, (void *) memory_get_buffer },
                          { Py_bf_releasebuffer, (void *) memory_release_buffer },
                          { Py_tp_dealloc, (void *) memory_dealloc },
                          { 0, NULL } };
  PyType_Spec spec = { "tutti.Vector", (int) (memory_offset + sizeof (Memory)), 0,
                       Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots };

  buffer_error = tti_py.PyObject_GetAttrString (builtins, "BufferError");
  memory_type = tti_py.PyType_FromSpec (&spec);
  tti_py.Py_DecRef (builtins);
  return buffer_error != NULL && memory_type != NULL;
}

gboolean
tti_memory_can_show (SCM vector)
{
  TtiVector *shared = tti_guile_find_vector (vector);

  return (shared != NULL && tti_vector_is_received (shared)) || tti_guile_can_leave_contents (vector);
}

PyObject *
tti_memory_new (SCM vector, PyObject *next)
{
  PyObject *object = tti_py.PyType_GenericAlloc (memory_type, 0);

  if (object == NULL)
    return NULL;
  Memory *memory = memory_of (object);

  memory->vector = tti_guile_find_vector (vector);
  if (memory->vector != NULL)
    tti_vector_ref (memory->vector);
  memory->scheme = vector;
  memory->kept = SCM_UNDEFINED;
  memory->data = SCM_BYTEVECTOR_CONTENTS (vector);
  memory->size = SCM_BYTEVECTOR_LENGTH (vector);
  memory->read_only = !tti_guile_is_mutable_bytevector (vector);
  memory->next = next;
  return object;
}

/* Python has kept an array over the memory. FALSE: what it has kept would change under it. */
static gboolean
keep (Memory *memory, GError **error)
{
  gboolean received = memory->vector != NULL && tti_vector_is_received (memory->vector);

  if (received)
    return tti_vector_keep_contents (memory->vector, error);
  /* Nobody but Scheme itself writes to the rest. */
  memory->kept = scm_gc_protect_object (tti_guile_leave_contents (memory->scheme));
  return TRUE;
}

gboolean
tti_memory_settle (PyObject *last, GError **error)
{
  gboolean settled = TRUE;

  while (last != NULL)
    {
      Memory *memory = memory_of (last);
      PyObject *next = memory->next;

      if (memory->exports > 0 && settled)
        settled = keep (memory, error);
      memory->next = NULL;
      memory->scheme = SCM_UNDEFINED;
      tti_py.Py_DecRef (last);
      last = next;
    }
  return settled;
}
