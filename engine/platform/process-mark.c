/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A mark in the environment, and the processes that have it, from /proc. */
#include "platform/process-mark.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/process-tree.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

char *
tti_process_mark_new (void)
{
  guint64 number;

  /* If the kernel has no randomness yet, there are no other processes with which these could be confused. */
  if (getrandom (&number, sizeof number, GRND_NONBLOCK) != sizeof number)
    number = (guint64) g_get_real_time ();
  return g_strdup_printf ("%d-%016" G_GINT64_MODIFIER "x", (int) getpid (), number);
}

char *
tti_process_mark_setting (const char *mark)
{
  const char *outer = g_getenv (TTI_PROCESS_MARK);

  return outer != NULL && *outer != '\0' ? g_strconcat (TTI_PROCESS_MARK "=", outer, ":", mark, NULL)
                                         : g_strconcat (TTI_PROCESS_MARK "=", mark, NULL);
}

/* Is MARK in LIST, "one:two:three"? */
static gboolean
list_has (const char *list, const char *mark)
{
  gsize length = strlen (mark);

  for (const char *at = list; (at = strstr (at, mark)) != NULL; at++)
    if ((at == list || at[-1] == ':') && (at[length] == ':' || at[length] == '\0'))
      return TRUE;
  return FALSE;
}

/* Append the rest of FD's file to BYTES, and a NUL. */
static void
read_all (int fd, GByteArray *bytes)
{
  guint8 block[8192];

  for (;;)
    {
      gssize n = read (fd, block, sizeof block);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        break;
      g_byte_array_append (bytes, block, (guint) n);
    }
  g_byte_array_append (bytes, (const guint8 *) "", 1);
}

/* While a process executes another program, and for a moment before it has ended, the kernel shows no environment, or a part of the old
 * one. Returns whether that is so, after LENGTH bytes of PID's environment; FALSE also if errno is a shortage. */
static gboolean
environment_is_incomplete (int proc, const char *pid, gsize length)
{
  /* Man 5 proc counts from the process's number, which is 1. */
  enum { STATE = 3, FLAGS = 9, END_OF_CODE = 27, ENV_START = 50, ENV_END = 51, KERNEL_THREAD = 0x00200000 };
  char line[2048];

  errno = 0;
  const char *text = tti_process_read_stat (proc, pid, line, sizeof line);

  if (text == NULL)
    return FALSE;
  g_auto (GStrv) words = g_strsplit (text, " ", -1);

  if (g_strv_length (words) <= ENV_END - STATE || strchr ("ZX", *words[0]) != NULL
      || (g_ascii_strtoull (words[FLAGS - STATE], NULL, 10) & KERNEL_THREAD) != 0)
    return FALSE;
  guint64 code = g_ascii_strtoull (words[END_OF_CODE - STATE], NULL, 10);
  guint64 start = g_ascii_strtoull (words[ENV_START - STATE], NULL, 10), end = g_ascii_strtoull (words[ENV_END - STATE], NULL, 10);

  /* The kernel sets up the environment before the code; an empty one is complete when the code is there. */
  return code == 0 || end == 0 || end - start != length;
}

static gboolean
has_mark (const GByteArray *bytes, const char *mark)
{
  static const char name[] = TTI_PROCESS_MARK "=";
  const char *text = (const char *) bytes->data;

  for (gsize at = 0; at < bytes->len; at += strlen (text + at) + 1)
    if (strncmp (text + at, name, sizeof name - 1) == 0 && list_has (text + at + sizeof name - 1, mark))
      return TRUE;
  return FALSE;
}

/* Does the process PID have MARK? If FALSE, errno may be a shortage, or *UNCLEAR is set because nobody can know now. */
static gboolean
is_marked (int proc, const char *pid, const char *mark, GByteArray *bytes, gboolean *unclear)
{
  char path[32];

  g_snprintf (path, sizeof path, "%s/environ", pid);
  errno = 0;
  tti_autofd int fd = openat (proc, path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return FALSE;
  g_byte_array_set_size (bytes, 0);
  read_all (fd, bytes);
  tti_fd_clear (&fd); /* one descriptor is enough for all of it */
  if (has_mark (bytes, mark))
    return TRUE;
  /* A complete environment ends with a NUL, to which we added another. */
  gsize length = bytes->len - 1;

  if ((length == 0 || bytes->data[length - 1] != '\0') && environment_is_incomplete (proc, pid, length))
    *unclear = TRUE;
  return FALSE;
}

GArray *
tti_process_marked (const char *mark, gboolean *unclear)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (pid_t));
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gboolean complete = TRUE;

  *unclear = FALSE;
  tti_fd_begin_opening ();
  DIR *proc = opendir ("/proc");

  if (proc == NULL)
    complete = !tti_errno_is_shortage (errno);
  for (struct dirent *entry; proc != NULL && complete && (entry = readdir (proc)) != NULL;)
    {
      pid_t pid = g_ascii_isdigit (entry->d_name[0]) ? (pid_t) strtol (entry->d_name, NULL, 10) : 0;

      if (pid <= 0 || pid == getpid ())
        continue;
      if (is_marked (dirfd (proc), entry->d_name, mark, bytes, unclear))
        g_array_append_val (found, pid);
      else
        complete = !tti_errno_is_shortage (errno);
    }
  if (proc != NULL)
    closedir (proc);
  tti_fd_end_opening ();
  return complete ? g_steal_pointer (&found) : NULL;
}
