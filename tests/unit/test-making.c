/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An object that several tasks need is made once on each worker, and fails or is given up for all of them together. */
#include "pool-fixture.h"
#include "pool/held.h"

enum { WAITING = 4 };

static TtiHeld *
made_new (const char *text)
{
  g_autoptr (TtiPayload) request = text_payload (text, NULL);

  return tti_held_new (tti_held_next_id (), TTI_HELD_MADE, &request, 1);
}

/* A task for worker 0 that needs HELD, and OTHER if there is one. */
static TtiTask *
submit_with (TtiPool *pool, const char *text, TtiHeld *held, TtiHeld *other)
{
  TtiTask *task = task_new (text);

  tti_task_add_held (task, held);
  if (other != NULL)
    tti_task_add_held (task, other);
  tti_task_set_worker (task, 0);
  return submit (pool, task);
}

static void
wait_until_waiting (TtiTask *task)
{
  gint64 limit = LIMIT;

  while (tti_task_get_state (task) != TTI_TASK_WAITING && g_get_monotonic_time () < limit)
    g_thread_yield ();
  g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_WAITING);
}

static void
unref_all (TtiTask **tasks)
{
  for (guint i = 0; i < WAITING; i++)
    tti_task_unref (tasks[i]);
}

static void
assert_lines (TtiPool *pool, int wakeup, const char *const *lines)
{
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *line = take_line (pool, wakeup);

      g_assert_cmpstr (line, ==, lines[i]);
    }
}

/* The worker is killed while tasks queue that need two objects, one of which needs the other: each is made once more, and the tasks
 * run in their order. QUICK: after many tiny tasks before, the pool sends the new worker many at once. */
static void
test_once (gconstpointer quick)
{
  static const char *const expected[] = { "first", "second", "0", "first", "second", "0", "1", "2", "3", "end", NULL };
  TtiPool *pool = pool_new (1);
  tti_autofd int wakeup = tti_fd_open_wakeup (NULL);
  TtiHeld *first = made_new ("say first"), *second = made_new ("say second");
  TtiTask *tasks[WAITING];
  static const char *const texts[WAITING] = { "say 0", "say 1", "say 2", "say 3" };

  tti_held_add_need (second, first);
  tti_pool_add_wakeup (pool, wakeup);
  g_autoptr (TtiTask) before = submit_with (pool, "say 0", second, first);
  g_assert_true (tti_task_wait (before, LIMIT));
  g_autoptr (TtiTask) fatal = task_new ("exit 1");
  tti_task_set_retries (fatal, 0);
  submit (pool, fatal);
  for (guint i = 0; GPOINTER_TO_INT (quick) && i < 100; i++)
    assert_echo (pool, "tiny");
  for (guint i = 0; i < WAITING; i++)
    tasks[i] = submit_with (pool, texts[i], second, i % 2 == 0 ? first : NULL);
  for (guint i = 0; i < WAITING; i++)
    {
      g_assert_true (tti_task_wait (tasks[i], LIMIT));
      g_assert_cmpint (tti_task_get_state (tasks[i]), ==, TTI_TASK_DONE);
    }
  assert_echo (pool, "say end");
  assert_lines (pool, wakeup, expected);
  unref_all (tasks);
  tti_held_unref (first);
  tti_held_unref (second);
  tti_pool_remove_wakeup (pool, wakeup);
  pool_end (pool);
}

/* It cannot be made: all tasks that wait for it fail in the same way, also those that would need something else first. The next
 * task tries again. */
