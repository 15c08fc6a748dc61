/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An epoll set as a source of a main loop. */
#include "platform/watch-set.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <glib-unix.h>
#include <sys/epoll.h>

enum { NEWS_AT_ONCE = 64 };

struct _TtiWatch
{
  guint64 number;
  gpointer data;
  int fd;
  guint32 events; /* that it waits for */
};

struct _TtiWatchSet
{
  int epoll;
  GSource *source;
  GHashTable *watches; /* number -> TtiWatch */
  guint64 next;
  TtiWatchNews news;
  gpointer user_data;
};

static gboolean
set_dispatch (G_GNUC_UNUSED gint fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
  TtiWatchSet *set = data;
  struct epoll_event news[NEWS_AT_ONCE];
  int n = epoll_wait (set->epoll, news, G_N_ELEMENTS (news), 0);

  for (int i = 0; i < n; i++)
    set->news (news[i].data.u64, news[i].events, set->user_data);
  return G_SOURCE_CONTINUE;
}

TtiWatchSet *
tti_watch_set_new (GMainContext *context, const char *name, TtiWatchNews news, gpointer user_data, GError **error)
{
  int epoll = epoll_create1 (EPOLL_CLOEXEC);

  if (epoll < 0)
    {
      tti_set_errno (error, errno, "cannot make an epoll set");
      return NULL;
    }
  TtiWatchSet *set = g_new0 (TtiWatchSet, 1);

  tti_fd_move_up (&epoll);
  set->epoll = epoll;
  set->news = news;
  set->user_data = user_data;
  set->watches = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  set->source = g_unix_fd_source_new (epoll, G_IO_IN);
  g_source_set_static_name (set->source, name);
  g_source_set_callback (set->source, G_SOURCE_FUNC (set_dispatch), set, NULL);
  g_source_attach (set->source, context);
  return set;
}

void
tti_watch_set_free (TtiWatchSet *set)
{
  if (set == NULL)
    return;
  g_source_destroy (set->source);
  g_source_unref (set->source);
  g_hash_table_unref (set->watches);
  tti_fd_clear (&set->epoll);
  g_free (set);
}

TtiWatch *
tti_watch_add (TtiWatchSet *set, int fd, gpointer data, GError **error)
{
  TtiWatch *watch = g_new (TtiWatch, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.u64 = ++set->next };

  *watch = (TtiWatch){ .number = set->next, .data = data, .fd = fd, .events = EPOLLIN };
  if (epoll_ctl (set->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
    {
      tti_set_errno (error, errno, "cannot watch a descriptor");
      g_free (watch);
      return NULL;
    }
  g_hash_table_insert (set->watches, &watch->number, watch);
  return watch;
}

void
tti_watch_set_writing (TtiWatchSet *set, TtiWatch *watch, gboolean writing)
{
  guint32 events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  struct epoll_event event = { .events = events, .data.u64 = watch->number };

  if (events == watch->events)
    return;
  watch->events = events;
  epoll_ctl (set->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void
tti_watch_remove (TtiWatchSet *set, TtiWatch **watch)
{
  if (*watch == NULL)
    return;
  epoll_ctl (set->epoll, EPOLL_CTL_DEL, (*watch)->fd, NULL);
  g_hash_table_remove (set->watches, &(*watch)->number);
  *watch = NULL;
}

TtiWatch *
tti_watch_find (TtiWatchSet *set, guint64 number, gpointer *data)
{
  TtiWatch *watch = g_hash_table_lookup (set->watches, &number);

  *data = watch != NULL ? watch->data : NULL;
  return watch;
}
