/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values as bytes: a writer and the one decoder.
 *
 * A value is a tree in pre-order. Every item is a tag byte, then its data (little-endian, unaligned; counts as unsigned LEB128 of
 * at most 10 bytes). Composite items say how many items follow. There are no back references, hence no cycles, and a reader needs
 * no recursion: tti_reader_next () gives item after item and keeps the stack of open counts itself. A reader trusts nothing:
 * every length is checked against the bytes that remain before anybody allocates (a count of n items needs at least n more bytes),
 * text is valid UTF-8, unknown tags and trailing bytes are refused. bindings/ decides what the numbers mean to a language (which
 * record type, which procedure). */
#pragma once
#include "transport/payload.h"

typedef enum
{
  TTI_ITEM_NIL = 1,     /* the empty list */
  TTI_ITEM_FALSE,
  TTI_ITEM_TRUE,
  TTI_ITEM_UNSPECIFIED,
  TTI_ITEM_UNDEFINED,   /* end-of-file object, #<undefined> and friends: .integer says which */
  TTI_ITEM_INTEGER,     /* .integer */
  TTI_ITEM_BIG_INTEGER, /* .bytes: little-endian magnitude; .kind 1: negative */
  TTI_ITEM_RATIONAL,    /* two items follow: numerator, denominator (integers) */
  TTI_ITEM_REAL,        /* .real */
  TTI_ITEM_COMPLEX,     /* .real, .imaginary */
  TTI_ITEM_CHARACTER,   /* .integer: a Unicode scalar value */
  TTI_ITEM_STRING,      /* .bytes: UTF-8, without a final NUL */
  TTI_ITEM_SYMBOL,
  TTI_ITEM_KEYWORD,
  TTI_ITEM_LIST,        /* .count items follow */
  TTI_ITEM_DOTTED,      /* .count items, then one more: the tail of an improper list */
  TTI_ITEM_VECTOR,      /* .count items follow */
  TTI_ITEM_LIST_RUN,    /* a list of .count numbers of .kind (INTEGER: int64, REAL: double), packed in .bytes */
  TTI_ITEM_VECTOR_RUN,  /* the same as a vector */
  TTI_ITEM_NUMBERS,     /* a homogeneous vector of .kind (TtiNumberKind), contents in .bytes */
  TTI_ITEM_ATTACHED,    /* the same, contents are the payload's vector number .index; .count elements */
  TTI_ITEM_ARRAY,       /* .count dimensions: 2 x .count INTEGER items (lower, upper bound), then the contents (one item) */
  TTI_ITEM_TABLE,       /* a hash table of .count entries, 2 x .count items: key, value; .kind: equal, eqv, eq */
  TTI_ITEM_EXTENSION,   /* .count items follow; .kind: what they mean (bindings) */
  TTI_ITEM_HELD,        /* .integer: the id of an object that the worker holds */
  TTI_ITEM_EMBEDDED,    /* a reader never returns it, but continues with the embedded value (payload.h) */
  TTI_ITEM_JOIN,        /* a reader never returns it; starts the bytes of a joined payload */
} TtiItemTag;

typedef enum
{
  TTI_NUMBER_U8, TTI_NUMBER_S8, TTI_NUMBER_U16, TTI_NUMBER_S16, TTI_NUMBER_U32, TTI_NUMBER_S32,
  TTI_NUMBER_U64, TTI_NUMBER_S64, TTI_NUMBER_F32, TTI_NUMBER_F64, TTI_NUMBER_C32, TTI_NUMBER_C64,
  TTI_NUMBER_VU8,      /* a plain bytevector */
  TTI_NUMBER_BIT,      /* a bit vector: .count bits, packed, least significant first */
  TTI_NUMBER_LAST = TTI_NUMBER_BIT
} TtiNumberKind;

/* Receivers must not change the contents of extensions of these kinds. */
#define TTI_EXTENSION_FROZEN 0x80

