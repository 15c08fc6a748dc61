/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The handshake, with peers of all kinds: Tutti of this run and of another, other programs, older TLS, clocks that are wrong. */
#include "cluster-fixture.h"
#include <gnutls/gnutls.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* One side of a connection, in a thread. */
typedef struct
{
  GSocketConnection *connection;
  const TtiCredentials *credentials;
  gboolean is_server;
  GCancellable *cancellable;
  GIOStream *tls;
  GError *error;
} Side;

static gpointer
side_run (gpointer data)
{
  Side *side = data;

  side->tls = tti_tls_open (side->connection, side->credentials, side->is_server, side->cancellable, &side->error);
  return NULL;
}

static void
side_clear (Side *side)
{
  g_clear_object (&side->tls);
  g_clear_object (&side->connection);
  g_clear_error (&side->error);
}

/* Let the two meet; SIDES[0] dials. */
static void
meet (Side sides[2], const TtiCredentials *dialling, const TtiCredentials *listening)
{
  GSocketConnection *ends[2];
  GThread *thread;

  loopback_connect (ends);
  sides[0] = (Side) { .connection = ends[0], .credentials = dialling };
  sides[1] = (Side) { .connection = ends[1], .credentials = listening, .is_server = TRUE };
  thread = g_thread_new ("server", side_run, &sides[1]);
  side_run (&sides[0]);
  g_thread_join (thread);
}

/* What TLS of one end sends, the other receives, and its end is seen without a farewell. */
static void
assert_talk (Side *from, Side *to)
{
  char buffer[16];
  GError *error = NULL;

  g_output_stream_write_all (g_io_stream_get_output_stream (from->tls), "hello", 5, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (to->tls), buffer, sizeof buffer, NULL, &error), ==, 5);
  g_assert_no_error (error);
}

static void
test_good (void)
{
  Run run;
  Side sides[2];
  char byte;
  GError *error = NULL;

  run_open (&run);
  /* Sessions that are resumed are none the less those of peers that were looked at. */
  for (guint i = 0; i < 20; i++)
    {
      meet (sides, run.agent, run.master);
      g_assert_no_error (sides[0].error);
      g_assert_no_error (sides[1].error);
      assert_talk (&sides[0], &sides[1]);
      assert_talk (&sides[1], &sides[0]);
      shutdown (g_socket_get_fd (g_socket_connection_get_socket (sides[0].connection)), SHUT_WR);
      g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (sides[1].tls), &byte, 1, NULL, &error), ==, 0);
      g_assert_no_error (error);
      side_clear (&sides[0]);
      side_clear (&sides[1]);
    }
  run_close (&run);
}

static void
test_other_run (void)
{
  Run run, other;
  Side sides[2];

  run_open (&run);
  run_open (&other);
  for (guint i = 0; i < 3; i++)
    {
      /* Each refuses the other; the client is the first to see. */
      meet (sides, other.agent, run.master);
      assert_says (&sides[0].error, TUTTI_ERROR_PROTOCOL, WORDS ("127.0.0.1, port", "not of this run"));
      g_assert_null (sides[1].tls);
      g_assert_nonnull (sides[1].error);
      side_clear (&sides[0]);
      side_clear (&sides[1]);
      /* One that was good before does not help. */
      meet (sides, run.agent, run.master);
      g_assert_no_error (sides[1].error);
      side_clear (&sides[0]);
      side_clear (&sides[1]);
    }
  run_close (&run);
  run_close (&other);
}

/* A side that shows what is not for it, though it is of this run. */
static void
test_wrong_use (void)
{
  Run run;
  Side sides[2];

  run_open (&run);
  meet (sides, run.master, run.master);
  assert_says (&sides[1].error, TUTTI_ERROR_PROTOCOL, WORDS ("certificate of a master, but dials"));
  g_assert_nonnull (sides[0].error);
  side_clear (&sides[0]);
  side_clear (&sides[1]);
  meet (sides, run.agent, run.agent);
  assert_says (&sides[0].error, TUTTI_ERROR_PROTOCOL, WORDS ("certificate of an agent, but listens"));
  g_assert_nonnull (sides[1].error);
  side_clear (&sides[0]);
  side_clear (&sides[1]);
  run_close (&run);
}

