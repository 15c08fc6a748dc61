/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The handshake.
 *
 * GIO's own judgement of a peer counts for nothing, as it knows authorities of this machine, which may not speak for a run: each
 * connection has no data base, so GIO asks the handler of accept-certificate, which looks at the run's authority alone. What it decides is
 * looked at once more when the handshake is over, because one that resumes an earlier session asks nobody.
 *
 * In TLS 1.3 a client is through before the server has seen its certificate. So the server says one byte, GREETING, when it has accepted
 * the client: without, a client would learn at some later time that it was refused. */
#include "cluster/tls.h"
#include "platform/error.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define GREETING 'T'

typedef struct
{
  const TtiCredentials *credentials;
  GSocket *socket;
  gboolean is_server;
  char *refusal; /* why the peer was refused; NULL: it was not, or was not seen */
} Judge;

char *
tti_tls_describe_peer (GSocketConnection *connection)
{
  g_autoptr (GSocketAddress) address = g_socket_connection_get_remote_address (connection, NULL);
  g_autofree char *host = NULL;
  const char *plain;

  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return g_strdup ("a peer that has gone");
  host = g_inet_address_to_string (g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
  plain = g_str_has_prefix (host, "::ffff:") ? host + strlen ("::ffff:") : host; /* IPv4, as a socket for both sees it */
  return g_strdup_printf ("%s, port %u", plain, g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
}

/* Why is PEER none that JUDGE expects? NULL: it is one. */
static const char *
judge_refusal (const Judge *judge, GTlsCertificate *peer)
{
  GTlsCertificateFlags flags;

  if (peer == NULL)
    return "it has no certificate: it is none of this run";
  flags = g_tls_certificate_verify (peer, NULL, tti_credentials_get_authority (judge->credentials));
  if ((flags & ~(GTlsCertificateFlags) (G_TLS_CERTIFICATE_EXPIRED | G_TLS_CERTIFICATE_NOT_ACTIVATED)) != 0)
    return "its certificate is not of this run: it belongs to another one, or is not Tutti";
  if ((flags & G_TLS_CERTIFICATE_EXPIRED) != 0)
    return "its certificate, which is good for 60 days, has expired: the run is too old, or the clock of one of the machines is wrong";
  if ((flags & G_TLS_CERTIFICATE_NOT_ACTIVATED) != 0)
    return "its certificate is not good yet: the clocks of the two machines differ by more than a day";
  if (!tti_certificate_is_for (peer, !judge->is_server))
    return judge->is_server ? "it shows the certificate of a master, but dials" : "it shows the certificate of an agent, but listens";
  return NULL;
}

static gboolean
accept_certificate (GTlsConnection *tls, GTlsCertificate *peer, GTlsCertificateFlags flags, gpointer user_data)
{
  Judge *judge = user_data;

  (void) tls;
  (void) flags; /* GIO's judgement */
  g_free (judge->refusal);
  judge->refusal = g_strdup (judge_refusal (judge, peer));
  return judge->refusal == NULL;
}

/* Errors. */

static const char *
version_name (GTlsProtocolVersion version)
{
  switch (version)
    {
    case G_TLS_PROTOCOL_VERSION_SSL_3_0:
      return "SSL 3.0";
    case G_TLS_PROTOCOL_VERSION_TLS_1_0:
      return "TLS 1.0";
    case G_TLS_PROTOCOL_VERSION_TLS_1_1:
      return "TLS 1.1";
    case G_TLS_PROTOCOL_VERSION_TLS_1_2:
      return "TLS 1.2";
    case G_TLS_PROTOCOL_VERSION_TLS_1_3:
      return "TLS 1.3";
    case G_TLS_PROTOCOL_VERSION_DTLS_1_0:
    case G_TLS_PROTOCOL_VERSION_DTLS_1_2:
    case G_TLS_PROTOCOL_VERSION_UNKNOWN:
    default:
      return "an unknown version of TLS";
    }
}

static gboolean
refuse (GError **error, TuttiError code, const char *peer, const char *reason)
{
  g_set_error (error, TUTTI_ERROR, code, "%s: %s", peer, reason);
  return FALSE;
}

/* Has nothing come through SOCKET but its end, which counts as a byte? */
static gboolean
is_fresh (GSocket *socket)
{
  struct tcp_info info = { 0 };
  socklen_t size = sizeof info;

  return getsockopt (g_socket_get_fd (socket), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_bytes_received <= 1;
}

/* Has the peer gone, for ERROR? (GIO takes the end of a peer that has said nothing for a sign that it does not speak TLS.) */
static gboolean
is_end (const Judge *judge, const GError *error)
{
  return (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_NOT_TLS) && is_fresh (judge->socket))
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED) || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE)
         || g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_EOF);
}

