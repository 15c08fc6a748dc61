/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of an engine as its events tell it: events are written to a ring and taken from it. */
#include "look/board.h"
#include <string.h>
#include <unistd.h>

enum { SECOND = G_USEC_PER_SEC, START = 100 * SECOND };

typedef struct
{
  TtiEventRing *ring;
  TtiEventRingReader *reader;
  TtiBoard *board;
  gint64 time;
  guint n_asked;
} Fixture;

static void
fixture_init (Fixture *self)
{
  g_autoptr (GError) error = NULL;

  *self = (Fixture){ .time = START };
  self->ring = tti_event_ring_new (TTI_EVENT_RING_LEAST, &error);
  g_assert_no_error (error);
  int fd = tti_event_ring_open (self->ring, &error);

  self->reader = tti_event_ring_reader_new (fd, &error);
  g_assert_no_error (error);
  close (fd);
  self->board = tti_board_new ();
}

static void
fixture_clear (Fixture *self)
{
  tti_board_free (self->board);
  tti_event_ring_reader_free (self->reader);
  tti_event_ring_free (self->ring);
}

/* Take what was written. */
static void
take_all (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  TtiEventRecord record;
  gconstpointer bytes;
  guint64 n_dropped;
  TtiEvent event;

  while (tti_event_ring_reader_next (self->reader, &record, &bytes, &n_dropped, &error))
    {
      g_assert_true (tti_event_read (&record, bytes, &event, &error));
      event.n_dropped = n_dropped;
      self->n_asked += tti_board_take (self->board, &event);
    }
  g_assert_no_error (error);
}

static void
put (Fixture *self, TtiEventKind kind, gconstpointer data, const char *first, const char *second)
{
  tti_event_write (self->ring, self->time, kind, data, first, second);
}

static void
put_snapshot (Fixture *self, gboolean begins, guint64 last)
{
  TtiLookSnapshot event = { .begins = begins, .last = last };

  put (self, TTI_EVENT_SNAPSHOT, &event, NULL, NULL);
}

static void
put_pool (Fixture *self, guint64 pool, guint size, guint64 submitted, guint64 ended, TtiLookPoolState state)
{
  TtiLookPool event = { .pool = pool, .state = state, .size = size, .goal = size, .submitted = submitted, .ended = ended };

  event.ends[TTI_LOOK_DONE] = ended;
  put (self, TTI_EVENT_POOL, &event, "pool", NULL);
}

static void
put_worker (Fixture *self, guint64 pool, guint index, guint64 generation, TtiWorkerState state)
{
  TtiLookWorker event = { .pool = pool, .index = index, .generation = generation, .pid = 4000 + (gint32) index, .state = state,
                          .peak_memory = 1000 };

  put (self, TTI_EVENT_WORKER, &event, "here", NULL);
}

static void
put_submitted (Fixture *self, guint64 task, guint n_missing)
{
  TtiLookSubmitted event = { .task = task, .pool = 1, .place = -1, .n_missing = n_missing };

  put (self, TTI_EVENT_SUBMITTED, &event, "simulate", NULL);
}

static void
put_started (Fixture *self, guint64 task, guint worker)
{
  TtiLookStarted event = { .task = task, .pool = 1, .worker = worker, .generation = 10 + worker, .started = self->time, .attempt = 1 };

  put (self, TTI_EVENT_STARTED, &event, "simulate", NULL);
}

static void
put_ended (Fixture *self, guint64 task, TtiLookEnd end, const char *text)
{
  TtiLookEnded event = { .task = task, .pool = 1, .worker = 0, .end = end, .attempts = 1 };

  put (self, TTI_EVENT_ENDED, &event, text, "simulate");
}

/* A pool of two workers that have nothing to do, in a snapshot. */
static void
put_pool_of_two (Fixture *self)
{
  put_snapshot (self, TRUE, 0);
  put_pool (self, 1, 2, 0, 0, TTI_LOOK_POOL_OPEN);
  put_worker (self, 1, 0, 10, TTI_WORKER_IDLE);
  put_worker (self, 1, 1, 11, TTI_WORKER_IDLE);
  put_snapshot (self, FALSE, 99);
}

