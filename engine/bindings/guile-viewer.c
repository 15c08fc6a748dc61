/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for looking at the engines of other processes, and at one task of theirs. What an engine as a whole is like is in
 * guile-board.c. */
#include "bindings/guile-board.h"
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"

enum
{
  MOST_HEARD = 1000, /* events that are kept of a task, and of those that it waits for */
  TURN = 50000       /* events between two looks at the clock */
};

/* An event of a task, with what it has. */
typedef struct
{
  TtiEvent event;
  gboolean in_answer; /* it says how the task is now; others what was before, or has come since */
} Heard;

static void
heard_free (gpointer data)
{
  Heard *heard = data;

  g_free ((gpointer) heard->event.data);
  for (guint i = 0; i < TTI_EVENT_MOST_TEXTS; i++)
    g_free ((gpointer) heard->event.texts[i]);
  g_free (heard);
}

static void
watch_free (gpointer thing)
{
  TtiWatch *watch = thing;

  g_ptr_array_unref (watch->heard);

  tti_board_free (watch->board);
  tti_viewer_free (watch->viewer);
  g_free (watch);
}

static TtiHandleType watch_type = { .name = "watch", .what = "what looks at an engine", .release = watch_free };

TtiWatch *
tti_guile_to_watch (SCM object, const char *who)
{
  return tti_guile_from_handle (&watch_type, object, 1, who);
}

SCM
tti_guile_fields (const TtiField *fields, gsize n)
{
  SCM list = SCM_EOL;

  while (n-- > 0)
    list = scm_acons (scm_from_utf8_symbol (fields[n].name), fields[n].value, list);
  return list;
}

SCM
tti_guile_text (const char *text)
{
  return text != NULL && *text != '\0' ? tti_guile_from_text (text, -1) : SCM_BOOL_F;
}

/* --- a task ------------------------------------------------------------------------------------------------------------------ */

#define NUMBER(n) scm_from_uint64 (n)
#define TIME(t) ((t) != 0 ? scm_from_int64 (t) : SCM_BOOL_F)

static SCM
submitted_fields (const TtiEvent *event)
{
  const TtiLookSubmitted *look = event->submitted;
  SCM missing = SCM_EOL;

  for (guint i = MIN (look->n_missing, TTI_EVENT_MOST_MISSING); i-- > 0;)
    missing = scm_cons (NUMBER (look->missing[i]), missing);
  const TtiField fields[] = {
    { "task", NUMBER (look->task) },         { "pool", NUMBER (look->pool) },
    { "name", tti_guile_text (event->texts[0]) }, { "time-out", TIME (look->time_out) },
    { "place", look->place >= 0 ? scm_from_int (look->place) : SCM_BOOL_F },
    { "maker?", scm_from_bool (look->flags & TTI_LOOK_TASK_MAKER) }, { "wide?", scm_from_bool (look->flags & TTI_LOOK_TASK_WIDE) },
    { "cpus", scm_from_uint (look->n_cpus) }, { "retries", scm_from_uint (look->retries) },
    { "attempts", scm_from_uint (look->attempts) }, { "n-missing", scm_from_uint (look->n_missing) }, { "missing", missing },
  };

  return tti_guile_fields (fields, G_N_ELEMENTS (fields));
}

static SCM
started_fields (const TtiEvent *event)
{
  const TtiLookStarted *look = event->started;
  const TtiField fields[] = {
    { "task", NUMBER (look->task) },     { "pool", NUMBER (look->pool) },       { "name", tti_guile_text (event->texts[0]) },
    { "worker", NUMBER (look->worker) }, { "started", TIME (look->started) },   { "attempt", scm_from_uint (look->attempt) },
    { "input", NUMBER (look->input) },
  };

  return tti_guile_fields (fields, G_N_ELEMENTS (fields));
}

