/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which condition an engine's error becomes. */
#include "bindings/guile-error.h"
#include "platform/error.h"
#include <stdarg.h>
#include <string.h>

static SCM
conditions_call (const char *name, SCM arguments)
{
  return scm_apply_0 (scm_variable_ref (scm_c_public_lookup ("tutti conditions", name)), arguments);
}

static void G_GNUC_NORETURN
conditions_raise (const char *who, SCM condition)
{
  conditions_call ("raise-tutti", scm_list_2 (condition, scm_from_utf8_symbol (who)));
  g_assert_not_reached ();
}

SCM
tti_guile_from_text (const char *text, gssize n_bytes)
{
  size_t size = n_bytes < 0 ? strlen (text) : (size_t) n_bytes;

  /* A message of ours is UTF-8, but it may name a file in the encoding of the locale. */
  if (!g_utf8_validate (text, (gssize) size, NULL))
    {
      gsize decoded_size;
      char *decoded = g_locale_to_utf8 (text, (gssize) size, NULL, &decoded_size, NULL);

      if (decoded != NULL)
        {
          SCM string = scm_from_utf8_stringn (decoded, decoded_size);

          g_free (decoded);
          return string;
        }
    }
  return scm_from_stringn (text, size, "UTF-8", SCM_FAILED_CONVERSION_QUESTION_MARK);
}

/* What is known of the death beyond the message is in the certificate that a task carries: whoever has the task
 * makes that condition itself. */
static SCM
died_new (SCM message)
{
  SCM certificate = conditions_call ("make-certificate", scm_list_2 (scm_from_utf8_keyword ("reason"), message));

  return conditions_call ("make-worker-died", scm_list_1 (certificate));
}

static SCM
fault_new (SCM message)
{
  return conditions_call ("make-worker-error", scm_list_n (scm_from_utf8_symbol ("read-only-vector"), SCM_EOL, message,
                                                           SCM_BOOL_F, SCM_BOOL_F, SCM_BOOL_F, SCM_UNDEFINED));
}

static SCM
condition_new (TuttiError code, SCM message)
{
  switch (code)
    {
    case TUTTI_ERROR_SHAPE:
      return conditions_call ("make-shape-error", scm_list_3 (SCM_BOOL_F, SCM_BOOL_F, message));
    case TUTTI_ERROR_CLOSED:
      return conditions_call ("make-pool-closed", scm_list_2 (SCM_BOOL_F, message));
    case TUTTI_ERROR_DIED:
      return died_new (message);
    case TUTTI_ERROR_TIMEOUT:
      return conditions_call ("make-task-timeout", scm_list_3 (SCM_BOOL_F, SCM_BOOL_F, message));
    case TUTTI_ERROR_CANCELLED:
      return conditions_call ("make-task-cancelled", scm_list_2 (SCM_BOOL_F, message));
    case TUTTI_ERROR_FAULT:
      return fault_new (message);
    case TUTTI_ERROR_SYSTEM:
    case TUTTI_ERROR_PROTOCOL:
    case TUTTI_ERROR_LIMIT:
    case TUTTI_ERROR_ARGUMENT:
    case TUTTI_ERROR_SPAWN:
    case TUTTI_ERROR_SHORTAGE:
    case TUTTI_ERROR_FORKED:
    case TUTTI_ERROR_MODULE:
    default:
      return conditions_call ("make-tutti-error", scm_list_1 (message));
    }
}

void
tti_guile_raise (const char *who, GError *error)
{
  g_assert (error != NULL);
  /* Nothing here can throw but for want of memory, until the error is freed. */
  SCM message = tti_guile_from_text (error->message, -1);
  gboolean ours = error->domain == TUTTI_ERROR;
  int code = error->code;

  g_error_free (error);
  conditions_raise (who, ours ? condition_new ((TuttiError) code, message)
                              : conditions_call ("make-tutti-error", scm_list_1 (message)));
}

gsize
tti_guile_to_count (SCM n, gsize most, const char *who, const char *what)
{
  if (scm_is_unsigned_integer (n, 0, MIN (most, (gsize) G_MAXSSIZE)))
    return scm_to_unsigned_integer (n, 0, MIN (most, (gsize) G_MAXSSIZE));
  scm_error (scm_is_exact_integer (n) ? scm_from_utf8_symbol ("out-of-range") : scm_arg_type_key, who,
             "expected ~A, an integer from 0 to ~A, got ~S",
             scm_list_3 (scm_from_utf8_string (what), scm_from_size_t (MIN (most, (gsize) G_MAXSSIZE)), n), scm_list_1 (n));
}

void
tti_guile_raise_shape (const char *who, SCM message, SCM expected, SCM actual)
{
  conditions_raise (who, conditions_call ("make-shape-error", scm_list_3 (expected, actual, message)));
}

void
tti_guile_raise_sizes (const char *who, size_t expected, size_t actual, const char *format, ...)
{
  char text[256]; /* on the stack: the raise does not come back to free anything */
  va_list arguments;

  va_start (arguments, format);
  g_vsnprintf (text, sizeof text, format, arguments);
  va_end (arguments);
  tti_guile_raise_shape (who, scm_from_utf8_string (text), scm_from_size_t (expected), scm_from_size_t (actual));
}

void
tti_guile_raise_busy (const char *who, SCM vector)
{
  conditions_raise (who, conditions_call ("make-vector-busy", scm_list_1 (vector)));
}

void
tti_guile_raise_not_remotable (const char *who, SCM message, SCM value, SCM where, const char *advice)
{
  SCM arguments = scm_list_5 (message, scm_from_utf8_keyword ("value"), value, scm_from_utf8_keyword ("where"), where);

  if (advice != NULL)
    arguments = scm_append (
      scm_list_2 (arguments, scm_list_2 (scm_from_utf8_keyword ("advice"), tti_guile_from_text (advice, -1))));
  conditions_raise (who, conditions_call ("make-not-remotable", arguments));
}
