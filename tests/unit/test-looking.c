/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What others see of an engine: by its door, and as its companions. */
#include "pool-fixture.h"
#include "look/door.h"
#include "look/viewer.h"
#include "pool/companion.h"
#include "pool/looking.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder; /* where doors are, and other files of the tests */

static TtiViewer *
look_at (TtiEngine *engine)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tti_engine_open_door (engine, &error));
  g_assert_no_error (error);
  g_autofree char *name = tti_engine_get_door_name (engine);
  TtiViewer *viewer = tti_viewer_connect (name, &error);

  g_assert_no_error (error);
  return viewer;
}

/* Take events until one of KIND for which IS_IT (or NULL) is true, which EVENT is. */
static void
await_event (TtiViewer *viewer, TtiEventKind kind, gboolean (*is_it) (const TtiEvent *, guint64), guint64 data, TtiEvent *event)
{
  g_autoptr (GError) error = NULL;
  gint64 limit = LIMIT;

  for (;;)
    {
      while (tti_viewer_next (viewer, event, &error))
        if (event->kind == kind && (is_it == NULL || is_it (event, data)))
          return;
      g_assert_no_error (error);
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
}

static void
await_running (TtiTask *task)
{
  for (gint64 limit = LIMIT; tti_task_get_state (task) != TTI_TASK_RUNNING;)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
}

static gboolean
is_submitted (const TtiEvent *event, guint64 task)
{
  return event->submitted->task == task;
}

static gboolean
is_started (const TtiEvent *event, guint64 task)
{
  return event->started->task == task;
}

static gboolean
has_ended (const TtiEvent *event, guint64 task)
{
  return event->ended->task == task;
}

static gboolean
snapshot_ends (const TtiEvent *event, guint64 data)
{
  (void) data;
  return !event->snapshot->begins;
}

static gboolean
answer_ends (const TtiEvent *event, guint64 task)
{
  return !event->answer->begins && event->answer->task == task;
}

static gboolean
is_old_failure (const TtiEvent *event, guint64 task)
{
  return event->failure->task == task;
}

static gboolean
is_of_task (const TtiEvent *event, guint64 task)
{
  return event->died->task == task;
}

/* --- by the door ------------------------------------------------------------------------------------------------------------- */

static void
test_snapshot (void)
{
  g_autoptr (TtiEngine) engine = engine_new ();
  TtiPool *pool = pool_in (engine, 1);
  g_autoptr (TtiTask) running = task_new ("hang"), queued = task_new ("one"), waiting = task_new ("two");
  TtiEvent event;

  tti_task_set_name (running, "simulate");
  submit (pool, running);
  await_running (running);
  submit (pool, queued);
  tti_task_add_dependency (waiting, queued);
  submit (pool, waiting);
  tti_engine_note (engine, "script", "a.scm");
  g_autoptr (TtiViewer) viewer = look_at (engine);

  g_assert_cmpint (tti_viewer_get_pid (viewer), ==, getpid ());
  await_event (viewer, TTI_EVENT_SNAPSHOT, NULL, 0, &event);
  g_assert_true (event.snapshot->begins);
  await_event (viewer, TTI_EVENT_CLOCK, NULL, 0, &event);
  g_assert_cmpint (ABS (event.clock->wall - g_get_real_time ()), <, 60 * G_USEC_PER_SEC);
  await_event (viewer, TTI_EVENT_NOTE, NULL, 0, &event);
  g_assert_cmpstr (event.texts[0], ==, "script");
  g_assert_cmpstr (event.texts[1], ==, "a.scm");
  await_event (viewer, TTI_EVENT_NODE, NULL, 0, &event);
  g_assert_true (event.node->is_here);
  await_event (viewer, TTI_EVENT_POOL, NULL, 0, &event);
  g_assert_cmpstr (event.texts[0], ==, "test pool");
  g_assert_cmpuint (event.pool->submitted, ==, 3);
  g_assert_cmpuint (event.pool->n_waiting, ==, 1);
  await_event (viewer, TTI_EVENT_WORKER, NULL, 0, &event);
  g_assert_cmpint (event.worker->pid, >, 0);
  await_event (viewer, TTI_EVENT_SUBMITTED, is_submitted, tti_task_get_id (running), &event);
  g_assert_cmpstr (event.texts[0], ==, "simulate");
  await_event (viewer, TTI_EVENT_STARTED, is_started, tti_task_get_id (running), &event);
  await_event (viewer, TTI_EVENT_SUBMITTED, is_submitted, tti_task_get_id (queued), &event);
  await_event (viewer, TTI_EVENT_SUBMITTED, is_submitted, tti_task_get_id (waiting), &event);
  g_assert_cmpuint (event.submitted->n_missing, ==, 1);
  g_assert_cmpuint (event.submitted->missing[0], ==, tti_task_get_id (queued));
  await_event (viewer, TTI_EVENT_SNAPSHOT, snapshot_ends, 0, &event);
  g_assert_cmpuint (event.snapshot->more, ==, 0);
  pool_close (pool, 0);
  await_event (viewer, TTI_EVENT_ENDED, has_ended, tti_task_get_id (waiting), &event);
  g_assert_cmpuint (event.ended->end, ==, TTI_LOOK_CLOSED);
  tti_pool_unref (pool);
}

static void
test_life_of_a_task (void)
{
  g_autoptr (TtiEngine) engine = engine_new ();
  TtiPool *pool = pool_in (engine, 1);
  g_autoptr (TtiViewer) viewer = look_at (engine);
  g_autoptr (TtiTask) good = submit (pool, task_new ("good")), bad = submit (pool, task_new ("raise")), deadly = task_new ("signal 9");
  guint64 id = tti_task_get_id (good);
  TtiEvent event;

  await_event (viewer, TTI_EVENT_SUBMITTED, is_submitted, id, &event);
  await_event (viewer, TTI_EVENT_STARTED, is_started, id, &event);
  g_assert_cmpuint (event.started->attempt, ==, 1);
  await_event (viewer, TTI_EVENT_ENDED, has_ended, id, &event);
  g_assert_cmpuint (event.ended->end, ==, TTI_LOOK_DONE);
  g_assert_cmpint (event.ended->worker, ==, 0);
  await_event (viewer, TTI_EVENT_ENDED, has_ended, tti_task_get_id (bad), &event);
  g_assert_cmpuint (event.ended->end, ==, TTI_LOOK_RAISED);
  tti_task_set_retries (deadly, 1);
  submit (pool, deadly);
  id = tti_task_get_id (deadly);
  await_event (viewer, TTI_EVENT_DIED, is_of_task, id, &event);
  g_assert_true (event.died->again);
  g_assert_cmpint (event.died->signal, ==, SIGKILL);
  g_assert_nonnull (strstr (event.texts[0], "worker 0"));
  await_event (viewer, TTI_EVENT_DIED, is_of_task, id, &event);
  g_assert_false (event.died->again);
  g_assert_cmpuint (event.died->attempt, ==, 2);
  g_assert_true (tti_task_wait (deadly, LIMIT));
  pool_end (pool);
}

static void
test_asked (void)
{
  g_autoptr (TtiEngine) engine = engine_new ();
  TtiPool *pool = pool_in (engine, 1);
  g_autoptr (TtiTask) running = submit (pool, task_new ("hang"));
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  TtiEvent event;

  for (guint i = 0; i < TTI_EVENT_MOST_WAITING + 500; i++)
    g_ptr_array_add (tasks, submit (pool, task_new ("x")));
  g_autoptr (TtiTask) last = task_new ("last");

  tti_task_add_dependency (last, g_ptr_array_index (tasks, tasks->len - 1));
  submit (pool, last);
  g_autoptr (TtiViewer) viewer = look_at (engine);

  await_event (viewer, TTI_EVENT_SNAPSHOT, snapshot_ends, 0, &event);
  g_assert_cmpuint (event.snapshot->more, >, 0);
  /* One that was left out, and what it waits for. */
  g_assert_true (tti_viewer_ask (viewer, TTI_LOOK_ASK_TASK, tti_task_get_id (last)));
  await_event (viewer, TTI_EVENT_SUBMITTED, is_submitted, tti_task_get_id (last), &event);
  g_assert_cmpuint (event.submitted->n_missing, ==, 1);
  await_event (viewer, TTI_EVENT_SUBMITTED, is_submitted, tti_task_get_id (g_ptr_array_index (tasks, tasks->len - 1)), &event);
  await_event (viewer, TTI_EVENT_ANSWER, answer_ends, tti_task_get_id (last), &event);
  g_assert_true (event.answer->is_known);
  g_assert_true (tti_viewer_ask (viewer, TTI_LOOK_ASK_TASK, tti_task_get_id (g_ptr_array_index (tasks, 700))));
  await_event (viewer, TTI_EVENT_ANSWER, answer_ends, tti_task_get_id (g_ptr_array_index (tasks, 700)), &event);
  g_assert_cmpuint (event.answer->n_ahead, >, 500);
  g_assert_cmpuint (event.answer->n_ahead, <=, 701); /* the one that is to run may still be there */
  g_assert_true (tti_viewer_ask (viewer, TTI_LOOK_ASK_TASK, G_MAXUINT64));
  await_event (viewer, TTI_EVENT_ANSWER, answer_ends, G_MAXUINT64, &event);
  g_assert_false (event.answer->is_known);
  g_assert_true (tti_viewer_ask (viewer, TTI_LOOK_ASK_SNAPSHOT, 0));
  await_event (viewer, TTI_EVENT_SNAPSHOT, snapshot_ends, 0, &event);
  pool_close (pool, 0);
  tti_pool_unref (pool);
}

/* What happened before anybody looked, and is to be known nevertheless: failures, also if they come in floods, and progress. */
static void
test_kept (void)
{
  g_autoptr (TtiEngine) engine = engine_new ();
  TtiPool *pool = pool_in (engine, 1);
  g_autoptr (TtiTask) bad = task_new ("raise"), deadly = task_new ("signal 9");
  TtiLookProgress progress = { .progress = tti_engine_next_progress (), .done = 3, .all = 10, .began = g_get_monotonic_time () };
  TtiEvent event;
  guint n = 0;

  tti_task_set_name (bad, "simulate");
  submit (pool, bad);
  g_assert_true (tti_task_wait (bad, LIMIT));
  tti_task_set_retries (deadly, 0);
  submit (pool, deadly);
  g_assert_true (tti_task_wait (deadly, LIMIT));
  tti_engine_show_progress (engine, &progress, "models");
  g_autoptr (TtiViewer) viewer = look_at (engine);

  tti_viewer_skip_past (viewer);
  await_event (viewer, TTI_EVENT_PROGRESS, NULL, 0, &event);
  g_assert_cmpuint (event.progress->done, ==, 3);
  g_assert_cmpstr (event.texts[0], ==, "models");
  await_event (viewer, TTI_EVENT_POOL, NULL, 0, &event);
  g_assert_cmpuint (event.pool->ends[TTI_LOOK_RAISED], ==, 1);
  g_assert_cmpuint (event.pool->ends[TTI_LOOK_DIED], ==, 1);
  await_event (viewer, TTI_EVENT_FAILURE, is_old_failure, tti_task_get_id (bad), &event);
  g_assert_cmpstr (event.texts[0], ==, "simulate");
  g_assert_cmpuint (event.failure->end, ==, TTI_LOOK_RAISED);
  await_event (viewer, TTI_EVENT_FAILURE, is_old_failure, tti_task_get_id (deadly), &event);
  await_event (viewer, TTI_EVENT_FAILURE, is_old_failure, tti_task_get_id (deadly), &event);
  for (guint64 item = 0; item < 1000; item++)
    tti_engine_show_item (engine, 1, item, "bad");
  progress.is_over = 1;
  tti_engine_show_progress (engine, &progress, "models");
  g_autoptr (TtiViewer) late = look_at (engine);
  g_autoptr (GError) error = NULL;

  tti_viewer_skip_past (late);
  while (tti_viewer_next (late, &event, &error) && (event.kind != TTI_EVENT_SNAPSHOT || event.snapshot->begins))
    {
      g_assert_cmpint (event.kind, !=, TTI_EVENT_PROGRESS);
      n += event.kind == TTI_EVENT_FAILURE;
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n, >=, 3);
  g_assert_cmpuint (n, <=, 50);
  pool_end (pool);
}

static void
test_end (void)
{
  TtiEngine *engine = engine_new ();
  TtiPool *pool = pool_in (engine, 1);
  g_autoptr (TtiViewer) viewer = look_at (engine);
  g_autofree char *name = tti_engine_get_door_name (engine);
  g_autoptr (GError) error = NULL;
  TtiEvent event;

  g_assert_false (tti_viewer_has_ended (viewer));
  pool_end (pool);
  tti_engine_unref (engine);
  g_assert_true (tti_viewer_has_ended (viewer));
  await_event (viewer, TTI_EVENT_NOTE, NULL, 0, &event);
  g_assert_cmpstr (event.texts[0], ==, "end");
  g_assert_false (tti_viewer_ask (viewer, TTI_LOOK_ASK_SNAPSHOT, 0));
  g_assert_null (tti_viewer_connect (name, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
}

/* Viewers come and go while tasks run; those that are too many are sent away. */
static void
test_many (void)
{
  g_autoptr (TtiEngine) engine = engine_new ();
  TtiPool *pool = pool_in (engine, 2);
  TtiViewer *viewers[64];

  for (guint round = 0; round < 3; round++)
    {
      g_autoptr (GError) error = NULL;

      for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
        viewers[i] = look_at (engine);
      g_autofree char *name = tti_engine_get_door_name (engine);

      g_assert_null (tti_viewer_connect (name, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
      g_autoptr (TtiTask) task = submit (pool, task_new ("x"));

      g_assert_true (tti_task_wait (task, LIMIT));
      g_assert_true (tti_engine_is_watched (engine));
      for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
        tti_viewer_free (viewers[i]);
      for (gint64 limit = LIMIT; tti_engine_is_watched (engine);)
        {
          g_assert_cmpint (g_get_monotonic_time (), <, limit);
          g_usleep (1000);
        }
    }
  pool_end (pool);
}

/* --- doors ------------------------------------------------------------------------------------------------------------------- */

static void
test_left_over (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEngine) engine = engine_new ();
  g_autofree char *left = g_build_filename (folder, "tutti", "999999999-1", NULL);
  g_autofree char *other = g_build_filename (folder, "tutti", "notes", NULL);

  g_assert_true (tti_engine_open_door (engine, &error));
  g_assert_true (g_file_set_contents (left, "", 0, NULL));
  g_assert_true (g_file_set_contents (other, "", 0, NULL));
  g_autoptr (GPtrArray) doors = tti_door_list (&error);

  g_assert_no_error (error);
  g_assert_cmpuint (doors->len, ==, 1);
  g_assert_cmpint (((TtiDoorEntry *) g_ptr_array_index (doors, 0))->pid, ==, getpid ());
  g_assert_false (g_file_test (left, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (other, G_FILE_TEST_EXISTS));
  g_assert_cmpint (g_unlink (other), ==, 0);
  g_assert_false (tti_engine_is_watched (engine)); /* to be listed disturbs nobody */
}

static void
test_open_to_others (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEngine) engine = engine_new ();
  g_autofree char *path = g_build_filename (folder, "tutti", NULL);

  g_assert_cmpint (g_chmod (path, 0770), ==, 0);
  g_assert_false (tti_engine_open_door (engine, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
  g_assert_nonnull (strstr (error->message, "is open to others"));
  g_assert_cmpint (g_chmod (path, 0700), ==, 0);
}

/* --- companions -------------------------------------------------------------------------------------------------------------- */

static gboolean
start_onlooker (TtiEngine *engine, const char *file, const char *behaviour, GError **error)
{
  g_autofree char *program = helper ("onlooker");
  const char *const argv[] = { "onlooker", file, behaviour, NULL };
  const TtiCompanion companion = { .name = "the onlooker", .program = program, .argv = argv, .secret = "abc", .is_awaited = TRUE };

  return tti_engine_add_companion (engine, &companion, error);
}

static char *
contents (const char *file)
{
  char *text = NULL;

  return g_file_get_contents (file, &text, NULL, NULL) ? text : g_strdup ("");
}

/* Wait until there are N processes in FILE. Returns the last. */
static pid_t
await_onlookers (const char *file, guint n)
{
  for (gint64 limit = LIMIT;;)
    {
      g_autofree char *text = contents (file);
      guint found = 0;
      const char *last = NULL;

      for (const char *at = text; (at = strstr (at, "begin ")) != NULL; at++, found++)
        last = at;
      if (found == n)
        return (pid_t) atoi (last + strlen ("begin "));
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
}

static void
test_companion (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *file = g_build_filename (folder, "seen", NULL);
  TtiEngine *engine = engine_new ();

  g_assert_true (start_onlooker (engine, file, "", &error));
  g_autofree char *said = tti_engine_get_note (engine, "onlooker");

  g_assert_cmpstr (said, ==, "its secret is abc");
  TtiPool *pool = pool_in (engine, 1);
  g_autoptr (TtiTask) task = submit (pool, task_new ("one"));

  g_assert_true (tti_task_wait (task, LIMIT));
  pool_end (pool);
  tti_engine_unref (engine);
  /* All was written when the engine had ended. */
  g_autofree char *text = contents (file);

  /* What its worker does comes between. */
  const char *submitted = strstr (text, "\nsubmitted\n"), *started = strstr (text, "\nstarted\n"), *ended = strstr (text, "\nended done\n");

  g_assert_true (submitted != NULL && submitted < started && started < ended);
  g_assert_true (g_str_has_suffix (text, "note end\nfinished\n"));
  g_assert_cmpint (g_unlink (file), ==, 0);
}

static void
tell (const char *message, gpointer text)
{
  g_string_append_printf (text, "%s\n", message);
}

static void
test_companion_killed (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *file = g_build_filename (folder, "killed", NULL);
  g_autoptr (GString) told = g_string_new (NULL);
  TtiEngine *engine = engine_new ();
  TtiPool *pool = pool_in (engine, 1);

  tti_engine_set_message_func (engine, tell, told);
  g_assert_true (start_onlooker (engine, file, "", &error));
  g_assert_cmpint (kill (await_onlookers (file, 1), SIGKILL), ==, 0);
  await_onlookers (file, 2);
  g_autoptr (TtiTask) task = submit (pool, task_new ("one"));

  g_assert_true (tti_task_wait (task, LIMIT));
  pool_end (pool);
  tti_engine_unref (engine);
  g_autofree char *text = contents (file);

  g_assert_true (g_str_has_suffix (text, "note end\nfinished\n"));
  g_assert_cmpstr (told->str, ==, "the onlooker has ended and is started again\n");
  g_assert_cmpint (g_unlink (file), ==, 0);
}

/* One that has ended before it had finished is started once more, at the engine's end. */
static void
test_companion_forgetful (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *file = g_build_filename (folder, "forgetful", NULL);
  TtiEngine *engine = engine_new ();

  g_assert_true (start_onlooker (engine, file, "forgetful", &error));
  await_onlookers (file, 1);
  tti_engine_unref (engine);
  g_autofree char *text = contents (file);
  const char *second = strstr (strstr (text, "begin ") + 1, "begin ");

  g_assert_nonnull (second);
  g_assert_nonnull (strstr (second, "note end\n"));
  g_assert_true (g_str_has_suffix (text, "finished\n"));
  g_assert_cmpint (g_unlink (file), ==, 0);
}

static void
test_companion_refuses (void)
{
  g_autofree char *file = g_build_filename (folder, "refused", NULL);
  g_autoptr (TtiEngine) engine = engine_new ();
  static const struct { const char *behaviour, *message; } cases[] = {
    { "refuse", "cannot start the onlooker: this file is not mine" },
    { "silent", "cannot start the onlooker: it has ended with status 3" },
    { "late", "cannot start the onlooker: it was not ready within 5 s" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (start_onlooker (engine, file, cases[i].behaviour, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }
  for (gint64 limit = LIMIT; tti_engine_is_watched (engine);)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  g_assert_cmpint (g_unlink (file), ==, 0);
}

/* The engine's process is killed: the companion writes down what was there, and ends. */
static void
test_master_killed (void)
{
  g_autofree char *file = g_build_filename (folder, "survivor", NULL);
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (GError) error = NULL;
  int status = 0;
  char *argv[] = { self, (char *) "--master", file, NULL };

  g_assert_true (g_spawn_sync (NULL, argv, NULL, 0, NULL, NULL, NULL, NULL, &status, &error));
  g_assert_no_error (error);
  for (gint64 limit = LIMIT;;)
    {
      g_autofree char *text = contents (file);

      if (g_str_has_suffix (text, "finished\n"))
        {
          g_assert_nonnull (strstr (text, "ended done\n"));
          g_assert_null (strstr (text, "note end\n"));
          break;
        }
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  g_assert_cmpint (g_unlink (file), ==, 0);
}

static int
run_master (const char *file)
{
  g_autoptr (GError) error = NULL;
  TtiEngine *engine = engine_new ();

  g_assert_true (start_onlooker (engine, file, "", &error));
  TtiPool *pool = pool_in (engine, 1);
  TtiTask *task = submit (pool, task_new ("one"));

  g_assert_true (tti_task_wait (task, LIMIT));
  return kill (getpid (), SIGKILL);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--master") == 0)
    return run_master (argv[2]);
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("tutti-looking-XXXXXX", NULL);
  g_setenv ("XDG_RUNTIME_DIR", folder, TRUE);
  g_test_add_func ("/looking/snapshot", test_snapshot);
  g_test_add_func ("/looking/life-of-a-task", test_life_of_a_task);
  g_test_add_func ("/looking/asked", test_asked);
  g_test_add_func ("/looking/end", test_end);
  g_test_add_func ("/looking/kept", test_kept);
  g_test_add_func ("/looking/many", test_many);
  g_test_add_func ("/looking/left-over", test_left_over);
  g_test_add_func ("/looking/open-to-others", test_open_to_others);
  g_test_add_func ("/looking/companion", test_companion);
  g_test_add_func ("/looking/companion-killed", test_companion_killed);
  g_test_add_func ("/looking/companion-forgetful", test_companion_forgetful);
  g_test_add_func ("/looking/companion-refuses", test_companion_refuses);
  g_test_add_func ("/looking/master-killed", test_master_killed);
  int status = g_test_run ();
  g_autofree char *doors = g_build_filename (folder, "tutti", NULL);

  (void) g_rmdir (doors);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
  return status;
}
