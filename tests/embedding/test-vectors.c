/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors: of every type of element and many lengths, their slices, files, and what others see of them. */
#include "embedding-test.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <unistd.h>

static const gsize element_sizes[] = { 8, 4, 16, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1 };

static TuttiVector *
vector_new (TuttiElementType type, gsize n)
{
  g_autoptr (GError) error = NULL;
  TuttiVector *vector = tutti_vector_new_typed (type, n, &error);

  g_assert_no_error (error);
  g_assert_cmpint (tutti_vector_get_element_type (vector), ==, type);
  g_assert_cmpuint (tutti_vector_get_n_elements (vector), ==, n);
  g_assert_cmpuint (tutti_vector_get_size (vector), ==, n * element_sizes[type]);
  g_assert_true (tutti_vector_is_writable (vector));
  g_assert_false (tutti_vector_is_borrowed (vector));
  return vector;
}

/* What a worker returns for VECTOR is the same; a vector of the caller's. */
static TuttiVector *
round_trip (TuttiPool *pool, TuttiVector *vector)
{
  g_autoptr (TuttiValue) value = tutti_value_new_vector (vector), back = CALL (pool, "echo", tutti_value_ref (value), NULL);

  g_assert_true (tutti_value_equal (value, back));
  g_assert_cmpint (tutti_vector_get_element_type (tutti_value_get_vector (back)), ==, tutti_vector_get_element_type (vector));
  return tutti_vector_ref (tutti_value_get_vector (back));
}

static void
test_types (void)
{
  TuttiPool *pool = pool_new (1);
  /* On either side of 16 KiB. */
  const gsize lengths[] = { 0, 1, 3, 1024, 1025, 2048, 2049, 4097, 16384, 16385 };

  for (guint type = 0; type <= TUTTI_ELEMENT_BYTES; type++)
    for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
      {
        g_autoptr (TuttiVector) vector = vector_new ((TuttiElementType) type, lengths[i]);
        guint8 *data = tutti_vector_get_data (vector);

        for (gsize k = 0; k < tutti_vector_get_size (vector); k++)
          {
            g_assert_cmpuint (data[k], ==, 0);
            data[k] = (guint8) (k * 7 + type);
          }
        g_autoptr (TuttiVector) back = round_trip (pool, vector);
        g_assert_cmpmem (tutti_vector_get_data (back), tutti_vector_get_size (back), data, tutti_vector_get_size (vector));
      }
  pool_end (pool);
}

static void
test_large (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (TuttiVector) x = vector_new (TUTTI_ELEMENT_F64, 1000000);
  gsize n;
  double *numbers = tutti_vector_get_doubles (x, &n);

  g_assert_cmpuint (n, ==, 1000000);
  for (gsize i = 0; i < n; i++)
    numbers[i] = (double) i;
  g_autoptr (TuttiValue) value = CALL (pool, "scale", tutti_value_new_vector (x), tutti_value_new_real (0.5), NULL);
  const double *scaled = tutti_vector_get_doubles (tutti_value_get_vector (value), &n);
  g_assert_cmpuint (n, ==, 1000000);
  for (gsize i = 0; i < n; i++)
    g_assert_cmpfloat (scaled[i], ==, 0.5 * (double) i);
  pool_end (pool);
}

static void
test_slices (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiVector) vector = vector_new (TUTTI_ELEMENT_F64, 10000);
  gsize n;
  double *numbers = tutti_vector_get_doubles (vector, &n);

  for (gsize i = 0; i < n; i++)
    numbers[i] = (double) i;
  const struct { gsize start, n; } parts[] = { { 0, 10000 }, { 1, 9999 }, { 9999, 1 }, { 10000, 0 }, { 3, 0 }, { 7, 100 }, { 5000, 4000 } };
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autoptr (TuttiVector) slice = tutti_vector_slice (vector, parts[i].start, parts[i].n, &error);
      g_assert_no_error (error);
      g_autoptr (TuttiVector) part = tutti_vector_slice (slice, parts[i].n / 2, parts[i].n - parts[i].n / 2, &error);
      g_assert_no_error (error);
      g_autoptr (TuttiVector) back = round_trip (pool, slice), half = round_trip (pool, part);
      g_assert_cmpuint (tutti_vector_get_n_elements (back), ==, parts[i].n);
      if (parts[i].n > 0)
        {
          g_assert_cmpfloat (tutti_vector_get_doubles (back, &n)[0], ==, (double) parts[i].start);
          g_assert_cmpfloat (tutti_vector_get_doubles (half, &n)[0], ==, (double) (parts[i].start + parts[i].n / 2));
        }
    }
  /* The same memory. */
  g_autoptr (TuttiVector) slice = tutti_vector_slice (vector, 10, 10, &error);
  tutti_vector_get_doubles (slice, &n)[0] = -1;
  g_assert_cmpfloat (numbers[10], ==, -1);
  const struct { gsize start, n; } wrong[] = { { 10001, 0 }, { 0, 10001 }, { 9999, 2 }, { G_MAXSIZE, 2 }, { 2, G_MAXSIZE } };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_assert_null (tutti_vector_slice (vector, wrong[i].start, wrong[i].n, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE);
      g_clear_error (&error);
    }
  pool_end (pool);
}

