/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Several tasks sent to one worker: tasks that it has not begun can go elsewhere. */
#include "pool-fixture.h"
#include "pool/held.h"
#include "pool/slot-private.h"
#include <glib/gstdio.h>

/* Let the pool learn that tasks are short, so that workers get many at once. */
static void
teach (TtiPool *pool)
{
  for (guint i = 0; i < 300; i++)
    assert_echo (pool, "short");
}

static TtiTask *
submit_once (TtiPool *pool, const char *text, gint64 timeout)
{
  TtiTask *task = task_new (text);

  tti_task_set_retries (task, 0);
  tti_task_set_timeout (task, timeout);
  return submit (pool, task);
}

static GPtrArray *
submit_many (TtiPool *pool, guint n, const char *text, gint64 timeout)
{
  GPtrArray *tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (tasks, submit_once (pool, text, timeout));
  return tasks;
}

static int
worker_pid (TtiPool *pool)
{
  TtiWorkerInfo info;

  tti_pool_get_worker (pool, 0, &info);
  return info.pid;
}

/* A folder with nothing in it. */
static char *
folder_new (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("tutti-prefetch-XXXXXX", &error);

  g_assert_no_error (error);
  return folder;
}

/* The number of files in FOLDER. */
static guint
folder_count (const char *folder)
{
  g_autoptr (GDir) directory = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (directory) != NULL)
    n++;
  return n;
}

static void
folder_remove (char *folder)
{
  g_autoptr (GDir) directory = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (directory)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
}

/* The other worker runs tasks that wait behind a long one. */
static void
test_long_one_in_the_middle (void)
{
  TtiPool *pool = pool_new (2);

  teach (pool);
  for (guint round = 0; round < 5; round++)
    {
      g_autoptr (GPtrArray) before = submit_many (pool, 60, "short", 0);
      g_autoptr (TtiTask) hang = submit_once (pool, "hang", 0);
      g_autoptr (GPtrArray) behind = submit_many (pool, 200, "short", 0);

      assert_all_done (before);
      assert_all_done (behind);
      g_assert_false (tti_task_has_ended (hang));
      tti_task_cancel (hang);
      teach (pool);
    }
  pool_end (pool);
}

/* Cancelling a task that was not begun affects neither the worker nor its running task. */
static void
test_cancel_what_waits (void)
{
  TtiPool *pool = pool_new (1);
  char *folder = folder_new ();
  g_autofree char *gate = g_build_filename (folder, "gate", NULL);
  g_autofree char *text = g_strdup_printf ("await %s", gate);

  teach (pool);
  int pid = worker_pid (pool);
  g_autoptr (TtiTask) first = submit_once (pool, text, 0);
  g_autoptr (GPtrArray) behind = submit_many (pool, 10, "short", 0);
  g_autoptr (TtiTask) unwanted = submit_once (pool, "exit 3", 0);

  tti_task_cancel (unwanted);
  g_assert_error (tti_task_get_error (unwanted), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
  g_assert_true (g_file_set_contents (gate, "", 0, NULL));
  assert_all_done (behind);
  g_assert_true (tti_task_has_ended (first));
  g_assert_no_error (tti_task_get_error (first));
  assert_echo (pool, "going on");
  g_assert_cmpint (worker_pid (pool), ==, pid);
  pool_end (pool);
  folder_remove (folder);
}

/* The clock of a task does not run while it waits behind others. */
static void
test_time_outs (void)
{
  TtiPool *pool = pool_new (1);

  teach (pool);
  g_autoptr (GPtrArray) naps = submit_many (pool, 10, "nap 300", 2500 * 1000);

  assert_all_done (naps);
  pool_end (pool);
}

/* A death counts only against the task that the worker ran. */
static void
test_death_in_front (void)
{
  TtiPool *pool = pool_new (1);

  teach (pool);
  g_autoptr (GPtrArray) before = submit_many (pool, 10, "short", 0);
  g_autoptr (TtiTask) culprit = submit_once (pool, "exit 3", 0);
  g_autoptr (GPtrArray) behind = submit_many (pool, 20, "short", 0);

  assert_all_done (before);
  assert_all_done (behind);
  g_assert_error (tti_task_get_error (culprit), TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_cmpuint (tti_task_get_certificate (culprit)->task, ==, tti_task_get_id (culprit));
  pool_end (pool);
}

/* A worker that corrupts its mailbox is not trusted any more. */
static void
test_damaged_mailbox (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiTask) task = submit_once (pool, "scribble", 0);

  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_nonnull (strstr (tti_task_get_error (task)->message, "mailbox is damaged"));
  assert_echo (pool, "going on");
  pool_end (pool);
}

/* --- what waits behind a running task is given to those who have nothing to do -------------------------------------------- */

/* A task that ends only while N such tasks of FOLDER run at once. */
typedef TtiTask *MakeMeeting (const char *text, guint i);

static TtiTask *
meeting_plain (const char *text, guint i)
{
  (void) i;
  return task_new (text);
}

static TtiTask *
meeting_with_held (const char *text, guint i)
{
  static TtiHeld *held;
  TtiTask *task = task_new (text);

  (void) i;
  if (held == NULL)
    {
      TtiPayload *payload = text_payload ("held", NULL);

      held = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &payload, 1);
      tti_payload_unref (payload);
    }
  tti_task_add_held (task, held);
  return task;
}

