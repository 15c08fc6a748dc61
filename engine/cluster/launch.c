/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Commands are what workers are for the watcher, which gives a worker three things that these do not expect: /dev/null as standard input,
 * a control channel, and a descriptor of the master. So the control channel is a pipe with the input, and a shell puts it in its place
 * before it becomes the command.
 *
 * The input is a pipe and no file, as some programs wait for theirs with epoll (), which refuses files. This side keeps the reading end
 * until all is written: so writing never fails, nor raises SIGPIPE, though the command may end before. */
#include "cluster/launch.h"
#include "cluster/credentials.h"
#include "platform/error.h"
#include "platform/fd-limit.h"
#include "platform/fd.h"
#include "platform/process-mark.h"
#include "process/output.h"
#include "process/watcher-link.h"
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum
{
  KEPT_LINES = 20,
  READ_AT_ONCE = 64 * 1024,
  LEFT_AT_END = 1024 * 1024 /* more than a pipe holds */
};

static const char take_input[] = "exec \"$@\" <&3 3<&- 4<&-";
G_STATIC_ASSERT (TTI_WORKER_FD_CONTROL == 3 && TTI_WORKER_FD_MASTER == 4);

struct _TtiLaunches
{
  char *program;
  GMainContext *context;
  TtiWatcherLink *link; /* NULL: not started, or lost */
  gboolean lost;        /* the link is, and can only be freed, but not from its own event */
  GHashTable *running;  /* from the generation of each to TtiLaunch */
  guint64 last;         /* generation */
};

/* One of the two outputs. */
typedef struct
{
  TtiLaunch *launch;
  gboolean is_error;
  TtiOutput *lines;
  GSource *source;
} Stream;

struct _TtiLaunch
{
  guint references; /* the user's; those that an event needs while it is delivered */
  TtiLaunches *launches; /* NULL: it has ended, or was freed */
  guint64 generation;
  const TtiLaunchEvents *events; /* NULL: it was freed */
  gpointer data;
  Stream streams[2];
  GQueue kept; /* lines */
  char *input; /* secret */
  gsize written, size;
  int input_fds[2];
  GSource *writing;
};

/* Life. */

