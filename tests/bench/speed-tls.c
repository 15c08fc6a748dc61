/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What TLS of GIO can do between two hosts, for comparison with the link: one stream, one thread at each end, nothing else.
 *
 *   speed-tls listen FILE                             print the port, write a client's credentials to FILE, and answer until stdin ends
 *   speed-tls ping ADDRESS PORT FILE BYTES ROUNDS     the median of ROUNDS times of BYTES there and as many back
 *   speed-tls stream ADDRESS PORT FILE BYTES ROUNDS   the median of ROUNDS times of BYTES there and one back
 *
 * A round begins with a head of two numbers: how many bytes follow, and how many are wanted back. */
#include "cluster/dial.h"
#include "cluster/tcp.h"
#include "cluster/tls.h"
#include "speed-timing.h"

enum { PIECE = 128 * 1024, LOST_AFTER_MS = 2000, LONGEST = 1 << 30 };

typedef struct
{
  guint64 there, back;
} Head;

static void
check (gboolean ok, const GError *error)
{
  timing_check (ok, error != NULL ? error->message : "the other side has gone");
}

static void
write_bytes (GIOStream *stream, gconstpointer data, guint64 size)
{
  g_autoptr (GError) error = NULL;

  for (guint64 done = 0; done < size; done += MIN (PIECE, size - done))
    check (g_output_stream_write_all (g_io_stream_get_output_stream (stream), (const guint8 *) data + done,
                                      (gsize) MIN (PIECE, size - done), NULL, NULL, &error), error);
}

/* FALSE: the end has come, and nothing before. */
static gboolean
read_bytes (GIOStream *stream, gpointer data, guint64 size)
{
  for (guint64 done = 0; done < size;)
    {
      g_autoptr (GError) error = NULL;
      gssize n = g_input_stream_read (g_io_stream_get_input_stream (stream), (guint8 *) data + done, (gsize) (size - done), NULL, &error);

      if (n <= 0 && done == 0)
        return FALSE;
      check (n > 0, error);
      done += (guint64) n;
    }
  return TRUE;
}

/* --- one side ------------------------------------------------------------------------------------------------------------------ */

static void
serve (GIOStream *stream)
{
  g_autofree guint8 *memory = NULL;
  guint64 capacity = 0;
  Head head;

  while (read_bytes (stream, &head, sizeof head))
    {
      timing_check (head.there <= LONGEST && head.back <= LONGEST, "too many bytes");
      if (MAX (head.there, head.back) > capacity)
        {
          capacity = MAX (head.there, head.back);
          g_free (memory);
          memory = g_malloc0 (capacity);
        }
      timing_check (head.there == 0 || read_bytes (stream, memory, head.there), "the other side has gone");
      write_bytes (stream, memory, head.back);
    }
}

static gpointer
accept_all (gpointer data)
{
  gpointer *arguments = data;
  GSocketListener *listener = arguments[0];
  const TtiCredentials *credentials = arguments[1];

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GSocketConnection) connection = g_socket_listener_accept (listener, NULL, NULL, &error);

      check (connection != NULL, error);
      tti_tcp_prepare (g_socket_connection_get_socket (connection), LOST_AFTER_MS);
      g_autoptr (GIOStream) stream = tti_tls_open (connection, credentials, TRUE, NULL, &error);

      check (stream != NULL, error);
      serve (stream);
    }
  return NULL;
}

static int
listen_for_clients (const char *file)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiAuthority) authority = tti_authority_new (&error);
  g_autoptr (TtiCredentials) server = authority != NULL ? tti_authority_issue (authority, "server", TRUE, &error) : NULL;
  g_autoptr (TtiCredentials) client = server != NULL ? tti_authority_issue (authority, "client", FALSE, &error) : NULL;
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  guint port = g_socket_listener_add_any_inet_port (listener, NULL, &error);
  gpointer arguments[] = { listener, server };

  check (client != NULL && port != 0, error);
  char *text = tti_credentials_to_text (client);

  check (g_file_set_contents_full (file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error), error);
  tti_secret_free (text);
  printf ("%u\n", port);
  fflush (stdout);
  g_thread_unref (g_thread_new ("server", accept_all, arguments));
  while (getchar () != EOF)
    ;
  _exit (EXIT_SUCCESS); /* with its thread */
}

/* --- the other ----------------------------------------------------------------------------------------------------------------- */

static GIOStream *
dial (const char *address, const char *port, const char *file)
{
  const char *const addresses[] = { address, NULL };
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  check (g_file_get_contents (file, &text, NULL, &error), error);
  g_autoptr (TtiCredentials) credentials = tti_credentials_from_text (text, &error);

  tti_secret_free (text);
  check (credentials != NULL, error);
  const TtiDial options = { .addresses = addresses, .port = (guint) strtoul (port, NULL, 10), .lost_after = LOST_AFTER_MS,
                            .credentials = credentials };
  GIOStream *stream = tti_dial (&options, NULL, NULL, &error);

  check (stream != NULL, error);
  return stream;
}

static void
measure (GIOStream *stream, const char *name, guint64 there, guint64 back, int rounds)
{
  g_autofree guint8 *memory = g_malloc0 (sizeof (Head) + there);
  g_autofree guint8 *answer = g_malloc0 (back);
  g_autofree double *times = g_new (double, (gsize) rounds);
  const Head head = { there, back };

  memcpy (memory, &head, sizeof head);
  for (int i = 0; i < rounds; i++)
    {
      double start = timing_now ();

      write_bytes (stream, memory, sizeof head + there);
      timing_check (read_bytes (stream, answer, back), "the other side has gone");
      times[i] = timing_now () - start;
    }
  timing_print (name, timing_median (times, rounds));
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "listen") == 0)
    return listen_for_clients (argv[2]);
  timing_check (argc == 7, "usage: speed-tls listen FILE, or speed-tls ping|stream ADDRESS PORT FILE BYTES ROUNDS");
  g_autoptr (GIOStream) stream = dial (argv[2], argv[3], argv[4]);
  guint64 bytes = g_ascii_strtoull (argv[5], NULL, 10);
  int rounds = MAX (atoi (argv[6]), 1);

  timing_check (bytes >= sizeof (Head) && bytes <= LONGEST, "BYTES are those of the head at least");
  if (strcmp (argv[1], "ping") == 0)
    measure (stream, "tls-ping", bytes - sizeof (Head), bytes, rounds);
  else
    measure (stream, "tls-stream", bytes - sizeof (Head), 1, rounds);
  return EXIT_SUCCESS;
}
