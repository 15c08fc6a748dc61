/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* HDF5 files and what is in them: opening, closing, and saying what is missing. */
#include "file/hdf5-private.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static H5E_auto2_t others_handler;
static void *others_data;
static _Thread_local char message[600];

const char *
tutti_hdf5_message (void)
{
  return message;
}

void
tutti_hdf5_say (const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  vsnprintf (message, sizeof message, format, arguments);
  va_end (arguments);
}

void
tutti_hdf5_begin (void)
{
  static bool known;

  pthread_mutex_lock (&lock);
  message[0] = '\0';
  /* All that is ours is closed when a function returns. At the end of the process the library would print about damaged files, or crash. */
  if (!known)
    H5dont_atexit ();
  known = true;
  H5Eget_auto2 (H5E_DEFAULT, &others_handler, &others_data);
  H5Eset_auto2 (H5E_DEFAULT, NULL, NULL);
}

/* The innermost entry says what was wrong, the others who was waiting for it. What the system said stands in quotes in a longer text. */
static herr_t
note_error (unsigned int n, const H5E_error2_t *error, void *unused)
{
  const char *start = error->desc != NULL ? strstr (error->desc, "error message = '") : NULL, *end;

  (void) n;
  (void) unused;
  if (error->desc == NULL)
    return 0;
  if (start == NULL)
    tutti_hdf5_say ("%s", error->desc);
  else
    {
      start += strlen ("error message = '");
      end = strchr (start, '\'');
      tutti_hdf5_say ("%.*s", (int) (end != NULL ? end - start : 200), start);
      return 1;
    }
  return 0;
}

bool
tutti_hdf5_note (bool good)
{
  if (!good && message[0] == '\0')
    H5Ewalk2 (H5E_DEFAULT, H5E_WALK_DOWNWARD, note_error, NULL);
  return good;
}

void
tutti_hdf5_end (bool good)
{
  if (!good && message[0] == '\0')
    tutti_hdf5_say ("the HDF5 library does not say why");
  H5Eset_auto2 (H5E_DEFAULT, others_handler, others_data);
  pthread_mutex_unlock (&lock);
}

