/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Journals of applications: the recorder is the same as that of scripts. */
#include "embedding/embedding-private.h"
#include "module/request-modules.h"
#include "platform/error.h"
#include "platform/host-name.h"
#include "pool/capsules.h"
#include "pool/companion.h"
#include "pool/looking.h"
#include <string.h>

#define CAPSULE_LIMIT 100000000 /* bytes, as the manual says */

/**
 * tutti_engine_write_journal:
 * @engine: an engine
 * @file: (type filename): the name of a file
 * @error: where to put an error
 *
 * Has all that happens from now on written down in a file, by a process of its own: tasks, workers, certificates of deaths with what their
 * workers wrote last. The file is an SQLite database, which `tutti report` reads; it may have journals of other runs. Each task that
 * fails leaves a capsule in a folder beside it, `FILE.capsules`, from which `tutti replay` runs it again. Waits until the process has
 * begun, five seconds at most; when the engine is shut down, that waits until all is written, ten seconds at most. Doing it twice with
 * the same file is fine.
 *
 * Returns: %TRUE; %FALSE with %TUTTI_ERROR_SPAWN and what the process has said if it cannot be written, %TUTTI_ERROR_ARGUMENT if the
 *   engine has another journal, %TUTTI_ERROR_CLOSED if it was shut down, or %TUTTI_ERROR_FORKED
 */
gboolean
tutti_engine_write_journal (TuttiEngine *engine, const char *file, GError **error)
{
  g_return_val_if_fail (TUTTI_IS_ENGINE (engine) && file != NULL, FALSE);
  static GMutex lock;
  TtiEngine *inside = tutti_engine_inside (engine);

  if (tti_engine_is_copy (error))
    return FALSE;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  g_autofree char *path = g_canonicalize_filename (file, NULL), *present = tti_engine_get_note (inside, "journal");

  if (present != NULL && strcmp (present, path) == 0)
    return TRUE;
  if (present != NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "this engine is written down in %s already, and cannot be in %s "
                   "as well", present, path);
      return FALSE;
    }
  g_autofree char *name = g_strconcat ("the recorder of the journal ", path, NULL), *program = tti_engine_find_program ("tutti-recorder");
  const char *const argv[] = { "tutti-recorder", path, NULL };
  const TtiCompanion recorder = { .name = name, .program = program, .argv = argv, .is_awaited = TRUE };

  tti_engine_set_exception_reader (tti_value_exception_text);
  tti_capsules_set_code (tti_request_add_modules);
  if (!tti_engine_add_companion (inside, &recorder, error))
    return FALSE;
  tti_engine_set_capsules (inside, CAPSULE_LIMIT, NULL);
  tti_engine_note (inside, "journal", path);
  tti_engine_note (inside, "version", TUTTI_VERSION);
  tti_engine_note (inside, "host", tti_host_name ());
  return TRUE;
}
