/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A living worker's descriptors in the engine's main loop: its transport, its two outputs, its pidfd.
 *
 * All of them are in one epoll set, which is one descriptor for the main loop: poll () would look at four of each worker whenever one of
 * them has something, and it refuses more than the soft limit of descriptors. A source belongs to one life of a worker, and has a number
 * of its own. It leaves the set under the lock when that life ends; news of it that had been fetched before names a number that is not
 * there. */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "pool/engine-private.h"
#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/epoll.h>

struct _TuttiSlotSource
{
  guint64 number;
  TuttiSlot *slot;
  int fd;
  guint32 events; /* that it waits for */
};

enum { OUTPUT_AT_ONCE = 16 * 1024 }; /* bytes read before others have their turn: 8000 lines at worst, a millisecond */
enum { NEWS_AT_ONCE = 64 };

static void
source_clear (TuttiSlotSource **source)
{
  if (*source == NULL)
    return;
  TuttiEngine *engine = (*source)->slot->pool->engine;

  epoll_ctl (engine->epoll, EPOLL_CTL_DEL, (*source)->fd, NULL);
  g_hash_table_remove (engine->sources, &(*source)->number);
  *source = NULL;
}

static void
output_dispatch_locked (TuttiSlotSource **source, TuttiOutput *output)
{
  /* At the end of the pipe the source goes; the lines that were kept for the certificate stay. */
  if (!tutti_output_read (output, OUTPUT_AT_ONCE))
    source_clear (source);
}

void
tutti_pool_read_output (TuttiPool *pool)
{
  TuttiEngine *engine = pool->engine;

  if (tutti_engine_is_copy (NULL))
    return;
  tutti_engine_lock (engine);
  for (guint i = 0; i < pool->size; i++)
    {
      TuttiSlot *slot = &pool->slots[i];

      if (slot->tasks_done == slot->read_at || slot->worker == NULL)
        continue;
      slot->read_at = slot->tasks_done;
      if (slot->out_source != NULL)
        output_dispatch_locked (&slot->out_source, slot->worker->out);
      if (slot->err_source != NULL)
        output_dispatch_locked (&slot->err_source, slot->worker->err);
    }
  tutti_engine_unlock (engine);
}

static void
source_dispatch_locked (TuttiSlotSource *source, guint32 events)
{
  TuttiSlot *slot = source->slot;

  if (source == slot->transport_source)
    {
      if (events & EPOLLOUT)
        (void) tutti_transport_flush (slot->worker->transport, NULL); /* its end is seen by the next receive */
      tutti_slot_receive_locked (slot);
    }
  else if (source == slot->out_source)
    output_dispatch_locked (&slot->out_source, slot->worker->out);
  else if (source == slot->err_source)
    output_dispatch_locked (&slot->err_source, slot->worker->err);
  else if (source == slot->pid_source)
    tutti_slot_gone_locked (slot);
}

static gboolean
workers_dispatch (G_GNUC_UNUSED gint fd, G_GNUC_UNUSED GIOCondition condition, gpointer user_data)
{
  TuttiEngine *engine = user_data;
  struct epoll_event news[NEWS_AT_ONCE];
  int n = epoll_wait (engine->epoll, news, G_N_ELEMENTS (news), 0);

  for (int i = 0; i < n; i++)
    {
      guint64 number = news[i].data.u64;

      tutti_engine_lock (engine);
      TuttiSlotSource *source = g_hash_table_lookup (engine->sources, &number);

      if (source != NULL)
        source_dispatch_locked (source, news[i].events);
      tutti_engine_end_turn (engine);
    }
  return G_SOURCE_CONTINUE;
}

gboolean
tutti_engine_start_watching (TuttiEngine *engine, GError **error)
{
  engine->epoll = epoll_create1 (EPOLL_CLOEXEC);
  if (engine->epoll < 0)
    {
      tutti_set_errno (error, errno, "cannot make an epoll set");
      return FALSE;
    }
  tutti_fd_move_up (&engine->epoll);
  engine->sources = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  engine->workers = g_unix_fd_source_new (engine->epoll, G_IO_IN);
  g_source_set_static_name (engine->workers, "[tutti] workers");
  g_source_set_callback (engine->workers, G_SOURCE_FUNC (workers_dispatch), engine, NULL);
  g_source_attach (engine->workers, engine->context);
  return TRUE;
}

void
tutti_engine_stop_watching (TuttiEngine *engine)
{
  if (engine->epoll < 0)
    return;
  g_source_destroy (engine->workers);
  g_clear_pointer (&engine->workers, g_source_unref);
  g_clear_pointer (&engine->sources, g_hash_table_unref);
  tutti_fd_clear (&engine->epoll);
}

static TuttiSlotSource *
slot_source_new (TuttiSlot *slot, int fd, GError **error)
{
  TuttiEngine *engine = slot->pool->engine;
  TuttiSlotSource *source = g_new (TuttiSlotSource, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.u64 = ++engine->next_source };

  *source = (TuttiSlotSource) { .number = engine->next_source, .slot = slot, .fd = fd, .events = EPOLLIN };
  if (epoll_ctl (engine->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
    {
      tutti_set_errno (error, errno, "cannot watch a descriptor of worker %u", slot->index);
      g_free (source);
      return NULL;
    }
  g_hash_table_insert (engine->sources, &source->number, source);
  return source;
}

gboolean
tutti_slot_watch_locked (TuttiSlot *slot, GError **error)
{
  TuttiWorker *worker = slot->worker;

  slot->transport_source = slot_source_new (slot, tutti_transport_get_fd (worker->transport), error);
  if (slot->transport_source != NULL)
    slot->out_source = slot_source_new (slot, tutti_output_get_fd (worker->out), error);
  if (slot->out_source != NULL)
    slot->err_source = slot_source_new (slot, tutti_output_get_fd (worker->err), error);
  if (slot->err_source != NULL)
    return TRUE;
  tutti_slot_unwatch_locked (slot);
  return FALSE;
}

void
tutti_slot_watch_pid_locked (TuttiSlot *slot)
{
  /* Without it the watcher's word is enough while there is a watcher, and the end of the transport. */
  if (slot->pid_source == NULL && slot->worker->pidfd >= 0)
    slot->pid_source = slot_source_new (slot, slot->worker->pidfd, NULL);
}

void
tutti_slot_unwatch_transport_locked (TuttiSlot *slot)
{
  source_clear (&slot->transport_source);
}

void
tutti_slot_unwatch_pid_locked (TuttiSlot *slot)
{
  source_clear (&slot->pid_source);
}

void
tutti_slot_unwatch_locked (TuttiSlot *slot)
{
  source_clear (&slot->transport_source);
  source_clear (&slot->out_source);
  source_clear (&slot->err_source);
  source_clear (&slot->pid_source);
}

void
tutti_slot_update_events_locked (TuttiSlot *slot)
{
  TuttiSlotSource *source = slot->transport_source;

  if (source == NULL)
    return;
  guint32 events = tutti_transport_get_events (slot->worker->transport) & POLLOUT ? EPOLLIN | EPOLLOUT : EPOLLIN;
  struct epoll_event event = { .events = events, .data.u64 = source->number };

  if (events == source->events)
    return;
  source->events = events;
  epoll_ctl (slot->pool->engine->epoll, EPOLL_CTL_MOD, source->fd, &event);
}
