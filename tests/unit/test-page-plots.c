/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Plots: only registered files are served, and only images. */
#include "page/plots.h"
#include "platform/error.h"
#include "page-fixture.h"
#include <glib/gstdio.h>
#include <sys/stat.h>

typedef struct
{
  PageFixture base;
  TtiPlots *plots;
  char *folder;
} Fixture;

static void
fixture_init (Fixture *self)
{
  g_autoptr (GError) error = NULL;

  page_fixture_init (&self->base);
  self->plots = tti_plots_new ();
  self->folder = g_dir_make_tmp ("tutti-test-XXXXXX", &error);
  g_assert_no_error (error);
}

static void
fixture_clear (Fixture *self)
{
  g_autoptr (GDir) dir = g_dir_open (self->folder, 0, NULL);

  for (const char *name = g_dir_read_name (dir); name != NULL; name = g_dir_read_name (dir))
    {
      g_autofree char *path = g_build_filename (self->folder, name, NULL);

      g_remove (path);
    }
  g_rmdir (self->folder);
  g_free (self->folder);
  tti_plots_free (self->plots);
  page_fixture_clear (&self->base);
}

/* Write TEXT into a file, and register it under its NAME. */
static void
add (Fixture *self, const char *name, const char *text, gssize length)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (self->folder, name, NULL), *key = g_strconcat (TTI_PLOT_PREFIX, name, NULL);

  g_file_set_contents (path, text, length, &error);
  g_assert_no_error (error);
  page_note (&self->base, key, path);
  tti_plots_update (self->plots, self->base.board);
}

static void
assert_type (Fixture *self, const char *name, const char *expected)
{
  g_autoptr (GError) error = NULL;
  const char *type = NULL;
  g_autoptr (GBytes) bytes = tti_plots_read (self->plots, name, &type, &error);

  g_assert_no_error (error);
  g_assert_nonnull (bytes);
  g_assert_cmpstr (type, ==, expected);
}

static void
assert_refused (Fixture *self, const char *name, int code)
{
  g_autoptr (GError) error = NULL;
  const char *type = NULL;

  g_assert_null (tti_plots_read (self->plots, name, &type, &error));
  g_assert_error (error, TUTTI_ERROR, code);
}

static void
test_types (void)
{
  Fixture self;

  fixture_init (&self);
  add (&self, "a", "\x89PNG\r\n\x1a\nrest", -1);
  add (&self, "b", "\xff\xd8\xff\xe0rest", -1);
  add (&self, "c", "<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", -1);
  assert_type (&self, "a", "image/png");
  assert_type (&self, "b", "image/jpeg");
  assert_type (&self, "c", "image/svg+xml");
  add (&self, "html", "<html><body>no image", -1);
  add (&self, "text", "root:x:0:0", -1);
  add (&self, "empty", "", 0);
  assert_refused (&self, "html", TUTTI_ERROR_LIMIT);
  assert_refused (&self, "text", TUTTI_ERROR_LIMIT);
  assert_refused (&self, "empty", TUTTI_ERROR_LIMIT);
  fixture_clear (&self);
}

static void
test_only_registered (void)
{
  Fixture self;

  fixture_init (&self);
  add (&self, "a", "\x89PNG\r\n\x1a\nrest", -1);
  g_autofree char *path = g_build_filename (self.folder, "a", NULL);

  assert_refused (&self, path, TUTTI_ERROR_ARGUMENT);
  assert_refused (&self, "../a", TUTTI_ERROR_ARGUMENT);
  assert_refused (&self, "", TUTTI_ERROR_ARGUMENT);
  /* Notes of other kinds, and paths that depend on a folder, are none. */
  page_note (&self.base, "folder", "/etc");
  page_note (&self.base, TTI_PLOT_PREFIX "relative", "a");
  tti_plots_update (self.plots, self.base.board);
  g_assert_cmpuint (tti_plots_get (self.plots)->len, ==, 1);
  fixture_clear (&self);
}

static void
test_odd_files (void)
{
  Fixture self;
  g_autofree char *pipe_path = NULL, *large = NULL;

  fixture_init (&self);
  page_note (&self.base, TTI_PLOT_PREFIX "missing", "/nonexistent/plot.png");
  page_note (&self.base, TTI_PLOT_PREFIX "folder", "/");
  page_note (&self.base, TTI_PLOT_PREFIX "device", "/dev/zero");
  pipe_path = g_build_filename (self.folder, "pipe", NULL);
  g_assert_cmpint (mkfifo (pipe_path, 0600), ==, 0);
  page_note (&self.base, TTI_PLOT_PREFIX "pipe", pipe_path);
  add (&self, "large", "\x89PNG\r\n\x1a\n", -1);
  large = g_build_filename (self.folder, "large", NULL);
  g_assert_cmpint (truncate (large, TTI_PLOT_MOST_BYTES + 1), ==, 0);
  tti_plots_update (self.plots, self.base.board);
  assert_refused (&self, "missing", TUTTI_ERROR_SYSTEM);
  assert_refused (&self, "folder", TUTTI_ERROR_LIMIT);
  assert_refused (&self, "device", TUTTI_ERROR_LIMIT);
  assert_refused (&self, "pipe", TUTTI_ERROR_LIMIT); /* and nobody waits for its writer */
  assert_refused (&self, "large", TUTTI_ERROR_LIMIT);
  fixture_clear (&self);
}

static guint64
only_version (Fixture *self)
{
  g_assert_cmpuint (tti_plots_get (self->plots)->len, ==, 1);
  return ((const TtiPlot *) g_ptr_array_index (tti_plots_get (self->plots), 0))->version;
}

static void
test_versions (void)
{
  Fixture self;

  fixture_init (&self);
  add (&self, "a", "\x89PNG\r\n\x1a\none", -1);
  guint64 first = only_version (&self);

  tti_plots_update (self.plots, self.base.board);
  g_assert_cmpuint (only_version (&self), ==, first);
  add (&self, "a", "\x89PNG\r\n\x1a\nthree", -1);
  g_assert_cmpuint (only_version (&self), !=, first);
  g_autofree char *path = g_build_filename (self.folder, "a", NULL);

  g_remove (path);
  tti_plots_update (self.plots, self.base.board);
  g_assert_cmpuint (only_version (&self), ==, 0);
  fixture_clear (&self);
}

static void
test_many (void)
{
  Fixture self;

  fixture_init (&self);
  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *key = g_strdup_printf (TTI_PLOT_PREFIX "%u", i);

      page_note (&self.base, key, "/nonexistent/plot.png");
    }
  tti_plots_update (self.plots, self.base.board);
  g_assert_cmpuint (tti_plots_get (self.plots)->len, ==, TTI_PLOT_MOST);
  fixture_clear (&self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/page/plots/types", test_types);
  g_test_add_func ("/page/plots/only-registered", test_only_registered);
  g_test_add_func ("/page/plots/odd-files", test_odd_files);
  g_test_add_func ("/page/plots/versions", test_versions);
  g_test_add_func ("/page/plots/many", test_many);
  return g_test_run ();
}
