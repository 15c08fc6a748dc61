/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "python/call.h"
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"
#include "python/convert.h"
#include "python/memory.h"
#include "python/object.h"
#include "python/support.h"
#include <stdlib.h>
#include <string.h>

static SCM raise_exception, raise_argument, raise_result;

/* --- entering and leaving -------------------------------------------------------------------------------------------- */

typedef struct
{
  int gil;
  TtiConversion conversion;
  guint n_arguments;
  PyObject **arguments; /* those by position, then those by name */
  PyObject *names;      /* a tuple; NULL: none */
} Call;

static guint64 seeded; /* the number of the task that was seeded last; with the GIL */

/* In a helper of a serial pool: the number and the seed of the task there; the number is 0 if there is none. With the GIL. */
static guint64 lent_serial, lent_seed;

#define LENT (G_GUINT64_CONSTANT (1) << 63)

/* The generators that Python's modules have for everybody begin anew with each task. */
static void
seed_task (Call *call)
{
  PyObject *number, *done;

  call->conversion.serial = tti_guile_get_task_seed (&call->conversion.seed);
  if (lent_serial != 0)
    {
      call->conversion.serial = lent_serial | LENT;
      call->conversion.seed = lent_seed;
    }
  if (G_LIKELY (call->conversion.serial == seeded))
    return;
  seeded = call->conversion.serial;
  number = tti_py.PyLong_FromUnsignedLongLong (call->conversion.seed);
  done = tti_py.PyObject_Vectorcall (tti_support.seed, &number, 1, NULL);
  tti_py.Py_DecRef (number);
  if (done != NULL)
    tti_py.Py_DecRef (done);
  else
    tti_py.PyErr_Clear (); /* a model has put something else in place of a module */
}

static void
enter (Call *call)
{
  /* What Scheme has written comes before what Python will write. */
  scm_force_output (scm_current_output_port ());
  call->gil = tti_py.PyGILState_Ensure ();
  tti_support_note_use ();
  tti_object_drain ();
  seed_task (call);
}

/* If there is no memory for what Python has kept of the arguments, that is raised, and the value of the call is lost. */
static void
leave (Call *call)
{
  GError *error = NULL;

  for (guint i = 0; i < call->n_arguments; i++)
    if (call->arguments[i] != NULL)
      tti_py.Py_DecRef (call->arguments[i]);
  if (call->names != NULL)
    tti_py.Py_DecRef (call->names);
  (void) tti_memory_settle (call->conversion.memories, &error);
  tti_py.PyGILState_Release (call->gil);
  if (G_UNLIKELY (error != NULL))
    tti_guile_raise ("python", error);
  tti_object_collect_if_due ();
}

/* --- what Python raises ---------------------------------------------------------------------------------------------- */

/* Leave CALL of WHO, of which something has failed, and raise that. */
static SCM
fail (Call *call, SCM who)
{
  TtiConversion *conversion = &call->conversion;
  gboolean interrupt = FALSE;

  if (conversion->where == NULL)
    {
      SCM description = tti_support_take_exception (&interrupt);

      tti_support_flush ();
      leave (call);
      if (interrupt)
        tti_support_end_by_interrupt (scm_c_vector_ref (description, 2));
      return scm_call_2 (raise_exception, who, SCM_UNBNDP (description) ? SCM_BOOL_F : description);
    }
  SCM where = tti_guile_from_text (conversion->where, -1);
  SCM why = conversion->why != NULL ? tti_guile_from_text (conversion->why, -1) : SCM_BOOL_F;
  SCM type = conversion->type != NULL ? tti_guile_from_text (conversion->type, -1) : SCM_BOOL_F;

  g_free (conversion->where);
  g_free (conversion->type);
  leave (call);
  if (scm_is_true (type))
    return scm_call_4 (raise_result, who, where, type, why);
  return scm_call_4 (raise_argument, who, where, conversion->value, why);
}

/* --- calls ----------------------------------------------------------------------------------------------------------- */

#define FEW 16

