/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The signals that end a program, as far as Guile cannot do it itself.
 *
 * What happens at such a signal is in (tutti base interrupt): Guile runs that code in the main thread. Here is what must be quick,
 * because every wait does it: Guile takes 25 µs to install a handler, as it compiles a procedure for it. So a handler is installed
 * once, and then only the kernel's disposition is switched between Guile's receiver and the default. */
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"
#include "bindings/guile-script.h"
#include "platform/signal-name.h"
#include "platform/thread.h"
#include <errno.h>
#include <libguile.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP };

/* Guile's receiver, once it was there. */
static struct { struct sigaction action; gboolean known; } receivers[G_N_ELEMENTS (deadly)];

static guint
deadly_index (SCM number)
{
  int wanted = scm_to_int (number);

  for (guint i = 0; i < G_N_ELEMENTS (deadly); i++)
    if (deadly[i] == wanted)
      return i;
  scm_out_of_range ("signal", number);
}

/* (%unhandled-signals): those of the deadly ones that would end the process on the spot. In the main thread only: the others cannot end
 * the program by leaving what they are in, so for them there is none. Nor are there any in an application, whose signals are its own. */
static SCM
unhandled_signals (void)
{
  SCM list = SCM_EOL;

  if (gettid () != getpid () || tti_guile_serves_application ())
    return list;
  for (guint i = G_N_ELEMENTS (deadly); i-- > 0;)
    {
      struct sigaction action;

      if (sigaction (deadly[i], NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL)
        list = scm_cons (scm_from_int (deadly[i]), list);
    }
  return list;
}

/* (%signal-received! signal): let Guile receive it, if it ever did. */
static SCM
signal_received (SCM number)
{
  guint i = deadly_index (number);

  if (receivers[i].known)
    sigaction (deadly[i], &receivers[i].action, NULL);
  return SCM_UNSPECIFIED;
}

/* (%signal-default! signal): let it end the process on the spot. Guile's receiver is remembered, with the handler that it calls. */
static SCM
signal_default (SCM number)
{
  guint i = deadly_index (number);
  struct sigaction action = { .sa_handler = SIG_DFL };

  receivers[i].known = sigaction (deadly[i], &action, &receivers[i].action) == 0;
  return SCM_UNSPECIFIED;
}

static int deadly_signal;

static void
die (void)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, deadly_signal);
  signal (deadly_signal, SIG_DFL);
  pthread_sigmask (SIG_UNBLOCK, &set, NULL);
  raise (deadly_signal);
}

static void
die_at_exit (void)
{
  /* What does this at a usual exit comes after us, and we do not return. */
  tti_guile_end (128 + deadly_signal);
  fflush (NULL);
  die ();
}

/* (%die-of-signal-at-exit! signal): end all processes at exit, and then this one by SIGNAL, so that whoever waits for it sees what
 * has happened. */
static SCM
die_of_signal_at_exit (SCM number)
{
  gboolean first = deadly_signal == 0;

  deadly_signal = deadly[deadly_index (number)];
  if (first)
    {
      atexit (die_at_exit);
      /* Handlers run in reverse order. */
      atexit (tti_engine_end_default);
    }
  return SCM_UNSPECIFIED;
}

/* (%die-of-signal! signal): now. The watcher ends all processes. */
static SCM
die_of_signal (SCM number)
{
  deadly_signal = deadly[deadly_index (number)];
  die ();
  return SCM_UNSPECIFIED;
}

static gpointer
number_run (gpointer number)
{
  *(pid_t *) number = gettid ();
  return NULL;
}

/* (%check-signal-thread): raise if there is no thread to be had. With its first handler Guile starts a thread that takes signals; if that
 * fails, it keeps a lock, and hangs when it exits. */
static SCM
check_signal_thread (void)
{
  static gint there; /* atomic */
  GError *error = NULL;

  if (g_atomic_int_get (&there))
    return SCM_UNSPECIFIED;
  pid_t number = 0;
  GThread *thread = tti_thread_start ("tutti-signals", number_run, &number, &error);

  if (thread == NULL)
    tti_guile_raise ("sigaction", error);
  g_thread_join (thread);
  /* It counts until the kernel has buried it, a moment after it could be joined. */
  for (guint i = 0; i < 1000 && tgkill (getpid (), number, 0) == 0; i++)
    g_usleep (100);
  g_atomic_int_set (&there, TRUE);
  return SCM_UNSPECIFIED;
}

/* (%describe-signal number) -> for messages: "signal 9 (SIGKILL)" */
static SCM
describe_signal (SCM number)
{
  char *description = tti_signal_describe (scm_to_int (number));

  return scm_take_locale_string (description);
}

/* Reading again and again. A signal makes the main thread's read () return, but Guile's thread for signals may say only later that there
 * is something to do: by then the main thread reads again, and would do it when the user has typed the next line, which goes with it. So
 * the signal comes back, as another one that only interrupts, until somebody says that it was heard. */
#define NUDGE SIGURG          /* ignored by default, and by everybody else */
#define NUDGE_NANOSECONDS 5000000

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static struct { struct sigaction receiver; timer_t timer; gboolean ready; } nudge;

static void
nudge_set (gint64 nanoseconds)
{
  struct itimerspec every = { { 0, nanoseconds }, { 0, nanoseconds } };

  timer_settime (nudge.timer, 0, &every, NULL);
}

static void
ignore_nudge (G_GNUC_UNUSED int number)
{
}

static void
receive_and_nudge (int number)
{
  int error = errno;

  nudge.receiver.sa_handler (number);
  nudge_set (NUDGE_NANOSECONDS);
  errno = error;
}

/* (%nudge-at-signal! signal): let whatever the calling thread waits in be interrupted at SIGNAL, for which Guile has a handler, until
 * that has called (%signal-heard!). Return false if there is no timer to be had. */
static SCM
nudge_at_signal (SCM number)
{
  int wanted = deadly[deadly_index (number)];
  struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = NUDGE, .sigev_notify_thread_id = gettid () };
  struct sigaction interrupting = { .sa_handler = ignore_nudge }, nudging = { .sa_handler = receive_and_nudge };

  if (!nudge.ready)
    nudge.ready = timer_create (CLOCK_MONOTONIC, &event, &nudge.timer) == 0 && sigaction (NUDGE, &interrupting, NULL) == 0
                  && sigaction (wanted, NULL, &nudge.receiver) == 0 && sigaction (wanted, &nudging, NULL) == 0;
  return scm_from_bool (nudge.ready);
}

static SCM
signal_heard (void)
{
  if (nudge.ready)
    nudge_set (0);
  return SCM_UNSPECIFIED;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%describe-signal", 1, describe_signal },
  { "%check-signal-thread", 0, check_signal_thread },
  { "%unhandled-signals", 0, unhandled_signals },
  { "%signal-received!", 1, signal_received },
  { "%nudge-at-signal!", 1, nudge_at_signal },
  { "%signal-heard!", 0, signal_heard },
  { "%signal-default!", 1, signal_default },
  { "%die-of-signal-at-exit!", 1, die_of_signal_at_exit },
  { "%die-of-signal!", 1, die_of_signal },
};

void
tti_guile_init_signal (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
