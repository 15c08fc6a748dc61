/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How much a connection holds while the process at its other end is stopped: that is another process of this program, which dials, says
 * how much it takes, stops itself, and counts what came when it goes on. */
#include "cluster-fixture.h"
#include "cluster/invitation.h"
#include "cluster/tcp.h"
#include "platform/fd.h"
#include "platform/spawn.h"
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum
{
  LOST_AFTER = 2000,
  STOPPED_SECONDS = 10
};

/* The other process. Its standard input is an invitation; SIZE is that of its receive buffer (0: as it comes). */
G_GNUC_NORETURN static void
be_peer (int size)
{
  g_autoptr (TtiInvitation) invitation = tti_invitation_from_fd (STDIN_FILENO, NULL);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (invitation->addresses[0], invitation->port);
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GIOStream) tls = NULL;
  guint64 n = 0;
  char buffer[65536];
  gssize got;

  if (size == 0)
    tti_tcp_enlarge (socket);
  else
    setsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  g_assert_true (g_socket_connect (socket, address, NULL, NULL));
  connection = connection_of (socket);
  tti_tcp_prepare (socket, LOST_AFTER);
  tls = tti_tls_open (connection, invitation->credentials, FALSE, NULL, NULL);
  g_assert_nonnull (tls);
  n = tti_tcp_get_window (socket);
  g_assert_true (g_output_stream_write_all (g_io_stream_get_output_stream (tls), &n, sizeof n, NULL, NULL, NULL));
  raise (SIGSTOP);
  for (n = 0; (got = g_input_stream_read (g_io_stream_get_input_stream (tls), buffer, sizeof buffer, NULL, NULL)) > 0; n += (guint64) got)
    if (buffer[got - 1] == 'e')
      g_assert_true (g_output_stream_write_all (g_io_stream_get_output_stream (tls), &n, sizeof n, NULL, NULL, NULL));
  /* What GIO's backend leaves behind when a connection breaks is not looked for. */
  _exit (0);
}

typedef struct
{
  pid_t pid;
  gsize record;
  guint64 window, sent;
  GSocketConnection *connection;
  GIOStream *tls;
} Peer;

static pid_t
start_process (Run *run, guint port, int size)
{
  char *addresses[] = { "127.0.0.1", NULL };
  TtiInvitation invitation = { .addresses = addresses, .port = port, .run = "r", .launch = 1, .lost_after = LOST_AFTER, .silence = 60000,
                               .version = TUTTI_VERSION, .credentials = run->agent };
  char *text = tti_invitation_to_text (&invitation);
  g_autofree char *size_text = g_strdup_printf ("%d", size);
  const char *argv[] = { "/proc/self/exe", "--peer", size_text, NULL };
  g_auto (GStrv) environment = g_get_environ ();
  int input[2];
  TtiSpawn spawn = { .path = argv[0], .argv = argv, .envp = (const char *const *) environment, .n_fds = 3 };
  GError *error = NULL;
  pid_t pid;

  g_assert_true (tti_fd_pipe (input, NULL));
  spawn.fds = (const int[]) { input[0], STDERR_FILENO, STDERR_FILENO };
  pid = tti_spawn (&spawn, &error);
  g_assert_no_error (error);
  g_assert_cmpint (write (input[1], text, strlen (text)), ==, strlen (text));
  tti_fd_clear (&input[0]);
  tti_fd_clear (&input[1]);
  tti_secret_free (text);
  return pid;
}

/* A peer that has stopped itself. */
static void
peer_open (Peer *peer, Run *run, int size)
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GSocket) listener = loopback_listen (&address);
  GError *error = NULL;
  int status;
  GSocket *socket;

  peer->pid = start_process (run, g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)), size);
  socket = g_socket_accept (listener, NULL, &error);
  g_assert_no_error (error);
  peer->connection = connection_of (socket);
  tti_tcp_prepare (socket, LOST_AFTER);
  peer->tls = tti_tls_open (peer->connection, run->master, TRUE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (peer->tls), &peer->window, 8, NULL, &error), ==, 8);
  g_assert_cmpint (waitpid (peer->pid, &status, WUNTRACED), ==, peer->pid);
  g_assert_true (WIFSTOPPED (status));
}

static void
peer_close (Peer *peer)
{
  int status;

  kill (peer->pid, SIGCONT);
  g_io_stream_close (G_IO_STREAM (peer->connection), NULL, NULL);
  g_assert_cmpint (waitpid (peer->pid, &status, 0), ==, peer->pid);
  g_assert_cmpint (status, ==, 0);
  g_object_unref (peer->tls);
  g_object_unref (peer->connection);
}

