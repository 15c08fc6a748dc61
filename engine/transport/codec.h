/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values as bytes: a writer and the one decoder.
 *
 * A value is a tree in pre-order. Every item is a tag byte, then its data (little-endian, unaligned; counts as unsigned LEB128 of
 * at most 10 bytes). Composite items say how many items follow. There are no back references, hence no cycles, and a reader needs
 * no recursion: tutti_reader_next () gives item after item and keeps the stack of open counts itself. A reader trusts nothing:
 * every length is checked against the bytes that remain before anybody allocates (a count of n items needs at least n more bytes),
 * text is valid UTF-8, unknown tags and trailing bytes are refused. bindings/ decides what the numbers mean to a language (which
 * record type, which procedure). */
#pragma once
#include "transport/payload.h"

typedef enum
{
  TUTTI_ITEM_NIL = 1,     /* the empty list */
  TUTTI_ITEM_FALSE,
  TUTTI_ITEM_TRUE,
  TUTTI_ITEM_UNSPECIFIED,
  TUTTI_ITEM_UNDEFINED,   /* end-of-file object, #<undefined> and friends: .integer says which */
  TUTTI_ITEM_INTEGER,     /* .integer */
  TUTTI_ITEM_BIG_INTEGER, /* .bytes: little-endian magnitude; .kind 1: negative */
  TUTTI_ITEM_RATIONAL,    /* two items follow: numerator, denominator (integers) */
  TUTTI_ITEM_REAL,        /* .real */
  TUTTI_ITEM_COMPLEX,     /* .real, .imaginary */
  TUTTI_ITEM_CHARACTER,   /* .integer: a Unicode scalar value */
  TUTTI_ITEM_STRING,      /* .bytes: UTF-8, without a final NUL */
  TUTTI_ITEM_SYMBOL,
  TUTTI_ITEM_KEYWORD,
  TUTTI_ITEM_LIST,        /* .count items follow */
  TUTTI_ITEM_DOTTED,      /* .count items, then one more: the tail of an improper list */
  TUTTI_ITEM_VECTOR,      /* .count items follow */
  TUTTI_ITEM_LIST_RUN,    /* a list of .count numbers of .kind (INTEGER: int64, REAL: double), packed in .bytes */
  TUTTI_ITEM_VECTOR_RUN,  /* the same as a vector */
  TUTTI_ITEM_NUMBERS,     /* a homogeneous vector of .kind (TuttiNumberKind), contents in .bytes */
  TUTTI_ITEM_ATTACHED,    /* the same, contents are the payload's vector number .index; .count elements */
  TUTTI_ITEM_ARRAY,       /* .count dimensions: 2 x .count INTEGER items (lower, upper bound), then the contents (one item) */
  TUTTI_ITEM_TABLE,       /* a hash table of .count entries, 2 x .count items: key, value; .kind: equal, eqv, eq */
  TUTTI_ITEM_EXTENSION,   /* .count items follow; .kind: what they mean (bindings) */
  TUTTI_ITEM_HELD,        /* .integer: the id of an object that the worker holds */
  TUTTI_ITEM_EMBEDDED,    /* a reader never returns it, but continues with the embedded value (payload.h) */
  TUTTI_ITEM_JOIN,        /* a reader never returns it; starts the bytes of a joined payload */
} TuttiItemTag;

typedef enum
{
  TUTTI_NUMBER_U8, TUTTI_NUMBER_S8, TUTTI_NUMBER_U16, TUTTI_NUMBER_S16, TUTTI_NUMBER_U32, TUTTI_NUMBER_S32,
  TUTTI_NUMBER_U64, TUTTI_NUMBER_S64, TUTTI_NUMBER_F32, TUTTI_NUMBER_F64, TUTTI_NUMBER_C32, TUTTI_NUMBER_C64,
  TUTTI_NUMBER_VU8,      /* a plain bytevector */
  TUTTI_NUMBER_BIT,      /* a bit vector: .count bits, packed, least significant first */
  TUTTI_NUMBER_LAST = TUTTI_NUMBER_BIT
} TuttiNumberKind;

