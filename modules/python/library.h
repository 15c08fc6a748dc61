/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* CPython, as the user has it: a shared library that is opened at run time, and the functions of it that are used here.
 *
 * Nothing is compiled against CPython's headers, so one build serves every version from 3.11 on. What is declared here is in CPython's
 * stable ABI (https://docs.python.org/3/c-api/stable.html), or else has been there with the same meaning in all of these versions; what
 * some have not is in the table of what is optional. All of it is called with the GIL held, but for what starts the interpreter. */
#pragma once
#include <glib.h>
#include <wchar.h>

typedef struct _PyObject PyObject;
typedef struct _PyThreadState PyThreadState;
typedef struct _PyInitConfig PyInitConfig;
typedef gssize Py_ssize_t;

/* The buffer protocol: in the stable ABI since 3.11. */
typedef struct
{
  void *buf;
  PyObject *obj;
  Py_ssize_t len, itemsize;
  int readonly, ndim;
  char *format;
  Py_ssize_t *shape, *strides, *suboffsets;
  void *internal;
} Py_buffer;

#define PyBUF_FORMAT 0x0004
#define PyBUF_STRIDES (0x0010 | 0x0008)
#define PyBUF_RECORDS_RO (PyBUF_STRIDES | PyBUF_FORMAT)
#define PyBUF_WRITABLE 0x0001

typedef struct
{
  int slot;
  void *function;
} PyType_Slot;

typedef struct
{
  const char *name;
  int basicsize, itemsize;
  unsigned int flags;
  PyType_Slot *slots;
} PyType_Spec;

#define Py_bf_getbuffer 1
#define Py_bf_releasebuffer 2
#define Py_tp_dealloc 52
#define Py_TPFLAGS_DEFAULT (1u << 18)
#define Py_TPFLAGS_DISALLOW_INSTANTIATION (1u << 7)

/* Flags of types: is it, or does it come from, one of these? */
#define Py_TPFLAGS_LONG_SUBCLASS (1ul << 24)
#define Py_TPFLAGS_LIST_SUBCLASS (1ul << 25)
#define Py_TPFLAGS_TUPLE_SUBCLASS (1ul << 26)
#define Py_TPFLAGS_BYTES_SUBCLASS (1ul << 27)
#define Py_TPFLAGS_UNICODE_SUBCLASS (1ul << 28)
#define Py_TPFLAGS_DICT_SUBCLASS (1ul << 29)

/* Of each function: result, name, arguments. */
#define TTI_PY_FUNCTIONS(F)                                                                                                        \
  F (int, Py_IsInitialized, (void))                                                                                                \
  F (const char *, Py_GetVersion, (void))                                                                                          \
  F (void, Py_InitializeEx, (int install_signal_handlers))                                                                         \
  F (wchar_t *, Py_DecodeLocale, (const char *text, gsize *size))                                                                  \
  F (PyThreadState *, PyEval_SaveThread, (void))                                                                                   \
  F (int, PyGILState_Ensure, (void))                                                                                               \
  F (void, PyGILState_Release, (int state))                                                                                        \
  F (void, Py_IncRef, (PyObject * object))                                                                                         \
  F (void, Py_DecRef, (PyObject * object))                                                                                         \
  F (PyObject *, PyErr_Occurred, (void))                                                                                           \
  F (int, PyErr_ExceptionMatches, (PyObject * type))                                                                               \
  F (void, PyErr_Clear, (void))                                                                                                    \
  F (void, PyErr_SetString, (PyObject * type, const char *message))                                                                \
  F (void, PyErr_Fetch, (PyObject * *type, PyObject * *value, PyObject * *traceback))                                              \
  F (void, PyErr_NormalizeException, (PyObject * *type, PyObject * *value, PyObject * *traceback))                                 \
  F (int, PyException_SetTraceback, (PyObject * exception, PyObject * traceback))                                                  \
  F (PyObject *, PyImport_ImportModule, (const char *name))                                                                        \
  F (PyObject *, PyObject_GetAttrString, (PyObject * object, const char *name))                                                    \
  F (PyObject *, PyObject_Call, (PyObject * callable, PyObject * arguments, PyObject * keywords))                                  \
  F (PyObject *, PyObject_CallObject, (PyObject * callable, PyObject * arguments))                                                 \
  F (PyObject *, PyObject_Vectorcall, (PyObject * callable, PyObject *const *arguments, gsize n, PyObject *names))                 \
  F (PyObject *, PyObject_Type, (PyObject * object))                                                                               \
  F (unsigned long, PyType_GetFlags, (PyObject * type))                                                                            \
  F (int, PyType_IsSubtype, (PyObject * type, PyObject * base))                                                                    \
  F (PyObject *, PyType_FromSpec, (PyType_Spec * spec))                                                                            \
  F (PyObject *, PyType_GenericAlloc, (PyObject * type, Py_ssize_t n))                                                             \
  F (void, PyObject_Free, (void *memory))                                                                                          \
  F (int, PyObject_GetBuffer, (PyObject * object, Py_buffer * view, int flags))                                                    \
  F (void, PyBuffer_Release, (Py_buffer * view))                                                                                   \
  F (int, PyObject_CheckBuffer, (PyObject * object))                                                                               \
  F (int, PyBuffer_FillInfo, (Py_buffer * view, PyObject * object, void *buf, Py_ssize_t size, int readonly, int flags))           \
  F (PyObject *, PyTuple_New, (Py_ssize_t n))                                                                                      \
  F (int, PyTuple_SetItem, (PyObject * tuple, Py_ssize_t i, PyObject * item))                                                      \
  F (PyObject *, PyTuple_GetItem, (PyObject * tuple, Py_ssize_t i))                                                                \
  F (Py_ssize_t, PyTuple_Size, (PyObject * tuple))                                                                                 \
  F (PyObject *, PyList_New, (Py_ssize_t n))                                                                                       \
  F (int, PyList_SetItem, (PyObject * list, Py_ssize_t i, PyObject * item))                                                        \
  F (PyObject *, PyList_GetItem, (PyObject * list, Py_ssize_t i))                                                                  \
  F (Py_ssize_t, PyList_Size, (PyObject * list))                                                                                   \
  F (PyObject *, PyDict_New, (void))                                                                                               \
  F (int, PyDict_SetItem, (PyObject * dict, PyObject * key, PyObject * value))                                                     \
  F (int, PyDict_Next, (PyObject * dict, Py_ssize_t * position, PyObject * *key, PyObject * *value))                               \
  F (Py_ssize_t, PyDict_Size, (PyObject * dict))                                                                                   \
  F (PyObject *, PyBool_FromLong, (long truth))                                                                                    \
  F (PyObject *, PyLong_FromLongLong, (long long integer))                                                                         \
  F (PyObject *, PyLong_FromUnsignedLongLong, (unsigned long long integer))                                                        \
  F (PyObject *, PyLong_FromString, (const char *text, char **end, int base))                                                      \
  F (long long, PyLong_AsLongLongAndOverflow, (PyObject * integer, int *overflow))                                                 \
  F (PyObject *, PyNumber_ToBase, (PyObject * integer, int base))                                                                  \
  F (PyObject *, PyFloat_FromDouble, (double real))                                                                                \
  F (double, PyFloat_AsDouble, (PyObject * real))                                                                                  \
  F (PyObject *, PyComplex_FromDoubles, (double real, double imaginary))                                                           \
  F (double, PyComplex_RealAsDouble, (PyObject * number))                                                                          \
  F (double, PyComplex_ImagAsDouble, (PyObject * number))                                                                          \
  F (PyObject *, PyUnicode_FromStringAndSize, (const char *text, Py_ssize_t size))                                                 \
  F (const char *, PyUnicode_AsUTF8AndSize, (PyObject * text, Py_ssize_t * size))                                                  \
  F (PyObject *, PyByteArray_FromStringAndSize, (const char *bytes, Py_ssize_t size))                                              \
  F (PyObject *, PyBytes_FromStringAndSize, (const char *bytes, Py_ssize_t size))                                                  \
  F (int, PyBytes_AsStringAndSize, (PyObject * bytes, char **data, Py_ssize_t *size))

/* What only some versions have; NULL elsewhere. The first until 3.14, the others from 3.14 on. */
#define TTI_PY_OPTIONAL(F)                                                                                                         \
  F (void, Py_SetProgramName, (const wchar_t *name))                                                                               \
  F (PyInitConfig *, PyInitConfig_Create, (void))                                                                                  \
  F (void, PyInitConfig_Free, (PyInitConfig * config))                                                                             \
  F (int, PyInitConfig_SetStr, (PyInitConfig * config, const char *name, const char *text))                                        \
  F (int, PyInitConfig_SetInt, (PyInitConfig * config, const char *name, gint64 value))                                            \
  F (int, PyInitConfig_GetError, (PyInitConfig * config, const char **message))                                                    \
  F (int, Py_InitializeFromInitConfig, (PyInitConfig * config))

#define TTI_PY_POINTER(result, name, arguments) result (*name) arguments;

typedef struct
{
  TTI_PY_FUNCTIONS (TTI_PY_POINTER)
  TTI_PY_OPTIONAL (TTI_PY_POINTER)
  PyObject *None, *True, *False, *Float, *Complex;
} TtiPy;

/* Empty until tti_py_open () has returned TRUE. */
extern TtiPy tti_py;

/* Open FILE, a libpython, with its symbols visible to all that is loaded later, as extension modules of Python need them; fill TTI_PY. The
 * library stays. */
gboolean tti_py_open (const char *file, GError **error);

/* Start the interpreter as if EXECUTABLE (absolute) had been called: so a virtual environment is found. No handler of a signal is
 * installed but for SIGPIPE. The GIL is free afterwards. */
gboolean tti_py_start (const char *executable, GError **error);
