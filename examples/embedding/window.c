/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A window that runs 200 simulations on workers, and can be used meanwhile. */
#include <gtk/gtk.h>
#include <math.h>
#include <signal.h>
#include <tutti/tutti.h>

enum { N_ITEMS = 200 };

typedef struct
{
  GtkApplication *application;
  GtkWidget *window, *start, *cancel, *kill, *bar, *plot, *status, *death;
  const char *module;
  TuttiPool *pool;
  GCancellable *cancellable; /* of the map that runs, or NULL */
  guint64 n_before;          /* tasks of earlier maps */
  double periods[N_ITEMS];   /* s; 0: not known */
  struct SelfTest *test;     /* or NULL */
} Window;

static void test_state_changed (Window *self);

/* The amplitude of item I, in rad. */
static double
amplitude (guint i)
{
  return 3.0 * (i + 1) / N_ITEMS;
}

static void
show_state (Window *self, const char *status)
{
  gboolean runs = self->cancellable != NULL;

  gtk_widget_set_sensitive (self->start, self->pool != NULL && !runs);
  gtk_widget_set_sensitive (self->cancel, runs);
  gtk_widget_set_sensitive (self->kill, runs);
  gtk_label_set_text (GTK_LABEL (self->status), status);
  test_state_changed (self);
}

static void
draw_periods (GtkDrawingArea *area, cairo_t *cairo, int width, int height, gpointer user_data)
{
  Window *self = user_data;

  (void) area;
  cairo_set_source_rgb (cairo, 1, 1, 1);
  cairo_paint (cairo);
  cairo_set_source_rgb (cairo, 0.1, 0.3, 0.7);
  cairo_set_line_width (cairo, 2);
  for (guint i = 0; i < N_ITEMS && self->periods[i] > 0; i++)
    cairo_line_to (cairo, width * amplitude (i) / 3.0, height * (1 - self->periods[i] / 6.0));
  cairo_stroke (cairo);
  cairo_set_source_rgb (cairo, 0.3, 0.3, 0.3);
  cairo_set_font_size (cairo, 12);
  cairo_move_to (cairo, 4, 14);
  cairo_show_text (cairo, "period, 0 to 6 s");
  cairo_move_to (cairo, width - 132, height - 6);
  cairo_show_text (cairo, "amplitude, 0 to 3 rad");
}

/* --- simulations ------------------------------------------------------------------------------------------------------------ */

static void
map_ended (GObject *pool, GAsyncResult *result, gpointer user_data)
{
  Window *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) periods = tutti_pool_map_finish (TUTTI_POOL (pool), result, &error);

  for (guint i = 0; periods != NULL && i < N_ITEMS; i++)
    {
      g_autoptr (TuttiValue) period = tutti_value_get_item (periods, i);

      self->periods[i] = tutti_value_get_real (period);
    }
  g_clear_object (&self->cancellable);
  self->n_before += N_ITEMS;
  if (self->window == NULL)
    return;
  gtk_widget_queue_draw (self->plot);
  show_state (self, periods != NULL ? "All periods are there."
                    : g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? "Cancelled." : error->message);
}

static void
start_clicked (GtkButton *button, Window *self)
{
  g_autoptr (GPtrArray) amplitudes = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);

  (void) button;
  for (guint i = 0; i < N_ITEMS; i++)
    g_ptr_array_add (amplitudes, tutti_value_new_real (amplitude (i)));
  self->cancellable = g_cancellable_new ();
  tutti_pool_map_async (self->pool, self->module, "period", (TuttiValue **) amplitudes->pdata, N_ITEMS, self->cancellable, map_ended, self);
  gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->bar), 0);
  show_state (self, "Computing …");
}

static void
cancel_clicked (GtkButton *button, Window *self)
{
  (void) button;
  g_cancellable_cancel (self->cancellable);
}

/* Simulations crash; here one can see what happens then. */
static void
kill_clicked (GtkButton *button, Window *self)
{
  int pid = tutti_pool_get_worker_pid (self->pool, 0);

  (void) button;
  if (pid > 0)
    kill (pid, SIGKILL);
}

