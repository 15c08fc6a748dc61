/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Many tasks ahead with workers elsewhere: what these have not begun comes back, and runs where there is room. */
#include "cluster/agent-node.h"
#include "pool-nodes-fixture.h"
#include "support/agent-thread.h"

/* SIZE workers on two agents. */
static void
open_agents (Fixture *fixture, guint size)
{
  g_autoptr (GError) error = NULL;

  *fixture = (Fixture){ .engine = tti_engine_new (&error), .folder = g_dir_make_tmp ("tutti-recall-XXXXXX", NULL) };
  g_assert_no_error (error);
  fixture->file = g_build_filename (fixture->folder, "go", NULL);
  fixture->node = tti_engine_add_node (fixture->engine, agent_thread_node_new, NULL, &error);
  g_assert_no_error (error);
  fixture->other = tti_engine_add_node (fixture->engine, agent_thread_node_new, NULL, &error);
  g_assert_no_error (error);
  TtiNode *const nodes[] = { fixture->node, fixture->other };

  fixture->pool = pool_on (fixture->engine, nodes, 2, size, &error);
  g_assert_no_error (error);
}

static GPtrArray *
submit_many (Fixture *fixture, guint n, const char *text, TtiVector *vector)
{
  GPtrArray *tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (TtiPayload) payload = text_payload (text, vector);
      TtiTask *task = tti_task_new (TTI_HANDLER_ECHO, payload);

      tti_task_set_retries (task, 0);
      g_ptr_array_add (tasks, submit (fixture->pool, task));
    }
  return tasks;
}

/* Let the pool learn that tasks are short, so that workers get many at once. */
static void
teach (Fixture *fixture)
{
  g_autoptr (GPtrArray) tasks = submit_many (fixture, 2000, "short", NULL);

  assert_all_done (tasks);
}

/* As many tasks as there are workers meet after many short ones: if one of them stayed behind another, all would wait for ever. KIND:
 * their texts are short; they have a vector; their texts are so long that a mailbox has room for few, or for none. */
static void
test_meeting (gconstpointer kind)
{
  g_autoptr (TtiVector) vector = g_str_equal (kind, "vector") ? tti_vector_new (100 * 1000, NULL) : NULL;
  int length = g_str_equal (kind, "long") ? 3000 : g_str_equal (kind, "longer") ? 15000 : 0;
  g_autofree char *other = g_strdup_printf ("%-*s", length, "short");
  Fixture fixture;

  open_agents (&fixture, 4);
  for (guint round = 0; round < 4; round++)
    {
      g_autofree char *folder = g_dir_make_tmp ("tutti-recall-XXXXXX", NULL), *text = g_strdup_printf ("meet %s %-*d", folder, length, 4);
      g_autofree char *all = g_strdup_printf ("rm -r %s", folder);

      teach (&fixture);
      g_autoptr (GPtrArray) before = submit_many (&fixture, 500, other, vector);
      g_autoptr (GPtrArray) tasks = submit_many (&fixture, 4, text, vector);

      assert_all_done (before);
      assert_all_done (tasks);
      g_assert_true (g_spawn_command_line_sync (all, NULL, NULL, NULL, NULL));
    }
  fixture_close (&fixture);
}

/* What was behind one that does not end is done elsewhere, in its order, and the worker goes on. */
static void
test_behind_a_long_one (void)
{
  Fixture fixture;

  open_agents (&fixture, 2);
  g_autofree char *text = g_strdup_printf ("await %s", fixture.file);

  for (guint round = 0; round < 3; round++)
    {
      teach (&fixture);
      g_autoptr (GPtrArray) before = submit_many (&fixture, 60, "short", NULL);
      g_autoptr (GPtrArray) one = submit_many (&fixture, 1, text, NULL);
      g_autoptr (GPtrArray) behind = submit_many (&fixture, 400, "short", NULL);

      assert_all_done (before);
      assert_all_done (behind);
      g_assert_false (tti_task_has_ended (g_ptr_array_index (one, 0)));
      g_assert_true (g_file_set_contents (fixture.file, "", 0, NULL));
      assert_all_done (one);
      g_unlink (fixture.file);
    }
  fixture_close (&fixture);
}

/* A task that is cancelled where it waits does not run there later, and affects nothing else. */
static void
test_cancelled (void)
{
  Fixture fixture;

  open_agents (&fixture, 1); /* so that all is behind the first */
  g_autofree char *text = g_strdup_printf ("await %s", fixture.file);

  teach (&fixture);
  g_autoptr (GPtrArray) first = submit_many (&fixture, 1, text, NULL);
  g_autoptr (GPtrArray) behind = submit_many (&fixture, 10, "short", NULL);
  g_autoptr (GPtrArray) unwanted = submit_many (&fixture, 4, "exit 3", NULL);

  for (guint i = 0; i < unwanted->len; i++)
    tti_task_cancel (g_ptr_array_index (unwanted, i));
  /* An echo comes after all that was said before it. */
  g_assert_cmpfloat (tti_agent_node_measure (fixture.node, 0, LIMIT), >, 0);
  g_assert_true (g_file_set_contents (fixture.file, "", 0, NULL));
  assert_all_done (first);
  assert_all_done (behind);
  g_autoptr (GPtrArray) last = submit_many (&fixture, 1, "short", NULL);

  assert_all_done (last);
  for (guint i = 0; i < unwanted->len; i++)
    g_assert_error (tti_task_get_error (g_ptr_array_index (unwanted, i)), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
  g_assert_cmpuint (worker_info (&fixture, 0).restarts, ==, 0);
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/recall/meeting/plain", "plain", test_meeting);
  g_test_add_data_func ("/recall/meeting/vector", "vector", test_meeting);
  g_test_add_data_func ("/recall/meeting/long", "long", test_meeting);
  g_test_add_data_func ("/recall/meeting/longer", "longer", test_meeting);
  g_test_add_func ("/recall/behind-a-long-one", test_behind_a_long_one);
  g_test_add_func ("/recall/cancelled", test_cancelled);
  return g_test_run ();
}
