/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Floods of lines, in files. Writing goes to the page cache and takes less time than making lines of the same bytes. */
#include "pool/spill.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

void
tti_spill_place_init (TtiSpillPlace *place, guint64 limit)
{
  g_autofree char *folder = g_build_filename (g_get_tmp_dir (), "tutti-output-XXXXXX", NULL);

  /* The script may be elsewhere when it is made. */
  *place = (TtiSpillPlace) { .folder = g_canonicalize_filename (folder, NULL), .limit = limit };
}

void
tti_spill_place_clear (TtiSpillPlace *place)
{
  if (place->made)
    (void) g_rmdir (place->folder);
  g_clear_pointer (&place->folder, g_free);
}

void
tti_spill_init (TtiSpill *spill)
{
  *spill = (TtiSpill) { .fd = -1 };
}

void
tti_spill_clear (TtiSpill *spill)
{
  tti_fd_clear (&spill->fd);
  g_clear_pointer (&spill->file, g_free);
  g_clear_pointer (&spill->problem, g_free);
}

static guint64
count_lines (const char *bytes, gsize length)
{
  guint64 n = 0;

  for (gsize i = 0; i < length; i++)
    n += bytes[i] == '\n';
  return n;
}

/* The bytes of the whole lines at the start of BYTES that fit into ROOM. */
static gsize
whole_lines (const char *bytes, gsize length, guint64 room)
{
  const char *last = length <= room ? bytes + length - 1 : memrchr (bytes, '\n', (gsize) room);

  return last != NULL ? (gsize) (last - bytes) + 1 : 0;
}

static gboolean
place_make (TtiSpillPlace *place, GError **error)
{
  g_autofree char *folder = g_strdup (place->folder);

  if (!place->made && g_mkdtemp (folder) == NULL)
    {
      tti_set_errno (error, errno, "cannot make the folder %s for them", place->folder);
      return FALSE;
    }
  if (!place->made)
    {
      g_free (place->folder);
      place->folder = g_steal_pointer (&folder);
    }
  place->made = TRUE;
  return TRUE;
}

static gboolean
spill_open (TtiSpill *spill, TtiSpillPlace *place, guint index, GError **error)
{
  if (spill->fd >= 0)
    return TRUE;
  if (!place_make (place, error))
    return FALSE;
  g_autofree char *name = g_strdup_printf ("worker-%u.txt", index);
  g_autofree char *file = g_build_filename (place->folder, name, NULL);

  /* One that somebody has removed meanwhile is begun again. */
  tti_fd_begin_opening ();
  spill->fd = open (file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  tti_fd_end_opening ();
  if (spill->fd < 0)
    {
      tti_set_errno (error, errno, "cannot open %s", file);
      return FALSE;
    }
  tti_fd_move_up (&spill->fd);
  g_free (spill->file);
  spill->file = g_steal_pointer (&file);
  return TRUE;
}

static gboolean
spill_write (TtiSpill *spill, const char *bytes, gsize length, GError **error)
{
  /* Beyond that limit a signal ends the process. */
  gboolean too_large = spill->size + length > tti_memory_get_limit ();
  gsize done = 0;

  errno = EFBIG;
  while (!too_large && done < length)
    {
      gssize n = write (spill->fd, bytes + done, length - done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        break;
      done += (gsize) n;
    }
  if (done == length)
    return TRUE;
  tti_set_errno (error, errno, "cannot write to %s", spill->file);
  /* Without the first part of a line whose rest is missing. If that fails, too, the next line is behind it. */
  (void) !ftruncate (spill->fd, (off_t) spill->size);
  return FALSE;
}

/* Add the whole lines in BYTES. FALSE and ERROR: none was. */
static gboolean
spill_keep (TtiSpill *spill, TtiSpillPlace *place, guint index, const char *bytes, gsize length, GError **error)
{
  if (!spill_open (spill, place, index, error) || !spill_write (spill, bytes, length, error))
    return FALSE;
  spill->size += length;
  spill->bytes += length;
  spill->lines += count_lines (bytes, length);
  return TRUE;
}

guint64
tti_spill_add (TtiSpill *spill, TtiSpillPlace *place, guint index, const char *bytes, gsize length)
{
  g_autoptr (GError) error = NULL;
  guint64 room = spill->full || place->limit < spill->size ? 0 : place->limit - spill->size;
  gsize fits = whole_lines (bytes, length, room), kept = 0;

  spill->active = TRUE;
  if (fits < length)
    spill->full = TRUE;
  if (fits > 0 && spill_keep (spill, place, index, bytes, fits, &error))
    kept = fits;
  if (kept == length)
    return 0;
  guint64 lost = count_lines (bytes + kept, length - kept);

  spill->lost_lines += lost;
  spill->lost_bytes += length - kept;
  g_free (spill->problem);
  spill->problem = error != NULL ? g_strdup (error->message) : NULL;
  return lost;
}

gboolean
tti_spill_take (TtiSpill *spill, guint index, TtiSpillReport *report)
{
  if (!spill->active)
    return FALSE;
  *report = (TtiSpillReport) { .index = index, .file = g_strdup (spill->file), .lines = spill->lines, .bytes = spill->bytes,
                                 .lost_lines = spill->lost_lines, .lost_bytes = spill->lost_bytes,
                                 .problem = g_steal_pointer (&spill->problem) };
  spill->active = FALSE;
  spill->lines = spill->bytes = spill->lost_lines = spill->lost_bytes = 0;
  tti_fd_clear (&spill->fd);
  return TRUE;
}

void
tti_spill_report_clear (TtiSpillReport *report)
{
  g_clear_pointer (&report->file, g_free);
  g_clear_pointer (&report->problem, g_free);
}

void
tti_spill_discard (TtiSpill *spill)
{
  guint64 told = spill->size - spill->bytes;

  if (!spill->active)
    return;
  if (told > 0)
    {
      (void) !truncate (spill->file, (off_t) told);
      tti_fd_clear (&spill->fd);
    }
  else
    {
      if (spill->file != NULL)
        (void) g_unlink (spill->file);
      tti_spill_clear (spill);
    }
  g_free (spill->problem);
  *spill = (TtiSpill) { .file = spill->file, .fd = -1, .size = told };
}
