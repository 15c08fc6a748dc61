/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The path, arguments and environment of a worker as bytes in a memfd: packed by the master, read by the watcher. */
#pragma once
#include "process/watcher-link.h"
#include <glib.h>

/* A memfd of PROGRAM's strings, close-on-exec, and the number of arguments; -1 on error (TUTTI_ERROR_LIMIT if they
 * are longer than 16 MiB). */
int tti_watcher_program_pack (const TtiWatcherProgram *program, guint32 *n_args, GError **error);

/* Strings that were read; free with tti_watcher_program_clear (). */
typedef struct
{
  TtiWatcherProgram program; /* points into the rest */
  char *text;
  GPtrArray *strings;
} TtiWatcherStrings;

/* Read the contents of FD into STRINGS (overwritten). FALSE if pack () has not made them. */
gboolean tti_watcher_program_unpack (int fd, guint32 n_args, TtiWatcherStrings *strings, GError **error);
void tti_watcher_program_clear (TtiWatcherStrings *strings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TtiWatcherStrings, tti_watcher_program_clear)
