/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a worker's process ended, as far as whoever supervised it knows. */
#pragma once
#include <glib.h>

/* Causes of a SIGKILL that only a supervisor can know. */
typedef enum
{
  TTI_EXIT_CAUSE_UNKNOWN,       /* or not known to the supervisor: see status and signal */
  TTI_EXIT_CAUSE_MEMORY_LIMIT,  /* the supervisor killed it, because it exceeded its limit */
  TTI_EXIT_CAUSE_OUT_OF_MEMORY, /* the kernel killed it, as far as known, because the machine had no memory left */
  TTI_EXIT_CAUSE_CPU_LIMIT      /* ... because it reached its limit on processor time */
} TtiExitCause;

typedef struct
{
  int status;          /* exit status, -1 if it ended by a signal */
  int signal;          /* that ended it, 0 if none */
  gboolean core_dumped; /* the kernel has written its core, or handed it to a program */
  guint64 peak_memory; /* bytes */
  TtiExitCause cause;  /* of a SIGKILL, if it is known */
  guint n_left;        /* processes that it had started and that could not be ended */
  const char *detail;  /* more about the cause, or about those who are left; "" if there is nothing to say */
} TtiWorkerExit;
