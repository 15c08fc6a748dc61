/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Companions: how they are started, started again, and waited for. A thread of its own starts one again: that may take a moment, in which
 * the engine's thread has other things to do. */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "pool/engine-private.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum
{
  MOST_SAID = 16 * 1024,                      /* bytes that it may say until it serves */
  MOST_SECRET = 4096,
  FIRST_PAUSE_US = G_USEC_PER_SEC,
  MOST_DOUBLINGS = 6,
  LONG_LIFE_US = 60 * G_USEC_PER_SEC          /* after which the pauses begin anew */
};

/* It serves, or waits to be started again, or is being started by THREAD. */
typedef struct
{
  TtiEngine *engine;
  char *name, *program, *secret;
  char **argv;
  gboolean is_awaited;
  gboolean is_last;        /* it is started for the last time, at the engine's end */
  TtiEngineViewer *viewer; /* NULL: it does not look now */
  GSource *restart;        /* wakes the engine's thread when it is to be started again */
  GThread *thread;         /* which starts it, or has done so and is to be joined; NULL: none */
  gboolean starting;       /* that thread is at work */
  gboolean is_awaited_now; /* it has served, does not now, and will again; counted in the engine */
  gint64 since;            /* when it was started last */
  guint n_failed;          /* starts, or short lives, in a row */
} TtiCompanionState;

typedef struct
{
  TtiEngineSource source;
  TtiCompanionState *companion;
} RestartSource;

/* --- one start --------------------------------------------------------------------------------------------------------------- */

/* The descriptors of a start: our ends, and the companion's. */
typedef struct
{
  int socket[2], said[2], secret[2];
} Channels;

static void
channels_clear (Channels *channels)
{
  for (guint i = 0; i < 2; i++)
    {
      tti_fd_clear (&channels->socket[i]);
      tti_fd_clear (&channels->said[i]);
      tti_fd_clear (&channels->secret[i]);
    }
}

static gboolean
channels_open (Channels *channels, const char *secret, GError **error)
{
  gsize length = secret != NULL ? strlen (secret) : 0;

  *channels = (Channels){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
  g_return_val_if_fail (length <= MOST_SECRET, FALSE);
  if (!tti_fd_socket_pair (SOCK_SEQPACKET, channels->socket, error) || !tti_fd_pipe (channels->said, error)
      || !tti_fd_pipe (channels->secret, error))
    return FALSE;
  /* A pipe has room for that. */
  if (length > 0 && write (channels->secret[1], secret, length) != (gssize) length)
    {
      tti_set_errno (error, errno, "cannot pass a secret on");
      return FALSE;
    }
  tti_fd_clear (&channels->secret[1]);
  return TRUE;
}

static pid_t
companion_spawn (TtiCompanionState *companion, const Channels *channels, GError **error)
{
  g_auto (GStrv) environment = g_get_environ ();
  const int fds[] = { -1, 1, 2, channels->socket[1], channels->said[1], channels->secret[0] };
  const TtiSpawn spawn = { .path = companion->program, .argv = (const char *const *) companion->argv,
                           .envp = (const char *const *) environment, .fds = fds, .n_fds = G_N_ELEMENTS (fds), .new_group = TRUE };

  return tti_spawn (&spawn, error);
}

/* Read what there is of FD into TEXT. */
static void
read_said (int fd, GString *text)
{
  char bytes[1024];

  for (gssize n; text->len < MOST_SAID && (n = read (fd, bytes, sizeof bytes)) != 0;)
    if (n > 0)
      g_string_append_len (text, bytes, n);
    else if (errno != EINTR)
      return;
}

/* Wait until process PID has ended, and take what it says meanwhile from FD. Returns its status as waitpid () tells it; -1 with ERROR. */
static int
await_first_process (pid_t pid, int fd, GString *said, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + TTI_COMPANION_PATIENCE_MS * (gint64) 1000;
  tti_autofd int pidfd = tti_process_open (pid, NULL);
  gboolean ended = pidfd < 0 || tti_fd_wait (pidfd, POLLIN, deadline);
  int status = -1;

  if (!ended)
    kill (pid, SIGKILL);
  read_said (fd, said);
  while (waitpid (pid, &status, 0) < 0)
    if (errno != EINTR)
      {
        status = 0; /* somebody else in this process has reaped it: whether it serves is seen at its socket */
        break;
      }
  if (ended)
    return status;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, "it was not ready within %d s", TTI_COMPANION_PATIENCE_MS / 1000);
  return -1;
}

