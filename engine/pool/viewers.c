/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Those who look at an engine: how they come, ask and go. What is written for them is in looking.c. */
#include "look/protocol.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "pool/engine-private.h"
#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_VIEWERS = 64, RING_SIZE = 32 * 1024 * 1024 };

struct _TtiEngineViewer
{
  TtiEngine *engine;
  int socket;
  GSource *source;
  gboolean wants_capsules;
  gboolean removed;              /* nobody is told of it any more */
  void (*ended) (gpointer data); /* or NULL */
  gpointer data;
};

/* --- viewers ----------------------------------------------------------------------------------------------------------------- */

/* With its source, which may be at work in the engine's thread while another thread removes the viewer. */
static void
viewer_free (gpointer data)
{
  TtiEngineViewer *viewer = data;

  tti_fd_clear (&viewer->socket);
  g_free (viewer);
}

void
tti_engine_viewer_drop (gpointer data)
{
  TtiEngineViewer *viewer = data;
  GSource *source = viewer->source;

  viewer->removed = TRUE;
  g_source_destroy (source);
  g_source_unref (source);
}

void
tti_engine_update_watched_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  __atomic_store_n (&engine->looking.watched, engine->looking.viewers->len + engine->looking.n_awaited > 0, __ATOMIC_RELAXED);
}

void
tti_engine_remove_viewer_locked (TtiEngine *engine, TtiEngineViewer *viewer)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  g_ptr_array_remove_fast (engine->looking.viewers, viewer);
  tti_engine_update_watched_locked (engine);
}

/* Take what VIEWER says. FALSE: it has left. */
static gboolean
viewer_hear_locked (TtiEngineViewer *viewer)
{
  TTI_ASSERT_LOCKED (&viewer->engine->lock);
  TtiEngine *engine = viewer->engine;
  TtiLookRequest request = { 0 };
  gssize n = recv (viewer->socket, &request, sizeof request, MSG_DONTWAIT);

  if (n <= 0)
    return n < 0 && (errno == EAGAIN || errno == EINTR);
  if (n == sizeof request && request.question == TTI_LOOK_ASK_SNAPSHOT)
    tti_engine_show_all_locked (engine);
  else if (n == sizeof request && request.question == TTI_LOOK_ASK_TASK)
    tti_engine_show_task_locked (engine, request.task);
  else if (n == sizeof request && request.question == TTI_LOOK_ASK_CAPSULES)
    viewer->wants_capsules = TRUE;
  return TRUE;
}

static gboolean
viewer_ready (int fd, GIOCondition condition, gpointer data)
{
  TtiEngineViewer *viewer = data;
  TtiEngine *engine = viewer->engine;

  (void) fd;
  (void) condition;
  tti_engine_lock (engine);
  if (!viewer->removed && !viewer_hear_locked (viewer))
    {
      void (*ended) (gpointer) = viewer->ended;
      gpointer its_data = viewer->data;

      tti_engine_remove_viewer_locked (engine, viewer);
      if (ended != NULL)
        ended (its_data);
    }
  tti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

static gboolean
engine_make_ring_locked (TtiEngine *engine, GError **error)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine->looking.ring == NULL)
    engine->looking.ring = tti_event_ring_new (RING_SIZE, error);
  return engine->looking.ring != NULL;
}

/* Send DATA, SIZE bytes, and with it FD unless it is -1, without waiting. */
static gboolean
send_with (int socket, gconstpointer data, gsize size, int fd)
{
  union { struct cmsghdr header; char bytes[CMSG_SPACE (sizeof (int))]; } control = { .bytes = { 0 } };
  struct iovec vector = { (gpointer) data, size };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

  if (fd >= 0)
    {
      message.msg_control = &control;
      message.msg_controllen = sizeof control;
      struct cmsghdr *part = CMSG_FIRSTHDR (&message);

      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = CMSG_LEN (sizeof fd);
      memcpy (CMSG_DATA (part), &fd, sizeof fd);
    }
  return sendmsg (socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (gssize) size;
}

/* Say hello through SOCKET, with the ring's descriptor, and where what is shown begins. */
static gboolean
send_hello (TtiEngine *engine, int socket, int ring, TtiLookHello hello, GError **error)
{
  hello.magic = TTI_LOOK_MAGIC;
  hello.version = TTI_LOOK_VERSION;
  hello.pid = getpid ();
  hello.began = engine->looking.began;
  if (send_with (socket, &hello, sizeof hello, ring))
    return TRUE;
  tti_set_errno (error, errno, "cannot say hello to who wants to look at the job");
  return FALSE;
}

gboolean
tti_engine_has_capsule_viewer_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  for (guint i = 0; i < engine->looking.viewers->len; i++)
    if (((TtiEngineViewer *) g_ptr_array_index (engine->looking.viewers, i))->wants_capsules)
      return TRUE;
  return FALSE;
}

