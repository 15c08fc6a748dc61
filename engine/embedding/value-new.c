/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Making values. */
#include "embedding/embedding-private.h"
#include <string.h>

G_DEFINE_BOXED_TYPE (TuttiValue, tutti_value, tutti_value_ref, tutti_value_unref)

gboolean
tutti_values_are_given (TuttiValue *const *values, gsize n)
{
  if (values == NULL)
    return n == 0;
  for (gsize i = 0; i < n; i++)
    if (values[i] == NULL)
      return FALSE;
  return TRUE;
}

/**
 * tutti_value_ref:
 * @value: a value
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @value
 */
TuttiValue *
tutti_value_ref (TuttiValue *value)
{
  return tti_value_ref (value);
}

/**
 * tutti_value_unref:
 * @value: (nullable) (transfer full): a value
 *
 * Drops a reference; the last one frees it, and drops its items and vectors.
 */
void
tutti_value_unref (TuttiValue *value)
{
  tti_value_unref (value);
}

/**
 * tutti_value_new_null:
 *
 * Makes a value that says that there is none, as a function returns that has nothing to return.
 *
 * Returns: (transfer full): the value that means that there is none
 */
TuttiValue *
tutti_value_new_null (void)
{
  return tti_value_get_null ();
}

/**
 * tutti_value_new_boolean:
 * @boolean: whether it is true
 *
 * Makes a boolean.
 *
 * Returns: (transfer full): true or false
 */
TuttiValue *
tutti_value_new_boolean (gboolean boolean)
{
  TuttiValue *self = tti_value_new (TUTTI_VALUE_BOOLEAN);

  self->boolean = boolean != FALSE;
  return self;
}

/**
 * tutti_value_new_integer:
 * @integer: a number
 *
 * Makes an integer.
 *
 * Returns: (transfer full): @integer as a value
 */
TuttiValue *
tutti_value_new_integer (gint64 integer)
{
  TuttiValue *self = tti_value_new (TUTTI_VALUE_INTEGER);

  self->integer = integer;
  return self;
}

/**
 * tutti_value_new_real:
 * @real: a number; infinities and NaN are fine
 *
 * Makes a real number. It arrives with the same bits.
 *
 * Returns: (transfer full): @real as a value
 */
TuttiValue *
tutti_value_new_real (double real)
{
  TuttiValue *self = tti_value_new (TUTTI_VALUE_REAL);

  self->real = real;
  return self;
}

/**
 * tutti_value_new_complex:
 * @real: real part
 * @imaginary: imaginary part
 *
 * Makes a complex number. Its parts arrive with the same bits.
 *
 * Returns: (transfer full): a complex number
 */
TuttiValue *
tutti_value_new_complex (double real, double imaginary)
{
  TuttiValue *self = tti_value_new (TUTTI_VALUE_COMPLEX);

  self->real = real;
  self->imaginary = imaginary;
  return self;
}

static TuttiValue *
new_text (TuttiValueType type, const char *text)
{
  TuttiValue *self = tti_value_new (type);

  self->n = strlen (text);
  self->text = g_utf8_validate (text, (gssize) self->n, NULL) ? g_memdup2 (text, self->n + 1) : g_utf8_make_valid (text, -1);
  self->n = strlen (self->text);
  self->bytes = self->text;
  return self;
}

/**
 * tutti_value_new_text:
 * @text: UTF-8; bytes that are none become U+FFFD
 *
 * Makes a text.
 *
 * Returns: (transfer full): a copy of @text as a value
 */
TuttiValue *
tutti_value_new_text (const char *text)
{
  g_return_val_if_fail (text != NULL, NULL);
  return new_text (TUTTI_VALUE_TEXT, text);
}

/**
 * tutti_value_new_symbol:
 * @name: UTF-8
 *
 * Makes a symbol. Functions in C take it for a text.
 *
 * Returns: (transfer full): a symbol, which is for Scheme what a name is
 */
TuttiValue *
tutti_value_new_symbol (const char *name)
{
  g_return_val_if_fail (name != NULL, NULL);
  return new_text (TUTTI_VALUE_SYMBOL, name);
}

