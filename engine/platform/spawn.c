/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* posix_spawn with an explicit descriptor map. */
#include "platform/spawn.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <unistd.h>

/* The file actions of the child, and the descriptors that they need until it has started. */
typedef struct
{
  posix_spawn_file_actions_t actions;
  int *copies; /* n: duplicates of sources that would be overwritten, -1 where none is needed */
  guint n;
  int null;    /* /dev/null, -1 until needed */
  gboolean no_null; /* it cannot be opened */
} SpawnMap;

static void
spawn_map_clear (SpawnMap *map)
{
  for (guint i = 0; i < map->n; i++)
    tti_fd_clear (&map->copies[i]);
  g_free (map->copies);
  tti_fd_clear (&map->null);
  posix_spawn_file_actions_destroy (&map->actions);
}

/* Find the descriptor that becomes I in the child; it is never below n. Returns 0 or errno. */
static int
spawn_map_source (SpawnMap *map, const TtiSpawn *spawn, guint i, int *source)
{
  if (spawn->fds[i] < 0 && map->null < 0)
    {
      map->null = open ("/dev/null", O_RDWR | O_CLOEXEC);
      map->no_null = map->null < 0;
      if (map->no_null)
        return errno;
    }
  *source = spawn->fds[i] < 0 ? map->null : spawn->fds[i];
  if (*source >= (int) map->n)
    return 0;
  /* A source below n could be overwritten before it is duplicated, and dup2 onto itself would keep close-on-exec. */
  map->copies[i] = fcntl (*source, F_DUPFD_CLOEXEC, (int) map->n);
  if (map->copies[i] < 0)
    return errno;
  *source = map->copies[i];
  return 0;
}

static int
spawn_map_fill (SpawnMap *map, const TtiSpawn *spawn)
{
  /* This comes first, because the descriptor may be among those that are replaced. */
  int failed = spawn->folder != NULL ? posix_spawn_file_actions_addfchdir_np (&map->actions, *spawn->folder) : 0;

  if (failed != 0)
    return failed;
  for (guint i = 0; i < map->n; i++)
    {
      int source = -1;
      int failure = spawn_map_source (map, spawn, i, &source);

      if (failure == 0)
        failure = posix_spawn_file_actions_adddup2 (&map->actions, source, (int) i);
      if (failure != 0)
        return failure;
    }
  return posix_spawn_file_actions_addclosefrom_np (&map->actions, (int) map->n);
}

static void
spawn_attributes_fill (posix_spawnattr_t *attributes, gboolean new_group)
{
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  sigset_t none, all;

  sigemptyset (&none);
  sigfillset (&all);
  posix_spawnattr_setsigmask (attributes, &none);
  posix_spawnattr_setsigdefault (attributes, &all);
  if (new_group)
    {
      flags |= POSIX_SPAWN_SETPGROUP;
      posix_spawnattr_setpgroup (attributes, 0);
    }
  posix_spawnattr_setflags (attributes, flags);
}

/* For messages: " in FOLDER", or nothing. */
static char *
folder_name (const TtiSpawn *spawn)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", spawn->folder != NULL ? *spawn->folder : -1);
  g_autofree char *target = spawn->folder != NULL ? g_file_read_link (link, NULL) : NULL;

  return target != NULL ? g_strdup_printf (" in the folder '%s'", target) : g_strdup ("");
}

/* Call posix_spawn () while our limit on descriptors is the one that the new process should inherit. Returns 0 or errno. */
static int
spawn_limited (pid_t *pid, const TtiSpawn *spawn, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes)
{
  struct rlimit ours;

  tti_fd_begin_usual_limit ();
  gboolean other = spawn->max_fds > 0 && getrlimit (RLIMIT_NOFILE, &ours) == 0 && spawn->max_fds != ours.rlim_cur;

  if (other)
    setrlimit (RLIMIT_NOFILE, &(struct rlimit) { MIN (spawn->max_fds, ours.rlim_max), ours.rlim_max });
  int failure = posix_spawn (pid, spawn->path, actions, attributes, (char **) spawn->argv, (char **) spawn->envp);

  if (other)
    setrlimit (RLIMIT_NOFILE, &ours);
  tti_fd_end_usual_limit ();
  return failure;
}

pid_t
tti_spawn (const TtiSpawn *spawn, GError **error)
{
  g_return_val_if_fail (spawn != NULL && spawn->path != NULL && spawn->argv != NULL && spawn->envp != NULL, -1);
  SpawnMap map = { .copies = g_new (int, spawn->n_fds), .n = spawn->n_fds, .null = -1 };
  posix_spawnattr_t attributes;
  pid_t pid = -1;

  for (guint i = 0; i < map.n; i++)
    map.copies[i] = -1;
  posix_spawn_file_actions_init (&map.actions);
  posix_spawnattr_init (&attributes);
  spawn_attributes_fill (&attributes, spawn->new_group);

  tti_fd_begin_opening ();
  int failure = spawn_map_fill (&map, spawn);

  tti_fd_end_opening ();
  if (failure == 0)
    failure = spawn_limited (&pid, spawn, &map.actions, &attributes);
  posix_spawnattr_destroy (&attributes);
  spawn_map_clear (&map);
  if (failure == 0)
    return pid;
  g_autofree char *folder = folder_name (spawn);

  g_set_error (error, TUTTI_ERROR, tti_errno_is_shortage (failure) ? TUTTI_ERROR_SHORTAGE : TUTTI_ERROR_SPAWN,
               "cannot start '%s'%s: %s%s (errno %d)", spawn->path, folder,
               map.no_null ? "no /dev/null to be its standard input: " : "", g_strerror (failure), failure);
  /* For callers that must pass on the errno as well. */
  errno = failure;
  return -1;
}
