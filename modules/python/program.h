/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Running a program once, to ask it something: its standard input is /dev/null, both outputs are kept, its time and its output are
 * bounded, and afterwards it is gone, with all that is in its process group. No signal handler is involved, so that this works in any
 * process. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef enum
{
  TTI_PROGRAM_RUNNING,
  TTI_PROGRAM_EXITED,   /* number: its status */
  TTI_PROGRAM_SIGNALED, /* number: the signal that ended it */
  TTI_PROGRAM_LATE,     /* it took longer than it may, and was killed */
  TTI_PROGRAM_FLOODED,  /* it wrote more than it may, and was killed */
  TTI_PROGRAM_UNKNOWN   /* it has ended, and this process does not learn how: it ignores SIGCHLD */
} TtiProgramEnd;

typedef struct
{
  TtiProgramEnd end;
  int number;
  GByteArray *output; /* at most the limit of each, and what came last beyond */
  GByteArray *errors;
  pid_t pid; /* -1 once it was reaped */
  int pidfd, output_fd, errors_fd;
  gint64 deadline;
  gsize limit;
} TtiProgram;

/* Start ARGV[0], an absolute or relative name of a file, with the arguments ARGV and the environment of this process. It may run for
 * SECONDS and write LIMIT bytes to each output. Free with tti_program_free (). NULL on error; errno says which. */
TtiProgram *tti_program_start (const char *const *argv, double seconds, gsize limit, GError **error);

/* Wait until the program has ended, whereupon TRUE is returned, or for DURATION (µs). */
gboolean tti_program_wait (TtiProgram *program, gint64 duration);

/* Free PROGRAM, and kill it if it is running; NULL is fine. */
void tti_program_free (TtiProgram *program);
