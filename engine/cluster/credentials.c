/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* GnuTLS makes keys and certificates, which GIO cannot; GIO's own objects are made of their texts. */
#include "cluster/credentials.h"
#include "platform/error.h"
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

#define DAY (24 * 60 * 60)

enum
{
  DAYS_BEFORE = 1,
  DAYS_AFTER = 60,
  SERIAL_BYTES = 16
};

struct _TtiAuthority
{
  gnutls_x509_privkey_t key;
  gnutls_x509_crt_t certificate;
};

struct _TtiCredentials
{
  gatomicrefcount references;
  char *text; /* secret */
  GTlsCertificate *certificate, *authority;
};

void
tti_secret_free (char *secret)
{
  if (secret == NULL)
    return;
  explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

gboolean
tti_tls_check_backend (GError **error)
{
  if (g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM,
               "GIO has no TLS here: install glib-networking on this machine (Debian and Guix call the package so), and see that "
               "GIO_MODULE_DIR and GIO_USE_TLS are not set to something else");
  return FALSE;
}

/* Making. */

static gboolean
check (int result, const char *what, GError **error)
{
  if (result >= 0)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot %s: GnuTLS says '%s'", what, gnutls_strerror (result));
  return FALSE;
}

static gnutls_x509_privkey_t
make_key (GError **error)
{
  gnutls_x509_privkey_t key = NULL;
  int result = gnutls_x509_privkey_init (&key);

  if (result >= 0)
    result = gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0);
  if (!check (result, "make a key", error))
    g_clear_pointer (&key, gnutls_x509_privkey_deinit);
  return key;
}

/* What every certificate has. Returns GnuTLS' number of an error, or 0. */
static int
fill_in (gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, const char *name)
{
  guint8 serial[SERIAL_BYTES], id[64];
  size_t id_size = sizeof id;
  time_t now = time (NULL);
  int result = gnutls_rnd (GNUTLS_RND_NONCE, serial, sizeof serial);

  serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and as long as it seems */
  if (result < 0 || (result = gnutls_x509_crt_set_version (certificate, 3)) < 0
      || (result = gnutls_x509_crt_set_serial (certificate, serial, sizeof serial)) < 0
      || (result = gnutls_x509_crt_set_dn_by_oid (certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned) strlen (name))) < 0
      || (result = gnutls_x509_crt_set_activation_time (certificate, now - DAYS_BEFORE * DAY)) < 0
      || (result = gnutls_x509_crt_set_expiration_time (certificate, now + DAYS_AFTER * DAY)) < 0
      || (result = gnutls_x509_crt_set_key (certificate, key)) < 0
      || (result = gnutls_x509_crt_get_key_id (certificate, 0, id, &id_size)) < 0
      || (result = gnutls_x509_crt_set_subject_key_id (certificate, id, MIN (id_size, 20))) < 0)
    return result;
  return 0;
}

/* What an authority may, or a side. */
static int
fill_in_uses (gnutls_x509_crt_t certificate, const char *purpose)
{
  int result = gnutls_x509_crt_set_basic_constraints (certificate, purpose == NULL, purpose == NULL ? 0 : -1);

  if (result >= 0)
    result = gnutls_x509_crt_set_key_usage (certificate, purpose == NULL ? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE);
  if (result >= 0 && purpose != NULL)
    result = gnutls_x509_crt_set_key_purpose_oid (certificate, purpose, 1);
  return result;
}

static const char *
purpose_of (gboolean is_server)
{
  return is_server ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT;
}

/* The certificate of KEY; AUTHORITY signs it (its certificate is NULL: the new one), and PURPOSE is what it is for (NULL: to sign). */
static gnutls_x509_crt_t
make_certificate (const TtiAuthority *authority, gnutls_x509_privkey_t key, const char *name, const char *purpose, GError **error)
{
  gnutls_x509_crt_t certificate = NULL;
  int result = gnutls_x509_crt_init (&certificate);

  if (result >= 0)
    result = fill_in (certificate, key, name);
  if (result >= 0)
    result = fill_in_uses (certificate, purpose);
  if (result >= 0)
    result = gnutls_x509_crt_sign2 (certificate, authority->certificate != NULL ? authority->certificate : certificate, authority->key,
                                    GNUTLS_DIG_SHA256, 0);
  if (!check (result, "make a certificate", error))
    g_clear_pointer (&certificate, gnutls_x509_crt_deinit);
  return certificate;
}

