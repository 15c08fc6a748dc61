/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A run with its credentials, and connections over the loopback device. */
#pragma once
#include "cluster/credentials.h"
#include "cluster/tls.h"
#include "platform/error.h"
#include <gio/gio.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

typedef struct
{
  TtiAuthority *authority;
  TtiCredentials *master, *agent;
} Run;

static inline void
run_open (Run *run)
{
  GError *error = NULL;

  run->authority = tti_authority_new (&error);
  g_assert_no_error (error);
  run->master = tti_authority_issue (run->authority, "master", TRUE, &error);
  g_assert_no_error (error);
  run->agent = tti_authority_issue (run->authority, "n1", FALSE, &error);
  g_assert_no_error (error);
}

static inline void
run_close (Run *run)
{
  tti_credentials_unref (run->master);
  tti_credentials_unref (run->agent);
  tti_authority_free (run->authority);
}

/* A socket of TCP that listens at the loopback device, and its address. */
static inline GSocket *
loopback_listen (GSocketAddress **address)
{
  g_autoptr (GInetAddress) host = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new (host, 0);
  GError *error = NULL;
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);

  g_assert_no_error (error);
  g_socket_bind (socket, any, TRUE, &error);
  g_assert_no_error (error);
  g_socket_listen (socket, &error);
  g_assert_no_error (error);
  *address = g_socket_get_local_address (socket, &error);
  g_assert_no_error (error);
  return socket;
}

static inline GSocketConnection *
connection_of (GSocket *socket)
{
  GSocketConnection *connection = g_socket_connection_factory_create_connection (socket);

  g_object_unref (socket);
  return connection;
}

/* Two ends of one connection: the first has dialled. */
static inline void
loopback_connect (GSocketConnection *ends[2])
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GSocket) listener = loopback_listen (&address);
  GError *error = NULL;
  GSocket *dialling = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);

  g_assert_no_error (error);
  g_socket_connect (dialling, address, NULL, &error);
  g_assert_no_error (error);
  ends[1] = connection_of (g_socket_accept (listener, NULL, &error));
  g_assert_no_error (error);
  ends[0] = connection_of (dialling);
}

/* A client with GnuTLS itself, and with the certificate of CREDENTIALS, if there are some; PRIORITY says which TLS it speaks. Does the
 * server greet it? */
static inline gboolean
gnutls_dial (int fd, const TtiCredentials *credentials, const char *priority)
{
  gnutls_session_t session;
  gnutls_certificate_credentials_t certificate;
  char byte = 0;
  int result;

  g_assert_cmpint (gnutls_init (&session, GNUTLS_CLIENT), ==, 0);
  g_assert_cmpint (gnutls_priority_set_direct (session, priority, NULL), ==, 0);
  gnutls_certificate_allocate_credentials (&certificate);
  if (credentials != NULL)
    {
      char *text = tti_credentials_to_text (credentials);
      gnutls_datum_t all = { (unsigned char *) text, (unsigned) strlen (text) };

      g_assert_cmpint (gnutls_certificate_set_x509_key_mem (certificate, &all, &all, GNUTLS_X509_FMT_PEM), >=, 0);
      tti_secret_free (text);
    }
  gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, certificate);
  gnutls_transport_set_int (session, fd);
  do
    result = gnutls_handshake (session);
  while (result < 0 && !gnutls_error_is_fatal (result));
  if (result >= 0)
    gnutls_record_recv (session, &byte, 1);
  gnutls_deinit (session);
  gnutls_certificate_free_credentials (certificate);
  return byte == 'T';
}

static inline void
assert_says (GError **error, int code, const char *const *words)
{
  g_assert_error (*error, TUTTI_ERROR, code);
  for (guint i = 0; words[i] != NULL; i++)
    if (strstr ((*error)->message, words[i]) == NULL)
      g_error ("'%s' is not in '%s'", words[i], (*error)->message);
  g_clear_error (error);
}
#define WORDS(...) ((const char *const[]) { __VA_ARGS__, NULL })
