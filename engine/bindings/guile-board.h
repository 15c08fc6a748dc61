/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Somebody who looks at an engine, for Scheme: a viewer, the board that it feeds, and what was heard of one task. */
#pragma once
#include "look/board.h"
#include "look/viewer.h"
#include <libguile.h>

typedef struct
{
  TtiViewer *viewer;
  TtiBoard *board;
  guint64 task;       /* that was asked for; 0: none */
  gboolean answering; /* events that come now are of it, and of those that it waits for */
  gboolean answered;
  gboolean is_known;  /* it has not ended */
  guint64 n_ahead;    /* tasks before it in its queue */
  GPtrArray *heard;   /* what was, see guile-viewer.c */
} TtiWatch;

typedef struct
{
  const char *name;
  SCM value;
} TtiField;

/* An association list of N fields, by symbols. */
SCM tti_guile_fields (const TtiField *fields, gsize n);
SCM tti_guile_text (const char *text); /* #f for "" and NULL */

/* What an object of (%look-at …) owns; raises wrong-type-arg as WHO for others. */
TtiWatch *tti_guile_to_watch (SCM object, const char *who);
void tti_guile_init_viewer (void);
