/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Busy-waiting for a while before going to sleep.
 *
 * Waking up takes 5 to 50 µs, many times as long as a small task. A thread that busy-waits for about that time before it sleeps
 * needs at most twice the optimal time, whatever the other side does. But it keeps other threads from the processor: so do not
 * busy-wait if there are more processes of ours than processors, nor for some time after the thread was preempted. */
#pragma once
#include <glib.h>

typedef struct
{
  guint penalty;     /* waits without spinning, after the next preemption */
  guint skips;       /* remaining ones of the last penalty */
  glong preemptions; /* of this thread, at the last check */
} TtiSpin;

typedef gboolean (*TtiSpinTest) (gpointer data);
typedef gint64 (*TtiSpinPause) (gpointer data);

/* Call TEST again and again until it returns TRUE; FALSE if it has not within the time for which busy-waiting pays, or within MOST
 * µs. On a single processor it is never called. Zeroed memory is a valid TtiSpin; each thread has its own. */
gboolean tti_spin_until (TtiSpin *spin, TtiSpinTest test, gpointer data, gint64 most);

/* The same if all processors are in use: before each test sleep for as many µs as PAUSE returns, or let others run if that is less than
 * waking up takes; and run soon after that. */
gboolean tti_nap_until (TtiSpinTest test, TtiSpinPause pause, gpointer data, gint64 most);
