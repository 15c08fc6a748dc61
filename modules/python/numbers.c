/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors and arrays of numbers, and numpy's arrays over them. numpy is imported when the first one is needed. */
#include "bindings/guile-internals.h"
#include "bindings/guile-vector.h"
#include "platform/memory.h"
#include "python/convert.h"
#include "python/memory.h"
#include "python/object.h"
#include <string.h>

/* What is copied rather than shown: below, a copy costs less than a handle that the collector has to finalise. */
#define WORTH_SHOWING ((gsize) 16 * 1024)

typedef struct
{
  const char *dtype;  /* as numpy has it */
  const char *format; /* as buffers have it, after the sign for the order of bytes; more than one letter may stand for a kind */
  PyObject *object;   /* numpy.dtype */
} Kind;

static Kind kinds[] = {
  [TTI_NUMBER_U8] = { "u1", NULL, NULL },  [TTI_NUMBER_S8] = { "i1", NULL, NULL },  [TTI_NUMBER_U16] = { "u2", NULL, NULL },
  [TTI_NUMBER_S16] = { "i2", NULL, NULL }, [TTI_NUMBER_U32] = { "u4", NULL, NULL }, [TTI_NUMBER_S32] = { "i4", NULL, NULL },
  [TTI_NUMBER_U64] = { "u8", NULL, NULL }, [TTI_NUMBER_S64] = { "i8", NULL, NULL }, [TTI_NUMBER_F32] = { "f4", "f", NULL },
  [TTI_NUMBER_F64] = { "f8", "d", NULL },  [TTI_NUMBER_C32] = { "c8", "Zf", NULL }, [TTI_NUMBER_C64] = { "c16", "Zd", NULL },
};

static PyObject *from_buffer, *make_array, *make_empty, *bool_type, *array_type, *not_found;

/* Import numpy and look up what is used. FALSE: a Python exception is set. */
static gboolean
numpy_init (void)
{
  if (G_LIKELY (bool_type != NULL))
    return TRUE;
  PyObject *builtins = tti_py.PyImport_ImportModule ("builtins"), *numpy, *dtype;

  not_found = builtins != NULL ? tti_py.PyObject_GetAttrString (builtins, "ModuleNotFoundError") : NULL;
  numpy = tti_py.PyImport_ImportModule ("numpy");
  if (numpy == NULL)
    return FALSE;
  from_buffer = tti_py.PyObject_GetAttrString (numpy, "frombuffer");
  make_array = array_type = tti_py.PyObject_GetAttrString (numpy, "ndarray");
  make_empty = tti_py.PyObject_GetAttrString (numpy, "empty");
  dtype = tti_py.PyObject_GetAttrString (numpy, "dtype");
  for (gsize i = 0; dtype != NULL && i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i].dtype != NULL)
      {
        PyObject *name = tti_py.PyUnicode_FromStringAndSize (kinds[i].dtype, (Py_ssize_t) strlen (kinds[i].dtype));

        kinds[i].object = tti_py.PyObject_Vectorcall (dtype, &name, 1, NULL);
        tti_py.Py_DecRef (name);
        if (kinds[i].object == NULL)
          return FALSE;
      }
  tti_py.Py_DecRef (numpy);
  if (from_buffer == NULL || make_array == NULL || make_empty == NULL || dtype == NULL)
    return FALSE;
  PyObject *name = tti_py.PyUnicode_FromStringAndSize ("?", 1);

  bool_type = tti_py.PyObject_Vectorcall (dtype, &name, 1, NULL);
  tti_py.Py_DecRef (name);
  return bool_type != NULL;
}

/* --- to Python ------------------------------------------------------------------------------------------------------- */

/* The object over the memory of VECTOR, borrowed from the list of the conversion. */
static PyObject *
add_memory (TtiConversion *conversion, SCM vector)
{
  PyObject *memory = tti_memory_new (vector, conversion->memories);

  if (memory != NULL)
    conversion->memories = memory;
  return memory;
}

