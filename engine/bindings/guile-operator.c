/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for operators of C modules.
 *
 * Finalisers run in any thread, and wait for nobody: a derivative that is dropped while the module's code is at work for its operator is
 * freed when that is done. */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-name.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include "bindings/guile-vector.h"
#include "module/operator.h"
#include "module/supplied.h"
#include "module/vector-math.h"
#include "platform/error.h"
#include <stdlib.h>

static void
operator_release (gpointer operator)
{
  tti_operator_unref (operator);
}

static void
derivative_release (gpointer derivative)
{
  tti_derivative_free (derivative);
}

static TtiHandleType operator_type = { .name = "<native-operator-handle>", .what = "native operator", .release = operator_release };
static TtiHandleType derivative_type = { .name = "<native-derivative-handle>", .what = "native derivative", .release = derivative_release };

static TtiOperator *
to_operator (SCM object, const char *who)
{
  return tti_guile_from_handle (&operator_type, object, 1, who);
}

static TtiDerivative *
to_derivative (SCM object, const char *who)
{
  return tti_guile_from_handle (&derivative_type, object, 1, who);
}

/* Raise ERROR. An error about a length becomes a &shape-error with the two numbers. */
static void raise_with_lengths (const char *who, GError *error, size_t expected, size_t actual) G_GNUC_NORETURN;

static void
raise_with_lengths (const char *who, GError *error, size_t expected, size_t actual)
{
  if (!g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE))
    tti_guile_raise (who, error);
  SCM message = tti_guile_from_text (error->message, -1);
  g_error_free (error);
  tti_guile_raise_shape (who, message, scm_from_size_t (expected), scm_from_size_t (actual));
}

static TtiModule *
module_open (SCM file_or_name, const char *who)
{
  GError *error = NULL;
  char *name = tti_guile_to_name (file_or_name, who);
  TtiModule *module = tti_module_open (name, &error);

  g_free (name);
  if (module == NULL)
    tti_guile_raise (who, error);
  return module;
}

static SCM
string_or_empty (const char *text)
{
  return scm_from_utf8_string (text != NULL ? text : "");
}

static SCM
name_list (const char *const *names)
{
  SCM list = SCM_EOL;

  for (; names != NULL && *names != NULL; names++)
    list = scm_cons (scm_from_utf8_string (*names), list);
  return scm_reverse_x (list, SCM_EOL);
}

/* (name description linear? (parameter ...) (text-parameter ...)) */
static SCM
describe_class (const TuttiOperatorClass *class)
{
  return scm_list_5 (scm_from_utf8_string (class->name), string_or_empty (class->description), scm_from_bool (class->linear),
                     name_list (class->parameters), name_list (class->text_parameters));
}

/* (%open-operator-module file-or-name) -> (file name description (class ...)) */
static SCM
open_operator_module (SCM file_or_name)
{
  TtiModule *module = module_open (file_or_name, "load-operator-module");
  const TuttiOperatorModule *contents = tti_module_get_contents (module);
  SCM classes = SCM_EOL;

  for (size_t i = contents->n_classes; i-- > 0;)
    classes = scm_cons (describe_class (&contents->classes[i]), classes);
  return scm_list_4 (tti_guile_from_name (tti_module_get_file (module)), scm_from_utf8_string (contents->name),
                     string_or_empty (contents->description), classes);
}

/* The UTF-8 of STRING, terminated, which the current dynwind frees. A NUL in STRING is one there as well. */
static const char *
to_text (SCM string, size_t *length)
{
  char *utf8 = scm_to_utf8_stringn (string, length); /* not terminated, as its length is asked for */
  char *text = g_strndup (utf8 != NULL ? utf8 : "", *length);

  free (utf8);
  scm_dynwind_unwind_handler (g_free, text, SCM_F_WIND_EXPLICITLY);
  return text;
}

/* The parameter NAME with VALUE, a string or an f64vector. What it refers to lasts as long as VALUE and the current dynwind. */
static TuttiOperatorParameter
to_parameter (SCM name, SCM value, const char *who)
{
  TuttiOperatorParameter parameter = { .name = scm_to_utf8_string (name) };

  scm_dynwind_free ((char *) parameter.name);
  if (scm_is_string (value))
    parameter.text = to_text (value, &parameter.length);
  else
    parameter.values = tti_guile_numbers (value, who, 3, &parameter.n);
  return parameter;
}

