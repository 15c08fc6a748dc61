/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of pools whose workers are on a node that shares nothing with us (support/fake-node.h), also beside this machine. */
#pragma once
#include "pool-fixture.h"
#include "support/fake-node.h"
#include <glib/gstdio.h>
#include <unistd.h>

/* What a node is lost for. */
#define REASON "somebody has pulled a plug"

static const FakeNodeOptions over_stream = { 0 }, without_descriptor = { .buffered = TRUE };

typedef struct
{
  TtiEngine *engine;
  TtiNode *node, *other;
  TtiPool *pool;
  char *folder, *file; /* in it, for tasks that wait for it: not there yet */
} Fixture;

static inline TtiPool *
pool_with_cpus (TtiEngine *engine, TtiNode *const *nodes, guint n_nodes, guint size, guint n_cpus, GError **error)
{
  g_autofree char *program = helper ("rogue-worker");
  g_auto (GStrv) environment = g_get_environ ();
  const TtiPoolOptions options = { .name = "test pool", .program = program, .environment = (const char *const *) environment,
                                     .keep_output = TRUE, .nodes = nodes, .n_nodes = n_nodes, .n_cpus = n_cpus };

  return tti_pool_new (engine, size, &options, error);
}

static inline TtiPool *
pool_on (TtiEngine *engine, TtiNode *const *nodes, guint n_nodes, guint size, GError **error)
{
  return pool_with_cpus (engine, nodes, n_nodes, size, 0, error);
}

static inline void
fixture_open_nodes (Fixture *fixture, const FakeNodeOptions *options)
{
  g_autoptr (GError) error = NULL;

  *fixture = (Fixture){ .engine = tti_engine_new (&error), .folder = g_dir_make_tmp ("tutti-nodes-XXXXXX", NULL) };
  g_assert_no_error (error);
  fixture->file = g_build_filename (fixture->folder, "go", NULL);
  fixture->node = tti_engine_add_node (fixture->engine, fake_node_new, (gpointer) options, &error);
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

/* SIZE workers: the first half on this machine, the others on the fake node. */
static inline void
fixture_open_mixed (Fixture *fixture, const FakeNodeOptions *options, guint size)
{
  g_autoptr (GError) error = NULL;

  fixture_open_nodes (fixture, options);
  TtiNode *const nodes[] = { NULL, fixture->node };

  fixture->pool = pool_on (fixture->engine, nodes, 2, size, &error);
  g_assert_no_error (error);
}

/* SIZE workers on two fake nodes, n1 and n2; OPTIONS but for their names. */
static inline void
fixture_open_two (Fixture *fixture, const FakeNodeOptions *options, guint size)
{
  FakeNodeOptions named = *options;
  g_autoptr (GError) error = NULL;

  named.name = "n1";
  fixture_open_nodes (fixture, &named);
  named.name = "n2";
  fixture->other = tti_engine_add_node (fixture->engine, fake_node_new, &named, &error);
  g_assert_no_error (error);
  if (size == 0)
    return;
  TtiNode *const nodes[] = { fixture->node, fixture->other };

  fixture->pool = pool_on (fixture->engine, nodes, 2, size, &error);
  g_assert_no_error (error);
}

static inline void
fixture_close (Fixture *fixture)
{
  if (fixture->pool != NULL)
    pool_end (fixture->pool);
  tti_engine_unref (fixture->engine);
  g_unlink (fixture->file);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->file);
  g_free (fixture->folder);
}

static inline TtiWorkerInfo
worker_info (Fixture *fixture, guint index)
{
  TtiWorkerInfo info;

  tti_pool_get_worker (fixture->pool, index, &info);
  return info;
}

static inline void
assert_on (Fixture *fixture, guint index, const char *host)
{
  g_assert_cmpstr (worker_info (fixture, index).host, ==, host);
}

static inline FakeNodeOptions
staying_away (gconstpointer options)
{
  FakeNodeOptions away = *(const FakeNodeOptions *) options;

  away.fate = FAKE_STAYS_AWAY;
  return away;
}

