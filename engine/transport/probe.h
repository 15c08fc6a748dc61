/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A word in the memory that a master and its worker share, by which the master asks where the worker is: a thread of the worker's is woken,
 * though its other threads compute, or wait in the kernel. A signal would interrupt what these wait for. While nobody asks it costs neither
 * side anything. */
#pragma once
#include <glib.h>
#include <stdatomic.h>
#include <stdint.h>

/* In zeroed memory none was sent. */
typedef struct
{
  _Alignas (64) _Atomic (uint32_t) sent; /* how often; a futex */
} TtiProbe;

/* Wake whoever waits for it; it is kept for one who does not yet. */
void tti_probe_send (TtiProbe *probe);

/* How often it was sent, modulo 2^32. */
guint32 tti_probe_count (TtiProbe *probe);

/* Wait until that is no longer SEEN. It may return without a reason, or at once: look again. */
void tti_probe_wait (TtiProbe *probe, guint32 seen);