static TtiBoardWorker *
worker_of (Fixture *self, guint index)
{
  const TtiBoardPool *pool = g_ptr_array_index (tti_board_get_pools (self->board), 0);

  g_assert_cmpuint (index, <, pool->workers->len);
  return g_ptr_array_index (pool->workers, index);
}

#define assert_counts(self, a_queued, a_waiting, a_running, a_ended) \
  G_STMT_START { \
    TtiBoardCounts counts; \
    take_all (self); \
    tti_board_get_counts ((self)->board, &counts); \
    g_assert_cmpuint (counts.queued, ==, a_queued); \
    g_assert_cmpuint (counts.waiting, ==, a_waiting); \
    g_assert_cmpuint (counts.running, ==, a_running); \
    g_assert_cmpuint (counts.ended, ==, a_ended); \
  } G_STMT_END

/* --- tasks and workers ------------------------------------------------------------------------------------------------------- */

static void
test_tasks (void)
{
  Fixture self;

  fixture_init (&self);
  put_pool_of_two (&self);
  assert_counts (&self, 0, 0, 0, 0);
  g_assert_true (tti_board_is_complete (self.board));
  put_submitted (&self, 100, 0);
  put_submitted (&self, 101, 0);
  put_submitted (&self, 102, 1);
  assert_counts (&self, 2, 1, 0, 0);
  put_started (&self, 100, 0);
  put_started (&self, 101, 0);
  assert_counts (&self, 1, 1, 1, 0); /* the second is behind the first */
  g_assert_cmpint (worker_of (&self, 0)->state, ==, TTI_WORKER_BUSY);
  g_assert_cmpuint (worker_of (&self, 0)->tasks.length, ==, 2);
  g_assert_cmpuint (tti_board_find_task (self.board, 101)->since, ==, 0);
  self.time += SECOND;
  put_ended (&self, 100, TTI_LOOK_DONE, NULL);
  put_submitted (&self, 102, 0); /* what it has waited for has ended */
  assert_counts (&self, 1, 0, 1, 1);
  g_assert_cmpint (tti_board_find_task (self.board, 101)->since, ==, START + SECOND);
  put_submitted (&self, 101, 0); /* given back */
  assert_counts (&self, 2, 0, 0, 1);
  g_assert_cmpint (worker_of (&self, 0)->state, ==, TTI_WORKER_IDLE);
  put_ended (&self, 101, TTI_LOOK_CANCELLED, "cancelled");
  put_ended (&self, 102, TTI_LOOK_RAISED, "no such file");
  assert_counts (&self, 0, 0, 0, 3);
  g_assert_cmpuint (tti_board_get_n_failures (self.board), ==, 1); /* to be cancelled is none */
  g_assert_cmpstr (tti_board_get_failure (self.board, 0)->text, ==, "no such file");
  fixture_clear (&self);
}

/* A worker that has gone has no task. */
static void
test_death (void)
{
  Fixture self;
  TtiLookDied died = { .pool = 1, .generation = 10, .task = 100, .worker = 0, .again = 1 };

  fixture_init (&self);
  put_pool_of_two (&self);
  put_submitted (&self, 100, 0);
  put_started (&self, 100, 0);
  put_submitted (&self, 100, 0); /* it is tried again */
  put (&self, TTI_EVENT_DIED, &died, "worker 0 died", "its last words");
  put_worker (&self, 1, 0, 10, TTI_WORKER_DEAD);
  put_worker (&self, 1, 0, 12, TTI_WORKER_BOOTING);
  assert_counts (&self, 1, 0, 0, 0);
  g_assert_cmpstr (tti_board_get_failure (self.board, 0)->tail, ==, "its last words");
  g_assert_cmpstr (tti_board_get_failure (self.board, 0)->name, ==, "simulate");
  g_assert_cmpuint (worker_of (&self, 0)->generation, ==, 12);
  fixture_clear (&self);
}

