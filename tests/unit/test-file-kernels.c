/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The kernels for files, called as Scheme calls them: at the edges of their arrays and with damaged files, where sanitizers can watch. */
#include "file/file.h"
#ifdef HAVE_HDF5
#include "file/hdf5.h"
#endif
#ifdef HAVE_ZIP
#include "file/npz.h"
#endif
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static void
test_swap (void)
{
  guint8 bytes[17];

  for (gsize width = 1; width <= 8; width *= 2)
    {
      for (guint i = 0; i < sizeof bytes; i++)
        bytes[i] = (guint8) i;
      tutti_file_swap (bytes + 1, width, 16 / width);
      g_assert_cmpint (bytes[0], ==, 0);
      for (guint i = 0; i < 16; i++)
        g_assert_cmpint (bytes[1 + i], ==, 1 + (i / width * width + (width - 1 - i % width)));
    }
}

/* Part by part, as a file is read, for items of any width. */
static void
test_place (void)
{
  enum { A = 3, B = 4, C = 5, N = A * B * C };
  const uint64_t shape[] = { A, B, C };

  for (gsize width = 1; width <= 20; width++)
    {
      g_autofree guint8 *items = g_malloc (N * width), *array = g_malloc0 (N * width);
      guint n = 0;

      for (guint k = 0; k < C; k++)
        for (guint j = 0; j < B; j++)
          for (guint i = 0; i < A; i++)
            memset (items + n++ * width, (int) ((i * B + j) * C + k), width);
      for (gsize first = 0; first < N; first += 7)
        tutti_file_place (items + first * width, width, first, MIN (7, N - first), 3, shape, array);
      for (gsize i = 0; i < N * width; i++)
        g_assert_cmpint (array[i], ==, i / width);
    }
  tutti_file_place (NULL, 8, 0, 0, 2, (const uint64_t[]) { 0, 3 }, NULL);
}

static void
test_widen (void)
{
  const uint16_t half[] = { 0x0000, 0x8000, 0x3c00, 0xc000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x7e00 };
  const float expected[] = { 0, -0.f, 1, -2, 0x1p-24f, 0x1.ff8p-15f, 0x1p-14f, 65504, INFINITY, -INFINITY };
  float numbers[G_N_ELEMENTS (half)];

  tutti_file_widen (half, G_N_ELEMENTS (half), numbers);
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_true (numbers[i] == expected[i] && !signbit (numbers[i]) == !signbit (expected[i]));
  g_assert_true (isnan (numbers[10]));
}

/* Reads TEXT, which has no byte behind it, as Scheme does. */
static int
read_csv (const char *text, gsize size)
{
  uint64_t place[3] = { 0 };
  int status = tutti_csv_split (text, size, ',', NULL, NULL, place);
  gsize rows = place[0], columns = place[1];

  if (status != TUTTI_CSV_GOOD)
    return status;
  g_autofree uint64_t *fields = g_new (uint64_t, TUTTI_CSV_WORDS * rows * columns + 1), *lines = g_new (uint64_t, rows + 1);
  g_autofree double *numbers = g_new (double, rows + 1);
  g_autofree int64_t *integers = g_new (int64_t, rows + 1);
  g_assert_cmpint (tutti_csv_split (text, size, ',', fields, lines, place), ==, TUTTI_CSV_GOOD);
  for (gsize c = 0; c < columns; c++)
    {
      TuttiCsvColumn column;
      int kind;

      tutti_csv_column (&column, text, fields + TUTTI_CSV_WORDS * c, columns, rows, "\0NA", 2, '.');
      kind = tutti_csv_kind (&column);
      g_assert_true (tutti_csv_numbers (&column, numbers) == rows || kind == TUTTI_CSV_TEXT);
      g_assert_true (tutti_csv_integers (&column, integers) == rows || kind != TUTTI_CSV_INTEGERS);
      for (gsize row = 0; row < rows; row++)
        {
          const uint64_t *field = fields + TUTTI_CSV_WORDS * (row * columns + c);

          g_assert_cmpuint (field[TUTTI_CSV_START] + (field[TUTTI_CSV_LENGTH] >> 2), <=, size);
        }
    }
  return status;
}

