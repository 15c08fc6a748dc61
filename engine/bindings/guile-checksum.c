/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Digests of bytes, by GLib. */
#include "bindings/guile-checksum.h"
#include <glib.h>
#include <libguile.h>

enum {
  DIGEST_SIZE = 32, /* bytes of SHA-256 */
  STEP = 16 << 20   /* bytes between two looks whether Ctrl-C was pressed: some 50 ms */
};

static void
free_checksum (void *checksum)
{
  g_checksum_free (checksum);
}

/* (%digest bytevector): the SHA-256 of its bytes, a bytevector of 32 */
static SCM
digest (SCM bytes)
{
  SCM result = scm_c_make_bytevector (DIGEST_SIZE);
  gsize length = DIGEST_SIZE;

  if (!scm_is_bytevector (bytes))
    scm_wrong_type_arg_msg ("%digest", 1, bytes, "bytevector");
  gsize size = scm_c_bytevector_length (bytes);
  GChecksum *checksum = g_checksum_new (G_CHECKSUM_SHA256);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (free_checksum, checksum, SCM_F_WIND_EXPLICITLY);
  for (gsize start = 0; start < size; start += STEP)
    {
      g_checksum_update (checksum, (const guchar *) SCM_BYTEVECTOR_CONTENTS (bytes) + start, MIN (STEP, size - start));
      scm_async_tick ();
    }
  g_checksum_get_digest (checksum, (guint8 *) SCM_BYTEVECTOR_CONTENTS (result), &length);
  scm_dynwind_end ();
  scm_remember_upto_here_2 (bytes, result);
  return result;
}

void
tti_guile_init_checksum (void)
{
  scm_c_define_gsubr ("%digest", 1, 0, 0, digest);
}
