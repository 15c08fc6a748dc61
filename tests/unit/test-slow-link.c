/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The slow link of the tests: bytes are late, not lost or changed; it stalls and goes on; its memory is bounded. */
#include "platform/fd.h"
#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS G_TIME_SPAN_MILLISECOND
#define SECONDS(n) (g_get_monotonic_time () + (n)*G_TIME_SPAN_SECOND)

enum
{
  MOST_KEPT = (8 << 20) + (16 << 20), /* the link's, and what sockets of this machine hold */
};

typedef struct
{
  GSubprocess *link;
  FILE *commands, *answers;
  int client, server; /* the two ends of a connection through it */
} Fixture;

static int
socket_at (guint16 *port, gboolean listening)
{
  struct sockaddr_in here
    = { .sin_family = AF_INET, .sin_port = htons (*port), .sin_addr = { htonl (INADDR_LOOPBACK) } };
  socklen_t size = sizeof here;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (fd, >=, 0);
  if (!listening)
    {
      g_assert_cmpint (connect (fd, (struct sockaddr *)&here, size), ==, 0);
      return fd;
    }
  g_assert_cmpint (bind (fd, (struct sockaddr *)&here, size), ==, 0);
  g_assert_cmpint (listen (fd, 8), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *)&here, &size), ==, 0);
  *port = ntohs (here.sin_port);
  return fd;
}

static void
expect_line (Fixture *fixture, const char *line)
{
  char text[64];

  g_assert_nonnull (fgets (text, sizeof text, fixture->answers));
  g_assert_true (g_str_has_prefix (text, line));
}

static void
command (Fixture *fixture, const char *line)
{
  fprintf (fixture->commands, "%s\n", line);
  fflush (fixture->commands);
  g_autofree char *word = g_strndup (line, strcspn (line, " "));

  expect_line (fixture, word);
}

static void
fixture_start (Fixture *fixture, const char *delay, const char *bandwidth)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (g_getenv ("TUTTI_HELPERS"), "slow-link", NULL);
  guint16 port = 0;
  tti_autofd int listener = socket_at (&port, TRUE);
  g_autofree char *to = g_strdup_printf ("%u", port);
  unsigned int through;

  fixture->link = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, path,
                                    "127.0.0.1", "0", "127.0.0.1", to, delay, bandwidth, NULL);
  g_assert_no_error (error);
  fixture->commands = fdopen (
    dup (g_unix_output_stream_get_fd (G_UNIX_OUTPUT_STREAM (g_subprocess_get_stdin_pipe (fixture->link)))), "w");
  fixture->answers = fdopen (
    dup (g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (g_subprocess_get_stdout_pipe (fixture->link)))), "r");
  g_assert_cmpint (fscanf (fixture->answers, "port %u", &through), ==, 1);
  expect_line (fixture, "\n");
  port = (guint16)through;
  fixture->client = socket_at (&port, FALSE);
  fixture->server = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
  g_assert_cmpint (fixture->server, >=, 0);
}

static void
fixture_stop (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  fclose (fixture->commands);
  g_assert_true (g_output_stream_close (g_subprocess_get_stdin_pipe (fixture->link), NULL, &error));
  g_assert_true (g_subprocess_wait_check (fixture->link, NULL, &error));
  g_assert_no_error (error);
  fclose (fixture->answers);
  g_object_unref (fixture->link);
  close (fixture->client);
  close (fixture->server);
}

static gint64
time_of_a_byte (int from, int to)
{
  gint64 start = g_get_monotonic_time ();
  char c = 'x';

  g_assert_cmpint (write (from, &c, 1), ==, 1);
  g_assert_true (tti_fd_wait (to, POLLIN, SECONDS (60)));
  g_assert_cmpint (read (to, &c, 1), ==, 1);
  g_assert_cmpint (c, ==, 'x');
  return g_get_monotonic_time () - start;
}

