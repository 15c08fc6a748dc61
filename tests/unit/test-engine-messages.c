/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What people should be told goes to the function that the engine was given, and nowhere else. */
#include "pool-nodes-fixture.h"
#include "platform/lock.h"

typedef struct
{
  TtiEngine *engine;
  TtiLock lock;
  GCond changed;
  GString *text;     /* a line for each message */
  GThread *thread;   /* that called last */
} Told;

static void
tell (const char *message, gpointer data)
{
  Told *told = data;

  /* No lock of the engine's is held, nor one of its pools. */
  (void) tti_engine_get_n_ended (told->engine);
  tti_lock_take (&told->lock);
  g_string_append_printf (told->text, "%s\n", message);
  told->thread = g_thread_self ();
  g_cond_broadcast (&told->changed);
  tti_lock_release (&told->lock);
}

static void
told_init (Told *told, TtiEngine *engine)
{
  *told = (Told){ .engine = engine, .text = g_string_new (NULL) };
  g_cond_init (&told->changed);
  tti_engine_set_message_func (engine, tell, told);
}

static void
told_clear (Told *told)
{
  g_string_free (told->text, TRUE);
  g_cond_clear (&told->changed);
  tti_lock_clear (&told->lock);
}

/* Lose the node of FIXTURE with a worker that cannot be ended. */
static void
lose_worker (Fixture *fixture)
{
  g_autoptr (TtiTask) task = task_new ("hang");

  tti_task_set_most_losses (task, 0);
  submit (fixture->pool, task);
  await_state (fixture, 0, TTI_WORKER_BUSY);
  fake_node_lose (fixture->node, "somebody has pulled a plug");
  g_assert_true (tti_task_wait (task, LIMIT));
}

static void
test_given_up (void)
{
  const FakeNodeOptions keeps = { .keeps_workers = TRUE };
  gint64 limit = LIMIT;
  Fixture fixture;
  Told told;

  fixture_open_elsewhere (&fixture, &keeps, 1);
  told_init (&told, fixture.engine);
  lose_worker (&fixture);
  tti_lock_take (&told.lock);
  while (strstr (told.text->str, "cannot be ended") == NULL)
    g_assert_true (tti_lock_wait (&told.lock, &told.changed, limit));
  g_assert_true (g_str_has_prefix (told.text->str, "test pool: node fake is lost: somebody has pulled a plug (1 worker, at 1 task); "
                                                   "waiting for a node\n"));
  g_assert_nonnull (strstr (told.text->str, "\ntest pool: worker 0, "));
  g_assert_true (g_str_has_suffix (told.text->str, " cannot be ended; going on without it\n"));
  g_assert_null (strstr (told.text->str, "tutti"));
  g_assert_true (told.thread != g_thread_self ());
  tti_lock_release (&told.lock);
  fixture_close (&fixture);
  told_clear (&told);
}

/* Wait until TEXT was told. */
static void
await_told (Told *told, const char *text)
{
  gint64 limit = LIMIT;

  tti_lock_take (&told->lock);
  while (strstr (told->text->str, text) == NULL)
    if (!tti_lock_wait (&told->lock, &told->changed, limit))
      g_error ("'%s' was not told, but '%s'", text, told->text->str);
  g_string_truncate (told->text, 0);
  tti_lock_release (&told->lock);
}