TtiAuthority *
tti_authority_new (GError **error)
{
  g_autofree char *id = g_uuid_string_random (), *name = g_strconcat ("tutti run ", id, NULL);
  TtiAuthority *authority = g_new0 (TtiAuthority, 1);

  authority->key = make_key (error);
  if (authority->key != NULL)
    authority->certificate = make_certificate (authority, authority->key, name, NULL, error);
  if (authority->certificate == NULL)
    g_clear_pointer (&authority, tti_authority_free);
  return authority;
}

void
tti_authority_free (TtiAuthority *authority)
{
  if (authority == NULL)
    return;
  g_clear_pointer (&authority->certificate, gnutls_x509_crt_deinit);
  g_clear_pointer (&authority->key, gnutls_x509_privkey_deinit); /* which wipes it */
  g_free (authority);
}

/* The three texts together, each of which ends with a newline. */
static char *
join (gnutls_x509_privkey_t key, gnutls_x509_crt_t certificate, gnutls_x509_crt_t authority, GError **error)
{
  gnutls_datum_t texts[3] = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
  char *text = NULL;
  int result = gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &texts[0]);

  if (result >= 0)
    result = gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &texts[1]);
  if (result >= 0)
    result = gnutls_x509_crt_export2 (authority, GNUTLS_X509_FMT_PEM, &texts[2]);
  if (check (result, "write a certificate", error))
    text = g_strconcat ((char *) texts[0].data, (char *) texts[1].data, (char *) texts[2].data, NULL);
  if (texts[0].data != NULL)
    explicit_bzero (texts[0].data, texts[0].size);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    gnutls_free (texts[i].data);
  return text;
}

TtiCredentials *
tti_authority_issue (TtiAuthority *authority, const char *name, gboolean is_server, GError **error)
{
  gnutls_x509_privkey_t key = make_key (error);
  gnutls_x509_crt_t certificate = NULL;
  TtiCredentials *credentials = NULL;
  char *text = NULL;

  if (key != NULL)
    certificate = make_certificate (authority, key, name, purpose_of (is_server), error);
  if (certificate != NULL)
    text = join (key, certificate, authority->certificate, error);
  if (text != NULL)
    credentials = tti_credentials_from_text (text, error);
  tti_secret_free (text);
  g_clear_pointer (&certificate, gnutls_x509_crt_deinit);
  g_clear_pointer (&key, gnutls_x509_privkey_deinit);
  return credentials;
}

/* Reading. */

static const char *const labels[] = { "PRIVATE KEY", "CERTIFICATE", "CERTIFICATE" };

/* Is TEXT the blocks of LABELS and nothing else? STARTS receives where each begins, and where the last ends. */
static gboolean
split (const char *text, const char *starts[G_N_ELEMENTS (labels) + 1])
{
  for (guint i = 0; i < G_N_ELEMENTS (labels); i++)
    {
      g_autofree char *begin = g_strconcat ("-----BEGIN ", labels[i], "-----\n", NULL),
                      *end = g_strconcat ("\n-----END ", labels[i], "-----\n", NULL);
      const char *last = g_str_has_prefix (text, begin) ? strstr (text, end) : NULL, *inside = strstr (text + 1, "-----BEGIN");

      if (last == NULL || (inside != NULL && inside < last))
        return FALSE;
      starts[i] = text;
      text = last + strlen (end);
    }
  starts[G_N_ELEMENTS (labels)] = text;
  return *text == '\0';
}

/* Is KEY that of CERTIFICATE? */
static int
compare_keys (gnutls_x509_privkey_t key, gnutls_x509_crt_t certificate)
{
  guint8 ids[2][64];
  size_t sizes[2] = { sizeof ids[0], sizeof ids[1] };
  int result = gnutls_x509_privkey_get_key_id (key, 0, ids[0], &sizes[0]);

  if (result >= 0)
    result = gnutls_x509_crt_get_key_id (certificate, 0, ids[1], &sizes[1]);
  if (result >= 0 && (sizes[0] != sizes[1] || memcmp (ids[0], ids[1], sizes[0]) != 0))
    result = GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
  return result;
}

