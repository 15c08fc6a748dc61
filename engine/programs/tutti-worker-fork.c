/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Replacements of libc's functions that create children: they do the same, and remember the child (process/worker-orphans.h).
 * Libraries call them through the dynamic linker, which finds those of the program first: so Guile's processes and pipes (fork),
 * GLib's (posix_spawn) and those of operators in C are all covered.
 *
 * system () is left alone, as it waits for its child. vfork () cannot be replaced by a function, and users should not call clone
 * (): processes that these make end with the task. */
#include "platform/process-tree.h"
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

static gboolean
contains (const GArray *pids, pid_t pid)
{
  for (guint i = 0; i < pids->len; i++)
    if (g_array_index (pids, pid_t, i) == pid)
      return TRUE;
  return FALSE;
}

/* popen () does not return the pid of its child: it is the first that came to this thread since. The shell may have ended by now, and
 * what it has left may have come to us as well, but later: that is an orphan. Where the kernel does not say in which order they came, all
 * are remembered, and live as long as the worker. */
FILE *
popen (const char *command, const char *mode)
{
  __typeof__ (&popen) libc = LIBC (popen);

  if (!tti_worker_child_begin ())
    return libc (command, mode);
  g_autoptr (GArray) ordered = tti_process_children_of_thread ();
  g_autoptr (GArray) before = ordered != NULL ? g_array_ref (ordered) : tti_worker_children_unknown ();
  FILE *stream = libc (command, mode);

  if (stream != NULL)
    {
      g_autoptr (GArray) after = ordered != NULL ? tti_process_children_of_thread () : tti_worker_children_unknown ();
      gboolean found = FALSE;

      for (guint i = 0; after != NULL && i < after->len && !(found && ordered != NULL); i++)
        {
          found = !contains (before, g_array_index (after, pid_t, i));
          if (found)
            tti_worker_child_remember (g_array_index (after, pid_t, i));
        }
    }
  tti_worker_child_end (-1);
  return stream;
}
