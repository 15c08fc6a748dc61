/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The memory that the two sides of a connection lend each other.
 *
 * A storage that was sent is *lent*: its descriptor travels once, with a number; later messages name the number alone. The other
 * side, the borrower, keeps one mapping for all messages. When none of its vectors uses it any more, it says so (a *release*); only
 * then, or when its exit is confirmed, may the lender use the memory for something else. The lender decides what the borrower
 * remembers: it tells the borrower when to *forget* a storage. A release states how many messages the borrower had received: if the
 * lender has sent more, the release is outdated, and another will follow.
 *
 * A borrower that lies harms only its own view. The borrower trusts nothing that the lender says: it looks numbers up and measures
 * sizes. All functions may be called from any thread. */
#pragma once
#include "transport/vector-private.h"

typedef struct _TuttiLoans TuttiLoans; /* of one end of a connection */

typedef enum { TUTTI_LOAN_RELEASE = 1, TUTTI_LOAN_FORGET } TuttiLoanNewsKind;

typedef struct
{
  TuttiLoanNewsKind kind;
  guint64 id;
  guint64 count;           /* messages, with a release */
} TuttiLoanNews;

/* MOST: how many of our storages the other side remembers at most. */
TuttiLoans *tutti_loans_new (guint most);
/* The other side cannot see our memory any more: end all loans. Borrowed memory stays as long as vectors use it. */
void tutti_loans_close (TuttiLoans *loans); /* NULL is fine */

/* --- the lender ---------------------------------------------------------------------------------------------------------- */
/* Does the other side know STORAGE by its number? */
gboolean tutti_loans_is_known (TuttiLoans *loans, TuttiStorage *storage);
/* A message with STORAGES (of TuttiStorage, each once) is on its way. */
void tutti_loans_lend (TuttiLoans *loans, GPtrArray *storages);
/* The next piece of news to send before the next message; FALSE: there is none. */
gboolean tutti_loans_take_news (TuttiLoans *loans, TuttiLoanNews *news);
void tutti_loans_hear (TuttiLoans *loans, const TuttiLoanNews *news);

/* --- the borrower -------------------------------------------------------------------------------------------------------- */
/* The storage that the other side lent under number ID, with a new reference for the caller; NULL: none. */
TuttiBorrowed *tutti_loans_find (TuttiLoans *loans, guint64 id);
/* The other side lends FD, which stays the caller's, under number ID (which is free). Error: no descriptors left. */
TuttiBorrowed *tutti_loans_add (TuttiLoans *loans, guint64 id, int fd, gsize size, GError **error);
/* Another message with BORROWED has arrived. */
void tutti_borrowed_received (TuttiBorrowed *borrowed);
int tutti_borrowed_get_fd (TuttiBorrowed *borrowed);
gsize tutti_borrowed_get_size (TuttiBorrowed *borrowed);
/* A vector over SIZE bytes from OFFSET, checked by the caller, mapped as MODE. KEEP_FD: it can be sent on. */
TuttiVector *tutti_borrowed_get_vector (TuttiBorrowed *borrowed, guint64 offset, gsize size, TuttiMapMode mode, gboolean keep_fd,
                                        GError **error);
/* Users: vectors, messages that are being received, and loans of it to others. When the last user goes, the lender is notified. */
void tutti_borrowed_use (TuttiBorrowed *borrowed);
void tutti_borrowed_unuse (TuttiBorrowed *borrowed);
