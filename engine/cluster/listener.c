/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A socket that is bound as long as the listener is there, so that its port is nobody else's, and listens now and then.
 *
 * Guests come in two steps. They are WAITING, first until their greeting is complete, which the kernel tells (SO_RCVLOWAT), then until
 * there is a thread for them; and then SHAKING hands, each in a thread of its own. */
#include "cluster/listener.h"
#include "cluster/tcp.h"
#include "cluster/tls.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/lock.h"
#include "platform/thread.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum
{
  MOST_SHAKING = 16,
  MOST_WAITING = 256,
  BACKLOG = 1024, /* connections that the kernel keeps until they are accepted */
  PORT_TRIES = 16
};

#define PATIENCE (5 * G_TIME_SPAN_SECOND)
#define LEAST_SILENCE G_TIME_SPAN_SECOND /* who is silent for less may be about to say something; others do not get its place */
#define TELL_INTERVAL G_TIME_SPAN_SECOND
#define SHORTAGE_PAUSE (G_TIME_SPAN_SECOND / 4)

struct _TtiListener
{
  GSocket *socket;
  guint port, lost_after;
  TtiCredentials *credentials;
  const TtiListenerEvents *events;
  gpointer data;
  int wakeup;
  GThread *thread;

  /* The thread's. */
  GPtrArray *waiting, *shaking; /* of Guest, in the order in which they have come */
  gint64 told, accept_again;

  TtiLock lock; /* of what follows */
  guint expected;
  gboolean listens, closing;
  char *refusal; /* the first that was not told yet */
  guint n_refused;
};

typedef struct
{
  TtiListener *listener;
  GSocketConnection *connection;
  gint64 since; /* when the step has begun */
  gboolean ready;         /* its greeting is complete */
  GCancellable *cancellable;
  GThread *thread;
  gboolean late;          /* the thread's */
  gboolean done;          /* under the listener's lock */
} Guest;

static void
guest_free (gpointer data)
{
  Guest *guest = data;

  if (guest->thread != NULL)
    g_thread_join (guest->thread);
  g_object_unref (guest->connection);
  g_object_unref (guest->cancellable);
  g_free (guest);
}

/* Refusals. */

static void
note_refusal_locked (TtiListener *listener, const char *text)
{
  TTI_ASSERT_LOCKED (&listener->lock);
  if (listener->refusal == NULL)
    listener->refusal = g_strdup (text);
  listener->n_refused++;
}

static void
note_refusal (TtiListener *listener, const char *text)
{
  tti_lock_take (&listener->lock);
  note_refusal_locked (listener, text);
  tti_lock_release (&listener->lock);
}

static void
refuse_silent (Guest *guest)
{
  g_autofree char *peer = tti_tls_describe_peer (guest->connection);
  g_autofree char *text = g_strdup_printf ("%s: it has connected, and has not said what it wants: it is not Tutti", peer);

  note_refusal (guest->listener, text);
}

/* Tell what was refused, if it is time; returns when it will be, or G_MAXINT64. */
static gint64
tell_refusals (TtiListener *listener, gint64 now)
{
  g_autofree char *text = NULL, *all = NULL;
  guint n;

  tti_lock_take (&listener->lock);
  n = listener->n_refused;
  if (n > 0 && now >= listener->told + TELL_INTERVAL)
    {
      text = g_steal_pointer (&listener->refusal);
      listener->n_refused = 0;
    }
  tti_lock_release (&listener->lock);
  if (text == NULL)
    return n > 0 ? listener->told + TELL_INTERVAL : G_MAXINT64;
  listener->told = now;
  all = n > 1 ? g_strdup_printf ("%s; %u other connections were refused as well", text, n - 1) : NULL;
  listener->events->refused (all != NULL ? all : text, listener->data);
  return G_MAXINT64;
}

/* Shaking hands. */

static gboolean
expect_locked (TtiListener *listener, guint n, GError **error)
{
  TTI_ASSERT_LOCKED (&listener->lock);
  int fd = g_socket_get_fd (listener->socket);

  /* To be shut down is the end of listening at once, also for a thread that is waiting; the port stays bound. */
  if (n == 0 && listener->listens)
    shutdown (fd, SHUT_RDWR);
  else if (n > 0 && !listener->listens && listen (fd, BACKLOG) < 0)
    {
      tti_set_errno (error, errno, "cannot listen at port %u", listener->port);
      return FALSE;
    }
  listener->expected = n;
  listener->listens = n > 0;
  return TRUE;
}

