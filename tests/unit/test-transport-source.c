/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Waiting for a transport in a main loop, with each implementation: also where no descriptor shows what has come. */
#define WITH_BUFFERED_TRANSPORT
#include "transport-pair.h"

#define LIMIT_MS (60 * 1000)

/* A main loop that waits for a transport. */
typedef struct
{
  GMainContext *context;
  GSource *source;
  TtiLock lock;
  TtiTransport *transport;
  guint n_called, n_received;
  guint64 last;
  gboolean ended, late;
} Loop;

/* As a turn of an engine's does: flush, and receive what one turn takes, which is a message here. */
static gboolean
on_ready (gpointer data)
{
  Loop *loop = data;
  TtiMessage message;

  tti_lock_take (&loop->lock);
  loop->n_called++;
  (void) tti_transport_flush (loop->transport, NULL);
  switch (tti_transport_receive (loop->transport, &message, NULL))
    {
    case TTI_RECEIVED_MESSAGE:
      loop->n_received++;
      loop->last = message.id;
      tti_message_clear (&message);
      break;
    case TTI_RECEIVED_NOTHING:
      break;
    case TTI_RECEIVED_END:
    case TTI_RECEIVED_ERROR:
      loop->ended = TRUE;
      break;
    }
  tti_lock_release (&loop->lock);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_late (gpointer data)
{
  ((Loop *) data)->late = TRUE;
  return G_SOURCE_CONTINUE;
}

static void
loop_open (Loop *loop, TtiTransport *transport)
{
  *loop = (Loop){ .context = g_main_context_new (), .transport = transport };
  loop->source = tti_transport_create_source (transport, &loop->lock);
  g_source_set_callback (loop->source, on_ready, loop, NULL);
  g_source_attach (loop->source, loop->context);
}

static void
loop_close (Loop *loop)
{
  tti_lock_take (&loop->lock);
  g_source_destroy (loop->source);
  tti_lock_release (&loop->lock);
  g_source_unref (loop->source);
  g_main_context_unref (loop->context);
  tti_lock_clear (&loop->lock);
}

/* Run until MS have passed, or *COUNT has reached WANTED. Returns the number of turns. */
static guint
loop_run (Loop *loop, const guint *count, guint wanted, guint ms)
{
  GSource *clock = g_timeout_source_new (ms);
  guint n = 0;

  loop->late = FALSE;
  g_source_set_callback (clock, on_late, loop, NULL);
  g_source_attach (clock, loop->context);
  for (; !loop->late && !loop->ended && *count < wanted; n++)
    g_main_context_iteration (loop->context, TRUE);
  g_source_destroy (clock);
  g_source_unref (clock);
  return n;
}

static void
send_numbers (TtiTransport *end, guint from, guint to)
{
  g_autoptr (TtiPayload) payload = payload_of_text (20);

  for (guint i = from; i <= to; i++)
    send_message (end, &(TtiMessage) { .kind = TTI_MESSAGE_RESULT, .id = i, .payload = payload });
}

/* All that has come is received, though each turn takes one message, and what was read ahead no descriptor shows. */
static void
test_all_at_once (Pair *pair, gconstpointer data)
{
  Loop loop;

  (void) data;
  send_numbers (pair->worker, 1, 5);
  loop_open (&loop, pair->master);
  loop_run (&loop, &loop.n_received, 5, LIMIT_MS);
  g_assert_cmpuint (loop.last, ==, 5);
  send_numbers (pair->worker, 6, 100);
  loop_run (&loop, &loop.n_received, 100, LIMIT_MS);
  g_assert_cmpuint (loop.last, ==, 100);
  g_assert_cmpuint (loop.n_received, ==, 100);
  loop_close (&loop);
}

/* What was read before anybody waited is not forgotten. */
static void
test_read_before (Pair *pair, gconstpointer data)
{
  TtiMessage message;
  Loop loop;

  (void) data;
  send_numbers (pair->worker, 1, 3);
  receive_message (pair->master, NULL, &message);
  tti_message_clear (&message);
  loop_open (&loop, pair->master);
  loop_run (&loop, &loop.n_received, 2, LIMIT_MS);
  g_assert_cmpuint (loop.last, ==, 3);
  loop_close (&loop);
}

/* One message after the other, each answered before the next: the loop sleeps in between, and wakes up for each. */
static void
test_one_by_one (Pair *pair, gconstpointer data)
{
  Loop loop;

  (void) data;
  loop_open (&loop, pair->master);
  for (guint i = 1; i <= 200; i++)
    {
      send_numbers (pair->worker, i, i);
      loop_run (&loop, &loop.n_received, i, LIMIT_MS);
      g_assert_cmpuint (loop.last, ==, i);
    }
  loop_close (&loop);
}

/* With nothing to do it sleeps: each turn of a loop that does not is one of thousands. */
static void
test_idle (Pair *pair, gconstpointer data)
{
  const guint never = 0;
  Loop loop;

  (void) data;
  loop_open (&loop, pair->master);
  send_numbers (pair->worker, 1, 1);
  loop_run (&loop, &loop.n_received, 1, LIMIT_MS);
  g_assert_cmpuint (loop_run (&loop, &never, 1, 100), <, 10);
  g_assert_true (loop.late);
  g_assert_cmpuint (loop.n_received, ==, 1);
  loop_close (&loop);
}

/* What could not be sent at once goes when there is room, and then nobody waits for room any more. */
static void
test_queue (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiPayload) payload = payload_of_text (100000);
  const guint never = 0;
  Loop loop;
  guint n = 0;

  (void) data;
  loop_open (&loop, pair->master);
  while ((tti_transport_get_events (pair->master) & POLLOUT) == 0 || n < 100)
    send_message (pair->master, &(TtiMessage) { .kind = TTI_MESSAGE_TASK, .id = ++n, .payload = payload });
  for (guint i = 1; i <= n; i++)
    {
      TtiMessage message;

      while (tti_transport_receive (pair->worker, &message, NULL) == TTI_RECEIVED_NOTHING)
        {
          loop_run (&loop, &loop.n_called, loop.n_called + 1, LIMIT_MS);
          g_assert_false (loop.late);
        }
      g_assert_cmpuint (message.id, ==, i);
      tti_message_clear (&message);
    }
  g_assert_cmpint (tti_transport_get_events (pair->master), ==, POLLIN);
  g_assert_cmpuint (loop_run (&loop, &never, 1, 100), <, 10);
  loop_close (&loop);
}