/* Take over what it SAID. FALSE: that is why it cannot serve. */
static gboolean
companion_take_said (TtiCompanionState *companion, const char *said, int status, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  const char *reason = NULL;

  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], "say "))
      {
        g_auto (GStrv) parts = g_strsplit (lines[i], " ", 3);

        if (g_strv_length (parts) == 3)
          tti_engine_note (companion->engine, parts[1], parts[2]);
      }
    else if (reason == NULL && lines[i][0] != '\0')
      reason = lines[i];
  if (status == 0)
    return TRUE;
  if (reason != NULL)
    g_set_error_literal (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, reason);
  else if (WIFSIGNALED (status))
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, "it was ended by signal %d", WTERMSIG (status));
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, "it has ended with status %d", WEXITSTATUS (status));
  return FALSE;
}

static void companion_ended_locked (gpointer data);

static gboolean
companion_connect (TtiCompanionState *companion, int *socket, GError **error)
{
  TtiEngine *engine = companion->engine;

  tti_engine_lock (engine);
  if (companion->is_last || !tti_engine_is_over_locked (engine, error))
    companion->viewer = tti_engine_add_viewer_locked (engine, g_steal_fd (socket), companion_ended_locked, companion, error);
  gboolean connected = companion->viewer != NULL;

  tti_engine_unlock (engine);
  return connected;
}

static void
companion_disconnect (TtiCompanionState *companion)
{
  tti_engine_lock (companion->engine);
  if (companion->viewer != NULL)
    tti_engine_remove_viewer_locked (companion->engine, companion->viewer);
  companion->viewer = NULL;
  tti_engine_unlock (companion->engine);
}

/* Start it, and wait until it serves. */
static gboolean
companion_start (TtiCompanionState *companion, GError **error)
{
  g_autoptr (GString) said = g_string_new (NULL);
  Channels channels;
  int status = -1;

  companion->since = g_get_monotonic_time ();
  /* What happens while it starts is not to be missed. */
  gboolean connected = channels_open (&channels, companion->secret, error) && companion_connect (companion, &channels.socket[0], error);
  pid_t pid = connected ? companion_spawn (companion, &channels, error) : -1;

  tti_fd_clear (&channels.socket[1]);
  tti_fd_clear (&channels.said[1]);
  if (pid > 0)
    status = await_first_process (pid, channels.said[0], said, error);
  gboolean started = status >= 0 && companion_take_said (companion, said->str, status, error);

  channels_clear (&channels);
  if (!started)
    companion_disconnect (companion);
  return started;
}

/* --- starting it again ------------------------------------------------------------------------------------------------------- */

/* What happens is written as long as it is going to be read. */
static void
companion_await_locked (TtiCompanionState *companion, gboolean awaited)
{
  TTI_ASSERT_LOCKED (&companion->engine->lock);
  if (companion->is_awaited_now != awaited)
    companion->engine->looking.n_awaited += awaited ? 1 : -1u;
  companion->is_awaited_now = awaited;
  tti_engine_update_watched_locked (companion->engine);
}

static void
companion_plan_restart_locked (TtiCompanionState *companion)
{
  TTI_ASSERT_LOCKED (&companion->engine->lock);
  gint64 now = g_get_monotonic_time ();

  if (now - companion->since > LONG_LIFE_US)
    companion->n_failed = 0;
  g_source_set_ready_time (companion->restart, now + ((gint64) FIRST_PAUSE_US << MIN (companion->n_failed, MOST_DOUBLINGS)));
  companion->n_failed++;
}

static void
companion_ended_locked (gpointer data)
{
  TTI_ASSERT_LOCKED (&((TtiCompanionState *) data)->engine->lock);
  TtiCompanionState *companion = data;

  companion->viewer = NULL;
  if (companion->engine->ending || companion->starting)
    return;
  companion_await_locked (companion, TRUE);
  tti_engine_tell (companion->engine, "%s has ended and is started again", companion->name);
  companion_plan_restart_locked (companion);
}

static gpointer
companion_restart (gpointer data)
{
  TtiCompanionState *companion = data;
  TtiEngine *engine = companion->engine;
  g_autoptr (GError) error = NULL;
  gboolean started = companion_start (companion, &error);

  tti_engine_lock (engine);
  companion->starting = FALSE;
  if (companion->viewer != NULL)
    companion_await_locked (companion, FALSE);
  if (!engine->ending && (!started || companion->viewer == NULL))
    {
      if (companion->n_failed == 1)
        tti_engine_tell (engine, "%s cannot be started again: %s; it is tried again", companion->name,
                         started ? "it has ended at once" : error->message);
      companion_plan_restart_locked (companion);
    }
  tti_engine_unlock (engine);
  return NULL;
}