/* Bytes per element of KIND; 0 for TTI_NUMBER_BIT. */
gsize tti_number_size (TtiNumberKind kind);

typedef struct
{
  TtiItemTag tag;
  guint8 kind;
  gboolean shared;    /* NUMBERS: those of a shared vector, which a task must not write to */
  guint64 count;      /* items or elements */
  guint32 index;      /* ATTACHED: number in the reader's payload (also inside embedded values) */
  gint64 integer;
  double real, imaginary;
  const guint8 *bytes; /* into the payload: valid while it lives; not aligned */
  gsize n_bytes;
} TtiItem;

/* --- writing ------------------------------------------------------------------------------------------------------------- */
typedef struct _TtiWriter TtiWriter;

/* An empty writer. */
TtiWriter *tti_writer_new (void);
void tti_writer_free (TtiWriter *writer); /* NULL is fine */

void tti_writer_constant (TtiWriter *writer, TtiItemTag tag); /* NIL FALSE TRUE UNSPECIFIED RATIONAL */
/* Each appends the item of its name. */
void tti_writer_undefined (TtiWriter *writer, gint64 which);
void tti_writer_integer (TtiWriter *writer, gint64 value);
void tti_writer_big_integer (TtiWriter *writer, gboolean negative, const guint8 *magnitude, gsize n_bytes);
void tti_writer_real (TtiWriter *writer, double value);
void tti_writer_complex (TtiWriter *writer, double real, double imaginary);
void tti_writer_character (TtiWriter *writer, guint32 code);
void tti_writer_text (TtiWriter *writer, TtiItemTag tag, const char *utf8, gsize n_bytes); /* STRING SYMBOL KEYWORD */
void tti_writer_open (TtiWriter *writer, TtiItemTag tag, guint8 kind, guint64 count); /* LIST DOTTED VECTOR ARRAY TABLE EXTENSION */
/* A run of COUNT 8-byte numbers. Returns their place: fill it before the next call on WRITER. TAG: LIST_RUN, VECTOR_RUN; KIND:
 * TTI_ITEM_INTEGER, TTI_ITEM_REAL. Not aligned: use memcpy. */
gpointer tti_writer_run (TtiWriter *writer, TtiItemTag tag, TtiItemTag kind, guint64 count);
/* COUNT numbers, by value. SHARED: they are those of a shared vector. */
void tti_writer_numbers (TtiWriter *writer, TtiNumberKind kind, gboolean shared, gconstpointer data, guint64 count);
/* COUNT numbers that travel beside the bytes; the writer takes its own reference to VECTOR. If the same vector is appended twice,
 * it travels once. */
void tti_writer_attach (TtiWriter *writer, TtiNumberKind kind, TtiVector *vector, guint64 count, TtiTravel travel);
void tti_writer_held (TtiWriter *writer, guint64 id);
void tti_writer_embedded (TtiWriter *writer, guint32 k);

gsize tti_writer_get_size (TtiWriter *writer); /* bytes written so far */

/* Return the payload; the writer is empty afterwards. */
TtiPayload *tti_writer_finish (TtiWriter *writer) G_GNUC_WARN_UNUSED_RESULT;

/* --- reading ------------------------------------------------------------------------------------------------------------- */
typedef struct _TtiReader TtiReader;

/* A reader of PAYLOAD, of which it takes a reference. */
TtiReader *tti_reader_new (TtiPayload *payload);
void tti_reader_free (TtiReader *reader); /* NULL is fine */

/* The next item in *ITEM. FALSE with ERROR set (TUTTI_ERROR_PROTOCOL; the message has the offset and what is wrong) if the
 * bytes are not well-formed; FALSE without an error after the last item of the value. After FALSE the reader stays there. */
gboolean tti_reader_next (TtiReader *reader, TtiItem *item, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiWriter, tti_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiReader, tti_reader_free)
