/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values to payloads, with a stack of our own: how deep a value is nested is not the C stack's business.
 *
 * Cycles. A cycle within the cdrs of one list is found while its items are counted (Brent). Every other cycle makes the stack grow
 * for ever, and the bytes with it: so it is enough to search the stack for an object that is on it twice whenever the number of bytes
 * has doubled. All searches together cost a fraction of the encoding, and for a value of up to 64 KiB there is none. */
#include "bindings/guile-convert.h"
#include "bindings/guile-encoder.h"
#include "bindings/guile-error.h"
#include "bindings/guile-internals.h"
#include <string.h>

enum
{
  VERIFY_SIZE = 64 * 1024,
  TICK_EVERY = 4096,  /* items between two chances for Ctrl-C */
  RUN_AT_LEAST = 4    /* items that are packed */
};

/* A value of 40 levels, each of which refers twice to the next, has no cycle, but is too large all the same. */
#define SIZE_LIMIT ((gsize) 1 << 30)

static void
check_size (Encoder *encoder)
{
  if (G_LIKELY (tti_writer_get_size (encoder->writer) <= encoder->limit))
    return;
  if (encoder->limit < SIZE_LIMIT)
    tti_encoder_refuse_text (encoder, SCM_BOOL_F, "the value is too large", NULL);
  tti_encoder_refuse_text (encoder, SCM_BOOL_F,
                           "the value takes more than 1074 MB, without the contents of its large numeric vectors",
                           "put numbers into SRFI-4 vectors; note that what is referred to twice is sent twice");
}

static void
encoder_tick (Encoder *encoder)
{
  if (G_LIKELY (++encoder->ticks % TICK_EVERY != 0))
    return;
  scm_async_tick ();
  check_size (encoder);
}

/* Raises an error unless OBJECT and the objects on the stack are all different. */
static G_GNUC_NO_INLINE void
verify_ancestors (Encoder *encoder, SCM object)
{
  GHashTable *seen = g_hash_table_new (NULL, NULL);
  gsize second = 0, first = 0;

  for (; second <= encoder->depth; second++)
    {
      SCM candidate = second < encoder->depth ? encoder->frames[second].object : object;
      gpointer known;

      if (g_hash_table_lookup_extended (seen, SCM_UNPACK_POINTER (candidate), NULL, &known))
        {
          first = GPOINTER_TO_SIZE (known);
          object = candidate;
          break;
        }
      g_hash_table_insert (seen, SCM_UNPACK_POINTER (candidate), GSIZE_TO_POINTER (second));
    }
  g_hash_table_unref (seen);
  if (second <= encoder->depth)
    {
      encoder->depth = second;
      tti_encoder_refuse_cycle (encoder, object, first);
    }
  encoder->verify_size = 2 * tti_writer_get_size (encoder->writer);
}

static G_GNUC_NO_INLINE void
encoder_grow (Encoder *encoder)
{
  gsize capacity = 2 * encoder->capacity;
  Frame *frames = scm_gc_malloc (capacity * sizeof (Frame), "encoder");

  memcpy (frames, encoder->frames, encoder->depth * sizeof (Frame));
  encoder->frames = frames;
  encoder->capacity = capacity;
}

void
tti_encoder_push (Encoder *encoder, FrameType type, SCM object, SCM rest, gsize count)
{
  if (G_UNLIKELY (tti_writer_get_size (encoder->writer) >= encoder->verify_size))
    verify_ancestors (encoder, object);
  if (count == 0)
    return;
  if (G_UNLIKELY (encoder->depth == encoder->capacity))
    encoder_grow (encoder);
  encoder->frames[encoder->depth++] = (Frame) { object, rest, 0, count, type };
}

/* --- lists and vectors -------------------------------------------------------------------------------------------- */

static void G_GNUC_NORETURN
refuse_changed (Encoder *encoder, SCM value)
{
  tti_encoder_refuse_text (encoder, value, "the value was changed while it was being sent",
                           "let no other thread write to it");
}

/* The kinds of numbers that all items are, as a mask. */
enum { RUN_NONE = 0, RUN_INTEGER = 1, RUN_REAL = 2 };