/**
 * tutti_value_new_vector:
 * @vector: a vector
 *
 * Makes a value of a vector, whose contents are not copied.
 *
 * Returns: (transfer full): @vector as a value, which keeps a reference: later changes of its contents are seen
 */
TuttiValue *
tutti_value_new_vector (TuttiVector *vector)
{
  g_return_val_if_fail (vector != NULL, NULL);
  TuttiValue *self = tti_value_new (TUTTI_VALUE_VECTOR);

  self->vector = tti_typed_vector_ref (vector);
  return self;
}

/* Takes over ITEMS, and a reference of each. */
static TuttiValue *
new_from_items (TuttiValueType type, TuttiValue **items, gsize n)
{
  TuttiValue *self = tti_value_new (type);

  self->items = items;
  self->n = n;
  return self;
}

/**
 * tutti_value_new_list:
 * @items: (array length=n): values
 * @n: how many
 *
 * Makes a list of values, of any length and also of different types.
 *
 * Returns: (transfer full): a list of @items, with references of its own
 */
TuttiValue *
tutti_value_new_list (TuttiValue *const *items, gsize n)
{
  g_return_val_if_fail (tutti_values_are_given (items, n), NULL);
  TuttiValue **copies = g_new (TuttiValue *, n);

  for (gsize i = 0; i < n; i++)
    copies[i] = tti_value_ref (items[i]);
  return new_from_items (TUTTI_VALUE_LIST, copies, n);
}

/**
 * tutti_value_new_list_take: (constructor) (skip)
 * @first: (transfer full) (nullable): the first item, and so on; %NULL is behind the last one
 * @...: more items
 *
 * Makes a list of values, and takes the caller's references of them.
 *
 * Returns: (transfer full): the list
 */
TuttiValue *
tutti_value_new_list_take (TuttiValue *first, ...)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new ();
  va_list rest;

  va_start (rest, first);
  for (TuttiValue *item = first; item != NULL; item = va_arg (rest, TuttiValue *))
    g_ptr_array_add (items, item);
  va_end (rest);
  gsize n = items->len;
  return new_from_items (TUTTI_VALUE_LIST, (TuttiValue **) g_ptr_array_free (g_steal_pointer (&items), FALSE), n);
}

/**
 * tutti_value_new_table:
 * @keys: (array length=n): keys, usually texts
 * @values: (array length=n): the value of each
 * @n: how many
 *
 * Makes a table from keys to values. In C, [ctor@Value.new_table_take] is shorter where keys are texts.
 *
 * Returns: (transfer full): a table of these pairs in their order, with references of its own
 */
TuttiValue *
tutti_value_new_table (TuttiValue *const *keys, TuttiValue *const *values, gsize n)
{
  g_return_val_if_fail (tutti_values_are_given (keys, n) && tutti_values_are_given (values, n), NULL);
  TuttiValue **items = g_new (TuttiValue *, 2 * n);

  for (gsize i = 0; i < n; i++)
    {
      items[2 * i] = tti_value_ref (keys[i]);
      items[2 * i + 1] = tti_value_ref (values[i]);
    }
  return new_from_items (TUTTI_VALUE_TABLE, items, n);
}

/**
 * tutti_value_new_table_take: (skip)
 * @first_key: (nullable): a key, followed by its value, of which the reference is taken, and so on; %NULL is behind the last pair
 * @...: more of them
 *
 * Makes a table with texts as keys: `tutti_value_new_table_take ("rate", tutti_value_new_real (0.5), NULL)`.
 *
 * Returns: (transfer full): the table
 */
TuttiValue *
tutti_value_new_table_take (const char *first_key, ...)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new ();
  va_list rest;

  va_start (rest, first_key);
  for (const char *key = first_key; key != NULL; key = va_arg (rest, const char *))
    {
      g_ptr_array_add (items, new_text (TUTTI_VALUE_TEXT, key));
      g_ptr_array_add (items, va_arg (rest, TuttiValue *));
    }
  va_end (rest);
  gsize n = items->len / 2;
  return new_from_items (TUTTI_VALUE_TABLE, (TuttiValue **) g_ptr_array_free (g_steal_pointer (&items), FALSE), n);
}
