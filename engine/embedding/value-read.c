/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Reading values. */
#include "embedding/embedding-private.h"
#include "platform/error.h"
#include <string.h>

/**
 * tutti_value_get_value_type:
 * @value: a value
 *
 * Gets the type of a value, which says what getters it has.
 *
 * Returns: what it is
 */
TuttiValueType
tutti_value_get_value_type (TuttiValue *value)
{
  g_return_val_if_fail (value != NULL, TUTTI_VALUE_NULL);
  return (TuttiValueType) value->type;
}

/**
 * tutti_value_type_name:
 * @type: a type of values
 *
 * Names a type as messages do, with its article.
 *
 * Returns: its name, for messages: "an integer"
 */
const char *
tutti_value_type_name (TuttiValueType type)
{
  static const char *const names[] = { "no value", "a boolean", "an integer", "a real number", "a complex number", "a text",
                                       "a symbol", "a list", "a table", "a vector", "something that C has no type for" };

  g_return_val_if_fail ((guint) type < G_N_ELEMENTS (names), "?");
  return names[type];
}

/* Integers are real numbers, and both are complex ones; symbols are texts. */
static gboolean
is_also (TuttiValueType is, TuttiValueType wanted)
{
  if (wanted == TUTTI_VALUE_COMPLEX)
    return is == TUTTI_VALUE_COMPLEX || is == TUTTI_VALUE_REAL || is == TUTTI_VALUE_INTEGER;
  if (wanted == TUTTI_VALUE_REAL)
    return is == TUTTI_VALUE_REAL || is == TUTTI_VALUE_INTEGER;
  if (wanted == TUTTI_VALUE_TEXT)
    return is == TUTTI_VALUE_TEXT || is == TUTTI_VALUE_SYMBOL;
  return is == wanted;
}

/**
 * tutti_value_expect:
 * @value: a value
 * @type: what it should be; integers are also reals, reals also complex numbers, symbols also texts
 * @what: what it is to the reader of a message: "the second argument"
 * @error: where to put an error
 *
 * Checks a value before the getters below are used, which take a wrong type as a mistake of the program.
 *
 * Returns: %TRUE; %FALSE with %TUTTI_ERROR_ARGUMENT, which names @what, what it is, and what was expected
 */
gboolean
tutti_value_expect (TuttiValue *value, TuttiValueType type, const char *what, GError **error)
{
  g_return_val_if_fail (value != NULL && what != NULL, FALSE);
  if (is_also ((TuttiValueType) value->type, type))
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s is %s, expected %s", what,
               value->type == TUTTI_VALUE_OTHER ? value->text : tutti_value_type_name ((TuttiValueType) value->type),
               tutti_value_type_name (type));
  return FALSE;
}

/**
 * tutti_value_get_boolean:
 * @value: a boolean
 *
 * Reads a boolean. It is a mistake of the program to ask another value.
 *
 * Returns: whether it is true
 */
gboolean
tutti_value_get_boolean (TuttiValue *value)
{
  g_return_val_if_fail (value->type == TUTTI_VALUE_BOOLEAN, FALSE);
  return value->boolean;
}

/**
 * tutti_value_get_integer:
 * @value: an integer
 *
 * Reads an integer. It is a mistake of the program to ask another value.
 *
 * Returns: the number
 */
gint64
tutti_value_get_integer (TuttiValue *value)
{
  g_return_val_if_fail (value->type == TUTTI_VALUE_INTEGER, 0);
  return value->integer;
}

/**
 * tutti_value_get_real:
 * @value: a real or complex number, or an integer
 *
 * Reads a number as a double, to which large integers are rounded. It is a mistake of the program to ask a value that is no number.
 *
 * Returns: the number, or its real part
 */
double
tutti_value_get_real (TuttiValue *value)
{
  g_return_val_if_fail (is_also ((TuttiValueType) value->type, TUTTI_VALUE_COMPLEX), 0);
  return value->type == TUTTI_VALUE_INTEGER ? (double) value->integer : value->real;
}

/**
 * tutti_value_get_imaginary:
 * @value: a real or complex number, or an integer
 *
 * Reads the imaginary part of a number, which is 0 unless it is complex. It is a mistake of the program to ask a value that is no number.
 *
 * Returns: its imaginary part
 */
double
tutti_value_get_imaginary (TuttiValue *value)
{
  g_return_val_if_fail (is_also ((TuttiValueType) value->type, TUTTI_VALUE_COMPLEX), 0);
  return value->type == TUTTI_VALUE_COMPLEX ? value->imaginary : 0;
}

/**
 * tutti_value_get_text:
 * @value: a text or symbol
 *
 * Reads a text, or the name of a symbol. It is a mistake of the program to ask another value.
 *
 * Returns: the text, owned by @value. If it has a NUL in it, that is where it ends for C.
 */
const char *
tutti_value_get_text (TuttiValue *value)
{
  g_return_val_if_fail (is_also ((TuttiValueType) value->type, TUTTI_VALUE_TEXT), NULL);
  char *text = g_atomic_pointer_get (&value->text);

  if (text != NULL)
    return text;
  text = g_strndup (value->bytes, value->n);
  /* Another thread may have been faster. */
  if (g_atomic_pointer_compare_and_exchange (&value->text, NULL, text))
    return text;
  g_free (text);
  return g_atomic_pointer_get (&value->text);
}

/**
 * tutti_value_get_vector:
 * @value: a vector
 *
 * Reads a vector, whose contents are not copied: of one that arrived they are where they arrived, read-only. It is a mistake of the program
 * to ask another value.
 *
 * Returns: (transfer none): the vector, owned by @value
 */
