/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A payload: the bytes of one encoded value (codec.h) and the vectors that these bytes refer to by number. Immutable and
 * counted, so that a request can be sent again to another worker, and a result can become part of another request. */
#pragma once
#include "transport/vector.h"

typedef struct _TtiPayload TtiPayload;

/* The most bytes that are in the memory of the payload itself: there may be millions of payloads. */
#define TTI_PAYLOAD_SMALL 256

/* Takes BYTES and, if not NULL, the array of VECTORS (of TtiVector, with tti_vector_unref as its free function) together
 * with TRAVELS (one TtiTravel per vector, as a GArray of guint8; NULL: all shared). */
TtiPayload *tti_payload_new (GBytes *bytes, GPtrArray *vectors, GArray *travels);

/* The same with a copy of the SIZE bytes at DATA. */
TtiPayload *tti_payload_new_copy (gconstpointer data, gsize size, GPtrArray *vectors, GArray *travels);

/* REQUEST with the values of its dependencies in it: wherever REQUEST has the item TTI_ITEM_EMBEDDED k, a reader of the new
 * payload finds the value of DEPENDENCIES[k]. This only copies bytes, and decodes nothing. */
TtiPayload *tti_payload_join (TtiPayload *request, TtiPayload *const *dependencies, guint n_dependencies);

TtiPayload *tti_payload_ref (TtiPayload *payload);
void tti_payload_unref (TtiPayload *payload); /* NULL is fine */

gconstpointer tti_payload_get_data (TtiPayload *payload, gsize *size); /* its bytes, which are its own, and how many */
gsize tti_payload_get_n_bytes (TtiPayload *payload);     /* how many that are, without its vectors */
guint tti_payload_get_n_vectors (TtiPayload *payload);  /* how many vectors its bytes may refer to */
TtiVector *tti_payload_get_vector (TtiPayload *payload, guint index, TtiTravel *travel); /* owned by the payload */
gsize tti_payload_get_size (TtiPayload *payload);        /* bytes and vectors together, for reports */
gsize tti_payload_get_usage (TtiPayload *payload);       /* what its vectors keep in use: whole storages, each counted once */

/* Equal bytes, and vectors of equal contents. */
gboolean tti_payload_is_equal (TtiPayload *one, TtiPayload *other);
/* A hash, equal for equal payloads, of samples of their bytes and of the present contents of their vectors. */
guint tti_payload_hash (TtiPayload *payload);
/* A version of PAYLOAD to keep. If SNAPSHOT, nobody else in this process can write to its vectors: those that it shares with others
 * are copied. If READ_ONLY, the other side cannot write to any of them either. NULL if there is not enough memory. */
TtiPayload *tti_payload_freeze (TtiPayload *payload, gboolean snapshot, gboolean read_only, GError **error);
/* Call VISIT for each vector that the payload shares with other readers or writers. */
void tti_payload_foreach_shared (TtiPayload *payload, void (*visit) (TtiVector *));

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiPayload, tti_payload_unref)
