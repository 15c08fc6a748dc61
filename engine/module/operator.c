/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Calls of the functions of operator modules, after checking everything that these may rely on. */
#include "module/operator.h"
#include "platform/error.h"
#include <string.h>

struct _TtiOperator
{
  gatomicrefcount refs;
  const TuttiOperatorClass *class;
  char *name;
  void *self;
  size_t domain, codomain;
  GMutex lock; /* held around every call into the class for this operator or one of its derivatives */
  GMutex dropped_lock; /* held for moments only */
  TtiDerivative *dropped; /* those that were freed while the class was busy */
};

struct _TtiDerivative
{
  TtiOperator *operator;
  void *self;
  TtiDerivative *next; /* the next one that was dropped */
};

typedef struct
{
  char text[TUTTI_OPERATOR_ERROR_SIZE];
} ClassMessage;

static TtiDerivative *
operator_take_dropped (TtiOperator *self)
{
  g_mutex_lock (&self->dropped_lock);
  TtiDerivative *dropped = g_steal_pointer (&self->dropped);
  g_mutex_unlock (&self->dropped_lock);
  return dropped;
}

/* Have the class free the dropped derivatives. The lock is held; the caller has a reference of the operator besides those of these. */
static void
operator_free_dropped (TtiOperator *self)
{
  for (TtiDerivative *derivative = operator_take_dropped (self), *next; derivative != NULL; derivative = next)
    {
      next = derivative->next;
      self->class->derivative_free (self->self, derivative->self);
      g_free (derivative);
      tti_operator_unref (self);
    }
}

static gboolean
operator_has_dropped (TtiOperator *self)
{
  g_mutex_lock (&self->dropped_lock);
  gboolean has = self->dropped != NULL;
  g_mutex_unlock (&self->dropped_lock);
  return has;
}

/* A thread that drops a derivative while another one runs the class leaves it to that thread, as a finaliser must not wait. None is
 * overlooked: either that thread sees it before it unlocks, or the lock is free for one of the two threads, which both look
 * afterwards. */
static void
operator_clean_up (TtiOperator *self)
{
  while (operator_has_dropped (self) && g_mutex_trylock (&self->lock))
    {
      operator_free_dropped (self);
      g_mutex_unlock (&self->lock);
    }
}

static void
operator_lock (TtiOperator *self)
{
  g_mutex_lock (&self->lock);
}

static void
operator_unlock (TtiOperator *self)
{
  operator_free_dropped (self);
  g_mutex_unlock (&self->lock);
  operator_clean_up (self);
}

static gboolean
class_failed (const char *name, const char *what, ClassMessage *message, GError **error)
{
  /* A class may have forgotten to terminate its text, which must not be read past its end. */
  message->text[sizeof message->text - 1] = '\0';
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "operator '%s', %s: %s", name, what,
               message->text[0] != '\0' ? message->text : "failed without a message");
  return FALSE;
}

static gboolean
length_check (TtiOperator *self, const char *what, size_t got, size_t expected, GError **error)
{
  if (got == expected)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "operator '%s' (%c^%zu -> %c^%zu): %s has length %zu, expected %zu",
               self->name, self->class->complex_domain ? 'C' : 'R', self->domain, self->class->complex_codomain ? 'C' : 'R',
               self->codomain, what, got, expected);
  return FALSE;
}

static void
add_names (GString *list, const char *const *names, const char *kind)
{
  for (; names != NULL && *names != NULL; names++)
    g_string_append_printf (list, "%s'%s'%s", list->len > 0 ? ", " : "", *names, kind);
}

static gboolean
parameter_unknown (const TuttiOperatorClass *class, const char *name, const char *parameter, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);

  add_names (known, class->parameters, "");
  add_names (known, class->text_parameters, " (text)");
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "operator '%s' has no parameter '%s', %s%s", name, parameter,
               known->len > 0 ? "only " : "nor any other", known->str);
  return FALSE;
}