static void
test_failure (void)
{
  TtiPool *pool = pool_new (2);
  TtiHeld *bad = made_new ("raise"), *good = made_new ("fine"), *around = made_new ("never made");
  g_autoptr (TtiTask) nap = task_new ("nap 200"), other = NULL;
  TtiTask *tasks[WAITING];

  tti_held_add_need (around, bad);
  tti_task_set_worker (nap, 0);
  submit (pool, nap);
  tasks[0] = submit_with (pool, "fine", bad, NULL);
  tasks[1] = submit_with (pool, "fine", bad, good);
  tasks[2] = submit_with (pool, "fine", good, bad);
  tasks[3] = submit_with (pool, "fine", around, NULL);
  other = submit_with (pool, "fine", good, NULL);
  for (guint i = 0; i < WAITING; i++)
    {
      g_assert_true (tti_task_wait (tasks[i], LIMIT));
      g_assert_cmpint (tti_task_get_state (tasks[i]), ==, TTI_TASK_RAISED);
      g_assert_true (tti_task_is_maker (tti_task_get_culprit (tasks[i])));
      g_assert_true (tti_task_get_culprit (tasks[i]) == tti_task_get_culprit (tasks[0]));
    }
  g_assert_true (tti_task_wait (other, LIMIT));
  g_assert_cmpint (tti_task_get_state (other), ==, TTI_TASK_DONE);
  g_autoptr (TtiTask) again = submit_with (pool, "fine", bad, NULL);
  g_assert_true (tti_task_wait (again, LIMIT));
  g_assert_true (tti_task_get_culprit (again) != tti_task_get_culprit (tasks[0]));
  unref_all (tasks);
  tti_held_unref (bad);
  tti_held_unref (good);
  tti_held_unref (around);
  pool_end (pool);
}

/* A task that gives up waiting does not stop its making for others; the last one does, and stops the making of what it needs as
 * well. */
static void
test_cancelled (void)
{
  TtiPool *pool = pool_new (1);
  TtiHeld *slow = made_new ("hang"), *around = made_new ("never made");
  TtiTask *tasks[WAITING];
  TtiWorkerInfo before, after;

  tti_held_add_need (around, slow);
  for (guint i = 0; i < WAITING; i++)
    tasks[i] = submit_with (pool, "fine", i % 2 == 0 ? around : slow, NULL);
  wait_until_waiting (tasks[0]);
  tti_pool_get_worker (pool, 0, &before);
  for (guint i = 0; i < WAITING; i++)
    {
      tti_task_cancel (tasks[i]);
      g_assert_error (tti_task_get_error (tasks[i]), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
      g_assert_null (tti_task_get_culprit (tasks[i]));
      for (guint k = i + 1; k < WAITING; k++)
        g_assert_false (tti_task_has_ended (tasks[k]));
    }
  assert_echo (pool, "going on");
  tti_pool_get_worker (pool, 0, &after);
  g_assert_cmpuint (before.restarts + 1, ==, after.restarts);
  unref_all (tasks);
  tti_held_unref (slow);
  tti_held_unref (around);
  pool_end (pool);
}

/* A task for any worker that needs it waits for the worker that makes it, or runs where it was made. */
static void
test_anybody (void)
{
  TtiPool *pool = pool_new (2);
  TtiHeld *held = made_new ("nap 50");
  TtiTask *tasks[WAITING];

  for (guint i = 0; i < WAITING; i++)
    {
      tasks[i] = task_new ("fine");
      tti_task_add_held (tasks[i], held);
      submit (pool, tasks[i]);
    }
  for (guint i = 0; i < WAITING; i++)
    {
      g_assert_true (tti_task_wait (tasks[i], LIMIT));
      g_assert_cmpint (tti_task_get_state (tasks[i]), ==, TTI_TASK_DONE);
    }
  unref_all (tasks);
  tti_held_unref (held);
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/making/once", GINT_TO_POINTER (FALSE), test_once);
  g_test_add_data_func ("/making/once-among-quick-tasks", GINT_TO_POINTER (TRUE), test_once);
  g_test_add_func ("/making/failure", test_failure);
  g_test_add_func ("/making/cancelled", test_cancelled);
  g_test_add_func ("/making/anybody", test_anybody);
  return g_test_run ();
}