/* In a thread of its own. */
static gpointer
shake_hands (gpointer data)
{
  Guest *guest = data;
  TtiListener *listener = guest->listener;
  g_autoptr (GError) error = NULL;
  GIOStream *tls = tti_tls_open (guest->connection, listener->credentials, TRUE, guest->cancellable, &error);
  gboolean welcome;

  tti_lock_take (&listener->lock);
  welcome = tls != NULL && listener->expected > 0 && !listener->closing;
  if (welcome)
    expect_locked (listener, listener->expected - 1, NULL);
  /* Who was cancelled has come too late, which the thread says; or the listener is closing. */
  else if (tls == NULL && !g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_CANCELLED))
    note_refusal_locked (listener, error->message);
  tti_lock_release (&listener->lock);
  if (welcome)
    listener->events->accepted (tls, g_object_ref (guest->connection), listener->data);
  else if (tls != NULL)
    {
      g_io_stream_close (G_IO_STREAM (guest->connection), NULL, NULL);
      g_object_unref (tls);
    }
  tti_lock_take (&listener->lock);
  guest->done = TRUE;
  tti_lock_release (&listener->lock);
  tti_fd_wake (listener->wakeup);
  return NULL;
}

static void
start_handshake (TtiListener *listener, guint i, gint64 now)
{
  Guest *guest = g_ptr_array_steal_index (listener->waiting, i);
  g_autoptr (GError) error = NULL;

  guest->since = now;
  guest->thread = tti_thread_start ("tutti-handshake", shake_hands, guest, &error);
  if (guest->thread != NULL)
    {
      g_ptr_array_add (listener->shaking, guest);
      return;
    }
  note_refusal (listener, error->message);
  guest_free (guest);
}

static void
start_handshakes (TtiListener *listener, gint64 now)
{
  for (guint i = 0; i < listener->waiting->len && listener->shaking->len < MOST_SHAKING;)
    if (((Guest *) g_ptr_array_index (listener->waiting, i))->ready)
      start_handshake (listener, i, now);
    else
      i++;
}

/* GUEST has said something, or has gone. */
static void
listen_to (Guest *guest, gboolean gone)
{
  GSocket *socket = g_socket_connection_get_socket (guest->connection);
  gsize wanted = gone ? 0 : tti_tls_get_wanted (socket);

  guest->ready = wanted == 0;
  g_socket_set_option (socket, SOL_SOCKET, SO_RCVLOWAT, (int) MAX (wanted, 1), NULL);
}

static gboolean
is_done (Guest *guest)
{
  gboolean done;

  tti_lock_take (&guest->listener->lock);
  done = guest->done;
  tti_lock_release (&guest->listener->lock);
  return done;
}

/* Let those go that are done, and those that have taken too long. Returns when that is to be looked at again. */
static gint64
look_at_guests (TtiListener *listener, gint64 now)
{
  gint64 next = G_MAXINT64;

  for (guint i = listener->shaking->len; i-- > 0;)
    {
      Guest *guest = g_ptr_array_index (listener->shaking, i);

      if (is_done (guest))
        g_ptr_array_remove_index (listener->shaking, i);
      else if (now < guest->since + PATIENCE)
        next = MIN (next, guest->since + PATIENCE);
      else if (!guest->late)
        {
          g_autofree char *peer = tti_tls_describe_peer (guest->connection);
          g_autofree char *text
            = g_strdup_printf ("%s: it has not shown a certificate for %d s", peer, (int) (PATIENCE / G_TIME_SPAN_SECOND));

          guest->late = TRUE;
          note_refusal (listener, text);
          g_cancellable_cancel (guest->cancellable);
        }
    }
  for (guint i = 0; i < listener->waiting->len;)
    {
      Guest *guest = g_ptr_array_index (listener->waiting, i);

      if (guest->ready || now < guest->since + PATIENCE)
        {
          next = guest->ready ? next : MIN (next, guest->since + PATIENCE);
          i++;
          continue;
        }
      refuse_silent (guest);
      g_ptr_array_remove_index (listener->waiting, i);
    }
  return next;
}

/* Nobody is expected: who is here may go. */
static void
send_away (TtiListener *listener)
{
  g_ptr_array_set_size (listener->waiting, 0);
  for (guint i = 0; i < listener->shaking->len; i++)
    g_cancellable_cancel (((Guest *) g_ptr_array_index (listener->shaking, i))->cancellable);
}

/* Accepting. */

/* The first guest whose greeting is not complete; -1: there is none. */
static int
first_silent (TtiListener *listener)
{
  for (guint i = 0; i < listener->waiting->len; i++)
    if (!((Guest *) g_ptr_array_index (listener->waiting, i))->ready)
      return (int) i;
  return -1;
}