static inline guint
run_class (SCM item)
{
  return tti_guile_is_small_integer (item) ? RUN_INTEGER : tti_guile_is_double (item) ? RUN_REAL : RUN_NONE;
}

static inline void
run_put (Encoder *encoder, guint8 *to, guint run, SCM item)
{
  if (G_UNLIKELY (run_class (item) != run))
    refuse_changed (encoder, item);
  if (run == RUN_INTEGER)
    {
      gint64 integer = tti_guile_get_small_integer (item);

      memcpy (to, &integer, sizeof integer);
    }
  else
    {
      double real = tti_guile_get_double (item);

      memcpy (to, &real, sizeof real);
    }
}

static guint8 *
run_open (Encoder *encoder, TtiItemTag tag, guint run, gsize count)
{
  if (count > encoder->limit / 8)
    tti_encoder_refuse_text (encoder, SCM_BOOL_F, "a sequence of numbers takes more than 1074 MB",
                             "use a SRFI-4 vector");
  return tti_writer_run (encoder->writer, tag, run == RUN_INTEGER ? TTI_ITEM_INTEGER : TTI_ITEM_REAL, count);
}

static void
encode_list_run (Encoder *encoder, SCM list, gsize count, guint run)
{
  guint8 *to = run_open (encoder, TTI_ITEM_LIST_RUN, run, count);

  for (gsize i = 0; i < count; i++, list = SCM_CDR (list))
    {
      if (G_UNLIKELY (!scm_is_pair (list)))
        refuse_changed (encoder, list);
      run_put (encoder, to + 8 * i, run, SCM_CAR (list));
    }
}

/* Counts the pairs of LIST and finds the kind of its items; *TAIL is the tail of its last pair. */
static gsize
list_scan (Encoder *encoder, SCM list, SCM *tail, guint *run)
{
  SCM tortoise = list, rest = SCM_CDR (list);
  gsize count = 1, next_rest = 2;

  *run = run_class (SCM_CAR (list));
  while (scm_is_pair (rest))
    {
      if (G_UNLIKELY (scm_is_eq (rest, tortoise)))
        {
          /* The pair that the list is known to return to. */
          tti_encoder_push (encoder, FRAME_LIST, list, list, count);
          tti_encoder_refuse_cycle (encoder, rest, encoder->depth - 1);
        }
      if (count == next_rest)
        {
          tortoise = rest;
          next_rest *= 2;
        }
      *run &= run_class (SCM_CAR (rest));
      rest = SCM_CDR (rest);
      if (G_UNLIKELY (++count % (1 << 16) == 0))
        scm_async_tick ();
    }
  *tail = rest;
  return count;
}

static void
encode_list (Encoder *encoder, SCM list)
{
  SCM tail;
  guint run;
  gsize count = list_scan (encoder, list, &tail, &run);
  gboolean proper = scm_is_eq (tail, SCM_EOL);

  if (proper && run != RUN_NONE && count >= RUN_AT_LEAST)
    {
      encode_list_run (encoder, list, count, run);
      return;
    }
  tti_writer_open (encoder->writer, proper ? TTI_ITEM_LIST : TTI_ITEM_DOTTED, 0, count);
  tti_encoder_push (encoder, FRAME_LIST, list, list, proper ? count : count + 1);
}

/* COUNT is at most the number of pairs in LIST. */
static void
encode_prefix (Encoder *encoder, SCM list, gsize count)
{
  guint run = RUN_INTEGER | RUN_REAL;
  SCM rest = list;

  for (gsize i = 0; i < count && run != RUN_NONE; i++, rest = SCM_CDR (rest))
    {
      if (G_UNLIKELY (!scm_is_pair (rest)))
        refuse_changed (encoder, rest);
      run &= run_class (SCM_CAR (rest));
    }
  if (run != RUN_NONE && count >= RUN_AT_LEAST)
    {
      encode_list_run (encoder, list, count, run);
      return;
    }
  tti_writer_open (encoder->writer, TTI_ITEM_LIST, 0, count);
  tti_encoder_push (encoder, FRAME_LIST, list, list, count);
}

