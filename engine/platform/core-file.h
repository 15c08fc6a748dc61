/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Core files: where the kernel has put that of a process that has died. What core (5) says of /proc/sys/kernel/core_pattern is read
 * backwards: a name is made of the pattern, and what it does not tell is looked for. Nothing is believed that is not in the file: with the
 * pattern "core" each core of a folder takes the place of the one before. */
#pragma once
#include <glib.h>

typedef struct
{
  const char *pattern;  /* of core_pattern */
  gboolean uses_pid;    /* core_uses_pid */
  const char *folder;   /* that of the process, for patterns without a leading slash */
  int pid, signal;      /* of the process: a core was made when this signal ended it */
} TtiCoreSearch;

/* The pattern of this machine, without the line's end, and *USES_PID. Free with g_free. NULL: it cannot be read. */
char *tti_core_file_read_pattern (gboolean *uses_pid);

/* The program to which SEARCH's pattern hands cores, the first word after the '|' (a socket: with its '@'). Free with g_free. NULL: it
 * names files. */
char *tti_core_file_get_program (const TtiCoreSearch *search);

/* What SEARCH looks for, as a pattern of glob (7), absolute. Free with g_free. */
char *tti_core_file_get_glob (const TtiCoreSearch *search);

/* The process that the file PATH, a core of this user, is of. -1: it is none, or a symbolic link. */
int tti_core_file_get_pid (const char *path);

/* The file of SEARCH: a regular file of this user, no symbolic link, of the last minutes, that is the core of that very process. Free with
 * g_free. NULL: there is none. */
char *tti_core_file_find (const TtiCoreSearch *search);

/* Give the core FROM of process PID the name TO, which must not be there. FALSE, and it is where it was: another file system, or it was
 * overwritten meanwhile. It is never copied or removed. */
gboolean tti_core_file_move (const char *from, int pid, const char *to);
