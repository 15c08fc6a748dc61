/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a Scheme thread waits: for a wakeup descriptor, in scm_std_select.
 *
 * A thread parked in poll outside Guile mode notices a signal only when the poll ends by itself; scm_std_select is woken
 * by Guile's signal delivery, so that Ctrl-C is handled at once. The system's select () takes any number of descriptors; only the type
 * fd_set ends at FD_SETSIZE, so for a descriptor with a higher number there is a larger set. */
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"
#include "bindings/guile-script.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <sys/select.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Unused wakeup descriptors. The first pool opens one, and threads rarely wait at the same time: so a wait opens no descriptor, and works
 * when none can be had. */
enum { MOST_SPARE = 8 };

/* How often a thread without a wakeup descriptor looks by itself. */
enum { WITHOUT_WAKEUP_US = 5000 };

static GMutex spare_lock;
static int spare[MOST_SPARE];
static guint n_spare; /* under the lock */

static gboolean
wakeup_keep (int wakeup)
{
  g_mutex_lock (&spare_lock);
  gboolean kept = n_spare < MOST_SPARE;

  if (kept)
    spare[n_spare++] = wakeup;
  g_mutex_unlock (&spare_lock);
  return kept;
}

static int
wakeup_take (void)
{
  g_mutex_lock (&spare_lock);
  int wakeup = n_spare > 0 ? spare[--n_spare] : -1;

  g_mutex_unlock (&spare_lock);
  return wakeup >= 0 ? wakeup : tti_fd_open_wakeup (NULL);
}

static void
wakeup_give_back (int wakeup)
{
  if (wakeup < 0)
    return;
  tti_fd_drain (wakeup);
  if (!wakeup_keep (wakeup))
    tti_fd_clear (&wakeup);
}

void
tti_guile_reserve_wakeup (void)
{
  wakeup_give_back (wakeup_take ());
}

/* (%make-wakeup) -> a wakeup descriptor; a number below 0, which %wakeup-wait accepts, if there is none */
static SCM
make_wakeup (void)
{
  return scm_from_int (wakeup_take ());
}

static SCM
close_wakeup (SCM wakeup)
{
  wakeup_give_back (scm_to_int (wakeup));
  return SCM_UNSPECIFIED;
}

static SCM
pool_add_wakeup (SCM pool, SCM wakeup)
{
  tti_pool_add_wakeup (tti_guile_to_pool (pool, "task-wait"), scm_to_int (wakeup));
  return SCM_UNSPECIFIED;
}

static SCM
pool_remove_wakeup (SCM pool, SCM wakeup)
{
  tti_pool_remove_wakeup (tti_guile_to_pool (pool, "task-wait"), scm_to_int (wakeup));
  return SCM_UNSPECIFIED;
}

int
tti_guile_select (int fd, gboolean for_writing, struct timeval *limit)
{
  const gsize bits = 8 * sizeof (fd_mask);
  gsize size = MAX (sizeof (fd_set), ((gsize) MAX (fd, 0) / bits + 1) * sizeof (fd_mask));
  fd_mask *set = g_malloc0 (size);

  /* Not FD_SET (), which ends the program for numbers from FD_SETSIZE up. */
  if (fd >= 0)
    set[(gsize) fd / bits] |= (fd_mask) (1UL << ((gsize) fd % bits));
  fd_set *waited = (fd_set *) (gpointer) set;
  int n = scm_std_select (fd + 1, for_writing ? NULL : waited, for_writing ? waited : NULL, NULL, limit);

  g_free (set);
  return n;
}

/* (%wakeup-wait fd seconds): wait until FD is readable, a signal's handler has run, or SECONDS (#f: no limit) have passed; drain FD.
 * -> was it readable? */
static SCM
wakeup_wait (SCM wakeup, SCM seconds)
{
  int fd = scm_to_int (wakeup);
  /* A day at a time is enough: the caller has a clock of its own. */
  double s = scm_is_true (seconds) ? CLAMP (scm_to_double (seconds), 0.0, 86400.0) : 86400.0;

  if (fd < 0)
    s = MIN (s, WITHOUT_WAKEUP_US / 1e6);
  struct timeval limit = { .tv_sec = (time_t) s, .tv_usec = (suseconds_t) ((s - (double) (time_t) s) * 1e6) };
  int n = tti_guile_select (fd, FALSE, &limit);

  scm_async_tick ();
  if (n > 0)
    tti_fd_drain (fd);
  return scm_from_bool (n > 0);
}

/* (%engine-ended-count pool): how many tasks of the pool's engine have ended so far */
static SCM
engine_ended_count (SCM pool)
{
  /* A copy of the process may take values that were there before. */
  SCM count = scm_from_uint64 (tti_engine_get_n_ended (tti_pool_get_engine (tti_guile_to_any_pool (pool, "task-wait"))));

  scm_remember_upto_here_1 (pool);
  return count;
}

/* (%engine-poll pool count us): poll for answers of the pool's engine, for at most US microseconds (#f: no limit) and only as long as
 * that is worth it. -> has a task ended since their number was COUNT? */
static SCM
engine_poll (SCM pool, SCM count, SCM us)
{
  TtiPool *c_pool = tti_guile_to_pool (pool, "task-wait");
  guint64 c_count = scm_to_uint64 (count);
  gint64 most = scm_is_true (us) ? scm_to_int64 (us) : G_MAXINT64;
  gboolean ended = tti_engine_poll (tti_pool_get_engine (c_pool), c_count, most);

  scm_remember_upto_here_1 (pool);
  return scm_from_bool (ended);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%make-wakeup", 0, make_wakeup },
  { "%close-wakeup", 1, close_wakeup },
  { "%pool-add-wakeup!", 2, pool_add_wakeup },
  { "%pool-remove-wakeup!", 2, pool_remove_wakeup },
  { "%wakeup-wait", 2, wakeup_wait },
  { "%engine-ended-count", 1, engine_ended_count },
  { "%engine-poll", 3, engine_poll },
};

void
tti_guile_init_wait (void)
{
  /* No process may outlive its master, nor be left to it as a zombie. An application ends its engines itself. */
  if (!tti_guile_serves_application ())
    atexit (tti_engine_end_default);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
