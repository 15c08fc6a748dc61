/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Arrays and texts in HDF5 files. Calls come one at a time, whoever makes them; the library prints nothing meanwhile. Where something
 * fails, tutti_hdf5_message () says why. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Kinds of values; the order is that of (tutti file value). Other things have negative numbers. */
enum
{
  TUTTI_HDF5_U8,
  TUTTI_HDF5_S8,
  TUTTI_HDF5_U16,
  TUTTI_HDF5_S16,
  TUTTI_HDF5_U32,
  TUTTI_HDF5_S32,
  TUTTI_HDF5_U64,
  TUTTI_HDF5_S64,
  TUTTI_HDF5_F32,
  TUTTI_HDF5_F64,
  TUTTI_HDF5_C32,
  TUTTI_HDF5_C64,
  TUTTI_HDF5_BOOLEAN,
  TUTTI_HDF5_TEXT,
  TUTTI_HDF5_GROUP = -1,
  TUTTI_HDF5_OTHER = -2, /* the message says what it is */
  TUTTI_HDF5_EMPTY = -3  /* it has a type, but no value */
};

enum { TUTTI_HDF5_RANK = 32 };   /* the library's limit */

/* What a dataset or an attribute is. */
typedef struct
{
  int64_t kind;
  uint64_t rank;
  uint64_t shape[TUTTI_HDF5_RANK];
} TuttiHdf5Shape;

/* What went wrong last in this thread. */
const char *tutti_hdf5_message (void);

/* Opens FILE to be read (MODE 0), to be changed (1), or makes a new one (2). Returns -1 if that fails. */
int64_t tutti_hdf5_open (const char *file, int mode);

/* Makes sure that FILE can become BYTES longer. The library crashes at the end of the process if a disk was full. Returns 0 or -1. */
int tutti_hdf5_reserve (const char *file, uint64_t bytes);

/* Gives back what is left of what was reserved. */
void tutti_hdf5_release (const char *file);

/* Closes what tutti_hdf5_open returned. Returns 0 or -1: what was written may be lost then. */
int tutti_hdf5_close (int64_t file);

/* Says what is at PATH, or what its ATTRIBUTE is unless that is NULL. Returns 0 or -1. */
int tutti_hdf5_look (int64_t file, const char *path, const char *attribute, TuttiHdf5Shape *shape);

/* Reads numbers or booleans, a byte each, as KIND. Returns 0 or -1. */
int tutti_hdf5_read (int64_t file, const char *path, const char *attribute, int kind, void *numbers);

/* Returns all texts, SIZE bytes with a zero behind each, to be freed by tutti_hdf5_free; NULL if that fails. */
char *tutti_hdf5_read_text (int64_t file, const char *path, const char *attribute, uint64_t *size);

/* Writes a dataset, or an ATTRIBUTE of what is at PATH, unless that is NULL; what was there is replaced. Groups are made as needed. Texts
 * have a zero behind each. Returns 0 or -1. */
int tutti_hdf5_write (int64_t file, const char *path, const char *attribute, const TuttiHdf5Shape *shape, const void *numbers);

/* Returns the paths of all that is in FILE, or the names of the attributes of what is at PATH unless that is NULL: SIZE bytes with
 * a zero behind each, to be freed by tutti_hdf5_free; NULL if that fails. */
char *tutti_hdf5_list (int64_t file, const char *path, uint64_t *size);

/* Frees what the functions above have returned. */
void tutti_hdf5_free (char *text);