/* Receivers must not change the contents of extensions of these kinds. */
#define TUTTI_EXTENSION_FROZEN 0x80

/* Bytes per element of KIND; 0 for TUTTI_NUMBER_BIT. */
gsize tutti_number_size (TuttiNumberKind kind);

typedef struct
{
  TuttiItemTag tag;
  guint8 kind;
  gboolean shared;    /* NUMBERS: those of a shared vector, which a task must not write to */
  guint64 count;      /* items or elements */
  guint32 index;      /* ATTACHED: number in the reader's payload (also inside embedded values) */
  gint64 integer;
  double real, imaginary;
  const guint8 *bytes; /* into the payload: valid while it lives; not aligned */
  gsize n_bytes;
} TuttiItem;

/* --- writing ------------------------------------------------------------------------------------------------------------- */
typedef struct _TuttiWriter TuttiWriter;

/* An empty writer. */
TuttiWriter *tutti_writer_new (void);
void tutti_writer_free (TuttiWriter *writer); /* NULL is fine */

void tutti_writer_constant (TuttiWriter *writer, TuttiItemTag tag); /* NIL FALSE TRUE UNSPECIFIED RATIONAL */
/* Each appends the item of its name. */
void tutti_writer_undefined (TuttiWriter *writer, gint64 which);
void tutti_writer_integer (TuttiWriter *writer, gint64 value);
void tutti_writer_big_integer (TuttiWriter *writer, gboolean negative, const guint8 *magnitude, gsize n_bytes);
void tutti_writer_real (TuttiWriter *writer, double value);
void tutti_writer_complex (TuttiWriter *writer, double real, double imaginary);
void tutti_writer_character (TuttiWriter *writer, guint32 code);
void tutti_writer_text (TuttiWriter *writer, TuttiItemTag tag, const char *utf8, gsize n_bytes); /* STRING SYMBOL KEYWORD */
void tutti_writer_open (TuttiWriter *writer, TuttiItemTag tag, guint8 kind, guint64 count); /* LIST DOTTED VECTOR ARRAY TABLE EXTENSION */
/* A run of COUNT 8-byte numbers. Returns their place: fill it before the next call on WRITER. TAG: LIST_RUN, VECTOR_RUN; KIND:
 * TUTTI_ITEM_INTEGER, TUTTI_ITEM_REAL. Not aligned: use memcpy. */
gpointer tutti_writer_run (TuttiWriter *writer, TuttiItemTag tag, TuttiItemTag kind, guint64 count);
/* COUNT numbers, by value. SHARED: they are those of a shared vector. */
void tutti_writer_numbers (TuttiWriter *writer, TuttiNumberKind kind, gboolean shared, gconstpointer data, guint64 count);
/* COUNT numbers that travel beside the bytes; the writer takes its own reference to VECTOR. If the same vector is appended twice,
 * it travels once. */
void tutti_writer_attach (TuttiWriter *writer, TuttiNumberKind kind, TuttiVector *vector, guint64 count, TuttiTravel travel);
void tutti_writer_held (TuttiWriter *writer, guint64 id);
void tutti_writer_embedded (TuttiWriter *writer, guint32 k);

gsize tutti_writer_get_size (TuttiWriter *writer); /* bytes written so far */

/* Return the payload; the writer is empty afterwards. */
TuttiPayload *tutti_writer_finish (TuttiWriter *writer) G_GNUC_WARN_UNUSED_RESULT;

/* --- reading ------------------------------------------------------------------------------------------------------------- */
typedef struct _TuttiReader TuttiReader;

/* A reader of PAYLOAD, of which it takes a reference. */
TuttiReader *tutti_reader_new (TuttiPayload *payload);
void tutti_reader_free (TuttiReader *reader); /* NULL is fine */

/* The next item in *ITEM. FALSE with ERROR set (TUTTI_ERROR_PROTOCOL; the message has the offset and what is wrong) if the
 * bytes are not well-formed; FALSE without an error after the last item of the value. After FALSE the reader stays there. */
gboolean tutti_reader_next (TuttiReader *reader, TuttiItem *item, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiWriter, tutti_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiReader, tutti_reader_free)