static void
worker_died (TuttiPool *pool, TuttiCertificate *certificate, gboolean is_retried, Window *self)
{
  g_autofree char *line = tutti_certificate_describe (certificate);
  g_autofree char *text = g_strconcat (line, is_retried ? "; its simulation is started again" : "", NULL);

  (void) pool;
  gtk_label_set_text (GTK_LABEL (self->death), text);
  test_state_changed (self);
}

static void
progress (TuttiPool *pool, guint64 n_ended, guint64 n_submitted, Window *self)
{
  (void) pool;
  (void) n_submitted;
  /* The last one of a map may come when the next one has begun. */
  if (self->cancellable != NULL && n_ended >= self->n_before)
    gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->bar), (double) (n_ended - self->n_before) / N_ITEMS);
  test_state_changed (self);
}

static void
pool_ready (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Window *self = user_data;
  g_autoptr (GError) error = NULL;

  (void) source;
  self->pool = tutti_pool_new_finish (result, &error);
  if (self->window == NULL)
    return;
  if (self->pool != NULL)
    {
      g_signal_connect (self->pool, "worker-died", G_CALLBACK (worker_died), self);
      g_signal_connect (self->pool, "progress", G_CALLBACK (progress), self);
    }
  show_state (self, self->pool != NULL ? "Periods of a pendulum of 1 m, by amplitude" : error->message);
}

/* --- the window ------------------------------------------------------------------------------------------------------------- */

/* Its widgets are gone, and the main loop may come round once more: nothing that has been asked for may come back to them. */
static void
window_destroyed (GtkWidget *window, Window *self)
{
  (void) window;
  self->window = NULL;
  g_cancellable_cancel (self->cancellable);
  if (self->pool != NULL)
    g_signal_handlers_disconnect_by_data (self->pool, self);
}

static GtkWidget *
add_button (GtkWidget *row, const char *label, gpointer clicked, Window *self)
{
  GtkWidget *button = gtk_button_new_with_label (label);

  g_signal_connect (button, "clicked", G_CALLBACK (clicked), self);
  gtk_widget_set_sensitive (button, FALSE);
  gtk_box_append (GTK_BOX (row), button);
  return button;
}

static GtkWidget *
add_label (GtkWidget *column)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_box_append (GTK_BOX (column), label);
  return label;
}

static void
activate (GtkApplication *application, Window *self)
{
  GtkWidget *column = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8), *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);

  self->window = gtk_application_window_new (application);
  g_signal_connect (self->window, "destroy", G_CALLBACK (window_destroyed), self);
  gtk_window_set_title (GTK_WINDOW (self->window), "Pendulum");
  gtk_window_set_default_size (GTK_WINDOW (self->window), 520, 380);
  gtk_window_set_child (GTK_WINDOW (self->window), column);
  gtk_widget_set_margin_top (column, 8);
  gtk_widget_set_margin_bottom (column, 8);
  gtk_widget_set_margin_start (column, 8);
  gtk_widget_set_margin_end (column, 8);
  gtk_box_append (GTK_BOX (column), row);
  self->start = add_button (row, "Start", start_clicked, self);
  self->cancel = add_button (row, "Cancel", cancel_clicked, self);
  self->kill = add_button (row, "Kill a worker", kill_clicked, self);
  self->bar = gtk_progress_bar_new ();
  gtk_widget_set_hexpand (self->bar, TRUE);
  gtk_widget_set_valign (self->bar, GTK_ALIGN_CENTER);
  gtk_progress_bar_set_show_text (GTK_PROGRESS_BAR (self->bar), TRUE);
  gtk_box_append (GTK_BOX (row), self->bar);
  self->status = add_label (column);
  self->plot = gtk_drawing_area_new ();
  gtk_widget_set_vexpand (self->plot, TRUE);
  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (self->plot), draw_periods, self, NULL);
  gtk_box_append (GTK_BOX (column), self->plot);
  self->death = add_label (column);
  gtk_label_set_text (GTK_LABEL (self->death), "No worker has died.");
  gtk_window_present (GTK_WINDOW (self->window));
  tutti_pool_new_async (NULL, 4, NULL, pool_ready, self);
}

/* --- for the test: it clicks by itself, and counts how often the main loop has come round ---------------------------------------- */

