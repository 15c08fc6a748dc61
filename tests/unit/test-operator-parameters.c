/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Parameters of operators: numbers and text, each where its class wants it, and modules of version 1 of the ABI, which know numbers
 * only. The modules are shared objects, compiled with the header of their version. */
#include "module/operator.h"
#include "platform/error.h"
#include <string.h>

static TtiModule *
helper (const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *base = g_strconcat (name, ".so", NULL);
  g_autofree char *file = g_build_filename (g_getenv ("TUTTI_HELPERS"), base, NULL);
  TtiModule *module = tti_module_open (file, &error);

  g_assert_no_error (error);
  g_assert_nonnull (module);
  return module;
}

static TuttiOperatorParameter
text_of (const char *name, const char *text)
{
  return (TuttiOperatorParameter){ .name = name, .text = text, .length = strlen (text) };
}

static const double half = 0.5, three = 3, coefficients[] = { 1, -2, 4 };

static void
assert_refused (TtiOperator *operator, GError *error, const char *message)
{
  g_assert_null (operator);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_cmpstr (error->message, ==, message);
  g_error_free (error);
}

static void
refuse_letters (const TuttiOperatorParameter *parameters, size_t n, const char *message)
{
  GError *error = NULL;
  TtiOperator *operator = tti_operator_new (helper ("text-operator"), "letters", parameters, n, &error);

  assert_refused (operator, error, message);
}

static void
test_versions_of_contents (void)
{
  const TuttiOperatorModule *former = tti_module_get_contents (helper ("numbers-operator-1"));
  const TuttiOperatorModule *present = tti_module_get_contents (helper ("numbers-operator-2"));

  g_assert_cmpint (former->abi, ==, 1);
  g_assert_cmpint (present->abi, ==, 2);
  g_assert_cmpstr (former->name, ==, present->name);
  g_assert_cmpstr (former->description, ==, present->description);
  g_assert_cmpuint (former->n_classes, ==, 2);
  for (size_t i = 0; i < 2; i++)
    {
      const TuttiOperatorClass *a = &former->classes[i], *b = &present->classes[i];
      g_assert_cmpstr (a->name, ==, b->name);
      g_assert_cmpstr (a->description, ==, b->description);
      g_assert_true (g_strv_equal (a->parameters, b->parameters));
      g_assert_null (a->text_parameters);
      g_assert_cmpint (a->linear, ==, b->linear);
      g_assert_cmpint (a->complex_domain, ==, b->complex_domain);
      g_assert_cmpint (a->complex_codomain, ==, b->complex_codomain);
    }
}

static void
check_cubic (TtiModule *module)
{
  g_autoptr (GError) error = NULL;
  const TuttiOperatorParameter parameters[] = { { .name = "c", .values = coefficients, .n = 3 },
                                                { .name = "shift", .values = &three, .n = 1 },
                                                { .name = "scale", .values = &half, .n = 1 } };
  const double x[] = { 1, 2, 3 }, h[] = { 1, 1, 2 };
  double y[3];

  g_autoptr (TtiOperator) cubic = tti_operator_new (module, "cubic", parameters, 3, &error);
  g_assert_no_error (error);
  g_assert_true (tti_operator_evaluate (cubic, x, 3, y, 3, &error));
  g_assert_cmpmem (y, sizeof y, ((double[]){ 3.5, -5, 57 }), sizeof y);
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (cubic, x, 3, y, 3, &error);
  g_assert_cmpmem (y, sizeof y, ((double[]){ 3.5, -5, 57 }), sizeof y);
  g_assert_true (tti_derivative_apply (derivative, h, 3, y, 3, &error));
  g_assert_cmpmem (y, sizeof y, ((double[]){ 1.5, -12, 108 }), sizeof y);
  g_assert_true (tti_derivative_adjoint (derivative, h, 3, y, 3, &error));
  g_assert_cmpmem (y, sizeof y, ((double[]){ 1.5, -12, 108 }), sizeof y);
  g_assert_no_error (error);

  g_assert_false (tti_operator_evaluate (cubic, (const double[]){ 0, -2000, 0 }, 3, y, 3, &error));
  g_assert_cmpstr (error->message, ==, "operator 'numbers cubic', evaluate: number 1 is -2000");
}

