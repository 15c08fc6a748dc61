/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The server of HTTP, and clients of all kinds: raw sockets, so that each byte is theirs. */
#include "http/server.h"
#include "platform/error.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE (60 * G_TIME_SPAN_SECOND)

enum
{
  MOST_BYTES = 100000,
  MOST_CLIENTS = 8
};

/* A server that answers with what it was sent; /later is kept until the test answers, /large is answered with much. */
typedef struct
{
  TtiHttpServer *server;
  GMutex lock;
  GCond changed;
  GQueue later;
  int n_gone;
} Fixture;

static void
handle (TtiHttpRequest *request, gpointer data)
{
  Fixture *fixture = data;
  const GByteArray *body = tti_http_request_get_body (request);
  GString *answer;

  if (g_str_equal (tti_http_request_get_path (request), "/later"))
    {
      g_mutex_lock (&fixture->lock);
      g_queue_push_tail (&fixture->later, tti_http_request_ref (request));
      g_cond_broadcast (&fixture->changed);
      g_mutex_unlock (&fixture->lock);
      return;
    }
  answer = g_string_new (tti_http_request_get_method (request));
  g_string_append_len (answer, (const char *) body->data, body->len);
  if (g_str_equal (tti_http_request_get_path (request), "/large"))
    g_string_set_size (answer, 50000000);
  g_assert_true (tti_http_request_answer (request, 200, answer, 0));
}

static void
gone (TtiHttpRequest *request, gpointer data)
{
  Fixture *fixture = data;

  g_assert_false (tti_http_request_is_open (request));
  g_mutex_lock (&fixture->lock);
  fixture->n_gone++;
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
}

static GString *
describe (guint status, const char *message, gpointer data)
{
  GString *text = g_string_new (NULL);

  (void) data;
  g_string_printf (text, "refused %u: %s", status, message);
  return text;
}

