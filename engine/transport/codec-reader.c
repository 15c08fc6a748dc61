/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Bytes to values: the one decoder.
 *
 * Every pending item needs at least one byte, so the reader keeps the total number of items that all open composites still need,
 * and refuses input that would need more items than there are bytes. That bounds the stack too: each of its levels needs at least
 * one item, because a level is left when its last item begins, not when it ends. */
#include "platform/error.h"
#include "transport/codec-private.h"
#include <string.h>

typedef enum { LEVEL_ANY, LEVEL_RATIONAL, LEVEL_ARRAY } LevelType;

typedef struct
{
  guint64 pending;
  LevelType type;
} Level;

/* A segment of bytes that contains one value: the whole payload, or an embedded value. */
typedef struct
{
  const guint8 *position, *end;
  guint64 owed;       /* items still to come */
  guint base;         /* added to the index of ATTACHED */
} Segment;

typedef struct
{
  const guint8 *start;
  gsize size;
  guint base;
} Embeddable;

struct _TtiReader
{
  Segment now, outer; /* outer: where to continue after an embedded value */
  gboolean embedded;
  Level *levels;      /* the innermost is levels[depth - 1] */
  gsize depth, capacity;
  const guint8 *start;
  TtiPayload *payload;
  guint n_vectors;
  Embeddable *embeddables;
  guint64 n_embeddables;
  GError *error;      /* after an error the reader stays broken */
};

static void G_GNUC_PRINTF (2, 3) G_GNUC_NO_INLINE
reader_fail (TtiReader *reader, const char *format, ...)
{
  va_list args;

  if (reader->error != NULL)
    return;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  reader->error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "encoded value, byte %" G_GSIZE_FORMAT ": %s",
                               (gsize) (reader->now.position - reader->start), what);
}

static inline gsize
reader_remaining (const TtiReader *reader)
{
  return (gsize) (reader->now.end - reader->now.position);
}

/* The next SIZE bytes, NULL if fewer are left. */
static inline const guint8 *
take (TtiReader *reader, guint64 size)
{
  const guint8 *here = reader->now.position;

  if (G_UNLIKELY (size > reader_remaining (reader)))
    {
      reader_fail (reader, "%" G_GUINT64_FORMAT " more bytes were announced, there are %" G_GSIZE_FORMAT, size,
                   reader_remaining (reader));
      return NULL;
    }
  reader->now.position += size;
  return here;
}

static inline gboolean
take_byte (TtiReader *reader, guint8 *byte)
{
  const guint8 *here = take (reader, 1);

  if (G_UNLIKELY (here == NULL))
    return FALSE;
  *byte = *here;
  return TRUE;
}

static gboolean
take_long_count (TtiReader *reader, guint64 *count)
{
  guint8 byte;

  *count = 0;
  for (guint shift = 0; shift < 64; shift += 7)
    {
      if (!take_byte (reader, &byte))
        return FALSE;
      if (shift == 63 && byte > 1)
        break;
      *count |= (guint64) (byte & 0x7f) << shift;
      if (byte < 0x80)
        return TRUE;
    }
  reader_fail (reader, "a count has more than 64 bits");
  return FALSE;
}

static inline gboolean
take_count (TtiReader *reader, guint64 *count)
{
  if (G_LIKELY (reader->now.position < reader->now.end && *reader->now.position < 0x80))
    {
      *count = *reader->now.position++;
      return TRUE;
    }
  return take_long_count (reader, count);
}

static inline gboolean
take_fixed (TtiReader *reader, gpointer to, gsize size)
{
  const guint8 *here = take (reader, size);

  if (G_UNLIKELY (here == NULL))
    return FALSE;
  memcpy (to, here, size);
  return TRUE;
}

/* Is TEXT UTF-8? NUL is an ordinary character here, which g_utf8_validate () rejects. */
static gboolean
text_is_valid (const guint8 *text, gsize size)
{
  gsize i = 0;
  guint64 word;

  for (; i + 8 <= size; i += 8)
    {
      memcpy (&word, text + i, 8);
      if (word & G_GUINT64_CONSTANT (0x8080808080808080))
        break;
    }
  while (i < size && text[i] < 0x80)
    i++;
  while (i < size)
    {
      const guint8 *nul = memchr (text + i, 0, size - i);
      gsize run = nul != NULL ? (gsize) (nul - (text + i)) : size - i;

      if (!g_utf8_validate_len ((const char *) text + i, run, NULL))
        return FALSE;
      i += run + 1;
    }
  return TRUE;
}

