/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scripts as the application has them: what is to be run, and signals for what comes from there. */
#include "bindings/guile-script.h"
#include "embedding/embedding-private.h"
#include <string.h>

struct _TuttiGuileScript
{
  GObject parent_instance;
  TuttiEngine *engine;
  char *file, *expression;
  GStrv arguments;
  GPtrArray *procedures;   /* of TtiScriptProcedure */
  GMainContext *context;
  int exit_status;
  gint is_running;         /* atomic */
};

enum { PROP_ENGINE = 1, PROP_FILE, PROP_EXPRESSION, PROP_ARGUMENTS, PROP_EXIT_STATUS, N_PROPERTIES };
enum { SIGNAL_OUTPUT, SIGNAL_PROGRESS, N_SIGNALS };

static GParamSpec *properties[N_PROPERTIES];
static guint signals[N_SIGNALS];

/**
 * TuttiGuileScript:
 *
 * A script in Scheme, or an expression, which an application runs: a user's study, a formula, a plug-in.
 *
 * A script runs in a thread of its own, as `tutti run` runs it: `(use-modules (tutti))` works, the folder of a file is on the load path,
 * here and on workers, and everything is compiled before anything of it runs. In an expression `(tutti)` is imported.
 *
 * - Its **pools** belong to the engine that is given here. What it leaves open (pools, scopes, parallel operators) is closed when it
 *   ends, however it ends. Scripts that run at the same time, with one engine or several, do not see each other's pools, parameters,
 *   definitions, counts and random numbers in tasks. What Guile has once in a process they share: modules loaded from files, the load
 *   path, the current folder, the environment, and `*random-state*`.
 * - Its **output** comes line by line by the signal [signal@GuileScript::output], and how far its maps are by
 *   [signal@GuileScript::progress]. Nothing is written to the descriptors of the process, and input is empty.
 * - Its **end** is its own: `(exit 3)` ends the script. Only `primitive-exit` and `primitive-_exit` end the process.
 * - It is **cancelled** by a #GCancellable, wherever it is: computing, waiting for tasks or for the application. What it has called in C,
 *   such as reading from a pipe, is not interrupted but left when that returns. Its pools are closed on the way out, which may take two
 *   seconds. Threads that it has started go on; a script that starts threads has to end them.
 * - Its **procedures**, besides Scheme's, are those of [method@GuileScript.define].
 *
 * Signals are emitted, and procedures called, in the main context that was the thread's default when the object was made; during
 * [method@GuileScript.run_script], which blocks, in the thread that waits there. If the application lets more than 1048576 bytes of
 * output wait, so does the script.
 *
 * **Signals of the system.** The library installs no handler. Guile's collector, libgc, does when the first script is run, for
 * `SIGPWR` and `SIGXCPU`, with which it stops and continues threads that are in Guile; an application must use neither, nor block them
 * in threads that are in Guile. Nothing else is changed. (Measured with Debian 12: Guile 3.0.8, libgc 8.2.2; the test `script-signals`
 * compares.) A script that calls `sigaction` installs what it says.
 *
 * In a forked copy of the process no script runs: `TUTTI_ERROR_FORKED`.
 */
G_DEFINE_FINAL_TYPE (TuttiGuileScript, tutti_guile_script, G_TYPE_OBJECT)
G_DEFINE_QUARK (tutti-guile-error-quark, tutti_guile_error)

static void
procedure_free (gpointer data)
{
  TtiScriptProcedure *procedure = data;

  if (procedure->destroy != NULL)
    procedure->destroy (procedure->data);
  g_free (procedure->name);
  g_free (procedure);
}

static void
tutti_guile_script_init (TuttiGuileScript *self)
{
  self->procedures = g_ptr_array_new_with_free_func (procedure_free);
  self->context = g_main_context_ref_thread_default ();
}

static void
tutti_guile_script_finalize (GObject *object)
{
  TuttiGuileScript *self = TUTTI_GUILE_SCRIPT (object);

  g_clear_object (&self->engine);
  g_free (self->file);
  g_free (self->expression);
  g_strfreev (self->arguments);
  g_ptr_array_unref (self->procedures);
  g_main_context_unref (self->context);
  G_OBJECT_CLASS (tutti_guile_script_parent_class)->finalize (object);
}