/* The bytes of VECTOR as a bytearray, to which can be written. */
static PyObject *
copy_to_python (SCM vector)
{
  return tti_py.PyByteArray_FromStringAndSize ((const char *) SCM_BYTEVECTOR_CONTENTS (vector),
                                               (Py_ssize_t) SCM_BYTEVECTOR_LENGTH (vector));
}

static PyObject *
bytes_to_python (SCM bytevector)
{
  return tti_py.PyBytes_FromStringAndSize ((const char *) SCM_BYTEVECTOR_CONTENTS (bytevector),
                                           (Py_ssize_t) SCM_BYTEVECTOR_LENGTH (bytevector));
}

/* numpy has not been imported. If that is because it is not there, say so of VALUE; else Python's exception says it. */
static PyObject *
refuse_without_numpy (TtiConversion *conversion, SCM value, const TtiPlace *place)
{
  if (not_found == NULL || !tti_py.PyErr_ExceptionMatches (not_found))
    return NULL;
  tti_py.PyErr_Clear ();
  return tti_refuse_to_python (conversion, value, place,
                               "numbers in bulk become arrays of numpy, which this Python has not; Debian has it in python3-numpy, other "
                               "Pythons by their pip");
}

PyObject *
tti_numbers_to_python (TtiConversion *conversion, SCM vector, const TtiPlace *place)
{
  TtiNumberKind kind = tti_guile_get_kind (vector);

  if (kind == TTI_NUMBER_VU8)
    return bytes_to_python (vector);
  if (!numpy_init ())
    return refuse_without_numpy (conversion, vector, place);
  if (SCM_BYTEVECTOR_LENGTH (vector) == 0)
    {
      PyObject *arguments[2] = { tti_py.PyLong_FromLongLong (0), kinds[kind].object };
      PyObject *empty = tti_py.PyObject_Vectorcall (make_empty, arguments, 2, NULL);

      tti_py.Py_DecRef (arguments[0]);
      return empty;
    }
  gboolean shown = tti_memory_can_show (vector);
  PyObject *arguments[2] = { shown ? add_memory (conversion, vector) : copy_to_python (vector), kinds[kind].object };
  PyObject *array = arguments[0] != NULL ? tti_py.PyObject_Vectorcall (from_buffer, arguments, 2, NULL) : NULL;

  if (!shown && arguments[0] != NULL)
    tti_py.Py_DecRef (arguments[0]); /* the array has it */
  return array;
}

/* A tuple of numbers: the extents of the dimensions, or how many bytes are between neighbours. */
static PyObject *
dimensions_tuple (const scm_t_array_dim *dimensions, gsize rank, gsize width, gboolean strides)
{
  PyObject *tuple = tti_py.PyTuple_New ((Py_ssize_t) rank);

  for (gsize d = 0; tuple != NULL && d < rank; d++)
    {
      gssize number
        = strides ? dimensions[d].inc * (gssize) width : dimensions[d].ubnd - dimensions[d].lbnd + 1;

      tti_py.PyTuple_SetItem (tuple, (Py_ssize_t) d, tti_py.PyLong_FromLongLong (number));
    }
  return tuple;
}

