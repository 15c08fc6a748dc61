/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A program and what it writes: started, read from, ended. */
#include "platform/program.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A killed process that hangs in the kernel is not waited for longer. */
#define REAP_PATIENCE G_TIME_SPAN_SECOND
/* As good as for ever. */
#define MOST_SECONDS 1e9

/* A descriptor of our own of the regular file that *FD refers to; -1: it is none. */
static int
watched_file (const int *fd)
{
  struct stat status;

  return fd != NULL && fstat (*fd, &status) == 0 && S_ISREG (status.st_mode) ? fcntl (*fd, F_DUPFD_CLOEXEC, 3) : -1;
}

static TtiProgram *
program_new (const TtiProgramOptions *options)
{
  TtiProgram *program = g_new0 (TtiProgram, 1);

  program->pid = program->pidfd = program->output_fd = program->errors_fd = -1;
  program->output = g_byte_array_new ();
  program->errors = g_byte_array_new ();
  program->files[0] = watched_file (options->output);
  program->files[1] = watched_file (options->errors);
  program->deadline = options->seconds < MOST_SECONDS
                        ? g_get_monotonic_time () + (gint64) (options->seconds * G_TIME_SPAN_SECOND) : G_MAXINT64;
  program->limit = options->limit;
  return program;
}

/* Start it with the write ends of OUTPUT and ERRORS, pipes, where OPTIONS name nothing else. */
static gboolean
program_spawn (TtiProgram *program, const TtiProgramOptions *options, const int *output, const int *errors, GError **error)
{
  g_auto (GStrv) environment = options->envp == NULL ? g_get_environ () : NULL;
  int fds[] = { options->input != NULL ? *options->input : -1, options->output != NULL ? *options->output : output[1],
                options->errors != NULL ? *options->errors : errors[1] };
  TtiSpawn spawn = { .path = options->argv[0], .argv = options->argv, .folder = options->folder, .fds = fds, .n_fds = G_N_ELEMENTS (fds),
                     .envp = environment != NULL ? (const char *const *) environment : options->envp, .new_group = TRUE };

  program->pid = tti_spawn (&spawn, error);
  if (program->pid < 0)
    return FALSE;
  program->pidfd = tti_process_open (program->pid, NULL);
  /* In a process that ignores SIGCHLD it may be gone by now. */
  if (program->pidfd >= 0 || errno == ESRCH)
    return TRUE;
  tti_set_errno (error, errno, "cannot watch '%s'", options->argv[0]);
  return FALSE;
}

TtiProgram *
tti_program_start (const TtiProgramOptions *options, GError **error)
{
  int output[2] = { -1, -1 }, errors[2] = { -1, -1 };
  TtiProgram *program = program_new (options);
  gboolean started = (options->output != NULL || tti_fd_pipe (output, error))
                     && (options->errors != NULL || tti_fd_pipe (errors, error))
                     && program_spawn (program, options, output, errors, error);
  int saved_errno = errno;

  program->output_fd = g_steal_fd (&output[0]);
  program->errors_fd = g_steal_fd (&errors[0]);
  tti_fd_clear (&output[1]);
  tti_fd_clear (&errors[1]);
  if (!started)
    g_clear_pointer (&program, tti_program_free);
  errno = saved_errno;
  return program;
}

/* Read what there is from *FD, and close it at its end. FALSE: that was too much. */
static gboolean
program_read (int *fd, GByteArray *bytes, gsize limit)
{
  guint8 chunk[16384];

  while (*fd >= 0)
    {
      ssize_t n = read (*fd, chunk, sizeof chunk);

      if (n > 0)
        g_byte_array_append (bytes, chunk, (guint) n);
      else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        tti_fd_clear (fd);
      else if (errno == EAGAIN)
        break;
      if (bytes->len > limit)
        return FALSE;
    }
  return TRUE;
}

/* Have the files become larger than they may be? */
static gboolean
files_are_too_large (const TtiProgram *program)
{
  struct stat status;
  gboolean too_large = FALSE;

  for (guint i = 0; i < G_N_ELEMENTS (program->files); i++)
    too_large |= program->files[i] >= 0 && fstat (program->files[i], &status) == 0 && (guint64) status.st_size > program->limit;
  return too_large;
}

/* End what is left of it. Of one that has ended only the group is known: to look for launchers in it takes time, and is worth it where
 * there are some. */
static void
program_end (const TtiProgram *program, gboolean ended)
{
  if (!ended || g_getenv ("SLURM_JOB_ID") != NULL)
    tti_process_end_group (program->pid);
  else
    kill (-program->pid, SIGKILL);
}

/* End what is left of it, and learn how it ended. Until it is reaped, its number and that of its group belong to nobody else; it was
 * reaped by the kernel if this process ignores SIGCHLD. */
static void
program_reap (TtiProgram *program)
{
  siginfo_t info = { 0 };
  int result = waitid (P_PID, (id_t) program->pid, &info, WEXITED | WNOHANG | WNOWAIT);

  if (result == 0)
    {
      program_end (program, info.si_pid != 0);
      if (program->pidfd >= 0 && !tti_fd_wait (program->pidfd, POLLIN, g_get_monotonic_time () + REAP_PATIENCE))
        return;
      do
        result = waitid (P_PID, (id_t) program->pid, &info, WEXITED);
      while (result < 0 && errno == EINTR);
    }
  program->pid = -1;
  if (program->end != TTI_PROGRAM_RUNNING)
    return;
  program->end = result < 0 ? TTI_PROGRAM_UNKNOWN : info.si_code == CLD_EXITED ? TTI_PROGRAM_EXITED : TTI_PROGRAM_SIGNALED;
  program->number = result < 0 ? 0 : info.si_status;
}

/* One look at what the program has written, and whether it has ended. */
static void
program_look (TtiProgram *program, gboolean ended)
{
  gboolean within = program_read (&program->output_fd, program->output, program->limit)
                    && program_read (&program->errors_fd, program->errors, program->limit) && !files_are_too_large (program);

  if (!within)
    program->end = TTI_PROGRAM_FLOODED;
  else if (!ended && g_get_monotonic_time () >= program->deadline)
    program->end = TTI_PROGRAM_LATE;
  if (ended || program->end != TTI_PROGRAM_RUNNING)
    program_reap (program);
}

gboolean
tti_program_wait (TtiProgram *program, gint64 duration)
{
  gint64 until = MIN (g_get_monotonic_time () + duration, program->deadline);

  while (program->end == TTI_PROGRAM_RUNNING)
    {
      /* poll () passes over what is negative. */
      struct pollfd fds[] = { { program->output_fd, POLLIN, 0 }, { program->errors_fd, POLLIN, 0 }, { program->pidfd, POLLIN, 0 } };
      gint64 left = MAX (until - g_get_monotonic_time (), 0);
      int n = poll (fds, G_N_ELEMENTS (fds), (int) (left / 1000) + (left > 0));

      if (n < 0 && errno != EINTR)
        break;
      program_look (program, program->pidfd < 0 || (n > 0 && fds[2].revents != 0));
      if (n <= 0)
        break;
    }
  return program->end != TTI_PROGRAM_RUNNING;
}

void
tti_program_free (TtiProgram *program)
{
  if (program == NULL)
    return;
  if (program->pid > 0)
    program_reap (program);
  tti_fd_clear (&program->pidfd);
  tti_fd_clear (&program->output_fd);
  tti_fd_clear (&program->errors_fd);
  tti_fd_clear (&program->files[0]);
  tti_fd_clear (&program->files[1]);
  g_byte_array_unref (program->output);
  g_byte_array_unref (program->errors);
  g_free (program);
}
