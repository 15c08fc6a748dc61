/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "transport/probe.h"
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void
tti_probe_send (TtiProbe *probe)
{
  atomic_fetch_add_explicit (&probe->sent, 1, memory_order_release);
  syscall (SYS_futex, &probe->sent, FUTEX_WAKE, G_MAXINT, NULL, NULL, 0);
}

guint32
tti_probe_count (TtiProbe *probe)
{
  return atomic_load_explicit (&probe->sent, memory_order_acquire);
}

void
tti_probe_wait (TtiProbe *probe, guint32 seen)
{
  syscall (SYS_futex, &probe->sent, FUTEX_WAIT, seen, NULL, NULL, 0);
}
