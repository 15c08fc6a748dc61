/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "page/page.h"
#include "page/resources.h"
#include "page/server.h"
#include "page/streams.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

enum
{
  LOOK_MS = 40,                /* between two looks at the ring */
  TURN = 20000,                /* events between two looks at the clients */
  SHOW_US = 100 * 1000,        /* between two events for readers */
  SAMPLE_US = G_USEC_PER_SEC,
  PATIENCE_US = G_USEC_PER_SEC, /* for the notes, at the beginning */
  LAST_WORDS_US = 2 * G_USEC_PER_SEC
};

struct _TtiPage
{
  TtiViewer *viewer;
  TtiBoard *board;
  TtiPlots *plots;
  TtiPageState *state;
  TtiStreams *streams;
  TtiPageServer *server;
  GMainLoop *loop;
  GSource *looking;
  char *token;
  TtiPageEnd end;
  guint64 seen;                /* the board's number when it was shown last */
  gint64 shown, sampled;
  gint64 ended;                /* when readers were told that it is over; 0: they were not */
  gboolean broken;             /* the ring has what no event is: nothing more is to be had of it */
};

/* --- what is asked for ------------------------------------------------------------------------------------------------------- */

/* Bring the state to what is known now. */
static void
refresh (TtiPage *page, gint64 now)
{
  page->shown = now;
  page->seen = tti_board_get_number (page->board);
  tti_page_state_update (page->state, page->board, page->plots, page->end, now);
}

static void
answer_state (TtiPage *page, SoupServerMessage *message)
{
  refresh (page, g_get_monotonic_time ());
  char *json = tti_page_state_since (page->state, 0);
  g_autoptr (GBytes) bytes = g_bytes_new_take (json, strlen (json));

  tti_page_answer_bytes (message, "application/json", bytes);
}

static void
answer_plot (TtiPage *page, SoupServerMessage *message, const char *name)
{
  g_autoptr (GError) error = NULL;
  const char *type = NULL;
  g_autoptr (GBytes) bytes = tti_plots_read (page->plots, name, &type, &error);

  if (bytes == NULL)
    {
      tti_page_answer_text (message, SOUP_STATUS_NOT_FOUND, error->message);
      return;
    }
  /* A drawing may have a script in it, which is not to be run where it is opened by itself. */
  soup_message_headers_replace (soup_server_message_get_response_headers (message), "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox");
  tti_page_answer_bytes (message, type, bytes);
}