TuttiVector *
tutti_value_get_vector (TuttiValue *value)
{
  g_return_val_if_fail (value->type == TUTTI_VALUE_VECTOR, NULL);
  return value->vector;
}

/**
 * tutti_value_get_n_items:
 * @value: a list or table
 *
 * Gets the length of a list, or the number of pairs of a table. It is a mistake of the program to ask another value.
 *
 * Returns: how many items a list has, or pairs a table
 */
gsize
tutti_value_get_n_items (TuttiValue *value)
{
  g_return_val_if_fail (value->type == TUTTI_VALUE_LIST || value->type == TUTTI_VALUE_TABLE, 0);
  return value->n;
}

/**
 * tutti_value_get_item:
 * @value: a list or table
 * @index: below [method@Value.get_n_items]
 *
 * Gets an item of a list, or a value of a table, by its position from 0.
 *
 * Returns: (transfer full): the item of a list, or the value of a pair of a table
 */
TuttiValue *
tutti_value_get_item (TuttiValue *value, gsize index)
{
  g_return_val_if_fail (value->type == TUTTI_VALUE_LIST || value->type == TUTTI_VALUE_TABLE, NULL);
  g_return_val_if_fail (index < value->n, NULL);
  return tti_value_get_item (value, value->type == TUTTI_VALUE_TABLE ? 2 * index + 1 : index);
}

/**
 * tutti_value_get_key:
 * @value: a table
 * @index: below [method@Value.get_n_items]
 *
 * Gets a key of a table by the position of its pair, from 0.
 *
 * Returns: (transfer full): the key of a pair
 */
TuttiValue *
tutti_value_get_key (TuttiValue *value, gsize index)
{
  g_return_val_if_fail (value->type == TUTTI_VALUE_TABLE && index < value->n, NULL);
  return tti_value_get_item (value, 2 * index);
}

/**
 * tutti_value_lookup:
 * @value: a table
 * @key: a text, or the name of a symbol
 *
 * Looks for a key in a table, pair by pair.
 *
 * Returns: (transfer full) (nullable): the value of the first pair with that key; %NULL if there is none
 */
TuttiValue *
tutti_value_lookup (TuttiValue *value, const char *key)
{
  g_return_val_if_fail (value->type == TUTTI_VALUE_TABLE && key != NULL, NULL);
  gsize length = strlen (key);

  for (gsize i = 0; i < value->n; i++)
    {
      TuttiValue *candidate = value->items[2 * i];

      if (is_also ((TuttiValueType) candidate->type, TUTTI_VALUE_TEXT) && candidate->n == length
          && memcmp (candidate->bytes, key, length) == 0)
        return tti_value_ref (value->items[2 * i + 1]);
    }
  return NULL;
}

/* Compare what is in the values themselves, but not the items of lists and tables. */
static gboolean
equal_outside (TuttiValue *one, TuttiValue *other)
{
  if (one->type != other->type)
    return FALSE;
  switch ((TuttiValueType) one->type)
    {
    case TUTTI_VALUE_NULL: return TRUE;
    case TUTTI_VALUE_BOOLEAN: return one->boolean == other->boolean;
    case TUTTI_VALUE_INTEGER: return one->integer == other->integer;
    case TUTTI_VALUE_REAL:
    case TUTTI_VALUE_COMPLEX:
      return memcmp (&one->real, &other->real, sizeof one->real) == 0
             && (one->type == TUTTI_VALUE_REAL || memcmp (&one->imaginary, &other->imaginary, sizeof one->imaginary) == 0);
    case TUTTI_VALUE_TEXT:
    case TUTTI_VALUE_SYMBOL: return one->n == other->n && memcmp (one->bytes, other->bytes, one->n) == 0;
    case TUTTI_VALUE_LIST:
    case TUTTI_VALUE_TABLE: return one->n == other->n;
    case TUTTI_VALUE_VECTOR:
      return one->vector->type == other->vector->type && one->vector->n == other->vector->n
             && (one->vector->n == 0 || memcmp (tutti_vector_get_data (one->vector), tutti_vector_get_data (other->vector),
                                                tutti_vector_get_size (one->vector)) == 0);
    case TUTTI_VALUE_OTHER:
      return one->whole && other->whole && tti_payload_is_equal (one->payload, other->payload);
    }
  g_assert_not_reached ();
}

/**
 * tutti_value_equal:
 * @one: a value
 * @other: a value
 *
 * Numbers are equal if their bits are; tables if their pairs are, in the same order.
 *
 * Compares two values, and all that is in them.
 *
 * Returns: whether they are of the same type and have equal contents
 */
gboolean
tutti_value_equal (TuttiValue *one, TuttiValue *other)
{
  g_return_val_if_fail (one != NULL && other != NULL, FALSE);
  g_autoptr (GPtrArray) pairs = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_value_unref);
  gboolean equal = TRUE;

  g_ptr_array_add (pairs, tti_value_ref (one));
  g_ptr_array_add (pairs, tti_value_ref (other));
  while (equal && pairs->len > 0)
    {
      g_autoptr (TuttiValue) right = g_ptr_array_steal_index (pairs, pairs->len - 1);
      g_autoptr (TuttiValue) left = g_ptr_array_steal_index (pairs, pairs->len - 1);

      equal = left == right || equal_outside (left, right);
      if (left == right || !equal || (left->type != TUTTI_VALUE_LIST && left->type != TUTTI_VALUE_TABLE))
        continue;
      for (gsize i = 0, n = left->type == TUTTI_VALUE_TABLE ? 2 * left->n : left->n; i < n; i++)
        {
          g_ptr_array_add (pairs, tti_value_get_item (left, i));
          g_ptr_array_add (pairs, tti_value_get_item (right, i));
        }
    }
  return equal;
}