/* When is there a place for one more? The guest that has been silent for longest may have to leave it. */
static gint64
place_time (TtiListener *listener)
{
  int first = first_silent (listener);

  if (listener->waiting->len < MOST_WAITING)
    return 0;
  return first >= 0 ? ((Guest *) g_ptr_array_index (listener->waiting, (guint) first))->since + LEAST_SILENCE : G_MAXINT64;
}

static gboolean
make_place (TtiListener *listener, gint64 now)
{
  int first = first_silent (listener);

  if (now < place_time (listener))
    return FALSE;
  if (listener->waiting->len < MOST_WAITING)
    return TRUE;
  refuse_silent (g_ptr_array_index (listener->waiting, (guint) first));
  g_ptr_array_remove_index (listener->waiting, (guint) first);
  return TRUE;
}

static void
accept_guests (TtiListener *listener, gint64 now)
{
  while (make_place (listener, now))
    {
      int fd = tti_fd_accept (g_socket_get_fd (listener->socket));
      GSocket *socket = fd >= 0 ? g_socket_new_from_fd (fd, NULL) : NULL;
      Guest *guest;

      if (socket == NULL)
        {
          /* Without descriptors or memory it is tried again a little later. */
          if (fd < 0 && errno != EAGAIN && tti_errno_is_shortage (errno))
            {
              g_autofree char *text = g_strdup_printf ("a connection cannot be accepted: %s", g_strerror (errno));

              note_refusal (listener, text);
              listener->accept_again = now + SHORTAGE_PAUSE;
            }
          if (fd >= 0)
            close (fd);
          return;
        }
      tti_tcp_prepare (socket, listener->lost_after);
      guest = g_new0 (Guest, 1);
      *guest = (Guest) { .listener = listener, .connection = g_socket_connection_factory_create_connection (socket), .since = now,
                         .cancellable = g_cancellable_new () };
      g_object_unref (socket);
      g_ptr_array_add (listener->waiting, guest);
    }
}

/* The thread. */

static void
wait_for_events (TtiListener *listener, gboolean listens, gint64 next)
{
  struct pollfd fds[2 + MOST_WAITING];
  gint64 now = g_get_monotonic_time (), again = MAX (listener->accept_again, place_time (listener));
  guint n = listener->waiting->len;

  if (listens && now < again)
    next = MIN (next, again);
  fds[0] = (struct pollfd) { listener->wakeup, POLLIN, 0 };
  fds[1] = (struct pollfd) { listens && now >= again ? g_socket_get_fd (listener->socket) : -1, POLLIN, 0 };
  for (guint i = 0; i < n; i++)
    {
      Guest *guest = g_ptr_array_index (listener->waiting, i);
      int fd = g_socket_get_fd (g_socket_connection_get_socket (guest->connection));

      fds[2 + i] = (struct pollfd) { guest->ready ? -1 : fd, POLLIN | POLLRDHUP, 0 };
    }
  if (poll (fds, 2 + n, next == G_MAXINT64 ? -1 : (int) MIN (MAX (next - now, 0) / 1000 + 1, G_MAXINT)) < 0)
    return;
  tti_fd_drain (listener->wakeup);
  for (guint i = 0; i < n; i++)
    if (fds[2 + i].revents != 0)
      listen_to (g_ptr_array_index (listener->waiting, i), (fds[2 + i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
}

static gpointer
run (gpointer data)
{
  TtiListener *listener = data;
  gboolean listens, closing;
  guint n_shaking;

  for (;;)
    {
      gint64 now = g_get_monotonic_time (), next;

      tti_lock_take (&listener->lock);
      listens = listener->listens;
      closing = listener->closing;
      tti_lock_release (&listener->lock);
      if (!listens || closing)
        send_away (listener);
      if (closing)
        break;
      if (listens && now >= listener->accept_again)
        accept_guests (listener, now);
      /* Each that goes may make room for another, whose time counts as well. */
      do
        {
          start_handshakes (listener, now);
          n_shaking = listener->shaking->len;
          next = look_at_guests (listener, now);
        }
      while (listener->shaking->len < n_shaking);
      next = MIN (next, tell_refusals (listener, now));
      wait_for_events (listener, listens, next);
    }
  g_ptr_array_set_size (listener->shaking, 0); /* which waits for their threads */
  listener->told = 0;
  tell_refusals (listener, g_get_monotonic_time ());
  return NULL;
}

/* Making. */

/* A socket that is bound to HOST and PORT. */
static GSocket *
bind_at (GInetAddress *host, guint port, gboolean again, GError **error)
{
  GSocketFamily family = g_inet_address_get_family (host);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (host, (guint16) port);
  g_autoptr (GSocket) socket = g_socket_new (family, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);

  if (socket == NULL)
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  if (family == G_SOCKET_FAMILY_IPV6 && g_inet_address_get_is_any (host))
    g_socket_speaks_ipv4 (socket); /* which makes it so */
  tti_tcp_enlarge (socket);
  return g_socket_bind (socket, address, again, error) ? g_steal_pointer (&socket) : NULL;
}

static guint
port_of (GSocket *socket)
{
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (socket, NULL);

  return address != NULL ? g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)) : 0;
}

/* The same at a port that the kernel has chosen. It would be given back when the socket stops listening, so it is asked for by number. */
static GSocket *
bind_anywhere (GInetAddress *host, GError **error)
{
  GSocket *socket = NULL;

  for (guint i = 0; socket == NULL && i < PORT_TRIES; i++)
    {
      g_autoptr (GSocket) chosen = bind_at (host, 0, FALSE, error);
      guint port = chosen != NULL ? port_of (chosen) : 0;

      if (port == 0)
        return NULL;
      g_clear_object (&chosen);
      g_clear_error (error);
      socket = bind_at (host, port, TRUE, error);
    }
  if (socket != NULL)
    g_clear_error (error);
  return socket;
}

static GSocket *
bind_host (GInetAddress *host, guint port, GError **error)
{
  return port == 0 ? bind_anywhere (host, error) : bind_at (host, port, TRUE, error);
}

static GSocket *
make_socket (const char *address, guint port, GError **error)
{
  g_autoptr (GInetAddress) host
    = address != NULL ? g_inet_address_new_from_string (address) : g_inet_address_new_any (G_SOCKET_FAMILY_IPV6);
  g_autoptr (GError) cause = NULL;
  GSocket *socket;

  if (host == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                   "'%s' is no address to listen at; expected digits, as in 10.0.0.1 or fd00::1, of this machine", address);
      return NULL;
    }
  socket = bind_host (host, port, &cause);
  if (socket == NULL && address == NULL)
    {
      /* There may be no IPv6 here. */
      g_autoptr (GInetAddress) plain = g_inet_address_new_any (G_SOCKET_FAMILY_IPV4);

      g_clear_error (&cause);
      socket = bind_host (plain, port, &cause);
    }
  if (socket == NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot listen at %s, port %u: %s", address != NULL ? address : "this machine",
                 port, cause->message);
  return socket;
}

