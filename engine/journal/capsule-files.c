/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "journal/capsule-files.h"
#include "look/capsule.h"
#include "platform/core-file.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
copy (int from, int to)
{
  off_t at = 0;

  for (gssize n; (n = sendfile (to, from, &at, 1 << 30)) != 0;)
    if (n < 0 && errno != EINTR)
      return FALSE;
  return TRUE;
}

/* The core that the facts of FD name gets a name beside PATH; where it cannot, it stays, and the fact says where it is. */
static void
take_core (const char *path, int fd)
{
  g_autoptr (GHashTable) facts = tti_capsule_read_facts (fd);
  const char *core = facts != NULL ? g_hash_table_lookup (facts, "core") : NULL;
  const char *worker = facts != NULL ? g_hash_table_lookup (facts, "worker") : NULL;

  if (core == NULL || worker == NULL || *core != '/')
    return;
  g_autofree char *stem = g_strndup (path, strlen (path) - strlen (TTI_CAPSULE_SUFFIX));
  g_autofree char *to = g_strconcat (stem, TTI_CORE_SUFFIX, NULL);

  (void) tti_core_file_move (core, (int) g_ascii_strtoll (worker, NULL, 10), to);
}

char *
tti_capsule_file_write (const char *folder, gint64 run, const TtiLookCapsule *capsule, int fd, GError **error)
{
  g_autofree char *item = capsule->item >= 0 ? g_strdup_printf ("-%" G_GINT64_FORMAT, capsule->item) : g_strdup ("");
  g_autofree char *path = g_strdup_printf ("%s/%" G_GINT64_FORMAT "-%" G_GUINT64_FORMAT "%s" TTI_CAPSULE_SUFFIX, folder, run,
                                           capsule->task, item);
  g_autofree char *before = g_strconcat (path, ".new", NULL);

  if (mkdir (folder, 0700) != 0 && errno != EEXIST)
    {
      tti_set_errno (error, errno, "cannot make the folder %s", folder);
      return NULL;
    }
  tti_autofd int to = open (before, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (to >= 0 && copy (fd, to) && rename (before, path) == 0)
    {
      take_core (path, fd);
      return g_steal_pointer (&path);
    }
  tti_set_errno (error, errno, "cannot write %s", path);
  (void) unlink (before);
  return NULL;
}
