/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values: making, reading, comparing and printing them, and their way to a worker and back. */
#include "embedding-test.h"
#include <math.h>

/* VALUE comes back from a worker as it was. Drops it. */
static TuttiValue *
round_trip (TuttiPool *pool, TuttiValue *value)
{
  TuttiValue *back = CALL (pool, "echo", tutti_value_ref (value), NULL);

  g_assert_true (tutti_value_equal (value, back));
  g_assert_true (tutti_value_equal (back, value));
  g_assert_cmpint (tutti_value_get_value_type (value), ==, tutti_value_get_value_type (back));
  g_autofree char *one = tutti_value_print (value), *other = tutti_value_print (back);
  g_assert_cmpstr (one, ==, other);
  tutti_value_unref (value);
  return back;
}

/* The same, which prints as EXPECTED. */
static void
check (TuttiPool *pool, TuttiValue *value, const char *expected)
{
  g_autoptr (TuttiValue) back = round_trip (pool, value);
  g_autofree char *text = tutti_value_print (back);

  if (expected != NULL)
    g_assert_cmpstr (text, ==, expected);
}

static guint64
bits (double x)
{
  guint64 result;

  memcpy (&result, &x, sizeof result);
  return result;
}

static double
from_bits (guint64 number)
{
  double result;

  memcpy (&result, &number, sizeof result);
  return result;
}

static void
test_numbers (void)
{
  TuttiPool *pool = pool_new (1);
  const gint64 integers[] = { 0, 1, -1, G_MAXINT32, G_MININT32, G_MAXINT64, G_MININT64, G_GINT64_CONSTANT (1) << 62 };
  const guint64 reals[] = { 0, G_GUINT64_CONSTANT (1) << 63, 1, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
                            0xfff8000000000000, 0x7ff8deadbeef0001, 0x7ff0000000000001, 0x3ff0000000000000 };

  for (guint i = 0; i < G_N_ELEMENTS (integers); i++)
    {
      g_autoptr (TuttiValue) back = round_trip (pool, tutti_value_new_integer (integers[i]));

      g_assert_cmpint (tutti_value_get_integer (back), ==, integers[i]);
      g_assert_cmpfloat (tutti_value_get_real (back), ==, (double) integers[i]);
      g_assert_cmpfloat (tutti_value_get_imaginary (back), ==, 0);
    }
  for (guint i = 0; i < G_N_ELEMENTS (reals); i++)
    {
      g_autoptr (TuttiValue) back = round_trip (pool, tutti_value_new_real (from_bits (reals[i])));
      g_autoptr (TuttiValue) complex = round_trip (pool, tutti_value_new_complex (from_bits (reals[i]), from_bits (reals[i] ^ 1)));

      g_assert_cmphex (bits (tutti_value_get_real (back)), ==, reals[i]);
      g_assert_cmphex (bits (tutti_value_get_real (complex)), ==, reals[i]);
      g_assert_cmphex (bits (tutti_value_get_imaginary (complex)), ==, reals[i] ^ 1);
    }
  check (pool, tutti_value_new_boolean (7), "true");
  check (pool, tutti_value_new_boolean (FALSE), "false");
  check (pool, tutti_value_new_null (), "null");
  check (pool, tutti_value_new_integer (-42), "-42");
  check (pool, tutti_value_new_real (2), "2.0");
  check (pool, tutti_value_new_real (-0.0), "-0.0");
  check (pool, tutti_value_new_real (1e300), "1e+300");
  check (pool, tutti_value_new_real (INFINITY), "inf");
  check (pool, tutti_value_new_complex (1, -0.5), "1.0-0.5i");
  check (pool, tutti_value_new_complex (1, -0.0), "1.0-0.0i");
  check (pool, tutti_value_new_complex (-1, 2), "-1.0+2.0i");
  pool_end (pool);
}