/* What becomes of nodes is told once for each pool that has workers elsewhere. */
static void
test_nodes (void)
{
  const FakeNodeOptions away = { .fate = FAKE_STAYS_AWAY };
  Fixture fixture;
  Told told;

  fixture_open_two (&fixture, &away, 3);
  told_init (&told, fixture.engine);
  g_autoptr (TtiTask) first = submit (fixture.pool, waiting_task (&fixture, 0)), last = submit (fixture.pool, waiting_task (&fixture, 2));

  await_state (&fixture, 0, TTI_WORKER_BUSY);
  await_state (&fixture, 2, TTI_WORKER_BUSY);
  fake_node_lose (fixture.node, "a plug");
  await_told (&told, "test pool: node n1 is lost: a plug (2 workers, at 1 task); going on with n2\n");
  await_restart (&fixture, 0);
  await_restart (&fixture, 1);
  await_state (&fixture, 0, TTI_WORKER_BUSY);
  await_state (&fixture, 1, TTI_WORKER_IDLE);
  fake_node_come_back (fixture.node);
  await_told (&told, "test pool: node n1 is there again; 1 worker moves there\n");
  for (gint64 limit = LIMIT; g_strcmp0 (worker_info (&fixture, 1).host, "n1") != 0; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
  await_state (&fixture, 1, TTI_WORKER_IDLE);
  fake_node_drain (fixture.other, "its time is over");
  await_told (&told, "test pool: node n2 is draining: its time is over (2 workers, at 2 tasks); going on with n1\n");
  let_them_go (&fixture);
  assert_done (first);
  assert_done (last);
  g_assert_cmpstr (told.text->str, ==, "");
  /* Nor were deaths told that are no news. */
  TtiOutputRecord record = { .text = NULL };
  guint64 dropped;

  g_assert_false (tti_pool_take_output (fixture.pool, &record, &dropped));
  fixture_close (&fixture);
  told_clear (&told);
}

/* A pool with a worker that floods its output, of which a file has a part that nobody was told of: *REPORT is of the part before. */
static TtiPool *
flooded_pool (TtiEngine *engine, TtiSpillReport *report)
{
  g_autofree char *program = helper ("rogue-worker");
  g_auto (GStrv) environment = g_get_environ ();
  const TtiPoolOptions options = { .name = "test pool", .program = program, .environment = (const char *const *) environment,
                                     .keep_output = TRUE, .output_limit = 100 << 20 };
  g_autoptr (GError) error = NULL;
  TtiPool *pool = tti_pool_new (engine, 1, &options, &error);
  gint64 limit = LIMIT;
  GStatBuf before, now;

  g_assert_no_error (error);
  tti_task_unref (submit (pool, task_new ("flood output")));
  while (!tti_pool_take_spill (pool, report))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (100);
    }
  g_assert_cmpint (g_stat (report->file, &before), ==, 0);
  do
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (100);
      g_assert_cmpint (g_stat (report->file, &now), ==, 0);
    }
  while (now.st_size == before.st_size);
  return pool;
}

static void
report_end (TtiSpillReport *report)
{
  g_autofree char *folder = g_path_get_dirname (report->file);

  g_unlink (report->file);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  tti_spill_report_clear (report);
}

/* Lines that nobody has asked for are named at the end. What comes last is told before tti_engine_shutdown () returns. */
static void
test_last (void)
{
  g_autoptr (GError) error = NULL;
  TtiEngine *engine = tti_engine_new (&error);
  TtiSpillReport report = { 0 };
  Told told;

  g_assert_no_error (error);
  told_init (&told, engine);
  TtiPool *pool = flooded_pool (engine, &report);
  g_autofree char *expected = g_strdup_printf (" lines of worker 0 of test pool came faster than they could be shown: they are in %s\n",
                                               report.file);

  g_assert_cmpstr (told.text->str, ==, "");
  tti_engine_shutdown (engine);
  g_assert_true (g_str_has_suffix (told.text->str, expected));
  g_string_truncate (told.text, 0);
  tti_pool_unref (pool);
  tti_engine_unref (engine);
  g_assert_cmpstr (told.text->str, ==, "");
  report_end (&report);
  told_clear (&told);
}

/* Nobody wants to know: nothing is printed instead. */
static void
test_nobody (void)
{
  const FakeNodeOptions keeps = { .keeps_workers = TRUE };
  Fixture fixture;

  if (g_test_subprocess ())
    {
      fixture_open_elsewhere (&fixture, &keeps, 1);
      lose_worker (&fixture);
      fixture_close (&fixture);
      TtiSpillReport report = { 0 };
      TtiEngine *engine = tti_engine_new (NULL);
      TtiPool *pool = flooded_pool (engine, &report);

      tti_pool_unref (pool);
      tti_engine_unref (engine);
      report_end (&report);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("");
  g_test_trap_assert_stdout_unmatched ("*cannot be ended*");
  g_test_trap_assert_stdout_unmatched ("*faster*");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/messages/given-up", test_given_up);
  g_test_add_func ("/engine/messages/nodes", test_nodes);
  g_test_add_func ("/engine/messages/last", test_last);
  g_test_add_func ("/engine/messages/nobody", test_nobody);
  return g_test_run ();
}
