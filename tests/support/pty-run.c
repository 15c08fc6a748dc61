/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Run a program on a terminal of its own, as a person would: wait for what it shows, type, interrupt, wait for its end.
 *
 *   pty-run COMMAND [ARG...]      with steps on the standard input, one a line:
 *     expect SECONDS TEXT         TEXT is shown after what the step before has seen
 *     send TEXT                   type TEXT
 *     size COLUMNS                make the terminal so wide (it begins with 100); CSI 8;24;COLUMNSt marks the place in what was shown
 *     signal NUMBER               send the program a signal
 *     run COMMAND                 let a shell run COMMAND, until its end
 *     cooked SECONDS              the terminal shows what is typed, and passes it on by lines
 *     exit SECONDS                the program ends
 *
 * TEXT has the escapes of C: \n, \003 for Ctrl-C. On the standard output comes a transcript: for each step "step NUMBER
 * ok|failed MILLISECONDS LINE", the time being that since the end of the step before; how it ended, "exited STATUS", "signal NUMBER" or
 * "alive" (then it is killed); and all that was shown, each line after "> " with control characters as \xNN. A step that fails ends
 * it. The status is 0 if all steps were fine. Every wait has its deadline. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define SEND_SECONDS 5.0

typedef struct
{
  pid_t pid;
  int pidfd, terminal;
  GString *shown;
  gsize seen;      /* how much of it the steps have seen */
  gboolean open;   /* the terminal has not ended */
  gboolean ended;
  int status;      /* of waitpid, if it has ended */
} Session;

static gint64
deadline_after (double seconds)
{
  return g_get_monotonic_time () + (gint64) (seconds * G_TIME_SPAN_SECOND);
}

static void
session_start (Session *self, char **argv)
{
  struct winsize size = { .ws_row = 24, .ws_col = 100 };

  self->shown = g_string_new (NULL);
  self->pid = forkpty (&self->terminal, NULL, NULL, &size);
  if (self->pid == 0)
    {
      execvp (argv[0], argv);
      fprintf (stderr, "pty-run: cannot start %s: %s\n", argv[0], strerror (errno));
      _exit (127);
    }
  if (self->pid < 0 || (self->pidfd = pidfd_open (self->pid, 0)) < 0)
    {
      perror ("pty-run: no terminal");
      exit (2);
    }
  fcntl (self->terminal, F_SETFD, FD_CLOEXEC);
  fcntl (self->terminal, F_SETFL, O_NONBLOCK);
  self->open = TRUE;
}

/* Take what is shown now. */
static void
session_read (Session *self)
{
  char buffer[4096];
  ssize_t n;

  while ((n = read (self->terminal, buffer, sizeof buffer)) > 0)
    g_string_append_len (self->shown, buffer, n);
  /* EIO: nobody has the other side open any more. */
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    self->open = FALSE;
}

static void
session_reap (Session *self)
{
  if (!self->ended && waitpid (self->pid, &self->status, WNOHANG) == self->pid)
    self->ended = TRUE;
}

/* Wait for something to happen, at most until DEADLINE. FALSE: it has passed. */
static gboolean
session_wait (Session *self, gint64 deadline, short events)
{
  gint64 rest = deadline - g_get_monotonic_time ();
  struct pollfd fds[] = { { .fd = self->open ? self->terminal : -1, .events = (short) (POLLIN | events) },
                          { .fd = self->ended ? -1 : self->pidfd, .events = POLLIN } };

  if (rest <= 0 || (!self->open && self->ended))
    return FALSE;
  poll (fds, G_N_ELEMENTS (fds), (int) (rest / 1000 + 1));
  session_reap (self);
  if (self->open)
    session_read (self);
  return TRUE;
}

static gboolean
step_expect (Session *self, double seconds, const char *text)
{
  gint64 deadline = deadline_after (seconds);

  for (;;)
    {
      const char *found = strstr (self->shown->str + self->seen, text);

      if (found != NULL)
        {
          self->seen = (gsize) (found - self->shown->str) + strlen (text);
          return TRUE;
        }
      if (!session_wait (self, deadline, 0))
        return FALSE;
    }
}

static gboolean
step_send (Session *self, const char *text)
{
  gint64 deadline = deadline_after (SEND_SECONDS);

  for (gsize done = 0; text[done] != '\0';)
    {
      ssize_t n = write (self->terminal, text + done, strlen (text + done));

      if (n > 0)
        done += (gsize) n;
      else if (errno != EAGAIN || !session_wait (self, deadline, POLLOUT))
        return FALSE;
    }
  return TRUE;
}

