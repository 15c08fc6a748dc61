/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Doors: sockets by which processes of the same user find what they can look at, in a folder that no other user can enter.
 *
 * The folder is $XDG_RUNTIME_DIR/tutti, or tutti-UID in the folder for temporary files; its owner and mode (0700) are checked. A door is
 * named after its process: "PID-N" is that of its N-th engine (SOCK_SEQPACKET, look/protocol.h), "PID.repl" that of its REPL (SOCK_STREAM).
 * A name at which nobody listens is left over by a process that is gone: whoever lists the doors removes it. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* The path of the door NAME in the folder, which is made if it is not there. Free with g_free.
 * Errors (TUTTI_ERROR_SYSTEM): it cannot be; it is another user's, or open to others. */
char *tti_door_path (const char *name, GError **error);

typedef struct _TtiDoor TtiDoor;

#define TTI_DOOR_REPL ".repl"

/* Make the door NAME, of this process: a listening socket of TYPE (SOCK_SEQPACKET, SOCK_STREAM), with mode 0600. */
TtiDoor *tti_door_open (const char *name, int type, GError **error) G_GNUC_WARN_UNUSED_RESULT;
int tti_door_get_socket (TtiDoor *door);       /* is readable when somebody has come */
const char *tti_door_get_path (TtiDoor *door);
/* The next who has come, as a non-blocking descriptor, close-on-exec, whose process is this user's; -1: there is nobody. Others are sent
 * away. */
int tti_door_accept (TtiDoor *door);
void tti_door_close (TtiDoor *door); /* removes its name; NULL is fine. In a copy of the process it only closes. */

/* Connect to the door at PATH. Errors: TUTTI_ERROR_CLOSED if nobody is there. TUTTI_ERROR_TIMEOUT if it does
 * not answer. The descriptor does not block. */
int tti_door_connect (const char *path, int type, GError **error);

typedef struct
{
  char *name;       /* "1234-1" */
  int pid;
  gboolean is_repl; /* that of a REPL, not of an engine */
} TtiDoorEntry;

/* Those that are there, of TtiDoorEntry, owned, by process and number; what is left over of processes that are gone is removed. NULL: the
 * folder is not to be used. */
GPtrArray *tti_door_list (GError **error);
