/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The parts of a client of UM-Bridge: answers of HTTP as they come in pieces, corrupted ones, slots, and exchanges with a server that is a
 * thread here. */
#include "platform/fd.h"
#include "umbridge/client.h"
#include "umbridge/host-private.h"
#include "umbridge/slots.h"
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*** Answers. ***/

/* The answer in TEXT, taken in pieces of STEP bytes, and the end of the connection with END; NULL and ERROR if it is none. */
static TtiHttpAnswer *
read_answer (const char *text, gsize length, gsize step, gboolean end, GError **error)
{
  TtiHttpAnswer *answer = tti_http_answer_new (1000);

  for (gsize at = 0; at < length; at += step)
    {
      /* Memory of its own, so that a sanitizer sees what is read beyond. */
      gsize n = MIN (step, length - at);
      g_autofree char *piece = g_memdup2 (text + at, n);

      if (!tti_http_answer_take (answer, piece, n, error))
        {
          tti_http_answer_free (answer);
          return NULL;
        }
    }
  if (end && !tti_http_answer_end (answer, error))
    g_clear_pointer (&answer, tti_http_answer_free);
  return answer;
}

static void
assert_answer (const char *text, guint status, const char *body, gboolean keep_alive)
{
  for (gsize step = 1; step < strlen (text) + 2; step++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (TtiHttpAnswer) answer = read_answer (text, strlen (text), step, FALSE, &error);

      g_assert_no_error (error);
      g_assert_true (answer->complete);
      g_assert_cmpuint (answer->status, ==, status);
      g_assert_cmpmem (answer->body->data, answer->body->len, body, strlen (body));
      g_assert_cmpint (answer->keep_alive, ==, keep_alive);
    }
}

static void
assert_refused (const char *text, int code, const char *words)
{
  for (gsize step = 1; step < strlen (text) + 2; step++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (TtiHttpAnswer) answer = read_answer (text, strlen (text), step, TRUE, &error);

      g_assert_error (error, TTI_HTTP_ERROR, code);
      g_assert_null (answer);
      if (strstr (error->message, words) == NULL)
        g_error ("\"%s\" does not say \"%s\"", error->message, words);
    }
}

#define OK "HTTP/1.1 200 OK\r\n"

