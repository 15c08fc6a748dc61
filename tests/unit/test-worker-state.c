/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The allowed sequences of events in the life of a worker. */
#include "process/worker-state.h"

static void
test_a_life (void)
{
  static const TtiWorkerEvent events[] = { TTI_WORKER_EVENT_SPAWNED, TTI_WORKER_EVENT_HELLO, TTI_WORKER_EVENT_TASK,
                                             TTI_WORKER_EVENT_DONE, TTI_WORKER_EVENT_END, TTI_WORKER_EVENT_EXITED };
  static const TtiWorkerState states[] = { TTI_WORKER_BOOTING, TTI_WORKER_IDLE, TTI_WORKER_BUSY,
                                             TTI_WORKER_IDLE, TTI_WORKER_ENDING, TTI_WORKER_DEAD };
  TtiWorkerState state = TTI_WORKER_SPAWNING;

  for (gsize i = 0; i < G_N_ELEMENTS (events); i++)
    {
      state = tti_worker_state_after (state, events[i]);
      g_assert_cmpint (state, ==, states[i]);
    }
}

static void
test_death_at_any_time (void)
{
  for (TtiWorkerState state = TTI_WORKER_SPAWNING; state < TTI_WORKER_DEAD; state++)
    {
      g_assert_cmpint (tti_worker_state_after (state, TTI_WORKER_EVENT_EXITED), ==, TTI_WORKER_DEAD);
      g_assert_cmpint (tti_worker_state_after (state, TTI_WORKER_EVENT_END), ==, TTI_WORKER_ENDING);
    }
}

static void
test_dead_is_final (void)
{
  for (TtiWorkerEvent event = 0; event < TTI_WORKER_N_EVENTS; event++)
    g_assert_cmpint (tti_worker_state_after (TTI_WORKER_DEAD, event), ==, TTI_WORKER_NONE);
}

static void
test_refusals (void)
{
  /* A second greeting, an answer without a task, a task for a worker that is not ready or is ending. */
  g_assert_cmpint (tti_worker_state_after (TTI_WORKER_IDLE, TTI_WORKER_EVENT_HELLO), ==, TTI_WORKER_NONE);
  g_assert_cmpint (tti_worker_state_after (TTI_WORKER_IDLE, TTI_WORKER_EVENT_DONE), ==, TTI_WORKER_NONE);
  g_assert_cmpint (tti_worker_state_after (TTI_WORKER_BOOTING, TTI_WORKER_EVENT_TASK), ==, TTI_WORKER_NONE);
  g_assert_cmpint (tti_worker_state_after (TTI_WORKER_ENDING, TTI_WORKER_EVENT_TASK), ==, TTI_WORKER_NONE);
}

static void
test_late_spawned (void)
{
  /* The greeting and the watcher's report travel on two sockets. */
  TtiWorkerState state = tti_worker_state_after (TTI_WORKER_SPAWNING, TTI_WORKER_EVENT_HELLO);

  g_assert_cmpint (state, ==, TTI_WORKER_IDLE);
  g_assert_cmpint (tti_worker_state_after (state, TTI_WORKER_EVENT_SPAWNED), ==, TTI_WORKER_IDLE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/worker-state/a-life", test_a_life);
  g_test_add_func ("/worker-state/death-at-any-time", test_death_at_any_time);
  g_test_add_func ("/worker-state/dead-is-final", test_dead_is_final);
  g_test_add_func ("/worker-state/refusals", test_refusals);
  g_test_add_func ("/worker-state/late-spawned", test_late_spawned);
  return g_test_run ();
}