static gboolean
step_size (Session *self, guint columns)
{
  struct winsize size = { .ws_row = 24, .ws_col = (unsigned short) columns };

  session_read (self);
  if (ioctl (self->terminal, TIOCSWINSZ, &size) != 0)
    return FALSE;
  g_string_append_printf (self->shown, "\x1b[8;24;%ut", columns);
  return TRUE;
}

static gboolean
step_cooked (Session *self, double seconds)
{
  gint64 deadline = deadline_after (seconds);
  struct termios mode;

  while (tcgetattr (self->terminal, &mode) != 0 || (mode.c_lflag & ICANON) == 0 || (mode.c_lflag & ECHO) == 0)
    {
      if (g_get_monotonic_time () >= deadline)
        return FALSE;
      g_usleep (1000);
    }
  return TRUE;
}

static gboolean
step_exit (Session *self, double seconds)
{
  gint64 deadline = deadline_after (seconds);

  while (!self->ended)
    if (!session_wait (self, deadline, 0))
      return FALSE;
  session_read (self);
  return TRUE;
}

/* LINE is one step. A step that cannot be understood has failed. */
static gboolean
session_step (Session *self, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 3);
  guint n = g_strv_length (words);

  if (n == 3 && strcmp (words[0], "expect") == 0)
    {
      g_autofree char *text = g_strcompress (words[2]);
      return step_expect (self, g_ascii_strtod (words[1], NULL), text);
    }
  if (n >= 2 && strcmp (words[0], "send") == 0)
    {
      g_autofree char *text = g_strcompress (line + strlen ("send "));
      return step_send (self, text);
    }
  if (n == 2 && strcmp (words[0], "size") == 0)
    return step_size (self, (guint) g_ascii_strtoull (words[1], NULL, 10));
  if (n == 2 && strcmp (words[0], "signal") == 0)
    return kill (self->pid, (int) g_ascii_strtoull (words[1], NULL, 10)) == 0;
  if (n >= 2 && strcmp (words[0], "run") == 0)
    return system (line + strlen ("run ")) == 0;
  if (n == 2 && strcmp (words[0], "cooked") == 0)
    return step_cooked (self, g_ascii_strtod (words[1], NULL));
  if (n == 2 && strcmp (words[0], "exit") == 0)
    return step_exit (self, g_ascii_strtod (words[1], NULL));
  fprintf (stderr, "pty-run: no such step: %s\n", line);
  return FALSE;
}

static gboolean
session_run (Session *self)
{
  char *line = NULL;
  size_t size = 0;
  gint64 before = g_get_monotonic_time ();
  gboolean fine = TRUE;

  for (int number = 1; fine && getline (&line, &size, stdin) > 0; number++)
    {
      line[strcspn (line, "\n")] = '\0';
      fine = session_step (self, line);
      gint64 after = g_get_monotonic_time ();
      printf ("step %d %s %.1f %s\n", number, fine ? "ok" : "failed", (double) (after - before) / 1000, line);
      before = after;
    }
  free (line);
  return fine;
}

/* What is left of the session is killed: the program, and what is in its terminal's foreground. */
static void
session_end (Session *self)
{
  session_reap (self);
  if (!self->ended)
    {
      pid_t foreground = tcgetpgrp (self->terminal);

      printf ("alive\n");
      if (foreground > 0)
        kill (-foreground, SIGKILL);
      kill (self->pid, SIGKILL);
      waitpid (self->pid, &self->status, 0);
    }
  else if (WIFSIGNALED (self->status))
    printf ("signal %d\n", WTERMSIG (self->status));
  else
    printf ("exited %d\n", WEXITSTATUS (self->status));
  session_read (self);
}

static void
print_shown (const GString *shown)
{
  gboolean fresh = TRUE;

  for (gsize i = 0; i < shown->len; i++)
    {
      guchar c = (guchar) shown->str[i];

      if (fresh)
        printf ("> ");
      fresh = c == '\n';
      if (c != '\n' && (c < ' ' || c == 127))
        printf ("\\x%02x", c);
      else
        putchar (c);
    }
  if (!fresh)
    putchar ('\n');
}

int
main (int argc, char **argv)
{
  Session session = { 0 };

  if (argc < 2)
    {
      fprintf (stderr, "usage: pty-run COMMAND [ARG...] < STEPS\n");
      return 2;
    }
  session_start (&session, argv + 1);
  gboolean fine = session_run (&session);
  session_end (&session);
  print_shown (session.shown);
  return fine ? 0 : 1;
}