static void
test_good (void)
{
  assert_answer (OK "Content-Length: 5\r\n\r\nhello", 200, "hello", TRUE);
  assert_answer ("HTTP/1.1 404 \r\ncontent-length:0\r\n\r\n", 404, "", TRUE);
  assert_answer ("HTTP/1.1 204\r\n\r\n", 204, "", TRUE);
  assert_answer ("\r\n" OK "Content-Length:\t5 \r\nX-Other: a:b\r\n\r\nhello", 200, "hello", TRUE);
  assert_answer ("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200, "hello", TRUE);
  assert_answer (OK "Connection: Upgrade, Close\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", FALSE);
  assert_answer ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", FALSE);
  assert_answer ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", TRUE);
  assert_answer ("HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\n" OK "Content-Length: 5\r\n\r\nhello", 200, "hello",
                 TRUE);
  assert_answer (OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", TRUE);
  assert_answer (OK "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\n1", 200, "1", TRUE);
}

static void
test_chunks (void)
{
  assert_answer (OK "Transfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n003;a=b\r\nllo\r\n0\r\n\r\n", 200, "hello", TRUE);
  assert_answer (OK "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", 200, "0123456789",
                 TRUE);
  assert_answer (OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, "a", FALSE);
  assert_refused (OK "Transfer-Encoding: chunked\r\n\r\n\r\n", TTI_HTTP_ERROR_ANSWER, "length of a chunk");
  assert_refused (OK "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", TTI_HTTP_ERROR_ANSWER, "end of a chunk");
  assert_refused (OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n", TTI_HTTP_ERROR_ANSWER, "length of a chunk");
  assert_refused (OK "Transfer-Encoding: chunked\r\n\r\n1x\r\n", TTI_HTTP_ERROR_ANSWER, "length of a chunk");
  assert_refused (OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", TTI_HTTP_ERROR_ANSWER,
                  "length of a chunk");
  assert_refused (OK "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", TTI_HTTP_ERROR_ANSWER, "at most 1000");
  assert_refused (OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n3e8\r\n", TTI_HTTP_ERROR_ANSWER, "1001 bytes");
  assert_refused (OK "Transfer-Encoding: chunked, chunked\r\n\r\n", TTI_HTTP_ERROR_ANSWER, "chunked");
  assert_refused (OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", TTI_HTTP_ERROR_LOST, "after 1 bytes");
}

static void
test_bad (void)
{
  static const char *const heads[] = { "HTTP/2 200 OK",   "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200 OK",
                                       "POST / HTTP/1.1", "ICY 200 OK",     "HTTP/1." };

  for (gsize i = 0; i < G_N_ELEMENTS (heads); i++)
    {
      g_autofree char *text = g_strconcat (heads[i], "\r\n\r\n", NULL);

      assert_refused (text, TTI_HTTP_ERROR_ANSWER, "first line of an answer");
    }
  assert_refused (OK "nonsense\r\n\r\n", TTI_HTTP_ERROR_ANSWER, "a header");
  assert_refused (OK "A: 1\r\n folded\r\n\r\n", TTI_HTTP_ERROR_ANSWER, "a header");
  assert_refused (OK "Content-Length : 1\r\n\r\n1", TTI_HTTP_ERROR_ANSWER, "a header");
  assert_refused (OK ": 1\r\n\r\n1", TTI_HTTP_ERROR_ANSWER, "a header");
  assert_refused (OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", TTI_HTTP_ERROR_ANSWER, "two different");
  assert_refused (OK "Content-Length: +5\r\n\r\nhello", TTI_HTTP_ERROR_ANSWER, "number of bytes");
  assert_refused (OK "Content-Length: 99999999999999999999\r\n\r\n", TTI_HTTP_ERROR_ANSWER, "number of bytes");
  assert_refused (OK "Content-Length: 1001\r\n\r\n", TTI_HTTP_ERROR_ANSWER, "1001 bytes or more; at most 1000");
  assert_refused (OK "Content-Encoding: gzip\r\n\r\n", TTI_HTTP_ERROR_ANSWER, "not asked for");
  assert_refused ("HTTP/1.1 101 Switching\r\n\r\n", TTI_HTTP_ERROR_ANSWER, "101");
  assert_refused ("", TTI_HTTP_ERROR_LOST, "without an answer");
  assert_refused ("HTTP/1.1 2", TTI_HTTP_ERROR_LOST, "within its answer");
  assert_refused (OK "Content-Length: 5\r\n\r\nhell", TTI_HTTP_ERROR_LOST, "of 5 bytes, 1 are missing");
}

/* What is long in other ways has an end, too. */
static void
test_long (void)
{
  g_autoptr (GString) text = g_string_new (OK);
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < 100000; i++)
    g_string_append (text, "A: 1\r\n");
  g_assert_null (read_answer (text->str, text->len, 4096, FALSE, &error));
  g_assert_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_ANSWER);
  g_clear_error (&error);
  g_string_assign (text, OK);
  for (int i = 0; i < 100000; i++)
    g_string_append (text, "long");
  g_assert_null (read_answer (text->str, text->len, 4096, FALSE, &error));
  g_assert_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_ANSWER);
  g_clear_error (&error);
  g_string_assign (text, "");
  for (int i = 0; i < 100000; i++)
    g_string_append (text, "HTTP/1.1 102 Processing\r\n\r\n");
  g_assert_null (read_answer (text->str, text->len, 4096, FALSE, &error));
  g_assert_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_ANSWER);
  g_clear_error (&error);
  /* Up to the end of the connection. */
  g_string_assign (text, OK "\r\n");
  for (int i = 0; i < 1001; i++)
    g_string_append_c (text, 'x');
  g_assert_null (read_answer (text->str, text->len, 4096, FALSE, &error));
  g_assert_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_ANSWER);
  g_autoptr (TtiHttpAnswer) answer = read_answer (text->str, text->len - 1, 7, TRUE, NULL);
  g_assert_cmpuint (answer->body->len, ==, 1000);
  g_assert_false (answer->keep_alive);
}

/* Corrupted answers are refused or read, whatever they are, and the same in one piece as in many. */
static void
test_corrupted (void)
{
  static const char *const seeds[]
    = { OK "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
        OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 302 Found\r\nLocation: /\r\nRetry-After: 7\r\n\r\n" };

  for (int i = 0; i < 100000; i++)
    {
      const char *seed = seeds[i % (int) G_N_ELEMENTS (seeds)];
      gsize length = strlen (seed);
      g_autofree char *text = g_strdup (seed);
      g_autoptr (GError) error = NULL, error_in_pieces = NULL;

      for (int k = g_test_rand_int_range (1, 4); k > 0; k--)
        text[g_test_rand_int_range (0, (gint32)length)]
          = g_test_rand_bit () ? (char) g_test_rand_int_range (0, 256) : seed[g_test_rand_int_range (0, (gint32)length)];
      length = g_test_rand_bit () ? length : (gsize) g_test_rand_int_range (1, (gint32)length);
      g_autoptr (TtiHttpAnswer) whole = read_answer (text, length, length, TRUE, &error);
      g_autoptr (TtiHttpAnswer) pieces
        = read_answer (text, length, (gsize) g_test_rand_int_range (1, 10), TRUE, &error_in_pieces);

      g_assert_cmpint (whole != NULL, ==, pieces != NULL);
      g_assert_cmpint (whole != NULL, ==, error == NULL);
      if (whole != NULL)
        g_assert_cmpmem (whole->body->data, whole->body->len, pieces->body->data, pieces->body->len);
    }
}

static void
test_shown (void)
{
  g_autofree char *shown = tti_http_show ((const guint8 *)"a\033[31m\n\377b", 9), *empty = tti_http_show (NULL, 0);

  g_assert_null (strchr (shown, '\033'));
  g_assert_null (strchr (shown, '\n'));
  g_assert_true (g_utf8_validate (shown, -1, NULL));
  g_assert_cmpstr (empty, ==, "");
}

/*** Addresses. ***/

static void
test_addresses (void)
{
  static const char *const wrong[]
    = { "localhost:4242", "ftp://host",      "http://", "http://host:99999",   "http://user@host",
        "http://host/?a", "http://host/a b", "",        "http://host\r\nX: 1", "http://[::1" };
  GError *error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_assert_null (tti_http_host_find (wrong[i], &error));
      g_assert_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_ADDRESS);
      g_clear_error (&error);
    }
  TtiHttpHost *server = tti_http_host_find ("http://localhost:4242/models/", NULL);

  g_assert_cmpstr (tti_http_host_get_url (server), ==, "http://localhost:4242/models");
  g_assert_true (server == tti_http_host_find ("http://localhost:4242/models", NULL));
  g_assert_cmpstr (tti_http_host_get_url (tti_http_host_find ("https://[::1]", NULL)), ==, "https://[::1]:443");
}

