/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A board that has taken events through a ring, as the page's has. */
#pragma once
#include "look/board.h"
#include <string.h>
#include <unistd.h>

enum { PAGE_START = 100 * G_USEC_PER_SEC };

typedef struct
{
  TtiEventRing *ring;
  TtiEventRingReader *reader;
  TtiBoard *board;
  gint64 time;
} PageFixture;

/* Take EVENT of KIND with its texts, a millisecond after the last. */
static inline void
page_take (PageFixture *self, TtiEventKind kind, gconstpointer data, const char *first, const char *second)
{
  g_autoptr (GError) error = NULL;
  TtiEventRecord record;
  gconstpointer bytes;
  guint64 n_dropped;
  TtiEvent event;

  self->time += 1000;
  tti_event_write (self->ring, self->time, kind, data, first, second);
  while (tti_event_ring_reader_next (self->reader, &record, &bytes, &n_dropped, &error))
    {
      g_assert_true (tti_event_read (&record, bytes, &event, &error));
      (void) tti_board_take (self->board, &event);
    }
  g_assert_no_error (error);
}

static inline void
page_fixture_init (PageFixture *self)
{
  g_autoptr (GError) error = NULL;
  TtiLookClock clock = { .wall = 1000000 * (gint64) G_USEC_PER_SEC };
  TtiLookSnapshot begin = { .begins = 1 }, end = { 0 };

  *self = (PageFixture){ .time = PAGE_START, .board = tti_board_new () };
  self->ring = tti_event_ring_new (TTI_EVENT_RING_LEAST, &error);
  g_assert_no_error (error);
  int fd = tti_event_ring_open (self->ring, &error);

  self->reader = tti_event_ring_reader_new (fd, &error);
  g_assert_no_error (error);
  close (fd);
  page_take (self, TTI_EVENT_SNAPSHOT, &begin, NULL, NULL);
  page_take (self, TTI_EVENT_CLOCK, &clock, NULL, NULL);
  page_take (self, TTI_EVENT_SNAPSHOT, &end, NULL, NULL);
}

static inline void
page_fixture_clear (PageFixture *self)
{
  tti_board_free (self->board);
  tti_event_ring_reader_free (self->reader);
  tti_event_ring_free (self->ring);
}

static inline void
page_note (PageFixture *self, const char *key, const char *value)
{
  TtiLookNote note = { 0 };

  page_take (self, TTI_EVENT_NOTE, &note, key, value);
}

static inline void
page_pool (PageFixture *self, guint64 number, guint size, guint64 submitted, guint64 ended)
{
  TtiLookPool pool = { .pool = number, .size = size, .goal = size, .submitted = submitted, .ended = ended };

  page_take (self, TTI_EVENT_POOL, &pool, "pool", NULL);
}

static inline void
page_worker (PageFixture *self, guint64 pool, guint index)
{
  TtiLookWorker worker = { .pool = pool, .generation = pool * 1000 + index + 1, .index = index, .pid = 77, .state = TTI_WORKER_IDLE,
                           .peak_memory = 5000 };

  page_take (self, TTI_EVENT_WORKER, &worker, "here", NULL);
}
