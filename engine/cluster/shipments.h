/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What an agent has been sent of this process's vectors, and under which numbers: so that contents cross the network once for all of its
 * workers.
 *
 * A vector that is sent again is the same as before as long as it was borrowed without a break (tti_vector_get_borrow ()): nobody may
 * write to it meanwhile. So what is not used by a task or held object any more stays with the agent for a while, as long as there is not
 * too much of it.
 *
 * No lock of its own: the node's guards it. */
#pragma once
#include "transport/vector.h"

typedef struct _TtiShipments TtiShipments;

/* DROP tells the agent to forget a number. */
TtiShipments *tti_shipments_new (void (*drop) (guint64 number, gpointer user_data), gpointer user_data);
void tti_shipments_free (TtiShipments *shipments); /* without telling the agent; NULL is fine */

/* A new number, for anything that is told apart by numbers. */
guint64 tti_shipments_next (TtiShipments *shipments);

/* The number under which the agent has the contents of VECTOR, with a use of it for the caller. *FRESH: it is new, and they are to be
 * sent. */
guint64 tti_shipments_use (TtiShipments *shipments, TtiVector *vector, gboolean *fresh);
/* A use ends. */
void tti_shipments_unuse (TtiShipments *shipments, guint64 number);