static void
end_source (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
forget_input (TtiLaunch *launch)
{
  end_source (&launch->writing);
  tti_fd_clear (&launch->input_fds[0]);
  tti_fd_clear (&launch->input_fds[1]);
  g_clear_pointer (&launch->input, tti_secret_free);
}

static void
launch_unref (TtiLaunch *launch)
{
  if (--launch->references > 0)
    return;
  forget_input (launch);
  for (guint i = 0; i < G_N_ELEMENTS (launch->streams); i++)
    {
      end_source (&launch->streams[i].source);
      tti_output_free (launch->streams[i].lines);
    }
  g_queue_clear_full (&launch->kept, g_free);
  g_free (launch);
}

/* It runs no more. */
static void
leave (TtiLaunch *launch)
{
  if (launch->launches != NULL)
    g_hash_table_remove (launch->launches->running, &launch->generation);
  launch->launches = NULL;
  forget_input (launch);
  end_source (&launch->streams[0].source);
  end_source (&launch->streams[1].source);
}

static void
finish (TtiLaunch *launch, int status, int signal, const char *reason)
{
  launch->references++;
  for (guint i = 0; i < G_N_ELEMENTS (launch->streams) && launch->events != NULL; i++)
    tti_output_read (launch->streams[i].lines, LEFT_AT_END);
  leave (launch);
  if (launch->events != NULL)
    launch->events->ended (launch, status, signal, reason, launch->data);
  launch_unref (launch);
}

/* Lines. */

static void
take_line (const char *line, gsize length, gpointer user_data)
{
  Stream *stream = user_data;
  TtiLaunch *launch = stream->launch;
  g_autofree char *text = g_utf8_make_valid (line, (gssize) length);

  if (launch->events == NULL)
    return;
  g_queue_push_tail (&launch->kept, g_strdup (text));
  if (launch->kept.length > KEPT_LINES)
    g_free (g_queue_pop_head (&launch->kept));
  launch->events->line (launch, stream->is_error, text, launch->data);
}

static gboolean
take_output (gint fd, GIOCondition condition, gpointer user_data)
{
  Stream *stream = user_data;
  TtiLaunch *launch = stream->launch;
  gboolean more;

  (void) fd;
  (void) condition;
  launch->references++;
  more = tti_output_read (stream->lines, READ_AT_ONCE);
  if (!more)
    end_source (&stream->source);
  launch_unref (launch);
  return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static GSource *
watch (TtiLaunches *launches, int fd, GIOCondition condition, GUnixFDSourceFunc function, gpointer data)
{
  GSource *source = g_unix_fd_source_new (fd, condition);

  g_source_set_static_name (source, "[tutti-launch]");
  g_source_set_callback (source, G_SOURCE_FUNC (function), data, NULL);
  g_source_attach (source, launches->context);
  return source;
}

/* Input. */

/* Write what the pipe takes; FALSE: all is written. */
static gboolean
write_input (gint fd, GIOCondition condition, gpointer user_data)
{
  TtiLaunch *launch = user_data;
  ssize_t n = write (fd, launch->input + launch->written, launch->size - launch->written);

  (void) condition;
  launch->written += (gsize) MAX (n, 0);
  if (launch->written < launch->size && (n >= 0 || errno == EAGAIN || errno == EINTR))
    return G_SOURCE_CONTINUE;
  forget_input (launch);
  return G_SOURCE_REMOVE;
}

static gboolean
open_input (TtiLaunch *launch, const char *input, GError **error)
{
  launch->size = strlen (input);
  launch->input = g_strdup (input);
  if (!tti_fd_pipe (launch->input_fds, error))
    return FALSE;
  /* The command expects an end that blocks, and this side writes to one that does not. */
  if (fcntl (launch->input_fds[0], F_SETFL, 0) == 0 && fcntl (launch->input_fds[1], F_SETFL, O_NONBLOCK) == 0)
    return TRUE;
  tti_set_errno (error, errno, "cannot prepare a pipe");
  return FALSE;
}

/* News of the watcher. */

static void
spawned (gpointer user_data, guint64 generation, pid_t pid, int pidfd)
{
  (void) user_data;
  (void) generation;
  (void) pid;
  tti_fd_clear (&pidfd);
}

static TtiLaunch *
find (TtiLaunches *launches, guint64 generation)
{
  return g_hash_table_lookup (launches->running, &generation);
}

static void
failed (gpointer user_data, guint64 generation, int saved_errno, const char *message)
{
  TtiLaunch *launch = find (user_data, generation);

  (void) saved_errno;
  if (launch != NULL)
    finish (launch, -1, 0, message);
}

static void
exited (gpointer user_data, guint64 generation, const TtiWorkerExit *exit)
{
  TtiLaunch *launch = find (user_data, generation);

  if (launch != NULL)
    finish (launch, exit->status, exit->signal, *exit->detail != '\0' ? exit->detail : NULL);
}

/* It is the batch system's or the user's to continue it. */
static void
stopped (gpointer user_data, guint64 generation, int signal)
{
  (void) user_data;
  (void) generation;
  (void) signal;
}

static void
lost (gpointer user_data, const char *reason)
{
  TtiLaunches *launches = user_data;
  g_autofree char *text = g_strdup_printf ("what watches the command has gone, and so has the command: %s", reason);
  GHashTableIter iterator;
  gpointer launch;

  launches->lost = TRUE;
  /* Each event may free others. */
  for (g_hash_table_iter_init (&iterator, launches->running); g_hash_table_iter_next (&iterator, NULL, &launch);
       g_hash_table_iter_init (&iterator, launches->running))
    finish (launch, -1, SIGKILL, text);
}

static const TtiWatcherLinkEvents link_events
  = { .spawned = spawned, .failed = failed, .exited = exited, .stopped = stopped, .lost = lost };

TtiLaunches *
tti_launches_new (const char *program, GMainContext *context)
{
  TtiLaunches *launches = g_new0 (TtiLaunches, 1);

  launches->program = g_strdup (program);
  launches->context = g_main_context_ref (context);
  launches->running = g_hash_table_new (g_int64_hash, g_int64_equal);
  return launches;
}

void
tti_launches_free (TtiLaunches *launches)
{
  if (launches == NULL)
    return;
  g_return_if_fail (g_hash_table_size (launches->running) == 0);
  tti_watcher_link_unref (launches->link);
  g_hash_table_unref (launches->running);
  g_main_context_unref (launches->context);
  g_free (launches->program);
  g_free (launches);
}

/* Starting. */

static char *
find_program (const char *name, GError **error)
{
  char *path = g_find_program_in_path (name);

  if (path == NULL && strchr (name, '/') != NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, "there is no program '%s'", name);
  else if (path == NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN,
                 "there is no program '%s' on this machine's PATH, which is '%s': install it, or load the module that has it", name,
                 g_getenv ("PATH") != NULL ? g_getenv ("PATH") : "");
  return path;
}

static gboolean
need_link (TtiLaunches *launches, GError **error)
{
  if (launches->lost)
    g_clear_pointer (&launches->link, tti_watcher_link_unref);
  launches->lost = FALSE;
  if (launches->link == NULL)
    launches->link = tti_watcher_link_new (launches->program, launches->context, &link_events, launches, error);
  return launches->link != NULL;
}

/* This process's, with the mark that finds what is left behind. To be freed. */
static char **
make_environment (TtiLaunches *launches)
{
  g_autofree char *setting = tti_process_mark_setting (tti_watcher_link_get_mark (launches->link));

  return g_environ_setenv (g_get_environ (), TTI_PROCESS_MARK, setting + strlen (TTI_PROCESS_MARK "="), TRUE);
}

/* Ask the watcher for PATH with ARGV, whose outputs are OUTPUTS. */
static gboolean
spawn (TtiLaunch *launch, const char *path, const char *const *argv, const int *outputs, GError **error)
{
  TtiLaunches *launches = launch->launches;
  g_auto (GStrv) environment = make_environment (launches);
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  tti_autofd int folder = open (".", O_PATH | O_DIRECTORY | O_CLOEXEC); /* the watcher may have been started in another */
  TtiWatcherProgram program = { .path = "/bin/sh", .envp = (const char *const *) environment, .folder = folder >= 0 ? &folder : NULL };

  g_ptr_array_add (words, (gpointer) program.path);
  g_ptr_array_add (words, (gpointer) "-c");
  g_ptr_array_add (words, (gpointer) take_input);
  g_ptr_array_add (words, (gpointer) argv[0]);
  g_ptr_array_add (words, (gpointer) path);
  for (guint i = 1; argv[i] != NULL; i++)
    g_ptr_array_add (words, (gpointer) argv[i]);
  g_ptr_array_add (words, NULL);
  program.argv = (const char *const *) words->pdata;
  return tti_watcher_link_spawn (launches->link, launch->generation, &program, launch->input_fds[0], outputs[0], outputs[1], 0, 0, error);
}

static void
open_streams (TtiLaunch *launch, int read_fds[2])
{
  for (guint i = 0; i < G_N_ELEMENTS (launch->streams); i++)
    {
      Stream *stream = &launch->streams[i];

      tti_fd_move_up (&read_fds[i]);
      *stream = (Stream) { .launch = launch, .is_error = i == 1 };
      stream->lines = tti_output_new (g_steal_fd (&read_fds[i]), 0, take_line, stream);
      stream->source = watch (launch->launches, tti_output_get_fd (stream->lines), G_IO_IN, take_output, stream);
    }
  tti_fd_move_up (&launch->input_fds[0]);
  tti_fd_move_up (&launch->input_fds[1]);
  launch->writing = watch (launch->launches, launch->input_fds[1], G_IO_OUT, write_input, launch);
}

static gboolean
start (TtiLaunch *launch, const char *path, const char *const *argv, const char *input, GError **error)
{
  int pipes[2][2] = { { -1, -1 }, { -1, -1 } };
  gboolean started = open_input (launch, input, error) && tti_fd_pipe (pipes[0], error) && tti_fd_pipe (pipes[1], error)
                     && spawn (launch, path, argv, (const int[]) { pipes[0][1], pipes[1][1] }, error);

  if (started)
    open_streams (launch, (int[]) { g_steal_fd (&pipes[0][0]), g_steal_fd (&pipes[1][0]) });
  for (guint i = 0; i < 4; i++)
    tti_fd_clear (&pipes[i / 2][i % 2]);
  return started;
}

TtiLaunch *
tti_launch_start (TtiLaunches *launches, const char *const *argv, const char *input, const TtiLaunchEvents *events, gpointer data,
                  GError **error)
{
  g_return_val_if_fail (launches != NULL && argv != NULL && argv[0] != NULL && input != NULL && events != NULL, NULL);
  g_autofree char *path = find_program (argv[0], error);
  TtiLaunch *launch;

  if (path == NULL || !need_link (launches, error))
    return NULL;
  launch = g_new0 (TtiLaunch, 1);
  *launch = (TtiLaunch) { .references = 1, .launches = launches, .generation = ++launches->last, .events = events, .data = data,
                          .input_fds = { -1, -1 } };
  g_queue_init (&launch->kept);
  if (start (launch, path, argv, input, error))
    {
      g_hash_table_insert (launches->running, &launch->generation, launch);
      return launch;
    }
  launch_unref (launch);
  return NULL;
}

void
tti_launch_end (TtiLaunch *launch, int grace)
{
  if (launch->launches != NULL)
    tti_watcher_link_signal (launch->launches->link, launch->generation, SIGTERM, grace);
}

char *
tti_launch_get_output (TtiLaunch *launch)
{
  GString *text = g_string_new (NULL);

  for (GList *each = launch->kept.head; each != NULL; each = each->next)
    g_string_append_printf (text, "%s\n", (const char *) each->data);
  return g_string_free (text, FALSE);
}

void
tti_launch_free (TtiLaunch *launch)
{
  if (launch == NULL)
    return;
  if (launch->launches != NULL)
    tti_watcher_link_signal (launch->launches->link, launch->generation, SIGKILL, -1);
  launch->events = NULL;
  leave (launch);
  launch_unref (launch);
}
