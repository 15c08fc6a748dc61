/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "python/convert.h"
#include "bindings/guile-error.h"
#include "bindings/guile-internals.h"
#include "python/memory.h"
#include "python/object.h"
#include <stdlib.h>
#include <string.h>

#define DEEPEST 1000 /* lists in lists: what is deeper is a mistake, or would take more stack than there is */

static PyObject *simplify, *type_name, *fraction, *ratio_type, *seed_generator;
static PyObject *get_reference_count;
static long long one_reference; /* what that says of an object to which there is one */

/* --- places ---------------------------------------------------------------------------------------------------------- */

#define MOST_PLACES 8 /* what is nested deeper is mostly in itself */

static guint
place_depth (const TtiPlace *place)
{
  guint depth = 0;

  for (; place != NULL; place = place->outer)
    depth++;
  return depth;
}

static void
place_append (GString *text, const TtiPlace *place)
{
  if (place->outer != NULL)
    {
      place_append (text, place->outer);
      g_string_append (text, ", ");
    }
  if (place->key != NULL)
    g_string_append_printf (text, "%s %s", place->what, place->key);
  else
    g_string_append_printf (text, "%s %zu", place->what, place->number);
}

static char *
place_text (const TtiPlace *place)
{
  GString *text = g_string_new (NULL);
  guint depth = place_depth (place), more = depth > MOST_PLACES ? depth - MOST_PLACES : 0;

  for (guint i = 0; i < more; i++)
    place = place->outer;
  if (place != NULL)
    place_append (text, place);
  if (more > 0)
    g_string_append_printf (text, " and %u levels deeper", more);
  return g_string_free (text, FALSE);
}

PyObject *
tti_refuse_to_python (TtiConversion *conversion, SCM value, const TtiPlace *place, const char *why)
{
  conversion->where = place_text (place);
  conversion->value = value;
  conversion->why = why;
  return NULL;
}

SCM
tti_refuse_from_python (TtiConversion *conversion, PyObject *object, const TtiPlace *place, const char *why)
{
  tti_py.PyErr_Clear ();
  PyObject *name = tti_py.PyObject_Vectorcall (type_name, &object, 1, NULL);
  const char *text = name != NULL ? tti_py.PyUnicode_AsUTF8AndSize (name, NULL) : NULL;

  conversion->where = place_text (place);
  conversion->type = g_strdup (text != NULL ? text : "of a type without a name");
  conversion->why = why;
  if (name != NULL)
    tti_py.Py_DecRef (name);
  tti_py.PyErr_Clear ();
  return SCM_UNDEFINED;
}

/* --- to Python ------------------------------------------------------------------------------------------------------- */

static PyObject *
text_to_python (SCM string)
{
  size_t size;
  char *text = scm_to_utf8_stringn (string, &size);
  PyObject *object = tti_py.PyUnicode_FromStringAndSize (text, (Py_ssize_t) size);

  free (text);
  return object;
}

static PyObject *
integer_to_python (SCM integer)
{
  if (scm_is_signed_integer (integer, INT64_MIN, INT64_MAX))
    return tti_py.PyLong_FromLongLong (scm_to_int64 (integer));
  char *digits = scm_to_latin1_string (scm_number_to_string (integer, scm_from_int (16)));
  PyObject *object = tti_py.PyLong_FromString (digits, NULL, 16);

  free (digits);
  return object;
}

static PyObject *
fraction_to_python (SCM number)
{
  PyObject *parts[2] = { integer_to_python (scm_numerator (number)), integer_to_python (scm_denominator (number)) };
  PyObject *object = parts[0] != NULL && parts[1] != NULL ? tti_py.PyObject_Vectorcall (fraction, parts, 2, NULL) : NULL;

  for (guint i = 0; i < 2; i++)
    if (parts[i] != NULL)
      tti_py.Py_DecRef (parts[i]);
  return object;
}