/* What an engine has kept from before anybody looked comes once. */
static void
test_old_failures (void)
{
  Fixture self;
  TtiLookFailure died = { .kind = TTI_EVENT_DIED, .time = START - SECOND, .task = 50, .worker = 1, .attempts = 2, .again = 1 };
  TtiLookFailure failed = { .kind = TTI_EVENT_ENDED, .time = START, .task = 100, .pool = 1, .end = TTI_LOOK_RAISED, .attempts = 1 };

  fixture_init (&self);
  put_pool_of_two (&self);
  put_submitted (&self, 100, 0);
  put_started (&self, 100, 0);
  put_ended (&self, 100, TTI_LOOK_RAISED, "no such file");
  for (guint i = 0; i < 2; i++)
    {
      put_snapshot (&self, TRUE, 0);
      put (&self, TTI_EVENT_FAILURE, &died, "simulate", "worker 1 died\nits last\nwords");
      put (&self, TTI_EVENT_FAILURE, &failed, "simulate", "no such file");
      put_snapshot (&self, FALSE, 200);
    }
  take_all (&self);
  g_assert_cmpuint (tti_board_get_n_failures (self.board), ==, 2);
  g_assert_cmpstr (tti_board_get_failure (self.board, 0)->text, ==, "worker 1 died");
  g_assert_cmpstr (tti_board_get_failure (self.board, 0)->tail, ==, "its last\nwords");
  g_assert_cmpint (tti_board_get_failure (self.board, 0)->time, ==, START - SECOND);
  fixture_clear (&self);
}

/* --- snapshots --------------------------------------------------------------------------------------------------------------- */

/* What a snapshot does not show is not there any more; what runs has run since it began. */
static void
test_snapshot (void)
{
  Fixture self;

  fixture_init (&self);
  put_pool_of_two (&self);
  put_pool (&self, 2, 1, 5, 4, TTI_LOOK_POOL_OPEN);
  put_submitted (&self, 100, 0);
  put_submitted (&self, 101, 0);
  put_started (&self, 100, 0);
  put_started (&self, 101, 1);
  assert_counts (&self, 1, 0, 2, 4);
  self.time += 3 * SECOND;
  put_snapshot (&self, TRUE, 0);
  put_pool (&self, 1, 1, 10, 1, TTI_LOOK_POOL_OPEN);
  put_worker (&self, 1, 0, 10, TTI_WORKER_BUSY);
  put_submitted (&self, 100, 0);
  put_started (&self, 100, 0);
  put_snapshot (&self, FALSE, 200);
  assert_counts (&self, 8, 0, 1, 5);
  g_assert_cmpint (tti_board_find_task (self.board, 100)->since, ==, START);
  g_assert_null (tti_board_find_task (self.board, 101));
  g_assert_cmpint (((TtiBoardPool *) g_ptr_array_index (tti_board_get_pools (self.board), 1))->state, ==, TTI_LOOK_POOL_CLOSED);
  /* One that was left out in the snapshot is not a new one. */
  put_submitted (&self, 150, 0);
  assert_counts (&self, 8, 0, 1, 5);
  put_submitted (&self, 201, 0);
  assert_counts (&self, 9, 0, 1, 5);
  fixture_clear (&self);
}

/* Who was too slow asks once, until it is answered. */
static void
test_dropped (void)
{
  Fixture self;

  fixture_init (&self);
  put_pool_of_two (&self);
  take_all (&self);
  for (guint i = 0; i < 10000; i++)
    put_submitted (&self, 100 + i, 0);
  take_all (&self);
  g_assert_cmpuint (self.n_asked, ==, 1);
  g_assert_false (tti_board_is_complete (self.board));
  put_snapshot (&self, TRUE, 0);
  put_pool (&self, 1, 2, 10000, 0, TTI_LOOK_POOL_OPEN);
  put_snapshot (&self, FALSE, 10200);
  assert_counts (&self, 10000, 0, 0, 0);
  g_assert_true (tti_board_is_complete (self.board));
  self.time += 10 * SECOND;
  put_submitted (&self, 10201, 0);
  take_all (&self);
  g_assert_cmpuint (self.n_asked, ==, 1);
  fixture_clear (&self);
}

