/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Kept contents of vectors of this process, of results, and of files; and what may get in the way: no memory, forks, threads. */
#include "keep-fixture.h"
#include "transport/shield.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* --- of this process ------------------------------------------------------------------------------------------------------- */
/* Results belong to the master, which may write there. */
static void
test_result (Pair *pair, gconstpointer data)
{
  (void) data;
  for (guint i = 0; i < 2; i++)
    {
      TtiVector *result = vector_new (SIZE);
      g_autoptr (TtiVector) seen = NULL, again = NULL;

      fill (result, 1);
      if (i == 0)
        seen = pass (pair->worker, pair->master, result, TTI_TRAVEL_SHARED);
      keep (result);
      g_assert_cmpint (tti_vector_get_descriptor (result, NULL), ==, -1);
      again = pass (pair->worker, pair->master, result, TTI_TRAVEL_SHARED);
      assert_all (again, 1);
      if (seen != NULL)
        fill (seen, 2);
      fill (again, 3);
      assert_all (result, 1);
      fill (result, 4);
      assert_all (again, 3);
      tti_vector_unref (result);
    }
}

/* A result that the master keeps, and passes on. */
static void
test_passed_on (Pair *pair, gconstpointer data)
{
  TtiVector *result = vector_new (SIZE);

  (void) data;
  fill (result, 1);
  TtiVector *seen = pass (pair->worker, pair->master, result, TTI_TRAVEL_SHARED);
  g_autoptr (TtiVector) slice = tti_vector_slice (seen, 0, SIZE / 2), there = NULL, later = NULL;

  there = pass (pair->master, pair->worker, seen, TTI_TRAVEL_SHARED);
  keep (slice);
  tti_vector_unref (seen);
  fill (result, 2);
  fill (slice, 3);
  later = pass (pair->master, pair->worker, slice, TTI_TRAVEL_SHARED);
  assert_all (later, 3);
  assert_all (there, 2);
  tti_vector_unref (g_steal_pointer (&later));
  tti_vector_unref (result);
  nudge (pair->worker, pair->master);
  nudge (pair->master, pair->worker);
  g_assert_cmpuint (leased_bytes (), >=, SIZE); /* THERE is the worker's own memory by way of the master */
  assert_all (there, 2);
  tti_vector_unref (g_steal_pointer (&there));
  nudge (pair->worker, pair->master);
  nudge (pair->master, pair->worker);
  g_assert_cmpuint (leased_bytes (), ==, 0);
  assert_all (slice, 3);
}

/* What others have from us stays theirs when we have only kept contents left, and nothing of those. */
static void
test_passed_on_and_dropped (Pair *pair, gconstpointer data)
{
  TtiVector *result = vector_new (SIZE);

  (void) data;
  fill (result, 1);
  TtiVector *seen = pass (pair->worker, pair->master, result, TTI_TRAVEL_SHARED);
  TtiVector *there = pass (pair->master, pair->worker, seen, TTI_TRAVEL_SHARED);

  keep (seen);
  tti_vector_unref (result);
  tti_vector_unref (seen);
  nudge (pair->master, pair->worker);
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (leased_bytes (), >=, SIZE);
  assert_all (there, 1);
  tti_vector_unref (there);
  nudge (pair->worker, pair->master);
  nudge (pair->master, pair->worker);
  g_assert_cmpuint (leased_bytes (), ==, 0);
}

static void
test_own (void)
{
  static const gsize sizes[] = { 1, 1000, TTI_INLINE_LIMIT + 1, SIZE };
  gsize before = used_bytes ();

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (TtiVector) vector = vector_new (sizes[i]);
      guint mappings = count_mappings ();

      fill (vector, 5);
      keep (vector);
      assert_all (vector, 5);
      g_assert_cmpuint (count_mappings (), ==, mappings);
      g_assert_true (is_writable (tti_vector_get_data (vector)));
    }
  g_autoptr (TtiVector) again = vector_new (SIZE), empty = vector_new (0);

  g_assert_cmpint (tti_vector_get_descriptor (again, NULL), >=, 0);
  keep (empty);
  tti_vector_set_destination (again, TRUE);
  assert_not_kept (again);
  tti_vector_set_destination (again, FALSE);
  keep (again);
  tti_vector_unref (g_steal_pointer (&again));
  g_assert_cmpuint (used_bytes (), ==, before);
}

static void
test_protected (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiVector) vector = tti_vector_new_to_protect (10000, &error);
  gpointer room;
  g_autoptr (TtiVector) shown = tti_shield_take (100, &room, &error);

  g_assert_no_error (error);
  fill (vector, 5);
  tti_vector_protect (vector);
  memset (room, 6, 100);
  keep (vector);
  keep (shown);
  assert_all (vector, 5);
  assert_all (shown, 6);
  g_assert_false (is_writable (tti_vector_get_data (vector)));
  g_assert_false (is_writable (tti_vector_get_data (shown)));
}