static void
check_pair (TtiModule *module)
{
  g_autoptr (GError) error = NULL;
  const TuttiOperatorParameter scale = { .name = "scale", .values = &three, .n = 1 };
  const double x[] = { 1, 2 };
  double y[4], back[2];

  g_autoptr (TtiOperator) pair = tti_operator_new (module, "pair", &scale, 1, &error);
  g_assert_no_error (error);
  g_assert_true (tti_operator_has_complex_codomain (pair) && !tti_operator_has_complex_domain (pair));
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (pair, x, 2, y, 2, &error);
  g_assert_cmpmem (y, sizeof y, ((double[]){ 3, 6, 3, -6 }), sizeof y);
  g_assert_true (tti_derivative_adjoint (derivative, y, 2, back, 2, &error));
  g_assert_cmpmem (back, sizeof back, ((double[]){ 18, 36 }), sizeof back);

  g_autoptr (TtiOperator) plain = tti_operator_new (module, "pair", NULL, 0, &error);
  g_assert_true (tti_operator_evaluate (plain, x, 2, y, 2, &error));
  g_assert_cmpmem (y, sizeof y, ((double[]){ 1, 2, 1, -2 }), sizeof y);
  g_assert_no_error (error);
}

static void
check_refusals (TtiModule *module)
{
  TuttiOperatorParameter parameters[] = { { .name = "scale", .values = coefficients, .n = 3 }, text_of ("shift", "much") };
  GError *error = NULL;
  TtiOperator *operator = tti_operator_new (module, "cubic", parameters, 1, &error);
  assert_refused (operator, g_steal_pointer (&error), "operator 'numbers cubic', create: 'scale' is 3 numbers");

  operator = tti_operator_new (module, "cubic", parameters, 2, &error);
  assert_refused (operator, g_steal_pointer (&error),
                  "operator 'numbers cubic': parameter 'shift' is the text \"much\", expected numbers");

  parameters[1] = text_of ("colour", "red");
  operator = tti_operator_new (module, "cubic", parameters, 2, &error);
  assert_refused (operator, error, "operator 'numbers cubic' has no parameter 'colour', only 'scale', 'shift', 'c'");
}

/* The same source, the same operators, whichever header it was compiled with. */
static void
test_version (gconstpointer name)
{
  TtiModule *module = helper (name);

  check_cubic (module);
  check_pair (module);
  check_refusals (module);
}

static void
test_text (void)
{
  g_autoptr (GError) error = NULL;
  const char *text = "a\xc3\xa9\xf0\x9f\x8c\x8d\n"; /* one to four bytes a character */
  const TuttiOperatorParameter parameters[] = { text_of ("power", "cubic"), { .name = "scale", .values = &half, .n = 1 },
                                                text_of ("text", text) };
  const double two = 2;
  double y[8];

  g_autoptr (TtiOperator) letters = tti_operator_new (helper ("text-operator"), "letters", parameters, 3, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tti_operator_get_codomain (letters), ==, strlen (text));
  g_assert_true (tti_operator_evaluate (letters, &two, 1, y, strlen (text), &error));
  for (size_t i = 0; i < strlen (text); i++)
    g_assert_cmpfloat (y[i], ==, 4. * (guchar) text[i]);

  /* A text that is empty is one all the same; one that is not given is not there. */
  const TuttiOperatorParameter empty = text_of ("text", "");
  g_autoptr (TtiOperator) nothing = tti_operator_new (helper ("text-operator"), "letters", &empty, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tti_operator_get_codomain (nothing), ==, 0);
  refuse_letters (NULL, 0, "operator 'text letters', create: 'text' is missing");
  const TuttiOperatorParameter quartic[] = { empty, text_of ("power", "quartic") };
  refuse_letters (quartic, 2,
                  "operator 'text letters', create: 'power' is \"quartic\", expected \"linear\", \"square\" or \"cubic\"");
}

