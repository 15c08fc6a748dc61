/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of the watcher: a link whose events become lines, and stub workers behind it. */
#pragma once
#include "platform/error.h"
#include "platform/fd.h"
#include "process/watcher-link.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 60 /* s: only what hangs takes longer, on any machine */
#define SECONDS(n) (g_get_monotonic_time () + (n) * G_TIME_SPAN_SECOND)

typedef struct
{
  GMainContext *context;
  TtiWatcherLink *link;
  GPtrArray *events;      /* "spawned 1", "exited 1 STATUS SIGNAL", … */
  guint64 peak_memory;    /* of the last that exited */
  TtiExitCause cause;
  pid_t pid;              /* of the last that was spawned */
  char *message;          /* of the last failure, loss or exit */
  gboolean close_on_lost;
} Fixture;

typedef struct
{
  int control, output, errors;
  guint64 generation;
} Stub;

static inline void
fixture_note (Fixture *fixture, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (fixture->events, g_strdup_vprintf (format, args));
  va_end (args);
}

static inline void
on_spawned (gpointer user_data, guint64 generation, pid_t pid, int pidfd)
{
  Fixture *fixture = user_data;

  fixture->pid = pid;
  g_assert_cmpint (pidfd, >=, 0);
  tti_fd_clear (&pidfd);
  fixture_note (fixture, "spawned %" G_GUINT64_FORMAT, generation);
}

static inline void
on_failed (gpointer user_data, guint64 generation, int saved_errno, const char *message)
{
  Fixture *fixture = user_data;

  g_free (fixture->message);
  fixture->message = g_strdup (message);
  fixture_note (fixture, "failed %" G_GUINT64_FORMAT " %d", generation, saved_errno);
}

static inline void
on_exited (gpointer user_data, guint64 generation, const TtiWorkerExit *exit)
{
  Fixture *fixture = user_data;

  fixture->peak_memory = exit->peak_memory;
  fixture->cause = exit->cause;
  g_free (fixture->message);
  fixture->message = g_strdup (exit->detail);
  fixture_note (fixture, "exited %" G_GUINT64_FORMAT " %d %d", generation, exit->status, exit->signal);
}

static inline void
on_stopped (gpointer user_data, guint64 generation, int signal)
{
  fixture_note (user_data, "stopped %" G_GUINT64_FORMAT " %d", generation, signal);
}

static inline void
on_lost (gpointer user_data, const char *reason)
{
  Fixture *fixture = user_data;

  g_free (fixture->message);
  fixture->message = g_strdup (reason);
  fixture_note (fixture, "lost");
  if (fixture->close_on_lost)
    g_clear_pointer (&fixture->link, tti_watcher_link_unref);
}

static const TtiWatcherLinkEvents fixture_events = {
  .spawned = on_spawned, .failed = on_failed, .exited = on_exited, .stopped = on_stopped, .lost = on_lost,
};

static inline char *
watcher_path (void)
{
  return g_build_filename (g_getenv ("TUTTI_LIBEXECDIR"), "tutti-watcher", NULL);
}

static inline char *
stub_path (void)
{
  return g_build_filename (g_getenv ("TUTTI_HELPERS"), "stub-worker", NULL);
}

static inline void
fixture_open (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *program = watcher_path ();

  *fixture = (Fixture){ .context = g_main_context_new (), .events = g_ptr_array_new_with_free_func (g_free) };
  fixture->link = tti_watcher_link_new (program, fixture->context, &fixture_events, fixture, &error);
  g_assert_no_error (error);
}

static inline void
fixture_close (Fixture *fixture)
{
  tti_watcher_link_unref (fixture->link);
  g_main_context_unref (fixture->context);
  g_ptr_array_unref (fixture->events);
  g_free (fixture->message);
}

static inline guint
fixture_count (Fixture *fixture, const char *event)
{
  guint n = 0;

  for (guint i = 0; i < fixture->events->len; i++)
    n += strcmp (g_ptr_array_index (fixture->events, i), event) == 0;
  return n;
}

