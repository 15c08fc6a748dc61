/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Small vectors that a worker gets and must not write to.
 *
 * They come by value. Pages that are made read-only for each of them would cost two system calls and a page a time. So there is memory that
 * is mapped twice: the vectors are where it is read-only, and are filled through the other mapping. Room is handed out from front to back,
 * and the memory goes with the last vector in it. */
#pragma once
#include "transport/vector.h"

/* A read-only vector of SIZE bytes (1 to TUTTI_INLINE_LIMIT), and in *ROOM where to write them. For the one thread that receives from the
 * master. NULL: there is no memory. */
TuttiVector *tutti_shield_take (gsize size, gpointer *room, GError **error);
