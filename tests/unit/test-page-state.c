/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the page tells of an engine: whole, and what has changed. */
#include "page/json.h"
#include "page/state.h"
#include "page-fixture.h"

typedef struct
{
  PageFixture base;
  TtiPlots *plots;
  TtiPageState *state;
} Fixture;

static void
fixture_init (Fixture *self)
{
  page_fixture_init (&self->base);
  self->plots = tti_plots_new ();
  self->state = tti_page_state_new (77, 5 * G_USEC_PER_SEC);
}

static void
fixture_clear (Fixture *self)
{
  tti_page_state_free (self->state);
  tti_plots_free (self->plots);
  page_fixture_clear (&self->base);
}

static gboolean
update (Fixture *self)
{
  return tti_page_state_update (self->state, self->base.board, self->plots, TTI_PAGE_RUNNING, self->base.time);
}

#define assert_has(text, part) g_assert_nonnull (strstr (text, part))
#define assert_lacks(text, part) g_assert_null (strstr (text, part))

static void
test_json (void)
{
  g_autoptr (GString) json = g_string_new ("{");

  tti_json_add_text (json, "a", "\"\\\n\t\x01\x7f</script>\xe2\x82\xac");
  tti_json_add_text (json, "b", "cut \xe2\x82");
  tti_json_add_number (json, "c", G_GUINT64_CONSTANT (9007199254740991));
  tti_json_add_time (json, "d", 1234567);
  tti_json_add_time (json, "e", 0);
  tti_json_add_double (json, "f", 0.5);
  tti_json_add_double (json, "g", -1);
  tti_json_add_double (json, "h", 1 / 0.0);
  tti_json_add_true (json, "i");
  g_string_append_c (json, '}');
  g_assert_cmpstr (json->str, ==, "{\"a\":\"\\\"\\\\\\u000a\\u0009\\u0001\\u007f</script>\xe2\x82\xac\","
                                  "\"b\":\"cut \xef\xbf\xbd\xef\xbf\xbd\","
                                  "\"c\":9007199254740991,\"d\":1234,\"e\":null,\"f\":0.5,\"g\":null,\"h\":null,\"i\":true}");
}

static void
test_whole (void)
{
  Fixture self;

  fixture_init (&self);
  page_note (&self.base, "script", "a \"study\".scm");
  page_pool (&self.base, 3, 2, 10, 4);
  page_worker (&self.base, 3, 0);
  page_worker (&self.base, 3, 1);
  g_assert_true (update (&self));
  g_autofree char *whole = tti_page_state_since (self.state, 0);

  assert_has (whole, "\"whole\":true");
  assert_has (whole, "\"script\":\"a \\\"study\\\".scm\"");
  assert_has (whole, "\"pid\":77,\"began\":5000,\"state\":\"running\"");
  assert_has (whole, "\"submitted\":10,\"ended\":4");
  assert_has (whole, "\"3.0\":{\"pool\":3,\"index\":0,");
  assert_has (whole, "\"3.1\":{");
  assert_has (whole, "\"state\":\"idle\"");
  assert_lacks (whole, "\n");
  fixture_clear (&self);
}

/* Only what has changed is told, and to each what is new to it. */
static void
test_changes (void)
{
  Fixture self;
  TtiLookStarted started = { .task = 9, .pool = 3, .generation = 3002, .worker = 1, .attempt = 1 };

  fixture_init (&self);
  page_pool (&self.base, 3, 2, 0, 0);
  page_worker (&self.base, 3, 0);
  page_worker (&self.base, 3, 1);
  update (&self);
  guint64 first = tti_page_state_version (self.state);

  g_assert_false (update (&self));
  g_assert_cmpuint (tti_page_state_version (self.state), ==, first);
  started.started = self.base.time;
  page_take (&self.base, TTI_EVENT_STARTED, &started, NULL, NULL);
  g_assert_true (update (&self));
  guint64 second = tti_page_state_version (self.state);
  g_autofree char *change = tti_page_state_since (self.state, first);

  assert_has (change, "\"3.1\":{");
  assert_has (change, "\"state\":\"busy\"");
  assert_lacks (change, "\"3.0\":{");
  assert_lacks (change, "\"whole\"");
  assert_lacks (change, "\"run\"");
  assert_lacks (change, "\"plots\"");
  g_autofree char *nothing = tti_page_state_since (self.state, second);

  assert_lacks (nothing, "\"workers\"");
  assert_lacks (nothing, "\"counts\"");
  fixture_clear (&self);
}

static void
test_workers_go (void)
{
  Fixture self;

  fixture_init (&self);
  page_pool (&self.base, 3, 2, 0, 0);
  page_worker (&self.base, 3, 0);
  page_worker (&self.base, 3, 1);
  update (&self);
  guint64 before = tti_page_state_version (self.state);
  TtiLookPool closed = { .pool = 3, .state = TTI_LOOK_POOL_CLOSED };

  page_take (&self.base, TTI_EVENT_POOL, &closed, "pool", NULL);
  g_assert_true (update (&self));
  g_autofree char *change = tti_page_state_since (self.state, before);

  assert_has (change, "\"workers\":{},\"all_workers\":true");
  fixture_clear (&self);
}