static void
test_csv_damage (void)
{
  static const char good[] = "a,\"b \"\"q\"\"\",c\r\n1,2.5e300,\xc3\xa9\n\n-9223372036854775808,NA,\"x\ny\"\n3,inf,\xf0\x9f\x98\x80";
  static const char alphabet[] = "0123456789.eE+-,\"\n\r \xc3\xa9\xf0naNA";
  g_autoptr (GRand) random = g_rand_new_with_seed (19);
  gsize size = sizeof good - 1;

  g_assert_cmpint (read_csv (good, size), ==, TUTTI_CSV_GOOD);
  for (guint i = 0; i < 30000; i++)
    {
      gsize n = i <= size ? i : (gsize) g_rand_int_range (random, 0, (gint32) size + 1);
      g_autofree char *text = g_memdup2 (good, n);

      for (gint k = i <= size ? 0 : g_rand_int_range (random, 1, 6); k > 0 && n > 0; k--)
        text[g_rand_int_range (random, 0, (gint32) n)] = alphabet[g_rand_int_range (random, 0, sizeof alphabet - 1)];
      read_csv (text, n);
    }
}

static double
number_of (const char *text)
{
  const uint64_t fields[] = { 0, strlen (text) << 2 };
  TuttiCsvColumn column;
  double x = 0;

  tutti_csv_column (&column, text, fields, 1, 1, "", 0, '.');
  g_assert_cmpuint (tutti_csv_numbers (&column, &x), ==, 1);
  return x;
}

/* As the C library reads them; and what is written is read as the same bits. */
static void
test_csv_numbers (void)
{
  static const char *const texts[] = { "0.1", "-0", "1e22", "1e23", "123456789012345", "1234567890123456789", "9007199254740993",
                                       "1e-22", "1e-23",
                                       "4.9e-324", "2.2250738585072011e-308", "1.7976931348623157e308", "1e309", "-1e-400", ".5",
                                       "5.", "+7",
                                       "8.5e+3", "0e99999999999", "1e-99999999999", "0.000000000000000000000000000000000000000001e42",
                                       "100000000000000000000000000000000000000000000000000e-50" };
  g_autoptr (GRand) random = g_rand_new_with_seed (3);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      double x = number_of (texts[i]), expected = g_ascii_strtod (texts[i], NULL);

      g_assert_true (memcmp (&x, &expected, sizeof x) == 0);
    }
  for (guint i = 0; i < 20000; i++)
    {
      guint64 bits = (guint64) g_rand_int (random) << 32 | g_rand_int (random);
      double x, back;
      char text[40] = "";
      uint64_t rows;
      const uint8_t kind = TUTTI_CSV_NUMBERS;
      const uint64_t data = (uint64_t) (uintptr_t) &x, none = 0;
      gsize size;

      memcpy (&x, &bits, sizeof x);
      if (i % 4 == 0)
        x = g_rand_int_range (random, -1000000, 1000000) / 1000.;
      if (isnan (x))
        continue;
      size = tutti_csv_print (1, &kind, &data, &none, 0, 1, ',', '.', text, sizeof text, &rows);
      g_assert_cmpuint (rows, ==, 1);
      g_assert_cmpint (text[size - 1], ==, '\n');
      text[size - 1] = '\0';
      back = number_of (text);
      g_assert_true (memcmp (&x, &back, sizeof x) == 0);
    }
}