/* --- files ----------------------------------------------------------------------------------------------------------------- */
typedef struct
{
  char *path;
  int fd;
} File;

static File
file_new (gsize size, char byte)
{
  File file = { .fd = g_file_open_tmp ("tutti-own-memory-XXXXXX", &file.path, NULL) };
  g_autofree char *contents = g_malloc (size);

  g_assert_cmpint (file.fd, >=, 0);
  memset (contents, byte, size);
  g_assert_cmpint (pwrite (file.fd, contents, size, 0), ==, (gssize) size);
  return file;
}

static void
file_clear (File *file)
{
  g_unlink (file->path);
  g_free (file->path);
  close (file->fd);
}

static TtiVector *
file_map (const File *file, goffset offset, gssize size, gboolean writable)
{
  g_autoptr (GError) error = NULL;
  TtiVector *vector = tti_vector_open_file (file->path, offset, size, writable, &error);

  g_assert_no_error (error);
  return vector;
}

static void
test_file (Pair *pair, gconstpointer data)
{
  File file = file_new (100000, 1);
  TtiVector *vector = file_map (&file, 8, -1, FALSE), *seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);

  (void) data;
  keep (vector);
  keep (seen);
  g_assert_cmpint (pwrite (file.fd, "\2\2\2\2\2\2\2\2\2\2", 10, 8), ==, 10);
  assert_all (vector, 1);
  assert_all (seen, 1);
  g_assert_cmpint (ftruncate (file.fd, 0), ==, 0);
  assert_all (vector, 1);
  assert_all (seen, 1);
  tti_vector_unref (seen);
  seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED); /* as a copy: the file is not asked */
  assert_all (seen, 1);
  tti_vector_unref (seen);
  tti_vector_unref (vector);
  file_clear (&file);
}

static void
test_writable_file (void)
{
  File file = file_new (100000, 1);
  TtiVector *vector = file_map (&file, 0, -1, TRUE), *slice = tti_vector_slice (vector, 100, 50000);
  char byte;

  fill (vector, 2);
  assert_not_kept (slice);
  keep (vector);
  g_assert_cmpint (pread (file.fd, &byte, 1, 99999), ==, 1);
  g_assert_cmpint (byte, ==, 2);
  fill (vector, 3);
  g_assert_cmpint (pread (file.fd, &byte, 1, 99999), ==, 1);
  g_assert_cmpint (byte, ==, 2);
  g_assert_cmpint (pwrite (file.fd, "\4", 1, 0), ==, 1);
  assert_all (vector, 3);
  keep (slice);
  tti_vector_unref (slice);
  tti_vector_unref (vector);
  file_clear (&file);
}

/* --- no memory, forks, threads --------------------------------------------------------------------------------------------- */
/* CHECK in a copy of this process, which its assertions end. */
static void
in_copy (void (*check) (TtiVector *), TtiVector *vector)
{
  pid_t pid = fork ();
  int status;

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      check (vector);
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

/* The bytes of address space that this process has. */
static gsize
address_space (void)
{
  g_autofree char *statm = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &statm, NULL, NULL));
  return (gsize) g_ascii_strtoull (statm, NULL, 10) * (gsize) sysconf (_SC_PAGESIZE);
}

static void
check_no_memory (TtiVector *seen)
{
  struct rlimit limit, before;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (getrlimit (RLIMIT_AS, &before), ==, 0);
  limit = before;
  limit.rlim_cur = address_space () + SIZE / 2;
  g_assert_cmpint (setrlimit (RLIMIT_AS, &limit), ==, 0);
  g_assert_false (tti_vector_keep_contents (seen, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
  g_assert_nonnull (strstr (error->message, "cannot keep the contents of a vector"));
  assert_all (seen, 1);
  g_assert_cmpint (setrlimit (RLIMIT_AS, &before), ==, 0);
  keep (seen);
  assert_all (seen, 1);
}

static void
test_no_memory (Pair *pair, gconstpointer data)
{
  (void) data;
  if (SANITIZED)
    {
      g_test_skip ("limits of address space do not work under a sanitizer");
      return;
    }
  g_autoptr (TtiVector) vector = vector_new (SIZE), seen = NULL;

  fill (vector, 1);
  seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);
  in_copy (check_no_memory, seen);
  fill (vector, 2);
  assert_all (seen, 2); /* it was kept in the copy alone */
}

static void
check_kept_in_copy (TtiVector *vector)
{
  keep (vector);
  if (tti_vector_is_writable (vector))
    fill (vector, 8);
  tti_vector_unref (vector);
}

/* A copy of this process keeps for itself; what was kept before is its own anyway. */
static void
test_forked (Pair *pair, gconstpointer data)
{
  (void) data;
  g_autoptr (TtiVector) vector = vector_new (SIZE), own = vector_new (SIZE), seen = NULL, kept = NULL;

  fill (vector, 1);
  fill (own, 1);
  kept = pass (pair->master, pair->worker, vector, TTI_TRAVEL_COPY);
  keep (kept);
  in_copy (check_kept_in_copy, kept);
  assert_all (kept, 1);
  seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);
  in_copy (check_kept_in_copy, seen);
  in_copy (check_kept_in_copy, vector);
  assert_all (vector, 1);
  in_copy (check_kept_in_copy, own);
  assert_all (own, 1);
  fill (vector, 2);
  assert_all (seen, 2);
}

