/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The primitive that runs a program in a folder, with files for what it reads and writes. */
#include "command/command.h"
#include "platform/fd-limit.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>

/* How often a waiting thread looks for Ctrl-C and the like, and at the size of files. The end of a program is heard at once. */
#define SLICE (50 * G_TIME_SPAN_MILLISECOND)

typedef struct
{
  TtiCommandLine line;
  gboolean input; /* is there a file for it? */
  double seconds;
  gsize limit;
  TtiProgram *program;
  GError *error;
  int errno_value; /* why it was not started; 0: it was */
  gboolean opened; /* were its files? */
} Run;

static void
run_free (void *data)
{
  Run *run = data;

  tti_program_free (run->program);
  tti_command_line_clear (&run->line);
  g_clear_error (&run->error);
  g_free (run);
}

/* Open NAME in FOLDER, unless something before it could not be opened. */
static int
run_open (Run *run, int folder, const char *name, int flags)
{
  int fd = run->errno_value == 0 ? openat (folder, name, flags | O_CLOEXEC, 0666) : -1;

  if (fd < 0 && run->errno_value == 0)
    run->errno_value = errno;
  return fd;
}

static void *
run_start (void *data)
{
  const int writing = O_WRONLY | O_CREAT | O_APPEND | O_TRUNC; /* an attempt before this one may have written there */
  Run *run = data;

  tti_fd_begin_opening ();
  tti_autofd int folder = run_open (run, AT_FDCWD, run->line.folder, O_DIRECTORY | O_PATH);
  tti_autofd int input = run->input ? run_open (run, folder, TTI_COMMAND_INPUT, O_RDONLY) : -1;
  tti_autofd int output = run_open (run, folder, TTI_COMMAND_OUTPUT, writing);
  tti_autofd int errors = run_open (run, folder, TTI_COMMAND_ERRORS, writing);

  tti_fd_end_opening ();
  run->opened = run->errno_value == 0;
  if (!run->opened)
    return NULL;
  const TtiProgramOptions options = { .argv = (const char *const *) run->line.argv,
                                      .envp = (const char *const *) run->line.envp,
                                      .folder = &folder,
                                      .input = run->input ? &input : NULL,
                                      .output = &output,
                                      .errors = &errors,
                                      .seconds = run->seconds,
                                      .limit = run->limit };

  run->program = tti_program_start (&options, &run->error);
  if (run->program == NULL)
    run->errno_value = errno;
  return run->program;
}

static void *
run_wait (void *data)
{
  return GINT_TO_POINTER (tti_program_wait (((Run *) data)->program, SLICE));
}

static void *
run_end (void *data)
{
  g_clear_pointer (&((Run *) data)->program, tti_program_free);
  return NULL;
}

static gint64
in_seconds (SCM seconds)
{
  return g_get_monotonic_time () + (gint64) (scm_to_double (seconds) * G_TIME_SPAN_SECOND);
}

/* Wait until the program has ended; #f: LOOK has ended it. */
static SCM
run_watch (Run *run, SCM look)
{
  gint64 look_at = scm_is_true (look) ? in_seconds (scm_from_int (1)) : G_MAXINT64;

  while (scm_without_guile (run_wait, run) == NULL)
    {
      scm_async_tick ();
      if (g_get_monotonic_time () < look_at)
        continue;
      SCM answer = scm_call_0 (look);

      if (scm_is_symbol (answer))
        {
          scm_without_guile (run_end, run);
          return SCM_BOOL_F;
        }
      look_at = scm_is_true (answer) ? in_seconds (answer) : G_MAXINT64;
    }
  return tti_command_end (run->program);
}

/* (%command-run ARGUMENTS ENVIRONMENT FOLDER INPUT? SECONDS LIMIT [LOOK]): run the program that is the first of the list ARGUMENTS in
 * FOLDER, with the changes ENVIRONMENT, see tti_command_line_fill (), and, if INPUT?, the file stdin there as its input; what it writes
 * goes to the files stdout and stderr there, LIMIT bytes at most each. -> (END . NUMBER); or (failed . ERRNO) if it cannot be started, and
 * (unopened . ERRNO) if its files cannot be opened. SECONDS: #f, for ever. LOOK, a procedure, is called after a second, and returns after
 * how many more to call it again; #f: never; end: the program is ended, and (unstarted . 0) returned. */
static SCM
command_run (SCM arguments, SCM environment, SCM folder, SCM input, SCM seconds, SCM limit, SCM look)
{
  Run *run = g_new0 (Run, 1);
  SCM result;

  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (run_free, run, SCM_F_WIND_EXPLICITLY);
  tti_command_line_fill (&run->line, arguments, environment, folder);
  run->input = scm_is_true (input);
  run->seconds = scm_is_true (seconds) ? scm_to_double (seconds) : INFINITY;
  run->limit = scm_to_size_t (limit);
  if (scm_without_guile (run_start, run) == NULL)
    result = scm_cons (scm_from_utf8_symbol (run->opened ? "failed" : "unopened"), scm_from_int (run->errno_value));
  else
    {
      result = run_watch (run, SCM_UNBNDP (look) ? SCM_BOOL_F : look);
      if (scm_is_false (result))
        result = scm_cons (scm_from_utf8_symbol ("unstarted"), scm_from_int (0));
    }
  scm_dynwind_end ();
  return result;
}

void
tti_command_init_run (void)
{
  scm_c_define_gsubr ("%command-run", 6, 1, 0, (scm_t_subr) command_run);
}