static void
encode_vector (Encoder *encoder, SCM vector)
{
  gsize count = SCM_SIMPLE_VECTOR_LENGTH (vector);
  guint run = RUN_INTEGER | RUN_REAL;

  for (gsize i = 0; i < count && run != RUN_NONE; i++)
    run &= run_class (SCM_SIMPLE_VECTOR_REF (vector, i));
  if (run != RUN_NONE && count >= RUN_AT_LEAST)
    {
      guint8 *to = run_open (encoder, TTI_ITEM_VECTOR_RUN, run, count);

      for (gsize i = 0; i < count; i++)
        run_put (encoder, to + 8 * i, run, SCM_SIMPLE_VECTOR_REF (vector, i));
      return;
    }
  tti_writer_open (encoder->writer, TTI_ITEM_VECTOR, 0, count);
  tti_encoder_push (encoder, FRAME_VECTOR, vector, vector, count);
}

/* --- scalars ------------------------------------------------------------------------------------------------------ */

static void
encode_integer (Encoder *encoder, SCM integer)
{
  if (scm_is_signed_integer (integer, G_MININT64, G_MAXINT64))
    {
      tti_writer_integer (encoder->writer, scm_to_int64 (integer));
      return;
    }
  gboolean negative = scm_is_true (scm_negative_p (integer));
  SCM magnitude = scm_abs (integer);
  gsize size = (scm_to_size_t (scm_integer_length (magnitude)) + 7) / 8;
  SCM bytes = scm_c_make_bytevector (size);

  scm_bytevector_uint_set_x (bytes, scm_from_int (0), magnitude, scm_endianness_little, scm_from_size_t (size));
  tti_writer_big_integer (encoder->writer, negative, (const guint8 *) SCM_BYTEVECTOR_CONTENTS (bytes), size);
  scm_remember_upto_here_1 (bytes);
}

static void
encode_number (Encoder *encoder, SCM number)
{
  if (tti_guile_is_double (number))
    tti_writer_real (encoder->writer, tti_guile_get_double (number));
  else if (tti_guile_is_big_integer (number))
    encode_integer (encoder, number);
  else if (tti_guile_is_complex (number))
    tti_writer_complex (encoder->writer, tti_guile_get_real_part (number), tti_guile_get_imaginary_part (number));
  else
    {
      tti_writer_constant (encoder->writer, TTI_ITEM_RATIONAL);
      encode_integer (encoder, scm_numerator (number));
      encode_integer (encoder, scm_denominator (number));
    }
}

void
tti_encoder_string (Encoder *encoder, TtiItemTag tag, SCM string)
{
  size_t size;
  char *utf8 = scm_to_utf8_stringn (string, &size);

  tti_writer_text (encoder->writer, tag, utf8, size);
  free (utf8);
}

static void
symbol_name_load (Encoder *encoder, SymbolName *name, SCM symbol)
{
  if (scm_is_false (scm_symbol_interned_p (symbol)))
    tti_encoder_refuse_text (encoder, symbol, "an uninterned symbol cannot travel: it is equal to nothing but itself",
                             "use a symbol with a name, or string->symbol");
  SCM bytes = scm_string_to_utf8 (scm_symbol_to_string (symbol));

  name->size = SCM_BYTEVECTOR_LENGTH (bytes);
  name->text = scm_gc_malloc_pointerless (name->size + 1, "encoder");
  memcpy (name->text, SCM_BYTEVECTOR_CONTENTS (bytes), name->size);
  name->symbol = symbol;
  scm_remember_upto_here_1 (bytes);
}

static void
encode_symbol (Encoder *encoder, TtiItemTag tag, SCM symbol)
{
  SymbolName *name = &encoder->names[(SCM_UNPACK (symbol) >> 5) % SYMBOL_NAMES];

  if (!scm_is_eq (name->symbol, symbol))
    symbol_name_load (encoder, name, symbol);
  tti_writer_text (encoder->writer, tag, name->text, name->size);
}

