/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Bytes from a pipe become lines. */
#include "platform/fd.h"
#include "process/output.h"
#include <string.h>
#include <unistd.h>

typedef struct
{
  TtiOutput *output;
  GPtrArray *lines;
  int writer;
} Fixture;

static void
take_line (const char *line, gsize length, gpointer lines)
{
  g_ptr_array_add (lines, g_strndup (line, length));
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  int fds[2];

  (void) data;
  g_assert_true (tti_fd_pipe (fds, NULL));
  fixture->lines = g_ptr_array_new_with_free_func (g_free);
  fixture->output = tti_output_new (fds[0], 3, take_line, fixture->lines);
  fixture->writer = fds[1];
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  tti_output_free (fixture->output);
  tti_fd_clear (&fixture->writer);
  g_ptr_array_unref (fixture->lines);
}

static void
say (Fixture *fixture, const char *text)
{
  g_assert_cmpint (write (fixture->writer, text, strlen (text)), ==, (gssize) strlen (text));
}

static void
assert_lines (Fixture *fixture, guint n, const char *last)
{
  g_assert_cmpuint (fixture->lines->len, ==, n);
  if (n > 0)
    g_assert_cmpstr (g_ptr_array_index (fixture->lines, n - 1), ==, last);
}

static void
test_lines (Fixture *fixture, gconstpointer data)
{
  (void) data;
  say (fixture, "one\ntwo\n\nthr");
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  assert_lines (fixture, 3, "");
  say (fixture, "ee\n");
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  assert_lines (fixture, 4, "three");
}

static void
test_unfinished_at_the_end (Fixture *fixture, gconstpointer data)
{
  (void) data;
  say (fixture, "last words");
  tti_fd_clear (&fixture->writer);
  g_assert_false (tti_output_read (fixture->output, G_MAXSIZE));
  assert_lines (fixture, 1, "last words");
}

static void
test_tail (Fixture *fixture, gconstpointer data)
{
  (void) data;
  say (fixture, "1\n2\n3\n4\n5\n");
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  g_autofree char *tail = tti_output_get_tail (fixture->output);
  g_assert_cmpstr (tail, ==, "3\n4\n5\n");
}

static void
test_long_line (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (TTI_OUTPUT_MAX_LINE, 'x');

  (void) data;
  /* Exactly the maximal length: one line. One byte more: it is split, and the rest is a line of its own. */
  say (fixture, text);
  say (fixture, "\n");
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  say (fixture, text);
  say (fixture, "y\n");
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  assert_lines (fixture, fixture->lines->len, "y");
  for (guint i = 0; i < fixture->lines->len; i++)
    g_assert_cmpuint (strlen (g_ptr_array_index (fixture->lines, i)), <=, TTI_OUTPUT_MAX_LINE);
}

static void
test_bounded_read (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (40000, '\n');

  (void) data;
  say (fixture, text);
  g_assert_true (tti_output_read (fixture->output, 1));
  g_assert_cmpuint (fixture->lines->len, <, 40000);
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  g_assert_cmpuint (fixture->lines->len, ==, 40000);
}

static gboolean
take_flood (const char *bytes, gsize length, gpointer lines)
{
  GPtrArray *all = lines;

  /* After two lines. */
  if (all->len < 2)
    return FALSE;
  g_ptr_array_add (all, g_strndup (bytes, length));
  return TRUE;
}

static void
test_flood (Fixture *fixture, gconstpointer data)
{
  (void) data;
  tti_output_set_flood (fixture->output, take_flood);
  say (fixture, "one\n");
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  say (fixture, "two\nthree\n\nfive\nsi");
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  assert_lines (fixture, 3, "three\n\nfive\n");
  /* An unfinished line counts as a line. */
  say (fixture, "x\nseven\n");
  g_assert_true (tti_output_read (fixture->output, G_MAXSIZE));
  assert_lines (fixture, 5, "seven\n");
  g_assert_cmpstr (g_ptr_array_index (fixture->lines, 3), ==, "six");
  g_autofree char *tail = tti_output_get_tail (fixture->output);
  g_assert_cmpstr (tail, ==, "five\nsix\nseven\n");
  /* More at once than would be read as single lines. */
  g_autofree char *text = g_strnfill (60000, '\n');
  say (fixture, text);
  g_assert_true (tti_output_read (fixture->output, 4000));
  gsize length = 0;
  for (guint i = 5; i < fixture->lines->len; i++)
    length += strlen (g_ptr_array_index (fixture->lines, i));
  g_assert_cmpuint (length, ==, 60000);
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/output/lines", test_lines);
  ADD ("/output/unfinished-at-the-end", test_unfinished_at_the_end);
  ADD ("/output/tail", test_tail);
  ADD ("/output/long-line", test_long_line);
  ADD ("/output/bounded-read", test_bounded_read);
  ADD ("/output/flood", test_flood);
  return g_test_run ();
}