PyObject *
tti_array_to_python (TtiConversion *conversion, SCM array, const TtiPlace *place)
{
  SCM root = scm_shared_array_root (array);

  if (!scm_is_bytevector (root))
    return tti_refuse_to_python (conversion, array, place, "only arrays of numbers of one type, such as f64, have a counterpart");
  TtiNumberKind kind = tti_guile_get_kind (root);
  gsize rank = tti_guile_get_rank (array), width = tti_number_size (kind);
  const scm_t_array_dim *dimensions = tti_guile_get_dimensions (array);

  if (kind == TTI_NUMBER_VU8)
    return tti_refuse_to_python (conversion, array, place, "bytevectors have no dimensions in Python; make it an array of u8");
  if (!numpy_init ())
    return refuse_without_numpy (conversion, array, place);
  gsize offset = scm_to_size_t (scm_shared_array_offset (array)) * width;
  gboolean empty = SCM_BYTEVECTOR_LENGTH (root) == 0, shown = tti_memory_can_show (root);
  PyObject *arguments[5] = { dimensions_tuple (dimensions, rank, width, FALSE), kinds[kind].object,
                             empty ? tti_py.None : shown ? add_memory (conversion, root) : copy_to_python (root),
                             tti_py.PyLong_FromLongLong (empty ? 0 : (long long) offset),
                             dimensions_tuple (dimensions, rank, width, TRUE) };
  /* numpy.ndarray (shape, dtype, buffer, offset, strides) */
  PyObject *object = arguments[2] != NULL ? tti_py.PyObject_Vectorcall (make_array, arguments, empty ? 3 : 5, NULL) : NULL;

  if (!empty && !shown && arguments[2] != NULL)
    tti_py.Py_DecRef (arguments[2]);
  tti_py.Py_DecRef (arguments[0]);
  tti_py.Py_DecRef (arguments[3]);
  tti_py.Py_DecRef (arguments[4]);
  return object;
}

PyObject *
tti_bits_to_python (TtiConversion *conversion, SCM bitvector, const TtiPlace *place)
{
  if (!numpy_init ())
    return refuse_without_numpy (conversion, bitvector, place);
  gsize n = scm_c_bitvector_length (bitvector);
  PyObject *arguments[2] = { tti_py.PyLong_FromLongLong ((long long) n), bool_type };
  PyObject *array = tti_py.PyObject_Vectorcall (make_empty, arguments, 2, NULL);
  Py_buffer view;

  tti_py.Py_DecRef (arguments[0]);
  if (array == NULL || tti_py.PyObject_GetBuffer (array, &view, PyBUF_STRIDES | PyBUF_WRITABLE) < 0)
    return NULL;
  for (gsize i = 0; i < n; i++)
    ((char *) view.buf)[i] = (char) scm_c_bitvector_bit_is_set (bitvector, i);
  tti_py.PyBuffer_Release (&view);
  return array;
}

/* --- from Python ----------------------------------------------------------------------------------------------------- */

/* The kind of the elements of VIEW; -1: none of ours, or not in this machine's order. 'TTI_NUMBER_BIT' for truths. */
static int
kind_of_view (const Py_buffer *view)
{
  const char *format = view->format != NULL ? view->format : "B";

  if (*format == '@' || *format == '=' || *format == '^' || *format == (G_BYTE_ORDER == G_LITTLE_ENDIAN ? '<' : '>'))
    format++;
  if (strcmp (format, "?") == 0)
    return TTI_NUMBER_BIT;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i].format != NULL && strcmp (format, kinds[i].format) == 0)
      return (int) i;
  if (*format == '\0' || format[1] != '\0')
    return -1;
  static const TtiNumberKind without_sign[] = { TTI_NUMBER_U8, TTI_NUMBER_U16, TTI_NUMBER_U32, TTI_NUMBER_U64 },
                             with_sign[] = { TTI_NUMBER_S8, TTI_NUMBER_S16, TTI_NUMBER_S32, TTI_NUMBER_S64 };
  int size = view->itemsize == 1 ? 0 : view->itemsize == 2 ? 1 : view->itemsize == 4 ? 2 : view->itemsize == 8 ? 3 : -1;

  if (size >= 0 && strchr ("BHILQN", *format) != NULL)
    return (int) without_sign[size];
  if (size >= 0 && strchr ("bhilqn", *format) != NULL)
    return (int) with_sign[size];
  return -1;
}

static gboolean
is_packed (const Py_buffer *view)
{
  Py_ssize_t stride = view->itemsize;

  for (int d = view->ndim; d-- > 0;)
    {
      if (view->shape[d] > 1 && view->strides[d] != stride)
        return FALSE;
      stride *= view->shape[d];
    }
  return TRUE;
}

