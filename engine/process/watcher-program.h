/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The path, arguments and environment of a worker as bytes in a memfd: packed by the master, read by the watcher. */
#pragma once
#include "process/watcher-link.h"
#include <glib.h>

/* A memfd of PROGRAM's strings, close-on-exec, and the number of arguments; -1 on error (TUTTI_ERROR_LIMIT if they
 * are longer than 16 MiB). */
int tutti_watcher_program_pack (const TuttiWatcherProgram *program, guint32 *n_args, GError **error);

/* Strings that were read; free with tutti_watcher_program_clear (). */
typedef struct
{
  TuttiWatcherProgram program; /* points into the rest */
  char *text;
  GPtrArray *strings;
} TuttiWatcherStrings;

/* Read the contents of FD into STRINGS (overwritten). FALSE if pack () has not made them. */
gboolean tutti_watcher_program_unpack (int fd, guint32 n_args, TuttiWatcherStrings *strings, GError **error);
void tutti_watcher_program_clear (TuttiWatcherStrings *strings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TuttiWatcherStrings, tutti_watcher_program_clear)
