/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "process/watcher-start.h"
#include "platform/cpu-set.h"
#include "platform/spawn.h"
#include "process/start-state.h"
#include "process/watcher-urgency.h"
#include <errno.h>

/* Be where the worker is to be, if PROGRAM says that: what we start then is there from its beginning. Returns where we were; NULL: we are
 * still there. */
static GArray *
go_to_processors (const TtiWatcherProgram *program)
{
  g_autoptr (GArray) wanted = NULL, ours = NULL;

  for (guint i = 0; program->envp[i] != NULL && wanted == NULL; i++)
    if (g_str_has_prefix (program->envp[i], TTI_START_SETTING "="))
      wanted = tti_start_state_get_processors (program->envp[i]);
  if (wanted == NULL || wanted->len == 0)
    return NULL;
  ours = tti_cpus_get_allowed ();
  if (wanted->len == ours->len && tti_cpus_are_within (wanted, ours))
    return NULL;
  /* If it cannot be there, it will say so itself when it takes over its state. */
  return tti_cpus_set_allowed (0, wanted) ? g_steal_pointer (&ours) : NULL;
}

pid_t
tti_watcher_start (const TtiWatchParcel *parcel, const TtiWatcherStrings *strings, int master_fd, guint64 max_fds, GError **error)
{
  int fds[] = { -1, parcel->fds[1], parcel->fds[2], parcel->fds[0], master_fd };

  G_STATIC_ASSERT (TTI_WORKER_FD_CONTROL == 3 && TTI_WORKER_FD_MASTER == 4);
  /* A group of its own: a simulation script that ends with "kill 0" must not take the watcher and the other workers
   * along. */
  TtiSpawn spawn = { .path = strings->program.path, .argv = strings->program.argv, .envp = strings->program.envp, .fds = fds,
                       .n_fds = G_N_ELEMENTS (fds), .new_group = TRUE, .max_fds = max_fds,
                       .folder = parcel->packet.has_folder ? &parcel->fds[4] : NULL };
  g_autoptr (GArray) before = go_to_processors (&strings->program);

  tti_watcher_urgency_pause ();
  pid_t pid = tti_spawn (&spawn, error);
  int saved_errno = errno;

  tti_watcher_urgency_resume ();
  if (before != NULL)
    (void) tti_cpus_set_allowed (0, before);
  errno = saved_errno;
  return pid;
}