/* (%make-native-operator file class ((name . string-or-f64vector) ...)) */
static SCM
make_native_operator (SCM file, SCM class_name, SCM alist)
{
  static const char who[] = "native-operator";
  GError *error = NULL;
  TtiModule *module = module_open (file, who);
  size_t n = scm_to_size_t (scm_length (alist));
  /* In the collector's memory: the conversions below may throw. */
  TuttiOperatorParameter *parameters = scm_gc_malloc ((n + 1) * sizeof *parameters, "operator parameters");

  scm_dynwind_begin (0);
  char *name = scm_to_utf8_string (class_name);
  scm_dynwind_free (name);
  SCM rest = alist;
  for (size_t i = 0; i < n; i++, rest = scm_cdr (rest))
    parameters[i] = to_parameter (scm_caar (rest), scm_cdar (rest), who);
  TtiOperator *operator = tti_operator_new (module, name, parameters, n, &error);
  scm_dynwind_end ();
  scm_remember_upto_here_1 (alist);
  if (operator == NULL)
    tti_guile_raise (who, error);
  return tti_guile_make_handle (&operator_type, operator, FALSE);
}

/* (%native-operator-sizes operator) -> (domain . codomain) */
static SCM
native_operator_sizes (SCM object)
{
  TtiOperator *operator = to_operator (object, "native-operator");

  return scm_cons (scm_from_size_t (tti_operator_get_domain (operator)), scm_from_size_t (tti_operator_get_codomain (operator)));
}

/* (%native-operator-complex operator) -> (domain? . codomain?) */
static SCM
native_operator_complex (SCM object)
{
  TtiOperator *operator = to_operator (object, "native-operator");

  return scm_cons (scm_from_bool (tti_operator_has_complex_domain (operator)),
                   scm_from_bool (tti_operator_has_complex_codomain (operator)));
}

/* The numbers of VECTOR, argument 2 of WHO, for a side of an operator that is complex or not: real ones are complex as well, in a
 * vector of their own. */
static TtiNumbers
to_side (SCM vector, gboolean is_complex, const char *who)
{
  TtiNumbers numbers = tti_guile_any_numbers (vector, who, 2);

  if (numbers.is_complex == is_complex)
    return numbers;
  if (!is_complex)
    scm_wrong_type_arg_msg (who, 2, vector, "f64vector, because the operator is real there");
  TtiNumbers wide = tti_guile_new_any (numbers.n, TRUE);
  tti_math_promote (wide.data, numbers.data, numbers.n);
  return wide;
}

static TtiNumbers
new_value (TtiOperator *operator)
{
  return tti_guile_new_any (tti_operator_get_codomain (operator), tti_operator_has_complex_codomain (operator));
}

static SCM
native_evaluate (SCM object, SCM x)
{
  static const char who[] = "evaluate";
  GError *error = NULL;
  TtiOperator *operator = to_operator (object, who);
  TtiNumbers argument = to_side (x, tti_operator_has_complex_domain (operator), who), y = new_value (operator);

  if (!tti_operator_evaluate (operator, argument.data, argument.n, y.data, y.n, &error))
    raise_with_lengths (who, error, tti_operator_get_domain (operator), argument.n);
  scm_remember_upto_here_2 (object, argument.vector);
  return y.vector;
}

/* -> (y . derivative) */
static SCM
native_linearize (SCM object, SCM x)
{
  static const char who[] = "linearize";
  GError *error = NULL;
  TtiOperator *operator = to_operator (object, who);
  TtiNumbers argument = to_side (x, tti_operator_has_complex_domain (operator), who), y = new_value (operator);

  TtiDerivative *derivative = tti_operator_linearize (operator, argument.data, argument.n, y.data, y.n, &error);
  if (derivative == NULL)
    raise_with_lengths (who, error, tti_operator_get_domain (operator), argument.n);
  scm_remember_upto_here_2 (object, argument.vector);
  return scm_cons (y.vector, tti_guile_make_handle (&derivative_type, derivative, FALSE));
}

