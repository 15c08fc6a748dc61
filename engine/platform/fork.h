/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Copies of this process made by fork ().
 *
 * A copy has all memory and all descriptors, but of the threads only the one that forked. A lock that another thread held is never
 * released in it; what is shared with other processes (sockets, mailboxes, memory of vectors) is still the original's. So locks that a copy
 * may need are taken before the fork and released after it on both sides, and what belongs to the original is refused in the copy.
 * What is started by posix_spawn or vfork and exec is no copy. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Take LOCK before each fork and release it afterwards, in the copy after OWN (NULL: nothing) has made state its own. Those that are
 * registered later are taken earlier: so first the innermost. At most once for each lock. */
void tutti_fork_protect (void (*lock) (void), void (*unlock) (void), void (*own) (void));