static void
test_text (void)
{
  TuttiPool *pool = pool_new (1);
  g_autofree char *large = g_strnfill (3000000, 'x');
  g_autoptr (TuttiValue) invalid = tutti_value_new_text ("a\xff\xfe" "b"), back = round_trip (pool, tutti_value_ref (invalid));

  g_assert_cmpstr (tutti_value_get_text (back), ==, "a\xef\xbf\xbd\xef\xbf\xbd" "b");
  check (pool, tutti_value_new_text (""), "\"\"");
  check (pool, tutti_value_new_text ("grüße → 𝄞"), "\"grüße → 𝄞\"");
  check (pool, tutti_value_new_text ("a \"b\" \\ c\nd\te\x01"), "\"a \\\"b\\\" \\\\ c\\nd\\te\\x01;\"");
  check (pool, tutti_value_new_text (large), NULL);
  check (pool, tutti_value_new_symbol ("some-name"), "some-name");
  check (pool, tutti_value_new_symbol (""), "");
  g_autoptr (TuttiValue) text = tutti_value_new_text ("a"), symbol = tutti_value_new_symbol ("a");
  g_assert_false (tutti_value_equal (text, symbol));
  pool_end (pool);
}

static void
test_lists_and_tables (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (TuttiValue) key = tutti_value_new_list_take (tutti_value_new_integer (1), NULL), one = tutti_value_new_integer (1);
  g_autoptr (TuttiValue) table = round_trip (
    pool, tutti_value_new_table_take ("rate", tutti_value_new_real (0.5), "names",
                                      tutti_value_new_list_take (tutti_value_new_text ("a"), tutti_value_new_symbol ("b"), NULL), NULL));

  check (pool, tutti_value_new_list (NULL, 0), "()");
  check (pool, tutti_value_new_list_take (NULL, NULL), "()");
  check (pool, tutti_value_new_table (NULL, NULL, 0), "{}");
  check (pool, tutti_value_new_table_take (NULL, NULL), "{}");
  check (pool, tutti_value_new_table (&key, &one, 1), "{(1): 1}");
  g_autofree char *text = tutti_value_print (table);
  g_assert_cmpstr (text, ==, "{\"rate\": 0.5, \"names\": (\"a\" b)}");
  g_assert_cmpuint (tutti_value_get_n_items (table), ==, 2);
  g_autoptr (TuttiValue) rate = tutti_value_lookup (table, "rate"), none = tutti_value_lookup (table, "rat");
  g_autoptr (TuttiValue) names = tutti_value_get_item (table, 1), second = tutti_value_get_key (table, 1);
  assert_real (rate, 0.5);
  g_assert_null (none);
  g_assert_cmpstr (tutti_value_get_text (second), ==, "names");
  g_assert_cmpuint (tutti_value_get_n_items (names), ==, 2);
  g_autoptr (TuttiValue) b = tutti_value_get_item (names, 1);
  g_assert_cmpint (tutti_value_get_value_type (b), ==, TUTTI_VALUE_SYMBOL);
  /* Symbols are keys as well. */
  g_autoptr (TuttiValue) symbols = tutti_value_new_table (&b, &one, 1), found = tutti_value_lookup (symbols, "b");
  g_assert_true (found == one);
  g_autoptr (TuttiValue) mixed = round_trip (
    pool, tutti_value_new_list_take (tutti_value_new_null (), tutti_value_new_boolean (TRUE), tutti_value_new_list (NULL, 0),
                                     tutti_value_new_table (NULL, NULL, 0), tutti_value_new_complex (1, 2), NULL));
  g_autofree char *shown = tutti_value_print (mixed);
  g_assert_cmpstr (shown, ==, "(null true () {} 1.0+2.0i)");
  pool_end (pool);
}

static void
test_long_lists (void)
{
  TuttiPool *pool = pool_new (1);
  const guint n = 100000;
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);

  for (guint kind = 0; kind < 3; kind++)
    {
      g_ptr_array_set_size (items, 0);
      for (guint i = 0; i < n; i++)
        g_ptr_array_add (items, kind == 0 || (kind == 2 && i % 2 == 0) ? tutti_value_new_integer (i) : tutti_value_new_real (i));
      g_autoptr (TuttiValue) back = round_trip (pool, tutti_value_new_list ((TuttiValue *const *) items->pdata, n));
      g_assert_cmpuint (tutti_value_get_n_items (back), ==, n);
      g_autoptr (TuttiValue) last = tutti_value_get_item (back, n - 1);
      g_assert_true (tutti_value_equal (last, items->pdata[n - 1]));
    }
  pool_end (pool);
}

