/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "module/supplied.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static GMutex lock;
static GHashTable *supplied; /* file -> GBytes */

void
tti_supply_module (const char *file, GBytes *contents)
{
  g_mutex_lock (&lock);
  if (supplied == NULL)
    supplied = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_bytes_unref);
  g_hash_table_insert (supplied, g_strdup (file), g_bytes_ref (contents));
  g_mutex_unlock (&lock);
}

/* A reference, or NULL. */
static GBytes *
find (const char *file)
{
  g_mutex_lock (&lock);
  GBytes *contents = supplied != NULL ? g_hash_table_lookup (supplied, file) : NULL;

  if (contents != NULL)
    g_bytes_ref (contents);
  g_mutex_unlock (&lock);
  return contents;
}

gboolean
tti_module_is_supplied (const char *file)
{
  g_autoptr (GBytes) contents = find (file);

  return contents != NULL;
}

static gboolean
file_has (const char *file, GBytes *contents)
{
  g_autoptr (GMappedFile) mapped = g_file_test (file, G_FILE_TEST_IS_REGULAR) ? g_mapped_file_new (file, FALSE, NULL) : NULL;
  g_autoptr (GBytes) there = mapped != NULL ? g_mapped_file_get_bytes (mapped) : NULL;

  return there != NULL && g_bytes_equal (there, contents);
}

/* Its descriptor stays open: the loader knows objects by their names, of which the number is a part. Folders for temporary files may be
 * full, or on a file system that runs nothing; this is neither. */
static char *
put_into_memory (const char *file, GBytes *contents, GError **error)
{
  g_autofree char *base = g_path_get_basename (file);
  tti_autofd int fd = memfd_create (base, MFD_CLOEXEC);
  gsize size;
  const guint8 *from = g_bytes_get_data (contents, &size);

  while (fd >= 0 && size > 0)
    {
      gssize n = write (fd, from, size);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        break;
      from += n;
      size -= (gsize) n;
    }
  if (fd < 0 || size > 0)
    {
      tti_set_errno (error, errno, "no memory for '%s', which is not on this machine", file);
      return NULL;
    }
  return g_strdup_printf ("/proc/self/fd/%d", g_steal_fd (&fd));
}

char *
tti_supplied_get_path (const char *file, GError **error)
{
  g_autoptr (GBytes) contents = find (file);

  g_return_val_if_fail (contents != NULL, NULL);
  return file_has (file, contents) ? g_strdup (file) : put_into_memory (file, contents, error);
}
