/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* slow-link LISTEN-ADDRESS PORT TO-ADDRESS TO-PORT MILLISECONDS [BYTES-PER-SECOND]: a link that is slow, for tests.
 *
 * Whoever connects to PORT (0: any that is free; the first line of the standard output is "port NUMBER") is connected to TO-ADDRESS
 * TO-PORT, and each byte arrives there MILLISECONDS late, and so on the way back. With BYTES-PER-SECOND no more than that arrive on each
 * way of each connection. Addresses are numbers of IPv4.
 *
 * Lines of the standard input: "stall": nothing arrives any more, though connections stay; "go": what was held up arrives, and all that
 * follows; "delay MILLISECONDS": for what comes from now on; "drop": all connections end with a reset. Each is answered by a line, its
 * first word. At the end of the standard input the program ends.
 *
 * What is on its way on one way of one connection is at most BUFFER bytes; then the sender is not read from, as a real link has a window.
 * So BUFFER / MILLISECONDS is a limit to the bandwidth as well: 8 MiB and 50 ms are 160 MB/s. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum
{
  BUFFER = 8 << 20,
  MOST_LINKS = 64,
  MOST_CHUNKS = 4096, /* of one way: bytes that were read together */
  SLICE_US = 1000,    /* bandwidth is given out in portions of so long */
};

typedef struct
{
  gint64 due; /* µs, when its first byte may arrive */
  gsize end;  /* the position behind its last byte, counted from the beginning of all */
} Chunk;

/* One way of a connection: bytes of FROM, on their way to TO. */
typedef struct
{
  int from, to;
  guint8 *ring;
  gsize n_read, n_written;
  Chunk chunks[MOST_CHUNKS];
  guint first_chunk, n_chunks;
  gint64 free_at;       /* when the next portion may leave */
  gboolean ended, told; /* FROM has said that this was all; TO was told */
} Way;

typedef struct
{
  Way ways[2];
} Link;

static Link *links[MOST_LINKS];
static gint64 delay_us, bytes_per_second;
static gboolean stalled;
static struct sockaddr_in target;

static void
fail (const char *what)
{
  fprintf (stderr, "slow-link: cannot %s: %s\n", what, g_strerror (errno));
  exit (1);
}

static void
link_free (Link *link)
{
  for (guint i = 0; i < 2; i++)
    {
      close (link->ways[i].from);
      g_free (link->ways[i].ring);
    }
  g_free (link);
}