/* What PARAMETER is, for a message: a text by its beginning, on one line. */
static char *
parameter_describe (const TuttiOperatorParameter *parameter)
{
  enum { SHOWN = 40 }; /* characters */

  if (parameter->text == NULL)
    return parameter->n == 1 ? g_strdup_printf ("the number %.15g", parameter->values[0])
                             : g_strdup_printf ("%zu numbers", parameter->n);
  g_autofree char *text = g_utf8_make_valid (parameter->text, MIN (parameter->length, 4 * SHOWN + 4));
  gboolean whole = parameter->length <= 4 * SHOWN + 4 && g_utf8_strlen (text, -1) <= SHOWN;
  g_autofree char *start = whole ? g_strdup (text) : g_utf8_substring (text, 0, SHOWN);
  g_strdelimit (start, "\n\r\t", ' ');
  return g_strdup_printf ("the text \"%s%s\"", start, whole ? "" : "…");
}

static gboolean
kind_check (const TuttiOperatorClass *class, const char *name, const TuttiOperatorParameter *parameter, GError **error)
{
  gboolean is_text = parameter->text != NULL;

  if (is_text ? tti_class_has_text (class, parameter->name) : tti_class_has_numbers (class, parameter->name))
    return TRUE;
  g_autofree char *given = parameter_describe (parameter);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "operator '%s': parameter '%s' is %s, expected %s", name, parameter->name,
               given, is_text ? "numbers" : "text");
  return FALSE;
}

static gboolean
text_check (const char *name, const TuttiOperatorParameter *parameter, GError **error)
{
  const char *invalid;

  /* A NUL before the end is invalid to GLib, too. */
  if (g_utf8_validate_len (parameter->text, parameter->length, &invalid))
    {
      g_return_val_if_fail (parameter->text[parameter->length] == '\0', FALSE);
      return TRUE;
    }
  size_t at = (size_t) (invalid - parameter->text);
  if (*invalid == '\0')
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                 "operator '%s': parameter '%s' has a NUL at byte %zu of %zu, expected text without one", name, parameter->name, at,
                 parameter->length);
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                 "operator '%s': parameter '%s' is not UTF-8: byte %zu of %zu is 0x%02x, expected text in UTF-8", name,
                 parameter->name, at, parameter->length, (unsigned char) *invalid);
  return FALSE;
}

static gboolean
parameters_check (const TuttiOperatorClass *class, const char *name, const TuttiOperatorParameter *parameters, size_t n,
                  GError **error)
{
  for (size_t i = 0; i < n; i++)
    {
      const TuttiOperatorParameter *parameter = &parameters[i];

      if (!tti_class_has_numbers (class, parameter->name) && !tti_class_has_text (class, parameter->name))
        return parameter_unknown (class, name, parameter->name, error);
      for (size_t j = 0; j < i; j++)
        if (strcmp (parameter->name, parameters[j].name) == 0)
          {
            g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "operator '%s': parameter '%s' was given twice", name,
                         parameter->name);
            return FALSE;
          }
      if (!kind_check (class, name, parameter, error) || (parameter->text != NULL && !text_check (name, parameter, error)))
        return FALSE;
    }
  return TRUE;
}

TtiOperator *
tti_operator_new (TtiModule *module, const char *class_name, const TuttiOperatorParameter *parameters, size_t n, GError **error)
{
  g_return_val_if_fail (module != NULL && class_name != NULL && (parameters != NULL || n == 0), NULL);

  const TuttiOperatorClass *class = tti_module_find_class (module, class_name, error);
  if (class == NULL)
    return NULL;
  g_autofree char *name = g_strdup_printf ("%s %s", tti_module_get_contents (module)->name, class_name);
  if (!parameters_check (class, name, parameters, n, error))
    return NULL;

  ClassMessage message = { "" };
  size_t domain = 0, codomain = 0;
  void *made = tti_module_create (module, class, parameters, n, &domain, &codomain, message.text);
  if (made == NULL)
    {
      class_failed (name, "create", &message, error);
      return NULL;
    }
  TtiOperator *self = g_new0 (TtiOperator, 1);
  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  g_mutex_init (&self->dropped_lock);
  self->class = class;
  self->name = g_steal_pointer (&name);
  self->self = made;
  self->domain = domain;
  self->codomain = codomain;
  return self;
}

static TtiOperator *
operator_ref (TtiOperator *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
tti_operator_unref (TtiOperator *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  self->class->destroy (self->self);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->dropped_lock);
  g_free (self->name);
  g_free (self);
}

size_t
tti_operator_get_domain (TtiOperator *self)
{
  g_return_val_if_fail (self != NULL, 0);
  return self->domain;
}

size_t
tti_operator_get_codomain (TtiOperator *self)
{
  g_return_val_if_fail (self != NULL, 0);
  return self->codomain;
}

