/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What recording and restoring have to agree on.
 *
 * The variable is a list of KEY:VALUE, separated by spaces. The last one, "folder", extends to the end, whatever characters the path
 * contains. */
#pragma once
#include "process/start-state.h"

#define TTI_START_PROCESSORS "processors"

enum { TTI_IOPRIO_OF_PROCESS = 1, TTI_MOST_GROUPS = 65536 };
