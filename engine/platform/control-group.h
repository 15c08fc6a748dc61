/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The control groups that a process is in, of both versions: files in which the kernel shows their limits and their usage. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef struct
{
  char *folder;     /* of the group; "/sys/fs/cgroup/memory/job_7/step_0" */
  gsize mount;      /* the length of the part of it that is the mount point, which is the topmost visible group */
  gboolean unified; /* version 2 */
} TtiControlGroup;

/* The group of PID (0: the calling process) for CONTROLLER ("memory", "cpu"). PROC is "/proc". FALSE if there is none, or none that
 * is visible. Clear with tti_control_group_clear (). */
gboolean tti_control_group_find (TtiControlGroup *group, const char *proc, pid_t pid, const char *controller);
void tti_control_group_clear (TtiControlGroup *group); /* zeroed memory is fine */

/* Go to the parent group. FALSE if there is none. */
gboolean tti_control_group_up (TtiControlGroup *group);

/* The number in the file NAME of GROUP, behind KEY if that is not NULL (as in "oom_kill 3"); -1 if there is none ("max"). */
gint64 tti_control_group_read (const TtiControlGroup *group, const char *name, const char *key);

/* The bytes of memory that the processes in GROUP may have together; -1: there is no limit, or it is more than any machine has. */
gint64 tti_control_group_get_memory_limit (const TtiControlGroup *group);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TtiControlGroup, tti_control_group_clear)
