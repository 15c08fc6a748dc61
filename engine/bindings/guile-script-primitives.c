/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How (tutti program application) speaks to the run of its script. */
#include "bindings/guile-convert.h"
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-name.h"
#include "bindings/guile-pool.h"
#include "bindings/guile-script.h"
#include <string.h>

static void
run_release (gpointer run)
{
  tti_script_run_unref (run);
}

static void
call_release (gpointer call)
{
  tti_script_call_unref (call);
}

static TtiHandleType run_type = { .name = "<script-run>", .what = "run of a script", .release = run_release };
static TtiHandleType call_type = { .name = "<application-call>", .what = "call of the application", .release = call_release };

/* It lives as long as OBJECT. */
static TtiScriptRun *
to_run (SCM object)
{
  return tti_guile_from_handle (&run_type, object, 1, "script");
}

/* --- output and progress ----------------------------------------------------------------------------------------------------- */

enum { LONGEST_LINE = 64 * 1024 };

static void
push_and_free (TtiScriptRun *run, GString *line, gboolean is_error)
{
  tti_script_run_push_line (run, line->str, line->len, is_error);
  g_string_free (line, TRUE);
}

/* (%script-write! run bytes start count error?): pass complete lines on. */
static SCM
script_write (SCM object, SCM bytes, SCM start, SCM count, SCM is_error)
{
  TtiScriptRun *run = to_run (object);
  gsize c_start = scm_to_size_t (start), c_count = scm_to_size_t (count);

  SCM_ASSERT_TYPE (scm_is_bytevector (bytes), bytes, 2, "script-write!", "bytevector");
  if (c_start > SCM_BYTEVECTOR_LENGTH (bytes) || c_count > SCM_BYTEVECTOR_LENGTH (bytes) - c_start)
    return SCM_UNSPECIFIED;
  const char *text = (const char *) SCM_BYTEVECTOR_CONTENTS (bytes) + c_start, *end = text + c_count, *newline;
  gboolean c_is_error = scm_is_true (is_error);

  tti_lock_take (&run->lock);
  GString *rest = run->rest[c_is_error], *line = NULL;

  if (memchr (text, '\n', c_count) != NULL && rest->len > 0)
    {
      /* The first line began earlier. */
      line = run->rest[c_is_error];
      run->rest[c_is_error] = rest = g_string_new (NULL);
    }
  tti_lock_release (&run->lock);
  for (; (newline = memchr (text, '\n', (gsize) (end - text))) != NULL; text = newline + 1)
    if (line != NULL)
      {
        g_string_append_len (line, text, newline - text);
        push_and_free (run, g_steal_pointer (&line), c_is_error);
      }
    else
      tti_script_run_push_line (run, text, (gsize) (newline - text), c_is_error);
  tti_lock_take (&run->lock);
  rest = run->rest[c_is_error];
  g_string_append_len (rest, text, end - text);
  /* A line without end, of dots perhaps, is passed on as well. */
  if (rest->len > LONGEST_LINE)
    run->rest[c_is_error] = g_string_new (NULL);
  else
    rest = NULL;
  tti_lock_release (&run->lock);
  if (rest != NULL)
    push_and_free (run, rest, c_is_error);
  scm_remember_upto_here_2 (object, bytes);
  return SCM_UNSPECIFIED;
}

/* (%script-end-lines! run): pass on what has no newline. */
static SCM
script_end_lines (SCM object)
{
  TtiScriptRun *run = to_run (object);

  for (guint i = 0; i < G_N_ELEMENTS (run->rest); i++)
    {
      tti_lock_take (&run->lock);
      GString *rest = run->rest[i];

      run->rest[i] = g_string_new (NULL);
      tti_lock_release (&run->lock);
      if (rest->len > 0)
        push_and_free (run, rest, i == 1);
      else
        g_string_free (rest, TRUE);
    }
  scm_remember_upto_here_1 (object);
  return SCM_UNSPECIFIED;
}

