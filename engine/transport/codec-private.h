/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What writer and reader agree on. After the tag byte:
 *
 *   NIL FALSE TRUE UNSPECIFIED RATIONAL   nothing
 *   UNDEFINED INTEGER REAL HELD           8 bytes
 *   COMPLEX                               16 bytes
 *   CHARACTER                             4 bytes
 *   BIG_INTEGER                           sign byte, count, as many bytes
 *   STRING SYMBOL KEYWORD                 count, as many bytes
 *   LIST DOTTED VECTOR ARRAY              count
 *   TABLE EXTENSION                       kind byte, count
 *   LIST_RUN VECTOR_RUN                   kind byte, count, 8 bytes each
 *   NUMBERS                               kind byte (with SHARED_NUMBERS or without), count, the numbers
 *   ATTACHED                              kind byte, index, count
 *   EMBEDDED                              index
 *   JOIN                                  see tti_payload_join () */
#pragma once
#include "transport/codec.h"

/* Numbers are copied as they are in memory. */
G_STATIC_ASSERT (G_BYTE_ORDER == G_LITTLE_ENDIAN);

enum { TTI_COUNT_MAX_BYTES = 10 };

static inline guint8 *
tti_count_put (guint8 *to, guint64 count)
{
  for (; count >= 0x80; count >>= 7)
    *to++ = (guint8) (count | 0x80);
  *to++ = (guint8) count;
  return to;
}

enum { SHARED_NUMBERS = 0x80 };

/* Bytes of COUNT numbers of KIND in *SIZE; FALSE if that overflows. */
static inline gboolean
tti_numbers_size (TtiNumberKind kind, guint64 count, gsize *size)
{
  if (kind == TTI_NUMBER_BIT)
    {
      *size = (gsize) (count / 8 + (count % 8 != 0));
      return TRUE;
    }
  return g_size_checked_mul (size, (gsize) count, tti_number_size (kind));
}

/* Was PAYLOAD made by tti_payload_join (), or does it say so? */
/* Was PAYLOAD made by tti_payload_join ()? */
gboolean tti_payload_is_joined (TtiPayload *payload);