static inline guint
count_on (Fixture *fixture, const char *host)
{
  guint n = 0;

  for (guint i = 0; i < tti_pool_get_size (fixture->pool); i++)
    n += g_strcmp0 (worker_info (fixture, i).host, host) == 0;
  return n;
}

/* Wait until N workers are on HOST, and can run tasks. */
static inline void
await_on (Fixture *fixture, const char *host, guint n)
{
  for (gint64 limit = LIMIT; count_on (fixture, host) != n; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
}

static inline void
await_count (TtiNode *node, guint n)
{
  for (gint64 limit = LIMIT; fake_node_count (node) != n; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
}

/* Wait until worker INDEX was replaced. */
static inline void
await_restart (Fixture *fixture, guint index)
{
  for (gint64 limit = LIMIT; worker_info (fixture, index).restarts == 0; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
}

/* Wait until worker INDEX is in STATE. */
static inline void
await_state (Fixture *fixture, guint index, TtiWorkerState state)
{
  for (gint64 limit = LIMIT; worker_info (fixture, index).state != state; g_usleep (1000))
    if (g_get_monotonic_time () > limit)
      g_error ("worker %u is %s, not %s", index, tti_worker_state_name (worker_info (fixture, index).state),
               tti_worker_state_name (state));
}

static inline TtiTask *
pinned (const char *text, int worker)
{
  TtiTask *task = task_new (text);

  tti_task_set_worker (task, worker);
  return task;
}

/* A task that waits for the fixture's file. */
static inline TtiTask *
waiting_task (Fixture *fixture, int worker)
{
  g_autofree char *text = g_strdup_printf ("await %s", fixture->file);
  TtiTask *task = task_new (text);

  tti_task_set_worker (task, worker);
  return task;
}

static inline void
let_them_go (Fixture *fixture)
{
  g_assert_true (g_file_set_contents (fixture->file, "", 0, NULL));
}

static inline void
assert_done (TtiTask *task)
{
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_no_error (tti_task_get_error (task));
  g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_DONE);
}

static inline void
assert_failed (TtiTask *task, TuttiError code, const char *words)
{
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_error (tti_task_get_error (task), TUTTI_ERROR, (int) code);
  if (strstr (tti_task_get_error (task)->message, words) == NULL)
    g_error ("'%s' does not say '%s'", tti_task_get_error (task)->message, words);
}

static inline TtiVector *
vector_filled (gsize n, double seed)
{
  g_autoptr (GError) error = NULL;
  TtiVector *vector = tti_vector_new (n * sizeof (double), &error);

  g_assert_no_error (error);
  for (gsize i = 0; i < n; i++)
    ((double *) tti_vector_get_data (vector))[i] = seed + (double) i;
  return vector;
}

/* A task whose value is what it is given: a text, and VECTOR. */
static inline TtiTask *
mirror_new (TtiVector *vector)
{
  g_autoptr (TtiPayload) payload = text_payload ("mirror", vector);

  return tti_task_new (TTI_HANDLER_ECHO, payload);
}

static inline void
assert_mirrors (TtiTask *task, TtiVector *vector)
{
  assert_done (task);
  TtiPayload *result = tti_task_get_result (task);
  TtiVector *back = tti_payload_get_vector (result, 0, NULL);
  gsize size = tti_vector_get_size (vector);

  g_assert_cmpuint (tti_payload_get_n_vectors (result), ==, 1);
  g_assert_true (back != vector);
  g_assert_cmpmem (tti_vector_get_data (back), tti_vector_get_size (back), tti_vector_get_data (vector), size);
  g_assert_false (tti_vector_is_borrowed (vector));
}

/* One for each way to its workers. */
static inline void
add_test (const char *name, GTestDataFunc test)
{
  g_autofree char *stream = g_strdup_printf ("/pool-nodes/stream/%s", name), *buffered = g_strdup_printf ("/pool-nodes/buffered/%s", name);

  g_test_add_data_func (stream, &over_stream, test);
  g_test_add_data_func (buffered, &without_descriptor, test);
}