static PyObject *
number_to_python (SCM number)
{
  if (scm_is_exact_integer (number))
    return integer_to_python (number);
  if (scm_is_true (scm_exact_p (number)))
    return fraction_to_python (number);
  if (scm_is_real (number))
    return tti_py.PyFloat_FromDouble (scm_to_double (number));
  return tti_py.PyComplex_FromDoubles (scm_c_real_part (number), scm_c_imag_part (number));
}

static PyObject *
list_to_python (TtiConversion *conversion, SCM list, const TtiPlace *place)
{
  long n = scm_ilength (list);

  if (n < 0)
    return tti_refuse_to_python (conversion, list, place, "only proper lists have a counterpart");
  PyObject *object = tti_py.PyList_New (n);

  for (long i = 0; object != NULL && i < n; i++, list = scm_cdr (list))
    {
      TtiPlace inner = { place, "item", (gsize) i, NULL };
      PyObject *item = tti_to_python (conversion, scm_car (list), &inner);

      if (item == NULL || tti_py.PyList_SetItem (object, i, item) < 0)
        {
          tti_py.Py_DecRef (object);
          return NULL;
        }
    }
  return object;
}

static PyObject *
vector_to_python (TtiConversion *conversion, SCM vector, const TtiPlace *place)
{
  gsize n = scm_c_vector_length (vector);
  PyObject *object = tti_py.PyTuple_New ((Py_ssize_t) n);

  for (gsize i = 0; object != NULL && i < n; i++)
    {
      TtiPlace inner = { place, "item", i, NULL };
      PyObject *item = tti_to_python (conversion, scm_c_vector_ref (vector, i), &inner);

      if (item == NULL || tti_py.PyTuple_SetItem (object, (Py_ssize_t) i, item) < 0)
        {
          tti_py.Py_DecRef (object);
          return NULL;
        }
    }
  return object;
}

typedef struct
{
  TtiConversion *conversion;
  const TtiPlace *place;
  PyObject *dict;
  gsize index;
  gboolean failed;
} Table;

static SCM
table_entry (void *data, SCM key, SCM value, SCM unused)
{
  Table *table = data;
  TtiPlace key_place = { table->place, "key", table->index, NULL }, value_place = { table->place, "value of key", table->index, NULL };

  if (table->failed)
    return unused;
  PyObject *key_object = tti_to_python (table->conversion, key, &key_place);
  PyObject *value_object = key_object != NULL ? tti_to_python (table->conversion, value, &value_place) : NULL;

  if (value_object == NULL || tti_py.PyDict_SetItem (table->dict, key_object, value_object) < 0)
    table->failed = TRUE;
  if (key_object != NULL)
    tti_py.Py_DecRef (key_object);
  if (value_object != NULL)
    tti_py.Py_DecRef (value_object);
  table->index++;
  return unused;
}

static PyObject *
table_to_python (TtiConversion *conversion, SCM hash_table, const TtiPlace *place)
{
  Table table = { conversion, place, tti_py.PyDict_New (), 0, FALSE };

  if (table.dict == NULL)
    return NULL;
  scm_internal_hash_fold (table_entry, &table, SCM_UNSPECIFIED, hash_table);
  if (!table.failed)
    return table.dict;
  tti_py.Py_DecRef (table.dict);
  return NULL;
}

/* A generator of random numbers begins with the numbers of the task. */
static PyObject *
handle_to_python (TtiConversion *conversion, SCM handle, const TtiPlace *place)
{
  gboolean fresh;
  PyObject *object = tti_object_from_handle (handle, conversion->serial, &fresh);

  if (G_UNLIKELY (fresh))
    {
      PyObject *arguments[3] = { object, tti_py.PyLong_FromUnsignedLongLong (conversion->seed),
                                 tti_py.PyLong_FromLongLong ((long long) (place != NULL ? place->number : 0)) };
      PyObject *done = tti_py.PyObject_Vectorcall (seed_generator, arguments, 3, NULL);

      tti_py.Py_DecRef (arguments[1]);
      tti_py.Py_DecRef (arguments[2]);
      if (done == NULL)
        return NULL;
      tti_py.Py_DecRef (done);
    }
  tti_py.Py_IncRef (object);
  return object;
}

