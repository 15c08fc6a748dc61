/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "cluster/file-digest.h"
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <unistd.h>

enum { AT_ONCE = 128 * 1024 };

static GBytes *
finish (gnutls_hash_hd_t hash, gboolean ok)
{
  guint8 digest[TTI_FILE_DIGEST_BYTES];

  gnutls_hash_deinit (hash, digest);
  return ok ? g_bytes_new (digest, sizeof digest) : NULL;
}

GBytes *
tti_digest_memory (gconstpointer data, gsize size, const gint *ended)
{
  const guint8 *from = data;
  gnutls_hash_hd_t hash;
  gboolean ok = TRUE;

  if (gnutls_hash_init (&hash, GNUTLS_DIG_SHA256) < 0)
    return NULL;
  for (gsize done = 0; ok && done < size; done += AT_ONCE)
    ok = !g_atomic_int_get (ended) && gnutls_hash (hash, from + done, MIN (size - done, AT_ONCE)) >= 0;
  return finish (hash, ok);
}

GBytes *
tti_digest_file (int fd, guint64 offset, guint64 size, const gint *ended)
{
  g_autofree guint8 *part = g_malloc (AT_ONCE);
  gnutls_hash_hd_t hash;
  guint64 done = 0;
  gboolean ok = TRUE;

  if (gnutls_hash_init (&hash, GNUTLS_DIG_SHA256) < 0)
    return NULL;
  while (ok && done < size)
    {
      gssize n = pread (fd, part, (gsize) MIN (size - done, AT_ONCE), (off_t) (offset + done));

      if (n < 0 && errno == EINTR)
        continue;
      ok = n > 0 && !g_atomic_int_get (ended) && gnutls_hash (hash, part, (gsize) n) >= 0;
      done += n > 0 ? (guint64) n : 0;
    }
  return finish (hash, ok);
}