static void
check_borrowed (TtiVector *vector)
{
  guint8 *first = tti_vector_get_data (vector);

  tti_vector_protect_borrowed ();
  tti_vector_borrow (vector);
  g_assert_false (is_writable (first));
  keep (vector);
  g_assert_false (is_writable (first));
  tti_vector_give_back (vector);
  g_assert_true (is_writable (first));
}

/* A vector that is protected while it is borrowed stays so. */
static void
test_borrowed (Pair *pair, gconstpointer data)
{
  (void) data;
  g_autoptr (TtiVector) result = vector_new (SIZE), seen = pass (pair->worker, pair->master, result, TTI_TRAVEL_SHARED);

  in_copy (check_borrowed, seen);
}

typedef struct
{
  GAsyncQueue *vectors; /* to be kept, then the queue itself */
  GPtrArray *kept;
} Keeper;

static void *
keep_all (void *data)
{
  Keeper *keeper = data;
  gpointer next;

  while ((next = g_async_queue_pop (keeper->vectors)) != keeper->vectors)
    {
      keep (next);
      g_ptr_array_add (keeper->kept, next);
    }
  return NULL;
}

/* One thread keeps vectors while another receives more with the same storages. */
static void
test_threads (Pair *pair, gconstpointer data)
{
  enum { ROUNDS = 20, MESSAGES = 8, SMALL = 30000 };
  g_autoptr (GPtrArray) vectors = vector_array ();

  (void) data;
  g_ptr_array_add (vectors, vector_new (SMALL));
  g_ptr_array_add (vectors, vector_new (10 * SMALL));
  for (guint8 round = 1; round <= ROUNDS; round++)
    {
      Keeper keeper = { .vectors = g_async_queue_new (), .kept = vector_array () };
      pthread_t thread;

      for (guint i = 0; i < vectors->len; i++)
        fill (g_ptr_array_index (vectors, i), round);
      g_assert_cmpint (pthread_create (&thread, NULL, keep_all, &keeper), ==, 0);
      for (guint i = 0; i < MESSAGES; i++)
        {
          g_autoptr (GPtrArray) seen = pass_all (pair->master, pair->worker, vectors, i % 4 == 3 ? TTI_TRAVEL_COPY : TTI_TRAVEL_SHARED);

          for (guint k = 0; k < seen->len; k++)
            {
              assert_all (g_ptr_array_index (seen, k), round);
              g_async_queue_push (keeper.vectors, tti_vector_ref (g_ptr_array_index (seen, k)));
            }
          if (i % 2 == 0)
            g_async_queue_push (keeper.vectors, tti_vector_slice (g_ptr_array_index (seen, 0), 1000, 10000));
        }
      g_async_queue_push (keeper.vectors, keeper.vectors);
      pthread_join (thread, NULL);
      for (guint i = 0; i < vectors->len; i++)
        fill (g_ptr_array_index (vectors, i), 0);
      for (guint i = 0; i < keeper.kept->len; i++)
        assert_all (g_ptr_array_index (keeper.kept, i), round);
      g_ptr_array_unref (keeper.kept);
      g_async_queue_unref (keeper.vectors);
      nudge (pair->worker, pair->master);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define add(name, test) g_test_add ("/own-memory/" name, Pair, &implementations[0], pair_open, test, pair_close)
  add ("result", test_result);
  add ("passed-on", test_passed_on);
  add ("passed-on-and-dropped", test_passed_on_and_dropped);
  add ("file", test_file);
  add ("no-memory", test_no_memory);
  add ("forked", test_forked);
  add ("borrowed", test_borrowed);
  add ("threads", test_threads);
  g_test_add_func ("/own-memory/own", test_own);
  g_test_add_func ("/own-memory/protected", test_protected);
  g_test_add_func ("/own-memory/writable-file", test_writable_file);
  return g_test_run ();
}