/* Do the blocks of STARTS belong together? Returns GnuTLS' number of an error, or 0. */
static int
check_blocks (const char *const starts[])
{
  gnutls_datum_t texts[G_N_ELEMENTS (labels)];
  gnutls_x509_privkey_t key = NULL;
  gnutls_x509_crt_t certificates[2] = { NULL, NULL };
  unsigned status = 0;
  int result = gnutls_x509_privkey_init (&key);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    texts[i] = (gnutls_datum_t) { (unsigned char *) starts[i], (unsigned) (starts[i + 1] - starts[i]) };
  if (result >= 0)
    result = gnutls_x509_privkey_import2 (key, &texts[0], GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN);
  for (guint i = 0; i < G_N_ELEMENTS (certificates) && result >= 0; i++)
    if ((result = gnutls_x509_crt_init (&certificates[i])) >= 0)
      result = gnutls_x509_crt_import (certificates[i], &texts[1 + i], GNUTLS_X509_FMT_PEM);
  if (result >= 0)
    result = compare_keys (key, certificates[0]);
  /* Whether it is good today is the peer's to see. */
  if (result >= 0)
    result = gnutls_x509_crt_verify (certificates[0], &certificates[1], 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status);
  if (result >= 0 && status != 0)
    result = GNUTLS_E_CERTIFICATE_ERROR;
  g_clear_pointer (&certificates[0], gnutls_x509_crt_deinit);
  g_clear_pointer (&certificates[1], gnutls_x509_crt_deinit);
  g_clear_pointer (&key, gnutls_x509_privkey_deinit);
  return result;
}

TtiCredentials *
tti_credentials_from_text (const char *text, GError **error)
{
  const char *starts[G_N_ELEMENTS (labels) + 1];
  g_autoptr (GError) reason = NULL;
  TtiCredentials *credentials;
  int result;

  if (!tti_tls_check_backend (error))
    return NULL;
  if (!split (text, starts))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
                   "these are no credentials; expected three PEM blocks: a private key, its certificate, and that of the run");
      return NULL;
    }
  result = check_blocks (starts);
  if (result < 0)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "these credentials are damaged: %s",
                   result == GNUTLS_E_CERTIFICATE_ERROR ? "the certificate is not one of this run" : gnutls_strerror (result));
      return NULL;
    }
  credentials = g_new0 (TtiCredentials, 1);
  g_atomic_ref_count_init (&credentials->references);
  credentials->text = g_strdup (text);
  credentials->authority = g_tls_certificate_new_from_pem (starts[2], -1, &reason);
  if (credentials->authority != NULL)
    credentials->certificate = g_tls_certificate_new_from_pem (text, starts[2] - text, &reason);
  if (reason == NULL)
    return credentials;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "these credentials are damaged: %s", reason->message);
  tti_credentials_unref (credentials);
  return NULL;
}

TtiCredentials *
tti_credentials_ref (TtiCredentials *credentials)
{
  g_atomic_ref_count_inc (&credentials->references);
  return credentials;
}

void
tti_credentials_unref (TtiCredentials *credentials)
{
  if (credentials == NULL || !g_atomic_ref_count_dec (&credentials->references))
    return;
  g_clear_object (&credentials->certificate);
  g_clear_object (&credentials->authority);
  tti_secret_free (credentials->text);
  g_free (credentials);
}

char *
tti_credentials_to_text (const TtiCredentials *credentials)
{
  return g_strdup (credentials->text);
}

GTlsCertificate *
tti_credentials_get_certificate (const TtiCredentials *credentials)
{
  return credentials->certificate;
}

GTlsCertificate *
tti_credentials_get_authority (const TtiCredentials *credentials)
{
  return credentials->authority;
}

/* GIO does not look at what a certificate is for. */
gboolean
tti_certificate_is_for (GTlsCertificate *certificate, gboolean is_server)
{
  g_autoptr (GByteArray) bytes = NULL;
  gnutls_x509_crt_t parsed = NULL;
  char oid[64];
  size_t size = sizeof oid;
  int result = gnutls_x509_crt_init (&parsed);

  g_object_get (certificate, "certificate", &bytes, NULL);
  if (result >= 0 && bytes != NULL)
    result = gnutls_x509_crt_import (parsed, &(gnutls_datum_t) { bytes->data, bytes->len }, GNUTLS_X509_FMT_DER);
  if (result >= 0)
    result = gnutls_x509_crt_get_key_purpose_oid (parsed, 0, oid, &size, NULL);
  g_clear_pointer (&parsed, gnutls_x509_crt_deinit);
  return result >= 0 && g_str_equal (oid, purpose_of (is_server));
}