static PyObject *
constant (PyObject *object)
{
  tti_py.Py_IncRef (object);
  return object;
}

static PyObject *
compound_to_python (TtiConversion *conversion, SCM value, const TtiPlace *place)
{
  if (place_depth (place) > DEEPEST)
    return tti_refuse_to_python (conversion, value, place, "it is nested too deeply, or in itself");
  if (scm_is_pair (value))
    return list_to_python (conversion, value, place);
  if (scm_is_vector (value))
    return vector_to_python (conversion, value, place);
  return table_to_python (conversion, value, place);
}

PyObject *
tti_to_python (TtiConversion *conversion, SCM value, const TtiPlace *place)
{
  if (scm_is_number (value))
    return number_to_python (value);
  if (scm_is_bytevector (value))
    return tti_numbers_to_python (conversion, value, place);
  if (scm_is_bool (value))
    return constant (scm_is_true (value) ? tti_py.True : tti_py.False);
  if (scm_is_null (value))
    return tti_py.PyList_New (0);
  if (scm_is_string (value))
    return text_to_python (value);
  if (scm_is_symbol (value))
    return text_to_python (scm_symbol_to_string (value));
  if (scm_is_pair (value) || scm_is_vector (value) || scm_is_true (scm_hash_table_p (value)))
    return compound_to_python (conversion, value, place);
  if (scm_is_eq (value, SCM_UNSPECIFIED))
    return constant (tti_py.None);
  if (tti_object_is_handle (value))
    return handle_to_python (conversion, value, place);
  if (scm_is_true (scm_char_p (value)))
    return text_to_python (scm_string (scm_list_1 (value)));
  if (scm_is_bitvector (value))
    return tti_bits_to_python (conversion, value, place);
  if (scm_is_array (value))
    return tti_array_to_python (conversion, value, place);
  return tti_refuse_to_python (conversion, value, place, NULL);
}

/* --- from Python ----------------------------------------------------------------------------------------------------- */

gboolean
tti_has_references (PyObject *object, guint n)
{
  PyObject *count = tti_py.PyObject_Vectorcall (get_reference_count, &object, 1, NULL);
  int overflow;
  gboolean has = count != NULL && tti_py.PyLong_AsLongLongAndOverflow (count, &overflow) == one_reference + n - 1;

  if (count != NULL)
    tti_py.Py_DecRef (count);
  return has;
}

static SCM from_python (TtiConversion *conversion, PyObject *object, gboolean exclusive, const TtiPlace *place);

static SCM
text_from_python (TtiConversion *conversion, PyObject *text, const TtiPlace *place)
{
  Py_ssize_t size;
  const char *utf8 = tti_py.PyUnicode_AsUTF8AndSize (text, &size);

  if (utf8 == NULL)
    return tti_refuse_from_python (conversion, text, place, "it has a lone surrogate, which is no character");
  return scm_from_utf8_stringn (utf8, (size_t) size);
}

static SCM
integer_from_python (PyObject *integer)
{
  int overflow;
  long long value = tti_py.PyLong_AsLongLongAndOverflow (integer, &overflow);

  if (G_LIKELY (!overflow))
    return scm_from_int64 (value);
  PyObject *text = tti_py.PyNumber_ToBase (integer, 16); /* "-0x12" */
  Py_ssize_t size;
  const char *digits = text != NULL ? tti_py.PyUnicode_AsUTF8AndSize (text, &size) : NULL;

  if (digits == NULL)
    return SCM_UNDEFINED;
  gboolean negative = digits[0] == '-';
  gsize start = negative ? 3 : 2;
  SCM number = scm_c_locale_stringn_to_number (digits + start, (size_t) size - start, 16);

  tti_py.Py_DecRef (text);
  return negative ? scm_difference (scm_from_int (0), number) : number;
}