/* A server with the run's credentials, and a bare socket that dials it. */
static int
serve (Side *side, Run *run, GThread **thread)
{
  GSocketConnection *ends[2];
  int fd;

  loopback_connect (ends);
  *side = (Side) { .connection = ends[1], .credentials = run->master, .is_server = TRUE, .cancellable = g_cancellable_new () };
  fd = dup (g_socket_get_fd (g_socket_connection_get_socket (ends[0])));
  g_object_unref (ends[0]);
  *thread = g_thread_new ("server", side_run, side);
  return fd;
}

static void
assert_served (Side *side, GThread *thread, int fd, int code, const char *const *words)
{
  g_thread_join (thread);
  g_assert_null (side->tls);
  assert_says (&side->error, code, words);
  g_object_unref (side->cancellable);
  side_clear (side);
  if (fd >= 0)
    close (fd);
}

static void
test_no_tls (void)
{
  static const struct
  {
    const char *bytes;
    gssize n;
    const char *quoted;
  } openings[] = { { "GET / HTTP/1.1\r\n\r\n", 18, "'GET / HTTP/1.1..'" }, { "SSH-2.0-x\r\n", 11, "'SSH-2.0-x..'" },
                   { "\0\1\2\3\xff", 5, "'.....'" }, { "\x16", 1, NULL }, { "\x16\x03\x01\xff\xff\x01\x02\x03", 8, NULL },
                   { "\x16\x03\x01\0\5\1\0\0\1\0", 10, NULL }, { "\x16\x02garbage", 9, "'..garbage'" } };
  Run run;

  run_open (&run);
  for (guint i = 0; i < G_N_ELEMENTS (openings); i++)
    {
      Side side;
      GThread *thread;
      int fd = serve (&side, &run, &thread);

      g_assert_cmpint (send (fd, openings[i].bytes, (size_t) openings[i].n, MSG_NOSIGNAL), ==, openings[i].n);
      if (openings[i].quoted != NULL)
        assert_served (&side, thread, fd, TUTTI_ERROR_PROTOCOL, WORDS ("127.0.0.1, port", "not Tutti", openings[i].quoted));
      else
        {
          shutdown (fd, SHUT_WR);
          g_thread_join (thread);
          g_assert_null (side.tls);
          g_assert_true (g_error_matches (side.error, TUTTI_ERROR, TUTTI_ERROR_CLOSED)
                         || g_error_matches (side.error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL));
          g_object_unref (side.cancellable);
          side_clear (&side);
          close (fd);
        }
    }
  run_close (&run);
}

