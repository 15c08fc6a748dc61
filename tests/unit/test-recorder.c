/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The recorder of a journal, whose engine this test plays: what is told it is in the file, once, however it ends meanwhile. */
#include "../support/fake-recorded.h"
#include "journal/database.h"
#include "journal/recorder.h"
#include "journal/schema.h"
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_S = 60 };

static void
show_snapshot (FakeEngine *engine, gboolean begins)
{
  fake_engine_show (engine, TTI_EVENT_SNAPSHOT, &(TtiLookSnapshot){ .begins = begins }, NULL, NULL);
  if (begins)
    fake_engine_show (engine, TTI_EVENT_NODE, &(TtiLookNode){ .is_here = 1 }, "here", NULL);
}

static void
show_note (FakeEngine *engine, const char *key, const char *value)
{
  fake_engine_show (engine, TTI_EVENT_NOTE, &(TtiLookNote){ 0 }, key, value);
}

static TtiRecording *
recording_new (FakeEngine *engine, int socket)
{
  g_autoptr (GError) error = NULL;
  TtiViewer *viewer = tti_viewer_new (socket, &error);

  g_assert_no_error (error);
  TtiRecording *recording = tti_recording_new (engine->file, viewer, &error);

  g_assert_no_error (error);
  return recording;
}

/* Record what is there, and end. */
static void
record (FakeEngine *engine)
{
  TtiRecording *recording = recording_new (engine, fake_engine_open (engine));

  close (engine->socket);
  tti_recording_run (recording);
  tti_recording_free (recording);
}

static void
check (FakeEngine *engine, const char *sql, const char *expected)
{
  g_autofree char *answer = fake_engine_ask (engine, sql);

  g_assert_cmpstr (answer, ==, expected);
}

