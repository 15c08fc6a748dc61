/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Programs that stay, and answer a line with a line. */
#include "bindings/guile-handle.h"
#include "command/command.h"
#include "platform/fd-limit.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE (50 * G_TIME_SPAN_MILLISECOND)
/* A program that closes an end of its pipes is about to end, and has so long for it, and for what it has to say of that. */
#define END_PATIENCE G_TIME_SPAN_SECOND
/* As good as for ever. */
#define MOST_SECONDS 1e9

enum
{
  MOST_ERRORS = 1 << 20
};

typedef struct
{
  TtiProgram *program;
  int to, from;       /* pipes */
  int errors;         /* a file without a name, which the program writes its errors to */
  GByteArray *answer; /* of it so far; what follows its line is an error of the program */
  /* Of the exchange that is going on: */
  const char *question;
  gsize n_question, n_sent;
  gint64 deadline;
  gsize limit;
  gboolean deaf; /* it has closed its input before the question's end */
} Server;

typedef enum
{
  EXCHANGE_GOES_ON,
  EXCHANGE_ANSWERED,
  EXCHANGE_ENDED, /* the program has ended, or closed an end */
  EXCHANGE_LATE,
  EXCHANGE_DEAF,
  EXCHANGE_FLOODED
} Exchange;

/* Kept by (tutti command server), which empties each. */
static TtiHandleType server_type = { .name = "command-server", .what = "program that stays", .release = NULL };

static void *
server_free (void *data)
{
  Server *server = data;

  tti_program_free (server->program);
  tti_fd_clear (&server->to);
  tti_fd_clear (&server->from);
  tti_fd_clear (&server->errors);
  g_byte_array_unref (server->answer);
  g_free (server);
  return NULL;
}

/* --- start ----------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  TtiCommandLine line;
  Server *server; /* the caller's, once it was started */
  GError *error;
  int errno_value;
} Start;

static void
start_free (void *data)
{
  Start *start = data;

  tti_command_line_clear (&start->line);
  g_clear_error (&start->error);
  if (start->server != NULL)
    server_free (start->server);
  g_free (start);
}

static void *
server_start (void *data)
{
  Start *start = data;
  int to[2] = { -1, -1 }, from[2] = { -1, -1 };
  TtiProgram *program = NULL;

  tti_fd_begin_opening ();
  tti_autofd int folder = open (start->line.folder, O_DIRECTORY | O_PATH | O_CLOEXEC);
  tti_autofd int errors = memfd_create ("stderr", MFD_CLOEXEC);
  gboolean opened = folder >= 0 && errors >= 0 && fcntl (errors, F_SETFL, O_APPEND) == 0 && pipe2 (to, O_CLOEXEC) == 0
                    && pipe2 (from, O_CLOEXEC) == 0;

  tti_fd_end_opening ();
  if (opened)
    {
      const TtiProgramOptions options = { .argv = (const char *const *) start->line.argv,
                                          .envp = (const char *const *) start->line.envp,
                                          .folder = &folder,
                                          .input = &to[0],
                                          .output = &from[1],
                                          .errors = &errors,
                                          .seconds = INFINITY,
                                          .limit = G_MAXSIZE };

      program = tti_program_start (&options, &start->error);
    }
  start->errno_value = errno;
  tti_fd_clear (&to[0]);
  tti_fd_clear (&from[1]);
  if (program == NULL)
    {
      tti_fd_clear (&to[1]);
      tti_fd_clear (&from[0]);
      return NULL;
    }
  fcntl (to[1], F_SETFL, O_NONBLOCK);
  fcntl (from[0], F_SETFL, O_NONBLOCK);
  start->server = g_new0 (Server, 1);
  *start->server = (Server){
    .program = program, .to = to[1], .from = from[0], .errors = g_steal_fd (&errors), .answer = g_byte_array_new ()
  };
  return start->server;
}

/* (%command-start-server ARGUMENTS ENVIRONMENT FOLDER): a handle of the program, which runs in FOLDER with the changes ENVIRONMENT, see
 * tti_command_line_fill (); or the errno for which it cannot be started. */
static SCM
command_start_server (SCM arguments, SCM environment, SCM folder)
{
  Start *start = g_new0 (Start, 1);
  SCM result;

  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (start_free, start, SCM_F_WIND_EXPLICITLY);
  tti_command_line_fill (&start->line, arguments, environment, folder);
  if (scm_without_guile (server_start, start) == NULL)
    result = scm_from_int (start->errno_value);
  else
    result = tti_guile_make_handle (&server_type, g_steal_pointer (&start->server), FALSE);
  scm_dynwind_end ();
  return result;
}

