/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/slab.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 40, MANY = 200000, CHUNK = 2 << 20 };

static TtiSlab slab = TTI_SLAB_INIT (SIZE);

static void
mark (gpointer object, guint number)
{
  memset (object, 0, SIZE);
  memcpy (object, &number, sizeof number);
  ((guint8 *) object)[SIZE - 1] = (guint8) number;
}

static void
check_mark (gconstpointer object, guint number)
{
  guint found;

  memcpy (&found, object, sizeof found);
  g_assert_cmpuint (found, ==, number);
  g_assert_cmpuint (((const guint8 *) object)[SIZE - 1], ==, (guint8) number);
}

static gpointer *
make_many (void)
{
  gpointer *objects = g_new (gpointer, MANY);

  for (guint i = 0; i < MANY; i++)
    mark (objects[i] = tti_slab_alloc (&slab), i);
  return objects;
}

static guint
count_chunks (gpointer *objects)
{
  g_autoptr (GHashTable) chunks = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < MANY; i++)
    g_hash_table_add (chunks, GSIZE_TO_POINTER ((gsize) objects[i] / CHUNK));
  return g_hash_table_size (chunks);
}

/* Each has its own memory, also when half of them are others by now, and all of that is used again. */
static void
test_reuse (void)
{
  g_autofree gpointer *objects = make_many ();
  guint n_chunks = count_chunks (objects);

  for (guint i = 0; i < MANY; i += 2)
    tti_slab_free (&slab, objects[i]);
  for (guint i = 0; i < MANY; i += 2)
    mark (objects[i] = tti_slab_alloc (&slab), i);
  for (guint i = 0; i < MANY; i++)
    check_mark (objects[i], i);
  for (guint i = 0; i < MANY; i++)
    tti_slab_free (&slab, objects[i]);
  g_autofree gpointer *again = make_many ();

  for (guint i = 0; i < MANY; i++)
    {
      check_mark (again[i], i);
      tti_slab_free (&slab, again[i]);
    }
#ifndef __SANITIZE_ADDRESS__
  /* A thread's own objects may be of one more. */
  g_assert_cmpuint (count_chunks (again), <=, n_chunks + 1);
  g_assert_cmpuint (n_chunks, <=, MANY * 48 / CHUNK + 2);
#else
  (void) n_chunks;
#endif
}

/* --- threads -------------------------------------------------------------------------------------------------------------- */

static gpointer
free_all (gpointer queue)
{
  gpointer object;

  for (guint i = 0; (object = g_async_queue_pop (queue)) != queue; i++)
    {
      check_mark (object, i);
      tti_slab_free (&slab, object);
    }
  return NULL;
}

static gpointer
make_all (gpointer queue)
{
  for (guint i = 0; i < MANY / 4; i++)
    {
      gpointer object = tti_slab_alloc (&slab);

      mark (object, i);
      g_async_queue_push (queue, object);
    }
  g_async_queue_push (queue, queue);
  return NULL;
}

/* What one makes another frees; both end, with objects of their own. */
static void
test_threads (void)
{
  enum { PAIRS = 4 };
  GAsyncQueue *queues[PAIRS];
  GThread *threads[2 * PAIRS];

  for (guint i = 0; i < PAIRS; i++)
    {
      queues[i] = g_async_queue_new ();
      threads[2 * i] = g_thread_new ("makes", make_all, queues[i]);
      threads[2 * i + 1] = g_thread_new ("frees", free_all, queues[i]);
    }
  for (guint i = 0; i < 2 * PAIRS; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < PAIRS; i++)
    g_async_queue_unref (queues[i]);
}

/* --- copies --------------------------------------------------------------------------------------------------------------- */

static gpointer
make_until (gpointer over)
{
  enum { SOME = 100 };
  gpointer objects[SOME];

  while (!g_atomic_int_get ((gint *) over))
    {
      for (guint i = 0; i < SOME; i++)
        objects[i] = tti_slab_alloc (&slab);
      for (guint i = 0; i < SOME; i++)
        tti_slab_free (&slab, objects[i]);
    }
  return NULL;
}

/* A copy that is made while another thread has the lock can go on. */
static void
test_copies (void)
{
#ifdef __SANITIZE_ADDRESS__
  /* Its malloc is what the slab uses then. */
  g_test_skip ("copies of a process with several threads do not go on under a sanitizer");
  return;
#endif
  gint over = 0;
  GThread *thread = g_thread_new ("makes", make_until, &over);

  for (guint i = 0; i < 100; i++)
    {
      pid_t child = fork ();
      int status;

      if (child == 0)
        {
          alarm (60);
          for (guint k = 0; k < 1000; k++)
            (void) tti_slab_alloc (&slab);
          _exit (0);
        }
      g_assert_cmpint (child, >, 0);
      g_assert_cmpint (waitpid (child, &status, 0), ==, child);
      g_assert_cmpint (status, ==, 0);
    }
  g_atomic_int_set (&over, 1);
  g_thread_join (thread);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/slab/reuse", test_reuse);
  g_test_add_func ("/slab/threads", test_threads);
  g_test_add_func ("/slab/copies", test_copies);
  return g_test_run ();
}