/* Begin a composite of COUNT items. */
static inline gboolean
open_level (TtiReader *reader, guint64 count, LevelType type)
{
  if (G_UNLIKELY (count > reader_remaining (reader) || reader->now.owed > reader_remaining (reader) - count))
    {
      reader_fail (reader, "%" G_GUINT64_FORMAT " items begin while %" G_GUINT64_FORMAT " are still to come, in %" G_GSIZE_FORMAT
                   " bytes", count, reader->now.owed, reader_remaining (reader));
      return FALSE;
    }
  if (count == 0)
    return TRUE;
  if (G_UNLIKELY (reader->depth == reader->capacity))
    {
      reader->capacity = MAX (2 * reader->capacity, 16);
      reader->levels = g_renew (Level, reader->levels, reader->capacity);
    }
  reader->levels[reader->depth++] = (Level) { .pending = count, .type = type };
  reader->now.owed += count;
  return TRUE;
}

/* Begin a composite of COUNT times FACTOR items, and EXTRA more. */
static gboolean
open_scaled (TtiReader *reader, guint64 count, guint factor, guint extra, LevelType type)
{
  /* Before multiplying: there can be no more items than bytes. */
  if (count > reader_remaining (reader))
    {
      reader_fail (reader, "%" G_GUINT64_FORMAT " items begin in %" G_GSIZE_FORMAT " bytes", count, reader_remaining (reader));
      return FALSE;
    }
  return open_level (reader, factor * count + extra, type);
}

static gboolean
read_text (TtiReader *reader, TtiItem *item)
{
  guint64 size;

  if (!take_count (reader, &size) || (item->bytes = take (reader, size)) == NULL)
    return FALSE;
  item->n_bytes = (gsize) size;
  if (G_LIKELY (text_is_valid (item->bytes, item->n_bytes)))
    return TRUE;
  reader_fail (reader, "a text of %" G_GUINT64_FORMAT " bytes is not UTF-8", size);
  return FALSE;
}

static gboolean
read_character (TtiReader *reader, TtiItem *item)
{
  guint32 code;

  if (!take_fixed (reader, &code, sizeof code))
    return FALSE;
  item->integer = code;
  if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff))
    return TRUE;
  reader_fail (reader, "0x%x is not a character", code);
  return FALSE;
}

static gboolean
read_big_integer (TtiReader *reader, TtiItem *item)
{
  guint64 size;

  if (!take_byte (reader, &item->kind) || !take_count (reader, &size) || (item->bytes = take (reader, size)) == NULL)
    return FALSE;
  item->n_bytes = (gsize) size;
  if (item->kind <= 1)
    return TRUE;
  reader_fail (reader, "%u is not a sign of an integer", item->kind);
  return FALSE;
}

static gboolean
read_run (TtiReader *reader, TtiItem *item)
{
  if (!take_byte (reader, &item->kind) || !take_count (reader, &item->count))
    return FALSE;
  if (item->kind != TTI_ITEM_INTEGER && item->kind != TTI_ITEM_REAL)
    {
      reader_fail (reader, "a run of items of kind %u", item->kind);
      return FALSE;
    }
  if (!g_size_checked_mul (&item->n_bytes, (gsize) item->count, 8))
    item->n_bytes = G_MAXSIZE;
  return (item->bytes = take (reader, item->n_bytes)) != NULL;
}

static gboolean
read_number_kind (TtiReader *reader, TtiItem *item)
{
  if (!take_byte (reader, &item->kind))
    return FALSE;
  item->shared = item->tag == TTI_ITEM_NUMBERS && (item->kind & SHARED_NUMBERS) != 0;
  if (item->shared)
    item->kind &= (guint8) ~SHARED_NUMBERS;
  if (item->kind <= TTI_NUMBER_LAST)
    return TRUE;
  reader_fail (reader, "unknown kind of number %u", item->kind);
  return FALSE;
}

static gboolean
read_numbers (TtiReader *reader, TtiItem *item)
{
  if (!read_number_kind (reader, item) || !take_count (reader, &item->count))
    return FALSE;
  if (!tti_numbers_size ((TtiNumberKind) item->kind, item->count, &item->n_bytes))
    item->n_bytes = G_MAXSIZE;
  return (item->bytes = take (reader, item->n_bytes)) != NULL;
}