/* The arguments of CALL: the list ARGUMENTS, then KEYWORDS, a list of pairs of string and value. ROOM: for FEW. */
static gboolean
convert_arguments (Call *call, SCM arguments, SCM keywords, PyObject **room)
{
  gsize n = (gsize) scm_to_size_t (scm_length (arguments)), n_names = (gsize) scm_to_size_t (scm_length (keywords));

  call->arguments = n + n_names <= FEW ? room : scm_gc_malloc_pointerless ((n + n_names) * sizeof (PyObject *), "python");
  for (gsize i = 0; i < n; i++, arguments = scm_cdr (arguments))
    {
      TtiPlace place = { NULL, "argument", i + 1, NULL };

      call->arguments[i] = tti_to_python (&call->conversion, scm_car (arguments), &place);
      call->n_arguments++;
      if (call->arguments[i] == NULL)
        return FALSE;
    }
  if (n_names == 0)
    return TRUE;
  call->names = tti_py.PyTuple_New ((Py_ssize_t) n_names);
  for (gsize i = 0; i < n_names; i++, keywords = scm_cdr (keywords))
    {
      char *name = scm_to_utf8_string (scm_caar (keywords));
      TtiPlace place = { NULL, "argument", 0, name };
      PyObject *object = tti_to_python (&call->conversion, scm_cdar (keywords), &place);

      tti_py.PyTuple_SetItem (call->names, (Py_ssize_t) i, tti_py.PyUnicode_FromStringAndSize (name, (Py_ssize_t) strlen (name)));
      free (name);
      call->arguments[n + i] = object;
      call->n_arguments++;
      if (object == NULL)
        return FALSE;
    }
  return TRUE;
}

/* The result of FUNCTION, of which it takes over the reference; NULL as tti_to_python () returns it. */
static PyObject *
call_function (Call *call, PyObject *function, SCM arguments, SCM keywords, PyObject **room)
{
  PyObject *result = NULL;

  if (function == NULL)
    return NULL;
  if (convert_arguments (call, arguments, keywords, room))
    {
      gsize n_names = call->names != NULL ? (gsize) tti_py.PyTuple_Size (call->names) : 0;

      result = tti_py.PyObject_Vectorcall (function, call->arguments, call->n_arguments - n_names, call->names);
    }
  tti_py.Py_DecRef (function);
  if (G_UNLIKELY (tti_guile_is_copy ()))
    tti_support_end_copy (result != NULL);
  return result;
}

/* The attribute NAME of OBJECT, a string without dots or with. */
static PyObject *
get_attribute (PyObject *object, SCM name)
{
  char *text = scm_to_utf8_string (name);
  PyObject *attribute;

  if (strchr (text, '.') == NULL)
    attribute = tti_py.PyObject_GetAttrString (object, text);
  else
    {
      PyObject *arguments[2] = { object, tti_py.PyUnicode_FromStringAndSize (text, (Py_ssize_t) strlen (text)) };

      attribute = tti_py.PyObject_Vectorcall (tti_support.get, arguments, 2, NULL);
      tti_py.Py_DecRef (arguments[1]);
    }
  free (text);
  return attribute;
}

static PyObject *
object_of (SCM handle)
{
  return tti_object_from_handle (handle, 0, NULL);
}

static SCM
value_of_call (Call *call, SCM who, PyObject *result)
{
  SCM value = result != NULL ? tti_from_python (&call->conversion, result) : SCM_UNDEFINED;

  if (SCM_UNBNDP (value))
    return fail (call, who);
  leave (call);
  return value;
}

/* Enter CALL, and call what HANDLE stands for, or its attribute NAME if that is not SCM_UNDEFINED. */
static PyObject *
enter_and_call (Call *call, SCM handle, SCM name, SCM arguments, SCM keywords, PyObject **room)
{
  PyObject *function = object_of (handle);

  enter (call);
  if (SCM_UNBNDP (name))
    tti_py.Py_IncRef (function);
  else
    function = get_attribute (function, name);
  return call_function (call, function, arguments, keywords, room);
}

