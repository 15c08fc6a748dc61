/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What tasks leave on a node elsewhere: it does not come, other workers there are given it, it is lost with its node alone, and it goes
 * when nobody refers to it. */
#include "cluster/agent-node.h"
#include "pool-nodes-fixture.h"
#include "support/agent-thread.h"
#include "transport/away.h"
#include <signal.h>

enum { LARGE = 200000, LEAST = 1000 * 1000, FEW = 100 * 1000 }; /* numbers; bytes; bytes */

/* Who is where: workers 0 and 1 here, 2 and 3 on one host, 4 on another. */
enum { HERE = 0, FIRST = 2, SECOND = 3, OTHER = 4, WORKERS = 5 };

static void
open_hosts (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  *fixture = (Fixture){ .engine = tti_engine_new (&error), .folder = g_dir_make_tmp ("tutti-stays-XXXXXX", NULL) };
  g_assert_no_error (error);
  fixture->file = g_build_filename (fixture->folder, "go", NULL);
  fixture->node = tti_engine_add_node (fixture->engine, agent_thread_node_new, NULL, &error);
  g_assert_no_error (error);
  fixture->other = tti_engine_add_node (fixture->engine, agent_thread_node_new, NULL, &error);
  g_assert_no_error (error);
  TtiNode *const nodes[] = { NULL, fixture->node, fixture->other };

  fixture->pool = pool_on (fixture->engine, nodes, G_N_ELEMENTS (nodes), WORKERS, &error);
  g_assert_no_error (error);
}

/* The task TEXT with VECTOR for WORKER, whose value may leave what has LEAST bytes. */
static TtiTask *
run (Fixture *fixture, int worker, const char *text, TtiVector *vector, guint64 least)
{
  g_autoptr (TtiPayload) payload = text_payload (text, vector);
  TtiTask *task = tti_task_new (TTI_HANDLER_ECHO, payload);

  tti_task_set_worker (task, worker);
  tti_task_set_stays (task, least);
  submit (fixture->pool, task);
  g_assert_true (tti_task_wait (task, LIMIT));
  return task;
}

static TtiVector *
value_of (TtiTask *task)
{
  assert_done (task);
  g_assert_cmpuint (tti_payload_get_n_vectors (tti_task_get_result (task)), ==, 1);
  return tti_payload_get_vector (tti_task_get_result (task), 0, NULL);
}

/* WORKER leaves VECTOR. */
static TtiVector *
leave (Fixture *fixture, int worker, TtiVector *vector)
{
  g_autoptr (TtiTask) task = run (fixture, worker, "mirror", vector, LEAST);
  TtiVector *left = value_of (task);

  g_assert_nonnull (tti_vector_get_home (left, NULL));
  g_assert_cmpuint (tti_vector_get_size (left), ==, tti_vector_get_size (vector));
  g_assert_false (tti_vector_is_writable (left));
  return tti_vector_ref (left);
}

static void
assert_equal (TtiVector *one, TtiVector *other)
{
  g_assert_null (tti_vector_get_home (one, NULL));
  g_assert_cmpmem (tti_vector_get_data (one), tti_vector_get_size (one), tti_vector_get_data (other), tti_vector_get_size (other));
}

static void
assert_refused (Fixture *fixture, int worker, TtiVector *left)
{
  g_autoptr (TtiTask) task = run (fixture, worker, "mirror", left, 0);

  assert_failed (task, TUTTI_ERROR_ARGUMENT, "left on another node");
}

/* --- what crosses -------------------------------------------------------------------------------------------------------------- */

/* A vector stays where it is, is given to both workers there, and comes once, when it is asked for. */
static void
test_once (void)
{
  g_autoptr (TtiVector) vector = vector_filled (LARGE, 0.5);
  Fixture fixture;

  open_hosts (&fixture);
  guint64 size = tti_vector_get_size (vector), before = agent_thread_get_answered (fixture.node);
  g_autoptr (TtiVector) left = leave (&fixture, FIRST, vector), again = leave (&fixture, SECOND, left);

  g_assert_cmpuint (agent_thread_get_answered (fixture.node) - before, <, FEW);
  g_assert_true (tti_vector_get_home (left, NULL) == tti_vector_get_home (again, NULL));
  g_autoptr (TtiTask) task = run (&fixture, FIRST, "mirror", again, 0);

  assert_equal (value_of (task), vector);
  g_assert_cmpuint (agent_thread_get_answered (fixture.node) - before, >, size);
  g_assert_cmpuint (agent_thread_get_answered (fixture.node) - before, <, size + FEW);
  fixture_close (&fixture);
}

