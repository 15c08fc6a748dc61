/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What vectors know of the files that they are of: enough to find the same elsewhere, and to notice that the file has changed. */
#include "transport/file-origin.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 100000 };

static char *folder;

static char *
make_file (const char *name, gsize size)
{
  char *path = g_build_filename (folder, name, NULL);
  g_autofree char *contents = g_strnfill (size, 'x');

  g_assert_true (g_file_set_contents (path, contents, (gssize) size, NULL));
  return path;
}

/* Write to PATH, and set its time, which may be counted in jiffies. */
static void
change_file (const char *path)
{
  const struct timespec times[] = { { 1, 0 }, { 1, 0 } };
  tti_autofd int fd = open (path, O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (pwrite (fd, "y", 1, 5), ==, 1);
  g_assert_cmpint (futimens (fd, times), ==, 0);
}

static void
test_mapped (void)
{
  g_autofree char *path = make_file ("mapped", SIZE);
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiVector) vector = tti_vector_open_file (path, 8, 80000, FALSE, &error);
  TtiFileOrigin origin;

  g_assert_no_error (error);
  g_assert_true (tti_vector_get_origin (vector, &origin));
  g_assert_cmpstr (origin.path, ==, path);
  g_assert_cmpuint (origin.offset, ==, 8);
  g_assert_cmpuint (origin.file_size, ==, SIZE);
  g_assert_false (origin.is_copy);
  g_autoptr (TtiVector) slice = tti_vector_slice (vector, 1000, 2000);
  g_assert_true (tti_vector_get_origin (slice, &origin));
  g_assert_cmpuint (origin.offset, ==, 1008);

  g_autoptr (TtiVector) writable = tti_vector_open_file (path, 0, -1, TRUE, &error), own = tti_vector_new (80000, &error);
  g_assert_no_error (error);
  g_assert_false (tti_vector_get_origin (writable, &origin));
  g_assert_false (tti_vector_get_origin (own, &origin));
  g_unlink (path);
}

/* Contents that nobody here can change have a version of their own; what is not borrowed, none. */
static void
test_version (void)
{
  g_autofree char *path = make_file ("version", SIZE);
  g_autoptr (TtiVector) vector = tti_vector_open_file (path, 0, -1, FALSE, NULL), other = tti_vector_open_file (path, 0, -1, FALSE, NULL);
  g_autoptr (TtiVector) copy = tti_vector_read_file (path, NULL), own = tti_vector_new (80000, NULL);
  guint64 version = tti_vector_get_version (vector), of_copy = tti_vector_get_version (copy);

  g_assert_cmpuint (version, !=, 0);
  g_assert_cmpuint (version, !=, tti_vector_get_version (other));
  g_assert_cmpuint (tti_vector_get_version (own), ==, 0);
  tti_vector_borrow (vector);
  g_assert_cmpuint (tti_vector_get_version (vector), ==, version);
  change_file (path);
  g_assert_false (tti_vector_is_as_opened (vector));
  g_assert_cmpuint (tti_vector_get_version (vector), ==, tti_vector_get_borrow (vector));
  tti_vector_give_back (vector);
  g_assert_cmpuint (tti_vector_get_version (vector), ==, 0);
  g_assert_cmpuint (tti_vector_get_version (copy), ==, of_copy);
  g_assert_cmpint (((char *) tti_vector_get_data (copy))[5], ==, 'x');
  g_unlink (path);
}

static void
test_read (void)
{
  g_autofree char *empty = make_file ("empty", 0), *missing = g_build_filename (folder, "missing", NULL);
  g_autofree char *pipe = g_build_filename (folder, "pipe", NULL);
  g_autoptr (GError) error = NULL, of_pipe = NULL, of_folder = NULL;
  g_autoptr (TtiVector) nothing = tti_vector_read_file (empty, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tti_vector_get_size (nothing), ==, 0);
  g_assert_null (tti_vector_read_file (missing, &error));
  g_assert_nonnull (strstr (error->message, missing));
  /* Nobody writes to it, and nobody waits for that. */
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  g_assert_null (tti_vector_read_file (pipe, &of_pipe));
  g_assert_nonnull (strstr (of_pipe->message, "no regular file"));
  g_assert_null (tti_vector_read_file (folder, &of_folder));
  g_assert_nonnull (strstr (of_folder->message, folder));
  g_unlink (empty);
  g_unlink (pipe);
}

static GBytes *
count_call (TtiVector *vector, gpointer data)
{
  ++*(guint *) data;
  return tti_vector_get_size (vector) == 10 ? NULL : g_bytes_new (tti_vector_get_data (vector), 4);
}

static void
test_digest (void)
{
  g_autofree char *path = make_file ("digest", SIZE);
  g_autoptr (TtiVector) vector = tti_vector_open_file (path, 0, -1, FALSE, NULL), slice = tti_vector_slice (vector, 0, 100);
  g_autoptr (TtiVector) same = tti_vector_slice (vector, 0, 100), short_one = tti_vector_slice (vector, 0, 10);
  guint n_calls = 0;
  g_autoptr (GBytes) one = tti_vector_get_digest (slice, count_call, &n_calls);
  g_autoptr (GBytes) other = tti_vector_get_digest (same, count_call, &n_calls);

  g_assert_true (one == other);
  g_assert_cmpuint (n_calls, ==, 1);
  g_bytes_unref (tti_vector_get_digest (vector, count_call, &n_calls));
  g_assert_cmpuint (n_calls, ==, 2);
  g_assert_null (tti_vector_get_digest (short_one, count_call, &n_calls));
  g_assert_null (tti_vector_get_digest (short_one, count_call, &n_calls));
  g_assert_cmpuint (n_calls, ==, 4);
  g_unlink (path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("test-file-origin-XXXXXX", NULL);
  g_assert_nonnull (folder);
  g_test_add_func ("/file-origin/mapped", test_mapped);
  g_test_add_func ("/file-origin/version", test_version);
  g_test_add_func ("/file-origin/read", test_read);
  g_test_add_func ("/file-origin/digest", test_digest);
  int status = g_test_run ();

  g_rmdir (folder);
  g_free (folder);
  return status;
}