/*** Slots. ***/

static gboolean
becomes_readable (int fd)
{
  return tti_fd_wait (fd, POLLIN, g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND);
}

static char *
slot_url (void)
{
  return g_strdup_printf ("http://slots-of-%d/%u", (int) getpid (), g_test_rand_int_range (0, 1000000));
}

static void
test_slots (void)
{
  g_autofree char *url = slot_url ();
  int connection, pipe_fds[2], slot = tti_slot_take (url, 0, NULL);

  g_assert_cmpint (slot, >=, 0);
  g_assert_cmpint (tti_slot_take (url, 0, NULL), ==, -1);
  tti_autofd int other = tti_slot_take (url, 1, NULL);
  g_assert_cmpint (other, >=, 0);
  /* Those who wait have it one after the other, with the connection, but those who have gone. */
  tti_autofd int first = tti_slot_watch (url, 0), gone = tti_slot_watch (url, 0), second = tti_slot_watch (url, 0);

  g_assert_true (tti_fd_pipe (pipe_fds, NULL));
  g_assert_true (tti_slot_give (slot, pipe_fds[1]));
  tti_fd_clear (&pipe_fds[1]);
  g_assert_true (becomes_readable (first));
  g_assert_false (tti_fd_wait (second, POLLIN, 0));
  g_assert_cmpint (tti_slot_take (url, 0, NULL), ==, -1);
  slot = tti_slot_receive (first, &connection);
  g_assert_cmpint (slot, >=, 0);
  g_assert_cmpint (write (connection, "x", 1), ==, 1);
  g_assert_true (becomes_readable (pipe_fds[0]));
  tti_fd_clear (&connection);
  tti_fd_clear (&pipe_fds[0]);
  tti_fd_clear (&gone);
  g_assert_true (tti_slot_give (slot, -1));
  g_assert_true (becomes_readable (second));
  slot = tti_slot_receive (second, &connection);
  g_assert_cmpint (slot, >=, 0);
  g_assert_cmpint (connection, ==, -1);
  g_assert_false (tti_slot_give (slot, -1));
  g_assert_cmpint (tti_slot_watch (url, 0), ==, -1);
  slot = tti_slot_take (url, 0, NULL);
  g_assert_cmpint (slot, >=, 0);
  tti_fd_clear (&slot);
}

