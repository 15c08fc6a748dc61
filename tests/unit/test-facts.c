/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is known of this machine, and what people are told when another one is different. */
#include "cluster/facts.h"
#include <string.h>
#include <unistd.h>

static const char *
text_of (GVariant *facts, const char *key)
{
  const char *text = NULL;

  g_assert_true (g_variant_lookup (facts, key, "&s", &text));
  return text;
}

static void
test_collect (void)
{
  static const char *const known[] = { "version", "guile", "openblas", "openblas-core", "fftw", "libm", "cpu", "host", "kernel", "prefix" };
  g_autoptr (GVariant) facts = tti_facts_collect ("3.0.8");
  guint32 processors, page;
  guint64 memory, left;
  gint64 clock;

  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    {
      g_test_message ("%s: %s", known[i], text_of (facts, known[i]));
      g_assert_cmpstr (text_of (facts, known[i]), !=, "unknown");
      g_assert_cmpstr (text_of (facts, known[i]), !=, "");
    }
  g_assert_cmpstr (text_of (facts, "version"), ==, TUTTI_VERSION);
  g_assert_cmpstr (text_of (facts, "guile"), ==, "3.0.8");
  g_assert_cmpstr (text_of (facts, "host"), ==, g_get_host_name ());
  g_assert_nonnull (strstr (text_of (facts, "libm"), ", build "));
  g_assert_true (g_variant_lookup (facts, "processors", "u", &processors) && processors > 0);
  g_assert_true (g_variant_lookup (facts, "page-size", "u", &page) && page == (guint32) getpagesize ());
  g_assert_true (g_variant_lookup (facts, "memory", "t", &memory) && g_variant_lookup (facts, "memory-free", "t", &left));
  g_assert_cmpuint (left, >, 0);
  g_assert_cmpuint (memory, >, left);
  g_assert_true (g_variant_lookup (facts, "clock", "x", &clock) && ABS (clock - g_get_real_time ()) < 60 * G_TIME_SPAN_SECOND);
}

/* FACTS with KEY changed; NULL: without it. */
static GVariant *
change (GVariant *facts, const char *key, const char *value)
{
  g_auto (GVariantDict) changed = G_VARIANT_DICT_INIT (facts);

  g_variant_dict_insert (&changed, "host", "s", "n2");
  if (value != NULL)
    g_variant_dict_insert (&changed, key, "s", value);
  else
    g_variant_dict_remove (&changed, key);
  return g_variant_ref_sink (g_variant_dict_end (&changed));
}

static void
assert_differs (GVariant *facts, const char *key, const char *value, gboolean bits, const char *words)
{
  g_autoptr (GVariant) other = change (facts, key, value);
  gboolean bits_differ = !bits;
  g_autofree char *text = tti_facts_compare (facts, other, &bits_differ);

  g_assert_nonnull (text);
  g_test_message ("%s", text);
  g_assert_cmpint (bits_differ, ==, bits);
  if (strstr (text, words) == NULL || strstr (text, "n2") == NULL || strstr (text, "here") == NULL)
    g_error ("'%s' is not in '%s'", words, text);
  g_assert_cmpint (strstr (text, "#:allow-different-bits") != NULL, ==, bits);
}

static void
test_compare (void)
{
  g_autoptr (GVariant) facts = tti_facts_collect ("3.0.8"), again = tti_facts_collect ("3.0.8"),
                       elsewhere = change (facts, "kernel", "other");
  gboolean bits_differ = TRUE;

  g_assert_null (tti_facts_compare (facts, again, &bits_differ));
  g_assert_false (bits_differ);
  /* What results do not depend on. */
  g_assert_null (tti_facts_compare (facts, elsewhere, &bits_differ));
  assert_differs (facts, "version", "0.0.9", FALSE, "Tutti 0.0.9 on n2");
  assert_differs (facts, "version", NULL, FALSE, "Tutti unknown on n2");
  assert_differs (facts, "guile", "3.0.10", TRUE, "Guile 3.0.10 on n2, 3.0.8 here");
  assert_differs (facts, "openblas", "0.3.99 DYNAMIC_ARCH", TRUE, "OpenBLAS 0.3.99 DYNAMIC_ARCH on n2");
  assert_differs (facts, "openblas-core", "Zen9", TRUE, "computes for Zen9 on n2");
  assert_differs (facts, "fftw", "fftw-3.3.1", TRUE, "FFTW fftw-3.3.1 on n2");
  assert_differs (facts, "libm", "2.99", TRUE, "C library 2.99 on n2");
  assert_differs (facts, "cpu", "other", TRUE, "processor is other on n2");
  assert_differs (facts, "cpu", NULL, TRUE, "processor is unknown on n2");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/facts/collect", test_collect);
  g_test_add_func ("/facts/compare", test_compare);
  return g_test_run ();
}