/* Say in our words why CAUSE has ended the handshake with PEER. */
static gboolean
explain (const Judge *judge, const char *peer, GCancellable *cancellable, const GError *cause, GError **error)
{
  g_autofree char *text = NULL;

  if (judge->refusal != NULL)
    return refuse (error, TUTTI_ERROR_PROTOCOL, peer, judge->refusal);
  if (g_cancellable_is_cancelled (cancellable))
    return refuse (error, TUTTI_ERROR_CANCELLED, peer, "it was interrupted before both sides had shown their certificates");
  if (is_end (judge, cause))
    return refuse (error, TUTTI_ERROR_CLOSED, peer,
                   judge->is_server ? "it went away before it had shown its certificate"
                                    : "it ended the connection before it had accepted this side: it does not accept the certificate of "
                                      "this side, or it has ended");
  if (g_error_matches (cause, G_TLS_ERROR, G_TLS_ERROR_CERTIFICATE_REQUIRED))
    return refuse (error, TUTTI_ERROR_PROTOCOL, peer,
                   judge->is_server ? "it has no certificate: it is none of this run" : "it does not accept the certificate of this side");
  if (g_error_matches (cause, G_TLS_ERROR, G_TLS_ERROR_NOT_TLS))
    return refuse (error, TUTTI_ERROR_PROTOCOL, peer, "it does not speak TLS: it is not Tutti");
  text = g_strdup_printf ("TLS failed: %s", cause->message);
  return refuse (error, cause->domain == G_TLS_ERROR ? TUTTI_ERROR_PROTOCOL : TUTTI_ERROR_SYSTEM, peer, text);
}

/* The steps. */

/* What the first bytes of a client say, for messages: what is no text is a dot. To be freed. */
static char *
quote (const char *bytes, gssize n)
{
  GString *text = g_string_new (NULL);

  for (gssize i = 0; i < n; i++)
    g_string_append_c (text, g_ascii_isprint (bytes[i]) ? bytes[i] : '.');
  return g_string_free (text, FALSE);
}