static gboolean
encode_immediate (Encoder *encoder, SCM value)
{
  if (tti_guile_is_small_integer (value))
    tti_writer_integer (encoder->writer, tti_guile_get_small_integer (value));
  else if (tti_guile_is_character (value))
    tti_writer_character (encoder->writer, tti_guile_get_character (value));
  else if (scm_is_eq (value, SCM_EOL))
    tti_writer_constant (encoder->writer, TTI_ITEM_NIL);
  else if (scm_is_eq (value, SCM_BOOL_F))
    tti_writer_constant (encoder->writer, TTI_ITEM_FALSE);
  else if (scm_is_eq (value, SCM_BOOL_T))
    tti_writer_constant (encoder->writer, TTI_ITEM_TRUE);
  else if (scm_is_eq (value, SCM_UNSPECIFIED))
    tti_writer_constant (encoder->writer, TTI_ITEM_UNSPECIFIED);
  else if (scm_is_eq (value, SCM_EOF_VAL))
    tti_writer_undefined (encoder->writer, 0);
  else if (scm_is_eq (value, SCM_ELISP_NIL))
    tti_writer_undefined (encoder->writer, 1);
  else if (SCM_UNBNDP (value))
    tti_writer_undefined (encoder->writer, 2);
  else
    return FALSE;
  return TRUE;
}

/* --- objects of the hook ------------------------------------------------------------------------------------------ */

static SCM symbol_extension, symbol_held, symbol_embedded, symbol_refused;

void
tti_guile_init_encode (void)
{
  symbol_extension = scm_permanent_object (scm_from_utf8_symbol ("extension"));
  symbol_held = scm_permanent_object (scm_from_utf8_symbol ("held"));
  symbol_embedded = scm_permanent_object (scm_from_utf8_symbol ("embedded"));
  symbol_refused = scm_permanent_object (scm_from_utf8_symbol ("refused"));
}

static void
encode_extension (Encoder *encoder, SCM object, SCM answer)
{
  long count = scm_is_pair (answer) ? scm_ilength (SCM_CDR (answer)) : -1;

  if (count < 0)
    scm_misc_error (encoder->who, "the hook's answer is no (extension kind . items): ~S", scm_list_1 (answer));
  tti_writer_open (encoder->writer, TTI_ITEM_EXTENSION, scm_to_uint8 (SCM_CAR (answer)), (guint64) count);
  tti_encoder_push (encoder, FRAME_EXTENSION, object, SCM_CDR (answer), (gsize) count);
}

static void G_GNUC_NORETURN
refuse_as_told (Encoder *encoder, SCM object, SCM answer)
{
  SCM advice = scm_is_pair (answer) ? SCM_CDR (answer) : SCM_BOOL_F,
      message = scm_is_pair (answer) ? SCM_CAR (answer) : SCM_BOOL_F;
  char *text = NULL;

  if (scm_is_string (advice))
    {
      /* In collected memory. */
      SCM bytes
        = scm_string_to_utf8 (scm_string_append (scm_list_2 (advice, scm_c_make_string (1, tti_guile_make_character (0)))));

      text = (char *) SCM_BYTEVECTOR_CONTENTS (bytes);
    }
  if (!scm_is_string (message))
    message = scm_from_utf8_string ("the value cannot travel");
  tti_encoder_refuse (encoder, object, message, text);
}

static void
encode_other (Encoder *encoder, SCM object)
{
  SCM list;
  gsize count;

  if (tti_guile_is_prefix (object, &list, &count))
    {
      encode_prefix (encoder, list, count);
      return;
    }
  SCM answer = scm_is_true (encoder->hook) ? scm_call_1 (encoder->hook, object) : SCM_BOOL_F;

  if (!scm_is_pair (answer))
    tti_encoder_refuse_text (encoder, object, NULL, NULL);
  if (scm_is_eq (SCM_CAR (answer), symbol_extension))
    encode_extension (encoder, object, SCM_CDR (answer));
  else if (scm_is_eq (SCM_CAR (answer), symbol_held))
    tti_writer_held (encoder->writer, scm_to_uint64 (SCM_CDR (answer)));
  else if (scm_is_eq (SCM_CAR (answer), symbol_embedded))
    tti_writer_embedded (encoder->writer, scm_to_uint32 (SCM_CDR (answer)));
  else if (scm_is_eq (SCM_CAR (answer), symbol_refused))
    refuse_as_told (encoder, object, SCM_CDR (answer));
  else
    scm_misc_error (encoder->who, "the hook's answer has no meaning: ~S", scm_list_1 (answer));
}

/* --- everything --------------------------------------------------------------------------------------------------- */

