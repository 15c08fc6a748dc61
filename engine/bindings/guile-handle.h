/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Handles: objects of Scheme that own one thing of the engine.
 *
 * They are smobs, although Guile's manual prefers foreign objects: the first foreign object type loads GOOPS, which no part of Tutti
 * uses and which takes a third of the time in which a worker could be ready. */
#pragma once
#include <glib.h>
#include <libguile.h>

/* A type of handles: a static variable, whose first three members the file that owns the type sets. */
typedef struct
{
  const char *name;              /* as it is printed: "<task>" */
  const char *what;              /* as messages say it: "task" */
  void (*release) (gpointer thing); /* NULL: its owner empties each handle itself */
  scm_t_bits tag;
  gboolean late;                 /* RELEASE may come some time later than the collector could call it: see below */
} TtiHandleType;

/* Late release: to make a finaliser for each handle, and to call it, takes as long as half of what a small task takes. What a late type
 * owns is released when later handles of such types are made, the memory of which the collector finds where the earlier ones were. So
 * things of late types are small; what becomes large is released in time from then on by tti_guile_release_in_time (). */

/* Make TYPE known to Guile, once per process. RELEASE gets the thing of a handle that nothing refers to any more, in whatever thread
 * the collector runs its finalisers: it may drop a reference, and must not wait for anything or enter Guile. */
void tti_guile_define_handle_type (TtiHandleType *type);

/* A handle that owns THING. FLAG is the owner's to use; handles of late types have none. */
SCM tti_guile_make_handle (const TtiHandleType *type, gpointer thing, gboolean flag);

/* TRUE if OBJECT, which may be anything, is a handle of TYPE. */
gboolean tti_guile_is_handle (const TtiHandleType *type, SCM object);

/* The thing that OBJECT owns, NULL if it was taken; it lives as long as OBJECT. Raises wrong-type-arg as WHO, for its argument number
 * POSITION (from 1; 0: unknown), if that is no handle of TYPE. */
gpointer tti_guile_from_handle (const TtiHandleType *type, SCM object, int position, const char *who);

/* What OBJECT, a handle of a late type, owns is released as soon as the collector finds that nothing refers to OBJECT. Any number of times,
 * from any thread. */
void tti_guile_release_in_time (SCM object);

/* Take what OBJECT, a handle, owns: it owns NULL from now on. */
gpointer tti_guile_empty_handle (SCM object);

/* The flag of OBJECT, which is a handle. */
gboolean tti_guile_get_handle_flag (SCM object);
