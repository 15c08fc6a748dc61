/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A program and its two pipes: started, read from, ended. */
#include "python/program.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A killed process that hangs in the kernel is not waited for longer. */
#define REAP_PATIENCE G_TIME_SPAN_SECOND
/* As good as for ever. */
#define MOST_SECONDS 1e9

/* Start ARGV with its outputs going to the write ends in OUTPUT and ERRORS. NULL on error. */
static TtiProgram *
program_spawn (const char *const *argv, const int *output, const int *errors, GError **error)
{
  g_auto (GStrv) environment = g_get_environ ();
  int fds[] = { -1, output[1], errors[1] };
  TtiSpawn spawn = { .path = argv[0], .argv = argv, .envp = (const char *const *) environment, .fds = fds, .n_fds = G_N_ELEMENTS (fds),
                     .new_group = TRUE };
  pid_t pid = tti_spawn (&spawn, error);

  if (pid < 0)
    return NULL;
  TtiProgram *program = g_new0 (TtiProgram, 1);

  program->pid = pid;
  program->output = g_byte_array_new ();
  program->errors = g_byte_array_new ();
  program->output_fd = program->errors_fd = -1;
  program->pidfd = tti_process_open (pid, NULL);
  /* In a process that ignores SIGCHLD it may be gone by now. */
  if (program->pidfd < 0 && errno != ESRCH)
    {
      int saved_errno = errno;

      tti_set_errno (error, saved_errno, "cannot watch '%s'", argv[0]);
      g_clear_pointer (&program, tti_program_free);
      errno = saved_errno;
    }
  return program;
}

TtiProgram *
tti_program_start (const char *const *argv, double seconds, gsize limit, GError **error)
{
  int output[2] = { -1, -1 }, errors[2] = { -1, -1 };
  TtiProgram *program = NULL;

  if (tti_fd_pipe (output, error) && tti_fd_pipe (errors, error))
    program = program_spawn (argv, output, errors, error);
  int saved_errno = errno;

  if (program != NULL)
    {
      program->output_fd = g_steal_fd (&output[0]);
      program->errors_fd = g_steal_fd (&errors[0]);
      program->deadline = g_get_monotonic_time () + (gint64) (MIN (seconds, MOST_SECONDS) * G_TIME_SPAN_SECOND);
      program->limit = limit;
    }
  for (int i = 0; i < 2; i++)
    {
      tti_fd_clear (&output[i]);
      tti_fd_clear (&errors[i]);
    }
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

/* End what is left of it, and learn how it ended. Until it is reaped, its number and that of its group belong to nobody else; it was
 * reaped by the kernel if this process ignores SIGCHLD. */
static void
program_reap (TtiProgram *program)
{
  siginfo_t info = { 0 };
  int result = waitid (P_PID, (id_t) program->pid, &info, WEXITED | WNOHANG | WNOWAIT);

  if (result == 0)
    {
      kill (-program->pid, SIGKILL);
      kill (program->pid, SIGKILL);
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
                    && program_read (&program->errors_fd, program->errors, program->limit);

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
  g_byte_array_unref (program->output);
  g_byte_array_unref (program->errors);
  g_free (program);
}