void
tti_engine_send_capsule_locked (TtiEngine *engine, guint64 task, gint64 item, int fd, const char *reason)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  TtiLookCapsule capsule = { .task = task, .item = item };

  if (reason != NULL)
    g_strlcpy (capsule.reason, reason, sizeof capsule.reason);
  for (guint i = 0; i < engine->looking.viewers->len; i++)
    {
      TtiEngineViewer *viewer = g_ptr_array_index (engine->looking.viewers, i);

      /* One that does not keep up goes without. */
      if (viewer->wants_capsules)
        (void) send_with (viewer->socket, &capsule, sizeof capsule, fd);
    }
}

TtiEngineViewer *
tti_engine_add_viewer_locked (TtiEngine *engine, int socket, void (*ended) (gpointer data), gpointer data, GError **error)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  tti_autofd int owned = socket;
  TtiLooking *looking = &engine->looking;

  if (looking->viewers->len >= MOST_VIEWERS)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "%d processes look at the job already", MOST_VIEWERS);
      return NULL;
    }
  if (!engine_make_ring_locked (engine, error))
    return NULL;
  tti_autofd int ring = tti_event_ring_open (looking->ring, error);

  if (ring < 0)
    return NULL;
  TtiEngineViewer *viewer = g_new0 (TtiEngineViewer, 1);
  TtiLookHello hello = { 0 };

  tti_event_ring_tell (looking->ring, &hello.position, &hello.number);
  __atomic_store_n (&looking->watched, TRUE, __ATOMIC_RELAXED);
  tti_engine_show_all_locked (engine);
  *viewer = (TtiEngineViewer){ .engine = engine, .socket = g_steal_fd (&owned), .ended = ended, .data = data };
  viewer->source = g_unix_fd_source_new (viewer->socket, G_IO_IN | G_IO_HUP | G_IO_ERR);
  g_source_set_callback (viewer->source, G_SOURCE_FUNC (viewer_ready), viewer, viewer_free);
  g_source_set_static_name (viewer->source, "[tutti] viewer");
  g_source_attach (viewer->source, engine->context);
  g_ptr_array_add (looking->viewers, viewer);
  if (!send_hello (engine, viewer->socket, ring, hello, error))
    {
      tti_engine_remove_viewer_locked (engine, viewer);
      return NULL;
    }
  g_source_set_ready_time (looking->pulse, 0);
  return viewer;
}

gboolean
tti_engine_await_viewer (TtiEngineViewer *viewer, gint64 deadline, gboolean *finished)
{
  TtiLookRequest request = { 0 };

  *finished = FALSE;
  (void) shutdown (viewer->socket, SHUT_WR);
  while (tti_fd_wait (viewer->socket, POLLIN, deadline))
    {
      gssize n = recv (viewer->socket, &request, sizeof request, MSG_DONTWAIT);

      if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        return TRUE;
      *finished = *finished || (n == sizeof request && request.question == TTI_LOOK_FINISHED);
    }
  return FALSE;
}

/* --- the door ---------------------------------------------------------------------------------------------------------------- */

static gboolean
door_ready (int fd, GIOCondition condition, gpointer data)
{
  TtiEngine *engine = data;

  (void) fd;
  (void) condition;
  tti_engine_lock (engine);
  int socket = engine->looking.door != NULL ? tti_door_accept (engine->looking.door) : -1;

  /* Whoever is sent away sees that the socket is closed. */
  if (socket >= 0)
    (void) tti_engine_add_viewer_locked (engine, socket, NULL, NULL, NULL);
  tti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

gboolean
tti_engine_open_door (TtiEngine *engine, GError **error)
{
  static guint last;
  TtiLooking *looking = &engine->looking;
  gboolean open = FALSE;

  if (tti_engine_is_copy (error))
    return FALSE;
  tti_engine_lock (engine);
  if (looking->door == NULL && !tti_engine_is_over_locked (engine, error))
    {
      g_autofree char *name = g_strdup_printf ("%d-%u", (int) getpid (), __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED));

      looking->door = tti_door_open (name, SOCK_SEQPACKET, error);
      if (looking->door != NULL)
        {
          looking->door_name = g_steal_pointer (&name);
          looking->door_source = g_unix_fd_source_new (tti_door_get_socket (looking->door), G_IO_IN);
          g_source_set_callback (looking->door_source, G_SOURCE_FUNC (door_ready), engine, NULL);
          g_source_set_static_name (looking->door_source, "[tutti] door");
          g_source_attach (looking->door_source, engine->context);
        }
    }
  open = looking->door != NULL;
  tti_engine_unlock (engine);
  return open;
}

char *
tti_engine_get_door_name (TtiEngine *engine)
{
  if (tti_engine_is_copy (NULL))
    return NULL;
  tti_engine_lock (engine);
  char *name = g_strdup (engine->looking.door_name);

  tti_engine_unlock (engine);
  return name;
}

void
tti_engine_close_door_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  TtiLooking *looking = &engine->looking;

  if (looking->door_source != NULL)
    g_source_destroy (looking->door_source);
  g_clear_pointer (&looking->door_source, g_source_unref);
  g_clear_pointer (&looking->door, tti_door_close);
}