typedef struct SelfTest
{
  const char *picture;
  gboolean by_click; /* somebody clicks on Start */
  enum { TEST_WAITING, TEST_FIRST_MAP, TEST_SECOND_MAP, TEST_CLOSED } state;
  gboolean killed, died;
  guint n_ticks, n_steps; /* while the first map ran: of the clock, and of the progress bar */
} SelfTest;

/* FALSE: there is nothing to be seen yet. */
static gboolean
save_picture (GtkWidget *window, const char *file)
{
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (window);
  GtkSnapshot *snapshot = gtk_snapshot_new ();

  gdk_paintable_snapshot (paintable, snapshot, gtk_widget_get_width (window), gtk_widget_get_height (window));
  GskRenderNode *node = gtk_snapshot_free_to_node (snapshot);
  if (node == NULL)
    return FALSE;
  g_autoptr (GdkTexture) texture = gsk_renderer_render_texture (gtk_native_get_renderer (GTK_NATIVE (window)), node, NULL);
  gsk_render_node_unref (node);
  if (!gdk_texture_save_to_png (texture, file))
    g_error ("cannot write %s", file);
  return TRUE;
}

static gboolean
test_tick (gpointer user_data)
{
  Window *self = user_data;
  SelfTest *test = self->test;

  test->n_ticks += test->state == TEST_FIRST_MAP;
  if (test->state == TEST_SECOND_MAP && self->cancellable != NULL && !g_cancellable_is_cancelled (self->cancellable)
      && gtk_progress_bar_get_fraction (GTK_PROGRESS_BAR (self->bar)) > 0.3 && save_picture (self->window, test->picture))
    g_signal_emit_by_name (self->cancel, "clicked");
  return G_SOURCE_CONTINUE;
}

static void
test_state_changed (Window *self)
{
  SelfTest *test = self->test;

  if (test == NULL)
    return;
  double fraction = gtk_progress_bar_get_fraction (GTK_PROGRESS_BAR (self->bar));
  gboolean runs = self->cancellable != NULL;
  const char *death = gtk_label_get_text (GTK_LABEL (self->death));

  test->died = test->died || strstr (death, "SIGKILL") != NULL;
  if (test->state == TEST_WAITING && runs)
    test->state = TEST_FIRST_MAP;
  else if (test->state == TEST_WAITING && !test->by_click && gtk_widget_get_sensitive (self->start))
    g_signal_emit_by_name (self->start, "clicked");
  else if (test->state == TEST_FIRST_MAP && runs && fraction > 0)
    {
      test->n_steps++;
      if (!test->killed)
        g_signal_emit_by_name (self->kill, "clicked");
      test->killed = TRUE;
    }
  else if (test->state == TEST_FIRST_MAP && test->killed && test->died && gtk_widget_get_sensitive (self->start))
    {
      g_print ("%s %.3f s at %.2f rad\n%s\n", gtk_label_get_text (GTK_LABEL (self->status)), self->periods[N_ITEMS - 1],
               amplitude (N_ITEMS - 1), death);
      g_print ("ticks %u, steps %u\n", test->n_ticks, test->n_steps);
      test->state = TEST_SECOND_MAP;
      g_signal_emit_by_name (self->start, "clicked");
    }
  else if (test->state == TEST_SECOND_MAP && !runs)
    {
      g_print ("%s\n", gtk_label_get_text (GTK_LABEL (self->status)));
      /* The window can be closed while simulations run. */
      test->state = TEST_CLOSED;
      g_signal_emit_by_name (self->start, "clicked");
      gtk_window_destroy (GTK_WINDOW (self->window));
    }
}

int
main (int argc, char **argv)
{
  SelfTest test = { 0 };
  Window self = { .module = argc > 1 ? argv[1] : "./pendulum.so" };

  /* window MODULE --self-test PICTURE [--by-click] */
  if (argc > 3 && g_str_equal (argv[2], "--self-test"))
    {
      test.picture = argv[3];
      test.by_click = argc > 4 && g_str_equal (argv[4], "--by-click");
      self.test = &test;
      g_timeout_add (20, test_tick, &self);
    }
  self.application = gtk_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect (self.application, "activate", G_CALLBACK (activate), &self);
  int status = g_application_run (G_APPLICATION (self.application), 1, argv);
  g_clear_object (&self.pool);
  g_clear_object (&self.application);
  return status;
}