/* (%python-call who handle arguments keywords) -> what the function of HANDLE returns */
static SCM
python_call (SCM who, SCM handle, SCM arguments, SCM keywords)
{
  Call call = { .conversion.value = SCM_UNDEFINED };
  PyObject *room[FEW];
  SCM value = value_of_call (&call, who, enter_and_call (&call, handle, SCM_UNDEFINED, arguments, keywords, room));

  scm_remember_upto_here (handle, arguments, keywords);
  return value;
}

/* (%python-send who handle name arguments keywords) -> what its method, or the function of that module, returns */
static SCM
python_send (SCM who, SCM handle, SCM name, SCM arguments, SCM keywords)
{
  Call call = { .conversion.value = SCM_UNDEFINED };
  PyObject *room[FEW];
  SCM value = value_of_call (&call, who, enter_and_call (&call, handle, name, arguments, keywords, room));

  scm_remember_upto_here (handle, arguments, keywords);
  return value;
}

/* (%python-call-into who handle arguments out) -> what it returns when it gets OUT, a vector, as its argument "out": OUT itself, if it is
 * that or None. If Python has kept the array, OUT is a copy of it afterwards. */
static SCM
python_call_into (SCM who, SCM handle, SCM arguments, SCM out)
{
  Call call = { .conversion.value = SCM_UNDEFINED };
  PyObject *room[FEW];
  SCM keywords = scm_list_1 (scm_cons (scm_from_utf8_string ("out"), out)), value = out;
  PyObject *result = enter_and_call (&call, handle, SCM_UNDEFINED, arguments, keywords, room);

  if (result == NULL || (result != tti_py.None && result != call.arguments[call.n_arguments - 1]))
    value = value_of_call (&call, who, result);
  else
    {
      tti_py.Py_DecRef (result);
      leave (&call);
    }
  scm_remember_upto_here (handle, arguments, keywords);
  return value;
}

static SCM
handle_of_call (Call *call, SCM who, PyObject *result)
{
  if (result == NULL)
    return fail (call, who);
  PyObject *generator = tti_support_ask (tti_support.is_generator, result);
  SCM handle = tti_object_to_handle (result, generator == tti_py.True);

  if (generator != NULL)
    tti_py.Py_DecRef (generator);
  tti_py.PyErr_Clear ();
  leave (call);
  return handle;
}

/* (%python-make who handle name arguments keywords) -> a handle of what it returns, as it is */
static SCM
python_make (SCM who, SCM handle, SCM name, SCM arguments, SCM keywords)
{
  Call call = { .conversion.value = SCM_UNDEFINED };
  PyObject *room[FEW];
  SCM made = handle_of_call (&call, who, enter_and_call (&call, handle, name, arguments, keywords, room));

  scm_remember_upto_here (handle, arguments, keywords);
  return made;
}

/* (%python-call-parts who handle arguments n) -> N handles, a list, of the items of the tuple that the function of HANDLE returns; #f if it
 * is no tuple of so many */
static SCM
python_call_parts (SCM who, SCM handle, SCM arguments, SCM n)
{
  Call call = { .conversion.value = SCM_UNDEFINED };
  PyObject *room[FEW];
  SCM parts = SCM_BOOL_F;
  PyObject *result = enter_and_call (&call, handle, SCM_UNDEFINED, arguments, SCM_EOL, room);

  if (result == NULL)
    return fail (&call, who);
  PyObject *type = tti_py.PyObject_Type (result);

  if ((tti_py.PyType_GetFlags (type) & Py_TPFLAGS_TUPLE_SUBCLASS) && tti_py.PyTuple_Size (result) == scm_to_ssize_t (n))
    {
      parts = SCM_EOL;
      for (Py_ssize_t i = tti_py.PyTuple_Size (result); i-- > 0;)
        {
          PyObject *item = tti_py.PyTuple_GetItem (result, i);

          tti_py.Py_IncRef (item);
          parts = scm_cons (tti_object_to_handle (item, FALSE), parts);
        }
    }
  tti_py.Py_DecRef (type);
  tti_py.Py_DecRef (result);
  leave (&call);
  scm_remember_upto_here_2 (handle, arguments);
  return parts;
}

