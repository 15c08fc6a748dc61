/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "module/request-modules.h"
#include "module/loader.h"
#include "module/task-requests.h"
#include "platform/fd.h"
#include "transport/codec.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- digests ----------------------------------------------------------------------------------------------------------------- */

/* The digest of a file that was like STATUS. */
typedef struct
{
  struct stat status;
  char *text;
} Digest;

static GMutex lock;
static GHashTable *digests; /* file -> Digest; under the lock */

static void
digest_free (gpointer data)
{
  Digest *digest = data;

  g_free (digest->text);
  g_free (digest);
}

static gboolean
is_as_it_was (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec
         && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Of what is in FD, as text; NULL: it cannot be read. */
static char *
compute (int fd)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *bytes = g_malloc (128 * 1024);

  for (gssize n; (n = read (fd, bytes, 128 * 1024)) != 0;)
    {
      if (n < 0 && errno != EINTR)
        return NULL;
      g_checksum_update (checksum, bytes, MAX (n, 0));
    }
  return g_strdup (g_checksum_get_string (checksum));
}

/* The SHA-256 of FILE, free with g_free; NULL: it cannot be read. */
static char *
digest_of (const char *file)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  tti_autofd int fd = open (file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct stat status;

  if (fd < 0 || fstat (fd, &status) != 0 || !S_ISREG (status.st_mode))
    return NULL;
  if (digests == NULL)
    digests = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, digest_free);
  Digest *digest = g_hash_table_lookup (digests, file);

  if (digest == NULL || !is_as_it_was (&digest->status, &status))
    {
      digest = g_new (Digest, 1);
      *digest = (Digest){ status, compute (fd) };
      g_hash_table_replace (digests, g_strdup (file), digest);
    }
  return g_strdup (digest->text);
}

/* --- requests ---------------------------------------------------------------------------------------------------------------- */

static gboolean
next_is (TtiReader *reader, TtiItemTag tag, TtiItem *item)
{
  g_autoptr (GError) error = NULL;

  return tti_reader_next (reader, item, &error) && item->tag == tag;
}

static char *
next_text (TtiReader *reader)
{
  TtiItem item;

  return next_is (reader, TTI_ITEM_STRING, &item) ? g_strndup ((const char *) item.bytes, item.n_bytes) : NULL;
}

void
tti_request_add_modules (TtiCapsuleWriter *writer, TtiPayload *request, const char *folder, const char *const *environment)
{
  g_autoptr (TtiReader) reader = tti_reader_new (request);
  TtiItem item, id;

  if (!next_is (reader, TTI_ITEM_LIST, &item) || !next_is (reader, TTI_ITEM_INTEGER, &item)
      || (item.integer != TTI_REQUEST_CALL && item.integer != TTI_REQUEST_MAKE)
      || (item.integer == TTI_REQUEST_MAKE && !next_is (reader, TTI_ITEM_INTEGER, &id)))
    return;
  g_autofree char *module = next_text (reader), *name = module != NULL ? next_text (reader) : NULL;

  if (name == NULL)
    return;
  if (item.integer == TTI_REQUEST_CALL)
    tti_capsule_writer_add_fact (writer, "function", name);
  g_autofree char *file = tti_module_find_file_for (module, folder, environment);
  g_autofree char *digest = file != NULL ? digest_of (file) : NULL;

  if (digest == NULL)
    return;
  g_autofree char *key = g_strconcat ("module:", module, NULL), *text = g_strconcat (digest, " ", file, NULL);

  tti_capsule_writer_add_fact (writer, key, text);
}
