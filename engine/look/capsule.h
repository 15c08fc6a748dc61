/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Capsules: all that a task was run with, in a file, so that it can be run again alone.
 *
 * A capsule has facts (keys and texts, such as "task", "error", "environment:HOME") and parts: what the worker had to hold, in the order in
 * which it was held, and last the request. A part is a payload with its vectors. The file is of one version of Tutti and one kind of
 * machine: numbers are as they are in memory. */
#pragma once
#include "transport/payload.h"

typedef enum { TTI_CAPSULE_REQUEST, TTI_CAPSULE_GIVEN, TTI_CAPSULE_MADE } TtiCapsulePart;

/* --- writing ----------------------------------------------------------------------------------------------------------------- */

typedef struct _TtiCapsuleWriter TtiCapsuleWriter;

/* Into memory without a name, MOST bytes at most. Errors: those of memory. */
TtiCapsuleWriter *tti_capsule_writer_new (gsize most, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_capsule_writer_add_fact (TtiCapsuleWriter *writer, const char *key, const char *text); /* before all parts */
/* PAYLOAD as the part KIND with the number ID of a held object. */
void tti_capsule_writer_add (TtiCapsuleWriter *writer, TtiCapsulePart kind, guint64 id, TtiPayload *payload);
/* A descriptor of the whole, the caller's; frees WRITER. -1 with ERROR: TUTTI_ERROR_LIMIT if it would have more than MOST bytes, which the
 * message names; TUTTI_ERROR_ARGUMENT if contents are elsewhere. */
int tti_capsule_writer_finish (TtiCapsuleWriter *writer, GError **error);

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  TtiCapsulePart kind;
  guint64 id;
  TtiPayload *payload;
} TtiCapsuleItem;

typedef struct
{
  GHashTable *facts;   /* of char * */
  GPtrArray *parts;    /* of TtiCapsuleItem *, the request is the last */
} TtiCapsule;

/* The facts of the capsule in FD, of char *. NULL: it is none. */
GHashTable *tti_capsule_read_facts (int fd);
/* That in the file PATH. Errors: the file's; TUTTI_ERROR_PROTOCOL if it is none, or cut. */
TtiCapsule *tti_capsule_read (const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_capsule_free (TtiCapsule *capsule); /* NULL is fine */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiCapsule, tti_capsule_free)
