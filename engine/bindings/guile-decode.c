/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Payloads to values, with a stack of our own: how deep a value is nested is not the C stack's business. The reader
 * has checked all lengths before anything is allocated for them. */
#include "bindings/guile-convert.h"
#include "bindings/guile-encoder.h"
#include "bindings/guile-error.h"
#include "bindings/guile-frozen.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-vector.h"
#include "platform/error.h"
#include <string.h>

enum { FIRST_LEVELS = 16, TICK_EVERY = 4096, KNOWN_SYMBOLS = 16, PAIRS_IN_BULK = 64 };

/* A composite whose items have not all been read. */
typedef struct
{
  SCM items;       /* LIST DOTTED EXTENSION: a list; RATIONAL: the numerator; else a vector */
  SCM last;        /* the last pair of such a list */
  gsize index, count;
  TtiItemTag tag;
  guint8 kind;
} Level;

/* A symbol that was met, and its name in the payload. */
typedef struct
{
  SCM symbol;
  const guint8 *bytes;
  gsize n_bytes;
} KnownSymbol;

/* It is on the C stack, which the collector scans; it also scans LEVELS when these have moved to the heap. */
typedef struct
{
  TtiPayload *payload;
  gboolean local;
  SCM hook;
  gboolean shown;
  guint frozen; /* how many composites that nobody may change are around the present item */
  TtiFreezer *freezer;
  Level *levels;
  gsize depth, capacity;
  guint ticks;
  guint n_pairs; /* how many were taken one by one */
  void *cells;  /* unused pairs, linked through their first words */
  KnownSymbol symbols[KNOWN_SYMBOLS];
  Level first[FIRST_LEVELS];
} Decoder;

static void G_GNUC_NORETURN
raise_malformed (const char *what)
{
  tti_guile_raise ("decode", g_error_new (TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "encoded value: %s", what));
}

/* Pairs in bulk halve the time that a list takes. But what is not used of a bulk is garbage: for the few pairs of a small value that
 * would be far too much. */
static inline SCM
pair_new (Decoder *decoder, SCM car, SCM cdr)
{
  if (decoder->cells == NULL && ++decoder->n_pairs < PAIRS_IN_BULK)
    return scm_cons (car, cdr);
  return tti_guile_take_pair (&decoder->cells, car, cdr);
}

/* Each request begins with one of these; looking a name up in Guile's table of symbols takes longer than all else of a small request. */
static SCM symbol_apply, symbol_call, symbol_held;

void
tti_guile_init_decode (void)
{
  symbol_apply = scm_permanent_object (scm_from_utf8_symbol ("apply"));
  symbol_call = scm_permanent_object (scm_from_utf8_symbol ("call"));
  symbol_held = scm_permanent_object (scm_from_utf8_symbol ("held"));
}

/* --- leaves ------------------------------------------------------------------------------------------------------- */

static SCM
undefined_new (gint64 which)
{
  static const scm_t_bits objects[]
    = { SCM_UNPACK (SCM_EOF_VAL), SCM_UNPACK (SCM_ELISP_NIL), SCM_UNPACK (SCM_UNDEFINED) };

  if (which < 0 || (gsize) which >= G_N_ELEMENTS (objects))
    raise_malformed ("an unknown constant");
  return SCM_PACK (objects[which]);
}

static SCM
big_integer_new (const TtiItem *item)
{
  if (item->n_bytes == 0)
    return scm_from_int (0);
  SCM bytes = scm_c_make_bytevector (item->n_bytes);

  memcpy (SCM_BYTEVECTOR_CONTENTS (bytes), item->bytes, item->n_bytes);
  SCM magnitude = scm_bytevector_uint_ref (bytes, scm_from_int (0), scm_endianness_little, scm_from_size_t (item->n_bytes));

  return item->kind == 1 ? scm_difference (scm_from_int (0), magnitude) : magnitude;
}