static gboolean
read_attached (TtiReader *reader, TtiItem *item)
{
  guint64 index;

  if (!read_number_kind (reader, item) || !take_count (reader, &index) || !take_count (reader, &item->count))
    return FALSE;
  if (index >= reader->n_vectors || index + reader->now.base >= reader->n_vectors)
    {
      reader_fail (reader, "vector %" G_GUINT64_FORMAT " (from %u) of %u", index, reader->now.base, reader->n_vectors);
      return FALSE;
    }
  item->index = (guint32) index + reader->now.base;
  gsize found = tti_vector_get_size (tti_payload_get_vector (reader->payload, item->index, NULL));

  if (!tti_numbers_size ((TtiNumberKind) item->kind, item->count, &item->n_bytes))
    item->n_bytes = G_MAXSIZE;
  if (item->n_bytes <= found)
    return TRUE;
  reader_fail (reader, "vector %u has %" G_GSIZE_FORMAT " bytes, %" G_GUINT64_FORMAT " numbers of kind %u need %" G_GSIZE_FORMAT,
               item->index, found, item->count, item->kind, item->n_bytes);
  return FALSE;
}

static gboolean
read_composite (TtiReader *reader, TtiItem *item)
{
  if ((item->tag == TTI_ITEM_TABLE || item->tag == TTI_ITEM_EXTENSION) && !take_byte (reader, &item->kind))
    return FALSE;
  if (!take_count (reader, &item->count))
    return FALSE;
  if (item->tag == TTI_ITEM_DOTTED)
    return open_scaled (reader, item->count, 1, 1, LEVEL_ANY);
  if (item->tag == TTI_ITEM_TABLE)
    return open_scaled (reader, item->count, 2, 0, LEVEL_ANY);
  if (item->tag == TTI_ITEM_ARRAY)
    return open_scaled (reader, item->count, 2, 1, LEVEL_ARRAY);
  return open_level (reader, item->count, LEVEL_ANY);
}

/* Read the item's data, according to its tag. */
static inline gboolean
read_data (TtiReader *reader, TtiItem *item)
{
  switch (item->tag)
    {
    case TTI_ITEM_NIL:
    case TTI_ITEM_FALSE:
    case TTI_ITEM_TRUE:
    case TTI_ITEM_UNSPECIFIED:
      return TRUE;
    case TTI_ITEM_INTEGER:
    case TTI_ITEM_UNDEFINED:
    case TTI_ITEM_HELD:
      return take_fixed (reader, &item->integer, sizeof item->integer);
    case TTI_ITEM_REAL:
      return take_fixed (reader, &item->real, sizeof item->real);
    case TTI_ITEM_COMPLEX:
      return take_fixed (reader, &item->real, sizeof item->real)
             && take_fixed (reader, &item->imaginary, sizeof item->imaginary);
    case TTI_ITEM_RATIONAL:
      return open_level (reader, 2, LEVEL_RATIONAL);
    case TTI_ITEM_BIG_INTEGER:
      return read_big_integer (reader, item);
    case TTI_ITEM_CHARACTER:
      return read_character (reader, item);
    case TTI_ITEM_STRING:
    case TTI_ITEM_SYMBOL:
    case TTI_ITEM_KEYWORD:
      return read_text (reader, item);
    case TTI_ITEM_LIST:
    case TTI_ITEM_DOTTED:
    case TTI_ITEM_VECTOR:
    case TTI_ITEM_ARRAY:
    case TTI_ITEM_TABLE:
    case TTI_ITEM_EXTENSION:
      return read_composite (reader, item);
    case TTI_ITEM_LIST_RUN:
    case TTI_ITEM_VECTOR_RUN:
      return read_run (reader, item);
    case TTI_ITEM_NUMBERS:
      return read_numbers (reader, item);
    case TTI_ITEM_ATTACHED:
      return read_attached (reader, item);
    case TTI_ITEM_EMBEDDED:
    case TTI_ITEM_JOIN:
      break; /* where they are allowed, they never get here */
    }
  reader_fail (reader, "unexpected item %u", (guint) item->tag);
  return FALSE;
}

/* Account for the next item in the open composites: FALSE if it is not allowed there. */
static G_GNUC_NO_INLINE gboolean
level_admits (TtiReader *reader, const Level *level, TtiItemTag tag)
{
  gboolean last = level->pending == 1;

  if (tag == TTI_ITEM_INTEGER || (level->type == LEVEL_RATIONAL && tag == TTI_ITEM_BIG_INTEGER)
      || (level->type == LEVEL_ARRAY && last))
    return TRUE;
  reader_fail (reader, "item %u is no %s", (guint) tag, level->type == LEVEL_ARRAY ? "bound of an array" : "part of a rational");
  return FALSE;
}

static inline gboolean
take_place (TtiReader *reader, TtiItemTag tag)
{
  if (reader->depth > 0)
    {
      Level *level = &reader->levels[reader->depth - 1];

      if (G_UNLIKELY (level->type != LEVEL_ANY) && !level_admits (reader, level, tag))
        return FALSE;
      if (--level->pending == 0)
        reader->depth--;
    }
  reader->now.owed--;
  return TRUE;
}

