/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Starting programs without fork: posix_spawn with an explicit descriptor map. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef struct
{
  const char *path;         /* absolute or relative: PATH is not searched */
  const char *const *argv;  /* NULL-terminated */
  const char *const *envp;  /* NULL-terminated */
  const int *fds;           /* descriptor fds[i] of the caller becomes i in the child (0, 1, 2, …); -1: /dev/null */
  guint n_fds;              /* everything from n_fds up is closed in the child */
  gboolean new_group;       /* the child leads a process group of its own */
  const int *folder;        /* a descriptor of the child's working folder, entered before PATH is opened; NULL: the caller's folder */
  guint64 max_fds;          /* its soft limit on descriptors; 0: ours */
} TtiSpawn;

/* Start the program with all signals unblocked and at their defaults. Returns its pid, or -1 with TUTTI_ERROR_SPAWN, whose message
 * names the path and errno, also if exec fails. The caller reaps the child. Thread-safe. */
pid_t tti_spawn (const TtiSpawn *spawn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