/* Send BYTES of the window, in writes of RECORD bytes. */
static gboolean
peer_send (Peer *peer, guint64 bytes, GError **error)
{
  g_autofree char *record = g_strnfill (peer->record, 'x');
  guint64 cost = 0;

  while (cost + peer->record + TTI_TCP_RECORD <= bytes)
    {
      cost += peer->record + TTI_TCP_RECORD;
      if (cost + peer->record + TTI_TCP_RECORD > bytes)
        record[peer->record - 1] = 'e';
      if (!g_output_stream_write_all (g_io_stream_get_output_stream (peer->tls), record, peer->record, NULL, NULL, error))
        return FALSE;
      peer->sent += peer->record;
    }
  return TRUE;
}

static int
socket_of (Peer *peer)
{
  return g_socket_get_fd (g_socket_connection_get_socket (peer->connection));
}

/* Has the other kernel acknowledged all? */
static gboolean
peer_has_all (Peer *peer)
{
  int queued = 0;

  g_assert_cmpint (ioctl (socket_of (peer), SIOCOUTQ, &queued), ==, 0);
  return queued == 0;
}

static void
assert_alive (Peer *peer)
{
  int failure = -1;
  socklen_t size = sizeof failure;

  g_assert_cmpint (getsockopt (socket_of (peer), SOL_SOCKET, SO_ERROR, &failure, &size), ==, 0);
  if (failure != 0)
    g_error ("records of %zu bytes, window %" G_GUINT64_FORMAT ": %s", peer->record, peer->window, g_strerror (failure));
}

static void
test_stopped (void)
{
  static const struct
  {
    gsize record;
    int size;
  } cases[] = { { 1, 0 },      { 64, 0 },      { 1000, 0 },      { 1448, 0 },      { 4096, 0 },      { 16384, 0 },      { 262144, 0 },
                { 1, 212992 }, { 64, 212992 }, { 1000, 212992 }, { 1448, 212992 }, { 4096, 212992 }, { 16384, 212992 } };
  Peer peers[G_N_ELEMENTS (cases)] = { { 0 } };
  Run run;
  GError *error = NULL;
  gint64 deadline;

  run_open (&run);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      peer_open (&peers[i], &run, cases[i].size);
      peers[i].record = cases[i].record;
    }
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      peer_send (&peers[i], peers[i].window, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (peers[i].sent, >, 0);
    }
  deadline = g_get_monotonic_time () + STOPPED_SECONDS * G_TIME_SPAN_SECOND;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    while (!peer_has_all (&peers[i]))
      {
        assert_alive (&peers[i]);
        g_assert_cmpint (g_get_monotonic_time (), <, deadline);
        g_usleep (1000);
      }
  g_usleep ((gulong) MAX (deadline - g_get_monotonic_time (), 0));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint64 n;

      assert_alive (&peers[i]);
      kill (peers[i].pid, SIGCONT);
      g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (peers[i].tls), &n, 8, NULL, &error), ==, 8);
      g_test_message ("records of %zu bytes, window %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT " bytes", peers[i].record, peers[i].window,
                      n);
      peer_close (&peers[i]);
    }
  run_close (&run);
}

/* What is more than a window is no longer acknowledged, and the connection ends, which is why nobody may send it. */
static void
test_too_much (void)
{
  Run run;
  Peer peer = { .record = 16384 };
  gint64 start;
  GError *error = NULL;
  struct pollfd end = { .events = 0 };

  run_open (&run);
  peer_open (&peer, &run, 212992);
  start = g_get_monotonic_time ();
  if (peer_send (&peer, 64 * peer.window, &error))
    {
      end.fd = socket_of (&peer);
      g_assert_cmpint (poll (&end, 1, 30000), ==, 1);
      g_assert_true ((end.revents & POLLERR) != 0);
    }
  g_clear_error (&error);
  g_assert_cmpint (g_get_monotonic_time () - start, >, G_TIME_SPAN_SECOND);
  peer_close (&peer);
  run_close (&run);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && g_str_equal (argv[1], "--peer"))
    be_peer (atoi (argv[2]));
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tcp/stopped", test_stopped);
  g_test_add_func ("/tcp/too-much", test_too_much);
  return g_test_run ();
}
