/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a Scheme thread waits: on a bell, in scm_std_select.
 *
 * A thread parked in poll outside Guile mode hears of a signal only when the poll ends by itself; scm_std_select is woken
 * by Guile's signal delivery, so that Ctrl-C is handled at once. The system's select () takes any number of descriptors; only the type
 * fd_set ends at FD_SETSIZE, so a bell with a higher number is waited for with a larger set. */
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <sys/select.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bells that nobody uses. With the first pool there is one, and threads rarely wait at the same time: so a wait takes no descriptor, and
 * works while there is none. */
enum { MOST_SPARE = 8 };

/* Without a bell one looks so often. */
enum { WITHOUT_BELL_US = 5000 };

static GMutex spare_lock;
static int spare[MOST_SPARE];
static guint n_spare; /* with the lock */

static gboolean
bell_keep (int bell)
{
  g_mutex_lock (&spare_lock);
  gboolean kept = n_spare < MOST_SPARE;

  if (kept)
    spare[n_spare++] = bell;
  g_mutex_unlock (&spare_lock);
  return kept;
}

static int
bell_take (void)
{
  g_mutex_lock (&spare_lock);
  int bell = n_spare > 0 ? spare[--n_spare] : -1;

  g_mutex_unlock (&spare_lock);
  return bell >= 0 ? bell : tutti_fd_open_wakeup (NULL);
}

static void
bell_give_back (int bell)
{
  if (bell < 0)
    return;
  tutti_fd_drain (bell);
  if (!bell_keep (bell))
    tutti_fd_clear (&bell);
}

void
tutti_guile_reserve_bell (void)
{
  bell_give_back (bell_take ());
}

/* (%make-wakeup): a number below 0 stands for none; %wakeup-wait knows. */
static SCM
make_bell (void)
{
  return scm_from_int (bell_take ());
}

static SCM
close_bell (SCM bell)
{
  bell_give_back (scm_to_int (bell));
  return SCM_UNSPECIFIED;
}

static SCM
pool_add_bell (SCM pool, SCM bell)
{
  tutti_pool_add_wakeup (tutti_guile_to_pool (pool, "task-wait"), scm_to_int (bell));
  return SCM_UNSPECIFIED;
}

static SCM
pool_remove_bell (SCM pool, SCM bell)
{
  tutti_pool_remove_wakeup (tutti_guile_to_pool (pool, "task-wait"), scm_to_int (bell));
  return SCM_UNSPECIFIED;
}

/* What scm_std_select says of FD, -1: none, within LIMIT (NULL: none). */
static int
select_one (int fd, struct timeval *limit)
{
  const gsize bits = 8 * sizeof (fd_mask);
  gsize size = MAX (sizeof (fd_set), ((gsize) MAX (fd, 0) / bits + 1) * sizeof (fd_mask));
  fd_mask *set = g_malloc0 (size);

  /* Not FD_SET (), which ends the program for numbers from FD_SETSIZE up. */
  if (fd >= 0)
    set[(gsize) fd / bits] |= (fd_mask) (1UL << ((gsize) fd % bits));
  int n = scm_std_select (fd + 1, (fd_set *) (gpointer) set, NULL, NULL, limit);

  g_free (set);
  return n;
}

/* (%wakeup-wait fd seconds): wait until it is readable, a signal's handler has run, or SECONDS (#f: no limit) have passed; quieten it.
 * -> did it ring? */
static SCM
bell_wait (SCM bell, SCM seconds)
{
  int fd = scm_to_int (bell);
  /* A day at a time is enough: the caller looks at its own clock. */
  double s = scm_is_true (seconds) ? CLAMP (scm_to_double (seconds), 0.0, 86400.0) : 86400.0;

  if (fd < 0)
    s = MIN (s, WITHOUT_BELL_US / 1e6);
  struct timeval limit = { .tv_sec = (time_t) s, .tv_usec = (suseconds_t) ((s - (double) (time_t) s) * 1e6) };
  int n = select_one (fd, &limit);

  scm_async_tick ();
  if (n > 0)
    tutti_fd_drain (fd);
  return scm_from_bool (n > 0);
}

/* (%engine-ended-count pool): how many tasks of the pool's engine have ended so far */
static SCM
engine_ended_count (SCM pool)
{
  /* A copy of the process may take values that were there before. */
  SCM count = scm_from_uint64 (tutti_engine_get_n_ended (tutti_pool_get_engine (tutti_guile_to_any_pool (pool, "task-wait"))));

  scm_remember_upto_here_1 (pool);
  return count;
}

/* (%engine-poll pool count us): poll for answers of the pool's engine, no longer than US microseconds (#f: no limit) or than it is
 * worth it. -> has a task ended since COUNT was the number of those that had? */
static SCM
engine_look (SCM pool, SCM count, SCM us)
{
  TuttiPool *c_pool = tutti_guile_to_pool (pool, "task-wait");
  guint64 c_count = scm_to_uint64 (count);
  gint64 most = scm_is_true (us) ? scm_to_int64 (us) : G_MAXINT64;
  gboolean ended = tutti_engine_poll (tutti_pool_get_engine (c_pool), c_count, most);

  scm_remember_upto_here_1 (pool);
  return scm_from_bool (ended);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%make-wakeup", 0, make_bell },
  { "%close-wakeup", 1, close_bell },
  { "%pool-add-wakeup!", 2, pool_add_bell },
  { "%pool-remove-wakeup!", 2, pool_remove_bell },
  { "%wakeup-wait", 2, bell_wait },
  { "%engine-ended-count", 1, engine_ended_count },
  { "%engine-poll", 3, engine_look },
};

void
tutti_guile_init_wait (void)
{
  /* No process may outlive its master, nor be left to it as a zombie. */
  atexit (tutti_engine_end_default);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
