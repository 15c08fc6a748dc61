/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values that are the same for all tasks: protected as far as that can be done, copied or watched where it cannot.
 *
 * Guile guards vectors, strings and bit vectors that are marked, in the virtual machine and in C. It marks bytevectors too, but compiled
 * code writes to them without looking: so those of a worker are in memory that is mapped read-only. Pairs, hash tables, records and the
 * variables of closures are not guarded at all: they are the *parts* of a value. */
#pragma once
#include "bindings/guile-encoder.h"
#include "bindings/guile-handle.h"

/* Memory for small vectors of numbers, which is written to until all of it is protected. */
struct _TtiFreezer
{
  SCM chunks;   /* list of handles: the last one first */
  guint8 *next; /* what is left of that */
  gsize left;
};

/* A vector of KIND with the SIZE bytes (> 0) of DATA. */
SCM tti_guile_freezer_numbers (TtiFreezer *freezer, TtiNumberKind kind, gconstpointer data, gsize size);

/* Protect all that was put there. */
void tti_guile_freezer_finish (TtiFreezer *freezer);

/* Define the primitives of guile-frozen.c in the current module. */
void tti_guile_init_frozen (void);