static void
clear (TtiListener *listener)
{
  g_ptr_array_unref (listener->waiting);
  g_ptr_array_unref (listener->shaking);
  g_clear_object (&listener->socket);
  tti_fd_clear (&listener->wakeup);
  tti_credentials_unref (listener->credentials);
  tti_lock_clear (&listener->lock);
  g_free (listener->refusal);
  g_free (listener);
}

TtiListener *
tti_listener_new (const char *address, guint port, guint lost_after, TtiCredentials *credentials, const TtiListenerEvents *events,
                  gpointer data, GError **error)
{
  g_return_val_if_fail (port <= G_MAXUINT16 && credentials != NULL && events != NULL, NULL);
  GSocket *socket = make_socket (address, port, error);
  TtiListener *listener;

  if (socket == NULL)
    return NULL;
  listener = g_new0 (TtiListener, 1);
  listener->socket = socket;
  listener->port = port_of (socket);
  listener->lost_after = lost_after;
  listener->credentials = tti_credentials_ref (credentials);
  listener->events = events;
  listener->data = data;
  listener->waiting = g_ptr_array_new_with_free_func (guest_free);
  listener->shaking = g_ptr_array_new_with_free_func (guest_free);
  listener->wakeup = tti_fd_open_wakeup (error);
  if (listener->wakeup >= 0)
    listener->thread = tti_thread_start ("tutti-listener", run, listener, error);
  if (listener->thread != NULL)
    return listener;
  clear (listener);
  return NULL;
}

guint
tti_listener_get_port (TtiListener *listener)
{
  return listener->port;
}

gboolean
tti_listener_expect (TtiListener *listener, guint n, GError **error)
{
  gboolean done;

  tti_lock_take (&listener->lock);
  done = expect_locked (listener, n, error);
  tti_lock_release (&listener->lock);
  tti_fd_wake (listener->wakeup);
  return done;
}

void
tti_listener_free (TtiListener *listener)
{
  if (listener == NULL)
    return;
  tti_lock_take (&listener->lock);
  expect_locked (listener, 0, NULL);
  listener->closing = TRUE;
  tti_lock_release (&listener->lock);
  tti_fd_wake (listener->wakeup);
  g_thread_join (listener->thread);
  clear (listener);
}
