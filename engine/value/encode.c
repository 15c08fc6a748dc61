/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/error.h"
#include "value/value.h"
#include <string.h>

/* A list or table of which some items are written. */
typedef struct
{
  TuttiValue *value;
  gsize next;
} Level;

static void
write_vector (TuttiVector *vector, TtiWriter *writer)
{
  TtiNumberKind kind = tti_element_kind (vector->type);

  if (tti_vector_is_destination (vector->memory))
    tti_writer_attach (writer, kind, vector->memory, vector->n, TTI_TRAVEL_WRITE);
  else if (tti_vector_get_size (vector->memory) > TTI_INLINE_LIMIT)
    tti_writer_attach (writer, kind, vector->memory, vector->n, TTI_TRAVEL_SHARED);
  else
    tti_writer_numbers (writer, kind, TRUE, tti_vector_get_data (vector->memory), vector->n);
}

/* Write VALUE, of a list or table only that it begins. */
static void
write_one (TuttiValue *value, TtiWriter *writer)
{
  switch ((TuttiValueType) value->type)
    {
    case TUTTI_VALUE_NULL: tti_writer_constant (writer, TTI_ITEM_UNSPECIFIED); break;
    case TUTTI_VALUE_BOOLEAN: tti_writer_constant (writer, value->boolean ? TTI_ITEM_TRUE : TTI_ITEM_FALSE); break;
    case TUTTI_VALUE_INTEGER: tti_writer_integer (writer, value->integer); break;
    case TUTTI_VALUE_REAL: tti_writer_real (writer, value->real); break;
    case TUTTI_VALUE_COMPLEX: tti_writer_complex (writer, value->real, value->imaginary); break;
    case TUTTI_VALUE_TEXT: tti_writer_text (writer, TTI_ITEM_STRING, value->bytes, value->n); break;
    case TUTTI_VALUE_SYMBOL: tti_writer_text (writer, TTI_ITEM_SYMBOL, value->bytes, value->n); break;
    case TUTTI_VALUE_VECTOR: write_vector (value->vector, writer); break;
    case TUTTI_VALUE_LIST:
      if (value->n == 0)
        tti_writer_constant (writer, TTI_ITEM_NIL);
      else if (value->run != 0)
        memcpy (tti_writer_run (writer, TTI_ITEM_LIST_RUN, (TtiItemTag) value->run, value->n), value->bytes, 8 * value->n);
      else
        tti_writer_open (writer, TTI_ITEM_LIST, 0, value->n);
      break;
    case TUTTI_VALUE_TABLE: tti_writer_open (writer, TTI_ITEM_TABLE, 0, value->n); break;
    case TUTTI_VALUE_OTHER: g_assert_not_reached ();
    }
}

static gsize
count_items (TuttiValue *value)
{
  if (value->run != 0)
    return 0;
  return value->type == TUTTI_VALUE_LIST ? value->n : value->type == TUTTI_VALUE_TABLE ? 2 * value->n : 0;
}

/* The place of what comes next, such as "item 3 of item 0", for messages. */
static char *
describe_place (const GArray *levels)
{
  GString *text = g_string_new (NULL);

  for (guint i = levels->len; i-- > 0;)
    {
      const Level *level = &g_array_index (levels, Level, i);
      gboolean table = level->value->type == TUTTI_VALUE_TABLE;

      g_string_append_printf (text, "%s%s %" G_GSIZE_FORMAT, text->len > 0 ? " of " : "",
                              !table ? "item" : level->next % 2 != 0 ? "key" : "value", (level->next - 1) / (table ? 2 : 1));
    }
  return g_string_free (text, FALSE);
}

gboolean
tti_value_write (TuttiValue *value, TtiWriter *writer, GError **error)
{
  g_autoptr (GArray) levels = NULL;

  for (TuttiValue *now = value; now != NULL;)
    {
      if (now->type == TUTTI_VALUE_OTHER)
        {
          g_autofree char *place = levels != NULL ? describe_place (levels) : g_strdup ("the value");

          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s is %s, which can be passed on alone, but not inside another value",
                       place, now->text);
          return FALSE;
        }
      write_one (now, writer);
      if (count_items (now) > 0)
        {
          if (levels == NULL)
            levels = g_array_new (FALSE, FALSE, sizeof (Level));
          g_array_append_vals (levels, &(Level){ now, 0 }, 1);
        }
      now = NULL;
      while (levels != NULL && levels->len > 0 && now == NULL)
        {
          Level *level = &g_array_index (levels, Level, levels->len - 1);

          if (level->next < count_items (level->value))
            now = level->value->items[level->next++];
          else
            g_array_set_size (levels, levels->len - 1);
        }
    }
  return TRUE;
}

/* The answer of every function without a value. */
static TtiPayload *
get_null (void)
{
  static TtiPayload *null;

  if (g_once_init_enter (&null))
    {
      g_autoptr (TtiWriter) writer = tti_writer_new ();

      tti_writer_constant (writer, TTI_ITEM_UNSPECIFIED);
      g_once_init_leave (&null, tti_writer_finish (writer));
    }
  return tti_payload_ref (null);
}

TtiPayload *
tti_value_encode (TuttiValue *value, GError **error)
{
  if (value->whole)
    return tti_payload_ref (value->payload);
  if (value->type == TUTTI_VALUE_NULL)
    return get_null ();
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  return tti_value_write (value, writer, error) ? tti_writer_finish (writer) : NULL;
}

TtiPayload *
tti_value_encode_error (const GError *error)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  const char *domain = g_quark_to_string (error->domain);
  g_autofree char *message = g_utf8_make_valid (error->message, -1);

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 3);
  tti_writer_text (writer, TTI_ITEM_STRING, domain, strlen (domain));
  tti_writer_integer (writer, error->code);
  tti_writer_text (writer, TTI_ITEM_STRING, message, strlen (message));
  return tti_writer_finish (writer);
}
