/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many requests a server has at once, counted over all processes of this user on this machine. A server has so many slots, and who holds
 * one may send it a request.
 *
 * A slot is the name of a socket (of the abstract kind of AF_UNIX), which only one process can have. The kernel frees it with the process,
 * however that ends, and there is no file that stays or that somebody removes. Unlike a lock of a file it can be waited for, together with
 * those of other servers and with a limit of time: who waits is connected to the socket, and the kernel hangs up when that is closed. */
#pragma once
#include <glib.h>

/* Take the slot NUMBER (from 0) of the server with URL. Its descriptor, to be closed; -1 if it is taken; -2 (and ERROR) if there are no
 * slots to be had. */
int tti_slot_take (const char *url, guint number, GError **error);

/* Does somebody wait for the slot with DESCRIPTOR, which is ours? */
gboolean tti_slot_is_wanted (int descriptor);

/* A descriptor that becomes readable when the slot may be free; -1 if it is, or if there is no room to wait for it. */
int tti_slot_watch (const char *url, guint number);
