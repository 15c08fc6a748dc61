/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the functions for HDF5 files share. */
#pragma once
#include "file/hdf5.h"
#include <hdf5.h>
#include <stdbool.h>

/* Every function that calls the library begins and ends so: the library is for one thread at a time, and has an error handler that prints,
 * which its other users in this process may want to keep. With GOOD false there is a message at the end, whatever happened. */
void tutti_hdf5_begin (void);
void tutti_hdf5_end (bool good);

/* Returns GOOD; if it is false, and nothing was said before, the message becomes what the library has to say about its last call. */
bool tutti_hdf5_note (bool good);

/* Sets the message. */
void tutti_hdf5_say (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

/* Says how far PATH leads, and what there is: if a dataset is in the way of the rest, or if it is WANTED, which is nothing otherwise. */
void tutti_hdf5_say_missing (hid_t file, const char *path, bool wanted);

/* A dataset or an attribute: exactly one of both is open. */
typedef struct
{
  hid_t object; /* dataset, group, or what has the attribute */
  hid_t attribute;
  hid_t type, space;
} TuttiHdf5Item;

/* Opens what is at PATH, or its ATTRIBUTE; of a group without it there is no type. Says why if it fails. */
bool tutti_hdf5_item_open (hid_t file, const char *path, const char *attribute, TuttiHdf5Item *item);
void tutti_hdf5_item_close (TuttiHdf5Item *item);

/* The kind of values of TYPE; says what it is if it is none of ours. */
int tutti_hdf5_kind (hid_t type);

/* The type, in memory or in a file, of numbers or booleans of KIND; to be closed. */
hid_t tutti_hdf5_type (int kind);
