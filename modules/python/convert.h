/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values of Scheme as values of Python, and back. doc/python.texi has the table.
 *
 *   exact integer   int              string, symbol, character   str          vector of numbers, array of them   numpy.ndarray
 *   exact fraction  Fraction         list                        list         bit vector                         ndarray of bool
 *   real            float            vector                      tuple        bytevector                         bytes
 *   complex         complex          hash table                  dict         unspecified                        None
 *   boolean         bool             Python object               what it is
 *
 * All with the GIL, and in Guile's mode. Nothing here raises an exception of Scheme's. */
#pragma once
#include "python/library.h"
#include <libguile.h>

/* What is known of one call. */
typedef struct
{
  PyObject *memories; /* tti_memory_settle () gets them */
  guint64 serial, seed; /* of the task */
  /* What could not be converted: WHERE is "argument 2, item 3", or empty; VALUE that of Scheme, TYPE that of Python, UTF-8. Both are
   * owned. WHY: what else to say, static; or NULL. */
  char *where, *type;
  const char *why;
  SCM value;
} TtiConversion;

/* Where in a value a part of it is. */
typedef struct _TtiPlace TtiPlace;
struct _TtiPlace
{
  const TtiPlace *outer; /* NULL: none */
  const char *what;      /* "argument", "item", "value of key" */
  gsize number;          /* shown where KEY is NULL */
  const char *key;
};

/* Look up what of numpy and of tutti_support.py is used. FALSE: a Python exception is set. */
gboolean tti_convert_init (PyObject *support);

/* VALUE as a new reference. NULL: CONVERSION says what cannot be converted, or else a Python exception is set. */
PyObject *tti_to_python (TtiConversion *conversion, SCM value, const TtiPlace *place);

/* The value of OBJECT, of which it takes over the reference; SCM_UNDEFINED: as above. */
SCM tti_from_python (TtiConversion *conversion, PyObject *object);

/* numpy's arrays (numbers.c). VECTOR: a bytevector of numbers. ARRAY: an array over one. */
PyObject *tti_numbers_to_python (TtiConversion *conversion, SCM vector, const TtiPlace *place);
PyObject *tti_array_to_python (TtiConversion *conversion, SCM array, const TtiPlace *place);
PyObject *tti_bits_to_python (TtiConversion *conversion, SCM bitvector, const TtiPlace *place);
/* OBJECT, not taken over, which has a buffer. EXCLUSIVE: nobody but us and what we convert refers to it. SCM_UNDEFINED without a problem
 * and without an exception: simplify it first. */
SCM tti_numbers_from_python (TtiConversion *conversion, PyObject *object, gboolean exclusive, const TtiPlace *place);

/* Do only N references to OBJECT exist? */
gboolean tti_has_references (PyObject *object, guint n);

/* Note that OBJECT cannot be converted. Returns SCM_UNDEFINED. */
SCM tti_refuse_from_python (TtiConversion *conversion, PyObject *object, const TtiPlace *place, const char *why);
PyObject *tti_refuse_to_python (TtiConversion *conversion, SCM value, const TtiPlace *place, const char *why);