static void
encode_heap_object (Encoder *encoder, SCM value)
{
  switch ((int) tti_guile_get_type (value))
    {
    case TTI_GUILE_NUMBER:
      encode_number (encoder, value);
      return;
    case TTI_GUILE_STRING:
      tti_encoder_string (encoder, TTI_ITEM_STRING, value);
      return;
    case TTI_GUILE_SYMBOL:
      encode_symbol (encoder, TTI_ITEM_SYMBOL, value);
      return;
    case TTI_GUILE_KEYWORD:
      encode_symbol (encoder, TTI_ITEM_KEYWORD, scm_keyword_to_symbol (value));
      return;
    case TTI_GUILE_VECTOR:
      encode_vector (encoder, value);
      return;
    case TTI_GUILE_BYTEVECTOR:
      tti_encoder_bytevector (encoder, value);
      return;
    case TTI_GUILE_BITVECTOR:
      tti_encoder_bitvector (encoder, value);
      return;
    case TTI_GUILE_ARRAY:
      tti_encoder_array (encoder, value);
      return;
    case TTI_GUILE_HASHTABLE:
      tti_encoder_table (encoder, value);
      return;
    default:
      encode_other (encoder, value);
    }
}

static inline void
encode_value (Encoder *encoder, SCM value)
{
  if (scm_is_pair (value))
    encode_list (encoder, value);
  else if (SCM_IMP (value))
    {
      if (!encode_immediate (encoder, value))
        encode_other (encoder, value);
    }
  else
    encode_heap_object (encoder, value);
}

/* The next item of FRAME, which has one. */
static inline SCM
frame_next (Encoder *encoder, Frame *frame)
{
  gsize i = frame->index++;

  if (frame->type != FRAME_LIST && frame->type != FRAME_EXTENSION)
    return SCM_SIMPLE_VECTOR_REF (frame->rest, i);
  SCM rest = frame->rest;

  if (G_LIKELY (scm_is_pair (rest)))
    {
      frame->rest = SCM_CDR (rest);
      return SCM_CAR (rest);
    }
  /* The tail of an improper list; if it was a proper one when its items were counted, it has been changed. */
  if (i + 1 != frame->count || scm_is_eq (rest, SCM_EOL))
    refuse_changed (encoder, frame->object);
  return rest;
}

static void
encode_all (Encoder *encoder, SCM value)
{
  encode_value (encoder, value);
  while (encoder->depth > 0)
    {
      Frame *frame = &encoder->frames[encoder->depth - 1];

      if (frame->index == frame->count)
        {
          encoder->depth--;
          continue;
        }
      encoder_tick (encoder);
      encode_value (encoder, frame_next (encoder, frame));
    }
}

static void
writer_free (void *writer)
{
  tti_writer_free (writer);
}

void
tti_encoder_write (TtiWriter *writer, const SCM *values, gsize n)
{
  Encoder encoder = { .writer = writer, .hook = SCM_BOOL_F, .namer = SCM_BOOL_F, .who = "encode", .capacity = FIRST_FRAMES,
                      .limit = SIZE_LIMIT, .verify_size = VERIFY_SIZE };

  encoder.frames = encoder.first;
  for (gsize i = 0; i < n; i++)
    encode_all (&encoder, values[i]);
}

TtiPayload *
tti_guile_encode (SCM value, SCM hook, SCM namer, const char *who)
{
  return tti_guile_encode_limited (value, hook, namer, who, SIZE_LIMIT);
}

TtiPayload *
tti_guile_encode_limited (SCM value, SCM hook, SCM namer, const char *who, gsize limit)
{
  Encoder encoder = { .writer = tti_writer_new (), .hook = hook, .namer = namer, .who = who, .capacity = FIRST_FRAMES,
                      .limit = MIN (limit, SIZE_LIMIT), .verify_size = VERIFY_SIZE };

  encoder.frames = encoder.first;
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (writer_free, encoder.writer, SCM_F_WIND_EXPLICITLY);
  encode_all (&encoder, value);
  check_size (&encoder);
  TtiPayload *payload = tti_writer_finish (encoder.writer);

  scm_dynwind_end ();
  scm_remember_upto_here_1 (value);
  return payload;
}
