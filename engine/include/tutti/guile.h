/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scripts in Scheme for applications that embed Tutti: a library of its own, libtutti-guile, since the others do not know Guile. Compile
 * with
 *
 *   cc program.c $(pkg-config --cflags --libs tutti-guile) */
#pragma once
#include "tutti/tutti.h"

G_BEGIN_DECLS

/**
 * TUTTI_GUILE_ERROR:
 *
 * The domain of the errors with which scripts end.
 */
#define TUTTI_GUILE_ERROR (tutti_guile_error_quark ())

/**
 * TuttiGuileError:
 * @TUTTI_GUILE_ERROR_UNAVAILABLE: Guile cannot be started, or does not find the modules of Tutti: the message says where it has looked
 * @TUTTI_GUILE_ERROR_UNREADABLE: the file cannot be read, or is a compiled script of another version of Guile
 * @TUTTI_GUILE_ERROR_SYNTAX: the script cannot be compiled; nothing of it was run, but for the expressions before it if it was no file
 * @TUTTI_GUILE_ERROR_RAISED: the script has raised an exception and not handled it
 * @TUTTI_GUILE_ERROR_EXITED: the script has ended itself with a status that is not 0, as by `(exit 3)`: see the property
 *   [property@GuileScript:exit-status]
 *
 * Codes of errors in the domain `TUTTI_GUILE_ERROR`. The message is what `tutti run` prints: the place, the text of the exception,
 * advice, and the script's procedures on the way there, in several lines. A script that was cancelled ends with `G_IO_ERROR_CANCELLED`.
 */
typedef enum
{
  TUTTI_GUILE_ERROR_UNAVAILABLE,
  TUTTI_GUILE_ERROR_UNREADABLE,
  TUTTI_GUILE_ERROR_SYNTAX,
  TUTTI_GUILE_ERROR_RAISED,
  TUTTI_GUILE_ERROR_EXITED
} TuttiGuileError;

TUTTI_API GQuark tutti_guile_error_quark (void);

#define TUTTI_TYPE_GUILE_SCRIPT (tutti_guile_script_get_type ())
TUTTI_API G_DECLARE_FINAL_TYPE (TuttiGuileScript, tutti_guile_script, TUTTI, GUILE_SCRIPT, GObject)

/**
 * TuttiGuileProcedure:
 * @arguments: (array length=n): the arguments, which the caller owns
 * @n: how many
 * @user_data: what was given to [method@GuileScript.define]
 * @error: for an error, of any domain
 *
 * A procedure of the application that a script calls. It runs in the main context in which the script object was made, while the thread
 * that has called it waits.
 *
 * Returns: (transfer full): the value; %NULL if @error is set. The script then gets an exception, an `&application-error` with the
 *   message, the domain and the code.
 */
typedef TuttiValue *(*TuttiGuileProcedure) (TuttiValue *const *arguments, gsize n, gpointer user_data, GError **error);

TUTTI_API TuttiGuileScript *tutti_guile_script_new_for_file (TuttiEngine *engine, const char *path) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiGuileScript *tutti_guile_script_new_for_expression (TuttiEngine *engine,
                                                                  const char *text) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_guile_script_set_arguments (TuttiGuileScript *script, const char *const *arguments);
TUTTI_API void tutti_guile_script_define (TuttiGuileScript *script, const char *name, TuttiGuileProcedure procedure, gpointer user_data,
                                          GDestroyNotify destroy);
TUTTI_API int tutti_guile_script_get_exit_status (TuttiGuileScript *script);

TUTTI_API TuttiValue *tutti_guile_run_script (TuttiGuileScript *script, GCancellable *cancellable,
                                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_guile_run_script_async (TuttiGuileScript *script, GCancellable *cancellable, GAsyncReadyCallback callback,
                                             gpointer user_data);
TUTTI_API TuttiValue *tutti_guile_run_script_finish (TuttiGuileScript *script, GAsyncResult *result,
                                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