/* What the attribute "base" of ARRAY is, an ndarray, which has it; NULL: there is none. */
static PyObject *
base_of (PyObject *array)
{
  PyObject *base = tti_py.PyObject_GetAttrString (array, "base");

  if (base == NULL)
    tti_py.PyErr_Clear ();
  else
    tti_py.Py_DecRef (base);
  return base;
}

static gboolean
is_ndarray (PyObject *object)
{
  PyObject *type = tti_py.PyObject_Type (object);

  tti_py.Py_DecRef (type);
  return type == array_type;
}

/* Is nobody else able to see the memory of ARRAY, an ndarray: does it own it, or does one that only it refers to? */
static gboolean
owns_memory (PyObject *array)
{
  PyObject *base = base_of (array);

  return base == tti_py.None
         || (base != NULL && is_ndarray (base) && base_of (base) == tti_py.None && tti_has_references (base, 1));
}

/* The numbers of VIEW, packed, of KIND: where they are, if the memory is ours alone, else copied. */
static SCM
vector_from_view (PyObject *object, const Py_buffer *view, TtiNumberKind kind, gboolean exclusive)
{
  gsize count = (gsize) (view->len / view->itemsize);

  /* (The view is the second reference.) */
  if ((gsize) view->len > WORTH_SHOWING && exclusive && !view->readonly && tti_has_references (object, 2) && owns_memory (object))
    {
      tti_py.Py_IncRef (object);
      return tti_object_to_vector (object, view->buf, count, (int) kind);
    }
  SCM vector = tti_guile_make_private (kind, count);

  if (view->len > 0)
    tti_memory_copy (SCM_BYTEVECTOR_CONTENTS (vector), view->buf, (gsize) view->len);
  return vector;
}

static SCM
bits_from_view (const Py_buffer *view)
{
  SCM bits = scm_c_make_bitvector ((size_t) view->len, SCM_BOOL_F);

  for (Py_ssize_t i = 0; i < view->len; i++)
    if (((const char *) view->buf)[i])
      scm_c_bitvector_set_bit_x (bits, (size_t) i);
  return bits;
}

static SCM
array_from_view (SCM contents, const Py_buffer *view)
{
  scm_t_array_dim *dimensions;
  SCM array = tti_guile_make_array ((gsize) view->ndim, contents, 0, &dimensions);
  Py_ssize_t increment = 1;

  for (int d = view->ndim; d-- > 0;)
    {
      dimensions[d].lbnd = 0;
      dimensions[d].ubnd = view->shape[d] - 1;
      dimensions[d].inc = increment;
      increment *= view->shape[d];
    }
  return array;
}

static SCM
value_from_view (TtiConversion *conversion, PyObject *object, const Py_buffer *view, gboolean exclusive, const TtiPlace *place)
{
  int kind = kind_of_view (view);

  /* Other orders, and what has no dimensions, are made simple first (tutti_support.py). */
  if (kind < 0 || view->ndim == 0 || !is_packed (view))
    return SCM_UNDEFINED;
  if (kind == TTI_NUMBER_BIT)
    return view->ndim == 1 ? bits_from_view (view)
                           : tti_refuse_from_python (conversion, object, place,
                                                     "truths are expected in one dimension; with astype (numpy.uint8) it can have more");
  SCM vector = vector_from_view (object, view, (TtiNumberKind) kind, exclusive);

  return view->ndim == 1 ? vector : array_from_view (vector, view);
}

SCM
tti_numbers_from_python (TtiConversion *conversion, PyObject *object, gboolean exclusive, const TtiPlace *place)
{
  Py_buffer view;

  /* The buffer of what is derived from an array need not say all of it: that of a masked array does not. */
  if (!numpy_init () || !is_ndarray (object) || tti_py.PyObject_GetBuffer (object, &view, PyBUF_RECORDS_RO) < 0)
    {
      tti_py.PyErr_Clear ();
      return SCM_UNDEFINED;
    }
  SCM value = value_from_view (conversion, object, &view, exclusive, place);

  tti_py.PyBuffer_Release (&view);
  return value;
}
