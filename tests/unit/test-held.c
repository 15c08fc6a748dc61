/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Objects that workers hold: sent once or made once, again after a replacement, and forgotten at the end. */
#include "pool-fixture.h"
#include "pool/held.h"
#include <glib/gstdio.h>

static void
test_held (void)
{
  TtiPool *pool = pool_new (1);
  tti_autofd int wakeup = tti_fd_open_wakeup (NULL);
  g_autoptr (TtiPayload) payload = text_payload ("what is held", NULL);
  TtiHeld *held = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &payload, 1);
  g_autofree char *hold = g_strdup_printf ("hold %" G_GUINT64_FORMAT " of %zu bytes", tti_held_get_id (held),
                                           tti_payload_get_n_bytes (payload));
  g_autofree char *drop = g_strdup_printf ("drop %" G_GUINT64_FORMAT, tti_held_get_id (held));

  tti_pool_add_wakeup (pool, wakeup);
  /* Sent once for two tasks, then again to the worker's replacement, which must forget it at the end. */
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (TtiTask) task = task_new (i < 2 ? "with" : "again");

      tti_task_add_held (task, held);
      submit (pool, task);
      g_assert_true (tti_task_wait (task, LIMIT));
      g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_DONE);
      if (i == 1)
        tti_task_unref (run_text (pool, "exit 1"));
    }
  tti_held_unref (held);
  g_autofree char *first = take_line (pool, wakeup), *second = take_line (pool, wakeup), *third = take_line (pool, wakeup);
  g_assert_cmpstr (first, ==, hold);
  g_assert_cmpstr (second, ==, hold);
  g_assert_cmpstr (third, ==, drop);
  tti_pool_remove_wakeup (pool, wakeup);
  pool_end (pool);
}

/* A worker makes it by executing TEXT. */
static TtiHeld *
made_new (const char *text)
{
  g_autoptr (TtiPayload) request = text_payload (text, NULL);

  return tti_held_new (tti_held_next_id (), TTI_HELD_MADE, &request, 1);
}

static TtiTask *
run_with (TtiPool *pool, const char *text, TtiHeld *held)
{
  TtiTask *task = task_new (text);

  tti_task_add_held (task, held);
  tti_task_set_worker (task, 0);
  submit (pool, task);
  g_assert_true (tti_task_wait (task, LIMIT));
  return task;
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

/* Made before the first task that needs it, in the order of needs; not for others, not twice; again after a replacement. */
static void
test_made (void)
{
  static const char *const expected[] = { "first", "second", "done", "done", "first", "second", "done", "end", NULL };
  TtiPool *pool = pool_new (1);
  tti_autofd int wakeup = tti_fd_open_wakeup (NULL);
  TtiHeld *first = made_new ("say first"), *second = made_new ("say second");

  tti_held_add_need (second, first);
  tti_pool_add_wakeup (pool, wakeup);
  assert_echo (pool, "nothing yet");
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (TtiTask) task = run_with (pool, "say done", second);

      g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_DONE);
      g_assert_cmpuint (tti_task_get_attempts (task), ==, 1);
      if (i == 1)
        tti_task_unref (run_text (pool, "exit 1"));
    }
  assert_echo (pool, "say end");
  assert_lines (pool, wakeup, expected);
  tti_held_unref (first);
  tti_held_unref (second);
  tti_pool_remove_wakeup (pool, wakeup);
  pool_end (pool);
}

/* If making it fails, the task that needs it fails; the pool is fine. */
static void
test_made_badly (void)
{
  TtiPool *pool = pool_new (2);
  TtiHeld *raising = made_new ("raise"), *dying = made_new ("exit 7"), *slow = made_new ("hang");
  g_autoptr (TtiTask) raised = run_with (pool, "fine", raising);
  tti_held_set_making (dying, 0, 1);
  g_autoptr (TtiTask) died = run_with (pool, "fine", dying);
  tti_held_set_making (slow, 100 * 1000, 1);
  g_autoptr (TtiTask) late = run_with (pool, "fine", slow);

  g_assert_cmpint (tti_task_get_state (raised), ==, TTI_TASK_RAISED);
  g_assert_cmpint (tti_task_get_worker (raised), ==, 0);
  g_assert_error (tti_task_get_error (died), TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_cmpint (tti_task_get_certificate (died)->status, ==, 7);
  g_assert_error (tti_task_get_error (late), TUTTI_ERROR, TUTTI_ERROR_TIMEOUT);
  tti_held_unref (raising);
  tti_held_unref (dying);
  tti_held_unref (slow);
  assert_echo (pool, "going on");
  pool_end (pool);
}

/* If a worker is killed while it makes something, its replacement makes it, and the task does not notice. */
static void
test_made_after_death (void)
{
  TtiPool *pool = pool_new (1);
  g_autofree char *directory = g_dir_make_tmp ("tutti-test-XXXXXX", NULL);
  g_autofree char *mark = g_build_filename (directory, "mark", NULL), *text = g_strconcat ("once ", mark, NULL);
  TtiHeld *held = made_new (text);
  g_autoptr (TtiTask) task = run_with (pool, "fine", held);

  g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_DONE);
  g_assert_cmpuint (tti_task_get_attempts (task), ==, 1);
  tti_held_unref (held);
  g_unlink (mark);
  g_rmdir (directory);
  pool_end (pool);
}

