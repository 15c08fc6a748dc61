/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How fast this machine makes and copies memory. */
#pragma once
#include <glib.h>

typedef struct
{
  double touch;        /* bytes a second, where memory is written for the first time, by one thread */
  double copy;         /* the same of copying from such memory to such, all of it written before */
} TtiMemorySpeed;

/* Measure private memory and a memfd, 8 MiB of each, the best of three times; that takes about a tenth of a second where memory is slow.
 * The memfd gets huge pages if the system allows it, private memory does not. FALSE: there is no memory. */
gboolean tti_memory_measure (TtiMemorySpeed *private, TtiMemorySpeed *shared, GError **error);
