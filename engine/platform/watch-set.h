/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A set of descriptors to wait for, which is one descriptor for a main loop.
 *
 * poll () would look at all of them whenever one of them has something, and it refuses more than the soft limit of descriptors. An
 * entry has a number of its own; news of it that had been fetched before it was removed names a number that is not there.
 *
 * The set has no lock: the caller guards add, modify, remove and find with one of its own. NEWS is called without it, in the
 * context's thread, and takes it. */
#pragma once
#include <glib.h>

typedef struct _TtiWatchSet TtiWatchSet;
typedef struct _TtiWatch TtiWatch; /* one descriptor in a set */

/* Something is to be read from, or can be written to, the descriptor of NUMBER: EVENTS are those of epoll (7). */
typedef void (*TtiWatchNews) (guint64 number, guint32 events, gpointer user_data);

/* NAME is static: of the source. NULL with ERROR if there is no descriptor. */
TtiWatchSet *tti_watch_set_new (GMainContext *context, const char *name, TtiWatchNews news, gpointer user_data, GError **error);
void tti_watch_set_free (TtiWatchSet *set); /* with what is in it; NULL is fine */

/* Wait for FD, which stays the caller's, to have something to read. DATA is what tti_watch_find () returns. */
TtiWatch *tti_watch_add (TtiWatchSet *set, int fd, gpointer data, GError **error);
void tti_watch_set_writing (TtiWatchSet *set, TtiWatch *watch, gboolean writing); /* wait also until it can be written to */
void tti_watch_remove (TtiWatchSet *set, TtiWatch **watch); /* before FD is closed; NULL is fine */
/* The entry with NUMBER and its DATA; NULL: it was removed. */
TtiWatch *tti_watch_find (TtiWatchSet *set, guint64 number, gpointer *data);
