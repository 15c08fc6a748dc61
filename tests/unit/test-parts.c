/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Parts of a task: each is begun by the worker or withheld by the master, and never both. */
#include "transport/parts.h"

static void
test_one_after_another (void)
{
  TtiParts parts = { 0 };

  g_assert_cmpuint (tti_parts_get_begun (&parts, 7), ==, 0);
  g_assert_cmpuint (tti_parts_withhold (&parts, 7, 0), ==, 0);
  g_assert_false (tti_parts_next (&parts));
  tti_parts_begin (&parts, 7, 4);
  g_assert_cmpuint (tti_parts_get_begun (&parts, 7), ==, 1);
  g_assert_true (tti_parts_next (&parts));
  g_assert_cmpuint (tti_parts_get_begun (&parts, 7), ==, 2);
  /* More than there are. */
  g_assert_cmpuint (tti_parts_withhold (&parts, 7, 10), ==, 4);
  g_assert_cmpuint (tti_parts_withhold (&parts, 7, 1), ==, 3);
  g_assert_cmpuint (tti_parts_withhold (&parts, 7, 2), ==, 3);
  g_assert_true (tti_parts_next (&parts));
  g_assert_false (tti_parts_next (&parts));
  g_assert_cmpuint (tti_parts_withhold (&parts, 7, 0), ==, 3);
  tti_parts_end (&parts);
  g_assert_cmpuint (tti_parts_withhold (&parts, 7, 0), ==, 0);
}

static void
test_others (void)
{
  TtiParts parts = { 0 };

  tti_parts_begin (&parts, G_MAXUINT64, TTI_PARTS_MOST);
  g_assert_cmpuint (tti_parts_get_begun (&parts, G_MAXUINT64), ==, 1);
  g_assert_cmpuint (tti_parts_get_begun (&parts, G_MAXUINT64 - 1), ==, 0);
  g_assert_cmpuint (tti_parts_withhold (&parts, 0, 0), ==, 0);
  for (guint i = 1; i < TTI_PARTS_MOST; i++)
    g_assert_true (tti_parts_next (&parts));
  g_assert_false (tti_parts_next (&parts));
  g_assert_cmpuint (tti_parts_get_begun (&parts, G_MAXUINT64), ==, TTI_PARTS_MOST);
}

/* --- both at once -------------------------------------------------------------------------------------------------------- */
enum { ROUNDS = 20000, N = 30 };

typedef struct
{
  TtiParts parts;
  gint begun, settled; /* the round */
} Race;

static gpointer
race_run (gpointer data)
{
  Race *race = data;

  for (gint round = 1; round <= ROUNDS; round++)
    {
      tti_parts_begin (&race->parts, (guint64) round, N);
      g_atomic_int_set (&race->begun, round);
      while (tti_parts_next (&race->parts))
        ;
      while (g_atomic_int_get (&race->settled) != round)
        g_thread_yield ();
    }
  return NULL;
}

static void
test_race (void)
{
  Race race = { 0 };
  GThread *worker = g_thread_new ("worker", race_run, &race);
  guint n_withheld = 0;

  for (gint round = 1; round <= ROUNDS; round++)
    {
      while (g_atomic_int_get (&race.begun) != round)
        g_thread_yield ();
      guint limit = tti_parts_withhold (&race.parts, (guint64) round, (guint) round % 5);

      g_assert_cmpuint (limit, >=, 1);
      g_assert_cmpuint (limit, <=, N);
      n_withheld += limit < N;
      /* It goes on until then, and no further. */
      while (tti_parts_get_begun (&race.parts, (guint64) round) != limit)
        g_thread_yield ();
      g_assert_false (tti_parts_next (&race.parts));
      g_atomic_int_set (&race.settled, round);
    }
  g_thread_join (worker);
  g_test_message ("withheld in %u of %d rounds", n_withheld, ROUNDS);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/parts/one-after-another", test_one_after_another);
  g_test_add_func ("/parts/others", test_others);
  g_test_add_func ("/parts/race", test_race);
  return g_test_run ();
}
