/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of tasks that need the share of several workers. */
#pragma once
#include "pool-nodes-fixture.h"
#include "pool/held.h"

typedef struct
{
  TtiPool *pool;
  char *folder, *log, *file; /* FILE is for tasks that wait for it: not there yet */
  GPtrArray *tasks;
} Scene;

/* Until they are, no worker takes a task. */
static inline void
await_idle (TtiPool *pool)
{
  TtiWorkerInfo info;

  for (guint i = 0; i < tti_pool_get_size (pool); i = info.state == TTI_WORKER_IDLE ? i + 1 : i)
    tti_pool_get_worker (pool, i, &info);
}

static inline void
scene_open (Scene *scene, guint size)
{
  *scene = (Scene){ .pool = pool_new (size), .folder = g_dir_make_tmp ("tutti-resources-XXXXXX", NULL) };
  scene->log = g_build_filename (scene->folder, "log", NULL);
  scene->file = g_build_filename (scene->folder, "go", NULL);
  await_idle (scene->pool);
  scene->tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
}

static inline void
scene_close (Scene *scene)
{
  if (scene->pool != NULL)
    pool_end (scene->pool);
  g_ptr_array_unref (scene->tasks);
  g_unlink (scene->log);
  g_unlink (scene->file);
  g_assert_cmpint (g_rmdir (scene->folder), ==, 0);
  g_free (scene->folder);
  g_free (scene->log);
  g_free (scene->file);
}

static inline TtiTask *
scene_make (Scene *scene, guint n_cpus, const char *text)
{
  TtiTask *task = task_new (text);

  tti_task_set_resources (task, n_cpus, 0);
  g_ptr_array_add (scene->tasks, task);
  return task;
}

static inline TtiTask *
scene_run (Scene *scene, guint n_cpus, const char *text)
{
  return submit (scene->pool, scene_make (scene, n_cpus, text));
}

/* A task that needs N_CPUS, takes MS, and notes in the log when it runs. */
static inline TtiTask *
scene_log (Scene *scene, guint n_cpus, guint ms)
{
  g_autofree char *text = g_strdup_printf ("log %u %s %u-%u", ms, scene->log, n_cpus, scene->tasks->len);

  return scene_run (scene, n_cpus, text);
}

static inline TtiTask *
scene_await (Scene *scene, guint n_cpus)
{
  g_autofree char *text = g_strdup_printf ("await %s", scene->file);

  return scene_run (scene, n_cpus, text);
}

static inline void
scene_go (Scene *scene)
{
  g_assert_true (g_file_set_contents (scene->file, "", 0, NULL));
}

static inline void
assert_scene_done (Scene *scene)
{
  for (guint i = 0; i < scene->tasks->len; i++)
    assert_done (g_ptr_array_index (scene->tasks, i));
}

static inline void
assert_refused (TtiPool *pool, guint n_cpus, guint64 memory, int worker, const char *words)
{
  g_autoptr (TtiTask) task = task_new ("never run");
  g_autoptr (GError) error = NULL;

  tti_task_set_resources (task, n_cpus, memory);
  tti_task_set_worker (task, worker);
  g_assert_false (tti_pool_submit (pool, task, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

static inline TtiHeld *
made_new (const char *text)
{
  g_autoptr (TtiPayload) request = text_payload (text, NULL);

  return tti_held_new (tti_held_next_id (), TTI_HELD_MADE, &request, 1);
}
