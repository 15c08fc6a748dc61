/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Messages (transport/transport.h) as bytes on a link: frame, table, encoded value, and the contents of short vectors; longer vectors are
 * numbers, whose contents travel apart. */
#pragma once
#include "transport/transport.h"

/* The number under which VECTOR, which the other side is to see as TRAVEL, is known there; 0 with ERROR. */
typedef guint64 (*TtiNumberOf) (TtiVector *vector, TtiTravel travel, gpointer user_data, GError **error);
/* The vector with NUMBER, which is to have SIZE bytes, as a reference; NULL with ERROR. */
typedef TtiVector *(*TtiVectorOf) (guint64 number, guint64 size, TtiTravel travel, gpointer user_data, GError **error);

/* Errors: TUTTI_ERROR_LIMIT, and those of NUMBER_OF. */
GBytes *tti_message_to_bytes (const TtiMessage *message, TtiNumberOf number_of, gpointer user_data, GError **error);
/* TRUSTED: as of transports. Errors: TUTTI_ERROR_PROTOCOL, and those of VECTOR_OF. */
gboolean tti_message_from_bytes (TtiMessage *message, GBytes *bytes, gboolean trusted, TtiVectorOf vector_of, gpointer user_data,
                                 GError **error);
