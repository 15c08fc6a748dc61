/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Waiting where all processors are in use: as long as was asked for, and the thread is scheduled as before afterwards. */
#include "platform/spin.h"
#include "platform/urgency.h"
#include <sys/prctl.h>

typedef struct
{
  guint looks, found_at; /* FOUND_AT 0: never */
  gint64 pause, pauses;  /* each, and their sum */
} Wait;

static gboolean
look (gpointer data)
{
  Wait *wait = data;

  return ++wait->looks == wait->found_at;
}

static gint64
pause_of (gpointer data)
{
  Wait *wait = data;

  wait->pauses += wait->pause;
  return wait->pause;
}

static void
test_found (void)
{
  Wait wait = { .found_at = 1, .pause = 30 };
  gint64 start = g_get_monotonic_time ();

  g_assert_true (tti_nap_until (look, pause_of, &wait, G_MAXINT64));
  g_assert_cmpint (wait.looks, ==, 1);
  g_assert_cmpint (wait.pauses, ==, 30);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 30);
}

/* It ends when it does not pay any more, or when the time is over, though the pause would be longer. */
static void
test_never (void)
{
  Wait wait = { .pause = 100 }, long_pause = { .pause = G_TIME_SPAN_DAY };
  gint64 start = g_get_monotonic_time ();

  g_assert_false (tti_nap_until (look, pause_of, &wait, G_MAXINT64));
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 400);
  g_assert_false (tti_nap_until (look, pause_of, &long_pause, 50));
  g_assert_cmpint (long_pause.looks, >=, 1);
}

/* It looks once in any case. */
static void
test_no_time (void)
{
  Wait found = { .found_at = 1, .pause = 100 }, never = { .pause = 100 };

  g_assert_true (tti_nap_until (look, pause_of, &found, 0));
  g_assert_false (tti_nap_until (look, pause_of, &never, -1));
  g_assert_cmpint (found.looks, ==, 1);
  g_assert_cmpint (never.looks, ==, 1);
}

static void
test_restored (void)
{
  Wait wait = { .found_at = 1, .pause = 40 };

  prctl (PR_SET_TIMERSLACK, 12345, 0, 0, 0);
  TtiScheduling before = tti_urgency_wake_soon ();

  tti_urgency_end (&before);
  g_assert_true (tti_nap_until (look, pause_of, &wait, G_MAXINT64));
  TtiScheduling after = tti_urgency_wake_soon ();

  tti_urgency_end (&after);
  g_assert_cmpmem (&before, sizeof before, &after, sizeof after);
  g_assert_cmpint (prctl (PR_GET_TIMERSLACK, 0, 0, 0, 0), ==, 12345);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/spin/nap/found", test_found);
  g_test_add_func ("/spin/nap/never", test_never);
  g_test_add_func ("/spin/nap/no-time", test_no_time);
  g_test_add_func ("/spin/nap/restored", test_restored);
  return g_test_run ();
}
