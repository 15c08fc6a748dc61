/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of pools whose workers are on a node that shares nothing with us (support/fake-node.h), also beside this machine. */
#pragma once
#include "pool-fixture.h"
#include "support/fake-node.h"
#include <glib/gstdio.h>
#include <unistd.h>

static const FakeNodeOptions over_stream = { 0 }, without_descriptor = { .buffered = TRUE };

typedef struct
{
  TuttiEngine *engine;
  TuttiNode *node;
  TuttiPool *pool;
  char *folder, *file; /* in it, for tasks that wait for it: not there yet */
} Fixture;

static inline TuttiPool *
pool_on (TuttiEngine *engine, TuttiNode *const *nodes, guint n_nodes, guint size, GError **error)
{
  g_autofree char *program = helper ("rogue-worker");
  g_auto (GStrv) environment = g_get_environ ();
  const TuttiPoolOptions options = { .name = "test pool", .program = program, .environment = (const char *const *) environment,
                                     .keep_output = TRUE, .nodes = nodes, .n_nodes = n_nodes };

  return tutti_pool_new (engine, size, &options, error);
}

static inline void
fixture_open_nodes (Fixture *fixture, const FakeNodeOptions *options)
{
  g_autoptr (GError) error = NULL;

  *fixture = (Fixture){ .engine = tutti_engine_new (&error), .folder = g_dir_make_tmp ("tutti-nodes-XXXXXX", NULL) };
  g_assert_no_error (error);
  fixture->file = g_build_filename (fixture->folder, "go", NULL);
  fixture->node = tutti_engine_add_node (fixture->engine, fake_node_new, (gpointer) options, &error);
  g_assert_no_error (error);
}

/* SIZE workers, all on the fake node. */
static inline void
fixture_open_elsewhere (Fixture *fixture, const FakeNodeOptions *options, guint size)
{
  g_autoptr (GError) error = NULL;

  fixture_open_nodes (fixture, options);
  fixture->pool = pool_on (fixture->engine, &fixture->node, 1, size, &error);
  g_assert_no_error (error);
}

/* SIZE workers: those with even numbers on this machine, the others on the fake node. */
static inline void
fixture_open_mixed (Fixture *fixture, const FakeNodeOptions *options, guint size)
{
  g_autoptr (GError) error = NULL;

  fixture_open_nodes (fixture, options);
  TuttiNode *const nodes[] = { NULL, fixture->node };

  fixture->pool = pool_on (fixture->engine, nodes, 2, size, &error);
  g_assert_no_error (error);
}

static inline void
fixture_close (Fixture *fixture)
{
  if (fixture->pool != NULL)
    pool_end (fixture->pool);
  tutti_engine_unref (fixture->engine);
  g_unlink (fixture->file);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->file);
  g_free (fixture->folder);
}

static inline TuttiWorkerInfo
worker_info (Fixture *fixture, guint index)
{
  TuttiWorkerInfo info;

  tutti_pool_get_worker (fixture->pool, index, &info);
  return info;
}

/* Wait until worker INDEX is in STATE. */
static inline void
await_state (Fixture *fixture, guint index, TuttiWorkerState state)
{
  for (gint64 limit = LIMIT; worker_info (fixture, index).state != state; g_usleep (1000))
    if (g_get_monotonic_time () > limit)
      g_error ("worker %u is %s, not %s", index, tutti_worker_state_name (worker_info (fixture, index).state),
               tutti_worker_state_name (state));
}

/* A task that waits for the fixture's file. */
static inline TuttiTask *
waiting_task (Fixture *fixture, int worker)
{
  g_autofree char *text = g_strdup_printf ("await %s", fixture->file);
  TuttiTask *task = task_new (text);

  tutti_task_set_worker (task, worker);
  return task;
}

static inline void
let_them_go (Fixture *fixture)
{
  g_assert_true (g_file_set_contents (fixture->file, "", 0, NULL));
}

static inline void
assert_done (TuttiTask *task)
{
  g_assert_true (tutti_task_wait (task, LIMIT));
  g_assert_no_error (tutti_task_get_error (task));
  g_assert_cmpint (tutti_task_get_state (task), ==, TUTTI_TASK_DONE);
}

static inline void
assert_failed (TuttiTask *task, TuttiError code, const char *words)
{
  g_assert_true (tutti_task_wait (task, LIMIT));
  g_assert_error (tutti_task_get_error (task), TUTTI_ERROR, (int) code);
  if (strstr (tutti_task_get_error (task)->message, words) == NULL)
    g_error ("'%s' does not say '%s'", tutti_task_get_error (task)->message, words);
}

static inline TuttiVector *
vector_filled (gsize n, double seed)
{
  g_autoptr (GError) error = NULL;
  TuttiVector *vector = tutti_vector_new (n * sizeof (double), &error);

  g_assert_no_error (error);
  for (gsize i = 0; i < n; i++)
    ((double *) tutti_vector_get_data (vector))[i] = seed + (double) i;
  return vector;
}

/* A task whose value is what it is given: a text, and VECTOR. */
static inline TuttiTask *
mirror_new (TuttiVector *vector)
{
  g_autoptr (TuttiPayload) payload = text_payload ("mirror", vector);

  return tutti_task_new (TUTTI_HANDLER_ECHO, payload);
}

static inline void
assert_mirrors (TuttiTask *task, TuttiVector *vector)
{
  assert_done (task);
  TuttiPayload *result = tutti_task_get_result (task);
  TuttiVector *back = tutti_payload_get_vector (result, 0, NULL);
  gsize size = tutti_vector_get_size (vector);

  g_assert_cmpuint (tutti_payload_get_n_vectors (result), ==, 1);
  g_assert_true (back != vector);
  g_assert_cmpmem (tutti_vector_get_data (back), tutti_vector_get_size (back), tutti_vector_get_data (vector), size);
  g_assert_false (tutti_vector_is_borrowed (vector));
}

/* One for each way to its workers. */
static inline void
add_test (const char *name, GTestDataFunc test)
{
  g_autofree char *stream = g_strdup_printf ("/pool-nodes/stream/%s", name), *buffered = g_strdup_printf ("/pool-nodes/buffered/%s", name);

  g_test_add_data_func (stream, &over_stream, test);
  g_test_add_data_func (buffered, &without_descriptor, test);
}
