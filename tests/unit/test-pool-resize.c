/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools that grow and shrink, with nothing to do and at work. */
#include "pool-fixture.h"
#include "pool/held.h"
#include <glib/gstdio.h>
#include <unistd.h>

static TtiWorkerInfo
worker_info (TtiPool *pool, guint index)
{
  TtiWorkerInfo info;

  tti_pool_get_worker (pool, index, &info);
  return info;
}

static void
await_state (TtiPool *pool, guint index, TtiWorkerState state)
{
  for (gint64 limit = LIMIT; worker_info (pool, index).state != state; g_usleep (1000))
    if (g_get_monotonic_time () > limit)
      g_error ("worker %u is %s, not %s", index, tti_worker_state_name (worker_info (pool, index).state), tti_worker_state_name (state));
}

static void
grow (TtiPool *pool, guint n)
{
  g_autoptr (GError) error = NULL;
  gboolean grown = tti_pool_grow (pool, n, &error);

  g_assert_no_error (error);
  g_assert_true (grown);
}

static void
shrink (TtiPool *pool, guint n)
{
  g_autoptr (GError) error = NULL;
  gboolean shrunk = tti_pool_shrink (pool, n, &error);

  g_assert_no_error (error);
  g_assert_true (shrunk);
}

static void
assert_done (TtiTask *task)
{
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_no_error (tti_task_get_error (task));
  g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_DONE);
}

static TtiTask *
pinned (const char *text, int worker)
{
  TtiTask *task = task_new (text);

  tti_task_set_worker (task, worker);
  return task;
}

/* TASK is done, with TEXT for its value. */
static void
assert_says (TtiTask *task, const char *text)
{
  g_autoptr (TtiPayload) expected = text_payload (text, NULL);

  assert_done (task);
  g_assert_true (tti_payload_is_equal (tti_task_get_result (task), expected));
}

/* A folder with a file that is not there yet. */
typedef struct
{
  char *folder, *file, *text; /* "await FILE" */
} Gate;

static void
gate_init (Gate *gate)
{
  gate->folder = g_dir_make_tmp ("tutti-resize-XXXXXX", NULL);
  gate->file = g_build_filename (gate->folder, "go", NULL);
  gate->text = g_strdup_printf ("await %s", gate->file);
}

static void
gate_open (Gate *gate)
{
  g_assert_true (g_file_set_contents (gate->file, "", 0, NULL));
}

static void
gate_clear (Gate *gate)
{
  g_unlink (gate->file);
  g_assert_cmpint (g_rmdir (gate->folder), ==, 0);
  g_free (gate->text);
  g_free (gate->file);
  g_free (gate->folder);
}

/* --- sizes ------------------------------------------------------------------------------------------------------------------- */

static void
test_sizes (void)
{
  TtiPool *pool = pool_new (1);

  for (guint round = 0; round < 3; round++)
    {
      grow (pool, 2);
      g_assert_cmpuint (tti_pool_get_size (pool), ==, 3);
      for (int worker = 0; worker < 3; worker++)
        {
          g_autoptr (TtiTask) task = submit (pool, pinned ("where", worker));
          g_autofree char *expected = g_strdup_printf ("place -1, worker %d", worker);

          assert_says (task, expected);
          g_assert_cmpint (tti_task_get_worker (task), ==, worker);
        }
      shrink (pool, 2);
      g_assert_cmpuint (tti_pool_get_size (pool), ==, 1);
      assert_echo (pool, "smaller");
      /* In the second round they may be just ending when the pool grows again. */
      for (guint worker = 1; round != 0 && worker < 3; worker++)
        await_state (pool, worker, TTI_WORKER_DEAD);
    }
  pool_end (pool);
}