static inline SCM
run_ref (const TtiItem *item, gsize i)
{
  gint64 integer;
  double real;

  if (item->kind == TTI_ITEM_INTEGER)
    {
      memcpy (&integer, item->bytes + 8 * i, sizeof integer);
      return scm_from_int64 (integer);
    }
  memcpy (&real, item->bytes + 8 * i, sizeof real);
  return scm_from_double (real);
}

static SCM
list_run_new (Decoder *decoder, const TtiItem *item)
{
  SCM list = SCM_EOL;

  for (gsize i = item->count; i-- > 0; )
    list = pair_new (decoder, run_ref (item, i), list);
  return list;
}

static SCM
vector_finish (Decoder *decoder, SCM vector)
{
  if (decoder->frozen > 0 && SCM_SIMPLE_VECTOR_LENGTH (vector) > 0)
    tti_guile_freeze_vector (vector);
  return vector;
}

static SCM
vector_run_new (Decoder *decoder, const TtiItem *item)
{
  SCM vector = scm_c_make_vector (item->count, SCM_BOOL_F);

  for (gsize i = 0; i < item->count; i++)
    SCM_SIMPLE_VECTOR_SET (vector, i, run_ref (item, i));
  return vector_finish (decoder, vector);
}

/* Guile's table of symbols is the slowest thing here, and the same few symbols come again and again. */
static SCM
symbol_get (Decoder *decoder, const TtiItem *item)
{
  if (item->n_bytes == 0)
    return scm_from_utf8_symboln ("", 0);
  if (item->n_bytes == 5 && memcmp (item->bytes, "apply", 5) == 0)
    return symbol_apply;
  if (item->n_bytes == 4 && memcmp (item->bytes, "call", 4) == 0)
    return symbol_call;
  gsize hash = item->n_bytes + item->bytes[0] + 5 * (gsize) item->bytes[item->n_bytes - 1]
               + 3 * (gsize) item->bytes[item->n_bytes / 2];
  KnownSymbol *known = &decoder->symbols[hash % KNOWN_SYMBOLS];

  if (known->n_bytes != item->n_bytes || memcmp (known->bytes, item->bytes, item->n_bytes) != 0)
    {
      SCM symbol = scm_from_utf8_symboln ((const char *) item->bytes, item->n_bytes);

      *known = (KnownSymbol) { symbol, item->bytes, item->n_bytes };
    }
  return known->symbol;
}

static SCM
text_get (Decoder *decoder, const TtiItem *item)
{
  if (item->tag == TTI_ITEM_STRING)
    {
      SCM string = scm_from_utf8_stringn ((const char *) item->bytes, item->n_bytes);

      return decoder->frozen == 0 ? string : scm_substring_read_only (string, scm_from_int (0), SCM_UNDEFINED);
    }
  SCM symbol = symbol_get (decoder, item);

  return item->tag == TTI_ITEM_KEYWORD ? scm_symbol_to_keyword (symbol) : symbol;
}

static SCM
held_get (Decoder *decoder, gint64 id)
{
  return scm_call_2 (decoder->hook, symbol_held, scm_from_uint64 ((guint64) id));
}

/* --- composites --------------------------------------------------------------------------------------------------- */

static gsize
level_count (const TtiItem *item)
{
  switch ((int) item->tag)
    {
    case TTI_ITEM_RATIONAL:
      return 2;
    case TTI_ITEM_DOTTED:
      return item->count + 1;
    case TTI_ITEM_ARRAY:
      return 2 * item->count + 1;
    case TTI_ITEM_TABLE:
      return 2 * item->count;
    default:
      return item->count;
    }
}

static SCM
rational_new (SCM numerator, SCM denominator)
{
  if (scm_is_eq (denominator, scm_from_int (0)))
    raise_malformed ("a rational number with denominator 0");
  return scm_divide (numerator, denominator);
}

