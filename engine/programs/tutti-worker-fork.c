/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Replacements of libc's functions that create children: they do the same, and remember the child (process/worker-orphans.h).
 * Libraries call them through the dynamic linker, which finds those of the program first: so Guile's processes and pipes (fork),
 * GLib's (posix_spawn) and those of operators in C are all covered.
 *
 * system () is left alone, as it waits for its child. vfork () cannot be replaced by a function, and users should not call clone
 * (): processes that these make end with the task. */
#include "process/worker-orphans.h"
#include "programs/tutti-worker-libc.h"
#include <pty.h>
#include <spawn.h>
#include <stdio.h>
#include <unistd.h>

pid_t
fork (void)
{
  __typeof__ (&fork) libc = LIBC (fork);
  gboolean followed = tti_worker_child_begin ();
  pid_t pid = libc ();

  /* The child has a copy of the lock, which stays locked there, and is never taken again. */
  if (followed && pid != 0)
    tti_worker_child_end (pid);
  return pid;
}

int
forkpty (int *terminal, char *name, const struct termios *settings, const struct winsize *size)
{
  __typeof__ (&forkpty) libc = LIBC (forkpty);
  gboolean followed = tti_worker_child_begin ();
  pid_t pid = libc (terminal, name, settings, size);

  if (followed && pid != 0)
    tti_worker_child_end (pid);
  return pid;
}

typedef int (*Spawn) (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                      char *const[]);

static int
spawn_with (Spawn libc, pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
            char *const argv[], char *const envp[])
{
  pid_t made = -1;
  gboolean followed = tti_worker_child_begin ();
  int result = libc (&made, file, actions, attributes, argv, envp);

  if (followed)
    tti_worker_child_end (result == 0 ? made : -1);
  if (result == 0 && pid != NULL)
    *pid = made;
  return result;
}

int
posix_spawn (pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
             char *const argv[], char *const envp[])
{
  return spawn_with (LIBC (posix_spawn), pid, path, actions, attributes, argv, envp);
}

int
posix_spawnp (pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
              char *const argv[], char *const envp[])
{
  return spawn_with (LIBC (posix_spawnp), pid, file, actions, attributes, argv, envp);
}

/* popen () does not return the pid of its child: it is the child that did not exist before. An orphan that becomes our child in the
 * meantime is remembered too, and lives as long as the worker. */
FILE *
popen (const char *command, const char *mode)
{
  __typeof__ (&popen) libc = LIBC (popen);

  if (!tti_worker_child_begin ())
    return libc (command, mode);
  g_autoptr (GArray) before = tti_worker_children_unknown ();
  FILE *stream = libc (command, mode);

  if (stream != NULL)
    {
      g_autoptr (GArray) after = tti_worker_children_unknown ();

      for (guint i = 0; i < after->len; i++)
        {
          gboolean known = FALSE;

          for (guint b = 0; b < before->len; b++)
            known = known || g_array_index (before, pid_t, b) == g_array_index (after, pid_t, i);
          if (!known)
            tti_worker_child_remember (g_array_index (after, pid_t, i));
        }
    }
  tti_worker_child_end (-1);
  return stream;
}
