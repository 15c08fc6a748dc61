/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* JSON from peers that nobody knows: what is JSON is read exactly, what is none is refused with its place, whatever bytes there are. */
#include "platform/error.h"
#include "umbridge/protocol.h"
#include <math.h>
#include <string.h>

static TtiJson *
read_good (const char *text)
{
  g_autoptr (GError) error = NULL;
  TtiJson *json = tti_json_read (text, strlen (text), &error);

  g_assert_no_error (error);
  g_assert_nonnull (json);
  return json;
}

/* TEXT, read and written. */
static void
assert_same (const char *text, const char *expected)
{
  g_autoptr (TtiJson) json = read_good (text);
  GString *out = g_string_new (NULL);

  tti_json_append (out, json);
  g_assert_cmpstr (out->str, ==, expected);
  g_string_free (out, TRUE);
}

static void
test_values (void)
{
  assert_same ("null", "null");
  assert_same (" [ true , false ]\n", "[true,false]");
  assert_same ("{}", "{}");
  assert_same ("[]", "[]");
  assert_same ("[[],[1],[2.5,3]]", "[[],[1],[2.5,3.0]]");
  assert_same ("{\"a\":{\"b\":[{},[]]},\"c\":\"\"}", "{\"a\":{\"b\":[{},[]]},\"c\":\"\"}");
  assert_same ("[1,2,\"x\",3]", "[1,2,\"x\",3]");
  assert_same ("[1,[2,null]]", "[1,[2,null]]");
  assert_same ("\"\\u00e4\\ud83d\\ude00\\n\\/\\\\\\\"\\u0001\"", "\"ä😀\\n/\\\\\\\"\\u0001\"");
}

static void
assert_number (const char *text, double expected)
{
  g_autoptr (TtiJson) json = read_good (text);

  g_assert_cmpint (json->kind, ==, TTI_JSON_NUMBER);
  g_assert_true (json->number == expected && signbit (json->number) == signbit (expected));
}

static void
test_numbers (void)
{
  assert_number ("0", 0);
  assert_number ("-0", -0.0);
  assert_number ("-0.0", -0.0);
  assert_number ("0.1", 0.1);
  assert_number ("1e-1", 0.1);
  assert_number ("123456789012345678901234567890", 123456789012345678901234567890.0);
  assert_number ("9007199254740993", 9007199254740992.0);
  assert_number ("0.30000000000000004", 0.1 + 0.2);
  assert_number ("1e-400", 0);
  assert_number ("4.9406564584124654e-324", 4.9406564584124654e-324);
  assert_number ("1.7976931348623157e+308", 1.7976931348623157e+308);
  assert_number ("0.000000000000000000000000000000000000000000000000000000000000000000000000000000000001e84", 1);
}

/* All bit patterns are read back as they were. */
static void
test_exact (void)
{
  GString *out = g_string_new (NULL);
  GRand *random = g_rand_new_with_seed (1);

  for (int i = 0; i < 200000; i++)
    {
      union
      {
        guint64 bits;
        double number;
      } value = { .bits = (guint64) g_rand_int (random) << 32 | g_rand_int (random) };

      if (i % 2 == 0)
        value.number = g_rand_double_range (random, -1000, 1000);
      if (!isfinite (value.number))
        continue;
      g_string_truncate (out, 0);
      tti_json_append_number (out, value.number);
      assert_number (out->str, value.number);
      g_assert_nonnull (strpbrk (out->str, ".e"));
    }
  g_string_free (out, TRUE);
  g_rand_free (random);
}

static void
assert_bad_bytes (const char *text, gsize length, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *copy = g_memdup2 (text, MAX (length, 1)); /* without a NUL behind it */
  TtiJson *json = tti_json_read (copy, length, &error);

  g_assert_null (json);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  if (strstr (error->message, expected) == NULL)
    g_error ("\"%s\" is not in \"%s\"", expected, error->message);
}

static void
assert_bad (const char *text, const char *expected)
{
  assert_bad_bytes (text, strlen (text), expected);
}

