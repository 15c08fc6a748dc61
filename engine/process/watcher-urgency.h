/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Guard and watcher run before those whom they are to end, and before whatever else computes: they sleep until there is something to do. */
#pragma once

/* Be urgent (platform/urgency.h), once and from then on. A fault that makes this process compute without an end costs it the real-time
 * priority after a second of processor time (RLIMIT_RTTIME), for good. */
void tti_watcher_urgency_begin (void);

/* Be as the process was before, while it starts others, which inherit priority and limit; and be urgent again. Nothing happens if it is not
 * urgent. Errno is kept. */
void tti_watcher_urgency_pause (void);
void tti_watcher_urgency_resume (void);
