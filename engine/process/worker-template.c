/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Copying the template.
 *
 * The watcher must be the parent of each worker, or it could not report how that ended. So the template does not fork the worker,
 * but makes a helper that shares its memory (vfork, some 50 µs), which forks the worker and ends: the orphan becomes a child of the
 * watcher. clone () with CLONE_PARENT would need no helper, but would lack what libc's fork () does for its own locks and the
 * thread's id.
 *
 * Before it ends, the helper reports the worker to the watcher: so each worker among the watcher's children is known to it. And the
 * worker goes on only after that: if the helper is killed before, another worker is started instead, and the master must not see
 * both. */
#include "process/worker-template.h"
#include "platform/fd.h"
#include "process/watcher-packet.h"
#include "process/watcher-program.h"
#include "process/worker-protocol.h"
#include "process/worker-title.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_UNFIT = 72, EXIT_FOLDER = 74 };

/* A pipe within the process. All workers would have the same one; each gets its own. */
typedef struct
{
  int ends[2]; /* for reading, for writing */
  int flags[2];
  ino_t inode;
} OwnPipe;

static struct
{
  GArray *pipes; /* of OwnPipe */
  int start[2];  /* the worker's wait for its start */
} template;

gboolean
tti_worker_template_wanted (void)
{
  gboolean wanted = g_getenv (TTI_TEMPLATE_SETTING) != NULL;

  g_unsetenv (TTI_TEMPLATE_SETTING);
  return wanted;
}

static OwnPipe *
own_pipe_of (ino_t inode)
{
  OwnPipe new = { { -1, -1 }, { 0, 0 }, inode };

  for (guint i = 0; i < template.pipes->len; i++)
    if (g_array_index (template.pipes, OwnPipe, i).inode == inode)
      return &g_array_index (template.pipes, OwnPipe, i);
  g_array_append_val (template.pipes, new);
  return &g_array_index (template.pipes, OwnPipe, template.pipes->len - 1);
}

/* Record the descriptor FD, which libraries have opened. FALSE if workers would share it. */
static gboolean
descriptor_note (int fd)
{
  struct stat status;
  int flags = fcntl (fd, F_GETFL);

  if (fstat (fd, &status) < 0 || !S_ISFIFO (status.st_mode) || flags < 0)
    return FALSE;
  OwnPipe *pipe = own_pipe_of (status.st_ino);
  guint end = (flags & O_ACCMODE) == O_RDONLY ? 0 : 1;

  if (pipe->ends[end] >= 0)
    return FALSE;
  pipe->ends[end] = fd;
  pipe->flags[end] = flags & O_NONBLOCK;
  return TRUE;
}

static gboolean
descriptors_note (void)
{
  DIR *directory = opendir ("/proc/self/fd");
  gboolean good = directory != NULL;

  for (struct dirent *entry; good && (entry = readdir (directory)) != NULL;)
    {
      int fd = atoi (entry->d_name); /* 0 for "." and ".." */

      good = fd <= TTI_WORKER_FD_MASTER || fd == dirfd (directory) || descriptor_note (fd);
    }
  if (directory != NULL)
    closedir (directory);
  for (guint i = 0; good && i < template.pipes->len; i++)
    if (g_array_index (template.pipes, OwnPipe, i).ends[0] < 0 || g_array_index (template.pipes, OwnPipe, i).ends[1] < 0)
      return FALSE;
  return good;
}

/* A copy has one thread only, and would wait for the others' locks for ever. */
static gboolean
is_single_threaded (void)
{
  struct stat status;

  /* A folder has two links, and one more for each folder in it. */
  return stat ("/proc/self/task", &status) == 0 && status.st_nlink == 3;
}

/* Move FD to the number TARGET, with FLAGS: O_CLOEXEC, or 0 if programs that tasks start inherit it. */
static void
descriptor_move (int *fd, int target, int flags)
{
  if (dup3 (*fd, target, flags) < 0)
    _exit (TTI_WORKER_EXIT_SHORT);
  tti_fd_clear (fd);
}

static void
pipes_renew (void)
{
  for (guint i = 0; i < template.pipes->len; i++)
    {
      OwnPipe *own = &g_array_index (template.pipes, OwnPipe, i);
      int fds[2];

      if (!tti_fd_pipe (fds, NULL))
        _exit (TTI_WORKER_EXIT_SHORT);
      for (guint end = 0; end < 2; end++)
        {
          if (dup3 (fds[end], own->ends[end], O_CLOEXEC) < 0 || fcntl (own->ends[end], F_SETFL, own->flags[end]) < 0)
            _exit (TTI_WORKER_EXIT_SHORT);
          tti_fd_clear (&fds[end]);
        }
    }
}

/* Put the worker's own variables, the last ones in PARCEL, into the environment. */
static void
environment_add (const TtiWatchParcel *parcel)
{
  g_auto (TtiWatcherStrings) strings = { 0 };
  g_autoptr (GError) error = NULL;

  if (!tti_watcher_program_unpack (parcel->fds[3], parcel->packet.n_args, &strings, &error))
    {
      fprintf (stderr, "tutti-worker: %s\n", error->message);
      _exit (TTI_WORKER_EXIT_SHORT);
    }
  guint n = g_strv_length ((char **) strings.program.envp);

  for (guint i = n - MIN (n, parcel->packet.n_own); i < n; i++)
    {
      g_auto (GStrv) parts = g_strsplit (strings.program.envp[i], "=", 2);

      if (parts[0] != NULL && parts[1] != NULL)
        g_setenv (parts[0], parts[1], TRUE);
    }
}

