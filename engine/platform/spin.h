/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Looking for a while before going to sleep.
 *
 * To be woken takes 5 to 50 µs, many times what a small task takes. Who looks for about as long as that before sleeping needs at most
 * twice the time that would have been best, whatever the other side does. But it keeps others from the processor: so nobody looks where
 * there are more of us than processors, nor for some time after others took the processor from it. */
#pragma once
#include <glib.h>

typedef struct
{
  guint penalty;     /* waits without looking, after the next interruption */
  guint skips;       /* that are left of the last penalty */
  glong preemptions; /* of this thread, as far as is known */
} TuttiSpin;

typedef gboolean (*TuttiSpinTest) (gpointer data);

/* Call TEST again and again until it returns TRUE; FALSE if it has not within the time for which it is worth it, or MOST µs. On one
 * processor it is never called. Zeroed memory is a TuttiSpin; each thread has its own. */
gboolean tutti_spin_until (TuttiSpin *spin, TuttiSpinTest test, gpointer data, gint64 most);

/* The same where all processors are wanted: others run between two looks. */
gboolean tutti_yield_until (TuttiSpinTest test, gpointer data, gint64 most);