static SCM
level_finish (Decoder *decoder, const Level *level)
{
  switch ((int) level->tag)
    {
    case TTI_ITEM_ARRAY:
      return tti_guile_decode_array (level->items, level->count / 2);
    case TTI_ITEM_TABLE:
      return tti_guile_decode_table (level->items, level->kind);
    case TTI_ITEM_VECTOR:
      return vector_finish (decoder, level->items);
    case TTI_ITEM_EXTENSION:
      if (level->kind & TTI_EXTENSION_FROZEN)
        decoder->frozen--;
      if (scm_is_false (decoder->hook))
        raise_malformed ("an extension, which nobody here understands");
      return scm_call_2 (decoder->hook, scm_from_uint8 (level->kind), level->items);
    default:
      return level->items;
    }
}

static inline void
list_append (Decoder *decoder, Level *level, SCM value)
{
  SCM pair = pair_new (decoder, value, SCM_EOL);

  if (level->index == 0)
    level->items = pair;
  else
    tti_guile_set_tail (level->last, pair);
  level->last = pair;
}

static inline void
level_add (Decoder *decoder, Level *level, SCM value)
{
  switch ((int) level->tag)
    {
    case TTI_ITEM_DOTTED:
      if (level->index + 1 < level->count)
        list_append (decoder, level, value);
      else if (level->index == 0)
        level->items = value;
      else
        tti_guile_set_tail (level->last, value);
      break;
    case TTI_ITEM_LIST:
    case TTI_ITEM_EXTENSION:
      list_append (decoder, level, value);
      break;
    case TTI_ITEM_RATIONAL:
      level->items = level->index == 0 ? value : rational_new (level->items, value);
      break;
    default:
      SCM_SIMPLE_VECTOR_SET (level->items, level->index, value);
    }
  level->index++;
}

static void
decoder_open (Decoder *decoder, const TtiItem *item, gsize count)
{
  gboolean in_vector = item->tag == TTI_ITEM_VECTOR || item->tag == TTI_ITEM_ARRAY || item->tag == TTI_ITEM_TABLE;
  SCM items = in_vector ? scm_c_make_vector (count, SCM_BOOL_F) : SCM_EOL;

  if (decoder->depth == decoder->capacity)
    {
      gsize capacity = 2 * decoder->capacity;
      Level *levels = scm_gc_malloc (capacity * sizeof (Level), "decoder");

      memcpy (levels, decoder->levels, decoder->depth * sizeof (Level));
      decoder->levels = levels;
      decoder->capacity = capacity;
    }
  if (item->tag == TTI_ITEM_EXTENSION && (item->kind & TTI_EXTENSION_FROZEN))
    decoder->frozen++;
  decoder->levels[decoder->depth++] = (Level) { items, SCM_EOL, 0, count, item->tag, item->kind };
}

/* A composite begins. TRUE if it is complete already, in *VALUE, because it has no items. */
static gboolean
composite_begin (Decoder *decoder, const TtiItem *item, SCM *value)
{
  gsize count = level_count (item);

  decoder_open (decoder, item, count);
  if (count > 0)
    return FALSE;
  *value = level_finish (decoder, &decoder->levels[--decoder->depth]);
  return TRUE;
}

static SCM
constant_get (TtiItemTag tag)
{
  switch ((int) tag)
    {
    case TTI_ITEM_NIL:
      return SCM_EOL;
    case TTI_ITEM_FALSE:
      return SCM_BOOL_F;
    case TTI_ITEM_TRUE:
      return SCM_BOOL_T;
    default:
      return SCM_UNSPECIFIED;
    }
}