/* One that was handed to somebody who has left is free, and the others are told. */
static void
test_slot_on_its_way (void)
{
  g_autofree char *url = slot_url ();
  int connection, slot = tti_slot_take (url, 0, NULL);
  tti_autofd int first = tti_slot_watch (url, 0), second = tti_slot_watch (url, 0);

  g_assert_true (tti_slot_give (slot, -1));
  tti_fd_clear (&first);
  g_assert_true (becomes_readable (second));
  g_assert_cmpint (tti_slot_receive (second, &connection), ==, -1);
  slot = tti_slot_take (url, 0, NULL);
  g_assert_cmpint (slot, >=, 0);
  tti_fd_clear (&slot);
}

/* A process that is killed has none. */
static void
test_slot_of_the_dead (void)
{
  g_autofree char *url = slot_url ();
  int fds[2], connection, status;
  char byte;

  g_assert_true (tti_fd_pipe (fds, NULL));
  pid_t child = fork ();

  if (child == 0)
    {
      int taken = tti_slot_take (url, 0, NULL);

      if (taken >= 0 && write (fds[1], "x", 1) == 1)
        pause ();
      _exit (1);
    }
  g_assert_true (becomes_readable (fds[0]));
  g_assert_cmpint (read (fds[0], &byte, 1), ==, 1);
  tti_autofd int watch = tti_slot_watch (url, 0);

  g_assert_cmpint (watch, >=, 0);
  kill (child, SIGKILL);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (becomes_readable (watch));
  g_assert_cmpint (tti_slot_receive (watch, &connection), ==, -1);
  int slot = tti_slot_take (url, 0, NULL);

  g_assert_cmpint (slot, >=, 0);
  tti_fd_clear (&slot);
  tti_fd_clear (&fds[0]);
  tti_fd_clear (&fds[1]);
}

/*** Exchanges. ***/

