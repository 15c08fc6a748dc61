/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The door by which REPLs come to this process, its clients, and the way to the doors of others. Descriptors of clients are numbers: what
 * is said through them, and who owns them, is for Scheme to know, (tutti repl server) and (tutti program attach).
 *
 * A thread waits for what comes (%listener-wait), another for each client. The first also sees what a client does while its own thread is
 * busy: that it has gone, or has sent a byte which asks for an interruption (%client-watch!). */
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"
#include "bindings/guile-script.h"
#include "bindings/guile-worker.h"
#include "look/door.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_AT_ONCE = 4096, INTERRUPT_BYTE = 3 };

static struct
{
  GMutex lock;
  TtiDoor *door;   /* NULL: nobody can come */
  int events;      /* an epoll descriptor, for as long as the process lives; it has the door and the clients */
  GArray *clients; /* of int */
} listener = { .events = -1 };

/* Nobody who does not read may keep the process at its end: what is written now is dropped. */
void
tti_guile_end_listening (void)
{
  g_mutex_lock (&listener.lock);
  for (guint i = 0; listener.clients != NULL && i < listener.clients->len; i++)
    shutdown (g_array_index (listener.clients, int, i), SHUT_RDWR);
  g_clear_pointer (&listener.door, tti_door_close);
  g_mutex_unlock (&listener.lock);
}

static gboolean
events_open (int *events, int socket, GError **error)
{
  struct epoll_event event = { .events = EPOLLIN, .data.fd = socket };

  tti_fd_begin_opening ();
  *events = epoll_create1 (EPOLL_CLOEXEC);
  int saved = errno;
  tti_fd_end_opening ();
  if (*events < 0)
    return tti_set_errno (error, saved, "cannot make a descriptor for events"), FALSE;
  if (epoll_ctl (*events, EPOLL_CTL_ADD, socket, &event) == 0)
    return TRUE;
  tti_set_errno (error, errno, "cannot wait for clients");
  tti_fd_clear (events);
  return FALSE;
}

static gboolean
listener_open (GError **error)
{
  g_autofree char *name = g_strdup_printf ("%" G_GINT32_FORMAT TTI_DOOR_REPL, (gint32) getpid ());
  TtiDoor *door = tti_door_open (name, SOCK_STREAM, error);

  if (door == NULL)
    return FALSE;
  if (!events_open (&listener.events, tti_door_get_socket (door), error))
    {
      tti_door_close (door);
      return FALSE;
    }
  listener.door = door;
  listener.clients = g_array_new (FALSE, FALSE, sizeof (int));
  /* It runs before what flushes the ports. */
  atexit (tti_guile_end_listening);
  return TRUE;
}

/* (%listen!) -> (path . is it new?), or a text why not */
static SCM
listen_x (void)
{
  GError *error = NULL;

  tti_guile_check_original ("listen");
  if (tti_guile_serves_application ())
    return scm_from_utf8_string ("an application runs this script: its process and who comes to it are the application's own affair");
  g_mutex_lock (&listener.lock);
  gboolean was_open = listener.door != NULL;

  if (!was_open)
    (void) listener_open (&error);
  g_autofree char *path = listener.door != NULL ? g_strdup (tti_door_get_path (listener.door)) : NULL;
  g_mutex_unlock (&listener.lock);
  if (path != NULL)
    return scm_cons (tti_guile_from_text (path, -1), scm_from_bool (!was_open));
  SCM text = tti_guile_from_text (error->message, -1);

  g_error_free (error);
  return text;
}

/* The next who has come, entered in the list; -1: nobody has. */
static int
listener_accept (void)
{
  g_mutex_lock (&listener.lock);
  int fd = listener.door != NULL ? tti_door_accept (listener.door) : -1;
  struct epoll_event event = { .events = EPOLLONESHOT, .data.fd = fd };

  if (fd >= 0 && epoll_ctl (listener.events, EPOLL_CTL_ADD, fd, &event) != 0)
    tti_fd_clear (&fd);
  if (fd >= 0)
    g_array_append_val (listener.clients, fd);
  g_mutex_unlock (&listener.lock);
  return fd;
}

