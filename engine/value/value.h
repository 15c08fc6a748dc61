/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values as programs in C see them, and their way into payloads and back.
 *
 * A value is a tree, which is never changed. Of one that arrived, text, runs of numbers and the contents of vectors are where they are in
 * its payload, of which the value has a reference. Trees may be deep: nothing here is recursive. */
#pragma once
#include "value/vector.h"

struct _TuttiValue
{
  gatomicrefcount refs;
  guint8 type;          /* TuttiValueType */
  guint8 run;           /* of a list: TTI_ITEM_INTEGER or TTI_ITEM_REAL if it is a run of numbers in .bytes; 0: it has .items */
  gsize n;              /* items of a list, pairs of a table, bytes of a text */
  union
  {
    gboolean boolean;
    gint64 integer;
    struct { double real, imaginary; };
    struct
    {
      const char *bytes;  /* of text, or of a run: in the payload, or in .text */
      char *text;         /* atomic: with a NUL; NULL until it is asked for. Of a TUTTI_VALUE_OTHER: what it is */
    };
    TuttiValue **items;   /* of a list, or of a table: key, value, key, value ... */
    TuttiVector *vector;
  };
  TtiPayload *payload;  /* the one in which its bytes are, or NULL */
  gboolean whole;       /* it is all of that payload */
  TuttiValue *next;     /* while it is freed */
};

/* The same, for what frees them automatically on this side of the public API. */
typedef TuttiValue TtiValue;
typedef TuttiVector TtiTypedVector;

/* One whose contents the caller sets; zeroed. */
TuttiValue *tti_value_new (TuttiValueType type);
TuttiValue *tti_value_get_null (void); /* a reference of the one value that means that there is none */
TuttiValue *tti_value_ref (TuttiValue *value);
void tti_value_unref (TuttiValue *value); /* NULL is fine */

/* Item INDEX (less than n; of a table less than 2 n), as a new reference. */
TuttiValue *tti_value_get_item (TuttiValue *value, gsize index);

/* Append VALUE. TUTTI_ERROR_ARGUMENT, with the place, for a TUTTI_VALUE_OTHER inside another value. */
gboolean tti_value_write (TuttiValue *value, TtiWriter *writer, GError **error);
/* VALUE as a payload. Errors as above. */
TtiPayload *tti_value_encode (TuttiValue *value, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The value in PAYLOAD, of which a reference is taken. TUTTI_ERROR_PROTOCOL: it is not well-formed. */
TuttiValue *tti_value_decode (TtiPayload *payload, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The value that begins with ITEM, which READER of PAYLOAD has just returned. */
TuttiValue *tti_value_read (TtiReader *reader, TtiPayload *payload, const TtiItem *item, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ERROR, which a function on a worker has set, as the payload of an exception; and back. */
TtiPayload *tti_value_encode_error (const GError *error);
GError *tti_value_decode_error (TtiPayload *payload);
/* The text of the exception that PAYLOAD describes, in C or in Scheme; NULL: there is none. Free with g_free. */
char *tti_value_exception_text (TtiPayload *payload);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiValue, tti_value_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiTypedVector, tti_typed_vector_unref)
