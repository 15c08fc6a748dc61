/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Who is who in one run: keys and certificates that are made for it in memory, and forgotten with it.
 *
 * A run has an authority, which lives in the master alone. It issues credentials: for the master's own side, and for each agent that the
 * master starts, which gets them with its invitation. Two sides trust each other if the authority of their run, and no other, has signed
 * for both. What is secret is wiped from memory when it is freed here; what libraries keep of it is theirs. */
#pragma once
#include <gio/gio.h>

typedef struct _TtiAuthority TtiAuthority;
typedef struct _TtiCredentials TtiCredentials;

/* A new authority. Its certificate, and those that it issues, are good from one day before now, so that clocks may differ, for 60 days. To
 * be used by one thread at a time. */
TtiAuthority *tti_authority_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_authority_free (TtiAuthority *authority);

/* A new key and its certificate for one side, which is the server or a client. NAME is for people: "n3". To be unreffed; may be shared by
 * threads. Errors: TUTTI_ERROR_SYSTEM, also if GIO has no TLS. */
TtiCredentials *tti_authority_issue (TtiAuthority *authority, const char *name, gboolean is_server,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

TtiCredentials *tti_credentials_ref (TtiCredentials *credentials);
void tti_credentials_unref (TtiCredentials *credentials);

/* Key, certificate and the authority's certificate as three PEM blocks. The text is secret: free it with tti_secret_free (). */
char *tti_credentials_to_text (const TtiCredentials *credentials);

/* The credentials of the TEXT that tti_credentials_to_text () has made. Errors: TUTTI_ERROR_PROTOCOL if it is anything else, which is not
 * repeated; TUTTI_ERROR_SYSTEM if GIO has no TLS. */
TtiCredentials *tti_credentials_from_text (const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The certificate of this side, with its key; that of the authority. They are the credentials'. */
GTlsCertificate *tti_credentials_get_certificate (const TtiCredentials *credentials);
GTlsCertificate *tti_credentials_get_authority (const TtiCredentials *credentials);

/* Is CERTIFICATE, of a peer, that of a server, or that of a client? */
gboolean tti_certificate_is_for (GTlsCertificate *certificate, gboolean is_server);

/* Has this process TLS, that is, a backend of GIO? If not, ERROR says what to install. */
gboolean tti_tls_check_backend (GError **error);

/* Wipe SECRET, and free it; NULL is fine. */
void tti_secret_free (char *secret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiAuthority, tti_authority_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiCredentials, tti_credentials_unref)
