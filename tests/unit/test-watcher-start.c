/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A link that is started without waiting for the greeting. */
#include "../support/watcher-fixture.h"
#include <glib/gstdio.h>

static void
on_ready (gpointer user_data)
{
  fixture_note (user_data, "ready");
}

static gboolean
on_tick (gpointer ticks)
{
  ++*(guint *) ticks;
  return G_SOURCE_CONTINUE;
}

/* A fixture whose link starts PROGRAM, while another source runs in its context, until EVENT. Returns how often that source ran. */
static guint
fixture_begin (Fixture *fixture, const char *program, const char *event)
{
  static TtiWatcherLinkEvents events;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSource) other = g_timeout_source_new (10);
  guint ticks = 0;

  events = fixture_events;
  events.ready = on_ready;
  *fixture = (Fixture){ .context = g_main_context_new (), .events = g_ptr_array_new_with_free_func (g_free) };
  fixture->link = tti_watcher_link_start (program, fixture->context, &events, fixture, &error);
  g_assert_no_error (error);
  g_source_set_callback (other, on_tick, &ticks, NULL);
  g_source_attach (other, fixture->context);
  fixture_await (fixture, event);
  g_source_destroy (other);
  return ticks;
}

static void
test_start (void)
{
  Fixture fixture;
  g_autofree char *program = watcher_path ();

  fixture_begin (&fixture, program, "ready");
  {
    g_auto (Stub) stub = stub_start (&fixture, 1, "exit:3");

    fixture_await (&fixture, "exited 1 3 0");
  }
  fixture_close (&fixture);
  assert_no_children ();
}

/* A watcher that never greets is waited for, but delays nothing else. */
static void
test_start_silent (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("tutti-watcher-XXXXXX", &error);
  g_autofree char *program = g_build_filename (folder, "silent", NULL);
  Fixture fixture;

  g_assert_no_error (error);
  g_assert_true (g_file_set_contents_full (program, "#!/bin/sh\nexec sleep 1000\n", -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
  g_assert_cmpuint (fixture_begin (&fixture, program, "lost"), >, 10);
  g_assert_nonnull (strstr (fixture.message, program));
  g_assert_nonnull (strstr (fixture.message, "did not greet"));
  fixture_close (&fixture);
  assert_no_children ();
  remove (program);
  remove (folder);
}

static void
test_start_no_watcher (void)
{
  Fixture fixture;

  fixture_begin (&fixture, "/bin/false", "lost");
  g_assert_nonnull (strstr (fixture.message, "'/bin/false --guard' exited with status 1 instead of greeting"));
  fixture_close (&fixture);
  assert_no_children ();
}

/* Closing one that has not greeted yet. */
static void
test_start_close (void)
{
  g_autofree char *program = watcher_path ();

  for (guint i = 0; i < 20; i++)
    {
      static TtiWatcherLinkEvents events;
      g_autoptr (GMainContext) context = g_main_context_new ();

      events = fixture_events;
      events.ready = on_ready;
      TtiWatcherLink *link = tti_watcher_link_start (program, context, &events, NULL, NULL);

      g_assert_nonnull (link);
      tti_watcher_link_unref (link);
      assert_no_children ();
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watcher-start/ready", test_start);
  g_test_add_func ("/watcher-start/silent", test_start_silent);
  g_test_add_func ("/watcher-start/no-watcher", test_start_no_watcher);
  g_test_add_func ("/watcher-start/close", test_start_close);
  return g_test_run ();
}