static inline gboolean
fixture_wake (gpointer late)
{
  *(gboolean *) late = TRUE;
  return G_SOURCE_REMOVE;
}

/* Run the context until at least N EVENTs have come, or fail. */
static inline void
fixture_await_n (Fixture *fixture, const char *event, guint n)
{
  gboolean late = FALSE;
  g_autoptr (GSource) deadline = g_timeout_source_new_seconds (PATIENCE);

  g_source_set_callback (deadline, fixture_wake, &late, NULL);
  g_source_attach (deadline, fixture->context);
  while (fixture_count (fixture, event) < n && !late)
    g_main_context_iteration (fixture->context, TRUE);
  g_source_destroy (deadline);
  if (!late)
    return;
  g_ptr_array_add (fixture->events, NULL);
  g_autofree char *log = g_strjoinv (", ", (char **) fixture->events->pdata);

  g_error ("waiting for '%s' in vain; what came: %s", event, log);
}

static inline void
fixture_await (Fixture *fixture, const char *event)
{
  fixture_await_n (fixture, event, 1);
}

static inline void
stub_clear (Stub *stub)
{
  tti_fd_clear (&stub->control);
  tti_fd_clear (&stub->output);
  tti_fd_clear (&stub->errors);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Stub, stub_clear)

/* Ask for a stub worker that does ACTIONS (words with a space between). */
static inline Stub
stub_start_limited (Fixture *fixture, guint64 generation, const char *actions, guint64 memory_limit)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = stub_path ();
  g_autofree char *line = g_strdup_printf ("stub-worker%s%s", *actions ? " " : "", actions);
  g_auto (GStrv) argv = g_strsplit (line, " ", -1);
  const char *envp[] = { "TUTTI_ONE=1", "TUTTI_EMPTY=", NULL };
  TtiWatcherProgram program = { .path = path, .argv = (const char *const *) argv, .envp = envp };
  int control[2], output[2], errors[2];

  g_assert_true (tti_fd_socket_pair (SOCK_SEQPACKET, control, NULL));
  g_assert_true (tti_fd_pipe (output, NULL));
  g_assert_true (tti_fd_pipe (errors, NULL));
  g_assert_true (tti_watcher_link_spawn (fixture->link, generation, &program, control[1], output[1], errors[1], 500,
                                         memory_limit, &error));
  g_assert_no_error (error);
  tti_fd_clear (&control[1]);
  tti_fd_clear (&output[1]);
  tti_fd_clear (&errors[1]);
  return (Stub){ control[0], output[0], errors[0], generation };
}

static inline Stub
stub_start (Fixture *fixture, guint64 generation, const char *actions)
{
  return stub_start_limited (fixture, generation, actions, 0);
}

/* The next line of the stub's output, without its end; NULL when there is no more. */
static inline char *
stub_read_line (Stub *stub)
{
  g_autoptr (GString) line = g_string_new (NULL);
  gint64 deadline = SECONDS (PATIENCE);
  char byte;

  for (;;)
    {
      g_assert_true (tti_fd_wait (stub->output, POLLIN, deadline));
      gssize n = read (stub->output, &byte, 1);

      g_assert_cmpint (n, >=, 0);
      if (n == 0)
        return NULL;
      if (byte == '\n')
        return g_string_free (g_steal_pointer (&line), FALSE);
      g_string_append_c (line, byte);
    }
}

/* The number in the stub's next line, which must begin with WORD. */
static inline pid_t
stub_expect (Stub *stub, const char *word)
{
  g_autofree char *line = stub_read_line (stub);

  g_assert_nonnull (line);
  g_assert_true (g_str_has_prefix (line, word));
  return (pid_t) g_ascii_strtoll (line + strlen (word), NULL, 10);
}

/* All that this process has started is reaped. */
static inline void
assert_no_children (void)
{
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

/* Whether PID runs, by /proc: a zombie does not. */
static inline gboolean
is_alive (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  const char *name_end = strrchr (text, ')');

  return name_end != NULL && name_end[2] != 'Z' && name_end[2] != 'X';
}
