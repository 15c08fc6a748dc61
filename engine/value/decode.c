/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/error.h"
#include "transport/transport.h"
#include "value/value.h"
#include <string.h>

/* A list or table of which some items are still to come, or something else with items: then they are dropped. */
typedef struct
{
  TuttiValue *value;
  gsize n, next;
} Level;

typedef struct
{
  TtiPayload *payload;
  GArray *levels;
} Decoder;

static TuttiValue *
new_other (const char *what)
{
  TuttiValue *value = tti_value_new (TUTTI_VALUE_OTHER);

  value->text = g_strdup (what);
  return value;
}

static TuttiValue *
new_text (const Decoder *self, TuttiValueType type, const TtiItem *item)
{
  TuttiValue *value = tti_value_new (type);

  value->bytes = (const char *) item->bytes;
  value->n = item->n_bytes;
  value->payload = tti_payload_ref (self->payload);
  return value;
}

static TuttiValue *
new_run (const Decoder *self, const TtiItem *item)
{
  TuttiValue *value = tti_value_new (TUTTI_VALUE_LIST);

  value->run = item->kind;
  value->bytes = (const char *) item->bytes;
  value->n = item->count;
  value->payload = tti_payload_ref (self->payload);
  return value;
}

/* Contents that travelled by value need not be aligned where they are. */
static TuttiVector *
copy_numbers (TuttiElementType type, const TtiItem *item, GError **error)
{
  TuttiVector *vector = tti_typed_vector_allocate (type, item->count, TRUE, error);

  if (vector != NULL && item->n_bytes > 0)
    memcpy (tti_vector_get_data (vector->memory), item->bytes, item->n_bytes);
  return vector;
}

static TuttiValue *
new_vector (const Decoder *self, const TtiItem *item, GError **error)
{
  TuttiElementType type;
  TtiTravel travel;
  TuttiVector *vector;

  if (!tti_element_from_kind ((TtiNumberKind) item->kind, &type))
    return new_other ("a vector of bits");
  if (item->tag == TTI_ITEM_ATTACHED)
    vector = tti_typed_vector_new (type, item->count, tti_payload_get_vector (self->payload, item->index, &travel));
  else
    vector = copy_numbers (type, item, error);
  if (vector == NULL)
    return NULL;
  TuttiValue *value = tti_value_new (TUTTI_VALUE_VECTOR);
  value->vector = vector;
  return value;
}

/* ITEM is followed by N others. */
static TuttiValue *
open_level (Decoder *self, TuttiValue *value, gsize n)
{
  if (n == 0)
    return value;
  if (value->type != TUTTI_VALUE_OTHER)
    value->items = g_new0 (TuttiValue *, n);
  if (self->levels == NULL)
    self->levels = g_array_new (FALSE, FALSE, sizeof (Level));
  g_array_append_vals (self->levels, &(Level){ value, n, 0 }, 1);
  return value;
}

static TuttiValue *
open_list (Decoder *self, TuttiValueType type, gsize n)
{
  TuttiValue *value = tti_value_new (type);

  value->n = n;
  return open_level (self, value, type == TUTTI_VALUE_TABLE ? 2 * n : n);
}

/* The value that begins with ITEM. NULL with ERROR: there is no memory. */
static TuttiValue *
begin_value (Decoder *self, const TtiItem *item, GError **error)
{
  TuttiValue *value = NULL;

  switch (item->tag)
    {
    case TTI_ITEM_NIL: return tti_value_new (TUTTI_VALUE_LIST);
    case TTI_ITEM_FALSE:
    case TTI_ITEM_TRUE:
      value = tti_value_new (TUTTI_VALUE_BOOLEAN);
      value->boolean = item->tag == TTI_ITEM_TRUE;
      return value;
    case TTI_ITEM_UNSPECIFIED: return tti_value_get_null ();
    case TTI_ITEM_UNDEFINED: return new_other ("an undefined value");
    case TTI_ITEM_INTEGER:
      value = tti_value_new (TUTTI_VALUE_INTEGER);
      value->integer = item->integer;
      return value;
    case TTI_ITEM_BIG_INTEGER: return new_other ("an integer of more than 64 bits");
    case TTI_ITEM_RATIONAL: return open_level (self, new_other ("a rational number"), 2);
    case TTI_ITEM_REAL:
    case TTI_ITEM_COMPLEX:
      value = tti_value_new (item->tag == TTI_ITEM_REAL ? TUTTI_VALUE_REAL : TUTTI_VALUE_COMPLEX);
      value->real = item->real;
      value->imaginary = item->tag == TTI_ITEM_REAL ? 0 : item->imaginary;
      return value;
    case TTI_ITEM_CHARACTER: return new_other ("a character");
    case TTI_ITEM_STRING: return new_text (self, TUTTI_VALUE_TEXT, item);
    case TTI_ITEM_SYMBOL: return new_text (self, TUTTI_VALUE_SYMBOL, item);
    case TTI_ITEM_KEYWORD: return new_other ("a keyword");
    case TTI_ITEM_LIST:
    case TTI_ITEM_VECTOR: return open_list (self, TUTTI_VALUE_LIST, item->count);
    case TTI_ITEM_DOTTED: return open_level (self, new_other ("a pair or improper list"), item->count + 1);
    case TTI_ITEM_LIST_RUN:
    case TTI_ITEM_VECTOR_RUN: return new_run (self, item);
    case TTI_ITEM_NUMBERS:
    case TTI_ITEM_ATTACHED: return new_vector (self, item, error);
    case TTI_ITEM_ARRAY: return open_level (self, new_other ("an array"), 2 * item->count + 1);
    case TTI_ITEM_TABLE: return open_list (self, TUTTI_VALUE_TABLE, item->count);
    case TTI_ITEM_EXTENSION: return open_level (self, new_other ("an object of Scheme"), item->count);
    case TTI_ITEM_HELD: return new_other ("an object that a worker holds");
    case TTI_ITEM_EMBEDDED:
    case TTI_ITEM_JOIN: break;
    }
  g_assert_not_reached ();
}

