/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Writing datasets and attributes of HDF5 files. */
#include "file/hdf5-private.h"
#include <stdlib.h>
#include <string.h>

static hid_t
make_space (const TuttiHdf5Shape *shape)
{
  hsize_t lengths[TUTTI_HDF5_RANK];

  if (shape->rank == 0)
    return H5Screate (H5S_SCALAR);
  for (uint64_t d = 0; d < shape->rank; d++)
    lengths[d] = shape->shape[d];
  return H5Screate_simple ((int) shape->rank, lengths, NULL);
}

/* Names are UTF-8, and groups on the way are made. */
static hid_t
link_properties (void)
{
  hid_t properties = H5Pcreate (H5P_LINK_CREATE);

  if (properties >= 0
      && (H5Pset_create_intermediate_group (properties, 1) < 0 || H5Pset_char_encoding (properties, H5T_CSET_UTF8) < 0))
    {
      H5Pclose (properties);
      properties = H5I_INVALID_HID;
    }
  return properties;
}

/* Makes way for a dataset at PATH. */
static bool
remove_old (hid_t file, const char *path)
{
  hid_t old = H5Oopen (file, path, H5P_DEFAULT);
  bool dataset = old >= 0 && H5Iget_type (old) == H5I_DATASET;

  if (old >= 0)
    H5Oclose (old);
  if (old >= 0 && !dataset)
    {
      tutti_hdf5_say ("%s is a group, which is not replaced by a dataset; choose another path", path);
      return false;
    }
  /* A link that leads nowhere is in the way, too. H5Lexists fails if a group on the way is not there yet. */
  return H5Lexists (file, path, H5P_DEFAULT) <= 0 || tutti_hdf5_note (H5Ldelete (file, path, H5P_DEFAULT) >= 0);
}

static bool
write_dataset (hid_t file, const char *path, hid_t type, hid_t space, const void *memory)
{
  hid_t links = link_properties (), dataset = H5I_INVALID_HID;
  bool good = false;

  if (links >= 0 && remove_old (file, path))
    {
      dataset = H5Dcreate2 (file, path, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
      if (dataset < 0)
        {
          tutti_hdf5_note (false);
          tutti_hdf5_say_missing (file, path, false);
        }
    }
  if (dataset >= 0)
    {
      good = tutti_hdf5_note (H5Dwrite (dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, memory) >= 0);
      good = tutti_hdf5_note (H5Dclose (dataset) >= 0) && good;
    }
  if (links >= 0)
    H5Pclose (links);
  return good;
}

static bool
write_attribute (hid_t object, const char *name, hid_t type, hid_t space, const void *memory)
{
  hid_t properties = H5Pcreate (H5P_ATTRIBUTE_CREATE), attribute = H5I_INVALID_HID;
  bool good = false;

  if (properties >= 0 && H5Pset_char_encoding (properties, H5T_CSET_UTF8) >= 0
      && (H5Aexists (object, name) <= 0 || H5Adelete (object, name) >= 0))
    attribute = H5Acreate2 (object, name, type, space, properties, H5P_DEFAULT);
  tutti_hdf5_note (attribute >= 0);
  if (attribute >= 0)
    {
      good = tutti_hdf5_note (H5Awrite (attribute, type, memory) >= 0);
      good = tutti_hdf5_note (H5Aclose (attribute) >= 0) && good;
    }
  if (properties >= 0)
    H5Pclose (properties);
  return good;
}

/* The addresses of texts that have a zero behind each; NULL without memory. */
static const char **
lines_of (const char *texts, size_t n)
{
  const char **lines = calloc (n + 1, sizeof *lines);

  for (size_t i = 0; i < n && lines != NULL; i++, texts += strlen (texts) + 1)
    lines[i] = texts;
  return lines;
}

static bool
write_item (hid_t file, const char *path, const char *attribute, hid_t type, hid_t space, const void *memory)
{
  TuttiHdf5Item item;
  bool good;

  if (attribute == NULL)
    return write_dataset (file, path, type, space, memory);
  good = tutti_hdf5_item_open (file, path, NULL, &item) && write_attribute (item.object, attribute, type, space, memory);
  tutti_hdf5_item_close (&item);
  return good;
}

int
tutti_hdf5_write (int64_t file, const char *path, const char *attribute, const TuttiHdf5Shape *shape, const void *numbers)
{
  const char **lines = NULL;
  hid_t type, space;
  bool good = false;

  tutti_hdf5_begin ();
  type = tutti_hdf5_type ((int) shape->kind);
  space = make_space (shape);
  if (type >= 0 && space >= 0 && shape->kind == TUTTI_HDF5_TEXT)
    {
      lines = lines_of (numbers, (size_t) H5Sget_simple_extent_npoints (space));
      good = lines != NULL && write_item (file, path, attribute, type, space, lines);
      free (lines);
    }
  else if (type >= 0 && space >= 0)
    good = write_item (file, path, attribute, type, space, numbers);
  if (space >= 0)
    H5Sclose (space);
  if (type >= 0)
    H5Tclose (type);
  tutti_hdf5_end (good);
  return good ? 0 : -1;
}
