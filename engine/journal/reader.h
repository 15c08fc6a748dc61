/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A journal for those who read it, also while a recorder writes into it, and when its end is missing: then there is what can be read, and
 * it is said what cannot. The file may be anybody's, so nothing in it is believed. It is never written to.
 *
 * One thread at a time may use a journal. It is seen as it was when it was opened; who wants news opens it again. */
#pragma once
#include <glib.h>

typedef struct _TtiJournal TtiJournal;

/* Open the journal FILE. Errors (TUTTI_ERROR_SYSTEM): it is not there, cannot be read, is no journal, or is one of another version. */
TtiJournal *tti_journal_open (const char *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_journal_close (TtiJournal *journal); /* NULL is fine */

/* What cannot be read, until now: sentences, NULL behind the last. The journal's. */
const char *const *tti_journal_get_missing (TtiJournal *journal);

/* Say that something is missing. Each sentence is kept once, and no more than a few dozen are. */
void tti_journal_add_missing (TtiJournal *journal, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* --- rows -------------------------------------------------------------------------------------------------------------------- */

typedef struct _TtiJournalRows TtiJournalRows;

/* The rows of SQL, a SELECT with N parameters, which are NUMBERS. WHAT they are is said where they, or some, cannot be read: "tasks". Never
 * NULL. */
TtiJournalRows *tti_journal_ask (TtiJournal *journal, const char *what, const char *sql, const gint64 *numbers, guint n)
    G_GNUC_WARN_UNUSED_RESULT;
void tti_journal_rows_free (TtiJournalRows *rows); /* NULL is fine */

/* Go to the next row, at first to the first. FALSE: there is none, or it cannot be read (then IS_BROKEN is TRUE, and it was said). */
gboolean tti_journal_rows_next (TtiJournalRows *rows);
gboolean tti_journal_rows_is_broken (const TtiJournalRows *rows);

/* Values of the present row, by COLUMN, from 0 on. A number of what is none is 0. Bytes are those of a text or blob, NULL and none of
 * anything else; they live until the next call. */
guint tti_journal_rows_n_columns (const TtiJournalRows *rows);
gboolean tti_journal_rows_is_null (const TtiJournalRows *rows, guint column);
gboolean tti_journal_rows_is_number (const TtiJournalRows *rows, guint column);
gint64 tti_journal_rows_number (const TtiJournalRows *rows, guint column);
const char *tti_journal_rows_bytes (const TtiJournalRows *rows, guint column, gsize *n_bytes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiJournal, tti_journal_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiJournalRows, tti_journal_rows_free)