static SCM
derivative_apply (SCM object, SCM h)
{
  static const char who[] = "evaluate";
  GError *error = NULL;
  TtiDerivative *derivative = to_derivative (object, who);
  TtiOperator *operator = tti_derivative_get_operator (derivative);
  TtiNumbers argument = to_side (h, tti_operator_has_complex_domain (operator), who), dy = new_value (operator);

  if (!tti_derivative_apply (derivative, argument.data, argument.n, dy.data, dy.n, &error))
    raise_with_lengths (who, error, tti_operator_get_domain (operator), argument.n);
  scm_remember_upto_here_2 (object, argument.vector);
  return dy.vector;
}

static SCM
derivative_adjoint (SCM object, SCM dy)
{
  static const char who[] = "apply-adjoint";
  GError *error = NULL;
  TtiDerivative *derivative = to_derivative (object, who);
  TtiOperator *operator = tti_derivative_get_operator (derivative);
  TtiNumbers argument = to_side (dy, tti_operator_has_complex_codomain (operator), who);
  TtiNumbers dx = tti_guile_new_any (tti_operator_get_domain (operator), tti_operator_has_complex_domain (operator));

  if (!tti_derivative_adjoint (derivative, argument.data, argument.n, dx.data, dx.n, &error))
    raise_with_lengths (who, error, tti_operator_get_codomain (operator), argument.n);
  scm_remember_upto_here_2 (object, argument.vector);
  return dx.vector;
}

/* (%derivative-matrix derivative) -> the matrix, row-major; #f if the operator is complex on a side */
static SCM
derivative_matrix (SCM object)
{
  GError *error = NULL;
  TtiDerivative *derivative = to_derivative (object, "operator->matrix");
  TtiOperator *operator = tti_derivative_get_operator (derivative);
  size_t n = tti_operator_get_codomain (operator) * tti_operator_get_domain (operator);
  if (tti_operator_has_complex_domain (operator) || tti_operator_has_complex_codomain (operator))
    return SCM_BOOL_F;
  SCM matrix;
  double *data = tti_guile_new_numbers (n, &matrix);

  if (!tti_derivative_get_matrix (derivative, data, n, &error))
    tti_guile_raise ("operator->matrix", error);
  scm_remember_upto_here_1 (object);
  return matrix;
}

static void
release_vector (gpointer vector)
{
  tti_vector_unref (vector);
}

/* (%supply-operator-module! file bytes): from now on FILE stands for these bytes. */
static SCM
supply_operator_module (SCM file, SCM contents)
{
  static const char who[] = "load-operator-module";
  TtiVector *vector = tti_guile_find_vector (contents);
  gsize size = vector != NULL ? tti_vector_get_size (vector) : scm_c_bytevector_length (contents);
  char *name = tti_guile_to_name (file, who);
  GBytes *bytes = vector != NULL ? g_bytes_new_with_free_func (tti_vector_get_data (vector), size, release_vector, tti_vector_ref (vector))
                                 : g_bytes_new (SCM_BYTEVECTOR_CONTENTS (contents), size);

  tti_supply_module (name, bytes);
  g_bytes_unref (bytes);
  g_free (name);
  scm_remember_upto_here_1 (contents);
  return SCM_UNSPECIFIED;
}

static const struct
{
  const char *name;
  int required, optional;
  scm_t_subr procedure;
} primitives[] = {
  { "%open-operator-module", 1, 0, open_operator_module },
  { "%supply-operator-module!", 2, 0, supply_operator_module },
  { "%make-native-operator", 3, 0, make_native_operator },
  { "%native-operator-sizes", 1, 0, native_operator_sizes },
  { "%native-operator-complex", 1, 0, native_operator_complex },
  { "%native-evaluate", 2, 0, native_evaluate },
  { "%native-linearize", 2, 0, native_linearize },
  { "%derivative-apply", 2, 0, derivative_apply },
  { "%derivative-adjoint", 2, 0, derivative_adjoint },
  { "%derivative-matrix", 1, 0, derivative_matrix },
};

void
tti_guile_init_operator (void)
{
  tti_guile_define_handle_type (&operator_type);
  tti_guile_define_handle_type (&derivative_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].required, primitives[i].optional, 0, primitives[i].procedure);
}
