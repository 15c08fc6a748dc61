/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The files of capsules beside a journal: RUN-TASK.capsule and RUN-TASK-ITEM.capsule in a folder, of which only their owner can read
 * either. */
#pragma once
#include "look/protocol.h"

/* The capsule's file ends so, and that of its core beside it. */
#define TTI_CAPSULE_SUFFIX ".capsule"
#define TTI_CORE_SUFFIX ".core"

/* Write what FD is of, the capsule that CAPSULE describes, of RUN, to its file in FOLDER, which is made; and
 * give the core of the worker that has died, if its facts name a file, a name beside it, where that is possible. Returns the path; free
 * with g_free. NULL with ERROR, and no file. */
char *tti_capsule_file_write (const char *folder, gint64 run, const TtiLookCapsule *capsule, int fd, GError **error);
