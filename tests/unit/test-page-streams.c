/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Streams of what changes: how many there are, what one is sent that does not read, and that they end. Readers are raw sockets in the same
 * thread. */
#include "page/server.h"
#include "page/streams.h"
#include "page-fixture.h"
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define DEADLINE (30 * G_TIME_SPAN_SECOND)

typedef struct
{
  PageFixture base;
  TtiPlots *plots;
  TtiPageState *state;
  TtiStreams *streams;
  TtiPageServer *server;
} Fixture;

static void
answer (SoupServerMessage *message, const char *path, gpointer data)
{
  (void) path;
  tti_streams_add (((Fixture *) data)->streams, message);
}

static void
update (Fixture *self)
{
  tti_page_state_update (self->state, self->base.board, self->plots, TTI_PAGE_RUNNING, self->base.time);
}

static void
fixture_init (Fixture *self)
{
  g_autoptr (GError) error = NULL;

  page_fixture_init (&self->base);
  self->plots = tti_plots_new ();
  self->state = tti_page_state_new (1, 1);
  self->streams = tti_streams_new (self->state);
  self->server = tti_page_server_new (0, "secret", answer, self, &error);
  g_assert_no_error (error);
  update (self);
}

static void
fixture_clear (Fixture *self)
{
  tti_streams_free (self->streams);
  tti_page_server_free (self->server);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  tti_page_state_free (self->state);
  tti_plots_free (self->plots);
  page_fixture_clear (&self->base);
}

/* Let the server work until CONDITION is true. */
#define work_until(condition)                                                                                                             \
  G_STMT_START                                                                                                                            \
  {                                                                                                                                       \
    gint64 deadline_ = g_get_monotonic_time () + DEADLINE;                                                                                \
    while (!(condition))                                                                                                                  \
      {                                                                                                                                   \
        g_assert_cmpint (g_get_monotonic_time (), <, deadline_);                                                                          \
        if (!g_main_context_iteration (NULL, FALSE))                                                                                      \
          g_usleep (200);                                                                                                                 \
      }                                                                                                                                   \
  }                                                                                                                                       \
  G_STMT_END

static int
ask (Fixture *self)
{
  static const char request[] = "GET /events?token=secret HTTP/1.1\r\nHost: localhost\r\n\r\n";
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (tti_page_server_get_port (self->server)),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), room = 4096;

  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (send (fd, request, sizeof request - 1, MSG_NOSIGNAL), ==, sizeof request - 1);
  return fd;
}

/* Append to TEXT what there is of FD. FALSE: it is at its end. */
static gboolean
take (int fd, GString *text)
{
  char bytes[4096];
  gssize n;

  while ((n = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
    g_string_append_len (text, bytes, n);
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static gboolean
take_until (int fd, GString *text, const char *part)
{
  (void) take (fd, text);
  return strstr (text->str, part) != NULL;
}

static void
test_bound (void)
{
  Fixture self;
  int fds[TTI_PAGE_MOST_STREAMS + 3];
  g_autoptr (GString) text = g_string_new (NULL);

  fixture_init (&self);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      guint expected = MIN (i + 1, TTI_PAGE_MOST_STREAMS);

      fds[i] = ask (&self);
      g_string_truncate (text, 0);
      work_until (take_until (fds[i], text, "\r\n\r\n"));
      g_assert_true (g_str_has_prefix (text->str, i < TTI_PAGE_MOST_STREAMS ? "HTTP/1.1 200 " : "HTTP/1.1 503 "));
      g_assert_cmpuint (tti_streams_count (self.streams), ==, expected);
    }
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
  /* Whose reader has gone is noticed, though nothing is sent. */
  work_until (tti_streams_count (self.streams) == 0);
  fixture_clear (&self);
}

/* One that does not read is sent no more than it has room for; when it reads, it is told what has become of all. */
static void
test_slow (void)
{
  Fixture self;
  TtiLookTold told = { 0 };
  g_autofree char *line = g_strnfill (3000, 'x');
  g_autoptr (GString) text = g_string_new (NULL);

  fixture_init (&self);
  int fd = ask (&self);

  work_until (tti_streams_count (self.streams) == 1);
  for (guint i = 0; i < 20000; i++)
    {
      page_take (&self.base, TTI_EVENT_TOLD, &told, line, NULL);
      if (i % 50 != 0)
        continue;
      update (&self);
      tti_streams_send (self.streams);
      g_main_context_iteration (NULL, FALSE);
    }
  page_take (&self.base, TTI_EVENT_TOLD, &told, "the last one", NULL);
  update (&self);
  tti_streams_send (self.streams);
  work_until (take_until (fd, text, "the last one"));
  g_assert_cmpuint (text->len, <, 2000 * 1000); /* of 60 MB */
  close (fd);
  work_until (tti_streams_count (self.streams) == 0);
  fixture_clear (&self);
}

static void
test_end (void)
{
  Fixture self;
  g_autoptr (GString) text = g_string_new (NULL);

  fixture_init (&self);
  int fd = ask (&self);

  work_until (take_until (fd, text, "\"whole\":true"));
  page_note (&self.base, "script", "the end");
  update (&self);
  tti_streams_end (self.streams);
  work_until (!take (fd, text));
  g_assert_nonnull (strstr (text->str, "the end"));
  g_assert_true (g_str_has_suffix (text->str, "0\r\n\r\n"));
  work_until (tti_streams_count (self.streams) == 0);
  close (fd);
  fixture_clear (&self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/page/streams/bound", test_bound);
  g_test_add_func ("/page/streams/slow", test_slow);
  g_test_add_func ("/page/streams/end", test_end);
  return g_test_run ();
}