static void
test_deep (void)
{
  TuttiPool *pool = pool_new (1);
  TuttiValue *deep = tutti_value_new_list (NULL, 0), *table = tutti_value_new_null ();

  for (guint i = 0; i < 1000000; i++)
    deep = tutti_value_new_list_take (deep, NULL);
  for (guint i = 0; i < 100000; i++)
    table = tutti_value_new_table_take ("t", table, NULL);
  g_autofree char *text = tutti_value_print (deep);
  g_assert_cmpuint (strlen (text), <, 100);
  check (pool, deep, NULL);
  check (pool, table, NULL);
  pool_end (pool);
}

/* A value that came is passed on as it is: alone, and inside others. */
static void
test_passed_on (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (TuttiValue) value = CALL (pool, "who", NULL);
  g_autoptr (TuttiValue) around = tutti_value_new_list (&value, 1), back = round_trip (pool, tutti_value_ref (around));
  g_autoptr (TuttiValue) inside = tutti_value_get_item (back, 0);

  g_assert_true (tutti_value_equal (inside, value));
  pool_end (pool);
}

static void
test_expect (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) integer = tutti_value_new_integer (1), text = tutti_value_new_text ("a"), symbol = tutti_value_new_symbol ("a");
  g_autoptr (TuttiValue) complex = tutti_value_new_complex (1, 2);

  g_assert_true (tutti_value_expect (integer, TUTTI_VALUE_REAL, "it", &error));
  g_assert_true (tutti_value_expect (integer, TUTTI_VALUE_COMPLEX, "it", &error));
  g_assert_true (tutti_value_expect (symbol, TUTTI_VALUE_TEXT, "it", &error));
  g_assert_no_error (error);
  g_assert_false (tutti_value_expect (text, TUTTI_VALUE_SYMBOL, "the name", &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_cmpstr (error->message, ==, "the name is a text, expected a symbol");
  g_clear_error (&error);
  g_assert_false (tutti_value_expect (complex, TUTTI_VALUE_REAL, "the rate", &error));
  g_assert_cmpstr (error->message, ==, "the rate is a complex number, expected a real number");
  for (guint i = 0; i <= TUTTI_VALUE_OTHER; i++)
    g_assert_nonnull (tutti_value_type_name ((TuttiValueType) i));
}

typedef struct
{
  TuttiPool *pool;
  TuttiValue *shared;
} Thread;

static gpointer
use_values (gpointer data)
{
  const Thread *thread = data;

  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (TuttiValue) name = tutti_value_lookup (thread->shared, "name");
      g_autoptr (TuttiValue) copy = tutti_value_ref (thread->shared);

      g_assert_cmpstr (tutti_value_get_text (name), ==, "shared by all");
      g_autoptr (TuttiValue) back = CALL (thread->pool, "echo", tutti_value_ref (thread->shared), NULL);
      g_assert_true (tutti_value_equal (back, copy));
    }
  return NULL;
}

static void
test_threads (void)
{
  Thread thread = { .pool = pool_new (3) };
  GThread *threads[6];

  /* One that came has its text in its payload, and gets a copy of it for C when it is asked for first. */
  thread.shared = round_trip (thread.pool, tutti_value_new_table_take ("name", tutti_value_new_text ("shared by all"), "n",
                                                                       tutti_value_new_integer (7), NULL));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("user", use_values, &thread);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  tutti_value_unref (thread.shared);
  pool_end (thread.pool);
}

static void
test_boxed (void)
{
  g_autoptr (TuttiValue) value = tutti_value_new_integer (3);
  GValue holder = G_VALUE_INIT, copy = G_VALUE_INIT;

  g_value_init (&holder, TUTTI_TYPE_VALUE);
  g_value_init (&copy, TUTTI_TYPE_VALUE);
  g_value_set_boxed (&holder, value);
  g_value_copy (&holder, &copy);
  g_assert_true (g_value_get_boxed (&copy) == value);
  g_value_unset (&holder);
  g_value_unset (&copy);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/embedding/values/numbers", test_numbers);
  g_test_add_func ("/embedding/values/text", test_text);
  g_test_add_func ("/embedding/values/lists-and-tables", test_lists_and_tables);
  g_test_add_func ("/embedding/values/long-lists", test_long_lists);
  g_test_add_func ("/embedding/values/deep", test_deep);
  g_test_add_func ("/embedding/values/passed-on", test_passed_on);
  g_test_add_func ("/embedding/values/expect", test_expect);
  g_test_add_func ("/embedding/values/threads", test_threads);
  g_test_add_func ("/embedding/values/boxed", test_boxed);
  return g_test_run ();
}
