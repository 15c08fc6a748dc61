/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A payload: the bytes of one encoded value (codec.h) and the vectors that these bytes refer to by number. Immutable and
 * counted, so that a request can be sent again to another worker, and a result can become part of another request. */
#pragma once
#include "transport/vector.h"

typedef struct _TuttiPayload TuttiPayload;

/* Takes BYTES and, if not NULL, the array of VECTORS (of TuttiVector, with tutti_vector_unref as its free function) together
 * with TRAVELS (one TuttiTravel per vector, as a GArray of guint8; NULL: all shared). */
TuttiPayload *tutti_payload_new (GBytes *bytes, GPtrArray *vectors, GArray *travels);

/* REQUEST with the values of its dependencies in it: wherever REQUEST has the item TUTTI_ITEM_EMBEDDED k, a reader of the new
 * payload finds the value of DEPENDENCIES[k]. This only copies bytes, and decodes nothing. */
TuttiPayload *tutti_payload_join (TuttiPayload *request, TuttiPayload *const *dependencies, guint n_dependencies);

TuttiPayload *tutti_payload_ref (TuttiPayload *payload);
void tutti_payload_unref (TuttiPayload *payload); /* NULL is fine */

GBytes *tutti_payload_get_bytes (TuttiPayload *payload);     /* owned by the payload */
guint tutti_payload_get_n_vectors (TuttiPayload *payload);  /* how many vectors its bytes may refer to */
TuttiVector *tutti_payload_get_vector (TuttiPayload *payload, guint index, TuttiTravel *travel); /* owned by the payload */
gsize tutti_payload_get_size (TuttiPayload *payload);        /* bytes and vectors together, for reports */

/* Equal bytes, and vectors of equal contents. */
gboolean tutti_payload_is_equal (TuttiPayload *one, TuttiPayload *other);
/* A hash, equal for equal payloads, of samples of their bytes and of the present contents of their vectors. */
guint tutti_payload_hash (TuttiPayload *payload);
/* A version of PAYLOAD to keep. If SNAPSHOT, nobody else in this process can write to its vectors: those that it shares with others
 * are copied. If READ_ONLY, the other side cannot write to any of them either. NULL if there is not enough memory. */
TuttiPayload *tutti_payload_freeze (TuttiPayload *payload, gboolean snapshot, gboolean read_only, GError **error);
/* Call VISIT for each vector that the payload shares with other readers or writers. */
void tutti_payload_foreach_shared (TuttiPayload *payload, void (*visit) (TuttiVector *));

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiPayload, tutti_payload_unref)
