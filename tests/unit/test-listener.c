/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The master's door, agents that dial it, and others: those who say nothing, those who say something else, and many of them. */
#include "cluster-fixture.h"
#include "cluster/addresses.h"
#include "cluster/dial.h"
#include "cluster/listener.h"
#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE (60 * G_TIME_SPAN_SECOND)

typedef struct
{
  Run run;
  TtiListener *listener;
  GMutex lock;
  GCond changed;
  guint n_accepted;
  GPtrArray *streams, *refusals;
} Fixture;

static void
accepted (GIOStream *tls, GSocketConnection *connection, gpointer data)
{
  Fixture *fixture = data;

  g_object_unref (connection);
  g_mutex_lock (&fixture->lock);
  fixture->n_accepted++;
  g_ptr_array_add (fixture->streams, tls);
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
}

static void
refused (const char *text, gpointer data)
{
  Fixture *fixture = data;

  g_mutex_lock (&fixture->lock);
  g_ptr_array_add (fixture->refusals, g_strdup (text));
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
}

static const TtiListenerEvents events = { accepted, refused };

static void
set_up (Fixture *fixture, gconstpointer data)
{
  GError *error = NULL;

  (void) data;
  run_open (&fixture->run);
  fixture->streams = g_ptr_array_new_with_free_func (g_object_unref);
  fixture->refusals = g_ptr_array_new_with_free_func (g_free);
  fixture->listener = tti_listener_new ("127.0.0.1", 0, 2000, fixture->run.master, &events, fixture, &error);
  g_assert_no_error (error);
}

/* It ends at once, whatever its guests do. */
static void
tear_down (Fixture *fixture, gconstpointer data)
{
  gint64 start = g_get_monotonic_time ();

  (void) data;
  tti_listener_free (fixture->listener);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 2 * G_TIME_SPAN_SECOND);
  g_ptr_array_unref (fixture->streams);
  g_ptr_array_unref (fixture->refusals);
  run_close (&fixture->run);
}

static void
expect (Fixture *fixture, guint n)
{
  GError *error = NULL;

  tti_listener_expect (fixture->listener, n, &error);
  g_assert_no_error (error);
}

static void
await (Fixture *fixture, guint n_accepted, guint n_refusals)
{
  gint64 deadline = g_get_monotonic_time () + DEADLINE;

  g_mutex_lock (&fixture->lock);
  while (fixture->n_accepted < n_accepted || fixture->refusals->len < n_refusals)
    g_assert_true (g_cond_wait_until (&fixture->changed, &fixture->lock, deadline));
  g_mutex_unlock (&fixture->lock);
}

static GIOStream *
dial (Fixture *fixture, const TtiCredentials *credentials, GError **error)
{
  TtiDial options = { .addresses = WORDS ("127.0.0.1"), .port = tti_listener_get_port (fixture->listener), .lost_after = 2000,
                      .patience = DEADLINE, .credentials = credentials };

  return tti_dial (&options, NULL, NULL, error);
}

/* A bare connection; -1 if it is refused. */
static int
knock (Fixture *fixture)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) tti_listener_get_port (fixture->listener)),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  g_assert_cmpint (errno, ==, ECONNREFUSED);
  close (fd);
  return -1;
}

static void
assert_ended (int fd)
{
  struct pollfd end = { .fd = fd, .events = POLLIN };
  char bytes[4096];

  do
    g_assert_cmpint (poll (&end, 1, 60000), ==, 1);
  while (recv (fd, bytes, sizeof bytes, 0) > 0);
  close (fd);
}

static void
test_expected (Fixture *fixture, gconstpointer data)
{
  GError *error = NULL;
  GIOStream *streams[2];
  char byte;

  (void) data;
  g_assert_cmpint (knock (fixture), ==, -1);
  for (guint i = 0; i < 3; i++)
    {
      expect (fixture, 2);
      for (guint k = 0; k < 2; k++)
        {
          streams[k] = dial (fixture, fixture->run.agent, &error);
          g_assert_no_error (error);
        }
      await (fixture, 2 * (i + 1), 0);
      /* The last has closed it; those that were accepted live. */
      g_assert_cmpint (knock (fixture), ==, -1);
      for (guint k = 0; k < 2; k++)
        {
          GIOStream *other = g_ptr_array_index (fixture->streams, 2 * i + k);

          g_assert_true (g_output_stream_write_all (g_io_stream_get_output_stream (streams[k]), "x", 1, NULL, NULL, NULL));
          g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (other), &byte, 1, NULL, NULL), ==, 1);
          g_object_unref (streams[k]);
        }
    }
  g_assert_cmpuint (fixture->refusals->len, ==, 0);
}