/* --- between exchanges ------------------------------------------------------------------------------------------------------ */

static gboolean
server_has_ended (const Server *server)
{
  struct pollfd fd = { server->program->pidfd, POLLIN, 0 };

  return server->program->end != TTI_PROGRAM_RUNNING || fd.fd < 0 || poll (&fd, 1, 0) > 0;
}

/* (%command-server-state SERVER): ready for a question; ended; useless, because it has answered before it had read a question to its end,
 * whose rest it would take for the next one; or talking, because it has written something that it was not asked for. */
static SCM
command_server_state (SCM handle)
{
  Server *server = tti_guile_from_handle (&server_type, handle, 1, "%command-server-state");
  struct pollfd fd = { server->from, POLLIN, 0 };
  const char *state = "ready";
  int n_left = 0;

  if (poll (&fd, 1, 0) > 0 && ioctl (server->from, FIONREAD, &n_left) == 0 && n_left > 0)
    state = "talking";
  else if (server_has_ended (server) || fd.revents != 0)
    state = "ended";
  else if (server->n_sent < server->n_question)
    state = "useless";
  return scm_from_utf8_symbol (state);
}

/* --- exchange -------------------------------------------------------------------------------------------------------------- */

/* A program that stays may write errors for ever; of those the last ones are of use. */
static void
errors_forget (Server *server)
{
  struct stat status;

  if (fstat (server->errors, &status) == 0 && status.st_size > MOST_ERRORS && ftruncate (server->errors, 0) < 0)
    g_warning ("cannot shorten the errors of a program: %s", g_strerror (errno));
}

/* Write what is left of the question. A program that has closed its input does not end this process by SIGPIPE. FALSE: it has. */
static gboolean
exchange_write (Server *server)
{
  sigset_t pipe_signal, before;
  const struct timespec at_once = { 0 };
  gboolean open = TRUE;

  sigemptyset (&pipe_signal);
  sigaddset (&pipe_signal, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe_signal, &before);
  while (open && server->n_sent < server->n_question)
    {
      ssize_t n = write (server->to, server->question + server->n_sent, server->n_question - server->n_sent);

      if (n >= 0)
        server->n_sent += (gsize) n;
      else if (errno == EAGAIN)
        break;
      else
        open = errno == EINTR;
      if (!open && errno == EPIPE && sigismember (&before, SIGPIPE) == 0)
        sigtimedwait (&pipe_signal, NULL, &at_once);
    }
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return open;
}

static Exchange
exchange_read (Server *server)
{
  guint8 chunk[16384];

  for (;;)
    {
      ssize_t n = read (server->from, chunk, sizeof chunk);

      if (n > 0)
        g_byte_array_append (server->answer, chunk, (guint) n);
      if (server->answer->len > server->limit)
        return EXCHANGE_FLOODED;
      if (n > 0 && memchr (chunk, '\n', (gsize) n) != NULL)
        return EXCHANGE_ANSWERED;
      if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        return EXCHANGE_ENDED;
      if (n < 0 && errno == EAGAIN)
        return EXCHANGE_GOES_ON;
    }
}

static void *
server_exchange (void *data)
{
  Server *server = data;
  gint64 until = MIN (g_get_monotonic_time () + SLICE, server->deadline);
  Exchange state = EXCHANGE_GOES_ON;

  errors_forget (server);
  while (state == EXCHANGE_GOES_ON)
    {
      gboolean sending = server->n_sent < server->n_question;
      struct pollfd fds[] = { { server->from, POLLIN, 0 }, { sending ? server->to : -1, POLLOUT, 0 } };
      gint64 left = MAX (until - g_get_monotonic_time (), 0);
      int n = poll (fds, G_N_ELEMENTS (fds), (int) (left / 1000) + (left > 0));

      /* An answer that comes before the question was read to its end is one, and so are the last words of a program that ends. */
      if (n > 0 && fds[0].revents != 0)
        state = exchange_read (server);
      if (state == EXCHANGE_GOES_ON && n > 0 && fds[1].revents != 0 && !exchange_write (server))
        {
          server->deaf = TRUE;
          server->n_sent = server->n_question;
          server->deadline = MIN (server->deadline, g_get_monotonic_time () + END_PATIENCE);
          until = MIN (until, server->deadline);
        }
      if (n <= 0)
        break;
    }
  if (state == EXCHANGE_GOES_ON && g_get_monotonic_time () >= server->deadline)
    state = server->deaf ? EXCHANGE_DEAF : EXCHANGE_LATE;
  return GINT_TO_POINTER (state);
}

