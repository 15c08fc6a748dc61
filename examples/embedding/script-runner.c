/* An application that runs a user's script: a main loop, one procedure for the script, its progress, and Ctrl-C to cancel it.
 *
 *   cc script-runner.c -o script-runner $(pkg-config --cflags --libs tutti-guile gio-unix-2.0)
 *   ./script-runner script-runner.scm
 *
 * SPDX-License-Identifier: LGPL-3.0-or-later */
#include <glib-unix.h>
#include <stdlib.h>
#include <tutti/guile.h>

typedef struct
{
  GMainLoop *loop;
  GCancellable *cancellable;
  int status;
} Application;

/* What the script calls: (show-point x y). It runs here, in the main loop; a window would draw. */
static TuttiValue *
show_point (TuttiValue *const *arguments, gsize n, gpointer data, GError **error)
{
  static guint points;

  (void) data;
  if (n != 2 || !tutti_value_expect (arguments[0], TUTTI_VALUE_REAL, "x", error)
      || !tutti_value_expect (arguments[1], TUTTI_VALUE_REAL, "y", error))
    {
      if (n != 2)
        g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "show-point: expected x and y, got %zu arguments", n);
      return NULL;
    }
  g_print ("point: %.1f %.1f\n", tutti_value_get_real (arguments[0]), tutti_value_get_real (arguments[1]));
  return tutti_value_new_integer (++points);
}

static void
on_output (TuttiGuileScript *script, const char *text, gboolean is_error, gpointer data)
{
  (void) script;
  (void) data;
  g_print ("%s: %s\n", is_error ? "message" : "script", text);
}

static void
on_progress (TuttiGuileScript *script, guint64 done, guint64 total, const char *text, gpointer data)
{
  (void) script;
  (void) text;
  (void) data;
  g_printerr ("\r%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT "%s", done, total, done == total ? "\n" : "");
}

static gboolean
on_interrupt (gpointer data)
{
  g_cancellable_cancel (((Application *) data)->cancellable);
  return G_SOURCE_CONTINUE;
}

static void
on_end (GObject *script, GAsyncResult *result, gpointer data)
{
  Application *application = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) value = tutti_guile_run_script_finish (TUTTI_GUILE_SCRIPT (script), result, &error);
  g_autofree char *text = value != NULL ? tutti_value_print (value) : NULL;

  if (value != NULL)
    g_print ("value: %s\n", text);
  else
    g_printerr ("%s\n", error->message);
  application->status = value != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
  g_main_loop_quit (application->loop);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiEngine) engine = tutti_engine_new (&error);

  if (engine == NULL || argc < 2)
    {
      g_printerr ("%s\n", engine == NULL ? error->message : "usage: script-runner SCRIPT [ARG...]");
      return EXIT_FAILURE;
    }
  Application application = { g_main_loop_new (NULL, FALSE), g_cancellable_new (), EXIT_FAILURE };
  g_autoptr (TuttiGuileScript) script = tutti_guile_script_new_for_file (engine, argv[1]);

  tutti_guile_script_set_arguments (script, (const char *const *) argv + 2);
  tutti_guile_script_define (script, "show-point", show_point, NULL, NULL);
  g_signal_connect (script, "output", G_CALLBACK (on_output), NULL);
  g_signal_connect (script, "progress", G_CALLBACK (on_progress), NULL);
  g_unix_signal_add (SIGINT, on_interrupt, &application);
  tutti_guile_run_script_async (script, application.cancellable, on_end, &application);
  g_main_loop_run (application.loop);
  g_main_loop_unref (application.loop);
  g_object_unref (application.cancellable);
  return application.status;
}
