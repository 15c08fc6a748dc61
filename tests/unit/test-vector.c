/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors: kinds of storage, sharing, errors, and no leaks. */
#include "../support/descriptors.h"
#include "kept-memory.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/vector.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static TtiVector *
vector_make (gsize size)
{
  g_autoptr (GError) error = NULL;
  TtiVector *vector = tti_vector_new (size, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tti_vector_get_size (vector), ==, size);
  g_assert_true (tti_vector_is_writable (vector));
  return vector;
}

static ino_t
inode_of (int fd)
{
  struct stat status;

  g_assert_cmpint (fstat (fd, &status), ==, 0);
  return status.st_ino;
}

static void
test_storage_by_size (void)
{
  g_autoptr (TtiVector) empty = vector_make (0);
  g_autoptr (TtiVector) small = vector_make (TTI_INLINE_LIMIT);
  g_autoptr (TtiVector) one = vector_make (TTI_INLINE_LIMIT + 1);
  g_autoptr (TtiVector) other = vector_make (1024 * 1024);
  g_autoptr (TtiVector) large = vector_make (1024 * 1024 + 1);
  goffset first, second;

  g_assert_nonnull (tti_vector_get_data (empty));
  g_assert_cmpint (tti_vector_get_descriptor (small, NULL), ==, -1);
  g_assert_cmpint (tti_vector_get_descriptor (one, &first), >=, 0);
  g_assert_cmpint (tti_vector_get_descriptor (one, NULL), ==, tti_vector_get_descriptor (other, &second));
  g_assert_cmpint (second - first, >=, TTI_INLINE_LIMIT + 1);
  g_assert_cmpint (second % sysconf (_SC_PAGESIZE), ==, 0);
  g_assert_cmpuint (inode_of (tti_vector_get_descriptor (large, &first)), !=,
                    inode_of (tti_vector_get_descriptor (one, NULL)));
  g_assert_cmpint (first, ==, 0);
}

static void
test_zero_filled (void)
{
  for (gsize size = 1; size < 4 * 1024 * 1024; size = 3 * size + 1)
    {
      g_autoptr (TtiVector) vector = vector_make (size);
      const guint8 *data = tti_vector_get_data (vector);

      for (gsize i = 0; i < size; i++)
        g_assert_cmpuint (data[i], ==, 0);
      memset (tti_vector_get_data (vector), 0xff, size);
    }
}

