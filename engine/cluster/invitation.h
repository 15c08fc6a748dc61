/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the master tells an agent that it starts: where to dial, for which run, and the agent's credentials. An agent reads it from its
 * standard input, or from a file that nobody else can read: never from its arguments or environment, which others see.
 *
 *   tutti-agent invitation 1
 *   addresses: n1.cluster 10.0.0.1
 *   port: 40123
 *   ...
 *   -----BEGIN PRIVATE KEY-----
 *   ...
 *   end
 */
#pragma once
#include "cluster/credentials.h"

typedef struct
{
  char **addresses;  /* of the master, to be tried in this order */
  guint port;
  char *run;         /* letters, digits and - */
  guint64 launch;    /* a number of the master's */
  guint lost_after;  /* ms without an acknowledgement, see tcp.h */
  guint silence;     /* ms without a word from a process that is there */
  char *version;     /* of the master's Tutti */
  TtiCredentials *credentials;
} TtiInvitation;

/* The text of INVITATION, all of whose members are set. It is secret: free it with tti_secret_free (). */
char *tti_invitation_to_text (const TtiInvitation *invitation);

/* Read an invitation: all that comes through FD until the line "end", for at most a minute; a file. What is wrong is said with the line,
 * and without what that has: TUTTI_ERROR_PROTOCOL. Files that others may read, or that are others', are refused with TUTTI_ERROR_ARGUMENT,
 * also behind FD. TUTTI_ERROR_TIMEOUT, TUTTI_ERROR_SYSTEM. To be freed. */
TtiInvitation *tti_invitation_from_fd (int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TtiInvitation *tti_invitation_from_file (const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void tti_invitation_free (TtiInvitation *invitation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiInvitation, tti_invitation_free)