static SCM
ended_fields (const TtiEvent *event)
{
  const TtiLookEnded *look = event->ended;
  const TtiField fields[] = {
    { "task", NUMBER (look->task) },     { "pool", NUMBER (look->pool) },       { "name", tti_guile_text (event->texts[1]) },
    { "error", tti_guile_text (event->texts[0]) },
    { "end", scm_from_utf8_symbol (tti_look_end_name ((TtiLookEnd) look->end)) },
    { "worker", look->worker >= 0 ? scm_from_int (look->worker) : SCM_BOOL_F },
    { "culprit", look->culprit != 0 ? NUMBER (look->culprit) : SCM_BOOL_F },
    { "started", TIME (look->started) }, { "took", TIME (look->took) },        { "attempts", scm_from_uint (look->attempts) },
    { "input", NUMBER (look->input) },   { "result", NUMBER (look->result) },
  };

  return tti_guile_fields (fields, G_N_ELEMENTS (fields));
}

/* The number of the task that EVENT is of, 0 for other events; *SIZE: of its struct. */
static guint64
task_of (const TtiEvent *event, gsize *size)
{
  switch ((int) event->kind)
    {
    case TTI_EVENT_SUBMITTED: *size = sizeof *event->submitted; return event->submitted->task;
    case TTI_EVENT_STARTED: *size = sizeof *event->started; return event->started->task;
    case TTI_EVENT_ENDED: *size = sizeof *event->ended; return event->ended->task;
    default: return 0;
    }
}

static void
hear_answer (TtiWatch *watch, const TtiLookAnswer *answer)
{
  if (answer->task != watch->task)
    return;
  watch->answering = answer->begins != 0;
  if (answer->begins)
    return;
  watch->answered = TRUE;
  watch->is_known = answer->is_known != 0;
  watch->n_ahead = answer->n_ahead;
}

static void
watch_hear (TtiWatch *watch, const TtiEvent *event)
{
  gsize size = 0;
  guint64 task = task_of (event, &size);

  if (event->kind == TTI_EVENT_ANSWER)
    hear_answer (watch, event->answer);
  if (task == 0 || (!watch->answering && task != watch->task) || watch->heard->len >= MOST_HEARD)
    return;
  Heard *heard = g_new0 (Heard, 1);

  heard->event = *event;
  heard->event.data = g_memdup2 (event->data, size);
  for (guint i = 0; i < TTI_EVENT_MOST_TEXTS; i++)
    heard->event.texts[i] = g_strdup (event->texts[i]);
  heard->in_answer = watch->answering;
  g_ptr_array_add (watch->heard, heard);
}

static SCM
heard_fields (const Heard *heard)
{
  const TtiEvent *event = &heard->event;
  SCM fields = event->kind == TTI_EVENT_SUBMITTED ? submitted_fields (event)
               : event->kind == TTI_EVENT_STARTED ? started_fields (event)
                                                  : ended_fields (event);

  fields = scm_acons (scm_from_utf8_symbol ("answer?"), scm_from_bool (heard->in_answer), fields);
  fields = scm_acons (scm_from_utf8_symbol ("time"), scm_from_int64 (event->time), fields);
  return scm_acons (scm_from_utf8_symbol ("kind"), scm_from_utf8_symbol (tti_event_kind_name (event->kind)), fields);
}

/* --- engines ----------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  const char **names;
  guint n;
  gint64 patience;
  TtiViewer **viewers;
  GError **errors;
} Connection;

static void *
connect_outside (void *data)
{
  Connection *self = data;

  tti_viewer_connect_all (self->names, self->n, self->patience, self->viewers, self->errors);
  return NULL;
}

static SCM
outcome_of (TtiViewer *viewer, GError *error)
{
  if (viewer == NULL)
    {
      SCM text = tti_guile_from_text (error->message, -1);

      g_error_free (error);
      return text;
    }
  TtiWatch *watch = g_new0 (TtiWatch, 1);

  watch->viewer = viewer;
  watch->board = tti_board_new ();
  watch->heard = g_ptr_array_new_with_free_func (heard_free);
  return tti_guile_make_handle (&watch_type, watch, FALSE);
}

/* (%look-at names seconds) -> a list: for each of NAMES, those of doors, what looks at its engine, or a text why that cannot be. All of
 * them have SECONDS to answer. */
