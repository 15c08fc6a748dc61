/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What has failed lately: tasks that ended without a value, items of maps that raised, and the deaths of workers, so that somebody can ask
 * why, and whoever comes late sees it. Of what succeeds nothing is kept: that would cost each task something, and a journal has it.
 *
 * The engine has one, guarded by its lock; entries are kept up to TTI_HISTORY_MOST of each kind, the oldest go first. */
#pragma once
#include "look/events.h"
#include "process/certificate.h"
#include "transport/payload.h"

#define TTI_HISTORY_MOST 500

/* A task that has ended without a value. */
typedef struct
{
  guint64 task, pool;
  guint64 culprit;       /* the task whose failure has ended this one too; 0: it has ended by itself */
  const char *name;      /* interned; NULL: none */
  TtiLookEnd end;
  char *text;            /* why; NULL: it is in EXCEPTION, or not known */
  TtiPayload *exception; /* what it has raised, if that is short; or NULL */
  int worker;            /* that had it last; -1: none */
  guint attempts;
  gint64 at;             /* monotonic */
} TtiPastFailure;

/* A worker that has died. */
typedef struct
{
  TtiCertificate *certificate;
  guint64 pool;
  guint attempt;         /* of its task, if it had one */
  gboolean again;        /* that is tried again */
  const char *name;      /* of that task; interned; NULL: none */
  gint64 at;
} TtiPastDeath;

/* An item of a map that has raised. */
typedef struct
{
  guint64 task, item;
  char *text;
  gint64 at;
} TtiPastItem;

typedef struct
{
  GQueue failures;         /* owned, as all of these, the oldest first */
  GQueue fallen;           /* tasks that are no failures of their own: they were cancelled, or ended with another one or with their pool */
  GQueue deaths;
  GQueue items;
  guint64 n_forgotten;     /* tasks */
  gint64 item_second;      /* in this one so many items were kept: */
  guint n_items_now;
} TtiHistory;

void tti_history_clear (TtiHistory *history); /* zeroed memory is fine, before and after */

/* FAILURE is copied; its text and exception pass to HISTORY. */
void tti_history_add_failure (TtiHistory *history, const TtiPastFailure *failure);
/* DEATH is copied; its certificate gets one more reference. */
void tti_history_add_death (TtiHistory *history, const TtiPastDeath *death);
/* A flood of them does not cost what the text of each does: can one more be kept, at this moment? If so, keep it. TEXT: NULL is fine. */
gboolean tti_history_wants_item (TtiHistory *history);
void tti_history_add_item (TtiHistory *history, guint64 task, guint64 item, const char *text);

/* How TASK has failed; NULL: it has not, or that was forgotten. Owned by HISTORY. */
const TtiPastFailure *tti_history_find_failure (const TtiHistory *history, guint64 task);
