/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors of Scheme as Python sees them: objects of the buffer protocol, over which numpy makes arrays.
 *
 * While a call runs, its vectors are alive anyway. An array that Python keeps for longer keeps this object, which then owns what is under
 * it: the lease of a shared vector (nobody else's writes show in it any more), or the old contents of a private one (the vector goes on
 * with a copy). So the bytes that Python keeps are never recycled, unmapped, or written by others. */
#pragma once
#include "python/library.h"
#include <libguile.h>

/* Make the type known to Python. FALSE: a Python exception is set. */
gboolean tti_memory_init (void);

/* Can Python be shown the memory of the bytevector VECTOR itself? FALSE: it has to be copied, because it is a part of another's. */
gboolean tti_memory_can_show (SCM vector);

/* A new object over the bytevector VECTOR, which the caller keeps alive until it settles the object; NULL: a Python exception is set. NEXT:
 * the caller's list of such objects. */
PyObject *tti_memory_new (SCM vector, PyObject *next);

/* The call is over: let each object of the list of which LAST is the last one made own what Python has kept of it, and drop the caller's
 * references. FALSE: there was no memory for that, so that what Python has kept may change. */
gboolean tti_memory_settle (PyObject *last, GError **error);
