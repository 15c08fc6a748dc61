/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors that a task writes into, where the two ends of a transport share no memory.
 *
 * A vector that travels as TTI_TRAVEL_WRITE goes to the worker as a size alone, and there it is a new one, of zeros. Both ends note it by
 * the task, in the order of the request. With the task's value come the contents, which the master's end puts into the vectors that it
 * has noted; an exception brings none. Each end forgets a task with its answer, the master's also when the task has ended in another way
 * (tti_transport_forget ()), and all with the transport. So the contents that a late answer brings have no place to go to.
 *
 * The vectors are kept alive until then. One thread at a time may use such notes, as with a transport. */
#pragma once
#include "transport/transport-private.h"

typedef struct _TtiDestinations TtiDestinations;

/* The notes of one end of a transport. */
TtiDestinations *tti_destinations_new (void);
void tti_destinations_free (TtiDestinations *destinations); /* NULL is fine */

/* Note those vectors of TASK that travel as TTI_TRAVEL_WRITE, if it has any, in place of what is noted under its number. */
void tti_destinations_note (TtiDestinations *destinations, const TtiMessage *task);

/* Forget the task with the number ID, if ATTEMPT is the one that was noted. Returns its vectors (of TtiVector); the caller frees the array.
 * NULL: there are none, or who asks is late. */
GPtrArray *tti_destinations_take (TtiDestinations *destinations, guint64 id, guint32 attempt);

/* Forget the task with the number ID, whichever attempt it is at. */
void tti_destinations_forget (TtiDestinations *destinations, guint64 id);

/* Do the N attachments of TABLE, which come with an answer, have the sizes of VECTORS (NULL: none)? If not, TUTTI_ERROR_PROTOCOL. */
gboolean tti_destinations_check (GPtrArray *vectors, const TtiAttachment *table, guint n, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiDestinations, tti_destinations_free)
