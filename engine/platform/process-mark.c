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

/* How long a search looks again and again at processes of which not all is to be seen, and how long after each other. A busy machine can
 * keep one in the middle of an execve for a tenth of a second. */
enum { PATIENCE_US = 2 * G_USEC_PER_SEC, PAUSE_US = 200 };

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

/* What FD has to say, and a NUL. */
static void
read_all (int fd, GByteArray *bytes)
{
  g_byte_array_set_size (bytes, 0);

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

static gboolean
read_file (int proc, const char *pid, const char *name, GByteArray *bytes)
{
  char path[32];

  g_snprintf (path, sizeof path, "%s/%s", pid, name);
  tutti_autofd int fd = openat (proc, path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return FALSE;
  read_all (fd, bytes);
  return TRUE;
}

/* While a process becomes another program, and for a moment before it has ended, the kernel shows no environment, or a part of the old one.
 * Whether that is so, after so many bytes were read of PID's; BYTES are for what else is read. */
static gboolean
environment_is_incomplete (int proc, const char *pid, gsize length, GByteArray *bytes)
{
  /* Of the words behind the name: man 5 proc counts from the number, which is 1. */
  enum { STATE = 3, FLAGS = 9, END_OF_CODE = 27, ENV_START = 50, ENV_END = 51, FIRST = 3, KERNEL_THREAD = 0x00200000 };

  if (!read_file (proc, pid, "stat", bytes))
    return FALSE;
  const char *text = strrchr ((const char *) bytes->data, ')');

  if (text == NULL || text[1] != ' ')
    return FALSE;
  g_auto (GStrv) words = g_strsplit (text + 2, " ", -1);

  if (g_strv_length (words) <= ENV_END - FIRST || strchr ("ZX", *words[STATE - FIRST]) != NULL
      || (g_ascii_strtoull (words[FLAGS - FIRST], NULL, 10) & KERNEL_THREAD) != 0)
    return FALSE;
  guint64 code = g_ascii_strtoull (words[END_OF_CODE - FIRST], NULL, 10);
  guint64 start = g_ascii_strtoull (words[ENV_START - FIRST], NULL, 10), end = g_ascii_strtoull (words[ENV_END - FIRST], NULL, 10);

  /* The environment is put in place before the code; an empty one is whole when that is there. */
  return code == 0 || end == 0 || end - start != length;
}

static gboolean
has_mark (const GByteArray *bytes, const char *mark)
{
  static const char name[] = TUTTI_PROCESS_MARK "=";
  const char *text = (const char *) bytes->data;

  for (gsize at = 0; at < bytes->len; at += strlen (text + at) + 1)
    if (strncmp (text + at, name, sizeof name - 1) == 0 && list_has (text + at + sizeof name - 1, mark))
      return TRUE;
  return FALSE;
}

/* Whether the process PID has MARK; if not, errno may be a shortage. */
static gboolean
is_marked (int proc, const char *pid, const char *mark, gint64 deadline, GByteArray *bytes)
{
  do
    {
      errno = 0;
      if (!read_file (proc, pid, "environ", bytes))
        return FALSE;
      if (has_mark (bytes, mark))
        return TRUE;
      /* A whole one ends with a NUL, to which one was added. */
      gsize length = bytes->len - 1;

      if (length > 0 && bytes->data[length - 1] == '\0')
        return FALSE;
      if (!environment_is_incomplete (proc, pid, length, bytes))
        return FALSE;
      g_usleep (PAUSE_US);
    }
  while (g_get_monotonic_time () < deadline);
  return FALSE;
}

GArray *
tutti_process_marked (const char *mark)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (pid_t));
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gint64 deadline = g_get_monotonic_time () + PATIENCE_US;
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
      if (is_marked (dirfd (proc), entry->d_name, mark, deadline, bytes))
        g_array_append_val (found, pid);
      else
        complete = !tutti_errno_is_shortage (errno);
    }
  if (proc != NULL)
    closedir (proc);
  tutti_fd_end_opening ();
  return complete ? g_steal_pointer (&found) : NULL;
}
