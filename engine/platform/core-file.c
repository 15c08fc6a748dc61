/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/core-file.h"
#include "platform/fd.h"
#include "platform/host-name.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum
{
  RECENT_S = 180,              /* a large core takes a while to be written, and its time is that of its end */
  MOST_NOTES = 64 * 1024,      /* what tells the process is at their beginning */
  MOST_HEADERS = 16
};

/* --- the pattern ------------------------------------------------------------------------------------------------------------- */

char *
tti_core_file_read_pattern (gboolean *uses_pid)
{
  g_autofree char *pattern = NULL, *number = NULL;

  *uses_pid = g_file_get_contents ("/proc/sys/kernel/core_uses_pid", &number, NULL, NULL) && g_ascii_strtoll (number, NULL, 10) != 0;
  if (!g_file_get_contents ("/proc/sys/kernel/core_pattern", &pattern, NULL, NULL))
    return NULL;
  return g_strchomp (g_steal_pointer (&pattern));
}

char *
tti_core_file_get_program (const TtiCoreSearch *search)
{
  const char *at = search->pattern;

  if (*at == '@')
    return g_strdup (at);
  if (*at != '|')
    return NULL;
  at += 1 + strspn (at + 1, " ");
  return g_strndup (at, strcspn (at, " "));
}

static void
append_literally (GString *glob, const char *text)
{
  for (; *text != '\0'; text++)
    {
      if (strchr ("\\*?[]", *text) != NULL)
        g_string_append_c (glob, '\\');
      g_string_append_c (glob, *text);
    }
}

/* What the kernel puts for the specifier KIND, if it is known here; it puts '!' for slashes. */
static void
append_specifier (GString *glob, const TtiCoreSearch *search, char kind)
{
  g_autofree char *host = NULL;

  switch (kind)
    {
    case '%': append_literally (glob, "%"); break;
    case 'p': g_string_append_printf (glob, "%d", search->pid); break;
    case 'u': g_string_append_printf (glob, "%u", (guint) getuid ()); break;
    case 'g': g_string_append_printf (glob, "%u", (guint) getgid ()); break;
    case 's': g_string_append_printf (glob, "%d", search->signal); break;
    case 'h':
      host = g_strdelimit (g_strdup (tti_host_name ()), "/", '!');
      append_literally (glob, host);
      break;
    /* Numbers that need not be ours: of the thread that crashed, and those of the first name space of processes. */
    case 'P': case 'i': case 'I': g_string_append (glob, "[0-9]*"); break;
    default: g_string_append_c (glob, '*');
    }
}

char *
tti_core_file_get_glob (const TtiCoreSearch *search)
{
  GString *glob = g_string_new (NULL);
  gboolean has_pid = FALSE;

  if (*search->pattern != '/')
    {
      append_literally (glob, search->folder);
      g_string_append_c (glob, '/');
    }
  for (const char *at = search->pattern; *at != '\0'; at++)
    if (*at != '%')
      append_literally (glob, (const char[]){ *at, '\0' });
    else if (at[1] != '\0')
      {
        has_pid = has_pid || at[1] == 'p';
        append_specifier (glob, search, *++at);
      }
  if (search->uses_pid && !has_pid)
    g_string_append_printf (glob, ".%d", search->pid);
  return g_string_free (glob, FALSE);
}

/* --- the file ---------------------------------------------------------------------------------------------------------------- */

/* The process that the NOTES of a core, SIZE bytes, are of. -1: they do not say. */
static int
pid_in_notes (const char *notes, gsize size)
{
  while (size >= sizeof (ElfW (Nhdr)))
    {
      ElfW (Nhdr) head;

      memcpy (&head, notes, sizeof head);
      gsize name = ((gsize) head.n_namesz + 3) & ~(gsize) 3, contents = ((gsize) head.n_descsz + 3) & ~(gsize) 3;
      gsize all = sizeof head + name + contents;

      if (all > size)
        return -1;
      if (head.n_type == NT_PRPSINFO && head.n_descsz == sizeof (prpsinfo_t))
        {
          prpsinfo_t info;

          memcpy (&info, notes + sizeof head + name, sizeof info);
          return info.pr_pid;
        }
      notes += all;
      size -= all;
    }
  return -1;
}

/* The process that the core in FD is of. -1: it is none, or not of this kind of machine. */
static int
pid_in_core (int fd)
{
  ElfW (Ehdr) head;
  ElfW (Phdr) part;

  if (pread (fd, &head, sizeof head, 0) != sizeof head || memcmp (head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_type != ET_CORE
      || head.e_ident[EI_CLASS] != (sizeof (void *) == 8 ? ELFCLASS64 : ELFCLASS32) || head.e_phentsize != sizeof part)
    return -1;
  for (guint i = 0; i < MIN (head.e_phnum, MOST_HEADERS); i++)
    {
      if (pread (fd, &part, sizeof part, (off_t) (head.e_phoff + i * sizeof part)) != sizeof part)
        return -1;
      if (part.p_type != PT_NOTE)
        continue;
      gsize size = MIN (part.p_filesz, MOST_NOTES);
      g_autofree char *notes = g_malloc (size);
      gssize n = pread (fd, notes, size, (off_t) part.p_offset);

      return n > 0 ? pid_in_notes (notes, (gsize) n) : -1;
    }
  return -1;
}

/* The process that PATH, if it is a file of ours and a core, is of; else -1. STATUS: of that file. */
static int
get_pid (const char *path, struct stat *status)
{
  /* Not to wait for a pipe, nor to rewind a tape. */
  tti_autofd int fd = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

  return fd >= 0 && fstat (fd, status) == 0 && S_ISREG (status->st_mode) && status->st_uid == geteuid () ? pid_in_core (fd) : -1;
}

int
tti_core_file_get_pid (const char *path)
{
  struct stat status;

  return get_pid (path, &status);
}

char *
tti_core_file_find (const TtiCoreSearch *search)
{
  g_autofree char *pattern = tti_core_file_get_glob (search);
  char *found = NULL;
  glob_t paths;

  if (glob (pattern, GLOB_NOSORT, NULL, &paths) == 0)
    for (gsize i = 0; i < paths.gl_pathc && found == NULL; i++)
      {
        struct stat status;

        if (get_pid (paths.gl_pathv[i], &status) == search->pid && ABS ((gint64) time (NULL) - (gint64) status.st_mtime) <= RECENT_S)
          found = g_strdup (paths.gl_pathv[i]);
      }
  globfree (&paths);
  return found;
}

/* Put what was taken wrongly at TO back to FROM, beside whatever is there by now. */
static void
put_back (const char *from, const char *to)
{
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *name = i == 0 ? g_strdup (from) : g_strdup_printf ("%s.%u", from, i);

      if (renameat2 (AT_FDCWD, to, AT_FDCWD, name, RENAME_NOREPLACE) == 0 || errno != EEXIST)
        return;
    }
}

gboolean
tti_core_file_move (const char *from, int pid, const char *to)
{
  struct stat status, moved;

  if (get_pid (from, &status) != pid || renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
    return FALSE;
  /* The kernel may just have put the core of another process in its place. */
  if (lstat (to, &moved) == 0 && moved.st_dev == status.st_dev && moved.st_ino == status.st_ino)
    return TRUE;
  put_back (from, to);
  return FALSE;
}