/* Nothing stays that is shorter, describes an exception, is of a worker here, or of one that is alone. */
static void
test_others_come (void)
{
  g_autoptr (TtiVector) vector = vector_filled (LARGE, 0.5), small = vector_filled (LEAST / 8 - 1, 0.5);
  Fixture fixture;

  open_hosts (&fixture);
  g_autoptr (TtiTask) shorter = run (&fixture, FIRST, "mirror", small, LEAST), here = run (&fixture, HERE, "mirror", vector, LEAST);
  g_autoptr (TtiTask) alone = run (&fixture, OTHER, "mirror", vector, LEAST), raised = run (&fixture, FIRST, "raise mirror", vector, LEAST);

  assert_equal (value_of (shorter), small);
  assert_equal (value_of (here), vector);
  assert_equal (value_of (alone), vector);
  g_assert_cmpint (tti_task_get_state (raised), ==, TTI_TASK_RAISED);
  for (guint i = 0; i < tti_payload_get_n_vectors (tti_task_get_result (raised)); i++)
    g_assert_null (tti_vector_get_home (tti_payload_get_vector (tti_task_get_result (raised), i, NULL), NULL));
  fixture_close (&fixture);
}

/* --- where it cannot go -------------------------------------------------------------------------------------------------------- */

static void
test_elsewhere (void)
{
  g_autoptr (TtiVector) vector = vector_filled (LARGE, 0.5);
  Fixture fixture;

  open_hosts (&fixture);
  g_autoptr (TtiVector) left = leave (&fixture, FIRST, vector), slice = tti_vector_slice (left, 0, LEAST);

  assert_refused (&fixture, HERE, left);
  assert_refused (&fixture, OTHER, left);
  assert_refused (&fixture, SECOND, slice);
  g_autoptr (TtiTask) task = run (&fixture, SECOND, "mirror", left, 0);

  assert_equal (value_of (task), vector);
  for (guint i = 0; i < WORKERS; i++)
    g_assert_cmpuint (worker_info (&fixture, i).restarts, ==, 0);
  fixture_close (&fixture);
}

/* The worker that has made it may die, but not its node; one that comes back is another. */
static void
test_lost (void)
{
  g_autoptr (TtiVector) vector = vector_filled (LARGE, 0.5);
  Fixture fixture;

  open_hosts (&fixture);
  g_autoptr (TtiVector) left = leave (&fixture, FIRST, vector);
  g_autoptr (TtiTask) dying = task_new ("signal 9");

  tti_task_set_worker (dying, FIRST);
  tti_task_set_retries (dying, 0);
  assert_failed (submit (fixture.pool, dying), TUTTI_ERROR_DIED, "signal 9");
  await_restart (&fixture, FIRST);
  g_autoptr (TtiTask) task = run (&fixture, SECOND, "mirror", left, 0);

  assert_equal (value_of (task), vector);
  agent_thread_cut (fixture.node);
  await_restart (&fixture, SECOND);
  assert_refused (&fixture, FIRST, left);
  assert_refused (&fixture, SECOND, left);
  agent_thread_come_back (fixture.node);
  /* Workers move back to it. */
  for (gint64 limit = LIMIT; !tti_agent_node_is_there (fixture.node); g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
  for (int worker = 0; worker < WORKERS; worker++)
    assert_refused (&fixture, worker, left);
  fixture_close (&fixture);
}

/* --- how it ends --------------------------------------------------------------------------------------------------------------- */

static void
await_usage (gsize bytes)
{
  gsize used;

  for (gint64 limit = LIMIT; tti_vector_get_usage (&used, NULL), used > bytes; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
}

/* The agent is a thread of this process, whose vectors are counted with ours. */
static void
test_dropped (void)
{
  g_autoptr (TtiVector) vector = vector_filled (LARGE, 0.5);
  gsize size = tti_vector_get_size (vector), before, used;
  Fixture fixture;

  open_hosts (&fixture);
  /* What was sent there is kept for a while. */
  g_autoptr (TtiVector) left = leave (&fixture, FIRST, vector);

  tti_vector_get_usage (&before, NULL);
  for (guint round = 0; round < 3; round++)
    {
      g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);

      for (guint i = 0; i < 4; i++)
        g_ptr_array_add (all, leave (&fixture, i % 2 == 0 ? FIRST : SECOND, left));
      tti_vector_get_usage (&used, NULL);
      g_assert_cmpuint (used, >=, before + 4 * size);
      g_ptr_array_set_size (all, 0);
      await_usage (before);
    }
  /* Nobody waits any more for what is left. */
  g_autoptr (TtiPayload) payload = text_payload ("mirror", left);
  g_autoptr (TtiTask) first = submit (fixture.pool, waiting_task (&fixture, SECOND)), unwanted = tti_task_new (TTI_HANDLER_ECHO, payload);

  tti_task_set_worker (unwanted, SECOND);
  tti_task_set_stays (unwanted, LEAST);
  submit (fixture.pool, unwanted);
  tti_task_cancel (unwanted);
  let_them_go (&fixture);
  assert_done (first);
  assert_echo (fixture.pool, "and nothing else has happened");
  await_usage (before);
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stays/once", test_once);
  g_test_add_func ("/stays/others-come", test_others_come);
  g_test_add_func ("/stays/elsewhere", test_elsewhere);
  g_test_add_func ("/stays/lost", test_lost);
  g_test_add_func ("/stays/dropped", test_dropped);
  return g_test_run ();
}