/* What a client whose thread is busy has sent: the byte that interrupts, which is taken, or something else, which stays. */
static const char *
what_client_did (int fd)
{
  char byte = 0;
  ssize_t n = recv (fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return "nothing";
  if (n <= 0)
    return "gone";
  if (byte != INTERRUPT_BYTE)
    return "ahead";
  return recv (fd, &byte, 1, MSG_DONTWAIT) == 1 ? "interrupt" : "nothing";
}

/* (%listener-wait) -> (come . client), (interrupt . client), (gone . client), (ahead . client), which has sent what is not its turn,
 * or (nothing . -1) */
static SCM
listener_wait (void)
{
  struct epoll_event event;

  tti_guile_select (listener.events, FALSE, NULL);
  scm_async_tick ();
  int n = epoll_wait (listener.events, &event, 1, 0), fd = -1;
  const char *what = "nothing";

  g_mutex_lock (&listener.lock);
  gboolean is_door = n == 1 && listener.door != NULL && event.data.fd == tti_door_get_socket (listener.door);
  g_mutex_unlock (&listener.lock);
  if (is_door)
    {
      fd = listener_accept ();
      what = fd >= 0 ? "come" : what;
    }
  else if (n == 1)
    {
      fd = event.data.fd;
      what = (event.events & (EPOLLHUP | EPOLLERR)) != 0 ? "gone" : what_client_did (fd);
    }
  return scm_cons (scm_from_utf8_symbol (what), scm_from_int (fd));
}

/* (%client-watch! client bytes?): its thread is busy from now on: let %listener-wait tell, once, that it has gone, and if BYTES? that it
 * has sent something. */
static SCM
client_watch (SCM client, SCM bytes)
{
  struct epoll_event event = { .events = EPOLLONESHOT | (scm_is_true (bytes) ? EPOLLIN : 0), .data.fd = scm_to_int (client) };

  (void) epoll_ctl (listener.events, EPOLL_CTL_MOD, event.data.fd, &event);
  return SCM_UNSPECIFIED;
}

/* Wait until FD is ready, or the moment UNTIL (monotonic, µs; 0: for ever) has come. FALSE: it is not ready. */
static gboolean
wait_until (int fd, gboolean for_writing, gint64 until)
{
  for (;;)
    {
      gint64 left = until > 0 ? MAX (until - g_get_monotonic_time (), 0) : 3600 * (gint64) G_USEC_PER_SEC;
      struct timeval limit = { .tv_sec = left / G_USEC_PER_SEC, .tv_usec = left % G_USEC_PER_SEC };
      int n = tti_guile_select (fd, for_writing, &limit);

      scm_async_tick ();
      if (n > 0)
        return TRUE;
      if (until > 0 && g_get_monotonic_time () >= until)
        return FALSE;
    }
}

/* (%socket-read fd seconds) -> what has come, a bytevector; #f: the end; #t: nothing has, in SECONDS (#f: it waits for ever) */
static SCM
socket_read (SCM socket, SCM seconds)
{
  int fd = scm_to_int (socket);
  gint64 until = scm_is_true (seconds) ? g_get_monotonic_time () + (gint64) (scm_to_double (seconds) * G_USEC_PER_SEC) : 0;
  char bytes[MOST_AT_ONCE];
  ssize_t n;

  do
    {
      if (!wait_until (fd, FALSE, until))
        return SCM_BOOL_T;
      n = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT);
    }
  while (n < 0 && (errno == EAGAIN || errno == EINTR));
  if (n <= 0)
    return SCM_BOOL_F;
  SCM result = scm_c_make_bytevector ((gsize) n);

  memcpy (SCM_BYTEVECTOR_CONTENTS (result), bytes, (gsize) n);
  return result;
}

