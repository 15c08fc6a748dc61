/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Copies of this process made by fork ().
 *
 * A copy has all memory and all descriptors, but only the thread that forked. A lock that another thread held stays locked in it
 * for ever, and shared objects (sockets, mailboxes, memory of vectors) still belong to the original. So locks that a copy may need
 * are taken before the fork and released after it on both sides, and a copy must not use what belongs to the original. Programs
 * started by posix_spawn, or by vfork and exec, are not copies. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Take LOCK before each fork and release it afterwards; in the copy call OWN first (NULL: nothing), which makes the protected state
 * the copy's own. Locks registered later are taken earlier: so register the innermost first. At most once for each lock. */
void tti_fork_protect (void (*lock) (void), void (*unlock) (void), void (*own) (void));