#ifdef HAVE_ZIP
static void
test_npz (void)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-test-XXXXXX", NULL), *file = g_build_filename (folder, "a.npz", NULL);
  const char names[] = "a.npy", head[] = "head";
  g_autofree char *body = g_malloc0 (5000);
  const uint64_t name = (uint64_t) (uintptr_t) names, heads = (uint64_t) (uintptr_t) head, bodies = (uint64_t) (uintptr_t) body,
                 head_size = 4, body_size = 5000;
  g_autoptr (GRand) random = g_rand_new_with_seed (5);
  char message[200], *bytes;
  gsize size;

  g_assert_cmpint (tutti_npz_write (file, 1, &name, &heads, &head_size, &bodies, &body_size, 1, message, sizeof message), ==, 0);
  g_assert_true (g_file_get_contents (file, &bytes, &size, NULL));
  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *copy = g_memdup2 (bytes, size);
      gsize cut = i < size ? i : size;
      void *archive;

      for (guint k = 0; k < 3 && i >= size; k++)
        copy[g_rand_int_range (random, 0, (gint32) size)] ^= (char) (1 << g_rand_int_range (random, 0, 8));
      g_assert_true (g_file_set_contents (file, copy, (gssize) cut, NULL));
      archive = tutti_npz_open (file, message, sizeof message);
      for (int64_t m = 0; archive != NULL && m < tutti_npz_count (archive); m++)
        {
          uint64_t length;
          char part[600];
          void *member = tutti_npz_member (archive, (uint64_t) m, &length, message, sizeof message);

          tutti_npz_name (archive, (uint64_t) m, message, sizeof message);
          while (member != NULL && tutti_npz_read (member, part, sizeof part, message, sizeof message) > 0)
            ;
          if (member != NULL)
            tutti_npz_member_close (member);
        }
      if (archive != NULL)
        tutti_npz_close (archive);
    }
  g_free (bytes);
  g_remove (file);
  g_rmdir (folder);
}
#endif

#ifdef HAVE_HDF5
static void
test_hdf5 (void)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-test-XXXXXX", NULL), *name = g_build_filename (folder, "a.h5", NULL);
  const double numbers[] = { 1, 2, 3 };
  const TuttiHdf5Shape vector = { TUTTI_HDF5_F64, 1, { 3 } }, text = { TUTTI_HDF5_TEXT, 1, { 2 } };
  TuttiHdf5Shape found;
  double back[3] = { 0 };
  uint64_t size;
  char *texts;
  int64_t file = tutti_hdf5_open (name, 2);

  g_assert_cmpint (file, >=, 0);
  g_assert_cmpint (tutti_hdf5_write (file, "a/b", NULL, &vector, numbers), ==, 0);
  g_assert_cmpint (tutti_hdf5_write (file, "a/b", "units", &text, "m\0km"), ==, 0);
  g_assert_cmpint (tutti_hdf5_write (file, "a", NULL, &vector, numbers), ==, -1);
  g_assert_nonnull (strstr (tutti_hdf5_message (), "is a group"));
  g_assert_cmpint (tutti_hdf5_write (file, "a/b/c", NULL, &vector, numbers), ==, -1);
  g_assert_nonnull (strstr (tutti_hdf5_message (), "a part of it is a dataset"));
  g_assert_cmpint (tutti_hdf5_close (file), ==, 0);

  file = tutti_hdf5_open (name, 0);
  g_assert_cmpint (tutti_hdf5_look (file, "a/b", NULL, &found), ==, 0);
  g_assert_true (found.kind == TUTTI_HDF5_F64 && found.rank == 1 && found.shape[0] == 3);
  g_assert_cmpint (tutti_hdf5_read (file, "a/b", NULL, TUTTI_HDF5_F64, back), ==, 0);
  g_assert_true (memcmp (back, numbers, sizeof back) == 0);
  texts = tutti_hdf5_read_text (file, "a/b", "units", &size);
  g_assert_cmpmem (texts, size, "m\0km", 5);
  tutti_hdf5_free (texts);
  texts = tutti_hdf5_list (file, NULL, &size);
  g_assert_cmpmem (texts, size, "a\0a/b", 6);
  tutti_hdf5_free (texts);
  g_assert_cmpint (tutti_hdf5_look (file, "a/x/y", NULL, &found), ==, -1);
  g_assert_nonnull (strstr (tutti_hdf5_message (), "there is no a/x/y; /a has: b"));
  g_assert_cmpint (tutti_hdf5_close (file), ==, 0);
  g_remove (name);
  g_rmdir (folder);
}
#endif

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/file/swap", test_swap);
  g_test_add_func ("/file/place", test_place);
  g_test_add_func ("/file/widen", test_widen);
  g_test_add_func ("/file/csv/damage", test_csv_damage);
  g_test_add_func ("/file/csv/numbers", test_csv_numbers);
#ifdef HAVE_ZIP
  g_test_add_func ("/file/npz/damage", test_npz);
#endif
#ifdef HAVE_HDF5
  g_test_add_func ("/file/hdf5/values", test_hdf5);
#endif
  return g_test_run ();
}
