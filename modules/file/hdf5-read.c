/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Reading datasets and attributes of HDF5 files, and listing what is there. */
#include "file/hdf5-private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether the file is long enough for what is stored in one piece; nobody should ask for the memory that a damaged file names. */
static bool
is_plausible (const TuttiHdf5Item *item)
{
  hid_t properties = H5Dget_create_plist (item->object), file = H5Iget_file_id (item->object);
  hsize_t size = 0, stored = H5Dget_storage_size (item->object);
  bool whole = properties >= 0 && H5Pget_layout (properties) == H5D_CONTIGUOUS && H5Pget_external_count (properties) == 0;

  if (properties >= 0)
    H5Pclose (properties);
  if (file >= 0 && H5Fget_filesize (file, &size) < 0)
    size = 0;
  if (file >= 0)
    H5Fclose (file);
  if (!whole || size == 0 || stored <= size)
    return true;
  tutti_hdf5_say ("%llu bytes are said to be in a file of %llu bytes; it is cut short, or damaged", (unsigned long long) stored,
                  (unsigned long long) size);
  return false;
}

static bool
look (TuttiHdf5Item *item, TuttiHdf5Shape *shape)
{
  hsize_t lengths[H5S_MAX_RANK];
  int rank;

  *shape = (TuttiHdf5Shape) { .kind = TUTTI_HDF5_GROUP };
  if (item->type < 0)
    {
      if (H5Iget_type (item->object) != H5I_GROUP)
        {
          shape->kind = TUTTI_HDF5_OTHER;
          tutti_hdf5_say ("the name of a type");
        }
      return true;
    }
  shape->kind = tutti_hdf5_kind (item->type);
  if (H5Sget_simple_extent_type (item->space) == H5S_NULL)
    {
      shape->kind = TUTTI_HDF5_EMPTY;
      return true;
    }
  rank = H5Sget_simple_extent_dims (item->space, lengths, NULL);
  if (!tutti_hdf5_note (rank >= 0))
    return false;
  shape->rank = (uint64_t) rank;
  for (int d = 0; d < rank; d++)
    shape->shape[d] = lengths[d];
  return item->attribute >= 0 || is_plausible (item);
}

int
tutti_hdf5_look (int64_t file, const char *path, const char *attribute, TuttiHdf5Shape *shape)
{
  TuttiHdf5Item item;
  bool good;

  tutti_hdf5_begin ();
  good = tutti_hdf5_item_open (file, path, attribute, &item) && look (&item, shape);
  tutti_hdf5_item_close (&item);
  tutti_hdf5_end (good);
  return good ? 0 : -1;
}

static bool
read_as (const TuttiHdf5Item *item, hid_t type, void *memory)
{
  herr_t status = type < 0 ? -1
                  : item->attribute >= 0 ? H5Aread (item->attribute, type, memory)
                                         : H5Dread (item->object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, memory);

  return tutti_hdf5_note (status >= 0);
}

int
tutti_hdf5_read (int64_t file, const char *path, const char *attribute, int kind, void *numbers)
{
  TuttiHdf5Item item;
  bool good = false;

  tutti_hdf5_begin ();
  if (tutti_hdf5_item_open (file, path, attribute, &item))
    {
      hid_t type = tutti_hdf5_type (kind);

      good = read_as (&item, type, numbers);
      if (type >= 0)
        H5Tclose (type);
    }
  tutti_hdf5_item_close (&item);
  tutti_hdf5_end (good);
  return good ? 0 : -1;
}

/* Texts, with a zero behind each. */
typedef struct
{
  char *bytes;
  size_t size, room;
  bool full; /* there is no memory for more */
} Texts;

static void
append (Texts *texts, const char *text, size_t length)
{
  if (texts->size + length + 1 > texts->room && !texts->full)
    {
      size_t room = 2 * (texts->size + length) + 64;
      char *more = realloc (texts->bytes, room);

      texts->full = more == NULL;
      texts->bytes = more != NULL ? more : texts->bytes;
      texts->room = more != NULL ? room : texts->room;
    }
  if (texts->full)
    return;
  if (length > 0)
    memcpy (texts->bytes + texts->size, text, length);
  texts->size += length;
  texts->bytes[texts->size++] = '\0';
}

