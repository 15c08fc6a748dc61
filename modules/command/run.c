/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The primitive that runs a program in a folder, with files for what it reads and writes. */
#include "command/command.h"
#include "platform/fd-limit.h"
#include "platform/fd.h"
#include "platform/program.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>

/* How often a waiting thread looks for Ctrl-C and the like, and at the size of files. The end of a program is heard at once. */
#define SLICE (50 * G_TIME_SPAN_MILLISECOND)

typedef struct
{
  char **argv, **envp;
  char *folder, *input; /* INPUT: the name of a file in the folder; NULL: none */
  double seconds;
  gsize limit;
  TtiProgram *program;
  GError *error;
  int errno_value;
} Run;

static void
run_free (void *data)
{
  Run *run = data;

  tti_program_free (run->program);
  g_strfreev (run->argv);
  g_strfreev (run->envp);
  g_free (run->folder);
  g_free (run->input);
  g_clear_error (&run->error);
  g_free (run);
}

static void *
run_start (void *data)
{
  Run *run = data;

  tti_fd_begin_opening ();
  tti_autofd int folder = open (run->folder, O_DIRECTORY | O_PATH | O_CLOEXEC);
  tti_autofd int input = run->input != NULL ? openat (folder, run->input, O_RDONLY | O_CLOEXEC) : -1;
  tti_autofd int output = openat (folder, TTI_COMMAND_OUTPUT, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  tti_autofd int errors = openat (folder, TTI_COMMAND_ERRORS, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

  run->errno_value = errno;
  tti_fd_end_opening ();
  if (folder < 0 || (run->input != NULL && input < 0) || output < 0 || errors < 0)
    return NULL;
  const TtiProgramOptions options = { .argv = (const char *const *) run->argv, .envp = (const char *const *) run->envp, .folder = &folder,
                                      .input = run->input != NULL ? &input : NULL, .output = &output, .errors = &errors,
                                      .seconds = run->seconds, .limit = run->limit };

  run->program = tti_program_start (&options, &run->error);
  run->errno_value = errno;
  return run->program;
}

static void *
run_wait (void *data)
{
  return GINT_TO_POINTER (tti_program_wait (((Run *) data)->program, SLICE));
}

char **
tti_command_strings (SCM list)
{
  char **strings = g_new0 (char *, (gsize) scm_ilength (list) + 1);

  for (gsize i = 0; scm_is_pair (list); list = scm_cdr (list), i++)
    {
      char *text = scm_to_locale_string (scm_car (list));

      strings[i] = g_strdup (text);
      free (text);
    }
  return strings;
}

SCM
tti_command_end (const TtiProgram *program)
{
  static const char *const ends[] = {
    [TTI_PROGRAM_EXITED] = "exited",   [TTI_PROGRAM_SIGNALED] = "signaled", [TTI_PROGRAM_LATE] = "late",
    [TTI_PROGRAM_FLOODED] = "flooded", [TTI_PROGRAM_UNKNOWN] = "unknown",
  };

  return scm_cons (scm_from_utf8_symbol (ends[program->end]), scm_from_int (program->number));
}

/* (%command-run ARGUMENTS ENVIRONMENT FOLDER INPUT SECONDS LIMIT): run the program that is the first of the list ARGUMENTS in FOLDER, with
 * ENVIRONMENT, a list of "NAME=VALUE", and the file INPUT of the folder (#f: none) as its input; what it writes goes to the files stdout
 * and stderr there, LIMIT bytes at most each. -> (END . NUMBER), or (failed . ERRNO) if it cannot be started. SECONDS: #f, for ever. */
static SCM
command_run (SCM arguments, SCM environment, SCM folder, SCM input, SCM seconds, SCM limit)
{
  Run *run = g_new0 (Run, 1);
  SCM result;

  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (run_free, run, SCM_F_WIND_EXPLICITLY);
  run->argv = tti_command_strings (arguments);
  run->envp = tti_command_strings (environment);
  run->folder = scm_to_locale_string (folder);
  run->input = scm_is_true (input) ? scm_to_locale_string (input) : NULL;
  run->seconds = scm_is_true (seconds) ? scm_to_double (seconds) : INFINITY;
  run->limit = scm_to_size_t (limit);
  if (scm_without_guile (run_start, run) == NULL)
    result = scm_cons (scm_from_utf8_symbol ("failed"), scm_from_int (run->errno_value));
  else
    {
      while (scm_without_guile (run_wait, run) == NULL)
        scm_async_tick ();
      result = tti_command_end (run->program);
    }
  scm_dynwind_end ();
  return result;
}

void
tti_command_init_run (void)
{
  scm_c_define_gsubr ("%command-run", 6, 0, 0, (scm_t_subr) command_run);
}
