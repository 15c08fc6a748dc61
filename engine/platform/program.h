/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Running a program once: its time and its output are bounded, and afterwards it is gone, with all that is in its process group. No signal
 * handler is involved, so that this works in any process. */
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
  const char *const *argv; /* argv[0]: an absolute or relative name of a file */
  const char *const *envp; /* NULL: the environment of this process */
  const int *folder;       /* a descriptor of its working folder; NULL: that of this process */
  const int *input;        /* a descriptor that it reads from; NULL: /dev/null */
  const int *output;       /* ones that it writes to; NULL: what it writes is kept */
  const int *errors;
  double seconds;          /* that it may take; INFINITY: for ever */
  gsize limit;             /* bytes that it may write to each of its outputs, if they are kept or regular files */
} TtiProgramOptions;

typedef struct
{
  TtiProgramEnd end;
  int number;
  GByteArray *output; /* what is kept: at most the limit of each, and what came last beyond */
  GByteArray *errors;
  pid_t pid; /* -1 once it was reaped */
  int pidfd, output_fd, errors_fd;
  int files[2]; /* the regular files that it writes to, whose size is looked at */
  gint64 deadline; /* µs; G_MAXINT64: none */
  gsize limit;
} TtiProgram;

/* Start a program; OPTIONS are copied. Free with tti_program_free (). NULL on error; errno says which. */
TtiProgram *tti_program_start (const TtiProgramOptions *options, GError **error);

/* Wait until the program has ended, whereupon TRUE is returned, or for DURATION (µs). Files are looked at once in that time. */
gboolean tti_program_wait (TtiProgram *program, gint64 duration);

/* Free PROGRAM, and kill it if it is running; NULL is fine. */
void tti_program_free (TtiProgram *program);