static void
test_descriptor_is_sealed_and_read_only (void)
{
  g_autoptr (TtiVector) vector = vector_make (100000);
  goffset offset;
  int fd = tti_vector_get_descriptor (vector, &offset);
  char c = 0;

  g_assert_cmpint (fcntl (fd, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, !=, 0);
  g_assert_cmpint (fcntl (fd, F_GET_SEALS) & F_SEAL_SHRINK, !=, 0);
  ((char *) tti_vector_get_data (vector))[99999] = 'x';
  g_assert_cmpint (pread (fd, &c, 1, offset + 99999), ==, 1);
  g_assert_cmpint (c, ==, 'x');
}

static void
test_slots_are_not_reused (void)
{
  g_autoptr (TtiVector) keeper = vector_make (20000);
  goffset first, second;
  TtiVector *vector = vector_make (20000);

  g_assert_cmpint (tti_vector_get_descriptor (vector, &first), ==, tti_vector_get_descriptor (keeper, NULL));
  tti_vector_unref (vector);
  vector = vector_make (20000);
  g_assert_cmpint (tti_vector_get_descriptor (vector, &second), ==, tti_vector_get_descriptor (keeper, NULL));
  g_assert_cmpint (second, >, first);
  tti_vector_unref (vector);
}

static void
test_arena_goes_with_its_last (void)
{
  gsize bytes;
  guint storages;

  for (guint round = 0; round < 100; round++)
    {
      g_autoptr (TtiVector) a = vector_make (300000);
      g_autoptr (TtiVector) b = vector_make (300000);

      tti_vector_get_usage (&bytes, &storages);
      g_assert_cmpuint (storages, ==, 1);
      g_assert_cmpuint (bytes, >=, 600000);
      g_assert_cmpuint (bytes, <, 700000);
    }
  tti_vector_get_usage (&bytes, &storages);
  g_assert_cmpuint (bytes, ==, 0);
  g_assert_cmpuint (storages, ==, 0);
}

static void
test_descriptors_are_bounded (void)
{
  g_autoptr (GPtrArray) vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
  drop_kept_memory ();
  guint before = count_descriptors ();

  for (guint i = 0; i < 5000; i++)
    g_ptr_array_add (vectors, vector_make (1100 * 1024));
  g_assert_cmpuint (count_descriptors () - before, <, 800);
  g_ptr_array_set_size (vectors, 0);
  drop_kept_memory ();
  g_assert_cmpuint (count_descriptors (), ==, before);
}

static void
test_slice (void)
{
  TtiVector *vector = vector_make (50000);
  g_autoptr (TtiVector) slice = tti_vector_slice (vector, 10000, 20000);
  g_autoptr (TtiVector) inner = tti_vector_slice (slice, 1, 10);
  goffset whole, part;

  memset (tti_vector_get_data (vector), 7, 50000);
  g_assert_true (tti_vector_get_data (inner) == (guint8 *) tti_vector_get_data (vector) + 10001);
  g_assert_cmpint (tti_vector_get_descriptor (vector, &whole), ==, tti_vector_get_descriptor (inner, &part));
  g_assert_cmpint (part - whole, ==, 10001);
  tti_vector_unref (vector);
  g_assert_cmpuint (((guint8 *) tti_vector_get_data (inner))[9], ==, 7);
}

static void
test_borrow (void)
{
  g_autoptr (TtiVector) vector = vector_make (50000);
  g_autoptr (TtiVector) neighbour = vector_make (50000);
  g_autoptr (TtiVector) slice = tti_vector_slice (vector, 0, 100);
  g_autoptr (TtiVector) inner = tti_vector_slice (slice, 50, 10);

  tti_vector_borrow (inner);
  tti_vector_borrow (vector);
  g_assert_true (tti_vector_is_borrowed (vector));
  g_assert_true (tti_vector_is_borrowed (slice));
  g_assert_false (tti_vector_is_borrowed (neighbour));
  tti_vector_give_back (slice);
  g_assert_true (tti_vector_is_borrowed (inner));
  tti_vector_give_back (inner);
  g_assert_false (tti_vector_is_borrowed (vector));
}

static void
test_find (void)
{
  gsize sizes[] = { 100, 20000, 2000000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      TtiVector *vector = vector_make (sizes[i]);
      g_autoptr (TtiVector) neighbour = vector_make (sizes[i]);
      guint8 *data = tti_vector_get_data (vector);
      gsize found = 0;

      g_assert_true (tti_vector_find (data, &found));
      g_assert_cmpuint (found, ==, sizes[i]);
      g_assert_true (tti_vector_find (data + sizes[i] - 1, &found));
      TtiVector *slice = tti_vector_slice (vector, 10, 5);
      g_assert_true (tti_vector_find (data + 14, &found));
      g_assert_cmpuint (found, ==, 5);
      tti_vector_unref (vector);
      g_assert_true (tti_vector_find (data, &found)); /* the slice keeps it */
      tti_vector_unref (slice);
      g_assert_false (tti_vector_find (data, NULL));
    }
  g_assert_false (tti_vector_find (sizes, NULL));
}

/* Can a byte be stored at ADDRESS? The kernel does it: it returns an error where a store of our own would end the process. */
static gboolean
can_be_written (gpointer address)
{
  int pipe_fds[2];

  g_assert_no_errno (pipe (pipe_fds));
  g_assert_cmpint (write (pipe_fds[1], "x", 1), ==, 1);
  gboolean written = read (pipe_fds[0], address, 1) == 1;

  close (pipe_fds[0]);
  close (pipe_fds[1]);
  return written;
}

static void
test_protect (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiVector) vector = tti_vector_new_to_protect (100, &error);
  gsize before, size;

  g_assert_no_error (error);
  guint8 *data = tti_vector_get_data (vector);

  g_assert_true (tti_vector_is_writable (vector));
  g_assert_cmpint (tti_vector_get_descriptor (vector, NULL), ==, -1);
  g_assert_cmpint (data[99], ==, 0);
  data[99] = 7;
  tti_vector_protect (vector);
  g_assert_false (tti_vector_is_writable (vector));
  g_assert_false (can_be_written (data));
  g_assert_cmpint (data[99], ==, 7);
  g_assert_true (tti_vector_find (data + 99, &size));
  g_assert_cmpuint (size, ==, 100);
  tti_vector_get_usage (&before, NULL);
  g_clear_pointer (&vector, tti_vector_unref);
  tti_vector_get_usage (&size, NULL);
  g_assert_cmpuint (size, ==, before - 100);
  g_assert_false (tti_vector_find (data, NULL));
}

static void
test_find_more_than_a_chunk (void)
{
  g_autoptr (GPtrArray) vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);

  for (gsize i = 0; i < 3000; i++)
    g_ptr_array_add (vectors, vector_make (i + 1));
  for (gsize i = 0; i < 3000; i += 7)
    {
      gsize found;

      g_assert_true (tti_vector_find (tti_vector_get_data (g_ptr_array_index (vectors, i)), &found));
      g_assert_cmpuint (found, ==, i + 1);
    }
}