/* A file of the page. In HTML, TOKEN stands for the token. */
static void
answer_file (TtiPage *page, SoupServerMessage *message, const char *name, const char *type)
{
  g_autofree char *path = g_strconcat ("/page/", name, NULL);
  g_autoptr (GBytes) bytes = g_resource_lookup_data (tti_page_get_resource (), path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  g_auto (GStrv) parts = g_strsplit (g_bytes_get_data (bytes, NULL), "@TOKEN@", -1); /* a 0 follows the data of a resource */
  char *text = g_strjoinv (page->token, parts);
  g_autoptr (GBytes) filled = g_bytes_new_take (text, strlen (text));

  tti_page_answer_bytes (message, type, filled);
}

static void
answer (SoupServerMessage *message, const char *path, gpointer data)
{
  TtiPage *page = data;

  if (strcmp (path, "/") == 0)
    answer_file (page, message, "page.html", "text/html; charset=utf-8");
  else if (strcmp (path, "/page.js") == 0)
    answer_file (page, message, "page.js", "text/javascript; charset=utf-8");
  else if (strcmp (path, "/page.css") == 0)
    answer_file (page, message, "page.css", "text/css; charset=utf-8");
  else if (strcmp (path, "/icon.svg") == 0)
    answer_file (page, message, "icon.svg", "image/svg+xml");
  else if (strcmp (path, "/state") == 0)
    answer_state (page, message);
  else if (strcmp (path, "/events") == 0)
    {
      refresh (page, g_get_monotonic_time ());
      tti_streams_add (page->streams, message);
    }
  else if (g_str_has_prefix (path, "/plots/"))
    answer_plot (page, message, path + strlen ("/plots/"));
  else
    tti_page_answer_text (message, SOUP_STATUS_NOT_FOUND, "there is nothing of this name");
}

/* --- looking ----------------------------------------------------------------------------------------------------------------- */

/* Take events, up to TURN. FALSE: there is none now. */
static gboolean
take_events (TtiPage *page)
{
  g_autoptr (GError) error = NULL;
  TtiEvent event;

  for (guint i = 0; i < TURN && !page->broken; i++)
    if (tti_viewer_next (page->viewer, &event, &error))
      {
        if (tti_board_take (page->board, &event))
          (void) tti_viewer_ask (page->viewer, TTI_LOOK_ASK_SNAPSHOT, 0);
      }
    else
      {
        page->broken = error != NULL;
        return FALSE;
      }
  return !page->broken;
}

/* Show what is new to the readers, and once a second how it was in that second. */
static void
show (TtiPage *page, gint64 now)
{
  gboolean is_time = now - page->sampled >= SAMPLE_US;

  if (is_time)
    {
      page->sampled = now;
      tti_plots_update (page->plots, page->board);
      tti_page_state_sample (page->state, page->board, now);
    }
  if (!is_time && (tti_streams_count (page->streams) == 0 || now - page->shown < SHOW_US
                   || page->seen == tti_board_get_number (page->board)))
    return;
  refresh (page, now);
  tti_streams_send (page->streams);
}

/* The engine is at its end, and its last events were taken. */
static void
end (TtiPage *page, gint64 now)
{
  page->end = tti_board_is_over (page->board) ? TTI_PAGE_ENDED : TTI_PAGE_LOST;
  page->ended = now;
  tti_plots_update (page->plots, page->board);
  refresh (page, now);
  tti_page_server_close (page->server);
  tti_streams_end (page->streams);
}

static gboolean
look (gpointer data)
{
  TtiPage *page = data;
  gint64 now = g_get_monotonic_time ();

  if (page->ended != 0)
    {
      if (now - page->ended > LAST_WORDS_US || tti_page_server_count_clients (page->server) == 0)
        g_main_loop_quit (page->loop);
      return G_SOURCE_CONTINUE;
    }
  gboolean over = tti_viewer_has_ended (page->viewer), more = take_events (page);

  if (over && !more)
    end (page, now);
  else
    show (page, now);
  g_source_set_ready_time (page->looking, more ? 0 : now + LOOK_MS * 1000);
  return G_SOURCE_CONTINUE;
}

static gboolean
look_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  g_source_set_ready_time (source, g_get_monotonic_time () + LOOK_MS * 1000);
  return callback (data);
}

static GSourceFuncs look_funcs = { .dispatch = look_dispatch };

/* --- its life ---------------------------------------------------------------------------------------------------------------- */

/* The port of a page of this engine that there was before; 0: there was none. What the engine has noted stands in the ring by now. */
static guint16
port_before (TtiPage *page)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE_US;

  while ((take_events (page) || !tti_board_is_complete (page->board)) && g_get_monotonic_time () < deadline)
    poll (NULL, 0, 1);
  const char *port = tti_board_get_note (page->board, TTI_PAGE_NOTE);

  return port != NULL ? (guint16) g_ascii_strtoull (port, NULL, 10) : 0;
}

TtiPage *
tti_page_new (TtiViewer *viewer, guint16 port, const char *token, GError **error)
{
  TtiPage *page = g_new0 (TtiPage, 1);

  page->viewer = viewer;
  page->token = g_strdup (token);
  page->board = tti_board_new ();
  page->plots = tti_plots_new ();
  page->state = tti_page_state_new (tti_viewer_get_pid (viewer), tti_viewer_get_began (viewer));
  page->streams = tti_streams_new (page->state);
  page->loop = g_main_loop_new (g_main_context_get_thread_default (), FALSE);
  page->looking = g_source_new (&look_funcs, sizeof (GSource));
  g_source_set_static_name (page->looking, "[tutti] page");
  g_source_set_callback (page->looking, look, page, NULL);
  if (port == 0)
    port = port_before (page);
  page->server = tti_page_server_new (port, token, answer, page, error);
  if (page->server != NULL)
    return page;
  tti_page_free (page);
  return NULL;
}

guint16
tti_page_get_port (const TtiPage *page)
{
  return tti_page_server_get_port (page->server);
}

void
tti_page_run (TtiPage *page)
{
  g_source_set_ready_time (page->looking, 0);
  g_source_attach (page->looking, g_main_context_get_thread_default ());
  g_main_loop_run (page->loop);
}

void
tti_page_free (TtiPage *page)
{
  if (page == NULL)
    return;
  g_source_destroy (page->looking);
  g_source_unref (page->looking);
  tti_streams_free (page->streams);
  tti_page_server_free (page->server);
  g_main_loop_unref (page->loop);
  tti_page_state_free (page->state);
  tti_plots_free (page->plots);
  tti_board_free (page->board);
  tti_viewer_free (page->viewer);
  g_free (page->token);
  g_free (page);
}
