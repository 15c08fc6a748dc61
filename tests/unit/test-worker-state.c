/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The allowed sequences of events in the life of a worker. */
#include "process/worker-state.h"

static void
test_a_life (void)
{
  static const TuttiWorkerEvent events[] = { TUTTI_WORKER_EVENT_SPAWNED, TUTTI_WORKER_EVENT_HELLO, TUTTI_WORKER_EVENT_TASK,
                                             TUTTI_WORKER_EVENT_DONE, TUTTI_WORKER_EVENT_END, TUTTI_WORKER_EVENT_EXITED };
  static const TuttiWorkerState states[] = { TUTTI_WORKER_BOOTING, TUTTI_WORKER_IDLE, TUTTI_WORKER_BUSY,
                                             TUTTI_WORKER_IDLE, TUTTI_WORKER_ENDING, TUTTI_WORKER_DEAD };
  TuttiWorkerState state = TUTTI_WORKER_SPAWNING;

  for (gsize i = 0; i < G_N_ELEMENTS (events); i++)
    {
      state = tutti_worker_state_after (state, events[i]);
      g_assert_cmpint (state, ==, states[i]);
    }
}

static void
test_death_at_any_time (void)
{
  for (TuttiWorkerState state = TUTTI_WORKER_SPAWNING; state < TUTTI_WORKER_DEAD; state++)
    {
      g_assert_cmpint (tutti_worker_state_after (state, TUTTI_WORKER_EVENT_EXITED), ==, TUTTI_WORKER_DEAD);
      g_assert_cmpint (tutti_worker_state_after (state, TUTTI_WORKER_EVENT_END), ==, TUTTI_WORKER_ENDING);
    }
}

static void
test_dead_is_final (void)
{
  for (TuttiWorkerEvent event = 0; event < TUTTI_WORKER_N_EVENTS; event++)
    g_assert_cmpint (tutti_worker_state_after (TUTTI_WORKER_DEAD, event), ==, TUTTI_WORKER_NONE);
}

static void
test_refusals (void)
{
  /* A second greeting, an answer without a task, a task for a worker that is not ready or is ending. */
  g_assert_cmpint (tutti_worker_state_after (TUTTI_WORKER_IDLE, TUTTI_WORKER_EVENT_HELLO), ==, TUTTI_WORKER_NONE);
  g_assert_cmpint (tutti_worker_state_after (TUTTI_WORKER_IDLE, TUTTI_WORKER_EVENT_DONE), ==, TUTTI_WORKER_NONE);
  g_assert_cmpint (tutti_worker_state_after (TUTTI_WORKER_BOOTING, TUTTI_WORKER_EVENT_TASK), ==, TUTTI_WORKER_NONE);
  g_assert_cmpint (tutti_worker_state_after (TUTTI_WORKER_ENDING, TUTTI_WORKER_EVENT_TASK), ==, TUTTI_WORKER_NONE);
}

static void
test_late_spawned (void)
{
  /* The greeting and the watcher's report travel on two sockets. */
  TuttiWorkerState state = tutti_worker_state_after (TUTTI_WORKER_SPAWNING, TUTTI_WORKER_EVENT_HELLO);

  g_assert_cmpint (state, ==, TUTTI_WORKER_IDLE);
  g_assert_cmpint (tutti_worker_state_after (state, TUTTI_WORKER_EVENT_SPAWNED), ==, TUTTI_WORKER_IDLE);
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
