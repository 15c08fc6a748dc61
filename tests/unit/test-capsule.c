/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Capsules are read as they were written, and what is no capsule, or only a part of one, is refused. */
#include "look/capsule.h"
#include "platform/error.h"
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static TtiPayload *
payload_of (const char *text, gsize vector_size)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);

  if (vector_size > 0)
    {
      TtiVector *vector = tti_vector_new (vector_size, &error);

      g_assert_no_error (error);
      memset (tti_vector_get_data (vector), 7, vector_size);
      g_ptr_array_add (vectors, vector);
    }
  return tti_payload_new (g_bytes_new (text, strlen (text)), vectors, NULL);
}

/* A capsule of MOST bytes at most, in a descriptor. */
static int
write_capsule (gsize most, GError **error)
{
  g_autoptr (TtiPayload) held = payload_of ("held", 100000), request = payload_of ("request", 24);
  TtiCapsuleWriter *writer = tti_capsule_writer_new (most, error);

  g_assert_nonnull (writer);
  tti_capsule_writer_add_fact (writer, "task", "17");
  tti_capsule_writer_add_fact (writer, "error", "");
  tti_capsule_writer_add (writer, TTI_CAPSULE_GIVEN, 5, held);
  tti_capsule_writer_add (writer, TTI_CAPSULE_REQUEST, 0, request);
  return tti_capsule_writer_finish (writer, error);
}

static char *
contents_of (int fd, gsize *length)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr (GError) error = NULL;
  char *contents = NULL;

  g_file_get_contents (path, &contents, length, &error);
  g_assert_no_error (error);
  return contents;
}

static void
test_whole (void)
{
  g_autoptr (GError) error = NULL;
  int fd = write_capsule (1000000, &error);

  g_assert_no_error (error);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr (TtiCapsule) capsule = tti_capsule_read (path, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_hash_table_lookup (capsule->facts, "task"), ==, "17");
  g_assert_cmpstr (g_hash_table_lookup (capsule->facts, "error"), ==, "");
  g_assert_cmpuint (capsule->parts->len, ==, 2);
  const TtiCapsuleItem *held = g_ptr_array_index (capsule->parts, 0), *request = g_ptr_array_index (capsule->parts, 1);

  g_assert_cmpuint (held->kind, ==, TTI_CAPSULE_GIVEN);
  g_assert_cmpuint (held->id, ==, 5);
  g_assert_cmpuint (request->kind, ==, TTI_CAPSULE_REQUEST);
  g_autoptr (TtiPayload) expected = payload_of ("held", 100000), other = payload_of ("request", 24);

  g_assert_true (tti_payload_is_equal (held->payload, expected));
  g_assert_true (tti_payload_is_equal (request->payload, other));
  close (fd);
}

/* Cut anywhere, and with any of its words changed, it is refused or read, and nothing else happens. */
static void
test_damaged (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("tutti-capsule-XXXXXX", &error);
  g_autofree char *file = g_build_filename (folder, "damaged", NULL);
  int fd = write_capsule (1000000, &error);
  gsize length = 0;
  g_autofree char *contents = contents_of (fd, &length);

  for (gsize cut = 0; cut < length; cut += cut < 512 ? 1 : 997)
    {
      g_autoptr (GError) problem = NULL;

      g_assert_true (g_file_set_contents (file, contents, (gssize) cut, NULL));
      g_autoptr (TtiCapsule) capsule = tti_capsule_read (file, &problem);

      g_assert_null (capsule);
      g_assert_error (problem, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
    }
  for (gsize at = 0; at < 256; at += 8)
    for (guint bit = 0; bit < 64; bit += 9)
      {
        g_autofree char *copy = g_memdup2 (contents, length);

        copy[at + bit / 8] ^= (char) (1 << bit % 8);
        g_assert_true (g_file_set_contents (file, copy, (gssize) length, NULL));
        g_autoptr (GError) problem = NULL;
        g_autoptr (TtiCapsule) capsule = tti_capsule_read (file, &problem);

        g_assert_true (capsule != NULL || problem != NULL);
      }
  g_assert_cmpint (g_unlink (file), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  close (fd);
}

static void
test_limit (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (write_capsule (50000, &error), ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT);
  g_assert_cmpstr (error->message, ==, "it has more than 50000 bytes");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/capsule/whole", test_whole);
  g_test_add_func ("/capsule/damaged", test_damaged);
  g_test_add_func ("/capsule/limit", test_limit);
  return g_test_run ();
}