/* The port is nobody else's while it is closed, and who is on the way when it closes is sent away. */
static void
test_closed (Fixture *fixture, gconstpointer data)
{
  GError *error = NULL;
  gint64 start = g_get_monotonic_time ();
  int fd, other, third;

  (void) data;
  expect (fixture, 1);
  g_assert_null (tti_listener_new ("127.0.0.1", tti_listener_get_port (fixture->listener), 2000, fixture->run.master, &events, fixture,
                                   &error));
  assert_says (&error, TUTTI_ERROR_SYSTEM, WORDS ("127.0.0.1", "in use"));
  fd = knock (fixture);
  other = knock (fixture);
  g_assert_cmpint (send (other, "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), ==, 4);
  /* When a third is refused, those before it are inside. */
  third = knock (fixture);
  g_assert_cmpint (send (third, "nonsense", 8, MSG_NOSIGNAL), ==, 8);
  await (fixture, 0, 1);
  expect (fixture, 0);
  g_assert_cmpint (knock (fixture), ==, -1);
  assert_ended (fd);
  assert_ended (other);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 4 * G_TIME_SPAN_SECOND);
  g_assert_null (dial (fixture, fixture->run.agent, &error));
  assert_says (&error, TUTTI_ERROR_SYSTEM, WORDS ("127.0.0.1", "refused"));
  expect (fixture, 1);
  assert_ended (third);
  g_object_unref (dial (fixture, fixture->run.agent, &error));
  await (fixture, 1, 0);
}

static void
test_strangers (Fixture *fixture, gconstpointer data)
{
  Run other;
  GError *error = NULL;
  int fd;

  (void) data;
  run_open (&other);
  expect (fixture, 1);
  fd = knock (fixture);
  g_assert_cmpint (send (fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), ==, 18);
  await (fixture, 0, 1);
  g_assert_nonnull (strstr (g_ptr_array_index (fixture->refusals, 0), "begins with 'GET / "));
  assert_ended (fd);
  g_assert_null (dial (fixture, other.agent, &error));
  assert_says (&error, TUTTI_ERROR_PROTOCOL, WORDS ("127.0.0.1", "not of this run"));
  await (fixture, 0, 2);
  /* One of them all is still expected. */
  g_object_unref (dial (fixture, fixture->run.agent, &error));
  await (fixture, 1, 2);
  run_close (&other);
}

/* The greeting of a client that then says no more. */
static void
greet (int fd)
{
  gnutls_session_t session;
  gnutls_certificate_credentials_t certificate;

  gnutls_init (&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
  gnutls_set_default_priority (session);
  gnutls_certificate_allocate_credentials (&certificate);
  gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, certificate);
  gnutls_transport_set_int (session, fd);
  g_unix_set_fd_nonblocking (fd, TRUE, NULL);
  g_assert_cmpint (gnutls_handshake (session), ==, GNUTLS_E_AGAIN);
  g_unix_set_fd_nonblocking (fd, FALSE, NULL);
  gnutls_deinit (session);
  gnutls_certificate_free_credentials (certificate);
}

static gboolean
was_told (Fixture *fixture, const char *words)
{
  gboolean told = FALSE;

  g_mutex_lock (&fixture->lock);
  for (guint i = 0; i < fixture->refusals->len; i++)
    told |= strstr (g_ptr_array_index (fixture->refusals, i), words) != NULL;
  g_mutex_unlock (&fixture->lock);
  return told;
}

/* Who says nothing, or stops in the middle, goes after 5 s; and so does who stops after that. */
static void
test_silent (Fixture *fixture, gconstpointer data)
{
  gint64 start = g_get_monotonic_time ();
  int silent, half;

  (void) data;
  expect (fixture, 1);
  silent = knock (fixture);
  half = knock (fixture);
  g_assert_cmpint (send (half, "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), ==, 4);
  assert_ended (silent);
  g_assert_cmpint (g_get_monotonic_time () - start, >, 4 * G_TIME_SPAN_SECOND);
  assert_ended (half);
  await (fixture, 0, 1);
  g_assert_true (was_told (fixture, "has not said what it wants"));
  start = g_get_monotonic_time ();
  silent = knock (fixture);
  greet (silent);
  assert_ended (silent);
  g_assert_cmpint (g_get_monotonic_time () - start, >, 4 * G_TIME_SPAN_SECOND);
  await (fixture, 0, 2);
  g_assert_true (was_told (fixture, "has not shown a certificate for 5 s"));
}

/* With GnuTLS alone: handshakes of GIO share a few threads, and those of this side would keep the other side's waiting. */
static gpointer
dial_in_thread (gpointer data)
{
  Fixture *fixture = data;
  gint64 deadline = g_get_monotonic_time () + 5 * DEADLINE;
  gboolean greeted = FALSE;

  /* On a machine that has much else to do a handshake may take too long, and is tried again. */
  for (int fd = knock (fixture); fd >= 0 && !greeted; fd = greeted ? -1 : knock (fixture))
    {
      greeted = gnutls_dial (fd, fixture->run.agent, "NORMAL");
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      close (fd);
    }
  g_assert_true (greeted);
  return NULL;
}

enum
{
  N_AGENTS = 100,
  N_OTHERS = 600
};

/* Let a hundred agents in, all at once; returns how long that takes, µs. */
static gint64
let_agents_in (Fixture *fixture)
{
  GThread *agents[N_AGENTS];
  gint64 start = g_get_monotonic_time ();

  for (guint i = 0; i < N_AGENTS; i++)
    agents[i] = g_thread_new ("agent", dial_in_thread, fixture);
  for (guint i = 0; i < N_AGENTS; i++)
    g_thread_join (agents[i]);
  return g_get_monotonic_time () - start;
}

/* Agents alone, and then behind two hundred who say nothing, as many who stop in the middle, and as many who say nonsense. If those had
 * places that agents need, it would take more than half a minute longer. People are told of it in few words. */
static void
test_crowd (Fixture *fixture, gconstpointer data)
{
  int others[N_OTHERS];
  gint64 alone, behind, start;

  (void) data;
  expect (fixture, N_AGENTS);
  alone = let_agents_in (fixture);
  await (fixture, N_AGENTS, 0);
  expect (fixture, N_AGENTS);
  start = g_get_monotonic_time ();
  for (guint i = 0; i < N_OTHERS; i++)
    {
      others[i] = knock (fixture);
      if (i % 3 > 0)
        send (others[i], "\x16\x03\x01garbage", i % 3 == 1 ? 10 : 4, MSG_NOSIGNAL);
    }
  behind = let_agents_in (fixture);
  await (fixture, 2 * N_AGENTS, 0);
  g_assert_cmpint (knock (fixture), ==, -1);
  g_test_message ("%.1f s, alone %.1f s, %u messages, the last: %s", (double) behind / G_TIME_SPAN_SECOND,
                  (double) alone / G_TIME_SPAN_SECOND, fixture->refusals->len,
                  fixture->refusals->len > 0 ? (char *) fixture->refusals->pdata[fixture->refusals->len - 1] : "");
  g_assert_cmpuint (fixture->refusals->len, <=, (g_get_monotonic_time () - start) / G_TIME_SPAN_SECOND + 2);
  g_assert_cmpint (behind, <, 20 * G_TIME_SPAN_SECOND + 10 * alone);
  for (guint i = 0; i < N_OTHERS; i++)
    if (others[i] >= 0)
      close (others[i]);
}

/* All kinds of guests are there when it is freed. */
static void
test_free (Fixture *fixture, gconstpointer data)
{
  int fds[40];
  gint64 start;

  (void) data;
  expect (fixture, 5);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      fds[i] = knock (fixture);
      if (i % 2 == 0)
        g_assert_cmpint (send (fds[i], "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), ==, 4);
      else if (i % 8 == 1)
        {
          greet (fds[i]);
          g_assert_cmpint (poll (&(struct pollfd) { .fd = fds[i], .events = POLLIN }, 1, 60000), ==, 1); /* it is answered */
        }
    }
  g_object_unref (dial (fixture, fixture->run.agent, NULL));
  start = g_get_monotonic_time ();
  tti_listener_free (g_steal_pointer (&fixture->listener));
  g_assert_cmpint (g_get_monotonic_time () - start, <, 2 * G_TIME_SPAN_SECOND);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    assert_ended (fds[i]);
}

static void
test_addresses (Fixture *fixture, gconstpointer data)
{
  GError *error = NULL;
  g_auto (GStrv) candidates = tti_address_candidates ();
  TtiListener *listener;

  g_assert_cmpuint (g_strv_length (candidates), >, 0);
  for (guint i = 0; candidates[i] != NULL; i++)
    {
      g_test_message ("%s", candidates[i]);
      g_assert_false (g_strv_contains ((const char *const *) candidates + i + 1, candidates[i]));
      g_assert_false (g_str_has_prefix (candidates[i], "fe80:"));
    }
  g_assert_null (tti_listener_new ("n1.cluster", 0, 2000, fixture->run.master, &events, fixture, &error));
  assert_says (&error, TUTTI_ERROR_ARGUMENT, WORDS ("n1.cluster", "digits"));
  g_assert_null (tti_listener_new ("203.0.113.77", 0, 2000, fixture->run.master, &events, fixture, &error));
  assert_says (&error, TUTTI_ERROR_SYSTEM, WORDS ("203.0.113.77"));
  /* All of this machine's. */
  listener = tti_listener_new (NULL, 0, 2000, fixture->run.master, &events, fixture, &error);
  g_assert_no_error (error);
  (void) data;
  tti_listener_free (fixture->listener);
  fixture->listener = listener;
  expect (fixture, 1);
  g_object_unref (dial (fixture, fixture->run.agent, &error));
  await (fixture, 1, 0);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (50000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* The ways to fail, of which all are told; one that works after others; interrupting. */
static void
test_dial (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GSocket) mute = loopback_listen (&address); /* accepts, in the kernel, and says nothing */
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GSocketConnection *connection = NULL;
  GError *error = NULL;
  TtiDial options = { .addresses = WORDS ("name.invalid", "127.0.0.1", "::1"), .port = tti_listener_get_port (fixture->listener),
                      .lost_after = 2000, .patience = DEADLINE, .credentials = fixture->run.agent };
  GThread *thread;
  gint64 start;

  (void) data;
  g_assert_null (tti_dial (&options, NULL, NULL, &error));
  assert_says (&error, TUTTI_ERROR_SYSTEM, WORDS ("not reached at port", "name.invalid", "127.0.0.1", "refused", "::1"));
  expect (fixture, 1);
  g_object_unref (tti_dial (&options, NULL, &connection, &error));
  g_assert_no_error (error);
  g_assert_true (G_IS_TCP_CONNECTION (connection));
  g_clear_object (&connection);
  await (fixture, 1, 0);
  options.addresses = WORDS ("127.0.0.1", "127.0.0.1");
  options.port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
  options.patience = 100 * G_TIME_SPAN_MILLISECOND;
  start = g_get_monotonic_time ();
  g_assert_null (tti_dial (&options, NULL, NULL, &error));
  assert_says (&error, TUTTI_ERROR_SYSTEM, WORDS ("no answer for 0.1 s"));
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 200 * G_TIME_SPAN_MILLISECOND);
  options.patience = DEADLINE;
  thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_null (tti_dial (&options, cancellable, NULL, &error));
  assert_says (&error, TUTTI_ERROR_CANCELLED, WORDS ("interrupted"));
  g_assert_cmpint (g_get_monotonic_time () - start, <, DEADLINE / 2);
  g_thread_join (thread);
  g_assert_null (tti_dial (&options, cancellable, NULL, &error));
  assert_says (&error, TUTTI_ERROR_CANCELLED, WORDS ("interrupted"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add ("/listener/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("expected", test_expected);
  ADD ("closed", test_closed);
  ADD ("strangers", test_strangers);
  ADD ("silent", test_silent);
  ADD ("crowd", test_crowd);
  ADD ("free", test_free);
  ADD ("addresses", test_addresses);
  ADD ("dial", test_dial);
  return g_test_run ();
}
