/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The last failures, for those who come to look when they have happened: events of the engine's history. */
#include "pool/engine-private.h"

enum { MOST_SHOWN = 50 };

static void
show_task (TtiEngine *engine, const TtiPastFailure *past)
{
  TtiLookFailure failure = { .kind = TTI_EVENT_ENDED, .time = past->at, .task = past->task, .pool = past->pool, .worker = past->worker,
                             .end = past->end, .attempts = past->attempts };
  g_autofree char *raised = past->exception != NULL ? tti_engine_read_exception (past->exception) : NULL;

  tti_engine_show_locked (engine, TTI_EVENT_FAILURE, &failure, past->name, raised != NULL ? raised : past->text);
}

static void
show_item (TtiEngine *engine, const TtiPastItem *past)
{
  TtiLookFailure failure = { .kind = TTI_EVENT_ITEM, .time = past->at, .task = past->task, .item = past->item, .worker = -1 };

  tti_engine_show_locked (engine, TTI_EVENT_FAILURE, &failure, NULL, past->text);
}

static void
show_death (TtiEngine *engine, const TtiPastDeath *past)
{
  const TtiCertificate *certificate = past->certificate;
  TtiLookFailure failure = { .kind = TTI_EVENT_DIED, .time = past->at, .task = certificate->task, .pool = past->pool,
                             .worker = (gint32) certificate->index, .attempts = past->attempt, .again = past->again,
                             .reason = certificate->reason };
  g_autofree char *text = tti_certificate_describe (certificate), *both = g_strconcat (text, "\n", certificate->stderr_tail, NULL);

  /* Not if we have ended it, as somebody wanted. */
  if (certificate->reason != TUTTI_DEATH_CANCELLED && certificate->reason != TUTTI_DEATH_CLOSED)
    tti_engine_show_locked (engine, TTI_EVENT_FAILURE, &failure, past->name, both);
}

/* One kind of entries, to be gone through: AT is the next. */
typedef struct
{
  const GList *at;
  gsize time;              /* the offset of its time */
} Kind;

static gint64
time_of (const Kind *kind)
{
  return kind->at != NULL ? *(const gint64 *) ((const char *) kind->at->data + kind->time) : G_MAXINT64;
}

void
tti_engine_show_failures_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  const TtiHistory *history = &engine->history;
  Kind kinds[] = { { history->failures.head, offsetof (TtiPastFailure, at) },
                   { history->items.head, offsetof (TtiPastItem, at) },
                   { history->deaths.head, offsetof (TtiPastDeath, at) } };
  guint n = history->failures.length + history->items.length + history->deaths.length;

  for (; n > 0; n--)
    {
      Kind *next = &kinds[0];

      for (guint i = 1; i < G_N_ELEMENTS (kinds); i++)
        if (time_of (&kinds[i]) < time_of (next))
          next = &kinds[i];
      gconstpointer past = next->at->data;

      next->at = next->at->next;
      if (n > MOST_SHOWN)
        continue;
      if (next == &kinds[0])
        show_task (engine, past);
      else if (next == &kinds[1])
        show_item (engine, past);
      else
        show_death (engine, past);
    }
}
