/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A mark in the environment, and who has it, from /proc. */
#include "platform/process-mark.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

char *
tutti_process_mark_new (void)
{
  guint64 number;

  /* Before the kernel has any randomness to give, nobody has been started whom this could be mixed up with. */
  if (getrandom (&number, sizeof number, GRND_NONBLOCK) != sizeof number)
    number = (guint64) g_get_real_time ();
  return g_strdup_printf ("%d-%016" G_GINT64_MODIFIER "x", (int) getpid (), number);
}

char *
tutti_process_mark_setting (const char *mark)
{
  const char *outer = g_getenv (TUTTI_PROCESS_MARK);

  return outer != NULL && *outer != '\0' ? g_strconcat (TUTTI_PROCESS_MARK "=", outer, ":", mark, NULL)
                                         : g_strconcat (TUTTI_PROCESS_MARK "=", mark, NULL);
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

/* Append what is left to be read of FD, and a NUL. */
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

/* Whether the process PID has MARK; if not, errno may be a shortage. */
static gboolean
is_marked (int proc, const char *pid, const char *mark, GByteArray *bytes)
{
  static const char name[] = TUTTI_PROCESS_MARK "=";
  char path[32];

  g_snprintf (path, sizeof path, "%s/environ", pid);
  errno = 0;
  tutti_autofd int fd = openat (proc, path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return FALSE;
  g_byte_array_set_size (bytes, 0);
  read_all (fd, bytes);
  const char *text = (const char *) bytes->data;

  for (gsize at = 0; at < bytes->len; at += strlen (text + at) + 1)
    if (strncmp (text + at, name, sizeof name - 1) == 0 && list_has (text + at + sizeof name - 1, mark))
      return TRUE;
  return FALSE;
}

GArray *
tutti_process_marked (const char *mark)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (pid_t));
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gboolean complete = TRUE;

  tutti_fd_begin_opening ();
  DIR *proc = opendir ("/proc");

  if (proc == NULL)
    complete = !tutti_errno_is_shortage (errno);
  for (struct dirent *entry; proc != NULL && complete && (entry = readdir (proc)) != NULL;)
    {
      pid_t pid = g_ascii_isdigit (entry->d_name[0]) ? (pid_t) strtol (entry->d_name, NULL, 10) : 0;

      if (pid <= 0 || pid == getpid ())
        continue;
      if (is_marked (dirfd (proc), entry->d_name, mark, bytes))
        g_array_append_val (found, pid);
      else
        complete = !tutti_errno_is_shortage (errno);
    }
  if (proc != NULL)
    closedir (proc);
  tutti_fd_end_opening ();
  return complete ? g_steal_pointer (&found) : NULL;
}