/* VALUE is the next item of the innermost level. TRUE: it stays there. */
static gboolean
put_value (Decoder *self, TuttiValue *value, guint n_levels)
{
  Level *level = &g_array_index (self->levels, Level, n_levels - 1);

  level->next++;
  if (level->value->type == TUTTI_VALUE_OTHER)
    return FALSE;
  level->value->items[level->next - 1] = value;
  return TRUE;
}

TuttiValue *
tti_value_read (TtiReader *reader, TtiPayload *payload, const TtiItem *first, GError **error)
{
  Decoder self = { payload, NULL };
  TtiItem item = *first;
  TuttiValue *root = begin_value (&self, &item, error);
  GPtrArray *dropped = NULL; /* opened inside what has no type in C, and hence in no other value */

  while (root != NULL && self.levels != NULL && self.levels->len > 0)
    {
      guint n_levels = self.levels->len;
      const Level *level = &g_array_index (self.levels, Level, n_levels - 1);
      g_autoptr (GError) problem = NULL;

      if (level->next == level->n)
        {
          g_array_set_size (self.levels, n_levels - 1);
          continue;
        }
      TuttiValue *value = tti_reader_next (reader, &item, &problem) ? begin_value (&self, &item, &problem) : NULL;
      if (value == NULL)
        {
          if (problem == NULL)
            g_set_error (&problem, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a value ends early");
          g_propagate_error (error, g_steal_pointer (&problem));
          g_clear_pointer (&root, tti_value_unref);
        }
      else if (!put_value (&self, value, n_levels))
        {
          if (dropped == NULL)
            dropped = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_value_unref);
          g_ptr_array_add (dropped, value);
        }
    }
  g_clear_pointer (&dropped, g_ptr_array_unref);
  g_clear_pointer (&self.levels, g_array_unref);
  return root;
}

/* The answers of most functions without a value, which need no reader. */
static gboolean
is_null (TtiPayload *payload)
{
  gsize n;
  const guint8 *bytes = tti_payload_get_data (payload, &n);

  return n == 1 && bytes[0] == TTI_ITEM_UNSPECIFIED;
}

TuttiValue *
tti_value_decode (TtiPayload *payload, GError **error)
{
  if (is_null (payload))
    return tti_value_get_null ();
  g_autoptr (TtiReader) reader = tti_reader_new (payload);
  TtiItem item;
  g_autoptr (GError) problem = NULL;

  if (!tti_reader_next (reader, &item, &problem))
    {
      if (problem == NULL)
        g_set_error (&problem, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "there is no value in an answer");
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
  TuttiValue *value = tti_value_read (reader, payload, &item, error);

  if (value != NULL && value->payload == NULL && (value->type == TUTTI_VALUE_OTHER || value->type == TUTTI_VALUE_LIST
                                                  || value->type == TUTTI_VALUE_TABLE))
    value->payload = tti_payload_ref (payload);
  if (value != NULL)
    value->whole = value->payload != NULL;
  return value;
}

GError *
tti_value_decode_error (TtiPayload *payload)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (TtiValue) value = tti_value_decode (payload, &problem);

  if (value == NULL || value->type != TUTTI_VALUE_LIST || value->run != 0 || value->n != 3 || value->items[0]->type != TUTTI_VALUE_TEXT
      || value->items[1]->type != TUTTI_VALUE_INTEGER || value->items[2]->type != TUTTI_VALUE_TEXT)
    return g_error_new (TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a worker has reported an error that cannot be read%s%s",
                        problem != NULL ? ": " : "", problem != NULL ? problem->message : "");
  g_autofree char *domain = g_strndup (value->items[0]->bytes, value->items[0]->n);
  g_autofree char *message = g_strndup (value->items[2]->bytes, value->items[2]->n);

  return g_error_new_literal (g_quark_from_string (domain), (int) value->items[1]->integer, message);
}

char *
tti_value_exception_text (TtiPayload *payload)
{
  g_autoptr (TtiValue) value = tti_value_decode (payload, NULL);
  gboolean is_list = value != NULL && value->type == TUTTI_VALUE_LIST && value->run == 0 && value->n >= 3;
  const TuttiValue *text = is_list ? value->items[2] : NULL;

  return text != NULL && text->type == TUTTI_VALUE_TEXT ? g_strndup (text->bytes, text->n) : NULL;
}