static guint
count (const char *text, const char *part)
{
  guint n = 0;

  for (const char *at = strstr (text, part); at != NULL; at = strstr (at + 1, part))
    n++;
  return n;
}

/* Lists have what is new, once; and no more than their bounds, however much has happened. */
static void
test_lists (void)
{
  Fixture self;
  TtiLookTold told = { 0 };

  fixture_init (&self);
  page_take (&self.base, TTI_EVENT_TOLD, &told, "one", NULL);
  update (&self);
  guint64 first = tti_page_state_version (self.state);

  page_take (&self.base, TTI_EVENT_TOLD, &told, "two", NULL);
  page_take (&self.base, TTI_EVENT_TOLD, &told, "three", NULL);
  update (&self);
  g_autofree char *change = tti_page_state_since (self.state, first);

  assert_lacks (change, "\"one\"");
  g_assert_cmpuint (count (change, "\"text\":"), ==, 2);
  g_assert_true (strstr (change, "\"two\"") < strstr (change, "\"three\""));
  for (guint i = 0; i < 10000; i++)
    {
      page_take (&self.base, TTI_EVENT_TOLD, &told, "more", NULL);
      if (i % 7 == 0)
        update (&self);
    }
  update (&self);
  g_autofree char *whole = tti_page_state_since (self.state, 0);

  g_assert_cmpuint (count (whole, "\"more\""), ==, TTI_BOARD_MOST_LINES);
  fixture_clear (&self);
}

static void
test_failures (void)
{
  Fixture self;
  TtiLookDied died = { .pool = 1, .reason = TUTTI_DEATH_SIGNAL, .signal = 9 };
  TtiLookEnded ended = { .task = 5, .pool = 1, .end = TTI_LOOK_RAISED, .attempts = 2, .worker = 3 };

  fixture_init (&self);
  page_take (&self.base, TTI_EVENT_DIED, &died, "killed", "last <b>words</b>\n");
  page_take (&self.base, TTI_EVENT_ENDED, &ended, "it is wrong", "f");
  update (&self);
  g_autofree char *whole = tti_page_state_since (self.state, 0);

  g_assert_cmpuint (count (whole, "\"how\":"), ==, 2);
  assert_has (whole, "\"how\":\"worker died\"");
  assert_has (whole, "\"tail\":\"last <b>words</b>\\u000a\"");
  assert_has (whole, "\"how\":\"raised\",\"task\":5,\"worker\":3,\"attempts\":2,\"name\":\"f\",\"text\":\"it is wrong\"");
  fixture_clear (&self);
}

static void
test_series (void)
{
  Fixture self;

  fixture_init (&self);
  page_pool (&self.base, 1, 1, 5, 5);
  page_worker (&self.base, 1, 0);
  for (guint i = 0; i < 2 * TTI_PAGE_MOST_SAMPLES; i++)
    {
      tti_page_state_sample (self.state, self.base.board, self.base.time + i * (gint64) G_USEC_PER_SEC);
      g_assert_true (update (&self));
    }
  g_autofree char *last = tti_page_state_since (self.state, tti_page_state_version (self.state) - 1);
  g_autofree char *whole = tti_page_state_since (self.state, 0);

  g_assert_cmpuint (count (last, ",5,5000,0]"), ==, 1);
  g_assert_cmpuint (count (whole, ",5,5000,0]"), ==, TTI_PAGE_MOST_SAMPLES);
  fixture_clear (&self);
}

/* A million tasks need no more room than ten. */
static void
test_many_tasks (void)
{
  Fixture self;
  gsize sizes[2];

  fixture_init (&self);
  page_pool (&self.base, 1, 1, 0, 0);
  page_worker (&self.base, 1, 0);
  for (guint64 task = 1, k = 0; k < 2; k++)
    {
      for (guint64 end = k == 0 ? 10 : 100000; task <= end; task++)
        {
          TtiLookSubmitted submitted = { .task = task, .pool = 1, .place = -1 };
          TtiLookStarted started = { .task = task, .pool = 1, .generation = 1001, .started = self.base.time, .attempt = 1 };
          TtiLookEnded ended = { .task = task, .pool = 1, .end = TTI_LOOK_DONE, .attempts = 1 };

          page_take (&self.base, TTI_EVENT_SUBMITTED, &submitted, "f", NULL);
          page_take (&self.base, TTI_EVENT_STARTED, &started, NULL, NULL);
          page_take (&self.base, TTI_EVENT_ENDED, &ended, NULL, "f");
        }
      update (&self);
      g_autofree char *whole = tti_page_state_since (self.state, 0);

      sizes[k] = strlen (whole);
    }
  g_assert_cmpuint (sizes[1], <, sizes[0] + 100);
  fixture_clear (&self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/page/json", test_json);
  g_test_add_func ("/page/state/whole", test_whole);
  g_test_add_func ("/page/state/changes", test_changes);
  g_test_add_func ("/page/state/workers-go", test_workers_go);
  g_test_add_func ("/page/state/lists", test_lists);
  g_test_add_func ("/page/state/failures", test_failures);
  g_test_add_func ("/page/state/series", test_series);
  g_test_add_func ("/page/state/many-tasks", test_many_tasks);
  return g_test_run ();
}