static void
test_copies (void)
{
  g_autoptr (GError) error = NULL;
  const double numbers[] = { 1, 2, 3 };
  const guint8 bytes[] = { 1, 0, 255 };
  g_autoptr (TuttiVector) vector = tutti_vector_new_from_doubles (numbers, 3, &error);
  g_autoptr (TuttiVector) of_bytes = tutti_vector_new_from_bytes (bytes, 3, &error);
  g_autoptr (TuttiVector) none = tutti_vector_new_from_doubles (NULL, 0, &error), no_bytes = tutti_vector_new_from_bytes (NULL, 0, &error);
  g_autoptr (TuttiVector) complex = vector_new (TUTTI_ELEMENT_C64, 2), whole = vector_new (TUTTI_ELEMENT_S32, 2);

  g_assert_no_error (error);
  g_assert_cmpmem (tutti_vector_get_data (vector), tutti_vector_get_size (vector), numbers, sizeof numbers);
  g_assert_cmpmem (tutti_vector_get_data (of_bytes), tutti_vector_get_size (of_bytes), bytes, sizeof bytes);
  g_assert_cmpuint (tutti_vector_get_n_elements (none), ==, 0);
  g_assert_cmpuint (tutti_vector_get_n_elements (no_bytes), ==, 0);
  g_assert_true (tutti_vector_set_doubles (complex, 1, numbers, 3, &error));
  g_assert_no_error (error);
  gsize n;
  g_assert_cmpfloat (tutti_vector_get_doubles (complex, &n)[3], ==, 3);
  g_assert_cmpuint (n, ==, 4);
  g_assert_false (tutti_vector_set_doubles (complex, 2, numbers, 3, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE);
  g_clear_error (&error);
  g_assert_false (tutti_vector_set_doubles (whole, 0, numbers, 1, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (tutti_vector_new (G_MAXSIZE / 4, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT);
}

static void
test_files (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("tutti-embedding-XXXXXX", &error), *path = g_build_filename (folder, "numbers", NULL);
  g_autofree double *numbers = g_new0 (double, 100000);
  gsize n;

  for (gsize i = 0; i < 100000; i++)
    numbers[i] = (double) i;
  g_assert_true (g_file_set_contents (path, (char *) numbers, 100000 * sizeof (double), &error));
  const struct { guint64 offset; gssize n; gsize length; } parts[]
    = { { 0, -1, 100000 }, { 800, -1, 99900 }, { 8, 3, 3 }, { 4096, 50000, 50000 }, { 800000, -1, 0 }, { 16, 0, 0 } };
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autoptr (TuttiVector) vector = tutti_vector_new_for_file (path, TUTTI_ELEMENT_F64, parts[i].offset, parts[i].n, FALSE, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (tutti_vector_get_n_elements (vector), ==, parts[i].length);
      if (parts[i].length > 0)
        {
          g_assert_false (tutti_vector_is_writable (vector));
          g_assert_false (tutti_vector_set_doubles (vector, 0, numbers, 1, &error));
          g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
          g_clear_error (&error);
        }
      g_autoptr (TuttiVector) back = round_trip (pool, vector);
      if (parts[i].length > 0)
        g_assert_cmpfloat (tutti_vector_get_doubles (back, &n)[0], ==, (double) (parts[i].offset / 8));
    }
  g_autoptr (TuttiVector) writable = tutti_vector_new_for_file (path, TUTTI_ELEMENT_F64, 0, 2, TRUE, &error);
  g_assert_no_error (error);
  g_assert_true (tutti_vector_set_doubles (writable, 0, (const double[]){ 42 }, 1, &error));
  g_autoptr (TuttiVector) seen = tutti_vector_new_for_file (path, TUTTI_ELEMENT_F64, 0, 1, FALSE, &error);
  g_assert_cmpfloat (tutti_vector_get_doubles (seen, &n)[0], ==, 42);
  const struct { guint64 offset; gssize n; int code; } wrong[]
    = { { 0, 100001, TUTTI_ERROR_SHAPE }, { 900000, -1, TUTTI_ERROR_SHAPE }, { G_MAXUINT64, 1, TUTTI_ERROR_LIMIT },
        { 0, G_MAXSSIZE, TUTTI_ERROR_LIMIT } };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_assert_null (tutti_vector_new_for_file (path, TUTTI_ELEMENT_F64, wrong[i].offset, wrong[i].n, FALSE, &error));
      g_assert_error (error, TUTTI_ERROR, wrong[i].code);
      g_clear_error (&error);
    }
  g_assert_null (tutti_vector_new_for_file ("there/is/none", TUTTI_ELEMENT_F64, 0, -1, FALSE, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
  g_assert_nonnull (strstr (error->message, "there/is/none"));
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  pool_end (pool);
}

/* Others can map the memory, and cannot write to it. */
static void
test_descriptor (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiVector) vector = vector_new (TUTTI_ELEMENT_F64, 100000), small = vector_new (TUTTI_ELEMENT_F64, 10);
  g_autoptr (TuttiVector) slice = tutti_vector_slice (vector, 99, 90000, &error);
  guint64 offset;
  gsize n;

  for (guint i = 0; i < 100000; i++)
    tutti_vector_get_doubles (vector, &n)[i] = i;
  int fd = tutti_vector_dup_fd (slice, &offset, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (offset % sizeof (double), ==, 0);
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
  double number;
  g_assert_cmpint (pread (fd, &number, sizeof number, (off_t) offset), ==, sizeof number);
  g_assert_cmpfloat (number, ==, 99);
  guint64 page = offset / 4096 * 4096;
  const char *map = mmap (NULL, 90000 * 8 + 4096, PROT_READ, MAP_SHARED, fd, (off_t) page);
  g_assert_true (map != MAP_FAILED);
  tutti_vector_get_doubles (vector, &n)[100] = -7;
  memcpy (&number, map + (offset - page) + 8, sizeof number);
  g_assert_cmpfloat (number, ==, -7);
  g_assert_cmpint (munmap ((gpointer) map, 90000 * 8 + 4096), ==, 0);
  g_assert_true (mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t) page) == MAP_FAILED);
  g_assert_cmpint (close (fd), ==, 0);
  g_assert_cmpint (tutti_vector_dup_fd (small, &offset, &error), ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
}

/* While a task has a vector it is borrowed, and its worker cannot write to it. */
static void
test_borrowed (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("tutti-embedding-XXXXXX", &error), *path = g_build_filename (folder, "here", NULL);
  g_autoptr (TuttiVector) vector = vector_new (TUTTI_ELEMENT_F64, 100000);
  g_autoptr (TuttiTask) task = task_of ("meet", tutti_value_new_text (path)), next = task_of ("echo", tutti_value_new_vector (vector));

  submit (pool, task);
  submit (pool, next);
  g_assert_true (tutti_vector_is_borrowed (vector));
  g_assert_false (tutti_vector_set_doubles (vector, 0, (const double[]){ 42 }, 1, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_clear_error (&error);
  AWAIT (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_autoptr (TuttiValue) back = tutti_task_wait (next, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (tutti_vector_is_borrowed (vector));
  g_autoptr (TuttiValue) none = call (pool, "write-argument", &error, tutti_value_new_vector (vector), NULL);
  g_assert_null (none);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_FAULT);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/embedding/vectors/types", test_types);
  g_test_add_func ("/embedding/vectors/large", test_large);
  g_test_add_func ("/embedding/vectors/slices", test_slices);
  g_test_add_func ("/embedding/vectors/copies", test_copies);
  g_test_add_func ("/embedding/vectors/files", test_files);
  g_test_add_func ("/embedding/vectors/descriptor", test_descriptor);
  g_test_add_func ("/embedding/vectors/borrowed", test_borrowed);
  return g_test_run ();
}