/* EMBEDDED was read: continue with the value that it stands for, which takes its place. */
static gboolean
enter_embedded (TtiReader *reader)
{
  guint64 k;

  if (!take_count (reader, &k))
    return FALSE;
  if (reader->embedded || k >= reader->n_embeddables)
    {
      reader_fail (reader, "embedded value %" G_GUINT64_FORMAT " %s%" G_GUINT64_FORMAT, k,
                   reader->embedded ? "inside another one, of " : "of ", reader->n_embeddables);
      return FALSE;
    }
  const Embeddable *inner = &reader->embeddables[k];

  reader->outer = reader->now;
  reader->outer.owed--; /* the value that begins now counts instead */
  reader->embedded = TRUE;
  reader->now = (Segment) { .position = inner->start, .end = inner->start + inner->size, .owed = 1, .base = inner->base };
  return TRUE;
}

/* After an item: is the value of this segment, and of the one around it, complete? Then nothing may follow. */
static inline gboolean
leave_complete (TtiReader *reader)
{
  if (G_LIKELY (reader->now.owed > 0))
    return TRUE;
  if (reader->embedded && reader->now.position == reader->now.end)
    {
      reader->now = reader->outer;
      reader->embedded = FALSE;
    }
  if (reader->now.owed > 0 || reader->now.position == reader->now.end)
    return TRUE;
  reader_fail (reader, "%" G_GSIZE_FORMAT " bytes after the end of the value", reader_remaining (reader));
  return FALSE;
}

static inline gboolean
read_item (TtiReader *reader, TtiItem *item)
{
  guint8 tag;

  if (!take_byte (reader, &tag))
    return FALSE;
  if (G_UNLIKELY (tag == TTI_ITEM_EMBEDDED) && (!enter_embedded (reader) || !take_byte (reader, &tag)))
    return FALSE;
  *item = (TtiItem) { .tag = (TtiItemTag) tag };
  return take_place (reader, item->tag) && read_data (reader, item) && leave_complete (reader);
}

gboolean
tti_reader_next (TtiReader *reader, TtiItem *item, GError **error)
{
  if (G_UNLIKELY (reader->error != NULL))
    {
      g_propagate_error (error, g_error_copy (reader->error));
      return FALSE;
    }
  if (reader->now.owed == 0)
    return FALSE;
  if (G_LIKELY (read_item (reader, item)))
    return TRUE;
  g_propagate_error (error, g_error_copy (reader->error));
  return FALSE;
}

/* The start of a joined payload: see tti_payload_join (). */
static gboolean
read_embeddables (TtiReader *reader)
{
  guint64 n, size, base;

  reader->now.position++;
  if (!take_count (reader, &n))
    return FALSE;
  if (n > reader_remaining (reader) / 2)
    {
      reader_fail (reader, "%" G_GUINT64_FORMAT " embedded values in %" G_GSIZE_FORMAT " bytes", n, reader_remaining (reader));
      return FALSE;
    }
  reader->embeddables = g_new0 (Embeddable, n);
  reader->n_embeddables = n;
  for (guint64 i = 0; i < n; i++)
    {
      if (!take_count (reader, &size) || !take_count (reader, &base))
        return FALSE;
      if (base > reader->n_vectors)
        {
          reader_fail (reader, "embedded value from vector %" G_GUINT64_FORMAT " of %u", base, reader->n_vectors);
          return FALSE;
        }
      reader->embeddables[i].size = (gsize) size;
      reader->embeddables[i].base = (guint) base;
    }
  for (guint64 i = 0; i < n; i++)
    if ((reader->embeddables[i].start = take (reader, reader->embeddables[i].size)) == NULL)
      return FALSE;
  return TRUE;
}

TtiReader *
tti_reader_new (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, NULL);
  TtiReader *reader = g_new0 (TtiReader, 1);
  gsize size;
  const guint8 *bytes = tti_payload_get_data (payload, &size);

  if (bytes == NULL)
    bytes = (const guint8 *) ""; /* arithmetic with a null pointer is undefined */
  reader->payload = tti_payload_ref (payload);
  reader->n_vectors = tti_payload_get_n_vectors (payload);
  reader->start = bytes;
  reader->now = (Segment) { .position = bytes, .end = bytes + size, .owed = 1 };
  if (tti_payload_is_joined (payload))
    read_embeddables (reader);
  return reader;
}

void
tti_reader_free (TtiReader *reader)
{
  if (reader == NULL)
    return;
  tti_payload_unref (reader->payload);
  g_clear_error (&reader->error);
  g_free (reader->embeddables);
  g_free (reader->levels);
  g_free (reader);
}