static void *
server_wait_for_end (void *data)
{
  return GINT_TO_POINTER (tti_program_wait (((Server *) data)->program, END_PATIENCE));
}

/* Whatever has not become an answer makes the program useless: nobody would know which question its next line answers. */
static SCM
exchange_result (Server *server, Exchange state)
{
  static const char *const words[]
    = { [EXCHANGE_LATE] = "late", [EXCHANGE_DEAF] = "deaf", [EXCHANGE_FLOODED] = "flooded" };

  if (state == EXCHANGE_ANSWERED)
    {
      SCM bytes = scm_c_make_bytevector (server->answer->len);

      memcpy (SCM_BYTEVECTOR_CONTENTS (bytes), server->answer->data, server->answer->len);
      g_byte_array_set_size (server->answer, 0);
      return bytes;
    }
  if (state != EXCHANGE_ENDED)
    return scm_cons (scm_from_utf8_symbol (words[state]), scm_from_int (0));
  tti_fd_clear (&server->to); /* a program that has only closed its output goes, or is ended */
  if (scm_without_guile (server_wait_for_end, server) == NULL)
    return scm_cons (scm_from_utf8_symbol ("silent"), scm_from_int (0));
  return tti_command_end (server->program);
}

/* (%command-exchange SERVER QUESTION SECONDS LIMIT): send the bytevector QUESTION, a line. -> the bytevector of all that the program has
 * written when a line was complete, at most LIMIT bytes; or (late . 0), (deaf . 0), (flooded . 0), (silent . 0), or how it has ended. */
static SCM
command_exchange (SCM handle, SCM question, SCM seconds, SCM limit)
{
  Server *server = tti_guile_from_handle (&server_type, handle, 1, "%command-exchange");
  Exchange state;

  server->question = (const char *) SCM_BYTEVECTOR_CONTENTS (question);
  server->n_question = SCM_BYTEVECTOR_LENGTH (question);
  server->n_sent = 0;
  server->limit = scm_to_size_t (limit);
  server->deadline = G_MAXINT64;
  if (scm_is_true (seconds))
    server->deadline
      = g_get_monotonic_time () + (gint64) (MIN (scm_to_double (seconds), MOST_SECONDS) * G_TIME_SPAN_SECOND);
  while ((state = (Exchange) GPOINTER_TO_INT (scm_without_guile (server_exchange, server))) == EXCHANGE_GOES_ON)
    scm_async_tick ();
  SCM result = exchange_result (server, state);

  scm_remember_upto_here_1 (question);
  return result;
}

/* (%command-errors SERVER): the bytevector of the last COUNT bytes of what the program has written to its standard error. */
static SCM
command_errors (SCM handle, SCM count)
{
  Server *server = tti_guile_from_handle (&server_type, handle, 1, "%command-errors");
  goffset size = MAX (lseek (server->errors, 0, SEEK_END), 0), n = MIN (size, (goffset) scm_to_size_t (count));
  SCM bytes = scm_c_make_bytevector ((size_t) n);

  if (pread (server->errors, SCM_BYTEVECTOR_CONTENTS (bytes), (size_t) n, size - n) != n)
    return scm_c_make_bytevector (0);
  return bytes;
}

/* (%command-stop-server! SERVER): end it, if it has not ended. */
static SCM
command_stop_server (SCM handle)
{
  Server *server = tti_guile_from_handle (&server_type, handle, 1, "%command-stop-server!");

  if (server != NULL)
    {
      tti_guile_empty_handle (handle);
      scm_without_guile (server_free, server);
    }
  return SCM_UNSPECIFIED;
}

void
tti_command_init_server (void)
{
  tti_guile_define_handle_type (&server_type);
  scm_c_define_gsubr ("%command-start-server", 3, 0, 0, (scm_t_subr) command_start_server);
  scm_c_define_gsubr ("%command-server-state", 1, 0, 0, (scm_t_subr) command_server_state);
  scm_c_define_gsubr ("%command-exchange", 4, 0, 0, (scm_t_subr) command_exchange);
  scm_c_define_gsubr ("%command-errors", 2, 0, 0, (scm_t_subr) command_errors);
  scm_c_define_gsubr ("%command-stop-server!", 1, 0, 0, (scm_t_subr) command_stop_server);
}