/* TRUE if ITEM is a value, now in *VALUE; FALSE if its items follow. */
static gboolean
item_value (Decoder *decoder, const TtiItem *item, SCM *value)
{
  switch (item->tag)
    {
    case TTI_ITEM_NIL:
    case TTI_ITEM_FALSE:
    case TTI_ITEM_TRUE:
    case TTI_ITEM_UNSPECIFIED:
      *value = constant_get (item->tag);
      return TRUE;
    case TTI_ITEM_UNDEFINED:
      *value = undefined_new (item->integer);
      return TRUE;
    case TTI_ITEM_INTEGER:
      *value = scm_from_int64 (item->integer);
      return TRUE;
    case TTI_ITEM_BIG_INTEGER:
      *value = big_integer_new (item);
      return TRUE;
    case TTI_ITEM_REAL:
      *value = scm_from_double (item->real);
      return TRUE;
    case TTI_ITEM_COMPLEX:
      *value = scm_c_make_rectangular (item->real, item->imaginary);
      return TRUE;
    case TTI_ITEM_CHARACTER:
      *value = tti_guile_make_character ((guint32) item->integer);
      return TRUE;
    case TTI_ITEM_STRING:
    case TTI_ITEM_SYMBOL:
    case TTI_ITEM_KEYWORD:
      *value = text_get (decoder, item);
      return TRUE;
    case TTI_ITEM_LIST_RUN:
      *value = list_run_new (decoder, item);
      return TRUE;
    case TTI_ITEM_VECTOR_RUN:
      *value = vector_run_new (decoder, item);
      return TRUE;
    case TTI_ITEM_NUMBERS:
      *value = tti_guile_decode_numbers (item, decoder->shown, decoder->frozen > 0, decoder->freezer);
      return TRUE;
    case TTI_ITEM_ATTACHED:
      *value = tti_guile_decode_attached (decoder->payload, item, decoder->local, decoder->frozen > 0);
      return TRUE;
    case TTI_ITEM_HELD:
      *value = held_get (decoder, item->integer);
      return TRUE;
    case TTI_ITEM_RATIONAL:
    case TTI_ITEM_LIST:
    case TTI_ITEM_DOTTED:
    case TTI_ITEM_VECTOR:
    case TTI_ITEM_ARRAY:
    case TTI_ITEM_TABLE:
    case TTI_ITEM_EXTENSION:
      return composite_begin (decoder, item, value);
    case TTI_ITEM_EMBEDDED:
    case TTI_ITEM_JOIN:
      break;
    }
  g_assert_not_reached (); /* the reader gives no others */
}

/* VALUE is added to the innermost composite, which may be complete then, and so on. */
static SCM
decoder_deliver (Decoder *decoder, SCM value)
{
  while (decoder->depth > 0)
    {
      Level *level = &decoder->levels[decoder->depth - 1];

      level_add (decoder, level, value);
      if (level->index < level->count)
        break;
      decoder->depth--;
      value = level_finish (decoder, level);
    }
  return value;
}

static SCM
decode_all (Decoder *decoder, TtiReader *reader)
{
  TtiItem item;
  GError *error = NULL;
  SCM value = SCM_UNSPECIFIED;

  while (tti_reader_next (reader, &item, &error))
    {
      SCM next;

      if (++decoder->ticks % TICK_EVERY == 0)
        scm_async_tick ();
      if (item_value (decoder, &item, &next))
        value = decoder_deliver (decoder, next);
    }
  if (error != NULL)
    tti_guile_raise ("decode", error);
  return value;
}

static void
reader_free (void *reader)
{
  tti_reader_free (reader);
}

SCM
tti_guile_decode_payload (TtiPayload *payload, SCM hook, TtiDecodeFlags flags)
{
  Decoder decoder = { .payload = payload, .local = (flags & TTI_DECODE_LOCAL) != 0, .hook = hook, .capacity = FIRST_LEVELS,
                      .frozen = (flags & TTI_DECODE_FROZEN) != 0, .shown = (flags & TTI_DECODE_SHOWN) != 0 };
  TtiFreezer freezer = { .chunks = SCM_EOL };

  tti_guile_collect_before_views (payload);
  decoder.levels = decoder.first;
  if (flags & TTI_DECODE_PROTECTED)
    decoder.freezer = &freezer;
  scm_dynwind_begin (0);
  /* The reader's reference keeps the payload, whatever the hook does. */
  TtiReader *reader = tti_reader_new (payload);
  scm_dynwind_unwind_handler (reader_free, reader, SCM_F_WIND_EXPLICITLY);
  SCM value = decode_all (&decoder, reader);

  scm_dynwind_end ();
  tti_guile_freezer_finish (&freezer);
  return value;
}