static void
test_kinds (void)
{
  const TuttiOperatorParameter number = { .name = "text", .values = &half, .n = 1 };
  refuse_letters (&number, 1, "operator 'text letters': parameter 'text' is the number 0.5, expected text");
  const TuttiOperatorParameter numbers = { .name = "text", .values = coefficients, .n = 3 };
  refuse_letters (&numbers, 1, "operator 'text letters': parameter 'text' is 3 numbers, expected text");
  const TuttiOperatorParameter none = { .name = "power" };
  refuse_letters (&none, 1, "operator 'text letters': parameter 'power' is 0 numbers, expected text");
  const TuttiOperatorParameter text = text_of ("scale", "2\n3");
  refuse_letters (&text, 1, "operator 'text letters': parameter 'scale' is the text \"2 3\", expected numbers");
  const TuttiOperatorParameter empty = text_of ("scale", "");
  refuse_letters (&empty, 1, "operator 'text letters': parameter 'scale' is the text \"\", expected numbers");
  const TuttiOperatorParameter unknown = text_of ("rule", "midpoint");
  refuse_letters (&unknown, 1, "operator 'text letters' has no parameter 'rule', only 'scale', 'text' (text), 'power' (text)");
  const TuttiOperatorParameter twice[] = { text_of ("text", "a"), text_of ("text", "a") };
  refuse_letters (twice, 2, "operator 'text letters': parameter 'text' was given twice");
}

/* A message has the beginning of a long text, in whole characters. */
static void
test_long_text (void)
{
  g_autoptr (GString) text = g_string_new (NULL), shown = g_string_new (NULL);

  for (int i = 0; i < 100000; i++)
    g_string_append (text, "\xf0\x9f\x8c\x8d");
  g_string_append_len (shown, text->str, 4 * 40);
  g_autofree char *message
    = g_strdup_printf ("operator 'text letters': parameter 'scale' is the text \"%s…\", expected numbers", shown->str);
  const TuttiOperatorParameter parameter = text_of ("scale", text->str);
  refuse_letters (&parameter, 1, message);
}

static void
test_encoding (void)
{
  const TuttiOperatorParameter latin = text_of ("text", "caf\xe9");
  refuse_letters (&latin, 1, "operator 'text letters': parameter 'text' is not UTF-8: byte 3 of 4 is 0xe9, expected text in UTF-8");
  const TuttiOperatorParameter cut = { .name = "text", .text = "ab\xc3", .length = 3 };
  refuse_letters (&cut, 1, "operator 'text letters': parameter 'text' is not UTF-8: byte 2 of 3 is 0xc3, expected text in UTF-8");
  const TuttiOperatorParameter nul = { .name = "text", .text = "a\0b", .length = 3 };
  refuse_letters (&nul, 1, "operator 'text letters': parameter 'text' has a NUL at byte 1 of 3, expected text without one");
  const TuttiOperatorParameter misplaced = { .name = "scale", .text = "\xff\0b", .length = 3 };
  refuse_letters (&misplaced, 1,
                  "operator 'text letters': parameter 'scale' is the text \"\xef\xbf\xbd\xef\xbf\xbd"
                  "b\", expected numbers");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/operator-parameters/versions/contents", test_versions_of_contents);
  g_test_add_data_func ("/operator-parameters/versions/1", "numbers-operator-1", test_version);
  g_test_add_data_func ("/operator-parameters/versions/2", "numbers-operator-2", test_version);
  g_test_add_func ("/operator-parameters/text", test_text);
  g_test_add_func ("/operator-parameters/kinds", test_kinds);
  g_test_add_func ("/operator-parameters/long-text", test_long_text);
  g_test_add_func ("/operator-parameters/encoding", test_encoding);
  return g_test_run ();
}
