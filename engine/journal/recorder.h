/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The recorder of a journal: it reads the events of an engine and writes them down, until the engine is at its end. */
#pragma once
#include "look/viewer.h"

/* Ready to write what VIEWER sees, which passes to it also where it fails, into FILE. Errors: those of tti_database_open (). */
typedef struct _TtiRecording TtiRecording;
TtiRecording *tti_recording_new (const char *file, TtiViewer *viewer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Write until the engine has ended and all is written. */
void tti_recording_run (TtiRecording *recording);

/* Close the file, and the viewer. */
void tti_recording_free (TtiRecording *recording);