static SCM
list_from_python (TtiConversion *conversion, PyObject *list, gboolean exclusive, const TtiPlace *place)
{
  SCM first = scm_cons (SCM_BOOL_F, SCM_EOL), last = first;

  exclusive = exclusive && tti_has_references (list, 1);
  for (Py_ssize_t i = 0; i < tti_py.PyList_Size (list); i++)
    {
      TtiPlace inner = { place, "item", (gsize) i, NULL };
      SCM item = from_python (conversion, tti_py.PyList_GetItem (list, i), exclusive, &inner);

      if (SCM_UNBNDP (item))
        return item;
      scm_set_cdr_x (last, scm_cons (item, SCM_EOL));
      last = scm_cdr (last);
    }
  return scm_cdr (first);
}

static SCM
tuple_from_python (TtiConversion *conversion, PyObject *tuple, gboolean exclusive, const TtiPlace *place)
{
  Py_ssize_t n = tti_py.PyTuple_Size (tuple);
  SCM vector = scm_c_make_vector ((size_t) n, SCM_BOOL_F);

  exclusive = exclusive && tti_has_references (tuple, 1);
  for (Py_ssize_t i = 0; i < n; i++)
    {
      TtiPlace inner = { place, "item", (gsize) i, NULL };
      SCM item = from_python (conversion, tti_py.PyTuple_GetItem (tuple, i), exclusive, &inner);

      if (SCM_UNBNDP (item))
        return item;
      scm_c_vector_set_x (vector, (size_t) i, item);
    }
  return vector;
}

/* The text of KEY, if it is one, for places. */
static const char *
key_text (PyObject *key)
{
  const char *text = tti_py.PyUnicode_AsUTF8AndSize (key, NULL);

  if (text == NULL)
    tti_py.PyErr_Clear ();
  return text;
}

static SCM
dict_from_python (TtiConversion *conversion, PyObject *dict, gboolean exclusive, const TtiPlace *place)
{
  SCM table = scm_c_make_hash_table ((unsigned long) tti_py.PyDict_Size (dict));
  Py_ssize_t position = 0;
  PyObject *key, *value;

  exclusive = exclusive && tti_has_references (dict, 1);
  for (gsize i = 0; tti_py.PyDict_Next (dict, &position, &key, &value); i++)
    {
      TtiPlace key_place = { place, "key", i, NULL }, value_place = { place, "value of key", i, key_text (key) };
      SCM scheme_key = from_python (conversion, key, FALSE, &key_place), scheme_value;

      if (SCM_UNBNDP (scheme_key))
        return scheme_key;
      scheme_value = from_python (conversion, value, exclusive, &value_place);
      if (SCM_UNBNDP (scheme_value))
        return scheme_value;
      scm_hash_set_x (table, scheme_key, scheme_value);
    }
  return table;
}

static SCM
bytes_from_python (PyObject *bytes)
{
  char *data;
  Py_ssize_t size;

  if (tti_py.PyBytes_AsStringAndSize (bytes, &data, &size) < 0)
    return SCM_UNDEFINED;
  SCM bytevector = scm_c_make_bytevector ((size_t) size);

  if (size > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (bytevector), data, (size_t) size);
  return bytevector;
}

static SCM
ratio_from_python (PyObject *ratio)
{
  return scm_divide (integer_from_python (tti_py.PyTuple_GetItem (ratio, 0)), integer_from_python (tti_py.PyTuple_GetItem (ratio, 1)));
}

/* What has no type of Python's own. */
static SCM
other_from_python (TtiConversion *conversion, PyObject *object, gboolean exclusive, const TtiPlace *place)
{
  SCM value = SCM_UNDEFINED;

  if (tti_py.PyObject_CheckBuffer (object))
    {
      value = tti_numbers_from_python (conversion, object, exclusive, place);
      if (!SCM_UNBNDP (value) || conversion->where != NULL || tti_py.PyErr_Occurred () != NULL)
        return value;
    }
  PyObject *simple = tti_py.PyObject_Vectorcall (simplify, &object, 1, NULL);

  if (simple == NULL)
    return tti_refuse_from_python (conversion, object, place, NULL);
  PyObject *type = tti_py.PyObject_Type (simple);

  value = type == ratio_type ? ratio_from_python (simple) : from_python (conversion, simple, TRUE, place);
  tti_py.Py_DecRef (type);
  tti_py.Py_DecRef (simple);
  return value;
}

