/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a Scheme thread waits: on a bell, in scm_std_select.
 *
 * A thread parked in poll outside Guile mode hears of a signal only when the poll ends by itself; scm_std_select is woken
 * by Guile's signal delivery, so that Ctrl-C is handled at once. It cannot watch descriptors from FD_SETSIZE up, so a bell
 * that would get such a number is refused with advice instead of corrupting memory. */
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <sys/select.h>
#include <stdlib.h>
#include <unistd.h>

static SCM
make_bell (void)
{
  GError *error = NULL;
  int bell = tutti_fd_open_bell (&error);

  if (bell >= FD_SETSIZE)
    {
      g_set_error (&error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "cannot wait: the process has more than %d descriptors open; close some",
                   FD_SETSIZE - 1);
      tutti_fd_clear (&bell);
    }
  if (bell < 0)
    tutti_guile_raise ("task-wait", error);
  return scm_from_int (bell);
}

static SCM
close_bell (SCM bell)
{
  int fd = scm_to_int (bell);

  tutti_fd_clear (&fd);
  return SCM_UNSPECIFIED;
}

static SCM
pool_add_bell (SCM pool, SCM bell)
{
  tutti_pool_add_bell (tutti_guile_to_pool (pool, "task-wait"), scm_to_int (bell));
  return SCM_UNSPECIFIED;
}

static SCM
pool_remove_bell (SCM pool, SCM bell)
{
  tutti_pool_remove_bell (tutti_guile_to_pool (pool, "task-wait"), scm_to_int (bell));
  return SCM_UNSPECIFIED;
}

/* (%bell-wait bell seconds): wait until it rings, a signal's handler has run, or SECONDS (#f: no limit) have passed; quieten it.
 * -> did it ring? */
static SCM
bell_wait (SCM bell, SCM seconds)
{
  int fd = scm_to_int (bell);
  struct timeval limit, *timeout = NULL;
  fd_set set;

  if (scm_is_true (seconds))
    {
      /* A day at a time is enough: the caller looks at its own clock. */
      double s = CLAMP (scm_to_double (seconds), 0.0, 86400.0);

      limit.tv_sec = (time_t) s;
      limit.tv_usec = (suseconds_t) ((s - (double) limit.tv_sec) * 1e6);
      timeout = &limit;
    }
  FD_ZERO (&set);
  FD_SET (fd, &set);
  int n = scm_std_select (fd + 1, &set, NULL, NULL, timeout);
  scm_async_tick ();
  if (n > 0)
    tutti_fd_quieten (fd);
  return scm_from_bool (n > 0);
}

/* (%engine-ended-count): how many tasks have ended so far */
static SCM
engine_ended_count (void)
{
  return scm_from_uint64 (tutti_engine_get_n_ended ());
}

/* (%engine-look count us): look for answers, no longer than US microseconds (#f: no limit) or than it is worth it. -> has a task ended
 * since COUNT was the number of those that had? */
static SCM
engine_look (SCM count, SCM us)
{
  tutti_guile_check_original ("task-wait");
  return scm_from_bool (tutti_engine_look (scm_to_uint64 (count), scm_is_true (us) ? scm_to_int64 (us) : G_MAXINT64));
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%make-bell", 0, make_bell },
  { "%close-bell", 1, close_bell },
  { "%pool-add-bell!", 2, pool_add_bell },
  { "%pool-remove-bell!", 2, pool_remove_bell },
  { "%bell-wait", 2, bell_wait },
  { "%engine-ended-count", 0, engine_ended_count },
  { "%engine-look", 2, engine_look },
};

void
tutti_guile_init_wait (void)
{
  /* No process may outlive its master, nor be left to it as a zombie. */
  atexit (tutti_engine_shutdown);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
