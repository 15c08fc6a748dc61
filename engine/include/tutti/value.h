/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values: what travels between an application and workers, or the procedures of a script. */
#pragma once
#include "tutti/vector.h"

G_BEGIN_DECLS

#define TUTTI_TYPE_VALUE (tutti_value_get_type ())

/**
 * TuttiValue: (ref-func tutti_value_ref) (unref-func tutti_value_unref)
 *
 * An immutable, counted value: a number, text, a list, a table, a vector, and so on. Lists and tables may be nested to any depth. The
 * contents of vectors are never copied; those of one that arrived are where they arrived. Any thread may read a value.
 */
typedef struct _TuttiValue TuttiValue;

/**
 * TuttiValueType:
 * @TUTTI_VALUE_NULL: no value; in Scheme the unspecified one
 * @TUTTI_VALUE_BOOLEAN: true or false
 * @TUTTI_VALUE_INTEGER: a whole number of 64 bits with sign
 * @TUTTI_VALUE_REAL: a double
 * @TUTTI_VALUE_COMPLEX: a complex double
 * @TUTTI_VALUE_TEXT: UTF-8
 * @TUTTI_VALUE_SYMBOL: UTF-8; in Scheme a symbol
 * @TUTTI_VALUE_LIST: values in order; in Scheme a list or, of what arrives, also a vector
 * @TUTTI_VALUE_TABLE: pairs of a key and a value; in Scheme a hash table
 * @TUTTI_VALUE_VECTOR: a [struct@Vector]
 * @TUTTI_VALUE_OTHER: what C has no type for (a big integer, a record of Scheme …): it can be passed on and described
 *
 * What a value is.
 */
typedef enum
{
  TUTTI_VALUE_NULL,
  TUTTI_VALUE_BOOLEAN,
  TUTTI_VALUE_INTEGER,
  TUTTI_VALUE_REAL,
  TUTTI_VALUE_COMPLEX,
  TUTTI_VALUE_TEXT,
  TUTTI_VALUE_SYMBOL,
  TUTTI_VALUE_LIST,
  TUTTI_VALUE_TABLE,
  TUTTI_VALUE_VECTOR,
  TUTTI_VALUE_OTHER
} TuttiValueType;

TUTTI_API GType tutti_value_get_type (void);
TUTTI_API TuttiValue *tutti_value_ref (TuttiValue *value);
TUTTI_API void tutti_value_unref (TuttiValue *value);

TUTTI_API TuttiValue *tutti_value_new_null (void);
TUTTI_API TuttiValue *tutti_value_new_boolean (gboolean boolean);
TUTTI_API TuttiValue *tutti_value_new_integer (gint64 integer);
TUTTI_API TuttiValue *tutti_value_new_real (double real);
TUTTI_API TuttiValue *tutti_value_new_complex (double real, double imaginary);
TUTTI_API TuttiValue *tutti_value_new_text (const char *text);
TUTTI_API TuttiValue *tutti_value_new_symbol (const char *name);
TUTTI_API TuttiValue *tutti_value_new_vector (TuttiVector *vector);
TUTTI_API TuttiValue *tutti_value_new_list (TuttiValue *const *items, gsize n);
TUTTI_API TuttiValue *tutti_value_new_list_take (TuttiValue *first, ...) G_GNUC_NULL_TERMINATED;
TUTTI_API TuttiValue *tutti_value_new_table (TuttiValue *const *keys, TuttiValue *const *values, gsize n);
TUTTI_API TuttiValue *tutti_value_new_table_take (const char *first_key, ...) G_GNUC_NULL_TERMINATED;

TUTTI_API TuttiValueType tutti_value_get_value_type (TuttiValue *value);
TUTTI_API const char *tutti_value_type_name (TuttiValueType type);
TUTTI_API gboolean tutti_value_expect (TuttiValue *value, TuttiValueType type, const char *what, GError **error);
TUTTI_API gboolean tutti_value_get_boolean (TuttiValue *value);
TUTTI_API gint64 tutti_value_get_integer (TuttiValue *value);
TUTTI_API double tutti_value_get_real (TuttiValue *value);
TUTTI_API double tutti_value_get_imaginary (TuttiValue *value);
TUTTI_API const char *tutti_value_get_text (TuttiValue *value);
TUTTI_API TuttiVector *tutti_value_get_vector (TuttiValue *value);
TUTTI_API gsize tutti_value_get_n_items (TuttiValue *value);
TUTTI_API TuttiValue *tutti_value_get_item (TuttiValue *value, gsize index);
TUTTI_API TuttiValue *tutti_value_get_key (TuttiValue *value, gsize index);
TUTTI_API TuttiValue *tutti_value_lookup (TuttiValue *value, const char *key);
TUTTI_API gboolean tutti_value_equal (TuttiValue *one, TuttiValue *other);
TUTTI_API char *tutti_value_print (TuttiValue *value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiValue, tutti_value_unref)

G_END_DECLS