/* "TASK-NAME" of each record of a block, by number. */
static char *
read_records (FakeEngine *engine)
{
  g_autoptr (GString) text = g_string_new (NULL);
  sqlite3 *sqlite = NULL;
  sqlite3_stmt *statement = NULL;

  g_assert_cmpint (sqlite3_open_v2 (engine->file, &sqlite, SQLITE_OPEN_READONLY, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_prepare_v2 (sqlite, "SELECT records FROM block ORDER BY first", -1, &statement, NULL), ==, SQLITE_OK);
  while (sqlite3_step (statement) == SQLITE_ROW)
    for (guint i = 0; i < (guint) sqlite3_column_bytes (statement, 0) / sizeof (TtiJournalRecord); i++)
      {
        TtiJournalRecord one;
        g_autofree char *sql = NULL, *name = NULL;

        memcpy (&one, (const char *) sqlite3_column_blob (statement, 0) + i * sizeof one, sizeof one);
        sql = g_strdup_printf ("SELECT name FROM name WHERE number = %d", one.name);
        name = fake_engine_ask (engine, sql);
        g_string_append_printf (text, "%s%d-%s", text->len > 0 ? " " : "", (int) one.task, name);
      }
  sqlite3_finalize (statement);
  sqlite3_close (sqlite);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* Record in another process, until SQL answers ANSWER; kill it then. */
static void
record_and_be_killed (FakeEngine *engine, const char *sql, const char *answer)
{
  int socket = fake_engine_open (engine);
  pid_t pid = fork ();

  if (pid == 0)
    {
      close (engine->socket);
      tti_recording_run (recording_new (engine, socket));
      _exit (1);
    }
  close (socket);
  for (gint64 limit = g_get_monotonic_time () + DEADLINE_S * G_USEC_PER_SEC;;)
    {
      g_autofree char *found = g_file_test (engine->file, G_FILE_TEST_EXISTS) ? fake_engine_ask (engine, sql) : NULL;

      if (g_strcmp0 (found, answer) == 0)
        break;
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  close (engine->socket);
}

/* --- cases ------------------------------------------------------------------------------------------------------------------- */

static void
test_killed (void)
{
  FakeEngine engine;

  fake_engine_begin (&engine, TTI_EVENT_RING_LEAST);
  show_snapshot (&engine, TRUE);
  show_snapshot (&engine, FALSE);
  fake_engine_show_success (&engine, 1, "first");
  fake_engine_show_success (&engine, 2, "second");
  fake_engine_show_submitted (&engine, 3, "third");
  fake_engine_show_started (&engine, 3, 1);
  fake_engine_show_submitted (&engine, 6, "sixth");
  /* What is in the file is there, though the block is small and young. */
  record_and_be_killed (&engine, "SELECT sum (n) FROM block", "2");
  fake_engine_show_success (&engine, 4, "fourth");
  fake_engine_show_ended (&engine, 3, 1, TTI_LOOK_RAISED);
  fake_engine_show_success (&engine, 5, "first");
  show_snapshot (&engine, TRUE); /* for the second, as the engine does */
  fake_engine_show_submitted (&engine, 6, "sixth");
  show_snapshot (&engine, FALSE);
  fake_engine_show_ended (&engine, 6, 0, TTI_LOOK_CANCELLED);
  show_note (&engine, "end", "the engine was shut down");
  record (&engine);
  g_autofree char *records = read_records (&engine);

  g_assert_cmpstr (records, ==, "1-first 2-second 4-fourth 5-first");
  check (&engine, "SELECT task, name, outcome, submitted < started, error FROM task",
         "3|third|raised|1|it went wrong 6|sixth|cancelled|-|it went wrong");
  check (&engine, "SELECT kind, lost FROM gap", "recorder|0");
  check (&engine, "SELECT count (*) FROM node", "1");
  check (&engine, "SELECT state FROM run", "ended");
  fake_engine_end (&engine);
}

/* What has ended while nobody could read is unknown, what is in the next snapshot runs. */
static void
test_dropped (void)
{
  FakeEngine engine;

  fake_engine_begin (&engine, TTI_EVENT_RING_LEAST);
  for (guint64 task = 1; task <= 3; task++)
    {
      fake_engine_show_submitted (&engine, task, "long");
      fake_engine_show_started (&engine, task, 1);
    }
  record_and_be_killed (&engine, "SELECT last_event FROM run", "6");
  fake_engine_show_ended (&engine, 1, 1, TTI_LOOK_RAISED);
  for (guint i = 0; i < 20000; i++)
    fake_engine_show (&engine, TTI_EVENT_TOLD, &(TtiLookTold){ 0 }, "what nobody has time to read", NULL);
  show_snapshot (&engine, TRUE);
  fake_engine_show_submitted (&engine, 2, "long");
  fake_engine_show_started (&engine, 2, 1);
  fake_engine_show_submitted (&engine, 4, "new");
  show_snapshot (&engine, FALSE);
  fake_engine_show_ended (&engine, 2, 1, TTI_LOOK_RAISED);
  record (&engine);
  check (&engine, "SELECT task, outcome, submitted IS NULL FROM task WHERE task IN (2, 4)", "2|raised|1 4|-|1");
  check (&engine, "SELECT kind, lost > 0 FROM gap ORDER BY kind", "dropped|1 recorder|0");
  check (&engine, "SELECT state FROM run", "lost");
  fake_engine_end (&engine);
}

/* The same where the recorder knew them: it was only too slow. */
static void
test_overtaken (void)
{
  FakeEngine engine;

  fake_engine_begin (&engine, TTI_EVENT_RING_LEAST);
  fake_engine_show_submitted (&engine, 1, "long");
  fake_engine_show_started (&engine, 1, 1);
  TtiRecording *recording = recording_new (&engine, fake_engine_open (&engine));
  pid_t pid = fork ();

  if (pid == 0)
    {
      /* Time enough for it to come to the end of what is there; then it is overtaken. */
      close (engine.socket);
      tti_recording_run (recording);
      tti_recording_free (recording);
      _exit (0);
    }
  gint64 limit = g_get_monotonic_time () + DEADLINE_S * G_USEC_PER_SEC;

  for (;;)
    {
      g_autofree char *found = fake_engine_ask (&engine, "SELECT last_event FROM run");

      if (g_strcmp0 (found, "2") == 0)
        break;
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  g_assert_cmpint (kill (pid, SIGSTOP), ==, 0);
  for (guint i = 0; i < 20000; i++)
    fake_engine_show (&engine, TTI_EVENT_TOLD, &(TtiLookTold){ 0 }, "what nobody has time to read", NULL);
  show_snapshot (&engine, TRUE);
  show_snapshot (&engine, FALSE);
  close (engine.socket);
  g_assert_cmpint (kill (pid, SIGCONT), ==, 0);
  int status = 0;

  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  tti_recording_free (recording);
  check (&engine, "SELECT task, outcome, ended FROM task", "1|unknown|-");
  check (&engine, "SELECT kind, lost > 0 FROM gap", "dropped|1");
  fake_engine_end (&engine);
}

static void
test_died (void)
{
  FakeEngine engine;
  const TtiLookDied died = { .pool = 1, .generation = 7, .task = 1, .worker = 2, .attempt = 1, .again = 1, .status = -1, .signal = 9 };

  fake_engine_begin (&engine, TTI_EVENT_RING_LEAST);
  fake_engine_show_submitted (&engine, 1, "a");
  fake_engine_show_started (&engine, 1, 1);
  fake_engine_show_submitted (&engine, 1, "a"); /* it is given back before the certificate is there */
  fake_engine_show (&engine, TTI_EVENT_DIED, &died, "worker 2 was ended", "last words");
  fake_engine_show_started (&engine, 1, 2);
  fake_engine_show_ended (&engine, 1, 2, TTI_LOOK_DONE);
  record (&engine);
  check (&engine, "SELECT attempt, outcome, started > 0, started <= ended FROM attempt", "1|again|1|1 2|done|1|1");
  check (&engine, "SELECT task, text, stderr FROM certificate", "1|worker 2 was ended|last words");
  fake_engine_end (&engine);
}

static void
test_gaps (void)
{
  FakeEngine engine;
  static const TtiEventBytes bytes[] = { { "none", 4 } };

  fake_engine_begin (&engine, TTI_EVENT_RING_LEAST);
  for (guint i = 0; i < 150; i++)
    fake_engine_show (&engine, TTI_EVENT_OUTPUT, &(TtiLookOutput){ .pool = 1 }, "a line", NULL);
  fake_engine_show (&engine, TTI_EVENT_OUTPUT, &(TtiLookOutput){ .pool = 1, .is_error = 1 }, "an error", NULL);
  tti_event_ring_write (engine.ring, 99, 1, bytes, 1);
  fake_engine_show_success (&engine, 1, "unreadable");
  TtiRecording *recording = recording_new (&engine, fake_engine_open (&engine));

  /* It ends by itself. */
  tti_recording_run (recording);
  tti_recording_free (recording);
  close (engine.socket);
  check (&engine, "SELECT count (*), sum (error) FROM output", "101|1");
  check (&engine, "SELECT kind, lost, text IS NULL FROM gap ORDER BY kind", "broken|0|0 output|50|1");
  check (&engine, "SELECT state FROM run", "lost");
  fake_engine_end (&engine);
}

/* Several who make the same file at the same time: SQLite does not wait of itself when it changes to its log. */
static void
test_together (void)
{
  enum { ROUNDS = 20, RECORDERS = 8 };

  for (guint round = 0; round < ROUNDS; round++)
    {
      FakeEngine engine;
      pid_t pids[RECORDERS];
      int start[2];

      fake_engine_begin (&engine, TTI_EVENT_RING_LEAST);
      g_assert_cmpint (pipe (start), ==, 0);
      for (guint i = 0; i < RECORDERS; i++)
        if ((pids[i] = fork ()) == 0)
          {
            char byte;
            g_autoptr (GError) error = NULL;

            close (start[1]);
            (void) !read (start[0], &byte, 1);
            TtiDatabase *database = tti_database_open (engine.file, &error);

            if (database == NULL)
              g_printerr ("# %s\n", error->message);
            else
              tti_database_close (database);
            _exit (database == NULL);
          }
      close (start[0]);
      close (start[1]);
      for (guint i = 0; i < RECORDERS; i++)
        {
          int status = 0;

          g_assert_cmpint (waitpid (pids[i], &status, 0), ==, pids[i]);
          g_assert_cmpint (status, ==, 0);
        }
      fake_engine_end (&engine);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recorder/killed", test_killed);
  g_test_add_func ("/recorder/dropped", test_dropped);
  g_test_add_func ("/recorder/overtaken", test_overtaken);
  g_test_add_func ("/recorder/died", test_died);
  g_test_add_func ("/recorder/gaps", test_gaps);
  g_test_add_func ("/recorder/together", test_together);
  return g_test_run ();
}
