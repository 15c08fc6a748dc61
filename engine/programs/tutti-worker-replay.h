/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti-worker --capsule FILE: a failed task for modules in C is run again, as tutti replay has it done. */
#pragma once

/* Run the task of the capsule in FILE, in this process; what becomes of it is printed, and said in a word to descriptor 3: "value", "same"
 * error or "other". Returns the status to exit with: 1 if it could not be run. */
int tti_worker_replay (const char *file);