/* (%script-tell! run progress done total text) */
static SCM
script_tell (SCM object, SCM progress, SCM done, SCM total, SCM text)
{
  TtiScriptRun *run = to_run (object);

  guint64 c_progress = scm_to_uint64 (progress), c_done = scm_to_uint64 (done), c_total = scm_to_uint64 (total);

  scm_dynwind_begin (0);
  char *c_text = scm_to_utf8_string (text);
  scm_dynwind_free (c_text);
  tti_script_run_push_progress (run, c_progress, c_done, c_total, c_text);
  scm_dynwind_end ();
  scm_remember_upto_here_1 (object);
  return SCM_UNSPECIFIED;
}

/* --- waiting ----------------------------------------------------------------------------------------------------------------- */

/* (%script-room? run): may it write more? */
static SCM
script_room_p (SCM object)
{
  TtiScriptRun *run = to_run (object);
  SCM has_room = scm_from_bool (tti_script_run_has_room (run));

  scm_remember_upto_here_1 (object);
  return has_room;
}

/* (%script-add-wakeup! run wakeup): WAKEUP becomes readable whenever the application has done something for the script. */
static SCM
script_add_wakeup (SCM object, SCM wakeup)
{
  TtiScriptRun *run = to_run (object);
  int fd = scm_to_int (wakeup);

  if (fd >= 0)
    {
      tti_lock_take (&run->lock);
      g_array_append_val (run->wakeups, fd);
      tti_lock_release (&run->lock);
    }
  scm_remember_upto_here_1 (object);
  return SCM_UNSPECIFIED;
}

static SCM
script_remove_wakeup (SCM object, SCM wakeup)
{
  TtiScriptRun *run = to_run (object);
  int fd = scm_to_int (wakeup);

  tti_lock_take (&run->lock);
  for (guint i = run->wakeups->len; i-- > 0;)
    if (g_array_index (run->wakeups, int, i) == fd)
      {
        g_array_remove_index_fast (run->wakeups, i);
        break;
      }
  tti_lock_release (&run->lock);
  scm_remember_upto_here_1 (object);
  return SCM_UNSPECIFIED;
}

/* --- calls of the application ------------------------------------------------------------------------------------------------ */

static void
values_free (void *values)
{
  g_ptr_array_unref (values);
}

/* (%script-call! run index payloads) -> call */
static SCM
script_call (SCM object, SCM index, SCM payloads)
{
  static const char who[] = "script-call!";
  TtiScriptRun *run = to_run (object);
  guint c_index = scm_to_uint (index);
  GPtrArray *arguments = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);
  GError *error = NULL;

  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (values_free, arguments, 0);
  for (SCM rest = payloads; scm_is_pair (rest) && error == NULL; rest = SCM_CDR (rest))
    {
      TuttiValue *value = tti_value_decode (tti_guile_to_payload (SCM_CAR (rest), who), &error);

      if (value != NULL)
        g_ptr_array_add (arguments, value);
    }
  scm_dynwind_end ();
  TtiScriptCall *call = g_new0 (TtiScriptCall, 1);

  g_atomic_ref_count_init (&call->refs);
  call->index = c_index;
  call->arguments = arguments;
  if (error == NULL && !tti_script_run_push_call (run, call))
    g_set_error (&error, TUTTI_ERROR, TUTTI_ERROR_CLOSED,
                 "the script has ended, and what it has left behind can call the application no more: let it wait for its threads");
  scm_remember_upto_here_2 (object, payloads);
  if (error == NULL)
    return tti_guile_make_handle (&call_type, call, FALSE);
  tti_script_call_unref (call);
  tti_guile_raise (who, error);
}

/* (%script-call-done? run call): only then there is a result. */
static SCM
script_call_done_p (SCM run_object, SCM object)
{
  TtiScriptRun *run = to_run (run_object);
  TtiScriptCall *call = tti_guile_from_handle (&call_type, object, 2, "script-call-done?");

  tti_lock_take (&run->lock);
  gboolean is_done = call->is_done || run->is_over;
  tti_lock_release (&run->lock);
  scm_remember_upto_here_2 (run_object, object);
  return scm_from_bool (is_done);
}