static void
test_bad (void)
{
  assert_bad ("", "line 1, column 1: expected a value, found the end");
  assert_bad ("[1,\n  nan]", "line 2, column 3: expected a value, found 'n'");
  assert_bad ("[NaN]", "column 2: expected a value (JSON has no NaN");
  assert_bad ("[1,Infinity]", "JSON has no NaN and no infinity");
  assert_bad ("-Infinity", "JSON has no NaN and no infinity");
  assert_bad ("1e400", "a number that a double can hold");
  assert_bad ("[1,]", "column 4: expected a value, found ']'");
  assert_bad ("[1 2]", "expected ',' or ']', found '2'");
  assert_bad ("[1", "expected ',' or ']', found the end");
  assert_bad ("{\"a\":{}", "expected ',' or '}', found the end");
  assert_bad ("{\"a\":[1,\"x\"]", "expected ',' or '}'");
  assert_bad ("{\"a\":1,\"a\":2}", "column 8: expected a name that this object does not have already");
  assert_bad ("{a:1}", "expected a string, found 'a'");
  assert_bad ("{\"a\" 1}", "expected ':'");
  assert_bad ("{\"a\":}", "expected a value");
  assert_bad ("{,}", "expected a string");
  assert_bad ("01", "expected nothing more");
  assert_bad ("+1", "expected a value");
  assert_bad (".5", "expected a value");
  assert_bad ("1.", "a digit behind the point");
  assert_bad ("1e", "a digit of the exponent");
  assert_bad ("-", "expected a digit");
  assert_bad ("true false", "nothing more");
  assert_bad ("tru", "expected a value");
  assert_bad ("// x\n1", "expected a value");
  assert_bad ("\"a", "the quote that ends the string, found the end");
  assert_bad ("\"ä\n\"", "column 3: expected the quote that ends the string, found byte 10");
  assert_bad ("\"\\x\"", "behind a backslash");
  assert_bad ("\"\\u12g4\"", "four hexadecimal digits");
  assert_bad ("\"\\ud800\"", "surrogate");
  assert_bad ("\"\\ude00\"", "halves of pairs");
  assert_bad ("\"\\u0000\"", "other than NUL");
  assert_bad ("\"\xff\"", "UTF-8, found byte 255");
  assert_bad_bytes ("[1\0]", 4, "found byte 0");
  assert_bad_bytes ("1\0", 2, "nothing more");
}

static void
test_bounds (void)
{
  GString *text = g_string_new (NULL);

  for (int i = 0; i < 1000000; i++)
    g_string_append_c (text, "[{"[i % 2]);
  assert_bad (text->str, "expected a string");
  memset (text->str, '[', text->len);
  assert_bad (text->str, "column 65: expected a value that is nested less deeply");
  g_string_assign (text, "[");
  for (int i = 0; i < 1000000; i++)
    g_string_append (text, "[],");
  g_string_append (text, "[]]");
  assert_bad (text->str, "fewer values");
  g_string_free (text, TRUE);
}

static void
test_protocol (void)
{
  static const gsize sizes[] = { 2, 0, 1 };
  g_autoptr (TtiJson) good = read_good ("[[1,2],[],[3]]"), few = read_good ("[[1,2]]"), none = read_good ("[]"),
                      shorter = read_good ("[[1],[],[3]]"), mixed = read_good ("[[1,\"2\"],[],[3]]"), size = read_good ("[3,0.5]");
  GError *error = NULL;
  double numbers[3] = { 0, 0, 0 };
  gsize *read, n;

  g_assert_true (tti_umbridge_read_blocks (good, "input", sizes, 3, numbers, NULL));
  g_assert_cmpfloat (numbers[0] + 10 * numbers[1] + 100 * numbers[2], ==, 321);
  g_assert_true (tti_umbridge_read_blocks (none, "input", sizes, 0, numbers, NULL));
#define ASSERT_REFUSED(json, text)                                                                                                         \
  g_assert_false (tti_umbridge_read_blocks (json, "input", sizes, 3, numbers, &error));                                                    \
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE);                                                                                  \
  g_assert_cmpstr (error->message, ==, text);                                                                                              \
  g_clear_error (&error)
  ASSERT_REFUSED (few, "input has 1 vector; expected 3");
  ASSERT_REFUSED (none, "input has 0 vectors; expected 3");
  ASSERT_REFUSED (shorter, "vector 0 of input has 1 number; expected 2");
  ASSERT_REFUSED (mixed, "vector 0 of input is an array that has not only numbers; expected an array of numbers");
  ASSERT_REFUSED (size, "input is an array of numbers; expected an array of arrays of numbers");
  ASSERT_REFUSED (NULL, "input is missing; expected an array of arrays of numbers");
  g_assert_false (tti_umbridge_read_sizes (size, "inputSizes", &read, &n, &error));
  g_assert_cmpstr (error->message, ==, "number 1 of inputSizes is 0.5; expected the size of a vector");
  g_clear_error (&error);
}