/* Cancelling the task that waits for it stops its making; so does closing the pool. */
static void
test_making_stopped (void)
{
  TtiPool *pool = pool_new (1);
  TtiHeld *held = made_new ("hang");

  for (int i = 0; i < 2; i++)
    {
      g_autoptr (TtiTask) task = task_new ("fine");

      tti_task_add_held (task, held);
      tti_task_set_worker (task, 0);
      submit (pool, task);
      /* The worker is busy with making it. */
      TtiWorkerInfo info;
      do
        {
          tti_pool_get_worker (pool, 0, &info);
          g_thread_yield ();
        }
      while (info.state != TTI_WORKER_BUSY);
      g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_WAITING);
      if (i == 0)
        {
          tti_task_cancel (task);
          g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
          assert_echo (pool, "the worker was replaced");
        }
      else
        {
          pool_end (pool);
          g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_CLOSED);
        }
    }
  tti_held_unref (held);
}

static void
test_parts (void)
{
  TtiPool *pool = pool_new (2), *other = pool_new (3);
  tti_autofd int wakeup = tti_fd_open_wakeup (NULL);
  g_autoptr (TtiPayload) one = text_payload ("one", NULL), three = text_payload ("three", NULL);
  TtiPayload *const parts[] = { one, three };
  TtiHeld *held = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, parts, 2);
  g_autoptr (TtiTask) misplaced = task_new ("fine");
  g_autoptr (GError) error = NULL;

  tti_pool_add_wakeup (pool, wakeup);
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (TtiTask) task = task_new ("fine");
      g_autofree char *expected = g_strdup_printf ("hold %" G_GUINT64_FORMAT " of %zu bytes", tti_held_get_id (held),
                                                   tti_payload_get_n_bytes (parts[i]));

      tti_task_add_held (task, held);
      tti_task_set_worker (task, i);
      submit (pool, task);
      g_assert_true (tti_task_wait (task, LIMIT));
      g_autofree char *line = take_line (pool, wakeup);
      g_assert_cmpstr (line, ==, expected);
    }
  tti_task_add_held (misplaced, held);
  g_assert_false (tti_pool_submit (other, misplaced, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "2 parts"));
  tti_held_unref (held);
  tti_pool_remove_wakeup (pool, wakeup);
  pool_end (pool);
  pool_end (other);
}

static void
test_equal (void)
{
  g_autoptr (TtiVector) ones = tti_vector_new (1 << 16, NULL), same = tti_vector_new (1 << 16, NULL);
  g_autoptr (TtiPayload) a = text_payload ("a", ones), b = text_payload ("a", same), c = text_payload ("c", ones);
  TtiHeld *first = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &a, 1);
  TtiHeld *second = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &b, 1);
  TtiHeld *third = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &c, 1);

  g_assert_true (tti_held_is_equal (first, second));
  g_assert_cmpuint (tti_held_hash (first), ==, tti_held_hash (second));
  g_assert_false (tti_held_is_equal (first, third));
  g_assert_cmpuint (tti_held_hash (first), !=, tti_held_hash (third));
  ((char *) tti_vector_get_data (same))[1000] = 1;
  g_assert_false (tti_held_is_equal (first, second));
  tti_held_unref (first);
  tti_held_unref (second);
  tti_held_unref (third);
}

/* A held vector is borrowed as long as a task that can see it has not ended. */
static void
test_borrowed (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiVector) vector = tti_vector_new (1 << 16, NULL);
  g_autoptr (TtiPayload) payload = text_payload ("held", vector);
  TtiHeld *held = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &payload, 1);
  g_autoptr (TtiTask) task = task_new ("hang");

  g_assert_false (tti_vector_is_borrowed (vector));
  tti_task_add_held (task, held);
  submit (pool, task);
  g_assert_true (tti_vector_is_borrowed (vector));
  tti_task_cancel (task);
  g_assert_false (tti_vector_is_borrowed (vector));
  tti_held_unref (held);
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/held/given", test_held);
  g_test_add_func ("/held/made", test_made);
  g_test_add_func ("/held/made-badly", test_made_badly);
  g_test_add_func ("/held/made-after-death", test_made_after_death);
  g_test_add_func ("/held/making-stopped", test_making_stopped);
  g_test_add_func ("/held/parts", test_parts);
  g_test_add_func ("/held/equal", test_equal);
  g_test_add_func ("/held/borrowed", test_borrowed);
  return g_test_run ();
}
