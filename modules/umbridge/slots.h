/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many requests a server has at once, counted over all processes of this user on this machine. A server has so many slots, and who
 * holds one may send it a request.
 *
 * A slot is a listening socket (of the abstract kind of AF_UNIX), whose name only one can have. The kernel frees it with the process that
 * has it, however that ends, and there is no file that stays or that somebody removes. Unlike a lock of a file it can be waited for,
 * together with those of other servers and with a limit of time: who waits is connected to it. Who has finished hands it to the first of
 * these, with the connection to the server: so nobody is passed over, one process wakes up and not all, and a server has as many
 * connections as requests, not as there are processes (some have eight threads, and each connection keeps one). If it is closed, or ends
 * on its way, the kernel hangs up on those who wait, and they try anew. */
#pragma once
#include <glib.h>

/* Take the slot NUMBER (from 0) of the server with URL. Its descriptor; -1 if it is taken; -2 (and ERROR) if there are no slots to be
 * had. */
int tti_slot_take (const char *url, guint number, GError **error);

/* A descriptor that becomes readable when the slot is handed over, or may be free; to be closed. -1 if it is free, or if there is no room
 * to wait for it. */
int tti_slot_watch (const char *url, guint number);

/* WATCH is readable: the slot that was handed over, with a connection to the server in *CONNECTION (-1: none). -1: try to take it. */
int tti_slot_receive (int watch, int *connection);

/* Hand SLOT over to the first who waits for it, with CONNECTION (-1: none), which the caller still closes. FALSE if nobody does. SLOT is
 * the caller's no more in either case. */
gboolean tti_slot_give (int slot, int connection);
