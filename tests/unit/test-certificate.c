/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Certificates as text of one line. */
#include "process/certificate.h"
#include <signal.h>
#include <string.h>

static TtiCertificate *
certificate_of (TuttiDeathReason reason)
{
  TtiCertificate *certificate = tti_certificate_new (reason);

  certificate->index = 3;
  certificate->pid = 1234;
  return certificate;
}

static void
assert_says (const TtiCertificate *certificate, const char *expected)
{
  g_autofree char *text = tti_certificate_describe (certificate);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_signal (void)
{
  g_autoptr (TtiCertificate) certificate = certificate_of (TUTTI_DEATH_SIGNAL);

  certificate->signal = SIGKILL;
  certificate->task = 17;
  certificate->peak_memory = 12000000;
  assert_says (certificate, "worker 3 (pid 1234) was ended by signal 9 (SIGKILL) while it ran task 17; peak memory 12.0 MB");
  certificate->core_dumped = TRUE;
  certificate->signal = SIGSEGV;
  assert_says (certificate, "worker 3 (pid 1234) was ended by signal 11 (SIGSEGV), core dumped, while it ran task 17; peak memory 12.0 MB");
  certificate->task = 0;
  assert_says (certificate, "worker 3 (pid 1234) was ended by signal 11 (SIGSEGV), core dumped; peak memory 12.0 MB");
}

static void
test_exit (void)
{
  g_autoptr (TtiCertificate) certificate = certificate_of (TUTTI_DEATH_EXIT);

  certificate->status = 0;
  assert_says (certificate, "worker 3 (pid 1234) exited with status 0");
}

static void
test_never_started (void)
{
  g_autoptr (TtiCertificate) certificate = tti_certificate_new (TUTTI_DEATH_NOT_STARTED);

  certificate->detail = g_strdup ("/no/such/program: No such file or directory");
  assert_says (certificate, "worker 0 could not be started; /no/such/program: No such file or directory");
}

/* Every reason has a name of its own and a sentence of its own. */
static void
test_reasons (void)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (TuttiDeathReason reason = TUTTI_DEATH_EXIT; reason <= TUTTI_DEATH_CLOSED; reason++)
    {
      g_autoptr (TtiCertificate) certificate = certificate_of (reason);

      if (reason == TUTTI_DEATH_SIGNAL)
        certificate->signal = SIGSEGV;
      g_assert_true (g_hash_table_add (names, (gpointer) tti_death_reason_name (reason)));
      g_assert_true (g_hash_table_add (texts, tti_certificate_describe (certificate)));
    }
}

/* Which deaths mean that memory ran out, with the messages that the libraries really print. */
static void
test_out_of_memory (void)
{
  static const struct { int status, signal; const char *tail; gboolean expected; } cases[] = {
    { TTI_DEATH_STATUS_OUT_OF_MEMORY, 0, "hello\n" TTI_DEATH_WORDS_OUT_OF_MEMORY, TRUE },
    { TTI_DEATH_STATUS_OUT_OF_MEMORY, 0, "hello\n", FALSE }, /* a task's own exit */
    { 1, 0, TTI_DEATH_WORDS_OUT_OF_MEMORY, FALSE },
    { -1, SIGABRT, "GC Warning: Out of Memory! Heap size: 342 MiB. Returning NULL!\n", TRUE },
    { -1, SIGABRT, "GNU MP: Cannot allocate memory (size=351600)\n", TRUE },
    { -1, SIGTRAP, "GLib-ERROR **: gmem.c:136: failed to allocate 100000000 bytes\n", TRUE },
    { -1, SIGABRT, "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n", TRUE },
    { -1, SIGABRT, "Insufficient memory for black list\n", TRUE },
    { -1, SIGABRT, "assertion failed: (n > 0)\n", FALSE },
    { -1, SIGABRT, "", FALSE },
    { -1, SIGSEGV, "Out of memory\n", FALSE }, /* even if memory had run out before, it died of something else */
    { -1, SIGKILL, "Out of memory\n", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (TtiCertificate) certificate = certificate_of (TUTTI_DEATH_EXIT);

      certificate->status = cases[i].status;
      certificate->signal = cases[i].signal;
      g_free (certificate->stderr_tail);
      certificate->stderr_tail = g_strdup (cases[i].tail);
      g_test_message ("status %d, signal %d: %s", cases[i].status, cases[i].signal, cases[i].tail);
      g_assert_cmpint (tti_certificate_tells_out_of_memory (certificate), ==, cases[i].expected);
    }
}

static void
test_references (void)
{
  TtiCertificate *certificate = certificate_of (TUTTI_DEATH_EXIT);

  g_assert_true (tti_certificate_ref (certificate) == certificate);
  tti_certificate_unref (certificate);
  g_assert_cmpuint (certificate->index, ==, 3);
  tti_certificate_unref (certificate);
  tti_certificate_unref (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/certificate/signal", test_signal);
  g_test_add_func ("/certificate/exit", test_exit);
  g_test_add_func ("/certificate/never-started", test_never_started);
  g_test_add_func ("/certificate/reasons", test_reasons);
  g_test_add_func ("/certificate/out-of-memory", test_out_of_memory);
  g_test_add_func ("/certificate/references", test_references);
  return g_test_run ();
}