static void
set_up (Fixture *fixture, gconstpointer patience)
{
  static const TtiHttpHandlers handlers = { .handle = handle, .gone = gone, .describe = describe };
  double seconds = patience != NULL ? *(const double *) patience : 60;
  TtiHttpOptions options = { "127.0.0.1", 0, MOST_CLIENTS, MOST_BYTES, 3 * MOST_BYTES, seconds };
  GError *error = NULL;

  g_queue_init (&fixture->later);
  fixture->server = tti_http_server_new (&options, &handlers, fixture, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  tti_http_server_free (fixture->server);
  g_queue_clear_full (&fixture->later, (GDestroyNotify) tti_http_request_unref);
}

#define AWAIT(fixture, condition) \
  while (!(condition)) \
  g_assert_true (g_cond_wait_until (&fixture->changed, &fixture->lock, g_get_monotonic_time () + DEADLINE))

static TtiHttpRequest *
take_later (Fixture *fixture)
{
  TtiHttpRequest *request;

  g_mutex_lock (&fixture->lock);
  AWAIT (fixture, !g_queue_is_empty (&fixture->later));
  request = g_queue_pop_head (&fixture->later);
  g_mutex_unlock (&fixture->lock);
  return request;
}

static void
wait_for (Fixture *fixture, guint n_later, int n_gone)
{
  g_mutex_lock (&fixture->lock);
  AWAIT (fixture, fixture->later.length >= n_later && fixture->n_gone >= n_gone);
  g_mutex_unlock (&fixture->lock);
}

/* Clients. */

static int
dial (Fixture *fixture)
{
  struct sockaddr_in address
    = { .sin_family = AF_INET, .sin_port = htons (tti_http_server_get_port (fixture->server)), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

static void
say (int fd, const char *text)
{
  g_assert_cmpint (send (fd, text, strlen (text), MSG_NOSIGNAL), ==, strlen (text));
}

/* What comes until there are UNTIL in it, or until the end if that is NULL. */
static char *
hear (int fd, const char *until)
{
  GString *heard = g_string_new (NULL);
  char buffer[65536];

  while (until == NULL || strstr (heard->str, until) == NULL)
    {
      struct pollfd ready = { .fd = fd, .events = POLLIN };
      ssize_t n;

      if (poll (&ready, 1, DEADLINE / 1000) != 1)
        g_error ("waited for '%s' in vain, and heard '%s'", until, heard->str);
      n = recv (fd, buffer, sizeof buffer, 0);
      if (n <= 0)
        break;
      g_string_append_len (heard, buffer, n);
    }
  return g_string_free (heard, FALSE);
}

static void
assert_hears (int fd, const char *expected)
{
  g_autofree char *heard = hear (fd, expected);

  if (strstr (heard, expected) == NULL)
    g_error ("expected '%s', heard '%s'", expected, heard);
}

static void
assert_ends (int fd)
{
  g_free (hear (fd, NULL));
  close (fd);
}

static void
test_requests (Fixture *fixture, gconstpointer data)
{
  int fd = dial (fixture);

  (void) data;
  for (int i = 0; i < 100; i++)
    {
      say (fd, "POST /x?y HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde");
      assert_hears (fd, "POSTabcde");
    }
  say (fd, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
  assert_hears (fd, "POSTabcde");
  say (fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nDELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_hears (fd, "DELETE");
  say (fd, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_hears (fd, "Content-Length: 4\r\n");
  say (fd, "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  assert_hears (fd, "100 Continue");
  say (fd, "z");
  assert_hears (fd, "POSTz");
  say (fd, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  assert_ends (fd);
  fd = dial (fixture);
  say (fd, "GET / HTTP/1.0\r\n\r\n");
  assert_ends (fd);
}

static void
test_garbage (Fixture *fixture, gconstpointer data)
{
  static const char *const garbage[] = {
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
    "\r\n\r\n\r\n",
  };

  (void) data;
  for (gsize i = 0; i < G_N_ELEMENTS (garbage); i++)
    {
      int fd = dial (fixture);

      say (fd, garbage[i]);
      shutdown (fd, SHUT_WR);
      assert_ends (fd);
    }
  test_requests (fixture, NULL);
}

static void
test_too_large (Fixture *fixture, gconstpointer data)
{
  g_autofree char *data_of_chunk = g_strnfill (4096, 'x'), *chunk = g_strdup_printf ("1000\r\n%s\r\n", data_of_chunk);
  int fd = dial (fixture);

  (void) data;
  say (fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000\r\n\r\nabc");
  assert_hears (fd, "refused 413: the request has 10000000000 bytes; this server takes 100000");
  assert_ends (fd);
  fd = dial (fixture);
  say (fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  /* Without an end: the answer comes all the same, and the connection does not stay. */
  while (send (fd, "1000\r\n", 6, MSG_NOSIGNAL) == 6 && send (fd, chunk, 4096, MSG_NOSIGNAL) == 4096
         && send (fd, "\r\n", 2, MSG_NOSIGNAL) == 2)
    ;
  close (fd);
  fd = dial (fixture);
  say (fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 30; i++)
    say (fd, chunk);
  assert_hears (fd, "refused 413: the request has at least");
  assert_ends (fd);
}

static void
test_memory (Fixture *fixture, gconstpointer data)
{
  g_autofree char *body = g_strnfill (MOST_BYTES, 'x');
  int fds[4];
  TtiHttpRequest *request;

  (void) data;
  for (int i = 0; i < 4; i++)
    {
      fds[i] = dial (fixture);
      say (fds[i], "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
      if (i == 3)
        break;
      say (fds[i], body);
      wait_for (fixture, (guint) i + 1, 0);
    }
  assert_hears (fds[3], "refused 503: other requests fill the memory");
  assert_ends (fds[3]);
  /* One that is answered makes room. */
  request = take_later (fixture);
  tti_http_request_answer (request, 200, g_string_new ("done"), 0);
  tti_http_request_unref (request);
  assert_hears (fds[0], "done");
  say (fds[0], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
  say (fds[0], body);
  assert_hears (fds[0], "POSTxxx");
  for (int i = 0; i < 3; i++)
    close (fds[i]);
  wait_for (fixture, 0, 2);
}

static const double little_patience = 0.5;

static void
test_slow (Fixture *fixture, gconstpointer data)
{
  static const char *const beginnings[]
    = { "G", "GET / HTTP/1.1\r\nHost: h\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc" };
  int fds[G_N_ELEMENTS (beginnings)], idle = dial (fixture), dribble = dial (fixture);
  gboolean heard = FALSE;

  (void) data;
  for (gsize i = 0; i < G_N_ELEMENTS (beginnings); i++)
    {
      fds[i] = dial (fixture);
      say (fds[i], beginnings[i]);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (beginnings); i++)
    {
      assert_hears (fds[i], "refused 408: the request came too slowly");
      assert_ends (fds[i]);
    }
  /* It makes progress all the time, and never comes to an end. */
  say (dribble, "GET / HTTP/1.1\r\n");
  while (!heard)
    {
      struct pollfd ready = { .fd = dribble, .events = POLLIN };

      say (dribble, "x");
      heard = poll (&ready, 1, 50) == 1;
    }
  assert_hears (dribble, "refused 408");
  assert_ends (dribble);
  /* Who has said nothing may take as long as it likes. */
  say (idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_hears (idle, "GET");
  close (idle);
}

static void
test_reads_nothing (Fixture *fixture, gconstpointer data)
{
  int fd = dial (fixture);
  gint64 deadline = g_get_monotonic_time () + DEADLINE;

  (void) data;
  say (fd, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
  while (g_get_monotonic_time () < deadline)
    {
      TtiHttpCounts counts;

      tti_http_server_get_counts (fixture->server, &counts);
      if (counts.requests == 1 && counts.clients == 0)
        break;
      g_usleep (1000);
    }
  g_assert_cmpint (g_get_monotonic_time (), <, deadline);
  g_assert_true (tti_http_server_drain (fixture->server, 0));
  close (fd);
}

static void
test_reads_all (Fixture *fixture, gconstpointer data)
{
  int fd = dial (fixture);
  g_autofree char *all = NULL;
  gsize length = 0;
  static char buffer[1 << 20];
  ssize_t n;

  (void) data;
  say (fd, "GET /large HTTP/1.0\r\n\r\n");
  while ((n = recv (fd, buffer, sizeof buffer, 0)) > 0)
    length += (gsize) n;
  g_assert_cmpuint (length, >, 50000000);
  close (fd);
}

static void
test_gone (Fixture *fixture, gconstpointer data)
{
  TtiHttpRequest *requests[3];
  TtiHttpCounts counts;

  (void) data;
  for (int i = 0; i < 3; i++)
    {
      int fd = dial (fixture);

      say (fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
      requests[i] = take_later (fixture);
      if (i == 2)
        {
          struct linger reset = { .l_onoff = 1 };

          setsockopt (fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
      close (fd);
      wait_for (fixture, 0, i + 1);
    }
  for (int i = 0; i < 3; i++)
    {
      g_assert_false (tti_http_request_answer (requests[i], 200, g_string_new ("late"), 0));
      tti_http_request_unref (requests[i]);
    }
  tti_http_server_get_counts (fixture->server, &counts);
  g_assert_cmpuint (counts.lost, ==, 3);
  g_assert_true (tti_http_server_drain (fixture->server, DEADLINE));
}

static void
test_clients (Fixture *fixture, gconstpointer data)
{
  int fds[MOST_CLIENTS], more;

  (void) data;
  for (int i = 0; i < MOST_CLIENTS; i++)
    {
      fds[i] = dial (fixture);
      say (fds[i], "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
      wait_for (fixture, (guint) i + 1, 0);
    }
  more = dial (fixture);
  say (more, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_hears (more, "Retry-After: 1\r\n\r\nrefused 503: this server has as many clients as it takes");
  assert_ends (more);
  for (int i = 0; i < MOST_CLIENTS; i++)
    {
      TtiHttpRequest *request = take_later (fixture);

      g_assert_true (tti_http_request_answer (request, 503, g_string_new ("busy"), 7));
      tti_http_request_unref (request);
    }
  for (int i = 0; i < MOST_CLIENTS; i++)
    assert_hears (fds[i], "Retry-After: 7\r\n");
  /* All idle, the place of one is given to another, when it is clear that it is idle. */
  for (gboolean served = FALSE; !served;)
    {
      g_autofree char *heard = NULL;

      more = dial (fixture);
      say (more, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
      heard = hear (more, NULL);
      served = strstr (heard, "\r\n\r\nGET") != NULL;
      close (more);
    }
  for (int i = 0; i < MOST_CLIENTS; i++)
    close (fds[i]);
}

/* Answers come from several threads. */
static gpointer
answer_all (gpointer data)
{
  Fixture *fixture = data;

  while (TRUE)
    {
      TtiHttpRequest *request = take_later (fixture);
      const GByteArray *body = tti_http_request_get_body (request);
      gboolean last = body->len == 1 && body->data[0] == '!';
      GString *answer = g_string_new_len ((const char *) body->data, body->len);

      g_string_append_c (answer, ';');
      tti_http_request_drop_body (request);
      g_assert_true (tti_http_request_answer (request, 200, answer, 0));
      tti_http_request_unref (request);
      if (last)
        return NULL;
    }
}

typedef struct
{
  Fixture *fixture;
  int number, rounds;
} Asker;

static gpointer
ask (gpointer data)
{
  Asker *asker = data;
  int fd = dial (asker->fixture);

  for (int i = 0; i < asker->rounds; i++)
    {
      g_autofree char *body = g_strdup_printf ("%d.%d", asker->number, i), *expected = g_strdup_printf ("\r\n\r\n%s;", body);
      g_autofree char *request = g_strdup_printf ("POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", strlen (body), body);

      say (fd, request);
      assert_hears (fd, expected);
    }
  close (fd);
  return NULL;
}

static void
test_threads (Fixture *fixture, gconstpointer data)
{
  enum
  {
    N = 4
  };
  Asker askers[N];
  GThread *threads[N], *answering[N];

  (void) data;
  for (int i = 0; i < N; i++)
    {
      askers[i] = (Asker){ .fixture = fixture, .number = i, .rounds = 500 };
      answering[i] = g_thread_new ("answer", answer_all, fixture);
      threads[i] = g_thread_new ("ask", ask, &askers[i]);
    }
  for (int i = 0; i < N; i++)
    g_thread_join (threads[i]);
  for (int i = 0; i < N; i++)
    {
      int fd = dial (fixture);

      say (fd, "POST /later HTTP/1.0\r\nContent-Length: 1\r\n\r\n!");
      assert_ends (fd);
    }
  for (int i = 0; i < N; i++)
    g_thread_join (answering[i]);
}

static void
test_close (Fixture *fixture, gconstpointer data)
{
  int waiting = dial (fixture), idle = dial (fixture);
  TtiHttpRequest *request;

  (void) data;
  say (idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_hears (idle, "GET");
  say (waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  request = take_later (fixture);
  tti_http_server_close (fixture->server);
  tti_http_server_close (fixture->server);
  g_assert_false (tti_http_server_drain (fixture->server, 10000));
  say (idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_hears (idle, "refused 503: this server is being stopped");
  g_assert_true (tti_http_request_answer (request, 200, g_string_new ("last"), 0));
  assert_hears (waiting, "last");
  g_assert_true (tti_http_server_drain (fixture->server, DEADLINE));
  tti_http_request_unref (request);
  close (waiting);
  close (idle);
}

/* Nothing is answered any more, and those who wait see the end. */
static void
test_free (Fixture *fixture, gconstpointer data)
{
  int fds[3];
  TtiHttpRequest *requests[3];

  (void) data;
  for (int i = 0; i < 3; i++)
    {
      fds[i] = dial (fixture);
      say (fds[i], "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
      requests[i] = take_later (fixture);
    }
  g_assert_true (tti_http_request_answer (requests[0], 200, g_string_new ("just in time"), 0));
  tti_http_server_free (g_steal_pointer (&fixture->server));
  for (int i = 0; i < 3; i++)
    {
      g_assert_false (tti_http_request_answer (requests[i], 200, g_string_new ("late"), 0));
      tti_http_request_unref (requests[i]);
      assert_ends (fds[i]);
    }
}

static void
test_address (void)
{
  static const TtiHttpHandlers handlers = { .handle = handle, .gone = gone, .describe = describe };
  TtiHttpOptions options = { .address = "127.0.0.1", .most_clients = 1, .most_bytes = 1, .most_bytes_held = 1, .patience = 1 };
  GError *error = NULL;
  TtiHttpServer *server = tti_http_server_new (&options, &handlers, NULL, &error);

  g_assert_no_error (error);
  options.port = tti_http_server_get_port (server);
  g_assert_null (tti_http_server_new (&options, &handlers, NULL, &error));
  g_assert_nonnull (strstr (error->message, "cannot listen at 127.0.0.1, port"));
  g_clear_error (&error);
  options.address = "localhost";
  g_assert_null (tti_http_server_new (&options, &handlers, NULL, &error));
  g_assert_nonnull (strstr (error->message, "'localhost' is no address"));
  g_clear_error (&error);
  tti_http_server_free (server);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, patience, function) g_test_add ("/http/server/" name, Fixture, patience, set_up, function, tear_down)
  ADD ("requests", NULL, test_requests);
  ADD ("garbage", NULL, test_garbage);
  ADD ("too-large", NULL, test_too_large);
  ADD ("memory", NULL, test_memory);
  ADD ("slow", &little_patience, test_slow);
  ADD ("reads-nothing", &little_patience, test_reads_nothing);
  ADD ("reads-all", NULL, test_reads_all);
  ADD ("gone", NULL, test_gone);
  ADD ("clients", NULL, test_clients);
  ADD ("threads", NULL, test_threads);
  ADD ("close", NULL, test_close);
  ADD ("free", NULL, test_free);
  g_test_add_func ("/http/server/address", test_address);
  return g_test_run ();
}