static void
test_answers (void)
{
  static const gsize sizes[] = { 2, 1 };
  const double numbers[] = { 1, NAN, -INFINITY };
  GString *out = g_string_new (NULL);
  GError *error = NULL;
  const char *type, *message;
  g_autoptr (TtiJson) json = NULL;

  g_assert_false (tti_umbridge_append_blocks (out, numbers, sizes, 2, &error));
  g_assert_cmpstr (error->message, ==, "vector 0: number 1 is not a number (NaN), and JSON has no such number");
  g_clear_error (&error);
  g_assert_false (tti_json_append_numbers (out, numbers + 2, 1, &error));
  g_assert_cmpstr (error->message, ==, "number 0 is infinite, and JSON has no such number");
  g_clear_error (&error);
  g_string_truncate (out, 0);
  tti_umbridge_append_error (out, TTI_UMBRIDGE_MODEL_NOT_FOUND, "no \"x\"\xff");
  json = read_good (out->str);
  g_assert_true (tti_umbridge_get_error (json, &type, &message));
  g_assert_cmpstr (type, ==, "ModelNotFound");
  g_assert_cmpstr (message, ==, "no \"x\"\xef\xbf\xbd");
  g_assert_cmpuint (tti_umbridge_get_status (type), ==, 400);
  g_assert_cmpuint (tti_umbridge_get_status (TTI_UMBRIDGE_INVALID_INPUT), ==, 400);
  g_assert_cmpuint (tti_umbridge_get_status (TTI_UMBRIDGE_UNSUPPORTED_FEATURE), ==, 400);
  g_assert_cmpuint (tti_umbridge_get_status (TTI_UMBRIDGE_INVALID_OUTPUT), ==, 500);
  g_assert_cmpint (tti_umbridge_find_call ("/Evaluate"), ==, TTI_UMBRIDGE_EVALUATE);
  g_assert_cmpint (tti_umbridge_find_call ("/evaluate"), ==, TTI_UMBRIDGE_N_CALLS);
  g_assert_cmpint (tti_umbridge_find_call ("Evaluate"), ==, TTI_UMBRIDGE_N_CALLS);
  g_string_free (out, TRUE);
}

/* Documents that are nearly right: never a crash, and what is read can be written and read again. */
static void
test_fuzzed (void)
{
  static const char base[] = "{\"name\":\"forward\",\"input\":[[1.5,-2e-3],[0,17]],\"config\":{\"a\":[true,null,"
                             "\"\\u00e4\\n\"],\"b\":{}},\"x\":[{}]}";
  static const char alphabet[] = "[]{},:\"\\0123456789.eE+-truefalsn \n\t\xc3\xa4\xff";
  GRand *random = g_rand_new_with_seed (7);
  GString *out = g_string_new (NULL);
  int n_good = 0;

  for (int round = 0; round < 200000; round++)
    {
      gsize length = sizeof base - 1;
      g_autofree char *text = NULL;
      g_autoptr (TtiJson) json = NULL, again = NULL;

      if (round % 7 == 0)
        length = (gsize) g_rand_int_range (random, 0, (gint32) length + 1);
      text = g_memdup2 (base, MAX (length, 1));
      for (int n = g_rand_int_range (random, 0, 4); n > 0 && length > 0; n--)
        text[g_rand_int_range (random, 0, (gint32) length)] = alphabet[g_rand_int_range (random, 0, sizeof alphabet)];
      json = tti_json_read (text, length, NULL);
      if (json == NULL)
        continue;
      n_good++;
      g_string_truncate (out, 0);
      tti_json_append (out, json);
      again = tti_json_read (out->str, out->len, NULL);
      g_assert_nonnull (again);
    }
  g_assert_cmpint (n_good, >, 1000);
  g_string_free (out, TRUE);
  g_rand_free (random);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/umbridge/json/values", test_values);
  g_test_add_func ("/umbridge/json/numbers", test_numbers);
  g_test_add_func ("/umbridge/json/exact", test_exact);
  g_test_add_func ("/umbridge/json/bad", test_bad);
  g_test_add_func ("/umbridge/json/bounds", test_bounds);
  g_test_add_func ("/umbridge/json/fuzzed", test_fuzzed);
  g_test_add_func ("/umbridge/protocol/blocks", test_protocol);
  g_test_add_func ("/umbridge/protocol/answers", test_answers);
  return g_test_run ();
}