static char *
file_make (const char *contents, gsize size)
{
  g_autoptr (GError) error = NULL;
  char *path = NULL;
  int fd = g_file_open_tmp ("tutti-test-XXXXXX", &path, &error);

  g_assert_no_error (error);
  g_assert_cmpint (write (fd, contents, size), ==, size);
  close (fd);
  return path;
}

static void
test_file (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *contents = g_strnfill (20000, 'a');

  contents[5001] = 'b';
  g_autofree char *path = file_make (contents, 20000);
  g_autoptr (TtiVector) reader = tti_vector_open_file (path, 5001, 10, FALSE, &error);
  g_assert_no_error (error);
  g_autoptr (TtiVector) rest = tti_vector_open_file (path, 5001, -1, TRUE, &error);
  g_assert_no_error (error);
  goffset offset;

  g_assert_cmpint (*(char *) tti_vector_get_data (reader), ==, 'b');
  g_assert_false (tti_vector_is_writable (reader));
  g_assert_cmpuint (tti_vector_get_size (rest), ==, 20000 - 5001);
  g_assert_cmpint (tti_vector_get_descriptor (rest, &offset), >=, 0);
  g_assert_cmpint (offset, ==, 5001);
  ((char *) tti_vector_get_data (rest))[1] = 'c';
  g_assert_cmpint (((char *) tti_vector_get_data (reader))[1], ==, 'c');
  unlink (path);
}

static void
test_file_refused (void)
{
  g_autofree char *path = file_make ("12345", 5);
  struct { const char *path; goffset offset; gssize count; const char *part; } cases[] = {
    { path, 0, 6, "has 5 bytes, expected at least 6 from offset 0" },
    { path, 6, -1, "has 5 bytes" },
    { path, G_MAXINT64, 1, "has 5 bytes" },
    { "/nonexistent/file", 0, 1, "/nonexistent/file" },
    { "/dev/null", 0, 1, "/dev/null" },
    { "/", 0, 1, "'/'" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (tti_vector_open_file (cases[i].path, cases[i].offset, cases[i].count, FALSE, &error));
      g_assert_nonnull (error);
      g_assert_nonnull (strstr (error->message, cases[i].part));
    }
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiVector) nothing = tti_vector_open_file (path, 5, -1, FALSE, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tti_vector_get_size (nothing), ==, 0);
  unlink (path);
}

static void
test_adopt_modes (void)
{
  g_autoptr (TtiVector) vector = vector_make (100000);
  goffset offset;
  int fd = tti_vector_get_descriptor (vector, &offset);
  guint8 *data = tti_vector_get_data (vector);
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiVector) shared = tti_vector_adopt (fd, offset + 5, 10, TTI_MAP_SHARED, TRUE, &error);
  g_assert_no_error (error);
  g_autoptr (TtiVector) copy = tti_vector_adopt (fd, offset + 5, 10, TTI_MAP_COPY, TRUE, &error);
  g_assert_no_error (error);
  g_autoptr (TtiVector) only = tti_vector_adopt (fd, offset + 5, 10, TTI_MAP_READ_ONLY, TRUE, &error);
  g_assert_no_error (error);
  goffset again;

  *(guint8 *) tti_vector_get_data (shared) = 1;
  g_assert_cmpuint (data[5], ==, 1);
  *(guint8 *) tti_vector_get_data (copy) = 2;
  g_assert_cmpuint (data[5], ==, 1);
  g_assert_cmpuint (*(guint8 *) tti_vector_get_data (only), ==, 1);
  g_assert_true (tti_vector_is_received (shared) && !tti_vector_is_received (vector));
  g_assert_true (tti_vector_is_writable (copy) && !tti_vector_is_writable (only));
  g_assert_cmpint (tti_vector_get_descriptor (copy, NULL), ==, -1); /* its descriptor would not have the 2 */
  g_assert_cmpint (tti_vector_get_descriptor (only, &again), !=, fd);
  g_assert_cmpint (again, ==, offset + 5);
}