static SCM
look_at (SCM names, SCM seconds)
{
  guint n = scm_to_uint (scm_length (names));
  Connection self = { .n = n, .patience = (gint64) (scm_to_double (seconds) * G_USEC_PER_SEC) };
  SCM list = SCM_EOL;

  scm_dynwind_begin (0);
  self.names = scm_malloc ((n + 1) * sizeof *self.names);
  scm_dynwind_free (self.names);
  self.viewers = scm_calloc ((n + 1) * sizeof *self.viewers);
  scm_dynwind_free (self.viewers);
  self.errors = scm_calloc ((n + 1) * sizeof *self.errors);
  scm_dynwind_free (self.errors);
  for (guint i = 0; i < n; i++, names = SCM_CDR (names))
    {
      char *name = scm_to_utf8_string (SCM_CAR (names));

      scm_dynwind_free (name);
      self.names[i] = name;
    }
  scm_without_guile (connect_outside, &self);
  for (guint i = n; i-- > 0;)
    list = scm_cons (outcome_of (self.viewers[i], self.errors[i]), list);
  scm_dynwind_end ();
  return list;
}

/* (%watch-take! watch) -> what there was: more, all (nothing more has come yet), ended (nor will), or a text: it cannot be read */
static SCM
watch_take (SCM object)
{
  TtiWatch *watch = tti_guile_to_watch (object, "%watch-take!");
  gboolean has_ended = tti_viewer_has_ended (watch->viewer); /* asked first: what was written before is taken below */
  GError *error = NULL;
  TtiEvent event;
  guint n = 0;

  while (n < TURN && tti_viewer_next (watch->viewer, &event, &error))
    {
      if (tti_board_take (watch->board, &event))
        (void) tti_viewer_ask (watch->viewer, TTI_LOOK_ASK_SNAPSHOT, 0);
      if (watch->task != 0)
        watch_hear (watch, &event);
      n++;
    }
  scm_remember_upto_here_1 (object);
  if (error != NULL)
    {
      SCM text = tti_guile_from_text (error->message, -1);

      g_error_free (error);
      return text;
    }
  return scm_from_utf8_symbol (n == TURN ? "more" : has_ended ? "ended" : "all");
}

/* (%watch-skip-past! watch): leave out what happened before; first of all */
static SCM
watch_skip_past (SCM object)
{
  tti_viewer_skip_past (tti_guile_to_watch (object, "%watch-skip-past!")->viewer);
  scm_remember_upto_here_1 (object);
  return SCM_UNSPECIFIED;
}

/* (%watch-ask! watch task): let the engine say how TASK stands; what was seen of it before is heard as well, if this comes first */
static SCM
watch_ask (SCM object, SCM task)
{
  TtiWatch *watch = tti_guile_to_watch (object, "%watch-ask!");

  watch->task = scm_to_uint64 (task);
  watch->answered = watch->answering = FALSE;
  return scm_from_bool (tti_viewer_ask (watch->viewer, TTI_LOOK_ASK_TASK, watch->task));
}

/* (%watch-heard watch) -> (answered? is-known? ahead events): EVENTS, in their order, association lists */
static SCM
watch_heard (SCM object)
{
  TtiWatch *watch = tti_guile_to_watch (object, "%watch-heard");
  SCM events = SCM_EOL;

  for (guint i = watch->heard->len; i-- > 0;)
    events = scm_cons (heard_fields (g_ptr_array_index (watch->heard, i)), events);
  scm_remember_upto_here_1 (object);
  return scm_list_4 (scm_from_bool (watch->answered), scm_from_bool (watch->is_known), NUMBER (watch->n_ahead), events);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%look-at", 2, look_at },       { "%watch-take!", 1, watch_take },   { "%watch-skip-past!", 1, watch_skip_past },
  { "%watch-ask!", 2, watch_ask }, { "%watch-heard", 1, watch_heard },
};

void
tti_guile_init_viewer (void)
{
  tti_guile_define_handle_type (&watch_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