/* A server of one connection, that reads COUNT bytes and sends a text. */
typedef struct
{
  int listener;
  gsize count;
  gboolean stubborn; /* it reads no more after that, until it is stopped; otherwise all that comes */
  int connection;    /* atomic: of a stubborn one */
  const char *text;
  gboolean stays; /* it does not close its side behind that */
  GThread *thread;
  TtiHttpHost *server;
} Fake;

static gpointer
fake_run (gpointer data)
{
  Fake *fake = data;
  tti_autofd int fd = accept (fake->listener, NULL, NULL);
  g_autofree char *buffer = g_malloc (fake->count);
  gsize n = 0;

  g_assert_cmpint (fd, >=, 0);
  while (n < fake->count)
    {
      gssize more = read (fd, buffer + n, fake->count - n);

      g_assert_cmpint (more, >, 0);
      n += (gsize) more;
    }
  g_atomic_int_set (&fake->connection, fd);
  g_assert_cmpint (send (fd, fake->text, strlen (fake->text), MSG_NOSIGNAL), ==, (gssize) strlen (fake->text));
  /* Until the client has gone. */
  if (!fake->stays)
    shutdown (fd, SHUT_WR);
  if (fake->stubborn)
    poll (&(struct pollfd){ .fd = fd, .events = POLLRDHUP }, 1, -1);
  while (!fake->stubborn && read (fd, buffer, fake->count) > 0)
    ;
  return NULL;
}

static void
fake_start (Fake *fake)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;

  fake->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (fake->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (fake->listener, 5), ==, 0);
  g_assert_cmpint (getsockname (fake->listener, (struct sockaddr *) &address, &length), ==, 0);
  g_autofree char *url = g_strdup_printf ("http://127.0.0.1:%u", ntohs (address.sin_port));
  fake->server = tti_http_host_find (url, NULL);
  fake->thread = g_thread_new ("fake server", fake_run, fake);
}

static void
fake_stop (Fake *fake)
{
  if (fake->stubborn)
    shutdown (g_atomic_int_get (&fake->connection), SHUT_RDWR);
  g_thread_join (fake->thread);
  tti_fd_clear (&fake->listener);
}

static gint64
in_seconds (double seconds)
{
  return g_get_monotonic_time () + (gint64) (seconds * G_TIME_SPAN_SECOND);
}

static void
test_exchange (void)
{
  Fake fake = { .count = 4, .text = OK "Content-Length: 5\r\n\r\nhello" };

  fake_start (&fake);
  TtiHttpExchange *exchange = tti_http_exchange_new (fake.server, "GET", "/Info", "", 0, 100, -1);

  g_assert_true (tti_http_exchange_advance (exchange, in_seconds (10)));
  const TtiHttpAnswer *answer = tti_http_exchange_get_answer (exchange, NULL);

  g_assert_cmpmem (answer->body->data, answer->body->len, "hello", 5);
  tti_http_exchange_free (exchange, FALSE);
  fake_stop (&fake);
}

/* A server that refuses answers before it has read a request that is larger than all buffers. */
static void
test_early_answer (void)
{
  Fake fake = { .count = 100, .stubborn = TRUE, .text = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!" };
  gsize size = 100 << 20;
  g_autofree char *body = g_malloc0 (size);

  fake_start (&fake);
  TtiHttpExchange *exchange = tti_http_exchange_new (fake.server, "POST", "/Evaluate", body, size, 100, -1);

  g_assert_true (tti_http_exchange_advance (exchange, in_seconds (10)));
  g_assert_cmpuint (tti_http_exchange_get_answer (exchange, NULL)->status, ==, 413);
  g_assert_cmpint (tti_http_exchange_get_reusable (exchange), ==, -1);
  tti_http_exchange_free (exchange, TRUE);
  fake_stop (&fake);
}

/* A step is no longer than it may be, whatever the exchange waits for, and one that is given up ends. */
static void
test_steps (void)
{
  Fake fake = { .count = 1, .text = OK, .stays = TRUE };
  GError *error = NULL;

  fake_start (&fake);
  TtiHttpExchange *exchange = tti_http_exchange_new (fake.server, "GET", "/Info", "", 0, 100, in_seconds (0.2));
  gint64 begun = g_get_monotonic_time ();

  g_assert_false (tti_http_exchange_advance (exchange, in_seconds (0.01)));
  g_assert_true (tti_http_exchange_advance (exchange, in_seconds (100)));
  g_assert_cmpint (g_get_monotonic_time () - begun, <, 50 * G_TIME_SPAN_SECOND);
  g_assert_null (tti_http_exchange_get_answer (exchange, &error));
  g_assert_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_LATE);
  g_clear_error (&error);
  tti_http_exchange_free (exchange, FALSE);
  fake_stop (&fake);
}