/* What was shown to who has asked for a task is nothing new. */
static void
test_answer (void)
{
  Fixture self;
  TtiLookAnswer begin = { .task = 100, .begins = 1 }, end = { .task = 100 };

  fixture_init (&self);
  put_pool_of_two (&self);
  put_submitted (&self, 100, 1);
  put_submitted (&self, 101, 0);
  put_started (&self, 101, 0);
  assert_counts (&self, 0, 1, 1, 0);
  put (&self, TTI_EVENT_ANSWER, &begin, NULL, NULL);
  put_submitted (&self, 100, 1);
  put_submitted (&self, 101, 0);
  put (&self, TTI_EVENT_ANSWER, &end, NULL, NULL);
  assert_counts (&self, 0, 1, 1, 0);
  fixture_clear (&self);
}

/* --- pools and figures ------------------------------------------------------------------------------------------------------- */

/* A script that makes pool after pool: all their tasks count, and few pools are kept. */
static void
test_pools (void)
{
  Fixture self;
  TtiBoardCounts counts;

  fixture_init (&self);
  put_snapshot (&self, TRUE, 0);
  put_snapshot (&self, FALSE, 0);
  for (guint i = 1; i <= 1000; i++)
    {
      put_pool (&self, i, 4, 3, 1, TTI_LOOK_POOL_OPEN);
      put_worker (&self, i, 3, 5, TTI_WORKER_IDLE);
      put_pool (&self, i, 4, 3, 3, TTI_LOOK_POOL_CLOSED);
      take_all (&self);
    }
  tti_board_get_counts (self.board, &counts);
  g_assert_cmpuint (counts.ended, ==, 3000);
  g_assert_cmpuint (counts.ends[TTI_LOOK_DONE], ==, 3000);
  g_assert_cmpuint (counts.workers, ==, 0);
  g_assert_cmpuint (counts.queued, ==, 0);
  g_assert_cmpuint (tti_board_get_pools (self.board)->len, <, 20);
  fixture_clear (&self);
}

static void
test_rate (void)
{
  Fixture self;
  guint64 task = 100;

  fixture_init (&self);
  put_pool_of_two (&self);
  take_all (&self);
  g_assert_cmpfloat (tti_board_get_rate (self.board, self.time), <, 0);
  for (guint i = 0; i < 100; i++, task++)
    {
      self.time += SECOND / 10;
      put_submitted (&self, task, 0);
      put_started (&self, task, 0);
      put_ended (&self, task, TTI_LOOK_DONE, NULL);
    }
  take_all (&self);
  g_assert_cmpfloat_with_epsilon (tti_board_get_rate (self.board, self.time), 10, 0.5);
  g_assert_cmpfloat (tti_board_get_rate (self.board, self.time + 100 * SECOND), <=, 0);
  fixture_clear (&self);
}

static void
test_progress (void)
{
  Fixture self;
  TtiLookProgress event = { .progress = 7, .done = 25, .all = 100, .began = START };

  fixture_init (&self);
  self.time += 50 * SECOND;
  put (&self, TTI_EVENT_PROGRESS, &event, "models", NULL);
  take_all (&self);
  const TtiBoardProgress *progress = g_ptr_array_index (tti_board_get_progresses (self.board), 0);

  g_assert_cmpstr (progress->name, ==, "models");
  g_assert_cmpint (tti_board_progress_left (progress, self.time), ==, 150 * SECOND);
  g_assert_cmpint (tti_board_progress_left (progress, self.time + 20 * SECOND), ==, 130 * SECOND);
  event.is_over = 1;
  put (&self, TTI_EVENT_PROGRESS, &event, "models", NULL);
  for (event.progress = 8; event.progress < 500; event.progress++)
    {
      event.is_over = event.progress % 2;
      put (&self, TTI_EVENT_PROGRESS, &event, "others", NULL);
    }
  take_all (&self);
  g_assert_cmpuint (tti_board_get_progresses (self.board)->len, ==, TTI_BOARD_MOST_PROGRESSES);
  fixture_clear (&self);
}

