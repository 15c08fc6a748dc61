/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decides which thread polls the mailboxes.
 *
 * A worker that wakes a thread pays for a system call, and the processor for a switch of threads. So while a thread submits tasks or is
 * busy-waiting for answers, it polls the mailboxes itself, and no worker wakes anybody: the engine is *attended*. The engine's own thread
 * then polls only once a millisecond, in case the other thread has turned to something else; if it has, the engine's thread parks all
 * mailboxes, and from then on every answer wakes it at once. A thread that goes to sleep for an answer parks them first. */
#include "pool/engine-private.h"
#include "platform/processors.h"
#include "platform/spin.h"

enum { ATTENDANCE_US = 1000, PARK_TRIES = 3 };
enum { MOST_PAUSE_US = 200 };

/* Take the answers out of all mailboxes; ALL: also out of those of workers that have nothing to do. TRUE: there were some. */
static gboolean
engine_poll_mailboxes_locked (TtiEngine *engine, gboolean all)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  gboolean taken = FALSE;

  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      taken = client->ops->poll (client, all) || taken;
    }
  return taken;
}

/* Park all mailboxes, or unpark them. FALSE: there is something in one of them. */
static gboolean
engine_park_locked (TtiEngine *engine, gboolean park)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  gboolean parked = TRUE;

  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      parked = client->ops->park (client, park) && parked;
    }
  return parked;
}

void
tti_engine_park_again_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  /* What wakes the engine's thread is a packet on the worker's socket. Whoever takes it in its place has taken its wake-up, too: it may
   * not even see that there was one, and then nobody would park the mailbox again. */
  if (!engine->attended && !engine_park_locked (engine, TRUE))
    g_main_context_wakeup (engine->context);
}

void
tti_engine_take_answers_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine_poll_mailboxes_locked (engine, FALSE))
    tti_engine_park_again_locked (engine);
}

/* --- in the engine's thread ---------------------------------------------------------------------------------------------- */
static gboolean
polling_prepare (GSource *source, gint *timeout)
{
  TtiEngine *engine = ((TtiEngineSource *) source)->engine;

  *timeout = -1;
  tti_engine_lock (engine);
  gboolean filled = !engine->attended && !engine_park_locked (engine, TRUE);
  tti_engine_unlock (engine);
  return filled;
}

static gboolean
polling_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TtiEngine *engine = ((TtiEngineSource *) source)->engine;

  (void) callback;
  (void) data;
  tti_engine_lock (engine);
  (void) engine_poll_mailboxes_locked (engine, TRUE);
  if (g_source_get_ready_time (source) >= 0)
    {
      engine->attended = engine->attended && engine->attendance > 0;
      engine->attendance = 0;
      g_source_set_ready_time (source, engine->attended ? g_get_monotonic_time () + ATTENDANCE_US : -1);
    }
  tti_engine_relieve_locked (engine);
  tti_engine_end_turn (engine);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs polling_funcs = { .prepare = polling_prepare, .dispatch = polling_dispatch };

void
tti_engine_start_polling (TtiEngine *engine)
{
  engine->polling = tti_engine_add_source (engine, &polling_funcs, sizeof (TtiEngineSource), "[tutti] polling");
}

/* --- in others' threads -------------------------------------------------------------------------------------------------- */
void
tti_engine_attend_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  engine->attendance++;
  if (engine->attended || engine->n_asleep > 0)
    return;
  engine->attended = TRUE;
  (void) engine_park_locked (engine, FALSE);
  /* To set the clock wakes the engine's thread: not for each of many short waits. */
  if (g_source_get_ready_time (engine->polling) < 0)
    g_source_set_ready_time (engine->polling, g_get_monotonic_time () + ATTENDANCE_US);
}

/* From now on answers wake the engine's thread. */
static void
engine_leave_to_thread_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  engine->attended = FALSE;
  for (guint n = 0; n < PARK_TRIES; n++)
    {
      if (engine_park_locked (engine, TRUE))
        break;
      (void) engine_poll_mailboxes_locked (engine, TRUE);
      /* A worker sends without end. The engine's thread goes on taking it, turn by turn. */
      if (n == PARK_TRIES - 1)
        g_main_context_wakeup (engine->context);
    }
  tti_engine_set_timer_locked (engine);
}

void
tti_engine_leave_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine->attended)
    engine_leave_to_thread_locked (engine);
}

void
tti_engine_fall_asleep_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  engine->n_asleep++;
  engine_leave_to_thread_locked (engine);
}

void
tti_engine_wake_up_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  g_assert (engine->n_asleep > 0);
  engine->n_asleep--;
}

/* Has a task ended since? */
typedef struct
{
  TtiEngine *engine;
  guint64 n_ended;
} Poll;

static gboolean
poll_once (gpointer data)
{
  Poll *self = data;
  TtiEngine *engine = self->engine;

  tti_engine_lock (engine);
  tti_engine_take_answers_locked (engine);
  tti_engine_relieve_locked (engine);
  gboolean ended = engine->n_ended != self->n_ended;
  tti_engine_unlock (engine);
  return ended;
}

/* How long to leave the processors to the workers before the next look, which takes them something. The longer, the more answers there are
 * at once; but no worker should run out of work meanwhile. */
static gint64
poll_pause (gpointer data)
{
  Poll *self = data;
  TtiEngine *engine = self->engine;
  gint64 now = g_get_monotonic_time ();
  double least = 2 * MOST_PAUSE_US;

  tti_engine_lock (engine);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      least = MIN (least, client->ops->get_work_ahead (client, now));
    }
  tti_engine_unlock (engine);
  return (gint64) (least / 2);
}

guint64
tti_engine_get_n_ended (TtiEngine *engine)
{
  tti_engine_lock (engine);
  guint64 n = engine->n_ended;
  tti_engine_unlock (engine);
  return n;
}

gboolean
tti_engine_poll (TtiEngine *engine, guint64 n_ended, gint64 most)
{
  static __thread TtiSpin spin;
  Poll self = { engine, n_ended };

  if (tti_engine_is_copy (NULL))
    return FALSE;
  tti_engine_lock (engine);
  tti_engine_attend_locked (engine);
  tti_engine_take_answers_locked (engine);
  gboolean ended = engine->n_ended != n_ended;
  tti_engine_unlock (engine);
  if (ended)
    return TRUE;
  /* Where the workers need all processors, leave them to the workers. */
  return tti_worker_count_busy () < tti_processors () ? tti_spin_until (&spin, poll_once, &self, most)
                                                      : tti_nap_until (poll_once, poll_pause, &self, most);
}