/* A type in memory as the one in the file, since texts are not converted from one character set to the other. */
static hid_t
memory_text (hid_t type, bool variable, size_t size)
{
  hid_t memory = H5Tcopy (H5T_C_S1);

  if (memory >= 0
      && (H5Tset_size (memory, variable ? H5T_VARIABLE : size) < 0 || H5Tset_cset (memory, H5Tget_cset (type)) < 0
          || (!variable && H5Tset_strpad (memory, H5Tget_strpad (type)) < 0)))
    {
      H5Tclose (memory);
      memory = H5I_INVALID_HID;
    }
  return memory;
}

static bool
read_variable (const TuttiHdf5Item *item, size_t n, hid_t type, Texts *texts)
{
  char **lines = calloc (n + 1, sizeof *lines);
  bool good = lines != NULL && read_as (item, type, lines);

  for (size_t i = 0; i < n && good; i++)
    append (texts, lines[i], lines[i] != NULL ? strlen (lines[i]) : 0);
  if (good)
    H5Dvlen_reclaim (type, item->space, H5P_DEFAULT, lines);
  free (lines);
  return good;
}

static bool
read_fixed (const TuttiHdf5Item *item, size_t n, size_t size, hid_t type, Texts *texts)
{
  H5T_str_t padding = H5Tget_strpad (type);
  char *lines = size > 0 && n < SIZE_MAX / 2 / size ? calloc (n * size + 1, 1) : NULL;
  bool good = lines != NULL && read_as (item, type, lines);

  for (size_t i = 0; i < n && good; i++)
    {
      size_t length = strnlen (lines + i * size, size);

      while (padding == H5T_STR_SPACEPAD && length > 0 && lines[i * size + length - 1] == ' ')
        length--;
      append (texts, lines + i * size, length);
    }
  free (lines);
  return good;
}

static bool
read_texts (const TuttiHdf5Item *item, Texts *texts)
{
  hssize_t n = H5Sget_simple_extent_npoints (item->space);
  bool variable = H5Tis_variable_str (item->type) > 0, good = false;
  size_t size = H5Tget_size (item->type);
  hid_t type = memory_text (item->type, variable, size);

  if (n >= 0 && (uint64_t) n < SIZE_MAX / 16 && type >= 0)
    good = variable ? read_variable (item, (size_t) n, type, texts) : read_fixed (item, (size_t) n, size, type, texts);
  if (type >= 0)
    H5Tclose (type);
  return good;
}

/* What is in TEXTS, for the caller to keep. */
static char *
finish (Texts *texts, bool good, uint64_t *size)
{
  if (good && texts->bytes == NULL)
    texts->bytes = calloc (1, 1);
  if (texts->full || (good && texts->bytes == NULL))
    {
      tutti_hdf5_say ("there is not enough memory");
      good = false;
    }
  if (!good)
    {
      free (texts->bytes);
      texts->bytes = NULL;
    }
  *size = texts->size;
  return texts->bytes;
}

char *
tutti_hdf5_read_text (int64_t file, const char *path, const char *attribute, uint64_t *size)
{
  TuttiHdf5Item item;
  Texts texts = { 0 };
  char *bytes;

  tutti_hdf5_begin ();
  bytes = finish (&texts, tutti_hdf5_item_open (file, path, attribute, &item) && read_texts (&item, &texts), size);
  tutti_hdf5_item_close (&item);
  tutti_hdf5_end (bytes != NULL);
  return bytes;
}

static herr_t
note_link (hid_t group, const char *name, const H5L_info_t *info, void *texts)
{
  (void) group;
  (void) info;
  append (texts, name, strlen (name));
  return 0;
}

static herr_t
note_attribute (hid_t object, const char *name, const H5A_info_t *info, void *texts)
{
  (void) object;
  (void) info;
  append (texts, name, strlen (name));
  return 0;
}

static bool
list (hid_t file, const char *path, Texts *texts)
{
  TuttiHdf5Item item;
  bool good;

  if (path == NULL)
    return tutti_hdf5_note (H5Lvisit (file, H5_INDEX_NAME, H5_ITER_INC, note_link, texts) >= 0);
  good = tutti_hdf5_item_open (file, path, NULL, &item)
         && tutti_hdf5_note (H5Aiterate2 (item.object, H5_INDEX_NAME, H5_ITER_INC, NULL, note_attribute, texts) >= 0);
  tutti_hdf5_item_close (&item);
  return good;
}

char *
tutti_hdf5_list (int64_t file, const char *path, uint64_t *size)
{
  Texts texts = { 0 };
  char *bytes;

  tutti_hdf5_begin ();
  bytes = finish (&texts, list (file, path, &texts), size);
  tutti_hdf5_end (bytes != NULL);
  return bytes;
}

void
tutti_hdf5_free (char *text)
{
  free (text);
}
