/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Floods of lines in files: up to their limit, on a full disk, and when nobody wants them. */
#include "platform/error.h"
#include "pool/spill.h"
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct
{
  TtiSpillPlace place;
  TtiSpill spill;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer limit)
{
  tti_spill_place_init (&fixture->place, GPOINTER_TO_UINT (limit));
  tti_spill_init (&fixture->spill);
}

static void
tear_down (Fixture *fixture, gconstpointer limit)
{
  (void) limit;
  if (fixture->spill.file != NULL)
    g_unlink (fixture->spill.file);
  g_autofree char *folder = g_strdup (fixture->place.folder);

  tti_spill_clear (&fixture->spill);
  tti_spill_place_clear (&fixture->place);
  g_assert_false (g_file_test (folder, G_FILE_TEST_EXISTS));
}

static guint64
add (Fixture *fixture, const char *text)
{
  return tti_spill_add (&fixture->spill, &fixture->place, 7, text, strlen (text));
}

static void
assert_report (Fixture *fixture, guint64 lines, guint64 bytes, guint64 lost_lines, guint64 lost_bytes, const char *problem)
{
  TtiSpillReport report;

  g_assert_true (tti_spill_take (&fixture->spill, 7, &report));
  g_assert_cmpuint (report.index, ==, 7);
  g_assert_cmpuint (report.lines, ==, lines);
  g_assert_cmpuint (report.bytes, ==, bytes);
  g_assert_cmpuint (report.lost_lines, ==, lost_lines);
  g_assert_cmpuint (report.lost_bytes, ==, lost_bytes);
  g_assert_true (problem != NULL ? report.problem != NULL && strstr (report.problem, problem) != NULL : report.problem == NULL);
  tti_spill_report_clear (&report);
  g_assert_false (tti_spill_take (&fixture->spill, 7, &report));
}

static void
assert_file (Fixture *fixture, const char *expected)
{
  g_autofree char *text = NULL;

  g_assert_true (g_str_has_suffix (fixture->spill.file, "/worker-7.txt"));
  g_assert_true (g_file_get_contents (fixture->spill.file, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, expected);
}

static void
test_none (Fixture *fixture, gconstpointer limit)
{
  TtiSpillReport report;

  (void) limit;
  g_assert_false (tti_spill_take (&fixture->spill, 7, &report));
  g_assert_false (fixture->place.made);
}

static void
test_floods (Fixture *fixture, gconstpointer limit)
{
  (void) limit;
  g_assert_cmpuint (add (fixture, "one\ntwo\n"), ==, 0);
  g_assert_cmpuint (add (fixture, "\n"), ==, 0);
  assert_report (fixture, 3, 9, 0, 0, NULL);
  g_assert_cmpuint (add (fixture, "four\n"), ==, 0);
  assert_report (fixture, 1, 5, 0, 0, NULL);
  assert_file (fixture, "one\ntwo\n\nfour\n");
}

static void
test_limit (Fixture *fixture, gconstpointer limit)
{
  (void) limit;
  g_assert_cmpuint (add (fixture, "one\ntwo\nthree\n"), ==, 1);
  /* It would fit, but there is a gap now. */
  g_assert_cmpuint (add (fixture, "x\n"), ==, 1);
  assert_report (fixture, 2, 8, 2, 8, NULL);
  assert_file (fixture, "one\ntwo\n");
  g_assert_cmpuint (add (fixture, "y\n"), ==, 1);
  assert_report (fixture, 0, 0, 1, 2, NULL);
}

static void
test_no_file (Fixture *fixture, gconstpointer limit)
{
  (void) limit;
  g_assert_cmpuint (add (fixture, "one\ntwo\n"), ==, 2);
  assert_report (fixture, 0, 0, 2, 8, NULL);
  g_assert_null (fixture->spill.file);
  g_assert_false (fixture->place.made);
}

/* A limit of file sizes, beyond which a signal would end the process. */
static void
test_full (Fixture *fixture, gconstpointer limit)
{
  struct rlimit before;

  (void) limit;
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &(struct rlimit) { 10, before.rlim_max }), ==, 0);
  g_assert_cmpuint (add (fixture, "one\ntwo\n"), ==, 0);
  g_assert_cmpuint (add (fixture, "three\n"), ==, 1);
  assert_report (fixture, 2, 8, 1, 6, g_strerror (EFBIG));
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  /* There is room again. */
  g_assert_cmpuint (add (fixture, "four\n"), ==, 0);
  assert_report (fixture, 1, 5, 0, 0, NULL);
  assert_file (fixture, "one\ntwo\nfour\n");
}

static void
test_no_folder (Fixture *fixture, gconstpointer limit)
{
  g_autofree char *before = g_steal_pointer (&fixture->place.folder);

  (void) limit;
  fixture->place.folder = g_strdup ("/dev/null/there-is-none-XXXXXX");
  g_assert_cmpuint (add (fixture, "one\n"), ==, 1);
  assert_report (fixture, 0, 0, 1, 4, "/dev/null/there-is-none");
}

static void
test_discard (Fixture *fixture, gconstpointer limit)
{
  TtiSpillReport report;

  (void) limit;
  add (fixture, "one\n");
  tti_spill_discard (&fixture->spill);
  g_assert_false (tti_spill_take (&fixture->spill, 7, &report));
  g_assert_null (fixture->spill.file);
  add (fixture, "two\n");
  assert_report (fixture, 1, 4, 0, 0, NULL);
  /* Files that were reported stay. */
  add (fixture, "three\n");
  tti_spill_discard (&fixture->spill);
  tti_spill_discard (&fixture->spill);
  assert_file (fixture, "two\n");
}

#define ADD(path, limit, test) g_test_add (path, Fixture, GUINT_TO_POINTER (limit), set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/spill/none", 1000, test_none);
  ADD ("/spill/floods", 1000, test_floods);
  ADD ("/spill/limit", 10, test_limit);
  ADD ("/spill/no-file", 0, test_no_file);
  ADD ("/spill/full", 1000, test_full);
  ADD ("/spill/no-folder", 1000, test_no_folder);
  ADD ("/spill/discard", 1000, test_discard);
  return g_test_run ();
}
