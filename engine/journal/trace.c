/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "journal/trace.h"
#include "journal/clean-text.h"
#include "journal/walk.h"
#include "look/events.h"
#include "platform/error.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { FULL = 256 * 1024 };

typedef struct
{
  TtiJournal *journal;
  gint64 run, began;
  int fd, errno_value; /* ERRNO_VALUE: of the first failure; nothing is written any more */
  GString *text;       /* that was not written yet */
  GString *clean;
  gboolean has_event;
} Trace;

static void
flush (Trace *self)
{
  for (gsize at = 0; at < self->text->len && self->errno_value == 0;)
    {
      gssize n = write (self->fd, self->text->str + at, self->text->len - at);

      if (n >= 0)
        at += (gsize) n;
      else if (errno != EINTR)
        self->errno_value = errno;
    }
  g_string_truncate (self->text, 0);
}

/* --- JSON -------------------------------------------------------------------------------------------------------------------- */

/* TEXT, which is clean. */
static void
add_string (GString *out, const char *text)
{
  g_string_append_c (out, '"');
  for (; *text != '\0'; text++)
    if (*text == '"' || *text == '\\')
      {
        g_string_append_c (out, '\\');
        g_string_append_c (out, *text);
      }
    else if (*text == '\n')
      g_string_append (out, "\\n");
    else if (*text == '<') /* who puts it into a page has no end of a script in it */
      g_string_append (out, "\\u003c");
    else
      g_string_append_c (out, *text);
  g_string_append_c (out, '"');
}

static void
add_number (GString *out, const char *key, gint64 number)
{
  g_string_append (out, key);
  if (number < 0)
    g_string_append_c (out, '-');
  char digits[20], *at = digits + sizeof digits;
  guint64 rest = number < 0 ? -(guint64) number : (guint64) number;

  do
    *--at = (char) ('0' + rest % 10);
  while ((rest /= 10) != 0);
  g_string_append_len (out, at, digits + sizeof digits - at);
}