static gboolean
restart_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TtiCompanionState *companion = ((RestartSource *) source)->companion;
  TtiEngine *engine = companion->engine;

  (void) callback;
  (void) data;
  g_source_set_ready_time (source, -1);
  tti_engine_lock (engine);
  gboolean start = !engine->ending && !companion->starting && companion->viewer == NULL;
  GThread *before = start ? g_steal_pointer (&companion->thread) : NULL;

  companion->starting = start;
  tti_engine_unlock (engine);
  if (before != NULL)
    g_thread_join (before);
  if (!start)
    return G_SOURCE_CONTINUE;
  companion->thread = g_thread_try_new ("tutti-companion", companion_restart, companion, NULL);
  if (companion->thread == NULL)
    {
      tti_engine_lock (engine);
      companion->starting = FALSE;
      companion_plan_restart_locked (companion);
      tti_engine_unlock (engine);
    }
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs restart_funcs = { .dispatch = restart_dispatch };

/* --- its life ---------------------------------------------------------------------------------------------------------------- */

static TtiCompanionState *
companion_new (TtiEngine *engine, const TtiCompanion *companion)
{
  TtiCompanionState *state = g_new0 (TtiCompanionState, 1);

  state->engine = engine;
  state->name = g_strdup (companion->name);
  state->program = g_strdup (companion->program);
  state->argv = g_strdupv ((char **) companion->argv);
  state->secret = g_strdup (companion->secret);
  state->is_awaited = companion->is_awaited;
  state->starting = TRUE;
  state->restart = tti_engine_add_source (engine, &restart_funcs, sizeof (RestartSource), "[tutti] companion");
  ((RestartSource *) state->restart)->companion = state;
  return state;
}

void
tti_companion_free (gpointer data)
{
  TtiCompanionState *companion = data;

  if (companion->thread != NULL)
    g_thread_join (companion->thread);
  g_source_destroy (companion->restart);
  g_source_unref (companion->restart);
  g_free (companion->name);
  g_free (companion->program);
  g_free (companion->secret);
  g_strfreev (companion->argv);
  g_free (companion);
}

gboolean
tti_engine_add_companion (TtiEngine *engine, const TtiCompanion *companion, GError **error)
{
  if (tti_engine_is_copy (error))
    return FALSE;
  TtiCompanionState *state = companion_new (engine, companion);

  if (!companion_start (state, error))
    {
      tti_companion_free (state);
      g_prefix_error (error, "cannot start %s: ", companion->name);
      return FALSE;
    }
  tti_engine_lock (engine);
  state->starting = FALSE;
  g_ptr_array_add (engine->looking.companions, state);
  if (state->viewer == NULL && !engine->ending)
    companion_plan_restart_locked (state);
  tti_engine_unlock (engine);
  return TRUE;
}

/* Let COMPANION do what is left to do, until DEADLINE at most. One that has died before it had done that is started once more: what it has
 * not seen is in the ring. FALSE: it is still at it. */
static gboolean
companion_finish (TtiCompanionState *companion, gint64 deadline)
{
  g_autoptr (GError) error = NULL;
  gboolean finished = FALSE;

  if (companion->viewer != NULL && !tti_engine_await_viewer (companion->viewer, deadline, &finished))
    return FALSE;
  if (finished)
    return TRUE;
  companion_disconnect (companion);
  companion->is_last = TRUE;
  if (companion_start (companion, &error))
    return tti_engine_await_viewer (companion->viewer, deadline, &finished);
  tti_engine_tell (companion->engine, "%s cannot be started again: %s; what has happened last is not seen by it", companion->name,
                   error->message);
  return TRUE;
}

void
tti_engine_end_companions (TtiEngine *engine)
{
  gint64 deadline = g_get_monotonic_time () + TTI_COMPANION_GRACE_MS * (gint64) 1000;

  /* The engine is ending, and its thread has ended: the list does not change any more. */
  for (guint i = 0; i < engine->looking.companions->len; i++)
    {
      TtiCompanionState *companion = g_ptr_array_index (engine->looking.companions, i);

      if (companion->thread != NULL)
        g_thread_join (g_steal_pointer (&companion->thread));
      if (companion->is_awaited && !companion_finish (companion, deadline))
        tti_engine_tell (engine, "%s has not ended within %d s; it goes on by itself", companion->name, TTI_COMPANION_GRACE_MS / 1000);
    }
}