/* Who says nothing, or a part of a greeting, is waited for until the caller has enough. Who goes away is not waited for. */
static void
test_silent (void)
{
  Run run;
  Side side;
  GThread *thread;
  int fd;

  run_open (&run);
  fd = serve (&side, &run, &thread);
  g_usleep (20000);
  g_cancellable_cancel (side.cancellable);
  assert_served (&side, thread, fd, TUTTI_ERROR_CANCELLED, WORDS ("interrupted"));
  fd = serve (&side, &run, &thread);
  g_assert_cmpint (send (fd, "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), ==, 4);
  g_usleep (20000);
  g_cancellable_cancel (side.cancellable);
  assert_served (&side, thread, fd, TUTTI_ERROR_CANCELLED, WORDS ("interrupted"));
  fd = serve (&side, &run, &thread);
  close (fd);
  assert_served (&side, thread, -1, TUTTI_ERROR_CLOSED, WORDS ("went away"));
  run_close (&run);
}

static void
test_gnutls (void)
{
  Run run, other;
  Side side;
  GThread *thread;
  int fd;

  run_open (&run);
  run_open (&other);
  fd = serve (&side, &run, &thread);
  gnutls_dial (fd, run.agent, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
  assert_served (&side, thread, fd, TUTTI_ERROR_PROTOCOL, WORDS ("speaks TLS 1.2", "expected TLS 1.3"));
  fd = serve (&side, &run, &thread);
  gnutls_dial (fd, NULL, "NORMAL");
  assert_served (&side, thread, fd, TUTTI_ERROR_PROTOCOL, WORDS ("has no certificate", "none of this run"));
  fd = serve (&side, &run, &thread);
  gnutls_dial (fd, other.agent, "NORMAL");
  assert_served (&side, thread, fd, TUTTI_ERROR_PROTOCOL, WORDS ("not of this run"));
  fd = serve (&side, &run, &thread);
  gnutls_dial (fd, NULL, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
  assert_served (&side, thread, fd, TUTTI_ERROR_PROTOCOL, WORDS ("has no certificate"));
  /* It is not the peer that it fails with. */
  fd = serve (&side, &run, &thread);
  gnutls_dial (fd, run.agent, "NORMAL");
  g_thread_join (thread);
  g_assert_no_error (side.error);
  g_object_unref (side.cancellable);
  side_clear (&side);
  close (fd);
  run_close (&run);
  run_close (&other);
}

/* An agent that dials something else. */
static void
test_wrong_server (void)
{
  Run run;
  GSocketConnection *ends[2];
  GError *error = NULL;

  run_open (&run);
  loopback_connect (ends);
  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (ends[1])), "220 mail ready\r\n", 16, NULL, NULL, NULL);
  g_assert_null (tti_tls_open (ends[0], run.agent, FALSE, NULL, &error));
  assert_says (&error, TUTTI_ERROR_PROTOCOL, WORDS ("127.0.0.1, port", "TLS"));
  g_object_unref (ends[0]);
  g_object_unref (ends[1]);
  loopback_connect (ends);
  g_io_stream_close (G_IO_STREAM (ends[1]), NULL, NULL);
  g_assert_null (tti_tls_open (ends[0], run.agent, FALSE, NULL, &error));
  assert_says (&error, TUTTI_ERROR_CLOSED, WORDS ("ended the connection"));
  g_object_unref (ends[0]);
  g_object_unref (ends[1]);
  run_close (&run);
}

/* The clock of this machine, as GnuTLS and GIO's backend see it. */
static time_t clock_error;

static time_t
wrong_time (time_t *now)
{
  time_t seconds = time (NULL) + clock_error;

  if (now != NULL)
    *now = seconds;
  return seconds;
}

static void
test_clocks (void)
{
  enum { HOUR = 3600, DAY = 24 * HOUR };
  Run run;
  Side sides[2];

  run_open (&run);
  gnutls_global_set_time_function (wrong_time);
  clock_error = -23 * HOUR;
  meet (sides, run.agent, run.master);
  g_assert_no_error (sides[0].error);
  g_assert_no_error (sides[1].error);
  side_clear (&sides[0]);
  side_clear (&sides[1]);
  clock_error = 59 * DAY;
  meet (sides, run.agent, run.master);
  g_assert_no_error (sides[0].error);
  g_assert_no_error (sides[1].error);
  side_clear (&sides[0]);
  side_clear (&sides[1]);
  clock_error = -25 * HOUR;
  meet (sides, run.agent, run.master);
  assert_says (&sides[0].error, TUTTI_ERROR_PROTOCOL, WORDS ("not good yet", "clocks"));
  side_clear (&sides[0]);
  side_clear (&sides[1]);
  clock_error = 61 * DAY;
  meet (sides, run.agent, run.master);
  assert_says (&sides[0].error, TUTTI_ERROR_PROTOCOL, WORDS ("expired", "clock"));
  side_clear (&sides[0]);
  side_clear (&sides[1]);
  gnutls_global_set_time_function (time);
  run_close (&run);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls/good", test_good);
  g_test_add_func ("/tls/other-run", test_other_run);
  g_test_add_func ("/tls/wrong-use", test_wrong_use);
  g_test_add_func ("/tls/no-tls", test_no_tls);
  g_test_add_func ("/tls/silent", test_silent);
  g_test_add_func ("/tls/gnutls", test_gnutls);
  g_test_add_func ("/tls/wrong-server", test_wrong_server);
  g_test_add_func ("/tls/clocks", test_clocks);
  return g_test_run ();
}
