/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Archives of arrays, by libzip, which knows those above 4 GB. */
#include "file/npz.h"
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <zip.h>

static void
say (zip_error_t *error, char *message, size_t room)
{
  snprintf (message, room, "%s", zip_error_strerror (error));
}

void *
tutti_npz_open (const char *file, char *message, size_t room)
{
  int code = 0;
  zip_t *archive = zip_open (file, ZIP_RDONLY, &code);

  if (archive == NULL)
    {
      zip_error_t error;

      zip_error_init_with_code (&error, code);
      say (&error, message, room);
      zip_error_fini (&error);
    }
  return archive;
}

void
tutti_npz_close (void *archive)
{
  zip_discard (archive);
}

int64_t
tutti_npz_count (void *archive)
{
  return zip_get_num_entries (archive, 0);
}

const char *
tutti_npz_name (void *archive, uint64_t index, char *message, size_t room)
{
  const char *name = zip_get_name (archive, index, ZIP_FL_ENC_GUESS);

  if (name == NULL)
    say (zip_get_error (archive), message, room);
  return name;
}

void *
tutti_npz_member (void *archive, uint64_t index, uint64_t *size, char *message, size_t room)
{
  zip_stat_t stat;
  zip_file_t *member;

  if (zip_stat_index (archive, index, 0, &stat) < 0)
    {
      say (zip_get_error (archive), message, room);
      return NULL;
    }
  /* Nobody should ask for the memory that a damaged directory names: deflate makes bytes at most 1032 times as many. */
  if ((stat.valid & ZIP_STAT_SIZE) == 0 || (stat.valid & ZIP_STAT_COMP_SIZE) == 0 || stat.comp_size > INT64_MAX / 2048
      || stat.size > (stat.comp_method == ZIP_CM_STORE ? stat.comp_size : 1032 * stat.comp_size + 1032))
    {
      snprintf (message, room, "its size, %llu bytes, cannot be that of the %llu bytes it is stored in", (unsigned long long) stat.size,
                (unsigned long long) stat.comp_size);
      return NULL;
    }
  member = zip_fopen_index (archive, index, 0);
  if (member == NULL)
    say (zip_get_error (archive), message, room);
  *size = stat.size;
  return member;
}

int64_t
tutti_npz_read (void *member, void *bytes, uint64_t size, char *message, size_t room)
{
  zip_int64_t n = zip_fread (member, bytes, size);

  if (n < 0)
    say (zip_file_get_error (member), message, room);
  return n;
}

void
tutti_npz_member_close (void *member)
{
  zip_fclose (member);
}

/* Midnight at the beginning of 1980, the first time that an archive can have: so the time is nothing that makes two archives differ. */
static time_t
beginning (void)
{
  struct tm tm = { .tm_year = 80, .tm_mday = 1, .tm_isdst = -1 };

  return mktime (&tm);
}

static bool
add_member (zip_t *archive, const char *name, zip_buffer_fragment_t *parts, int compress)
{
  zip_source_t *source = zip_source_buffer_fragment (archive, parts, parts[1].length > 0 ? 2 : 1, 0);
  zip_int64_t index;

  if (source == NULL)
    return false;
  index = zip_file_add (archive, name, source, ZIP_FL_ENC_UTF_8);
  if (index < 0)
    {
      zip_source_free (source);
      return false;
    }
  return zip_set_file_compression (archive, (zip_uint64_t) index, compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) == 0
         && zip_file_set_mtime (archive, (zip_uint64_t) index, beginning (), 0) == 0;
}

int
tutti_npz_write (const char *file, size_t n, const uint64_t *names, const uint64_t *heads, const uint64_t *head_sizes,
                 const uint64_t *bodies, const uint64_t *body_sizes, int compress, char *message, size_t room)
{
  zip_error_t error;
  zip_source_t *source;
  zip_t *archive;
  bool good = true;

  zip_error_init (&error);
  source = zip_source_file_create (file, 0, -1, &error);
  archive = source == NULL ? NULL : zip_open_from_source (source, ZIP_CREATE | ZIP_TRUNCATE, &error);
  if (archive == NULL)
    {
      zip_source_free (source);
      say (&error, message, room);
      zip_error_fini (&error);
      return -1;
    }
  for (size_t i = 0; i < n && good; i++)
    {
      zip_buffer_fragment_t parts[] = { { (zip_uint8_t *) (uintptr_t) heads[i], head_sizes[i] },
                                        { (zip_uint8_t *) (uintptr_t) bodies[i], body_sizes[i] } };

      good = add_member (archive, (const char *) (uintptr_t) names[i], parts, compress);
    }
  good = good && zip_close (archive) == 0;
  if (!good)
    {
      say (zip_get_error (archive), message, room);
      zip_discard (archive);
    }
  return good ? 0 : -1;
}
