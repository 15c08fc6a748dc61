/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Starting threads. */
#include "platform/thread.h"
#include "platform/error.h"
#include <pthread.h>
#include <signal.h>

GThread *
tti_thread_start (const char *name, GThreadFunc run, gpointer data, GError **error)
{
  g_autoptr (GError) cause = NULL;
  sigset_t all, before;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  /* Not g_thread_new (), which aborts the program if no thread can be created. */
  GThread *thread = g_thread_try_new (name, run, data, &cause);

  pthread_sigmask (SIG_SETMASK, &before, NULL);
  if (thread == NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE,
                 "cannot start the thread %s: %s; is there memory left, and does the limit of processes of this user (ulimit -u), which "
                 "counts threads, allow more?", name, cause->message);
  return thread;
}