gboolean
tti_operator_has_complex_domain (TtiOperator *self)
{
  g_return_val_if_fail (self != NULL, FALSE);
  return self->class->complex_domain != 0;
}

gboolean
tti_operator_has_complex_codomain (TtiOperator *self)
{
  g_return_val_if_fail (self != NULL, FALSE);
  return self->class->complex_codomain != 0;
}

gboolean
tti_operator_evaluate (TtiOperator *self, const double *x, size_t n_x, double *y, size_t n_y, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  if (!length_check (self, "the argument", n_x, self->domain, error) || !length_check (self, "the result", n_y, self->codomain, error))
    return FALSE;
  ClassMessage message = { "" };
  operator_lock (self);
  int status = self->class->evaluate (self->self, x, y, message.text);
  operator_unlock (self);
  return status == 0 || class_failed (self->name, "evaluate", &message, error);
}

TtiDerivative *
tti_operator_linearize (TtiOperator *self, const double *x, size_t n_x, double *y, size_t n_y, GError **error)
{
  g_return_val_if_fail (self != NULL, NULL);

  if (!length_check (self, "the argument", n_x, self->domain, error) || !length_check (self, "the result", n_y, self->codomain, error))
    return NULL;
  ClassMessage message = { "" };
  void *made = NULL;
  operator_lock (self);
  int status = self->class->linearize (self->self, x, y, &made, message.text);
  operator_unlock (self);
  if (status != 0)
    {
      class_failed (self->name, "linearize", &message, error);
      return NULL;
    }
  TtiDerivative *derivative = g_new0 (TtiDerivative, 1);
  derivative->operator = operator_ref (self);
  derivative->self = made;
  return derivative;
}

void
tti_derivative_free (TtiDerivative *self)
{
  if (self == NULL)
    return;
  TtiOperator *operator = operator_ref (self->operator);
  g_mutex_lock (&operator->dropped_lock);
  self->next = operator->dropped;
  operator->dropped = self; /* with its reference of the operator */
  g_mutex_unlock (&operator->dropped_lock);
  operator_clean_up (operator);
  tti_operator_unref (operator);
}

TtiOperator *
tti_derivative_get_operator (TtiDerivative *self)
{
  g_return_val_if_fail (self != NULL, NULL);
  return self->operator;
}

gboolean
tti_derivative_apply (TtiDerivative *self, const double *h, size_t n_h, double *dy, size_t n_dy, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  TtiOperator *operator = self->operator;
  if (!length_check (operator, "the derivative's argument", n_h, operator->domain, error)
      || !length_check (operator, "the derivative's result", n_dy, operator->codomain, error))
    return FALSE;
  ClassMessage message = { "" };
  operator_lock (operator);
  int status = operator->class->derivative (operator->self, self->self, h, dy, message.text);
  operator_unlock (operator);
  return status == 0 || class_failed (operator->name, "derivative", &message, error);
}

gboolean
tti_derivative_adjoint (TtiDerivative *self, const double *dy, size_t n_dy, double *dx, size_t n_dx, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  TtiOperator *operator = self->operator;
  if (!length_check (operator, "the adjoint's argument", n_dy, operator->codomain, error)
      || !length_check (operator, "the adjoint's result", n_dx, operator->domain, error))
    return FALSE;
  ClassMessage message = { "" };
  operator_lock (operator);
  int status = operator->class->adjoint (operator->self, self->self, dy, dx, message.text);
  operator_unlock (operator);
  return status == 0 || class_failed (operator->name, "adjoint", &message, error);
}

gboolean
tti_derivative_get_matrix (TtiDerivative *self, double *matrix, size_t n_matrix, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (!self->operator->class->complex_domain && !self->operator->class->complex_codomain, FALSE);

  TtiOperator *operator = self->operator;
  size_t rows = operator->codomain, columns = operator->domain;
  if (!length_check (operator, "the derivative's matrix", n_matrix, rows * columns, error))
    return FALSE;
  /* By rows: the adjoint at a unit vector is one, whole and in its place. */
  g_autofree double *unit = g_new0 (double, rows);
  for (size_t i = 0; i < rows; i++)
    {
      unit[i] = 1;
      if (!tti_derivative_adjoint (self, unit, rows, matrix + i * columns, columns, error))
        return FALSE;
      unit[i] = 0;
    }
  return TRUE;
}
