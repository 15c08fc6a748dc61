/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Small vectors that a worker receives and must not write to.
 *
 * They travel by value. Protecting pages for each of them would cost two system calls and a page per vector. So there is memory
 * that is mapped twice: the vectors are in the read-only mapping, and are filled through the writable one. Space is handed out from
 * front to back, and the memory is freed with the last vector in it. */
#pragma once
#include "transport/vector.h"

/* A read-only vector of SIZE bytes (1 to TTI_INLINE_LIMIT); *ROOM is where to write them. To be called only by the thread that
 * receives from the master. NULL: there is no memory. */
TtiVector *tti_shield_take (gsize size, gpointer *room, GError **error);