/* Files have the layout of 1.8, which every library of the last decade reads: its metadata has checksums, attributes may be of any size. */
static hid_t
open_file (const char *file, int mode)
{
  hid_t access = H5Pcreate (H5P_FILE_ACCESS), id = H5I_INVALID_HID;

  if (access >= 0 && H5Pset_fclose_degree (access, H5F_CLOSE_STRONG) >= 0
      && H5Pset_libver_bounds (access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0)
    id = mode == 2 ? H5Fcreate (file, H5F_ACC_TRUNC, H5P_DEFAULT, access)
                   : H5Fopen (file, mode == 1 ? H5F_ACC_RDWR : H5F_ACC_RDONLY, access);
  tutti_hdf5_note (id >= 0);
  if (access >= 0)
    H5Pclose (access);
  return id;
}

int64_t
tutti_hdf5_open (const char *file, int mode)
{
  hid_t id;

  tutti_hdf5_begin ();
  id = open_file (file, mode);
  tutti_hdf5_end (id >= 0);
  return id >= 0 ? id : -1;
}

int
tutti_hdf5_close (int64_t file)
{
  bool good;

  tutti_hdf5_begin ();
  good = tutti_hdf5_note (H5Fflush (file, H5F_SCOPE_LOCAL) >= 0);
  good = tutti_hdf5_note (H5Fclose (file) >= 0) && good;
  tutti_hdf5_end (good);
  return good ? 0 : -1;
}

/* What there is in GROUP, as far as there is ROOM. */
static void
name_links (hid_t group, char *text, size_t room)
{
  H5G_info_t info;
  size_t length = 0;

  snprintf (text, room, "nothing");
  if (H5Gget_info (group, &info) < 0)
    return;
  for (hsize_t i = 0; i < info.nlinks && length + 80 < room; i++)
    {
      char name[64] = "?";

      H5Lget_name_by_idx (group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
      length += (size_t) snprintf (text + length, room - length, "%s%s", i > 0 ? ", " : "", i < 10 ? name : "…");
      if (i >= 10)
        break;
    }
}

/* Goes down PATH as far as there are groups. Returns the last one, which is to be closed; LENGTH is that of its path, and NEXT says what
 * comes behind it: H5I_GROUP for nothing, as it is the end of PATH, H5I_BADID if there is nothing of that name. */
static hid_t
go_down (hid_t file, const char *path, size_t *length, H5I_type_t *next)
{
  hid_t group = H5Gopen2 (file, "/", H5P_DEFAULT);
  char *start = strdup (path);

  *length = 0;
  *next = H5I_GROUP;
  while (start != NULL && path[*length + strspn (path + *length, "/")] != '\0')
    {
      size_t name = *length + strspn (path + *length, "/"), end = name + strcspn (path + name, "/");
      hid_t object;

      memcpy (start, path, end);
      start[end] = '\0';
      object = H5Lexists (file, start, H5P_DEFAULT) > 0 ? H5Oopen (file, start, H5P_DEFAULT) : H5I_INVALID_HID;
      *next = object < 0 ? H5I_BADID : H5Iget_type (object);
      if (*next != H5I_GROUP)
        {
          if (object >= 0)
            H5Oclose (object);
          break;
        }
      H5Oclose (group);
      group = object;
      *length = end;
    }
  free (start);
  return group;
}

void
tutti_hdf5_say_missing (hid_t file, const char *path, bool wanted)
{
  char there[300];
  size_t length;
  H5I_type_t next;
  hid_t group = go_down (file, path, &length, &next);

  if (next != H5I_BADID && next != H5I_GROUP)
    tutti_hdf5_say ("there is no %s: a part of it is a dataset, not a group", path);
  else if (wanted)
    {
      name_links (group, there, sizeof there);
      tutti_hdf5_say ("there is no %s; %s%.*s has: %s", path, path[0] == '/' && length > 0 ? "" : "/", (int) length, path, there);
    }
  if (group >= 0)
    H5Oclose (group);
}

static bool
open_attribute (const char *path, const char *attribute, TuttiHdf5Item *item)
{
  if (H5Aexists (item->object, attribute) <= 0)
    {
      tutti_hdf5_say ("%s has no attribute %s", path, attribute);
      return false;
    }
  item->attribute = H5Aopen (item->object, attribute, H5P_DEFAULT);
  if (!tutti_hdf5_note (item->attribute >= 0))
    return false;
  item->type = H5Aget_type (item->attribute);
  item->space = H5Aget_space (item->attribute);
  return tutti_hdf5_note (item->type >= 0 && item->space >= 0);
}

bool
tutti_hdf5_item_open (hid_t file, const char *path, const char *attribute, TuttiHdf5Item *item)
{
  *item = (TuttiHdf5Item) { H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID };
  item->object = H5Oopen (file, path, H5P_DEFAULT);
  if (item->object < 0)
    {
      if (H5Lexists (file, path, H5P_DEFAULT) <= 0)
        tutti_hdf5_say_missing (file, path, true);
      else if (H5Oexists_by_name (file, path, H5P_DEFAULT) == 0)
        tutti_hdf5_say ("the link %s leads to nothing", path);
      else   /* for the library to say why; the questions have made it forget */
        tutti_hdf5_note (H5Oopen (file, path, H5P_DEFAULT) >= 0);
      return false;
    }
  if (attribute != NULL)
    return open_attribute (path, attribute, item);
  if (H5Iget_type (item->object) != H5I_DATASET)
    return true;
  item->type = H5Dget_type (item->object);
  item->space = H5Dget_space (item->object);
  return tutti_hdf5_note (item->type >= 0 && item->space >= 0);
}

void
tutti_hdf5_item_close (TuttiHdf5Item *item)
{
  if (item->space >= 0)
    H5Sclose (item->space);
  if (item->type >= 0)
    H5Tclose (item->type);
  if (item->attribute >= 0)
    H5Aclose (item->attribute);
  if (item->object >= 0)
    H5Oclose (item->object);
}
