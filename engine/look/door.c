/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "look/door.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16 };

struct _TtiDoor
{
  int socket;
  pid_t owner;
  char *path;
};

/* --- the folder ------------------------------------------------------------------------------------------------------------- */

static gboolean
check_folder (const char *folder, GError **error)
{
  struct stat status;

  if (mkdir (folder, 0700) != 0 && errno != EEXIST)
    return tti_set_errno (error, errno, "cannot make the folder %s, in which running jobs are found", folder), FALSE;
  if (lstat (folder, &status) != 0)
    return tti_set_errno (error, errno, "cannot use the folder %s, in which running jobs are found", folder), FALSE;
  if (S_ISDIR (status.st_mode) && status.st_uid == geteuid () && (status.st_mode & 077) == 0)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM,
               "%s, in which running jobs are found, %s: it must be a folder of yours that no other user can enter (mode 0700); remove it, "
               "or set XDG_RUNTIME_DIR to a folder of yours", folder,
               !S_ISDIR (status.st_mode) ? "is no folder" : status.st_uid != geteuid () ? "belongs to another user" : "is open to others");
  return FALSE;
}

static char *
find_folder (GError **error)
{
  const char *runtime = g_getenv ("XDG_RUNTIME_DIR");
  gboolean has_runtime = runtime != NULL && g_path_is_absolute (runtime) && g_file_test (runtime, G_FILE_TEST_IS_DIR);
  g_autofree char *own = g_strdup_printf ("tutti-%u", (guint) geteuid ());
  g_autofree char *folder = has_runtime ? g_build_filename (runtime, "tutti", NULL)
                                        : g_build_filename (g_get_tmp_dir (), own, NULL);

  return check_folder (folder, error) ? g_steal_pointer (&folder) : NULL;
}

char *
tti_door_path (const char *name, GError **error)
{
  g_autofree char *folder = find_folder (error);

  return folder != NULL ? g_build_filename (folder, name, NULL) : NULL;
}

/* FALSE: the path is too long for a socket. */
static gboolean
fill_address (struct sockaddr_un *address, const char *path, GError **error)
{
  *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  if (g_strlcpy (address->sun_path, path, sizeof address->sun_path) < sizeof address->sun_path)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "the path of a socket has at most %d bytes, and %s is longer: set XDG_RUNTIME_DIR "
               "to a folder with a shorter name", (int) sizeof address->sun_path - 1, path);
  return FALSE;
}

/* --- the side that opens it -------------------------------------------------------------------------------------------------- */

static int
make_socket (int type, GError **error)
{
  tti_fd_begin_opening ();
  int fd = socket (AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), saved = errno;

  tti_fd_end_opening ();
  if (fd < 0)
    tti_set_errno (error, saved, "cannot make a socket");
  return fd;
}

TtiDoor *
tti_door_open (const char *name, int type, GError **error)
{
  g_autofree char *path = tti_door_path (name, error);
  struct sockaddr_un address;

  if (path == NULL || !fill_address (&address, path, error))
    return NULL;
  tti_autofd int fd = make_socket (type, error);

  if (fd < 0)
    return NULL;
  /* One of this name was left over by a process of the same number. */
  (void) unlink (path);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) != 0 || chmod (path, 0600) != 0 || listen (fd, BACKLOG) != 0)
    {
      tti_set_errno (error, errno, "cannot open %s, by which this job is found", path);
      (void) unlink (path);
      return NULL;
    }
  TtiDoor *door = g_new0 (TtiDoor, 1);

  door->socket = g_steal_fd (&fd);
  door->owner = getpid ();
  door->path = g_steal_pointer (&path);
  return door;
}

int
tti_door_get_socket (TtiDoor *door)
{
  return door->socket;
}

const char *
tti_door_get_path (TtiDoor *door)
{
  return door->path;
}

int
tti_door_accept (TtiDoor *door)
{
  for (int fd; (fd = tti_fd_accept (door->socket)) >= 0; tti_fd_clear (&fd))
    {
      struct ucred peer;
      socklen_t size = sizeof peer;

      if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid () || peer.uid == 0))
        return fd;
    }
  return -1;
}

void
tti_door_close (TtiDoor *door)
{
  if (door == NULL)
    return;
  if (door->owner == getpid ())
    (void) unlink (door->path);
  tti_fd_clear (&door->socket);
  g_free (door->path);
  g_free (door);
}

/* --- the side that comes ----------------------------------------------------------------------------------------------------- */

int
tti_door_connect (const char *path, int type, GError **error)
{
  struct sockaddr_un address;

  if (!fill_address (&address, path, error))
    return -1;
  tti_autofd int fd = make_socket (type, error);

  if (fd < 0)
    return -1;
  /* It does not wait: a process that is stopped accepts nobody, and its queue may be full. */
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return g_steal_fd (&fd);
  if (errno == EAGAIN)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_TIMEOUT, "the process at %s does not answer: it may be stopped, or hang", path);
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "nobody is at %s: %s", path, g_strerror (errno));
  return -1;
}

static void
entry_free (gpointer data)
{
  TtiDoorEntry *entry = data;

  g_free (entry->name);
  g_free (entry);
}

static int
compare_entries (gconstpointer one, gconstpointer other)
{
  const TtiDoorEntry *a = *(TtiDoorEntry *const *) one, *b = *(TtiDoorEntry *const *) other;

  return a->pid != b->pid ? (a->pid < b->pid ? -1 : 1) : strcmp (a->name, b->name);
}

/* The process of the file NAME, "PID-N" or "PID.repl"; 0 for a name of another form. */
static int
process_of (const char *name)
{
  char *end;
  gint64 number = g_ascii_strtoll (name, &end, 10);

  return number > 0 && number <= G_MAXINT && (*end == '-' || *end == '.') ? (int) number : 0;
}

/* Does somebody listen at PATH? That is told without disturbing anybody, since a socket of this type is refused for its type then. */
static gboolean
is_open (const char *path)
{
  struct sockaddr_un address;
  tti_autofd int fd = fill_address (&address, path, NULL) ? make_socket (SOCK_DGRAM, NULL) : -1;

  return fd < 0 || (connect (fd, (struct sockaddr *) &address, sizeof address) != 0 && errno != ECONNREFUSED && errno != ENOENT);
}

GPtrArray *
tti_door_list (GError **error)
{
  g_autofree char *folder = find_folder (error);
  g_autoptr (GDir) files = folder != NULL ? g_dir_open (folder, 0, error) : NULL;
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (entry_free);

  if (files == NULL)
    return NULL;
  for (const char *file; (file = g_dir_read_name (files)) != NULL;)
    {
      g_autofree char *path = g_build_filename (folder, file, NULL);
      int pid = process_of (file);

      if (pid == 0)
        continue;
      if (!is_open (path))
        {
          (void) unlink (path);
          continue;
        }
      TtiDoorEntry *entry = g_new0 (TtiDoorEntry, 1);

      entry->pid = pid;
      entry->is_repl = g_str_has_suffix (file, TTI_DOOR_REPL);
      entry->name = g_strdup (file);
      g_ptr_array_add (entries, entry);
    }
  g_ptr_array_sort (entries, compare_entries);
  return g_steal_pointer (&entries);
}