/* A connection is used again, but not by a copy of this process. */
static void
test_copy (void)
{
  Fake fake = { .count = 4, .text = OK "Content-Length: 0\r\n\r\n", .stays = TRUE };
  int status;

  fake_start (&fake);
  TtiHttpExchange *exchange = tti_http_exchange_new (fake.server, "GET", "/Info", "", 0, 100, -1);

  g_assert_true (tti_http_exchange_advance (exchange, in_seconds (10)));
  g_assert_cmpint (tti_http_exchange_get_reusable (exchange), >=, 0);
  tti_http_exchange_free (exchange, TRUE);
  pid_t child = fork ();

  if (child == 0)
    _exit (tti_http_host_take_connection (fake.server) == NULL ? 0 : 1);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  GSocketConnection *connection = tti_http_host_take_connection (fake.server);

  g_assert_nonnull (connection);
  g_assert_null (tti_http_host_take_connection (fake.server));
  tti_http_close (connection);
  fake_stop (&fake);
}

/* Given up while it connects, to an address where nothing answers or to none. */
static void
test_given_up (void)
{
  static const char *const urls[] = { "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1" };

  for (gsize i = 0; i < G_N_ELEMENTS (urls); i++)
    {
      TtiHttpExchange *exchange
        = tti_http_exchange_new (tti_http_host_find (urls[i], NULL), "GET", "/Info", "", 0, 100, -1);

      tti_http_exchange_advance (exchange, g_get_monotonic_time ());
      tti_http_exchange_free (exchange, FALSE);
    }
  TtiHttpExchange *exchange
    = tti_http_exchange_new (tti_http_host_find (urls[0], NULL), "GET", "/Info", "", 0, 100, -1);
  GError *error = NULL;

  g_assert_true (tti_http_exchange_advance (exchange, in_seconds (10)));
  g_assert_null (tti_http_exchange_get_answer (exchange, &error));
  g_assert_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_UNREACHABLE);
  g_clear_error (&error);
  tti_http_exchange_free (exchange, FALSE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/umbridge/answer/good", test_good);
  g_test_add_func ("/umbridge/answer/chunks", test_chunks);
  g_test_add_func ("/umbridge/answer/bad", test_bad);
  g_test_add_func ("/umbridge/answer/long", test_long);
  g_test_add_func ("/umbridge/answer/corrupted", test_corrupted);
  g_test_add_func ("/umbridge/answer/shown", test_shown);
  g_test_add_func ("/umbridge/addresses", test_addresses);
  g_test_add_func ("/umbridge/slots/handed-over", test_slots);
  g_test_add_func ("/umbridge/slots/on-its-way", test_slot_on_its_way);
  g_test_add_func ("/umbridge/slots/of-the-dead", test_slot_of_the_dead);
  g_test_add_func ("/umbridge/exchange/good", test_exchange);
  g_test_add_func ("/umbridge/exchange/early", test_early_answer);
  g_test_add_func ("/umbridge/exchange/steps", test_steps);
  g_test_add_func ("/umbridge/exchange/copy", test_copy);
  g_test_add_func ("/umbridge/exchange/given-up", test_given_up);
  return g_test_run ();
}
