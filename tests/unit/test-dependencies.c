/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tasks that wait for others: which vectors they borrow, which failure they report, and chains longer than any stack. */
#include "pool-fixture.h"
#include "pool/held.h"

enum { LONG = 400 * 1000 };

/* A task whose request is the value of its only dependency, or NULL. */
static TtiTask *
follower_new (TtiTask *dependency)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_embedded (writer, 0);
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  TtiTask *task = tti_task_new (TTI_HANDLER_ECHO, payload);

  tti_task_add_dependency (task, dependency);
  return task;
}

/* The last of a chain of LONG tasks behind FIRST; only the chain refers to the others. */
static TtiTask *
submit_chain (TtiPool *pool, TtiTask *first)
{
  TtiTask *last = tti_task_ref (first);

  for (guint i = 0; i < LONG; i++)
    {
      TtiTask *next = submit (pool, follower_new (last));

      tti_task_unref (last);
      last = next;
    }
  return last;
}

/* If the first ends without a value, all end, and name the first. */
static void
test_long_chain (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiTask) busy = submit (pool, task_new ("hang")), queued = submit (pool, task_new ("never begun"));
  g_autoptr (TtiTask) last = submit_chain (pool, queued);

  tti_task_cancel (queued);
  g_assert_error (tti_task_get_error (last), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
  g_assert_true (tti_task_get_culprit (last) == queued);
  tti_task_cancel (busy);
  assert_echo (pool, "going on");

  g_autoptr (TtiTask) again = submit (pool, task_new ("hang"));
  g_autoptr (TtiTask) open = submit_chain (pool, again);
  tti_pool_close (pool, 1000);
  g_assert_error (tti_task_get_error (open), TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  for (gint64 limit = LIMIT; !tti_pool_is_quiet (pool) && g_get_monotonic_time () < limit;)
    g_usleep (1000);
  pool_end (pool);
}

/* Tasks that are never submitted are freed with the last of them. */
static void
test_long_chain_dropped (void)
{
  TtiTask *last = task_new ("first");

  for (guint i = 0; i < LONG; i++)
    {
      TtiTask *next = follower_new (last);

      tti_task_unref (last);
      last = next;
    }
  tti_task_unref (last);
}

/* Objects that need one another: in a long chain, and with exponentially many paths to the last one. */
static void
test_needs (void)
{
  enum { LEVELS = 200 };
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiPayload) payload = text_payload ("held", NULL);
  g_autoptr (TtiTask) busy = submit (pool, task_new ("hang")), chained = task_new ("fine"), woven = task_new ("fine");
  TtiHeld *last = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &payload, 1);
  TtiHeld *pair[2] = { tti_held_ref (last), tti_held_ref (last) };

  for (guint i = 0; i < LONG; i++)
    {
      TtiHeld *next = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &payload, 1);

      tti_held_add_need (next, last);
      tti_held_unref (last);
      last = next;
    }
  tti_task_add_held (chained, last);
  tti_held_unref (last);
  submit (pool, chained);
  tti_task_cancel (chained);
  tti_task_cancel (busy);

  for (guint i = 0; i < LEVELS; i++)
    {
      TtiHeld *next[2];

      for (guint k = 0; k < 2; k++)
        {
          next[k] = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &payload, 1);
          tti_held_add_need (next[k], pair[0]);
          tti_held_add_need (next[k], pair[1]);
        }
      tti_held_unref (pair[0]);
      tti_held_unref (pair[1]);
      pair[0] = next[0];
      pair[1] = next[1];
    }
  tti_task_add_held (woven, pair[0]);
  tti_held_unref (pair[0]);
  tti_held_unref (pair[1]);
  submit (pool, woven);
  g_assert_true (tti_task_wait (woven, LIMIT));
  g_assert_cmpint (tti_task_get_state (woven), ==, TTI_TASK_DONE);
  pool_end (pool);
}

static TtiVector *
value_of (TtiTask *task)
{
  TtiTravel travel;

  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_no_error (tti_task_get_error (task));
  return tti_payload_get_vector (tti_task_get_result (task), 0, &travel);
}

/* The vectors that a dependency returned are borrowed until all tasks that can see them have ended, however the vectors travelled
 * and however the tasks end. */
static void
test_borrowed (gconstpointer data)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (TtiTask) busy = task_new ("hang"), first = task_new (data);
  tti_task_set_worker (busy, 0);
  tti_task_set_worker (first, 1);
  submit (pool, busy);
  submit (pool, first);
  g_autoptr (TtiTask) early = follower_new (first), late = follower_new (first), third = follower_new (first);

  tti_task_add_dependency (early, first); /* twice */
  tti_task_add_dependency (early, busy);
  submit (pool, early);
  TtiVector *vector = value_of (first);
  g_assert_true (tti_vector_is_borrowed (vector));
  tti_task_add_dependency (late, busy);
  submit (pool, late);
  g_assert_cmpint (tti_task_get_state (late), ==, TTI_TASK_WAITING);
  tti_task_cancel (early);
  g_assert_true (tti_vector_is_borrowed (vector));
  tti_task_cancel (busy);
  g_assert_error (tti_task_get_error (late), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
  g_assert_false (tti_vector_is_borrowed (vector));
  submit (pool, third);
  g_assert_true (tti_task_wait (third, LIMIT));
  g_assert_false (tti_vector_is_borrowed (vector));
  pool_end (pool);
}

/* A task that has already ended when its dependency ends does not borrow the value. */
static void
test_cancelled_before (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiTask) nap = submit (pool, task_new ("nap 50")), first = submit (pool, task_new ("vector shared"));
  g_autoptr (TtiTask) second = submit (pool, follower_new (first));

  tti_task_cancel (second);
  g_assert_false (tti_vector_is_borrowed (value_of (first)));
  g_assert_null (tti_task_get_culprit (second));
  pool_end (pool);
}

/* All tasks that depend on the one that failed name it, with its worker and attempt. */
static void
test_culprit (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiTask) bad = task_new ("exit 3");
  tti_task_set_retries (bad, 1);
  submit (pool, bad);
  g_autoptr (TtiTask) second = submit (pool, follower_new (bad)), third = submit (pool, follower_new (second));

  g_assert_true (tti_task_wait (third, LIMIT) && tti_task_wait (second, LIMIT));
  g_autoptr (TtiTask) late = submit (pool, follower_new (third));
  g_assert_true (tti_task_has_ended (late));
  TtiTask *const all[] = { second, third, late };
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      g_assert_true (tti_task_get_culprit (all[i]) == bad);
      g_assert_error (tti_task_get_error (all[i]), TUTTI_ERROR, TUTTI_ERROR_DIED);
    }
  g_assert_null (tti_task_get_culprit (bad));
  g_assert_cmpint (tti_task_get_worker (bad), ==, 0);
  g_assert_cmpuint (tti_task_get_attempts (bad), ==, 2);
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dependencies/long-chain", test_long_chain);
  g_test_add_func ("/dependencies/long-chain-dropped", test_long_chain_dropped);
  g_test_add_func ("/dependencies/needs", test_needs);
  g_test_add_data_func ("/dependencies/borrowed", "vector shared", test_borrowed);
  g_test_add_data_func ("/dependencies/borrowed-copy", "vector copy", test_borrowed);
  g_test_add_func ("/dependencies/cancelled-before", test_cancelled_before);
  g_test_add_func ("/dependencies/culprit", test_culprit);
  return g_test_run ();
}
