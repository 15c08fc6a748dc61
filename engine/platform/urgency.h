/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Who gets a processor first when there are more who want one than there are processors. The means, best first: real-time priority, the
 * lowest there is; nice -20, or what RLIMIT_NICE allows; a short slice (Linux 6.12 and newer, no privilege needed), by which a thread that
 * wakes up is before those that compute. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* How a thread is scheduled; opaque but for `.valid`. */
typedef struct
{
  gboolean valid; /* FALSE: unknown, and nothing was changed */
  guint32 policy;
  guint64 flags;
  gint32 nice;
  guint32 priority;
  guint64 runtime;
} TtiScheduling;

/* Let the calling thread run before others, for threads that sleep most of the time and are short then. What it starts does not inherit
 * this: it has the ordinary policy, and nice 0 or the greater value that the thread had; call tti_urgency_end () around the start of what
 * is to have what the thread had. Returns how it was scheduled before. Never fails: without any privilege the thread stays as it was. */
TtiScheduling tti_urgency_begin (void);

/* As before: BEFORE is what tti_urgency_begin () has returned. */
void tti_urgency_end (const TtiScheduling *before);

/* To be called by an urgent thread that is about to reap a process. The kernel then waits, without sleeping, for whoever is looking at that
 * process in /proc: at real-time priority it would keep just him from the processor, until it is throttled, after 0.95 s. Until
 * tti_urgency_end () with what this returns the calling thread is before others, and leaves them their turn. */
TtiScheduling tti_urgency_soften (void);

/* For a thread that hands out work and sleeps in between: let the calling thread have a processor soon after it is woken, though as many
 * others compute as there are processors. Its slice becomes short, its share stays what it was. What it starts has the ordinary slice.
 * Nothing changes for a thread that has another policy or a nice value below 0. Returns how it was scheduled before, for
 * tti_urgency_end (); not valid, so that this does nothing, if nothing was changed. */
TtiScheduling tti_urgency_wake_soon (void);

/* Let those threads of PID run before others that the kernel is ending: they never return to their program, and are gone sooner. Whoever
 * PID is now; it is no error if it is gone, or another user's. */
void tti_urgency_hasten (pid_t pid);