/* (%script-call-result call) -> payload, or a list of message, domain and code of an error */
static SCM
script_call_result (SCM object)
{
  TtiScriptCall *call = tti_guile_from_handle (&call_type, object, 1, "script-call-result");
  SCM result;

  if (call->result != NULL)
    result = tti_guile_from_own_payload (tti_payload_ref (call->result));
  else if (call->error != NULL)
    result = scm_list_3 (tti_guile_from_text (call->error->message, -1),
                         tti_guile_from_text (g_quark_to_string (call->error->domain), -1), scm_from_int (call->error->code));
  else
    result = scm_list_3 (scm_from_utf8_string ("the script ended while the application was called"),
                         scm_from_utf8_string (g_quark_to_string (TUTTI_ERROR)), scm_from_int (TUTTI_ERROR_CLOSED));
  scm_remember_upto_here_1 (object);
  return result;
}

/* (%script-call-forget! run call): if it has not begun, it never will. */
static SCM
script_call_forget (SCM run_object, SCM object)
{
  TtiScriptRun *run = to_run (run_object);
  TtiScriptCall *call = tti_guile_from_handle (&call_type, object, 2, "script-call-forget!");

  tti_lock_take (&run->lock);
  call->is_forgotten = TRUE;
  tti_lock_release (&run->lock);
  scm_remember_upto_here_2 (run_object, object);
  return SCM_UNSPECIFIED;
}

/* --- interrupts -------------------------------------------------------------------------------------------------------------- */

/* (%script-begin! run interrupter): from now on the calling thread may be interrupted: it then calls INTERRUPTER. */
static SCM
script_begin (SCM object, SCM interrupter)
{
  TtiScriptRun *run = to_run (object);

  scm_gc_protect_object (interrupter);
  SCM thread = scm_gc_protect_object (scm_current_thread ());

  tti_lock_take (&run->lock);
  run->thread = thread;
  run->interrupter = interrupter;
  run->is_interruptible = TRUE;
  gboolean is_cancelled = run->is_cancelled;
  tti_lock_release (&run->lock);
  if (is_cancelled)
    tti_guile_interrupt (run);
  return SCM_UNSPECIFIED;
}

/* (%script-leave! run): it may not any more. */
static SCM
script_leave (SCM object)
{
  TtiScriptRun *run = to_run (object);

  tti_lock_take (&run->lock);
  gboolean was_interruptible = run->is_interruptible;

  run->is_interruptible = FALSE;
  tti_lock_release (&run->lock);
  if (was_interruptible)
    {
      scm_gc_unprotect_object (run->thread);
      scm_gc_unprotect_object (run->interrupter);
    }
  return SCM_UNSPECIFIED;
}

/* (%script-interrupt! run now?): the interrupter was called; is the script to be left? That is so once, when NOW? is true. */
static SCM
script_interrupt (SCM object, SCM now)
{
  TtiScriptRun *run = to_run (object);
  gboolean leave = FALSE;

  tti_lock_take (&run->lock);
  run->is_posted = FALSE;
  if (run->is_interruptible && run->is_cancelled && scm_is_true (now))
    {
      /* Only once: what unwinds is not interrupted again. */
      run->is_cancelled = FALSE;
      leave = TRUE;
    }
  tti_lock_release (&run->lock);
  scm_remember_upto_here_1 (object);
  return scm_from_bool (leave);
}

/* --- the run ----------------------------------------------------------------------------------------------------------------- */

static void
set_error_from_text (TtiScriptRun *run, TuttiGuileError code, SCM text)
{
  char *message = scm_to_utf8_string (text);

  run->error = g_error_new_literal (TUTTI_GUILE_ERROR, (int) code, message);
  free (message);
}

/* OUTCOME as (tutti program application) returns it. */
static void
set_outcome (TtiScriptRun *run, SCM outcome)
{
  static const struct { const char *kind; TuttiGuileError code; } kinds[] = {
    { "unreadable", TUTTI_GUILE_ERROR_UNREADABLE }, { "syntax", TUTTI_GUILE_ERROR_SYNTAX }, { "raised", TUTTI_GUILE_ERROR_RAISED },
  };
  SCM kind = SCM_CAR (outcome);

  if (scm_is_eq (kind, scm_from_utf8_symbol ("value")))
    {
      SCM payload = SCM_CADR (outcome);

      run->value = scm_is_true (payload) ? tti_value_decode (tti_guile_to_payload (payload, "script"), &run->error)
                                         : tutti_value_new_null ();
    }
  else if (scm_is_eq (kind, scm_from_utf8_symbol ("interrupted")))
    run->error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "the script was cancelled");
  else if (scm_is_eq (kind, scm_from_utf8_symbol ("exited")))
    {
      run->exit_status = scm_to_int (SCM_CADR (outcome));
      run->error = g_error_new (TUTTI_GUILE_ERROR, TUTTI_GUILE_ERROR_EXITED, "the script has ended itself with status %d",
                                run->exit_status);
    }
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (scm_is_eq (kind, scm_from_utf8_symbol (kinds[i].kind)))
      set_error_from_text (run, kinds[i].code, SCM_CADR (outcome));
}