static void
tutti_guile_script_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  TuttiGuileScript *self = TUTTI_GUILE_SCRIPT (object);

  switch (id)
    {
    case PROP_ENGINE:
      g_value_set_object (value, self->engine);
      break;
    case PROP_FILE:
      g_value_set_string (value, self->file);
      break;
    case PROP_EXPRESSION:
      g_value_set_string (value, self->expression);
      break;
    case PROP_ARGUMENTS:
      g_value_set_boxed (value, self->arguments);
      break;
    case PROP_EXIT_STATUS:
      g_value_set_int (value, self->exit_status);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
tutti_guile_script_set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  TuttiGuileScript *self = TUTTI_GUILE_SCRIPT (object);

  switch (id)
    {
    case PROP_ENGINE:
      self->engine = g_value_dup_object (value);
      break;
    case PROP_FILE:
      self->file = g_value_dup_string (value);
      break;
    case PROP_EXPRESSION:
      self->expression = g_value_dup_string (value);
      break;
    case PROP_ARGUMENTS:
      tutti_guile_script_set_arguments (self, g_value_get_boxed (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags once = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  /**
   * TuttiGuileScript:engine:
   *
   * The engine to which the script's pools belong; %NULL: the default one.
   */
  properties[PROP_ENGINE] = g_param_spec_object ("engine", NULL, NULL, TUTTI_TYPE_ENGINE, once);
  /**
   * TuttiGuileScript:file:
   *
   * The script's file, in Scheme or, if its name ends in `.go`, compiled by `tutti compile`; %NULL: there is an expression.
   */
  properties[PROP_FILE] = g_param_spec_string ("file", NULL, NULL, NULL, once);
  /**
   * TuttiGuileScript:expression:
   *
   * The text of the expressions that are evaluated if there is no file.
   */
  properties[PROP_EXPRESSION] = g_param_spec_string ("expression", NULL, NULL, NULL, once);
  /**
   * TuttiGuileScript:arguments:
   *
   * What `(command-line)` returns behind the script's name.
   */
  properties[PROP_ARGUMENTS] = g_param_spec_boxed ("arguments", NULL, NULL, G_TYPE_STRV, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  /**
   * TuttiGuileScript:exit-status:
   *
   * With which status the last run has ended itself: 0, unless it has ended with `TUTTI_GUILE_ERROR_EXITED`.
   */
  properties[PROP_EXIT_STATUS] = g_param_spec_int ("exit-status", NULL, NULL, 0, 255, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
tutti_guile_script_class_init (TuttiGuileScriptClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);

  object_class->finalize = tutti_guile_script_finalize;
  object_class->get_property = tutti_guile_script_get_property;
  object_class->set_property = tutti_guile_script_set_property;
  install_properties (object_class);

  /**
   * TuttiGuileScript::output:
   * @script: the script
   * @text: one line, without its newline, in UTF-8
   * @is_error: it was written to the port for errors, as warnings and what workers write are, not to the one for output
   *
   * The script, or a worker of its pools, has written a line.
   */
  signals[SIGNAL_OUTPUT] = g_signal_new ("output", TUTTI_TYPE_GUILE_SCRIPT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                                         G_TYPE_STRING, G_TYPE_BOOLEAN);
  /**
   * TuttiGuileScript::progress:
   * @script: the script
   * @done: how many items are done
   * @total: of how many
   * @text: what is mapped, how far it is, how fast, and how long it will take
   *
   * A map has come so far: at most ten times a second, not for a map of less than a tenth of a second, and once more at its end. Only of
   * maps whose `progress-port` the script has left as it was.
   */
  signals[SIGNAL_PROGRESS] = g_signal_new ("progress", TUTTI_TYPE_GUILE_SCRIPT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3,
                                           G_TYPE_UINT64, G_TYPE_UINT64, G_TYPE_STRING);
}

void
tti_script_emit_output (TuttiGuileScript *script, const char *text, gboolean is_error)
{
  g_signal_emit (script, signals[SIGNAL_OUTPUT], 0, text, is_error);
}

void
tti_script_emit_progress (TuttiGuileScript *script, guint64 done, guint64 total, const char *text)
{
  g_signal_emit (script, signals[SIGNAL_PROGRESS], 0, done, total, text);
}

void
tti_script_end_run (TuttiGuileScript *script, int exit_status)
{
  gboolean differs = script->exit_status != exit_status;

  script->exit_status = exit_status;
  g_atomic_int_set (&script->is_running, FALSE);
  if (differs)
    g_object_notify_by_pspec (G_OBJECT (script), properties[PROP_EXIT_STATUS]);
}

/**
 * tutti_guile_script_new_for_file:
 * @engine: (nullable): the engine for its pools, which is kept as long as the script; %NULL: the default one
 * @path: (type filename): the file, in Scheme or compiled; it is read each time that the script is run
 *
 * Make a script of a file.
 *
 * Returns: (transfer full): the script, which has not been run
 */
TuttiGuileScript *
tutti_guile_script_new_for_file (TuttiEngine *engine, const char *path)
{
  g_return_val_if_fail (engine == NULL || TUTTI_IS_ENGINE (engine), NULL);
  g_return_val_if_fail (path != NULL, NULL);
  return g_object_new (TUTTI_TYPE_GUILE_SCRIPT, "engine", engine, "file", path, NULL);
}

/**
 * tutti_guile_script_new_for_expression:
 * @engine: (nullable): the engine for its pools, which is kept as long as the script; %NULL: the default one
 * @text: one expression or several, in UTF-8
 *
 * Make a script of expressions, which are evaluated one after another where `(tutti)` is imported.
 *
 * Returns: (transfer full): the script, which has not been run
 */
TuttiGuileScript *
tutti_guile_script_new_for_expression (TuttiEngine *engine, const char *text)
{
  g_return_val_if_fail (engine == NULL || TUTTI_IS_ENGINE (engine), NULL);
  g_return_val_if_fail (text != NULL && g_utf8_validate (text, -1, NULL), NULL);
  return g_object_new (TUTTI_TYPE_GUILE_SCRIPT, "engine", engine, "expression", text, NULL);
}

/**
 * tutti_guile_script_set_arguments:
 * @script: a script that is not running
 * @arguments: (nullable) (array zero-terminated=1): in UTF-8
 *
 * Set what `(command-line)` returns in the script, behind its name.
 */
void
tutti_guile_script_set_arguments (TuttiGuileScript *script, const char *const *arguments)
{
  g_return_if_fail (TUTTI_IS_GUILE_SCRIPT (script));
  g_return_if_fail (!g_atomic_int_get (&script->is_running));
  g_strfreev (script->arguments);
  script->arguments = g_strdupv ((char **) arguments);
  g_object_notify_by_pspec (G_OBJECT (script), properties[PROP_ARGUMENTS]);
}

/**
 * tutti_guile_script_define:
 * @script: a script that is not running
 * @name: a name in Scheme: `show-point`
 * @procedure: (scope notified): what is called
 * @user_data: for @procedure
 * @destroy: (nullable): frees @user_data, when the script is freed and not running any more, or the name is given to another procedure
 *
 * Give the script a procedure of the application. It takes any number of arguments of the kinds that travel to workers, see
 * [struct@Value]; so does its value. It is defined where the script begins: not in modules that the script imports, nor on workers.
 */
void
tutti_guile_script_define (TuttiGuileScript *script, const char *name, TuttiGuileProcedure procedure, gpointer user_data,
                           GDestroyNotify destroy)
{
  g_return_if_fail (TUTTI_IS_GUILE_SCRIPT (script));
  g_return_if_fail (name != NULL && name[0] != '\0' && g_utf8_validate (name, -1, NULL));
  g_return_if_fail (procedure != NULL);
  g_return_if_fail (!g_atomic_int_get (&script->is_running));
  for (guint i = script->procedures->len; i-- > 0;)
    if (strcmp (((TtiScriptProcedure *) script->procedures->pdata[i])->name, name) == 0)
      g_ptr_array_remove_index (script->procedures, i);
  TtiScriptProcedure *entry = g_new (TtiScriptProcedure, 1);

  *entry = (TtiScriptProcedure){ g_strdup (name), procedure, user_data, destroy };
  g_ptr_array_add (script->procedures, entry);
}

/**
 * tutti_guile_script_get_exit_status:
 * @script: a script
 *
 * With which status its last run has ended itself, as by `(exit 3)`.
 *
 * Returns: 0 to 255
 */
int
tutti_guile_script_get_exit_status (TuttiGuileScript *script)
{
  g_return_val_if_fail (TUTTI_IS_GUILE_SCRIPT (script), 0);
  return script->exit_status;
}

/* Begin a run. NULL, with ERROR. */
static TtiScriptRun *
script_start (TuttiGuileScript *script, GMainContext *context, GTask *result, GCancellable *cancellable, GError **error)
{
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  if (!g_atomic_int_compare_and_exchange (&script->is_running, FALSE, TRUE))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PENDING,
                   "the script %s is running; wait until it has ended, or make another object for the same script",
                   script->file != NULL ? script->file : "of an expression");
      return NULL;
    }
  TtiScriptPlan plan = { .script = g_object_ref (script),
                         .engine = script->engine != NULL ? tti_engine_ref (tutti_engine_inside (script->engine)) : NULL,
                         .file = g_strdup (script->file), .expression = g_strdup (script->expression),
                         .arguments = g_strdupv (script->arguments), .procedures = g_ptr_array_ref (script->procedures),
                         .context = context != NULL ? g_main_context_ref (context) : NULL,
                         .result = result != NULL ? g_object_ref (result) : NULL };
  TtiScriptRun *run = tti_script_run_start (&plan, cancellable, error);

  if (run == NULL)
    g_atomic_int_set (&script->is_running, FALSE);
  return run;
}

/**
 * tutti_guile_run_script:
 * @script: a script that is not running
 * @cancellable: (nullable): interrupts it
 * @error: for an error of `TUTTI_GUILE_ERROR`; `G_IO_ERROR_CANCELLED`; `G_IO_ERROR_PENDING`: it is running; of `TUTTI_ERROR`
 *
 * Run a script and wait until it has ended. Meanwhile nothing else of the calling thread's main context is done, but signals of the
 * script are emitted and its procedures are called in the calling thread.
 *
 * Returns: (transfer full): the value of its last expression, `TUTTI_VALUE_NULL` if that is a definition or cannot travel; %NULL with
 *   @error
 */
TuttiValue *
tutti_guile_run_script (TuttiGuileScript *script, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (TUTTI_IS_GUILE_SCRIPT (script), NULL);
  TtiScriptRun *run = script_start (script, NULL, NULL, cancellable, error);

  if (run == NULL)
    return NULL;
  TuttiValue *value = tti_script_run_wait (run, error);

  tti_script_run_unref (run);
  return value;
}

/**
 * tutti_guile_run_script_async:
 * @script: a script that is not running
 * @cancellable: (nullable): interrupts it
 * @callback: called when it has ended, in the calling thread's default main context
 * @user_data: for @callback
 *
 * Run a script while the application's main loop goes on. The script object is kept until it has ended.
 */
void
tutti_guile_run_script_async (TuttiGuileScript *script, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (TUTTI_IS_GUILE_SCRIPT (script));
  GError *error = NULL;
  g_autoptr (GTask) result = g_task_new (script, cancellable, callback, user_data);

  g_task_set_source_tag (result, tutti_guile_run_script_async);
  /* What has ended before the cancellation could interrupt it has a value. */
  g_task_set_check_cancellable (result, FALSE);
  TtiScriptRun *run = script_start (script, script->context, result, cancellable, &error);

  if (run == NULL)
    g_task_return_error (result, error);
  else
    tti_script_run_unref (run);
}

/**
 * tutti_guile_run_script_finish:
 * @script: the script
 * @result: what the callback was given
 * @error: as for [method@GuileScript.run_script]
 *
 * Get what has become of a script.
 *
 * Returns: (transfer full): the value of its last expression, `TUTTI_VALUE_NULL` if that is a definition or cannot travel; %NULL with
 *   @error
 */
TuttiValue *
tutti_guile_run_script_finish (TuttiGuileScript *script, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (TUTTI_IS_GUILE_SCRIPT (script), NULL);
  g_return_val_if_fail (g_task_is_valid (result, script), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