/* An event begins. PHASE: X, i, C or M. */
static GString *
begin_event (Trace *self, char phase, guint64 pool, gint64 worker)
{
  if (self->text->len > FULL)
    flush (self);
  g_string_append (self->text, self->has_event ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
  self->has_event = TRUE;
  g_string_append_c (self->text, phase);
  add_number (self->text, "\",\"pid\":", (gint64) MIN (pool, G_MAXINT32));
  add_number (self->text, ",\"tid\":", worker);
  return self->text;
}

static const char *
clean_column (Trace *self, const TtiJournalRows *rows, guint column, gboolean keep_lines)
{
  gsize n;
  const char *bytes = tti_journal_rows_bytes (rows, column, &n);

  g_string_truncate (self->clean, 0);
  if (bytes != NULL)
    tti_clean_text_append (self->clean, bytes, n, keep_lines);
  return self->clean->str;
}

/* --- what there is ----------------------------------------------------------------------------------------------------------- */

static void
write_names (Trace *self)
{
  g_autoptr (TtiJournalRows) pools = tti_journal_ask (self->journal, "pools", "SELECT pool, name FROM pool WHERE run = ?", &self->run, 1);

  while (tti_journal_rows_next (pools))
    {
      GString *out = begin_event (self, 'M', (guint64) tti_journal_rows_number (pools, 0), 0);
      const char *name = clean_column (self, pools, 1, FALSE);

      g_string_append (out, ",\"name\":\"process_name\",\"args\":{\"name\":");
      add_string (out, *name != '\0' ? name : "pool");
      g_string_append (out, "}}");
    }
  g_autoptr (TtiJournalRows) workers = tti_journal_ask (self->journal, "workers",
                                                        "SELECT DISTINCT pool, worker, node FROM worker WHERE run = ?", &self->run, 1);

  while (tti_journal_rows_next (workers))
    {
      gint64 worker = tti_journal_rows_number (workers, 1);
      GString *out = begin_event (self, 'M', (guint64) tti_journal_rows_number (workers, 0), worker);
      g_autofree char *name = g_strdup_printf ("worker %" G_GINT64_FORMAT, worker);

      g_string_append (out, ",\"name\":\"thread_name\",\"args\":{\"name\":");
      add_string (out, name);
      g_string_append (out, ",\"node\":");
      add_string (out, clean_column (self, workers, 2, FALSE));
      g_string_append (out, "}}");
    }
}

static const char *
word_for (gint32 end)
{
  return end == TTI_JOURNAL_AGAIN        ? "tried again"
         : end == TTI_JOURNAL_UNKNOWN    ? "unknown"
         : end == TTI_JOURNAL_UNFINISHED ? "not ended"
                                         : tti_look_end_name ((TtiLookEnd) end);
}

static void
write_tasks (Trace *self, gint64 now)
{
  g_autoptr (TtiJournalWalk) walk = tti_journal_walk_new (self->journal, self->run, now);
  TtiJournalTask task;

  while (self->errno_value == 0 && tti_journal_walk_next (walk, &task))
    {
      if (task.worker < 0 || task.started == 0)
        continue;
      GString *out = begin_event (self, 'X', task.pool, task.worker);

      g_string_append (out, ",\"name\":");
      add_string (out, *task.name != '\0' ? task.name : "task");
      g_string_append (out, ",\"cat\":");
      add_string (out, word_for (task.end));
      add_number (out, ",\"ts\":", task.busy_from - self->began);
      add_number (out, ",\"dur\":", task.busy_to - task.busy_from);
      add_number (out, ",\"args\":{\"task\":", (gint64) task.task);
      g_string_append (out, ",\"end\":");
      add_string (out, word_for (task.end));
      add_number (out, ",\"attempt\":", task.attempts);
      add_number (out, ",\"queued\":", task.started - task.submitted);
      if (*task.error != '\0')
        {
          g_string_append (out, ",\"error\":");
          add_string (out, task.error);
        }
      g_string_append (out, "}}");
    }
}

static void
write_deaths (Trace *self)
{
  g_autoptr (TtiJournalRows) rows = tti_journal_ask (self->journal, "deaths of workers",
                                                     "SELECT pool, worker, time, task, text, stderr FROM certificate WHERE run = ?",
                                                     &self->run, 1);

  while (self->errno_value == 0 && tti_journal_rows_next (rows))
    {
      GString *out = begin_event (self, 'i', (guint64) tti_journal_rows_number (rows, 0), tti_journal_rows_number (rows, 1));

      add_number (out, ",\"name\":\"death\",\"cat\":\"death\",\"s\":\"t\",\"ts\":", tti_journal_rows_number (rows, 2) - self->began);
      add_number (out, ",\"args\":{\"task\":", tti_journal_rows_number (rows, 3));
      g_string_append (out, ",\"text\":");
      add_string (out, clean_column (self, rows, 4, TRUE));
      g_string_append (out, ",\"stderr\":");
      add_string (out, clean_column (self, rows, 5, TRUE));
      g_string_append (out, "}}");
    }
}

static void
write_samples (Trace *self)
{
  g_autoptr (TtiJournalRows) rows = tti_journal_ask (self->journal, "samples",
                                                     "SELECT pool, time, busy, memory, submitted - ended FROM sample WHERE run = ?",
                                                     &self->run, 1);
  static const char *const names[] = { "busy workers", "memory", "tasks not ended" };

  while (self->errno_value == 0 && tti_journal_rows_next (rows))
    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
      {
        GString *out = begin_event (self, 'C', (guint64) tti_journal_rows_number (rows, 0), 0);

        g_string_append (out, ",\"name\":");
        add_string (out, names[i]);
        add_number (out, ",\"ts\":", tti_journal_rows_number (rows, 1) - self->began);
        add_number (out, ",\"args\":{\"n\":", tti_journal_rows_number (rows, 2 + i));
        g_string_append (out, "}}");
      }
}

gboolean
tti_journal_write_trace (TtiJournal *journal, gint64 run, gint64 began, gint64 ended, int fd, GError **error)
{
  Trace self = { .journal = journal, .run = run, .began = began, .fd = fd, .text = g_string_sized_new (FULL + 8192),
                 .clean = g_string_new (NULL) };

  /* Times in it are since the run began; so that they can be laid beside others, it says when that was. */
  g_string_append (self.text, "{\"displayTimeUnit\":\"ms\",\"metadata\":{\"clock-domain\":\"LINUX_CLOCK_REALTIME\",");
  add_number (self.text, "\"clock-offset-since-epoch\":\"", began);
  g_string_append (self.text, "\"},\"traceEvents\":[");
  write_names (&self);
  write_tasks (&self, ended);
  write_deaths (&self);
  write_samples (&self);
  g_string_append (self.text, "\n]}\n");
  flush (&self);
  g_string_free (self.text, TRUE);
  g_string_free (self.clean, TRUE);
  if (self.errno_value != 0)
    tti_set_errno (error, self.errno_value, "cannot write the trace");
  return self.errno_value == 0;
}
