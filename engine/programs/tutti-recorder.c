/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti-recorder FILE: the companion of an engine (pool/companion.h) that writes the journal FILE. */
#include "journal/recorder.h"
#include "programs/companion-side.h"
#include <stdio.h>
#include <sys/stat.h>

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int word, status;

  if (argc != 2)
    {
      fprintf (stderr, "usage: tutti-recorder FILE; `tutti run --journal FILE' starts it\n");
      return 2;
    }
  umask (077);
  if (!tti_companion_begin (&word, &status))
    return status;
  TtiViewer *viewer = tti_viewer_new (TTI_COMPANION_VIEWER, &error);
  TtiRecording *recording = viewer != NULL ? tti_recording_new (argv[1], viewer, &error) : NULL;

  if (recording == NULL)
    return tti_companion_refuse (error->message);
  if (!tti_companion_ready (word))
    return 1;
  tti_recording_run (recording);
  tti_recording_free (recording);
  return 0;
}