static void
test_delay (void)
{
  Fixture fixture;

  fixture_start (&fixture, "80", NULL);
  g_assert_cmpint (time_of_a_byte (fixture.client, fixture.server), >=, 80 * MS);
  g_assert_cmpint (time_of_a_byte (fixture.server, fixture.client), >=, 80 * MS);
  command (&fixture, "delay 0");
  gint64 least = G_MAXINT64;
  for (guint i = 0; i < 50; i++)
    least = MIN (least, time_of_a_byte (fixture.client, fixture.server));
  g_assert_cmpint (least, <, 80 * MS);
  fixture_stop (&fixture);
}

static void
test_stall (void)
{
  Fixture fixture;
  char text[8];

  fixture_start (&fixture, "0", NULL);
  command (&fixture, "stall");
  g_assert_cmpint (write (fixture.client, "held", 4), ==, 4);
  g_assert_false (tti_fd_wait (fixture.server, POLLIN, g_get_monotonic_time () + 100 * MS));
  command (&fixture, "go");
  g_assert_true (tti_fd_wait (fixture.server, POLLIN, SECONDS (60)));
  g_assert_cmpint (read (fixture.server, text, sizeof text), ==, 4);
  g_assert_cmpint (memcmp (text, "held", 4), ==, 0);
  command (&fixture, "drop");
  g_assert_cmpint (read (fixture.client, text, 1), ==, -1);
  g_assert_cmpint (errno, ==, ECONNRESET);
  fixture_stop (&fixture);
}

/* Write NUMBER, NUMBER + 1, … until the descriptor takes no more; returns the next number. */
static guint32
write_numbers (int fd, guint32 number, guint32 end)
{
  while (number < end && tti_fd_wait (fd, POLLOUT, g_get_monotonic_time () + 200 * MS))
    {
      guint32 block[1024];

      for (guint i = 0; i < G_N_ELEMENTS (block); i++)
        block[i] = number + i;
      ssize_t n = send (fd, block, sizeof block, MSG_DONTWAIT);

      g_assert_true (n < 0 || n % 4 == 0);
      number += n > 0 ? (guint32)n / 4 : 0;
    }
  return number;
}

static void
test_bounds (void)
{
  Fixture fixture;
  guint32 n_written, next = 0, number;
  gsize have = 0;

  fixture_start (&fixture, "0", NULL);
  command (&fixture, "stall");
  n_written = write_numbers (fixture.client, 0, G_MAXUINT32 / 8);
  g_assert_cmpuint (n_written, <=, MOST_KEPT / 4);
  command (&fixture, "go");
  shutdown (fixture.client, SHUT_WR);
  for (ssize_t n = 1; n > 0; have += (gsize)n)
    {
      guint8 *into = (guint8 *)&number + have % 4;

      n = read (fixture.server, into, 4 - have % 4);
      g_assert_cmpint (n, >=, 0);
      if ((have + (gsize)n) % 4 == 0 && n > 0)
        g_assert_cmpuint (number, ==, next++);
    }
  g_assert_cmpuint (next, ==, n_written);
  fixture_stop (&fixture);
}

static void
test_bandwidth (void)
{
  Fixture fixture;
  g_autofree char *bytes = g_malloc0 (200000);
  gint64 start;

  fixture_start (&fixture, "0", "1000000");
  start = g_get_monotonic_time ();
  g_assert_cmpint (write (fixture.client, bytes, 200000), ==, 200000);
  for (gsize have = 0; have < 200000;)
    {
      ssize_t n = read (fixture.server, bytes, 200000);

      g_assert_cmpint (n, >, 0);
      have += (gsize)n;
    }
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 180 * MS);
  fixture_stop (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/slow-link/delay", test_delay);
  g_test_add_func ("/slow-link/stall", test_stall);
  g_test_add_func ("/slow-link/bounds", test_bounds);
  g_test_add_func ("/slow-link/bandwidth", test_bandwidth);
  return g_test_run ();
}
