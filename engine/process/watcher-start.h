/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Starting the program of a worker. */
#pragma once
#include "process/watcher-packet.h"
#include "process/watcher-program.h"
#include <glib.h>

/* Start the program of STRINGS with the descriptors and the folder of PARCEL, a SPAWN; MASTER_FD is the master's pidfd, MAX_FDS the limit
 * that it gets (see platform/spawn.h). -1, errno and ERROR. */
pid_t tti_watcher_start (const TtiWatchParcel *parcel, const TtiWatcherStrings *strings, int master_fd, guint64 max_fds, GError **error);