/* (%python-value who handle) -> its value */
static SCM
python_value (SCM who, SCM handle)
{
  Call call = { .conversion.value = SCM_UNDEFINED };
  PyObject *object = object_of (handle);

  enter (&call);
  tti_py.Py_IncRef (object);
  SCM value = value_of_call (&call, who, object);

  scm_remember_upto_here_1 (handle);
  return value;
}

/* (%python-get who handle name) -> a handle of its attribute */
static SCM
python_get (SCM who, SCM handle, SCM name)
{
  Call call = { .conversion.value = SCM_UNDEFINED };

  enter (&call);
  SCM attribute = handle_of_call (&call, who, get_attribute (object_of (handle), name));

  scm_remember_upto_here_1 (handle);
  return attribute;
}

/* (%python-takes? handle name): has the function of HANDLE a parameter NAME? */
static SCM
python_takes (SCM handle, SCM name)
{
  Call call = { .conversion.value = SCM_UNDEFINED };
  char *text = scm_to_utf8_string (name);

  enter (&call);
  PyObject *arguments[2] = { object_of (handle), tti_py.PyUnicode_FromStringAndSize (text, (Py_ssize_t) strlen (text)) };
  PyObject *answer = tti_py.PyObject_Vectorcall (tti_support.takes, arguments, 2, NULL);
  SCM yes = scm_from_bool (answer == tti_py.True);

  if (answer != NULL)
    tti_py.Py_DecRef (answer);
  tti_py.Py_DecRef (arguments[1]);
  tti_py.PyErr_Clear ();
  leave (&call);
  free (text);
  scm_remember_upto_here_1 (handle);
  return yes;
}

/* (%python-load who name file?) -> a handle of the module */
static SCM
python_load (SCM who, SCM name, SCM is_file)
{
  Call call = { .conversion.value = SCM_UNDEFINED };
  PyObject *room[FEW];

  enter (&call);
  tti_py.Py_IncRef (tti_support.load);
  return handle_of_call (&call, who, call_function (&call, tti_support.load, scm_list_2 (name, is_file), SCM_EOL, room));
}

/* --- other primitives -------------------------------------------------------------------------------------------------- */

/* (%python-task-seed) -> the number of the task that runs in this thread and its seed, a pair */
static SCM
task_seed (void)
{
  guint64 seed_of_task, serial = tti_guile_get_task_seed (&seed_of_task);

  return scm_cons (scm_from_uint64 (serial), scm_from_uint64 (seed_of_task));
}

/* (%python-lend-seed! serial seed): the random numbers are those of that task, until SERIAL is #f. */
static SCM
lend_seed (SCM serial, SCM seed_of_task)
{
  lent_serial = scm_is_true (serial) ? scm_to_uint64 (serial) : 0;
  lent_seed = scm_is_true (serial) ? scm_to_uint64 (seed_of_task) : 0;
  return SCM_UNSPECIFIED;
}

static SCM
is_object (SCM value)
{
  return scm_from_bool (tti_object_is_handle (value));
}

/* (%python-set-raisers! exception argument result): procedures that raise what (tutti python error) makes of it. */
static SCM
set_raisers (SCM exception, SCM argument, SCM result)
{
  raise_exception = scm_permanent_object (exception);
  raise_argument = scm_permanent_object (argument);
  raise_result = scm_permanent_object (result);
  return SCM_UNSPECIFIED;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%python-call", 4, python_call }, { "%python-send", 5, python_send },
  { "%python-make", 5, python_make }, { "%python-call-into", 4, python_call_into },
  { "%python-call-parts", 4, python_call_parts }, { "%python-value", 2, python_value },
  { "%python-get", 3, python_get },
  { "%python-takes?", 2, python_takes }, { "%python-load", 3, python_load },
  { "%python-set-raisers!", 3, set_raisers }, { "%python-task-seed", 0, task_seed },
  { "%python-lend-seed!", 2, lend_seed }, { "%python-object?", 1, is_object },
};

void
tti_call_define (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