static void
test_end (Pair *pair, gconstpointer data)
{
  const guint never = 0;
  Loop loop;

  (void) data;
  loop_open (&loop, pair->master);
  send_numbers (pair->worker, 1, 7);
  g_clear_pointer (&pair->worker, tti_transport_free);
  loop_run (&loop, &never, 1, LIMIT_MS);
  g_assert_true (loop.ended);
  g_assert_cmpuint (loop.n_received, ==, 7);
  loop_close (&loop);
}

static gpointer
run_thread (gpointer data)
{
  Loop *loop = data;

  loop_run (loop, &loop->n_received, 500, LIMIT_MS);
  return NULL;
}

/* One thread runs the loop, another sends over the same transport, under the lock: what is queued is seen by the loop. */
static void
test_two_threads (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiPayload) payload = payload_of_text (3000);
  Loop loop;

  (void) data;
  loop_open (&loop, pair->master);
  GThread *thread = g_thread_new ("runs the loop", run_thread, &loop);

  for (guint i = 1; i <= 500; i++)
    {
      TtiMessage message;
      gint64 limit = g_get_monotonic_time () + LIMIT_MS * G_TIME_SPAN_MILLISECOND;

      tti_lock_take (&loop.lock);
      send_message (pair->master, &(TtiMessage) { .kind = TTI_MESSAGE_TASK, .id = i, .payload = payload });
      tti_lock_release (&loop.lock);
      g_main_context_wakeup (loop.context);
      while (tti_transport_receive (pair->worker, &message, NULL) == TTI_RECEIVED_NOTHING)
        {
          g_assert_cmpint (g_get_monotonic_time (), <, limit);
          g_thread_yield ();
        }
      g_assert_cmpuint (message.id, ==, i);
      tti_message_clear (&message);
      send_numbers (pair->worker, i, i);
      while ((tti_transport_get_events (pair->worker) & POLLOUT) != 0)
        g_assert_true (tti_transport_flush (pair->worker, NULL));
    }
  g_thread_join (thread);
  g_assert_cmpuint (loop.n_received, ==, 500);
  loop_close (&loop);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_contract_test ("source/all-at-once", test_all_at_once);
  add_contract_test ("source/read-before", test_read_before);
  add_contract_test ("source/one-by-one", test_one_by_one);
  add_contract_test ("source/idle", test_idle);
  add_contract_test ("source/queue", test_queue);
  add_contract_test ("source/end", test_end);
  add_contract_test ("source/two-threads", test_two_threads);
  return g_test_run ();
}
