/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Keys and certificates: who is signed by whom, for what, and what of their text is refused. */
#include "cluster-fixture.h"
#include <gnutls/x509.h>
#include <time.h>

static GTlsCertificateFlags
judge (const TtiCredentials *one, const TtiCredentials *other)
{
  return g_tls_certificate_verify (tti_credentials_get_certificate (one), NULL, tti_credentials_get_authority (other));
}

static void
test_trust (void)
{
  Run run, other;

  run_open (&run);
  run_open (&other);
  g_assert_cmpuint (judge (run.master, run.agent), ==, 0);
  g_assert_cmpuint (judge (run.agent, run.master), ==, 0);
  g_assert_cmpuint (judge (other.agent, run.master), !=, 0);
  g_assert_true (tti_certificate_is_for (tti_credentials_get_certificate (run.master), TRUE));
  g_assert_false (tti_certificate_is_for (tti_credentials_get_certificate (run.master), FALSE));
  g_assert_true (tti_certificate_is_for (tti_credentials_get_certificate (run.agent), FALSE));
  g_assert_false (tti_certificate_is_for (tti_credentials_get_certificate (run.agent), TRUE));
  /* The authority's own is for neither. */
  g_assert_false (tti_certificate_is_for (tti_credentials_get_authority (run.agent), TRUE));
  g_assert_false (tti_certificate_is_for (tti_credentials_get_authority (run.agent), FALSE));
  run_close (&run);
  run_close (&other);
}

/* What a certificate says, looked at by another library than GIO. */
static void
test_contents (void)
{
  Run run;
  g_autoptr (GByteArray) bytes = NULL, authority_bytes = NULL;
  gnutls_x509_crt_t agent, authority;
  char name[64];
  size_t size = sizeof name;
  unsigned usage, critical, is_authority;
  time_t now = time (NULL);

  run_open (&run);
  g_object_get (tti_credentials_get_certificate (run.agent), "certificate", &bytes, NULL);
  g_object_get (tti_credentials_get_authority (run.agent), "certificate", &authority_bytes, NULL);
  gnutls_x509_crt_init (&agent);
  gnutls_x509_crt_init (&authority);
  g_assert_cmpint (gnutls_x509_crt_import (agent, &(gnutls_datum_t) { bytes->data, bytes->len }, GNUTLS_X509_FMT_DER), ==, 0);
  g_assert_cmpint (gnutls_x509_crt_import (authority, &(gnutls_datum_t) { authority_bytes->data, authority_bytes->len },
                                           GNUTLS_X509_FMT_DER), ==, 0);
  g_assert_cmpint (gnutls_x509_crt_get_dn_by_oid (agent, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size), ==, 0);
  g_assert_cmpstr (name, ==, "n1");
  g_assert_cmpint (gnutls_x509_crt_get_pk_algorithm (agent, NULL), ==, GNUTLS_PK_ECDSA);
  g_assert_cmpint (gnutls_x509_crt_get_ca_status (agent, &critical), ==, 0);
  g_assert_cmpint (gnutls_x509_crt_get_basic_constraints (authority, &critical, &is_authority, NULL), >=, 0);
  g_assert_true (critical && is_authority);
  g_assert_cmpint (gnutls_x509_crt_get_key_usage (authority, &usage, &critical), ==, 0);
  g_assert_cmpuint (usage, ==, GNUTLS_KEY_KEY_CERT_SIGN);
  g_assert_cmpint (gnutls_x509_crt_get_activation_time (agent), <=, now - 24 * 3600);
  g_assert_cmpint (gnutls_x509_crt_get_activation_time (agent), >=, now - 24 * 3600 - 600);
  g_assert_cmpint (gnutls_x509_crt_get_expiration_time (agent), >=, now + 60 * 24 * 3600 - 600);
  g_assert_cmpint (gnutls_x509_crt_get_expiration_time (agent), <=, now + 60 * 24 * 3600 + 1);
  gnutls_x509_crt_deinit (agent);
  gnutls_x509_crt_deinit (authority);
  run_close (&run);
}

static void
test_text (void)
{
  Run run;
  GError *error = NULL;
  char *text, *again;
  TtiCredentials *copy;

  run_open (&run);
  text = tti_credentials_to_text (run.agent);
  g_assert_true (g_str_has_prefix (text, "-----BEGIN PRIVATE KEY-----\n"));
  copy = tti_credentials_from_text (text, &error);
  g_assert_no_error (error);
  again = tti_credentials_to_text (copy);
  g_assert_cmpstr (text, ==, again);
  g_assert_cmpuint (judge (copy, run.master), ==, 0);
  tti_secret_free (text);
  tti_secret_free (again);
  tti_secret_free (NULL);
  tti_credentials_unref (copy);
  run_close (&run);
}

static void
assert_refused (const char *text)
{
  GError *error = NULL;

  g_assert_null (tti_credentials_from_text (text, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  /* Nothing of a key is repeated. */
  g_assert_null (strstr (error->message, "MI"));
  g_clear_error (&error);
}

/* Blocks that do not belong together, or are too many, too few, or in another order. */
static void
test_refused (void)
{
  Run run, other;
  char *agent, *master, *stranger, *mixed;
  const char *certificate, *authority;

  run_open (&run);
  run_open (&other);
  agent = tti_credentials_to_text (run.agent);
  master = tti_credentials_to_text (run.master);
  stranger = tti_credentials_to_text (other.agent);
  assert_refused ("");
  assert_refused ("-----BEGIN PRIVATE KEY-----\n");
  assert_refused (strstr (agent, "-----BEGIN CERTIFICATE"));
  mixed = g_strconcat (agent, agent, NULL);
  assert_refused (mixed);
  g_free (mixed);
  mixed = g_strconcat (agent, " ", NULL);
  assert_refused (mixed);
  g_free (mixed);
  /* One's key with the other's certificate; a certificate with another run's authority. */
  certificate = strstr (agent, "-----BEGIN CERTIFICATE");
  mixed = g_strdup_printf ("%.*s%s", (int) (certificate - agent), agent, strstr (master, "-----BEGIN CERTIFICATE"));
  assert_refused (mixed);
  g_free (mixed);
  authority = strstr (certificate + 1, "-----BEGIN CERTIFICATE");
  mixed = g_strdup_printf ("%.*s%s", (int) (authority - agent), agent, g_strrstr (stranger, "-----BEGIN CERTIFICATE"));
  assert_refused (mixed);
  g_free (mixed);
  tti_secret_free (agent);
  tti_secret_free (master);
  tti_secret_free (stranger);
  run_close (&run);
  run_close (&other);
}

/* In a process of its own, in which GIO finds no TLS. */
static void
test_no_backend (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (TtiAuthority) authority = tti_authority_new (NULL);
      GError *error = NULL;

      g_assert_null (tti_authority_issue (authority, "n1", FALSE, &error));
      assert_says (&error, TUTTI_ERROR_SYSTEM, WORDS ("GIO has no TLS", "install glib-networking"));
      return;
    }
  g_setenv ("GIO_USE_TLS", "dummy", TRUE);
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_unsetenv ("GIO_USE_TLS");
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/credentials/trust", test_trust);
  g_test_add_func ("/credentials/contents", test_contents);
  g_test_add_func ("/credentials/text", test_text);
  g_test_add_func ("/credentials/refused", test_refused);
  g_test_add_func ("/credentials/no-backend", test_no_backend);
  return g_test_run ();
}
