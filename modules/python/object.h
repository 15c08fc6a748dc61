/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Objects of Python that Scheme holds: handles, and vectors over the memory of numpy's arrays. The collector runs finalisers in threads
 * of its own, which must not wait for the GIL: what they let go is dropped by the next call. */
#pragma once
#include "python/library.h"
#include <libguile.h>

void tti_object_init (void);

/* A handle of OBJECT, of which it takes over the reference. GENERATOR: it is a generator of random numbers. */
SCM tti_object_to_handle (PyObject *object, gboolean generator);

gboolean tti_object_is_handle (SCM value);

/* The object of HANDLE, owned by it. *FRESH, if not NULL: it is a generator that was not seeded for the task with the number SERIAL yet,
 * and is about to be. */
PyObject *tti_object_from_handle (SCM handle, guint64 serial, gboolean *fresh);

/* A vector of KIND over COUNT numbers at DATA, which belong to ARRAY, of which it takes over the reference. */
SCM tti_object_to_vector (PyObject *array, gpointer data, gsize count, int kind);

/* The other way round: VALUE was protected for Python (scm_gc_protect_object ()), which does not need it any more. From any thread. */
void tti_object_let_go_of_value (SCM value);

/* Drop what was let go. With the GIL. */
void tti_object_drain (void);

/* Collect in Scheme if much memory of Python's may be garbage of Scheme's. Without the GIL. */
void tti_object_collect_if_due (void);
