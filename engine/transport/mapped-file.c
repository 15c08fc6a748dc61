/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The list of mapped files. A signal handler reads it, so entries are never freed, but reused. */
#include "transport/mapped-file.h"
#include "platform/error.h"
#include "platform/fork.h"
#include "platform/memory.h"
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

typedef struct _MappedFile MappedFile;
struct _MappedFile
{
  guintptr start, end; /* atomic; START 0: not used */
  char path[256];      /* written before START */
  MappedFile *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* serialises changes */
static MappedFile *files;                                /* atomic */

static void
files_lock (void)
{
  pthread_mutex_lock (&lock);
}

static void
files_unlock (void)
{
  pthread_mutex_unlock (&lock);
}

void
tti_mapped_file_follow_forks (void)
{
  tti_fork_protect (files_lock, files_unlock, NULL);
}

/* Store the path of FD in PATH, as far as it fits. */
static void
path_of (int fd, char *path, gsize size)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  gssize n = readlink (link, path, size - 1);

  path[MAX (n, 0)] = '\0';
}

gboolean
tti_mapped_file_note (int fd, gconstpointer start, gsize size)
{
  int seals = fcntl (fd, F_GET_SEALS);

  if (seals >= 0 && (seals & F_SEAL_SHRINK) != 0)
    return FALSE;
  files_lock ();
  MappedFile *file = files;

  while (file != NULL && file->start != 0)
    file = file->next;
  if (file == NULL)
    {
      file = g_new0 (MappedFile, 1);
      file->next = files;
      __atomic_store_n (&files, file, __ATOMIC_RELEASE);
    }
  path_of (fd, file->path, sizeof file->path);
  __atomic_store_n (&file->end, (guintptr) start + size, __ATOMIC_SEQ_CST);
  __atomic_store_n (&file->start, (guintptr) start, __ATOMIC_SEQ_CST);
  files_unlock ();
  return TRUE;
}

void
tti_mapped_file_forget (gconstpointer start)
{
  files_lock ();
  for (MappedFile *file = files; file != NULL; file = file->next)
    if (file->start == (guintptr) start)
      __atomic_store_n (&file->start, 0, __ATOMIC_SEQ_CST);
  files_unlock ();
}

gboolean
tti_mapped_file_check (int fd, goffset offset, gsize size, GError **error)
{
  gssize found = tti_memory_size (fd, error);
  char path[256];

  if (found < 0)
    return FALSE;
  if (offset <= found && size <= (gsize) (found - offset))
    return TRUE;
  path_of (fd, path, sizeof path);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE,
               "the file '%s' has become shorter since it was mapped: it has %" G_GSSIZE_FORMAT " bytes, and a vector of %" G_GSIZE_FORMAT
               " bytes from offset %" G_GOFFSET_FORMAT " is on it; map it again", path, found, size, offset);
  return FALSE;
}

gboolean
tti_mapped_file_find (gconstpointer address, const char **path)
{
  for (MappedFile *file = __atomic_load_n (&files, __ATOMIC_ACQUIRE); file != NULL; file = file->next)
    {
      guintptr start = __atomic_load_n (&file->start, __ATOMIC_SEQ_CST);

      if (start == 0 || (guintptr) address < start || (guintptr) address >= __atomic_load_n (&file->end, __ATOMIC_SEQ_CST))
        continue;
      *path = file->path;
      return TRUE;
    }
  return FALSE;
}
