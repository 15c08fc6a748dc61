/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for what an engine lets others see: its door, companions, notes and progress. They concern the process's default engine, which
 * they start where something is asked of it; what is only to be shown does without. */
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"
#include "module/request-modules.h"
#include "platform/error.h"
#include "pool/capsules.h"
#include "pool/companion.h"
#include "pool/looking.h"
#include "value/value.h"
#include <string.h>

/* A text why not, or #f. */
static SCM
reason (GError *error)
{
  if (error == NULL)
    return SCM_BOOL_F;
  SCM text = tti_guile_from_text (error->message, -1);

  g_error_free (error);
  return text;
}

typedef struct
{
  TtiEngine *engine;
  TtiCompanion companion;
  GError *error;
} Start;

static void *
start_outside (void *data)
{
  Start *start = data;

  tti_engine_add_companion (start->engine, &start->companion, &start->error);
  return NULL;
}

static char *
to_text (SCM text)
{
  char *c_text = scm_to_utf8_string (text);

  scm_dynwind_free (c_text);
  return c_text;
}

/* (%add-companion! name program argv awaited? secret) -> #f, or why not. PROGRAM: the name of one of ours, or a path. See
 * pool/companion.h. */
static SCM
add_companion (SCM name, SCM program, SCM argv, SCM awaited, SCM secret)
{
  guint n = scm_to_uint (scm_length (argv));
  Start start = { 0 };

  scm_dynwind_begin (0);
  const char **c_argv = scm_malloc ((n + 1) * sizeof *c_argv);

  scm_dynwind_free (c_argv);
  for (guint i = 0; i < n; i++, argv = SCM_CDR (argv))
    c_argv[i] = to_text (SCM_CAR (argv));
  c_argv[n] = NULL;
  const char *c_program = to_text (program);
  char *path = strchr (c_program, '/') != NULL ? g_strdup (c_program) : tti_engine_find_program (c_program);

  scm_dynwind_unwind_handler (g_free, path, SCM_F_WIND_EXPLICITLY);
  start.companion = (TtiCompanion){ .name = to_text (name), .program = path, .argv = c_argv, .is_awaited = scm_is_true (awaited),
                                    .secret = scm_is_true (secret) ? to_text (secret) : NULL };
  start.engine = tti_engine_get_default (&start.error);
  if (start.engine != NULL)
    {
      tti_guile_adopt_engine (start.engine); /* what becomes of a companion is told, though there may be no pool yet */
      scm_without_guile (start_outside, &start);
    }
  tti_engine_unref (start.engine);
  scm_dynwind_end ();
  return reason (start.error);
}

/* (%note! key value): see TtiLookNote; #f: it is no longer so */
static SCM
note (SCM key, SCM value)
{
  GError *error = NULL;
  TtiEngine *engine = tti_engine_get_default (&error);

  scm_dynwind_begin (0);
  char *c_key = to_text (key), *c_value = scm_is_true (value) ? to_text (value) : NULL;

  if (engine != NULL)
    tti_engine_note (engine, c_key, c_value);
  scm_dynwind_end ();
  tti_engine_unref (engine);
  return reason (error);
}

/* (%noted key) -> the value that was noted last, by whomever, or #f */
static SCM
noted (SCM key)
{
  TtiEngine *engine = tti_engine_peek_default ();
  SCM result = SCM_BOOL_F;

  if (engine == NULL)
    return result;
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler ((void (*) (void *)) tti_engine_unref, engine, SCM_F_WIND_EXPLICITLY);
  char *value = tti_engine_get_note (engine, to_text (key));

  if (value != NULL)
    {
      scm_dynwind_unwind_handler (g_free, value, SCM_F_WIND_EXPLICITLY);
      result = tti_guile_from_text (value, -1);
    }
  scm_dynwind_end ();
  return result;
}

/* (%fact! key value): as %note!, for the present engine, if there is one, and for all that are started from now on; none is started
 * for it */
static SCM
fact (SCM key, SCM value)
{
  scm_dynwind_begin (0);
  const char *c_key = to_text (key), *c_value = to_text (value);
  TtiEngine *engine = tti_engine_peek_default ();

  tti_looking_note (c_key, c_value);
  if (engine != NULL)
    tti_engine_note (engine, c_key, c_value);
  tti_engine_unref (engine);
  scm_dynwind_end ();
  return SCM_UNSPECIFIED;
}

/* (%monotonic-time) -> µs, by the clock of events */
static SCM
monotonic_time (void)
{
  return scm_from_int64 (g_get_monotonic_time ());
}

/* (%next-progress) -> a number for what comes on */
static SCM
next_progress (void)
{
  return scm_from_uint64 (tti_engine_next_progress ());
}

/* (%show-progress! number name done all failed began-us over?): NAME: a text or #f */
static SCM
show_progress (SCM number, SCM name, SCM done, SCM all, SCM failed, SCM began, SCM is_over)
{
  TtiLookProgress progress = { .progress = scm_to_uint64 (number), .done = scm_to_uint64 (done), .all = scm_to_uint64 (all),
                               .failed = scm_to_uint64 (failed), .began = scm_to_int64 (began), .is_over = scm_is_true (is_over) };
  TtiEngine *engine = tti_engine_peek_default ();

  if (engine == NULL)
    return SCM_UNSPECIFIED;
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler ((void (*) (void *)) tti_engine_unref, engine, SCM_F_WIND_EXPLICITLY);
  tti_engine_show_progress (engine, &progress, scm_is_true (name) ? to_text (name) : NULL);
  scm_dynwind_end ();
  return SCM_UNSPECIFIED;
}

/* (%show-item! task item text): TASK: its number, 0 if that is not known */
static SCM
show_item (SCM task, SCM item, SCM text)
{
  guint64 c_task = scm_to_uint64 (task), c_item = scm_to_uint64 (item);
  TtiEngine *engine = tti_engine_peek_default ();

  if (engine == NULL)
    return SCM_UNSPECIFIED;
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler ((void (*) (void *)) tti_engine_unref, engine, SCM_F_WIND_EXPLICITLY);
  tti_engine_show_item (engine, c_task, c_item, to_text (text));
  scm_dynwind_end ();
  return SCM_UNSPECIFIED;
}

/* (%shown?): does somebody look? Else it is not worth making texts for the above. */
static SCM
is_shown (void)
{
  TtiEngine *engine = tti_engine_peek_default ();
  gboolean watched = engine != NULL && tti_engine_is_watched (engine);

  tti_engine_unref (engine);
  return scm_from_bool (watched);
}

/* (%failure-wanted?): the same, or is one kept for those who come later? */
static SCM
is_failure_wanted (void)
{
  TtiEngine *engine = tti_engine_peek_default ();
  gboolean wanted = engine != NULL && tti_engine_wants_failure (engine);

  tti_engine_unref (engine);
  return scm_from_bool (wanted);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%add-companion!", 5, add_companion },
  { "%note!", 2, note },                  { "%fact!", 2, fact },
  { "%noted", 1, noted },
  { "%monotonic-time", 0, monotonic_time },
  { "%next-progress", 0, next_progress }, { "%show-progress!", 7, show_progress },
  { "%show-item!", 3, show_item },        { "%shown?", 0, is_shown },
  { "%failure-wanted?", 0, is_failure_wanted },
};

void
tti_guile_init_looking (void)
{
  tti_engine_set_exception_reader (tti_value_exception_text);
  tti_capsules_set_code (tti_request_add_modules);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
