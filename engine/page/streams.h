/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Those who are sent what changes, as server-sent events: each event is a JSON object of page/state.h.
 *
 * Nothing is queued: who has not taken the last event is sent no other, and the next one has all that has changed since. */
#pragma once
#include "page/server.h"
#include "page/state.h"

typedef struct _TtiStreams TtiStreams;

TtiStreams *tti_streams_new (TtiPageState *state); /* which is the caller's */
void tti_streams_free (TtiStreams *streams);       /* they end; NULL is fine */
guint tti_streams_count (const TtiStreams *streams); /* that are open */

/* Answer MESSAGE with events from now on, the whole state first; or, if there are TTI_PAGE_MOST_STREAMS, that there are. */
void tti_streams_add (TtiStreams *streams, SoupServerMessage *message);

/* Send what has changed to all that have taken what they were sent. */
void tti_streams_send (TtiStreams *streams);

/* Send what has changed, and end: nobody is to be added any more. */
void tti_streams_end (TtiStreams *streams);