static void
folder_enter (const TtiWatchParcel *parcel)
{
  if (!parcel->packet.has_folder || fchdir (parcel->fds[4]) == 0)
    return;
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", parcel->fds[4]);
  g_autofree char *path = g_file_read_link (link, NULL);

  fprintf (stderr, "tutti-worker: cannot enter the script's working folder '%s': %s\n", path != NULL ? path : link, g_strerror (errno));
  _exit (EXIT_FOLDER);
}

/* In the new worker: set up the process as PARCEL describes. */
static void
worker_set_up (TtiWatchParcel *parcel)
{
  char started;

  setpgid (0, 0);
  prctl (PR_SET_NAME, "tutti-worker", 0, 0, 0);
  /* This closes the worker's copy of the template's socket, whose end tells the watcher that the template has ended. */
  descriptor_move (&parcel->fds[0], TTI_WORKER_FD_CONTROL, O_CLOEXEC);
  descriptor_move (&parcel->fds[1], STDOUT_FILENO, 0);
  descriptor_move (&parcel->fds[2], STDERR_FILENO, 0);
  tti_fd_clear (&template.start[1]);
  environment_add (parcel);
  tti_worker_title_enter ();
  while (read (template.start[0], &started, 1) != 1)
    if (errno != EINTR)
      _exit (TTI_WORKER_EXIT_SHORT);
  tti_fd_clear (&template.start[0]);
  pipes_renew ();
  folder_enter (parcel);
  tti_watch_parcel_clear (parcel);
  g_array_unref (template.pipes);
}

/* Report that GENERATION is process WORKER, or (if not above 0) that it could not be made. */
static gboolean
worker_tell (guint64 generation, pid_t worker)
{
  TtiWatchPacket packet = tti_watch_packet_make (worker > 0 ? TTI_WATCH_SPAWNED : TTI_WATCH_FAILED, generation);

  packet.pid = worker;
  /* There will be room soon, as the watcher always reads. */
  tti_fd_wait (TTI_WORKER_FD_CONTROL, POLLOUT, -1);
  return send (TTI_WORKER_FD_CONTROL, &packet, sizeof packet, MSG_NOSIGNAL) == (gssize) sizeof packet;
}

/* In the helper, which shares the template's memory: report WORKER and let it start. */
G_NORETURN static void
helper_end (guint64 generation, pid_t worker)
{
  if (worker_tell (generation, worker) && worker > 0)
    (void) !write (template.start[1], "", 1);
  _exit (EXIT_SUCCESS);
}

/* Make the worker of PARCEL. TRUE in the worker. */
static gboolean
worker_make (const TtiWatchParcel *parcel)
{
  /* A momentary shortage of descriptors or processes does not make it unfit: the watcher has other ways, and will ask again. */
  if (!tti_fd_pipe (template.start, NULL) || fcntl (template.start[0], F_SETFL, 0) < 0)
    {
      worker_tell (parcel->packet.worker, -1);
      return FALSE;
    }
  pid_t helper = vfork ();

  if (helper == 0)
    {
      pid_t worker = fork ();

      if (worker == 0)
        return TRUE;
      helper_end (parcel->packet.worker, worker);
    }
  if (helper < 0)
    worker_tell (parcel->packet.worker, -1);
  while (helper > 0 && waitpid (helper, NULL, 0) < 0 && errno == EINTR)
    ;
  tti_fd_clear (&template.start[0]);
  tti_fd_clear (&template.start[1]);
  return FALSE;
}

/* The output while modules were loaded belongs to the first worker, whose pipes these are. */
static void
output_close (void)
{
  tti_autofd int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  fflush (stdout);
  fflush (stderr);
  if (null < 0 || dup2 (null, STDOUT_FILENO) < 0 || dup2 (null, STDERR_FILENO) < 0)
    exit (EXIT_UNFIT);
}

void
tti_worker_template_serve (void)
{
  template.pipes = g_array_new (FALSE, FALSE, sizeof (OwnPipe));
  output_close ();
  if (!is_single_threaded () || !descriptors_note ())
    exit (EXIT_UNFIT);
  for (;;)
    {
      TtiWatchParcel parcel;

      tti_fd_wait (TTI_WORKER_FD_CONTROL, POLLIN, -1);
      TtiWatchIo io = tti_watch_parcel_receive (TTI_WORKER_FD_CONTROL, &parcel, NULL);

      if (io == TTI_WATCH_IO_AGAIN)
        continue;
      if (io != TTI_WATCH_IO_DONE || parcel.packet.kind != TTI_WATCH_SPAWN || parcel.n_fds != (parcel.packet.has_folder ? 5 : 4))
        _exit (io == TTI_WATCH_IO_ENDED ? EXIT_SUCCESS : EXIT_UNFIT);
      if (worker_make (&parcel))
        {
          worker_set_up (&parcel);
          return;
        }
      tti_watch_parcel_clear (&parcel);
    }
}