/* The connections end by a reset, not by an orderly end. */
static void
link_reset (Link *link)
{
  const struct linger at_once = { 1, 0 };

  for (guint i = 0; i < 2; i++)
    setsockopt (link->ways[i].from, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  link_free (link);
}

static int
socket_new (void)
{
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    fail ("make a socket");
  return fd;
}

static void
link_accept (int listener)
{
  int client = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1, server;
  guint slot = 0;

  if (client < 0)
    return;
  while (slot < MOST_LINKS && links[slot] != NULL)
    slot++;
  if (slot == MOST_LINKS)
    {
      close (client);
      return;
    }
  server = socket_new ();
  if (connect (server, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS)
    {
      close (client);
      close (server);
      return;
    }
  setsockopt (client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt (server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  Link *link = g_new0 (Link, 1);

  link->ways[0] = (Way){ .from = client, .to = server, .ring = g_malloc (BUFFER) };
  link->ways[1] = (Way){ .from = server, .to = client, .ring = g_malloc (BUFFER) };
  links[slot] = link;
}

/* --- one way ---------------------------------------------------------------------------------------------------------------- */

static gboolean
way_wants_more (const Way *way)
{
  return !way->ended && way->n_read - way->n_written < BUFFER && way->n_chunks < MOST_CHUNKS;
}

/* FALSE: the connection is broken. */
static gboolean
way_read (Way *way, gint64 now)
{
  gsize at = way->n_read % BUFFER, space = MIN (BUFFER - at, BUFFER - (way->n_read - way->n_written));
  ssize_t n = read (way->from, way->ring + at, MIN (space, 65536));

  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  if (n == 0)
    way->ended = TRUE;
  way->n_read += (gsize)n;
  way->chunks[(way->first_chunk + way->n_chunks++) % MOST_CHUNKS] = (Chunk){ now + delay_us, way->n_read };
  return TRUE;
}

/* When something of it may be written; G_MAXINT64: there is nothing. */
static gint64
way_due (const Way *way)
{
  if (stalled || way->told || way->n_chunks == 0)
    return G_MAXINT64;
  return MAX (way->chunks[way->first_chunk].due, way->free_at);
}

/* Write what is due. FALSE: the connection is broken. */
static gboolean
way_write (Way *way, gint64 now)
{
  while (way_due (way) <= now)
    {
      const Chunk *chunk = &way->chunks[way->first_chunk];
      gsize left = chunk->end - way->n_written, at = way->n_written % BUFFER;
      gsize portion = bytes_per_second > 0 ? MAX (1, (gsize)(bytes_per_second * SLICE_US / G_USEC_PER_SEC)) : left;
      ssize_t n = left > 0 ? write (way->to, way->ring + at, MIN (MIN (left, portion), BUFFER - at)) : 0;

      if (n < 0)
        return errno == EAGAIN || errno == EINTR;
      way->n_written += (gsize)n;
      /* What was idle has saved nothing. */
      if (bytes_per_second > 0)
        way->free_at = MAX (way->free_at, now - SLICE_US) + n * G_USEC_PER_SEC / bytes_per_second;
      if ((gsize)n < left)
        continue;
      way->first_chunk = (way->first_chunk + 1) % MOST_CHUNKS;
      if (--way->n_chunks == 0 && way->ended)
        way->told = shutdown (way->to, SHUT_WR) == 0 || errno == ENOTCONN;
    }
  return TRUE;
}

/* --- all ------------------------------------------------------------------------------------------------------------------- */

static void
obey (const char *line)
{
  char word[16] = "";

  sscanf (line, "%15s", word);
  if (strcmp (word, "stall") == 0)
    stalled = TRUE;
  else if (strcmp (word, "go") == 0)
    stalled = FALSE;
  else if (strcmp (word, "delay") == 0)
    delay_us = g_ascii_strtoll (line + strlen ("delay"), NULL, 10) * 1000;
  else if (strcmp (word, "drop") == 0)
    for (guint i = 0; i < MOST_LINKS; i++)
      {
        if (links[i] != NULL)
          link_reset (links[i]);
        links[i] = NULL;
      }
  else
    fprintf (stderr, "slow-link: there is no command '%s'\n", line);
  printf ("%s\n", word);
  fflush (stdout);
}

/* FALSE: the standard input has ended. */
static gboolean
listen_to_commands (void)
{
  static char text[256];
  static gsize length;
  ssize_t n = read (STDIN_FILENO, text + length, sizeof text - 1 - length);

  if (n <= 0)
    return n < 0 && errno == EINTR;
  length += (gsize)n;
  text[length] = '\0';
  for (char *end; (end = strchr (text, '\n')) != NULL;)
    {
      *end = '\0';
      obey (text);
      length -= (gsize)(end + 1 - text);
      memmove (text, end + 1, length + 1);
    }
  return length < sizeof text - 1;
}

static int
listener_new (const char *address, const char *port)
{
  struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons ((guint16)atoi (port)) };
  socklen_t size = sizeof here;
  int fd = socket_new (), one = 1;

  if (inet_pton (AF_INET, address, &here.sin_addr) != 1)
    fail ("read the address to listen at");
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (fd, (struct sockaddr *)&here, size) < 0 || listen (fd, MOST_LINKS) < 0
      || getsockname (fd, (struct sockaddr *)&here, &size) < 0)
    fail ("listen");
  printf ("port %u\n", ntohs (here.sin_port));
  fflush (stdout);
  return fd;
}

/* Let LINK move what it can. FALSE: it is over. */
static gboolean
link_step (Link *link, const struct pollfd *fds)
{
  gint64 now = g_get_monotonic_time ();
  gboolean good = TRUE;

  for (guint w = 0; w < 2 && good; w++)
    {
      Way *way = &link->ways[w];

      if (way_wants_more (way) && fds[w].revents & (POLLIN | POLLHUP | POLLERR))
        good = way_read (way, now);
      good = good && way_write (way, now);
    }
  if (!good)
    link_reset (link);
  else if (link->ways[0].told && link->ways[1].told)
    link_free (link);
  else
    return TRUE;
  return FALSE;
}

/* Fill FDS, a pair for LINK, and return when it has something to write without being asked. */
static gint64
link_prepare (const Link *link, struct pollfd *fds, gint64 now)
{
  gint64 due = G_MAXINT64;

  for (guint w = 0; w < 2; w++)
    {
      fds[w].fd = link->ways[w].from;
      fds[w].events = way_wants_more (&link->ways[w]) ? POLLIN : 0;
    }
  for (guint w = 0; w < 2; w++)
    {
      gint64 at = way_due (&link->ways[w]);

      /* What is due and is not gone waits until the other end takes it. */
      if (at <= now)
        fds[1 - w].events |= POLLOUT;
      else
        due = MIN (due, at);
    }
  for (guint w = 0; w < 2; w++)
    if (fds[w].events == 0)
      fds[w].fd = -1; /* a broken connection would wake us each time */
  return due;
}

int
main (int argc, char **argv)
{
  struct pollfd fds[2 + 2 * MOST_LINKS] = { { STDIN_FILENO, POLLIN, 0 } };

  if (argc < 6 || argc > 7)
    {
      fprintf (stderr, "usage: slow-link LISTEN-ADDRESS PORT TO-ADDRESS TO-PORT MILLISECONDS [BYTES-PER-SECOND]\n");
      return 2;
    }
  signal (SIGPIPE, SIG_IGN);
  target.sin_family = AF_INET;
  target.sin_port = htons ((guint16)atoi (argv[4]));
  if (inet_pton (AF_INET, argv[3], &target.sin_addr) != 1)
    fail ("read the address to connect to");
  delay_us = g_ascii_strtoll (argv[5], NULL, 10) * 1000;
  bytes_per_second = argc > 6 ? g_ascii_strtoll (argv[6], NULL, 10) : 0;
  fds[1] = (struct pollfd){ listener_new (argv[1], argv[2]), POLLIN, 0 };
  for (;;)
    {
      gint64 now = g_get_monotonic_time (), due = G_MAXINT64;

      for (guint i = 0; i < MOST_LINKS; i++)
        {
          fds[2 + 2 * i].fd = fds[3 + 2 * i].fd = -1;
          if (links[i] != NULL)
            due = MIN (due, link_prepare (links[i], &fds[2 + 2 * i], now));
        }
      struct timespec pause = { (due - now) / G_USEC_PER_SEC, (due - now) % G_USEC_PER_SEC * 1000 };

      if (ppoll (fds, G_N_ELEMENTS (fds), due == G_MAXINT64 ? NULL : &pause, NULL) < 0 && errno != EINTR)
        fail ("wait");
      if (fds[0].revents != 0 && !listen_to_commands ())
        return 0;
      if (fds[1].revents != 0)
        link_accept (fds[1].fd);
      for (guint i = 0; i < MOST_LINKS; i++)
        if (links[i] != NULL && !link_step (links[i], &fds[2 + 2 * i]))
          links[i] = NULL;
    }
}