/* --- bounds ------------------------------------------------------------------------------------------------------------------ */

/* Long texts are cut between characters, and lists end. */
static void
test_bounds (void)
{
  Fixture self;
  TtiLookTold told = { 0 };
  g_autoptr (GString) text = g_string_new ("a");

  fixture_init (&self);
  while (text->len < 10000)
    g_string_append (text, "ü");
  for (guint i = 0; i < 300; i++)
    {
      put_ended (&self, 100 + i, TTI_LOOK_FAILED, text->str);
      put (&self, TTI_EVENT_TOLD, &told, text->str, NULL);
      take_all (&self);
    }
  g_assert_cmpuint (tti_board_get_n_failures (self.board), ==, TTI_BOARD_MOST_FAILURES);
  g_assert_cmpuint (tti_board_count_failures (self.board), ==, 300);
  g_assert_cmpuint (tti_board_get_failure (self.board, 0)->task, ==, 399);
  g_assert_cmpuint (tti_board_get_failure (self.board, 99)->task, ==, 300);
  g_assert_cmpuint (tti_board_get_n_lines (self.board, TTI_BOARD_TOLD), ==, TTI_BOARD_MOST_LINES);
  const char *kept = tti_board_get_line (self.board, TTI_BOARD_TOLD, 0)->text;

  g_assert_cmpuint (strlen (kept), <=, TTI_BOARD_MOST_TEXT);
  g_assert_true (g_utf8_validate (kept, -1, NULL));
  fixture_clear (&self);
}

/* Events of what cannot be, of workers and pools that nobody has told of, do no harm. */
static void
test_unknown (void)
{
  Fixture self;

  fixture_init (&self);
  put_started (&self, 100, 0);
  put_ended (&self, 100, TTI_LOOK_DONE, NULL);
  put_submitted (&self, 100, 3);
  put_worker (&self, 1, 7, 7, TTI_WORKER_BUSY);
  put_snapshot (&self, FALSE, 5);
  assert_counts (&self, 0, 0, 0, 0);
  g_assert_false (tti_board_is_complete (self.board));
  put_pool_of_two (&self);
  put_started (&self, 200, 4000000);
  put_worker (&self, 1, 4000000, 7, TTI_WORKER_BUSY);
  put_started (&self, 201, 1);
  put_started (&self, 201, 0); /* twice, by another */
  assert_counts (&self, 0, 0, 1, 0);
  g_assert_cmpuint (worker_of (&self, 1)->tasks.length, ==, 0);
  fixture_clear (&self);
}

/* A million tasks: nothing of them is kept, and each costs little. */
static void
test_million (void)
{
  Fixture self;
  gint64 began = g_get_monotonic_time ();

  fixture_init (&self);
  put_pool_of_two (&self);
  for (guint64 task = 100; task < 1000100; task++)
    {
      put_submitted (&self, task, 0);
      put_started (&self, task, (guint) (task % 2));
      put_ended (&self, task, TTI_LOOK_DONE, NULL);
      if (task % 1000 == 0)
        take_all (&self);
    }
  assert_counts (&self, 0, 0, 0, 1000000);
  g_test_message ("10^6 tasks: %.2f s", (double) (g_get_monotonic_time () - began) / SECOND);
  g_assert_cmpint (g_get_monotonic_time () - began, <, 60 * SECOND);
  g_assert_null (tti_board_find_task (self.board, 1000099));
  fixture_clear (&self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/board/tasks", test_tasks);
  g_test_add_func ("/board/death", test_death);
  g_test_add_func ("/board/old-failures", test_old_failures);
  g_test_add_func ("/board/snapshot", test_snapshot);
  g_test_add_func ("/board/dropped", test_dropped);
  g_test_add_func ("/board/answer", test_answer);
  g_test_add_func ("/board/pools", test_pools);
  g_test_add_func ("/board/rate", test_rate);
  g_test_add_func ("/board/progress", test_progress);
  g_test_add_func ("/board/bounds", test_bounds);
  g_test_add_func ("/board/unknown", test_unknown);
  g_test_add_func ("/board/million", test_million);
  return g_test_run ();
}