/* (%socket-write fd bytes start count) -> could all be written? It waits for the other side. */
static SCM
socket_write (SCM socket, SCM bytes, SCM start, SCM count)
{
  int fd = scm_to_int (socket);
  gsize from = scm_to_size_t (start), left = scm_to_size_t (count);

  if (!scm_is_bytevector (bytes) || from > scm_c_bytevector_length (bytes) || left > scm_c_bytevector_length (bytes) - from)
    scm_out_of_range ("%socket-write", count);
  while (left > 0)
    {
      ssize_t n = send (fd, SCM_BYTEVECTOR_CONTENTS (bytes) + from, left, MSG_DONTWAIT | MSG_NOSIGNAL);

      if (n >= 0)
        {
          from += (gsize) n;
          left -= (gsize) n;
        }
      else if (errno == EAGAIN)
        wait_until (fd, TRUE, 0);
      else if (errno != EINTR)
        return SCM_BOOL_F;
    }
  scm_remember_upto_here_1 (bytes);
  return SCM_BOOL_T;
}

/* (%socket-finish! fd): nothing more is written */
static SCM
socket_finish (SCM socket)
{
  shutdown (scm_to_int (socket), SHUT_WR);
  return SCM_UNSPECIFIED;
}

/* (%client-close! client) */
static SCM
client_close (SCM client)
{
  int fd = scm_to_int (client);

  g_mutex_lock (&listener.lock);
  for (guint i = 0; i < listener.clients->len; i++)
    if (g_array_index (listener.clients, int, i) == fd)
      g_array_remove_index_fast (listener.clients, i--);
  close (fd);
  g_mutex_unlock (&listener.lock);
  return SCM_UNSPECIFIED;
}

/* (%in-worker?) */
static SCM
in_worker_p (void)
{
  return scm_from_bool (tti_guile_is_worker ());
}

/* --- the other side --------------------------------------------------------------------------------------------------------- */

/* (%doors) -> list of (name pid repl?), or a text why there can be none */
static SCM
doors (void)
{
  GError *error = NULL;
  GPtrArray *entries = tti_door_list (&error);
  SCM list = SCM_EOL;

  if (entries == NULL)
    {
      SCM text = tti_guile_from_text (error->message, -1);

      g_error_free (error);
      return text;
    }
  for (guint i = entries->len; i-- > 0;)
    {
      TtiDoorEntry *entry = g_ptr_array_index (entries, i);

      list = scm_cons (scm_list_3 (scm_from_utf8_string (entry->name), scm_from_int (entry->pid), scm_from_bool (entry->is_repl)), list);
    }
  g_ptr_array_unref (entries);
  return list;
}

/* (%door-connect name) -> a descriptor; or a text why not */
static SCM
door_connect (SCM name)
{
  GError *error = NULL;

  scm_dynwind_begin (0);
  char *c_name = scm_to_utf8_string (name);

  scm_dynwind_free (c_name);
  char *path = tti_door_path (c_name, &error);

  scm_dynwind_unwind_handler (g_free, path, SCM_F_WIND_EXPLICITLY);
  int fd = path != NULL ? tti_door_connect (path, SOCK_STREAM, &error) : -1;

  scm_dynwind_end ();
  if (fd >= 0)
    return scm_from_int (fd);
  SCM text = tti_guile_from_text (error->message, -1);

  g_error_free (error);
  return text;
}

static void *
wait_for_end (void *fd)
{
  struct pollfd wait = { .fd = GPOINTER_TO_INT (fd), .events = POLLRDHUP };

  while (poll (&wait, 1, -1) < 0 && errno == EINTR)
    continue;
  return NULL;
}

/* (%socket-await-end fd): until the other side has left; what it has sent stays to be read. It cannot be interrupted: for a thread that
 * does nothing else. */
static SCM
socket_await_end (SCM socket)
{
  scm_without_guile (wait_for_end, GINT_TO_POINTER (scm_to_int (socket)));
  return SCM_UNSPECIFIED;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%listen!", 0, listen_x },          { "%listener-wait", 0, listener_wait },
  { "%client-watch!", 2, client_watch }, { "%client-close!", 1, client_close },
  { "%socket-read", 2, socket_read },   { "%socket-write", 4, socket_write },
  { "%socket-finish!", 1, socket_finish }, { "%socket-await-end", 1, socket_await_end },
  { "%in-worker?", 0, in_worker_p },
  { "%doors", 0, doors },               { "%door-connect", 1, door_connect },
};

void
tti_guile_init_listen (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
