/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Folders with all that is in them, which programs have left as they liked. */
#include "command/command.h"
#include "platform/fd-limit.h"
#include "platform/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a program has made below its folder is a tree of this depth at most; what lies deeper stays. */
enum
{
  MOST_DEPTH = 200
};

static DIR *
folder_open (int parent, const char *name)
{
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

  tti_fd_begin_opening ();
  int fd = openat (parent, name, flags);

  if (fd < 0 && errno == EACCES && fchmodat (parent, name, 0700, 0) == 0)
    fd = openat (parent, name, flags);
  tti_fd_end_opening ();
  DIR *folder = fd >= 0 ? fdopendir (fd) : NULL;

  if (folder == NULL)
    tti_fd_clear (&fd);
  else
    fchmod (fd, 0700); /* otherwise nothing can be removed from one that may only be read */
  return folder;
}

static void
folder_remove (int parent, const char *name, int depth)
{
  DIR *folder = depth < MOST_DEPTH ? folder_open (parent, name) : NULL;

  for (struct dirent *entry; folder != NULL && (entry = readdir (folder)) != NULL;)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      {
        if (entry->d_type == DT_DIR || (unlinkat (dirfd (folder), entry->d_name, 0) < 0 && errno == EISDIR))
          folder_remove (dirfd (folder), entry->d_name, depth + 1);
      }
  if (folder != NULL)
    closedir (folder);
  unlinkat (parent, name, AT_REMOVEDIR);
}

static void *
folder_remove_whole (void *name)
{
  folder_remove (AT_FDCWD, name, 0);
  return NULL;
}

/* (%command-remove-folder! NAME): remove the folder NAME with all that is in it. Links are not followed; what cannot be removed stays. */
static SCM
remove_folder (SCM name)
{
  char *c_name = scm_to_locale_string (name);

  scm_without_guile (folder_remove_whole, c_name);
  free (c_name);
  return SCM_UNSPECIFIED;
}

void
tti_command_init_folder (void)
{
  scm_c_define_gsubr ("%command-remove-folder!", 1, 0, 0, (scm_t_subr) remove_folder);
}