static SCM
from_python (TtiConversion *conversion, PyObject *object, gboolean exclusive, const TtiPlace *place)
{
  if (object == tti_py.None)
    return SCM_UNSPECIFIED;
  if (object == tti_py.True || object == tti_py.False)
    return scm_from_bool (object == tti_py.True);
  PyObject *type = tti_py.PyObject_Type (object);
  unsigned long flags = tti_py.PyType_GetFlags (type);
  gboolean real = tti_py.PyType_IsSubtype (type, tti_py.Float), complex_number = tti_py.PyType_IsSubtype (type, tti_py.Complex);

  tti_py.Py_DecRef (type); /* the object has it */
  if (flags & Py_TPFLAGS_LONG_SUBCLASS)
    return integer_from_python (object);
  if (real)
    return scm_from_double (tti_py.PyFloat_AsDouble (object));
  if (complex_number)
    return scm_c_make_rectangular (tti_py.PyComplex_RealAsDouble (object), tti_py.PyComplex_ImagAsDouble (object));
  if (flags & Py_TPFLAGS_UNICODE_SUBCLASS)
    return text_from_python (conversion, object, place);
  if (flags & Py_TPFLAGS_BYTES_SUBCLASS)
    return bytes_from_python (object);
  if (place_depth (place) > DEEPEST)
    return tti_refuse_from_python (conversion, object, place, "it is nested too deeply, or in itself");
  if (flags & Py_TPFLAGS_LIST_SUBCLASS)
    return list_from_python (conversion, object, exclusive, place);
  if (flags & Py_TPFLAGS_TUPLE_SUBCLASS)
    return tuple_from_python (conversion, object, exclusive, place);
  if (flags & Py_TPFLAGS_DICT_SUBCLASS)
    return dict_from_python (conversion, object, exclusive, place);
  return other_from_python (conversion, object, exclusive, place);
}

SCM
tti_from_python (TtiConversion *conversion, PyObject *object)
{
  SCM value = from_python (conversion, object, TRUE, NULL);

  tti_py.Py_DecRef (object);
  return value;
}

/* --- start ----------------------------------------------------------------------------------------------------------- */

gboolean
tti_convert_init (PyObject *support)
{
  PyObject *sys = tti_py.PyImport_ImportModule ("sys"), *sample = tti_py.PyList_New (0);

  if (sys == NULL || sample == NULL)
    return FALSE;
  get_reference_count = tti_py.PyObject_GetAttrString (sys, "getrefcount");
  simplify = tti_py.PyObject_GetAttrString (support, "simplify");
  type_name = tti_py.PyObject_GetAttrString (support, "type_name");
  fraction = tti_py.PyObject_GetAttrString (support, "fraction");
  ratio_type = tti_py.PyObject_GetAttrString (support, "_Ratio");
  seed_generator = tti_py.PyObject_GetAttrString (support, "seed_generator");
  tti_py.Py_DecRef (sys);
  if (get_reference_count == NULL || simplify == NULL || type_name == NULL || fraction == NULL || ratio_type == NULL
      || seed_generator == NULL)
    return FALSE;
  PyObject *count = tti_py.PyObject_Vectorcall (get_reference_count, &sample, 1, NULL);
  int overflow;

  if (count == NULL)
    return FALSE;
  one_reference = tti_py.PyLong_AsLongLongAndOverflow (count, &overflow);
  tti_py.Py_DecRef (count);
  tti_py.Py_DecRef (sample);
  return TRUE;
}
