/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The end of Tutti's programs, as far as it needs C: in whatever way a program ends, it calls exit () with the status. */
#include "bindings/guile-pool-private.h"
#include <errno.h>
#include <fcntl.h>
#include <libguile.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static SCM at_exit = SCM_BOOL_F;

static SCM
call_at_exit (void *status)
{
  return scm_call_1 (at_exit, scm_from_int (*(int *) status));
}

static SCM
failed_at_exit (void *status, SCM key, SCM arguments)
{
  (void) key;
  (void) arguments;
  return scm_from_int (*(int *) status != 0 ? *(int *) status : EXIT_FAILURE);
}

static void *
in_guile (void *status)
{
  SCM wanted = scm_internal_catch (SCM_BOOL_T, call_at_exit, status, failed_at_exit, status);

  *(int *) status = scm_is_signed_integer (wanted, 0, 255) ? scm_to_int (wanted) : EXIT_FAILURE;
  return status;
}

static SCM
flush_port (void *port)
{
  return scm_force_output (SCM_PACK_POINTER (port));
}

static SCM
flush_failed (void *data, SCM key, SCM arguments)
{
  (void) data;
  (void) key;
  (void) arguments;
  return SCM_BOOL_F;
}

static void
flush_if_output (void *data, SCM port)
{
  (void) data;
  /* A port that fails does not keep others from being flushed. */
  if (scm_is_true (scm_output_port_p (port)) && scm_is_false (scm_port_closed_p (port)))
    scm_internal_catch (SCM_BOOL_T, flush_port, SCM_UNPACK_POINTER (port), flush_failed, NULL);
}

static void *
flush_ports (void *data)
{
  scm_c_port_for_each (flush_if_output, NULL);
  return data;
}

int
tti_guile_end (int status)
{
  tti_guile_end_listening ();
  scm_with_guile (scm_is_true (at_exit) ? in_guile : flush_ports, &status);
  return status;
}

static void
end (int status, void *data)
{
  int wanted = tti_guile_end (status);

  (void) data;
  /* The handlers that were registered after this one, that of the engine above all, have run; the later ones only flush empty buffers. */
  if (wanted != status)
    {
      fflush (NULL);
      _exit (wanted);
    }
}

/* (%at-exit! proc): when the process exits, call PROC with the status, and exit with what it returns. */
static SCM
set_at_exit (SCM proc)
{
  gboolean first = scm_is_false (at_exit);

  at_exit = scm_permanent_object (proc);
  if (first)
    on_exit (end, NULL);
  return SCM_UNSPECIFIED;
}

/* (%unread? fd): FD is a pipe or socket whose reader has gone. */
static SCM
unread_p (SCM fd)
{
  struct pollfd poll_fd = { .fd = scm_to_int (fd), .events = POLLOUT };

  return scm_from_bool (poll (&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLERR | POLLHUP)) != 0);
}

/* (%close-errno fd): the errno with which closing FD would fail, or 0: some network file systems report only then that there was no room
 * for what had been written. FD stays open. */
static SCM
close_errno (SCM fd)
{
  int copy = fcntl (scm_to_int (fd), F_DUPFD_CLOEXEC, 0);

  return scm_from_int (copy >= 0 && close (copy) != 0 && errno != EINTR ? errno : 0);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%at-exit!", 1, set_at_exit },
  { "%unread?", 1, unread_p },
  { "%close-errno", 1, close_errno },
};

void
tti_guile_init_exit (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