static TtiTask *
task_with_vector (const char *text, TtiVector *vector)
{
  g_autoptr (TtiPayload) payload = text_payload (text, vector);

  return tti_task_new (TTI_HANDLER_ECHO, payload);
}

/* The first time it goes to each worker with a descriptor, later by its number. */
static TtiTask *
meeting_with_vector (const char *text, guint i)
{
  static TtiVector *vector;

  (void) i;
  if (vector == NULL)
    vector = tti_vector_new (100 * 1000, NULL);
  return task_with_vector (text, vector);
}

/* Each with a descriptor. */
static TtiTask *
meeting_with_vectors (const char *text, guint i)
{
  g_autoptr (TtiVector) vector = tti_vector_new (100 * 1000, NULL);

  (void) i;
  return task_with_vector (text, vector);
}

/* More than fits into a packet. */
static TtiTask *
meeting_with_much (const char *text, guint i)
{
  g_autofree char *much = g_strdup_printf ("%s %0*u", text, 100 * 1000, i);

  return task_new (much);
}

/* N tasks meet after many small tasks of the same kind. Durations do not matter: if one of them waited behind another, they would
 * all wait for ever. */
static void
meet_after_small_ones (TtiPool *pool, guint n, MakeMeeting *make, gboolean asleep)
{
  char *folder = folder_new ();
  g_autofree char *text = g_strdup_printf ("meet %s %u", folder, n);
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  gint64 limit = LIMIT;

  for (guint i = 0; i < 500; i++)
    g_ptr_array_add (tasks, submit (pool, make ("short", i)));
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (tasks, submit (pool, make (text, i)));
  /* Without calling the engine, which gets no help from the waiting thread. */
  while (!asleep && folder_count (folder) < n)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  assert_all_done (tasks);
  folder_remove (folder);
}

typedef struct
{
  const char *name;
  guint n_workers;
  MakeMeeting *make;
} Meeting;

static const Meeting meetings[] = {
  { "/prefetch/meet/two", 2, meeting_plain },
  { "/prefetch/meet/eight", 8, meeting_plain },
  { "/prefetch/meet/many", 16, meeting_plain },
  { "/prefetch/meet/held", 8, meeting_with_held },
  { "/prefetch/meet/vector", 4, meeting_with_vector },
  { "/prefetch/meet/vectors", 4, meeting_with_vectors },
  { "/prefetch/meet/much", 4, meeting_with_much },
};

static void
test_meeting (gconstpointer data)
{
  const Meeting *meeting = data;
  TtiPool *pool = pool_new (meeting->n_workers);

  for (guint round = 0; round < 4; round++)
    meet_after_small_ones (pool, meeting->n_workers, meeting->make, round % 2 == 0);
  pool_end (pool);
}