TtiEngine *
tti_guile_to_engine (SCM object, GError **error)
{
  if (scm_is_false (object))
    return tti_engine_get_default (error);
  TtiScriptRun *run = to_run (object);

  /* When it is over the engine is the application's alone. */
  tti_lock_take (&run->lock);
  gboolean is_over = run->is_over;
  TtiEngine *engine = !is_over && run->plan.engine != NULL ? tti_engine_ref (run->plan.engine) : NULL;
  tti_lock_release (&run->lock);
  if (is_over)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "the script has ended, and what it has left behind can make no more pools");
  else if (engine == NULL)
    engine = tti_engine_get_default (error);
  return engine;
}

typedef struct
{
  TtiScriptRun *run;
  SCM object;
} Body;

static SCM
text_list (char **texts)
{
  SCM list = SCM_EOL;

  for (guint i = texts != NULL ? g_strv_length (texts) : 0; i-- > 0;)
    list = scm_cons (tti_guile_from_text (texts[i], -1), list);
  return list;
}

static SCM
run_body (void *data)
{
  Body *body = data;
  TtiScriptRun *run = body->run;
  SCM names = SCM_EOL;

  for (guint i = run->plan.procedures->len; i-- > 0;)
    names = scm_cons (scm_from_utf8_string (((TtiScriptProcedure *) run->plan.procedures->pdata[i])->name), names);
  SCM outcome = scm_call_6 (scm_c_public_ref ("tutti program application", "run-for-application"), body->object,
                            scm_from_uint (run->number),
                            run->plan.file != NULL ? tti_guile_from_name (run->plan.file) : SCM_BOOL_F,
                            run->plan.expression != NULL ? scm_from_utf8_string (run->plan.expression) : SCM_BOOL_F,
                            text_list (run->plan.arguments), names);

  set_outcome (run, outcome);
  return SCM_UNSPECIFIED;
}

/* run-for-application catches what the script raises: this is what went wrong around it. */
static SCM
run_handler (void *data, SCM key, SCM arguments)
{
  Body *body = data;
  g_autofree char *text = tti_guile_describe_exception (key, arguments);

  script_leave (body->object);
  g_clear_error (&body->run->error);
  body->run->error = g_error_new (TUTTI_GUILE_ERROR, TUTTI_GUILE_ERROR_RAISED, "the script could not be run: %s", text);
  return SCM_UNSPECIFIED;
}

void
tti_script_run_in_guile (TtiScriptRun *run)
{
  Body body = { run, tti_guile_make_handle (&run_type, tti_script_run_ref (run), FALSE) };

  scm_internal_catch (SCM_BOOL_T, run_body, &body, run_handler, &body);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%script-write!", 5, script_write },
  { "%script-end-lines!", 1, script_end_lines },
  { "%script-tell!", 5, script_tell },
  { "%script-room?", 1, script_room_p },
  { "%script-add-wakeup!", 2, script_add_wakeup },
  { "%script-remove-wakeup!", 2, script_remove_wakeup },
  { "%script-call!", 3, script_call },
  { "%script-call-done?", 2, script_call_done_p },
  { "%script-call-result", 1, script_call_result },
  { "%script-call-forget!", 2, script_call_forget },
  { "%script-begin!", 2, script_begin },
  { "%script-leave!", 1, script_leave },
  { "%script-interrupt!", 2, script_interrupt },
};

void
tti_guile_init_script (void)
{
  tti_guile_define_handle_type (&run_type);
  tti_guile_define_handle_type (&call_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