static void
assert_refused (gboolean done, GError **error, const char *words)
{
  g_assert_false (done);
  g_assert_error (*error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  if (strstr ((*error)->message, words) == NULL)
    g_error ("'%s' does not say '%s'", (*error)->message, words);
  g_clear_error (error);
}

static void
test_refused (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (GError) error = NULL;

  assert_refused (tti_pool_shrink (pool, 2, &error), &error, "at least one worker: test pool, which has 2, cannot have 2 less");
  assert_refused (tti_pool_shrink (pool, 0, &error), &error, "cannot have 0 less");
  assert_refused (tti_pool_shrink (pool, G_MAXUINT, &error), &error, "at least one");
  assert_refused (tti_pool_grow (pool, 0, &error), &error, "cannot have 0 more");
  assert_refused (tti_pool_grow (pool, TTI_POOL_MAX_SIZE - 1, &error), &error, "a pool has 1 to 4096 workers");
  assert_refused (tti_pool_grow (pool, G_MAXUINT, &error), &error, "a pool has 1 to 4096 workers");
  g_autoptr (TtiTask) nowhere = pinned ("nowhere", 2);

  assert_refused (tti_pool_submit (pool, nowhere, &error), &error, "has workers 0 to 1, not 2");
  pool_close (pool, 1000);
  g_assert_false (tti_pool_grow (pool, 1, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (tti_pool_shrink (pool, 1, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  tti_pool_unref (pool);
}

/* A program that is not there any more: the pool stays as it was, and works. */
static void
test_failing_to_grow (void)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-resize-XXXXXX", NULL), *program = g_build_filename (folder, "worker", NULL);
  g_autofree char *rogue = helper ("rogue-worker"), *moved = g_build_filename (folder, "moved", NULL);
  g_auto (GStrv) environment = g_get_environ ();
  const TtiPoolOptions options = { .name = "test pool", .program = program, .environment = (const char *const *) environment };
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEngine) engine = tti_engine_get_default (&error);

  g_assert_cmpint (symlink (rogue, program), ==, 0);
  TtiPool *pool = tti_pool_new (engine, 1, &options, &error);

  g_assert_no_error (error);
  g_assert_cmpint (g_rename (program, moved), ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_false (tti_pool_grow (pool, 2, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
      g_assert_nonnull (strstr (error->message, program));
      g_clear_error (&error);
      g_assert_cmpuint (tti_pool_get_size (pool), ==, 1);
      assert_echo (pool, "as it was");
    }
  g_assert_cmpint (g_rename (moved, program), ==, 0);
  grow (pool, 2);
  g_autoptr (TtiTask) task = submit (pool, pinned ("there", 2));

  assert_done (task);
  /* What the first of them failed of is told before the others have: that is nothing to the next. */
  for (guint i = 0; i < 20; i++)
    {
      shrink (pool, 2);
      for (guint worker = 1; worker < 3; worker++)
        await_state (pool, worker, TTI_WORKER_DEAD);
      g_assert_cmpint (g_rename (program, moved), ==, 0);
      g_assert_false (tti_pool_grow (pool, 2, &error));
      g_clear_error (&error);
      g_assert_cmpint (g_rename (moved, program), ==, 0);
      grow (pool, 2);
    }
  pool_end (pool);
  g_unlink (program);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

/* It need not be waited for, and whatever comes meanwhile is its end. */
static void
test_growing (void)
{
  g_autoptr (GError) error = NULL;

  for (guint what = 0; what < 4; what++)
    {
      TtiPool *pool = pool_new (2);

      g_assert_cmpint (tti_pool_get_growth (pool, &error), ==, TTI_GROWTH_DONE);
      g_assert_true (tti_pool_begin_growth (pool, 3, &error));
      gboolean going_on = tti_pool_get_growth (pool, &error) == TTI_GROWTH_GOING_ON;

      if (what == 0 && going_on)
        assert_refused (tti_pool_begin_growth (pool, 1, &error), &error, "grows already, from 2 to 5 workers");
      else if (what == 1)
        tti_pool_cancel_growth (pool);
      else if (what == 2)
        shrink (pool, 2);
      else if (what == 3)
        pool_close (pool, 1000);
      for (gint64 limit = LIMIT; tti_pool_get_growth (pool, what == 0 ? &error : NULL) == TTI_GROWTH_GOING_ON; g_usleep (1000))
        g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_assert_no_error (error);
      if (going_on)
        g_assert_cmpuint (tti_pool_get_size (pool), ==, what == 0 ? 5 : what == 2 ? 3 : 2);
      if (what != 3)
        assert_echo (pool, "going on");
      pool_end (pool);
    }
}

/* --- tasks ------------------------------------------------------------------------------------------------------------------- */

/* Who is one too many does what it runs and what was pinned to it before; others do the rest. */
static void
test_drained (void)
{
  TtiPool *pool = pool_new (3);
  Gate gate;

  gate_init (&gate);
  g_autoptr (TtiTask) running = submit (pool, pinned (gate.text, 2)), behind = submit (pool, pinned ("where", 2));

  await_state (pool, 2, TTI_WORKER_BUSY);
  shrink (pool, 2);
  await_state (pool, 1, TTI_WORKER_DEAD);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (TtiTask) any = run_text (pool, "any");

      g_assert_cmpint (tti_task_get_worker (any), ==, 0);
    }
  g_autoptr (TtiTask) late = submit (pool, pinned ("where", 2));

  assert_says (late, "place 2, worker 0");
  g_assert_false (tti_task_has_ended (running));
  gate_open (&gate);
  assert_done (running);
  assert_says (behind, "place -1, worker 2");
  g_assert_cmpint (tti_task_get_worker (behind), ==, 2);
  await_state (pool, 2, TTI_WORKER_DEAD);
  assert_echo (pool, "going on");
  gate_clear (&gate);
  pool_end (pool);
}

/* It does not even begin an older task that any worker may run. */
static void
test_nothing_new (void)
{
  TtiPool *pool = pool_new (2);
  Gate first, second;

  gate_init (&first);
  gate_init (&second);
  g_autoptr (TtiTask) stays = submit (pool, pinned (first.text, 0)), goes = submit (pool, pinned (second.text, 1));

  await_state (pool, 0, TTI_WORKER_BUSY);
  await_state (pool, 1, TTI_WORKER_BUSY);
  g_autoptr (TtiTask) any = submit (pool, task_new ("any")), own = submit (pool, pinned ("own", 1));

  shrink (pool, 1);
  gate_open (&second);
  assert_done (goes);
  assert_done (own);
  await_state (pool, 1, TTI_WORKER_DEAD);
  g_assert_false (tti_task_has_ended (any));
  gate_open (&first);
  assert_done (stays);
  assert_done (any);
  g_assert_cmpint (tti_task_get_worker (any), ==, 0);
  gate_clear (&first);
  gate_clear (&second);
  pool_end (pool);
}

/* It grows again before that: then it goes on with all. */
static void
test_taken_back (void)
{
  TtiPool *pool = pool_new (2);
  Gate gate;

  gate_init (&gate);
  g_autoptr (TtiTask) running = submit (pool, pinned (gate.text, 1));

  await_state (pool, 1, TTI_WORKER_BUSY);
  const int pid = worker_info (pool, 1).pid;

  shrink (pool, 1);
  grow (pool, 2);
  gate_open (&gate);
  assert_done (running);
  g_autoptr (TtiTask) after = submit (pool, pinned ("where", 1)), last = submit (pool, pinned ("where", 2));

  assert_says (after, "place -1, worker 1");
  assert_says (last, "place -1, worker 2");
  g_assert_cmpint (worker_info (pool, 1).pid, ==, pid);
  gate_clear (&gate);
  pool_end (pool);
}

/* What has not begun goes to others at once, also if it was with the worker. */
static void
test_handed_over (void)
{
  enum { N = 40 };
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  TtiPool *pool = pool_new (1);
  Gate gate;

  gate_init (&gate);
  for (guint i = 0; i < 300; i++)
    assert_echo (pool, "short");
  grow (pool, 1);
  /* The second worker has one that is long, and its share of those that look short. */
  g_autoptr (TtiTask) running = submit (pool, pinned (gate.text, 1));

  for (guint i = 0; i < N; i++)
    g_ptr_array_add (tasks, submit (pool, task_new ("short")));
  shrink (pool, 1);
  for (guint i = 0; i < N; i++)
    assert_done (g_ptr_array_index (tasks, i));
  g_assert_false (tti_task_has_ended (running));
  gate_open (&gate);
  assert_done (running);
  gate_clear (&gate);
  pool_end (pool);
}

/* One that dies of what was pinned to it is replaced until that is done, and not after. */
static void
test_dying (void)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-resize-XXXXXX", NULL), *mark = g_build_filename (folder, "mark", NULL);
  g_autofree char *text = g_strdup_printf ("once %s", mark);
  TtiPool *pool = pool_new (2);
  Gate gate;

  gate_init (&gate);
  g_autoptr (TtiTask) first = submit (pool, pinned (gate.text, 1)), deadly = submit (pool, pinned (text, 1));
  g_autoptr (TtiTask) cancelled = submit (pool, pinned ("hang", 1));

  await_state (pool, 1, TTI_WORKER_BUSY);
  shrink (pool, 1);
  tti_task_cancel (cancelled);
  gate_open (&gate);
  assert_done (first);
  assert_done (deadly);
  g_assert_cmpuint (tti_task_get_attempts (deadly), ==, 2);
  g_assert_cmpint (tti_task_get_worker (deadly), ==, 1);
  await_state (pool, 1, TTI_WORKER_DEAD);
  g_assert_cmpuint (worker_info (pool, 1).restarts, ==, 1);
  assert_echo (pool, "going on");
  g_unlink (mark);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  gate_clear (&gate);
  pool_end (pool);
}

/* Tasks that waited for others when their worker went are done in its place. */
static void
test_waiting (void)
{
  TtiPool *pool = pool_new (2);
  Gate gate;

  gate_init (&gate);
  g_autoptr (TtiTask) first = submit (pool, pinned (gate.text, 0)), second = pinned ("where", 1);

  tti_task_add_dependency (second, first);
  submit (pool, second);
  shrink (pool, 1);
  await_state (pool, 1, TTI_WORKER_DEAD);
  gate_open (&gate);
  assert_says (second, "place 1, worker 0");
  gate_clear (&gate);
  pool_end (pool);
}

static gpointer
resize (gpointer pool)
{
  guint32 state = 12345;

  for (guint i = 0; i < 60; i++)
    {
      state = state * 1103515245 + 12345;
      guint size = tti_pool_get_size (pool), wanted = 1 + (state >> 16) % 5;

      if (wanted > size)
        grow (pool, wanted - size);
      else if (wanted < size)
        shrink (pool, size - wanted);
      g_usleep (2000);
    }
  return NULL;
}

/* All that is submitted is done once, by whoever is there. */
static void
test_load (void)
{
  enum { N = 10000 };
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  TtiPool *pool = pool_new (3);
  GThread *thread = g_thread_new ("resizes", resize, pool);
  guint64 n_submitted;

  for (guint i = 0; i < N; i++)
    {
      g_autofree char *text = g_strdup_printf (i % 50 == 0 ? "nap %u" : "number %u", i % 50 == 0 ? 1 : i);
      TtiTask *task = i % 7 == 0 ? pinned (text, (int) i % 3) : task_new (text);

      tti_task_set_retries (task, 0);
      g_ptr_array_add (tasks, submit (pool, task));
    }
  for (guint i = 0; i < N; i++)
    {
      g_autofree char *text = g_strdup_printf (i % 50 == 0 ? "nap %u" : "number %u", i % 50 == 0 ? 1 : i);
      TtiTask *task = g_ptr_array_index (tasks, i);

      assert_says (task, text);
      g_assert_cmpuint (tti_task_get_attempts (task), ==, 1);
    }
  g_thread_join (thread);
  g_assert_cmpuint (tti_pool_get_n_ended (pool, &n_submitted), ==, N);
  g_assert_cmpuint (n_submitted, ==, N);
  pool_end (pool);
}

/* --- what workers hold ------------------------------------------------------------------------------------------------------- */

static void
run_with (TtiPool *pool, TtiHeld *held, int place, const char *expected)
{
  g_autoptr (TtiTask) task = pinned ("where", place);

  tti_task_add_held (task, held);
  assert_says (submit (pool, task), expected);
}

/* The next N lines, each how often it comes: two outputs have no order. */
static GHashTable *
take_lines (TtiPool *pool, int wakeup, guint n)
{
  GHashTable *lines = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < n; i++)
    {
      char *line = take_line (pool, wakeup);
      guint before = GPOINTER_TO_UINT (g_hash_table_lookup (lines, line));

      g_hash_table_replace (lines, line, GUINT_TO_POINTER (before + 1));
    }
  return lines;
}

static void
assert_times (GHashTable *lines, const char *line, guint n)
{
  if (GPOINTER_TO_UINT (g_hash_table_lookup (lines, line)) != n)
    g_error ("'%s' came %u times", line, GPOINTER_TO_UINT (g_hash_table_lookup (lines, line)));
}

/* Parts of those that have gone are with others, each in its place; they are forgotten all together. */
static void
test_parts (void)
{
  TtiPool *pool = pool_new (1);
  tti_autofd int wakeup = tti_fd_open_wakeup (NULL);
  g_autoptr (TtiPayload) a = text_payload ("a", NULL), b = text_payload ("bb", NULL), c = text_payload ("ccc", NULL);
  g_autoptr (TtiPayload) request = text_payload ("say made", NULL);
  TtiPayload *const payloads[] = { a, b, c };
  TtiHeld *parts = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, payloads, 3);
  TtiHeld *made = tti_held_new (tti_held_next_id (), TTI_HELD_MADE, &request, 1);
  guint64 id = tti_held_get_id (parts);

  tti_held_add_need (made, parts);
  grow (pool, 2);
  shrink (pool, 2);
  tti_pool_add_wakeup (pool, wakeup);
  for (guint round = 0; round < 2; round++) /* in the second all is there */
    for (int place = 0; place < 3; place++)
      {
        g_autofree char *expected = g_strdup_printf ("place %d, worker 0", place == 0 ? -1 : place);

        run_with (pool, made, place, expected);
      }
  g_autoptr (GHashTable) lines = take_lines (pool, wakeup, 6);

  assert_times (lines, "made", 3);
  for (guint64 place = 0; place < 3; place++)
    {
      guint64 key = id | (place == 0 ? 0 : place + 1) << 48;
      g_autofree char *hold = g_strdup_printf ("hold %" G_GUINT64_FORMAT " of %zu bytes", key,
                                               tti_payload_get_n_bytes (payloads[place]));

      assert_times (lines, hold, 1);
    }
  tti_held_unref (made);
  tti_held_unref (parts);
  assert_echo (pool, "going on");
  g_autoptr (GHashTable) drops = take_lines (pool, wakeup, 6);

  for (guint64 place = 0; place < 3; place++)
    {
      g_autofree char *drop = g_strdup_printf ("drop %" G_GUINT64_FORMAT, id | (place == 0 ? 0 : place + 1) << 48);

      assert_times (drops, drop, 1);
    }
  tti_pool_remove_wakeup (pool, wakeup);
  pool_end (pool);
}

/* A pool that has grown has workers without a part. */
static void
test_too_few_parts (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (TtiPayload) part = text_payload ("part", NULL);
  TtiPayload *const payloads[] = { part, part };
  g_autoptr (TtiHeld) held = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, payloads, 2);
  g_autoptr (GError) error = NULL;

  grow (pool, 1);
  run_with (pool, held, 1, "place -1, worker 1");
  g_autoptr (TtiTask) task = pinned ("where", 2);

  tti_task_add_held (task, held);
  assert_refused (tti_pool_submit (pool, task, &error), &error,
                  "a held object in 2 parts cannot be used in test pool, which has 3 workers");
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pool-resize/sizes", test_sizes);
  g_test_add_func ("/pool-resize/refused", test_refused);
  g_test_add_func ("/pool-resize/failing-to-grow", test_failing_to_grow);
  g_test_add_func ("/pool-resize/growing", test_growing);
  g_test_add_func ("/pool-resize/drained", test_drained);
  g_test_add_func ("/pool-resize/nothing-new", test_nothing_new);
  g_test_add_func ("/pool-resize/taken-back", test_taken_back);
  g_test_add_func ("/pool-resize/handed-over", test_handed_over);
  g_test_add_func ("/pool-resize/dying", test_dying);
  g_test_add_func ("/pool-resize/waiting", test_waiting);
  g_test_add_func ("/pool-resize/load", test_load);
  g_test_add_func ("/pool-resize/parts", test_parts);
  g_test_add_func ("/pool-resize/too-few-parts", test_too_few_parts);
  return g_test_run ();
}