/* Tasks that wait for another, and are ready all at once when that ends. */
static void
test_meeting_of_dependents (void)
{
  TtiPool *pool = pool_new (4);
  char *folder = folder_new ();
  g_autofree char *text = g_strdup_printf ("meet %s 4", folder);
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  teach (pool);
  g_autoptr (TtiTask) first = submit (pool, task_new ("nap 20"));
  for (guint i = 0; i < 104; i++)
    {
      TtiTask *task = task_new (i < 100 ? "short" : text);

      tti_task_add_dependency (task, first);
      g_ptr_array_add (tasks, submit (pool, task));
    }
  assert_all_done (tasks);
  pool_end (pool);
  folder_remove (folder);
}

/* Tasks that may run on one worker only wait for it, and others overtake them. */
static void
test_pinned_stays (void)
{
  TtiPool *pool = pool_new (2);
  char *folder = folder_new ();
  g_autofree char *gate = g_build_filename (folder, "gate", NULL);
  g_autofree char *text = g_strdup_printf ("await %s", gate);

  teach (pool);
  g_autoptr (TtiTask) first = task_new (text);
  tti_task_set_worker (first, 1);
  submit (pool, first);
  g_autoptr (GPtrArray) pinned = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  for (guint i = 0; i < 20; i++)
    {
      TtiTask *task = task_new ("short");

      tti_task_set_worker (task, 1);
      g_ptr_array_add (pinned, submit (pool, task));
    }
  g_autoptr (GPtrArray) others = submit_many (pool, 200, "short", 0);

  assert_all_done (others);
  for (guint i = 0; i < pinned->len; i++)
    g_assert_false (tti_task_has_ended (g_ptr_array_index (pinned, i)));
  g_assert_true (g_file_set_contents (gate, "", 0, NULL));
  assert_all_done (pinned);
  for (guint i = 0; i < pinned->len; i++)
    g_assert_cmpint (tti_task_get_worker (g_ptr_array_index (pinned, i)), ==, 1);
  pool_end (pool);
  folder_remove (folder);
}

/* How many tasks of SERVICE µs a worker is given that it takes ROUND_TRIP µs to reach, and who has been at the first for BUSY µs. */
static void
test_depth (void)
{
  static const struct { double service; gint64 busy, round_trip; guint depth; } rows[] = {
    /* Nothing is known, or it takes longer than was thought. */
    { -1, 0, 0, 1 }, { -1, 0, 400, 1 }, { 1, 201, 0, 1 }, { 1, 601, 400, 1 },
    /* Here. */
    { 0, 0, 0, 64 }, { 1, 0, 0, 64 }, { 10, 0, 0, 20 }, { 66, 0, 0, 3 }, { 100, 0, 0, 2 }, { 1999, 0, 0, 2 }, { 2000, 0, 0, 1 },
    { 1e9, 0, 0, 1 }, { 1, 200, 0, 64 },
    /* Elsewhere: so many more as are done in a round trip. */
    { 0, 0, 400, 64 }, { 1, 0, 400, 64 }, { 1, 600, 400, 64 }, { 10, 0, 400, 61 }, { 100, 0, 400, 7 }, { 1000, 0, 400, 3 },
    { 1000, 0, 5000, 8 }, { 0, 0, 1000000, 64 },
    /* But none behind a long one. */
    { 8000, 0, 400, 2 }, { 8001, 0, 400, 1 }, { 1e9, 0, 400, 1 }, { 1e9, 0, 100000, 1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (tti_prefetch_depth (rows[i].service, rows[i].busy, rows[i].round_trip) != rows[i].depth)
      g_error ("row %u: %u tasks", i, tti_prefetch_depth (rows[i].service, rows[i].busy, rows[i].round_trip));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prefetch/depth", test_depth);
  g_test_add_func ("/prefetch/long-one-in-the-middle", test_long_one_in_the_middle);
  g_test_add_func ("/prefetch/cancel-what-waits", test_cancel_what_waits);
  g_test_add_func ("/prefetch/time-outs", test_time_outs);
  g_test_add_func ("/prefetch/death-in-front", test_death_in_front);
  for (guint i = 0; i < G_N_ELEMENTS (meetings); i++)
    g_test_add_data_func (meetings[i].name, &meetings[i], test_meeting);
  g_test_add_func ("/prefetch/meet/dependents", test_meeting_of_dependents);
  g_test_add_func ("/prefetch/pinned-stays", test_pinned_stays);
  g_test_add_func ("/prefetch/damaged-mailbox", test_damaged_mailbox);
  return g_test_run ();
}