static void
test_adopt_refused (void)
{
  tti_autofd int open_fd = memfd_create ("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (ftruncate (open_fd, 8192), ==, 0);
  g_assert_null (tti_vector_adopt (open_fd, 0, 8192, TTI_MAP_SHARED, TRUE, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  g_clear_error (&error);
  g_assert_null (tti_vector_adopt (open_fd, 1, 8192, TTI_MAP_SHARED, FALSE, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, "8192"));
  g_clear_error (&error);
  g_assert_null (tti_vector_adopt (open_fd, 4096, G_MAXSIZE, TTI_MAP_SHARED, FALSE, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  g_clear_error (&error);
  g_autoptr (TtiVector) vector = tti_vector_adopt (open_fd, 0, 8192, TTI_MAP_SHARED, FALSE, &error);
  g_assert_no_error (error);
}

static gpointer
churn (gpointer data)
{
  guint *stop = data;
  guint n = 0;

  while (!g_atomic_int_get (stop))
    {
      gsize size = (gsize) (n++ % 3 == 0 ? 100 : 20000);
      g_autoptr (TtiVector) vector = tti_vector_new (size, NULL);
      g_autoptr (TtiVector) slice = tti_vector_slice (vector, 10, 20);

      *(guint8 *) tti_vector_get_data (slice) = 1;
      tti_vector_borrow (slice);
      tti_vector_give_back (slice);
    }
  return NULL;
}

/* A reader never sees an incomplete entry: that of the other vector would extend from address 0 to its end, and contain OURS. */
static void
test_threads (void)
{
  guint stop = 0;
  GThread *threads[3];
  g_autoptr (TtiVector) vector = vector_make (30001);
  g_autofree char *ours = g_malloc (10);

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("churn", churn, &stop);
  for (guint i = 0; i < 5000; i++)
    {
      gsize found;

      g_assert_true (tti_vector_find (tti_vector_get_data (vector), &found));
      g_assert_cmpuint (found, ==, 30001);
      g_assert_false (tti_vector_find (ours, NULL));
    }
  g_atomic_int_set (&stop, 1);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
check_nothing_left (void)
{
  gsize bytes;
  guint storages;

  tti_vector_unref (NULL);
  tti_vector_get_usage (&bytes, &storages);
  g_assert_cmpuint (bytes, ==, 0);
  g_assert_cmpuint (storages, ==, 0);
}

/* Protected while it is borrowed, even repeatedly: the kernel returns EFAULT where an instruction would fault. */
static void
test_protected (void)
{
  g_autoptr (TtiVector) vector = tti_vector_new (100000, NULL), small = tti_vector_new (100, NULL);
  g_autoptr (TtiVector) slice = tti_vector_slice (vector, 8192, 16), before = tti_vector_new (100000, NULL);
  guint8 *data = tti_vector_get_data (vector);
  tti_autofd int zeros = open ("/dev/zero", O_RDONLY | O_CLOEXEC);
  gsize size, offset;

  tti_vector_borrow (before); /* vectors that are borrowed already are not affected */
  tti_vector_protect_borrowed ();
  g_assert_cmpint (read (zeros, data, 1), ==, 1);
  tti_vector_borrow (small);
  tti_vector_borrow (slice);
  tti_vector_borrow (vector);
  g_assert_cmpint (read (zeros, tti_vector_get_data (before), 1), ==, 1);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (read (zeros, data, 1), ==, -1);
      g_assert_cmpint (read (zeros, data + 99999, 1), ==, -1);
      g_assert_true (tti_vector_find_protected (data + 8200, &size, &offset));
      g_assert_cmpuint (size, ==, 100000);
      g_assert_cmpuint (offset, ==, 8200);
      tti_vector_give_back (i == 0 ? slice : vector);
    }
  g_assert_cmpint (read (zeros, data, 1), ==, 1);
  g_assert_false (tti_vector_find_protected (data + 8200, &size, &offset));
  g_assert_cmpint (read (zeros, tti_vector_get_data (small), 1), ==, 1);
  tti_vector_give_back (small);
  tti_vector_give_back (before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vector/new/storage-by-size", test_storage_by_size);
  g_test_add_func ("/vector/new/zero-filled", test_zero_filled);
  g_test_add_func ("/vector/new/sealed-and-read-only", test_descriptor_is_sealed_and_read_only);
  g_test_add_func ("/vector/arena/slots-not-reused", test_slots_are_not_reused);
  g_test_add_func ("/vector/arena/goes-with-its-last", test_arena_goes_with_its_last);
  g_test_add_func ("/vector/arena/descriptors-bounded", test_descriptors_are_bounded);
  g_test_add_func ("/vector/slice", test_slice);
  g_test_add_func ("/vector/borrow", test_borrow);
  g_test_add_func ("/vector/find", test_find);
  g_test_add_func ("/vector/protect", test_protect);
  g_test_add_func ("/vector/find/many", test_find_more_than_a_chunk);
  g_test_add_func ("/vector/file", test_file);
  g_test_add_func ("/vector/file/refused", test_file_refused);
  g_test_add_func ("/vector/adopt/modes", test_adopt_modes);
  g_test_add_func ("/vector/adopt/refused", test_adopt_refused);
  g_test_add_func ("/vector/threads", test_threads);
  g_test_add_func ("/vector/protected", test_protected); /* the last: it is for the whole process */
  int status = g_test_run ();

  check_nothing_left ();
  return status;
}