/* Wait until a client has said something, and see that it is a record of TLS. (Whoever says nothing would have a thread of GIO's.) */
static gboolean
check_start (GSocketConnection *connection, const char *peer, GCancellable *cancellable, GError **error)
{
  GSocket *socket = g_socket_connection_get_socket (connection);
  char bytes[16];
  g_autofree char *text = NULL, *start = NULL;
  gssize n;

  if (!g_socket_condition_wait (socket, G_IO_IN, cancellable, NULL))
    return refuse (error, TUTTI_ERROR_CANCELLED, peer, "it was interrupted before the peer had said anything");
  n = recv (g_socket_get_fd (socket), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
  if (n <= 0)
    return refuse (error, TUTTI_ERROR_CLOSED, peer, "it went away and had said nothing");
  if (bytes[0] == 0x16 && (n < 2 || bytes[1] == 0x03)) /* a handshake, of a version that begins with 3 */
    return TRUE;
  start = quote (bytes, n);
  text = g_strdup_printf ("it does not speak TLS, but begins with '%s': it is not Tutti", start);
  return refuse (error, TUTTI_ERROR_PROTOCOL, peer, text);
}

gsize
tti_tls_get_wanted (GSocket *socket)
{
  enum
  {
    HEAD = 6,               /* of a record, and what kind of handshake it has */
    MOST_BYTES = 16384 + 256 /* of a record */
  };
  int fd = g_socket_get_fd (socket), there = 0;
  guint8 head[HEAD];
  ssize_t n = recv (fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
  gsize size;

  if (n <= 0 || head[0] != 0x16 || (n >= 2 && head[1] != 0x03) || (n >= HEAD && head[5] != 0x01))
    return 0;
  if (n < HEAD)
    return HEAD;
  size = (gsize) head[3] << 8 | head[4];
  if (size > MOST_BYTES || ioctl (fd, FIONREAD, &there) < 0 || (gsize) there >= size + 5)
    return 0;
  return size + 5;
}

static GTlsConnection *
make_tls (GSocketConnection *connection, const Judge *judge, GError **error)
{
  GTlsCertificate *certificate = tti_credentials_get_certificate (judge->credentials);
  GIOStream *stream = judge->is_server ? g_tls_server_connection_new (G_IO_STREAM (connection), certificate, error)
                                       : g_tls_client_connection_new (G_IO_STREAM (connection), NULL, error);
  GTlsConnection *tls = stream != NULL ? G_TLS_CONNECTION (stream) : NULL;

  if (tls == NULL)
    return NULL;
  if (judge->is_server)
    g_object_set (tls, "authentication-mode", G_TLS_AUTHENTICATION_REQUIRED, NULL);
  else
    g_tls_connection_set_certificate (tls, certificate);
  g_tls_connection_set_database (tls, NULL);
  g_tls_connection_set_require_close_notify (tls, FALSE);
  return tls;
}

/* The server's byte. */
static gboolean
greet (GTlsConnection *tls, gboolean is_server, GCancellable *cancellable, GError **error)
{
  char greeting = GREETING;
  gssize n;

  if (is_server)
    return g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (tls)), &greeting, 1, NULL, cancellable, error);
  n = g_input_stream_read (g_io_stream_get_input_stream (G_IO_STREAM (tls)), &greeting, 1, cancellable, error);
  if (n == 1 && greeting == GREETING)
    return TRUE;
  if (n == 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "the end");
  else if (n == 1)
    g_set_error (error, G_TLS_ERROR, G_TLS_ERROR_MISC, "it does not begin as expected: it is of another version");
  return FALSE;
}

static gboolean
shake_hands (GTlsConnection *tls, Judge *judge, const char *peer, GCancellable *cancellable, GError **error)
{
  gulong handler = g_signal_connect (tls, "accept-certificate", G_CALLBACK (accept_certificate), judge);
  g_autoptr (GError) cause = NULL;
  gboolean done = g_tls_connection_handshake (tls, cancellable, &cause);
  GTlsProtocolVersion version = g_tls_connection_get_protocol_version (tls);
  const char *refusal;
  g_autofree char *text = NULL;

  g_signal_handler_disconnect (tls, handler);
  if (!done)
    return explain (judge, peer, cancellable, cause, error);
  if (version != G_TLS_PROTOCOL_VERSION_TLS_1_3)
    {
      text = g_strdup_printf ("it speaks %s; expected TLS 1.3: update GnuTLS and glib-networking there, and see that its configuration "
                              "(/etc/gnutls/config) does not turn TLS 1.3 off", version_name (version));
      return refuse (error, TUTTI_ERROR_PROTOCOL, peer, text);
    }
  refusal = judge_refusal (judge, g_tls_connection_get_peer_certificate (tls));
  if (refusal != NULL)
    return refuse (error, TUTTI_ERROR_PROTOCOL, peer, refusal);
  return greet (tls, judge->is_server, cancellable, &cause) || explain (judge, peer, cancellable, cause, error);
}

GIOStream *
tti_tls_open (GSocketConnection *connection, const TtiCredentials *credentials, gboolean is_server, GCancellable *cancellable,
              GError **error)
{
  g_return_val_if_fail (G_IS_SOCKET_CONNECTION (connection) && credentials != NULL, NULL);
  g_autofree char *peer = tti_tls_describe_peer (connection);
  Judge judge = { credentials, g_socket_connection_get_socket (connection), is_server, NULL };
  GTlsConnection *tls = NULL;

  if (tti_tls_check_backend (error) && (!is_server || check_start (connection, peer, cancellable, error)))
    tls = make_tls (connection, &judge, error);
  if (tls != NULL && !shake_hands (tls, &judge, peer, cancellable, error))
    g_clear_object (&tls);
  g_free (judge.refusal);
  if (tls == NULL)
    g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  return tls != NULL ? G_IO_STREAM (tls) : NULL;
}
