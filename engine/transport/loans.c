/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Loans: the memory that both sides of a connection know by a number. */
#include "transport/loans.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <fcntl.h>

/* The lock of storages protects the tables of all connections; it is held for a few look-ups only. */
typedef struct
{
  TuttiStorage *storage;
  guint64 sent;         /* number of messages that contained it */
  guint64 last_used;    /* decides which loan is forgotten first */
  gboolean out;         /* it was not released yet */
} Loan;

struct _TuttiLoans
{
  guint refs;           /* one of the connection, one of each TuttiBorrowed */
  gboolean closed;
  guint most;
  guint64 clock;
  guint epoch;
  GHashTable *lent;     /* number -> Loan */
  GHashTable *borrowed; /* number -> TuttiBorrowed */
  GArray *news;         /* of TuttiLoanNews, oldest first; those before index TOLD were already taken */
  guint told;
  gint has_news;        /* atomic */
};

struct _TuttiBorrowed
{
  guint refs;           /* one of the table, one of each user */
  guint users;
  TuttiLoans *loans;
  guint64 id;
  guint64 received;
  gboolean forgotten;
  int fd;
  gsize size;
  TuttiStorage *mapped[2]; /* all of it, readable and writable; NULL: not yet mapped */
};

static void
loans_unref_locked (TuttiLoans *loans)
{
  if (--loans->refs > 0)
    return;
  g_hash_table_unref (loans->lent);
  g_hash_table_unref (loans->borrowed);
  g_array_unref (loans->news);
  g_free (loans);
}

TuttiLoans *
tutti_loans_new (guint most)
{
  TuttiLoans *loans = g_new0 (TuttiLoans, 1);

  loans->refs = 1;
  loans->most = most;
  loans->epoch = tutti_storage_get_epoch ();
  loans->lent = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  loans->borrowed = g_hash_table_new (g_int64_hash, g_int64_equal);
  loans->news = g_array_new (FALSE, FALSE, sizeof (TuttiLoanNews));
  return loans;
}

static void
news_add_locked (TuttiLoans *loans, TuttiLoanNewsKind kind, guint64 id, guint64 count)
{
  TuttiLoanNews news = { .kind = kind, .id = id, .count = count };

  if (loans->closed)
    return;
  g_array_append_val (loans->news, news);
  g_atomic_int_set (&loans->has_news, TRUE);
}

/* --- users --------------------------------------------------------------------------------------------------------------- */
/* Memory whose last reference is gone: it is freed without the lock. */
typedef struct
{
  TuttiStorage *mapped[2];
  int fd;
} Remains;

static const Remains nothing = { { NULL, NULL }, -1 };

static Remains
borrowed_unref_locked (TuttiBorrowed *borrowed)
{
  if (--borrowed->refs > 0)
    return nothing;
  Remains remains = { { borrowed->mapped[0], borrowed->mapped[1] }, borrowed->fd };

  loans_unref_locked (borrowed->loans);
  g_free (borrowed);
  return remains;
}

static void
remains_free (Remains remains)
{
  tutti_storage_unref (remains.mapped[0]);
  tutti_storage_unref (remains.mapped[1]);
  tutti_fd_clear (&remains.fd);
}

static void
count_mapped (TuttiBorrowed *borrowed, gboolean used)
{
  for (guint i = 0; i < G_N_ELEMENTS (borrowed->mapped); i++)
    if (borrowed->mapped[i] != NULL)
      tutti_storage_count (borrowed->mapped[i], used);
}

static void
use_locked (TuttiBorrowed *borrowed)
{
  borrowed->refs++;
  if (borrowed->users++ == 0)
    count_mapped (borrowed, TRUE);
}

static Remains
unuse_locked (TuttiBorrowed *borrowed)
{
  g_assert (borrowed->users > 0);
  if (--borrowed->users == 0)
    {
      count_mapped (borrowed, FALSE);
      if (!borrowed->forgotten)
        news_add_locked (borrowed->loans, TUTTI_LOAN_RELEASE, borrowed->id, borrowed->received);
    }
  return borrowed_unref_locked (borrowed);
}

void
tutti_borrowed_use (TuttiBorrowed *borrowed)
{
  tutti_storage_lock ();
  use_locked (borrowed);
  tutti_storage_unlock ();
}

void
tutti_borrowed_unuse (TuttiBorrowed *borrowed)
{
  tutti_storage_lock ();
  Remains remains = unuse_locked (borrowed);
  tutti_storage_unlock ();
  remains_free (remains);
}

/* --- the lender ---------------------------------------------------------------------------------------------------------- */
gboolean
tutti_loans_is_known (TuttiLoans *loans, TuttiStorage *storage)
{
  tutti_storage_lock ();
  gboolean known = g_hash_table_contains (loans->lent, &storage->id);
  tutti_storage_unlock ();
  return known;
}

/* End LOAN. If the storage was itself borrowed, this loan does not use it any more. */
static Remains
loan_end_locked (Loan *loan)
{
  TuttiBorrowed *origin = loan->storage->origin;

  loan->out = FALSE;
  tutti_storage_end_loan_locked (loan->storage);
  return origin != NULL ? unuse_locked (origin) : nothing;
}

/* Tell the other side to forget LOAN, which is freed. */
static Remains
loan_forget_locked (TuttiLoans *loans, Loan *loan)
{
  TuttiStorage *storage = loan->storage;
  Remains remains = nothing;

  news_add_locked (loans, TUTTI_LOAN_FORGET, storage->id, 0);
  if (loan->out)
    {
      storage->recyclable = FALSE; /* when it is released we shall not hear of it */
      remains = loan_end_locked (loan);
    }
  g_hash_table_remove (loans->lent, &storage->id);
  tutti_storage_drop_holder_locked (storage);
  return remains;
}

/* Forget loans that are not in use first, then the least recently used ones. */
static gint
compare_by_use (gconstpointer a, gconstpointer b)
{
  const Loan *one = *(Loan *const *) a, *other = *(Loan *const *) b;

  if (one->out != other->out)
    return one->out ? 1 : -1;
  return (one->last_used > other->last_used) - (one->last_used < other->last_used);
}

/* The last message may have had more than MOST storages; those in the present one stay. Storages whose last reference goes are
 * appended to ALL. */
static void
loans_make_room_locked (TuttiLoans *loans, GArray *all)
{
  g_autoptr (GPtrArray) loans_by_use = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  if (g_hash_table_size (loans->lent) <= loans->most)
    return;
  g_hash_table_iter_init (&iter, loans->lent);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Loan *) value)->last_used < loans->clock)
      g_ptr_array_add (loans_by_use, value);
  g_ptr_array_sort (loans_by_use, compare_by_use);
  for (guint i = 0; i < loans_by_use->len && g_hash_table_size (loans->lent) > loans->most; i++)
    {
      Remains remains = loan_forget_locked (loans, g_ptr_array_index (loans_by_use, i));

      g_array_append_val (all, remains);
    }
}

static void
lend_locked (TuttiLoans *loans, TuttiStorage *storage)
{
  Loan *loan = g_hash_table_lookup (loans->lent, &storage->id);

  if (loan == NULL)
    {
      loan = g_new0 (Loan, 1);
      loan->storage = storage;
      storage->holders++;
      g_hash_table_insert (loans->lent, &storage->id, loan);
    }
  loan->sent++;
  loan->last_used = loans->clock;
  if (loan->out)
    return;
  loan->out = TRUE;
  storage->loans++;
  if (storage->origin != NULL)
    use_locked (storage->origin);
}

void
tutti_loans_lend (TuttiLoans *loans, GPtrArray *storages)
{
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Remains));

  tutti_storage_lock ();
  loans->clock++;
  for (guint i = 0; i < storages->len; i++)
    lend_locked (loans, g_ptr_array_index (storages, i));
  loans_make_room_locked (loans, all);
  tutti_storage_unlock ();
  for (guint i = 0; i < all->len; i++)
    remains_free (g_array_index (all, Remains, i));
}

/* Tell the other side to forget storages whose memory we have freed. */
static void
forget_gone_locked (TuttiLoans *loans)
{
  GHashTableIter iter;
  gpointer value;
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();

  loans->epoch = tutti_storage_get_epoch ();
  g_hash_table_iter_init (&iter, loans->lent);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Loan *) value)->storage->gone)
      g_ptr_array_add (gone, value);
  for (guint i = 0; i < gone->len; i++)
    {
      Loan *loan = g_ptr_array_index (gone, i);

      /* Memory that another process owns is not freed while it is lent, so that nothing of it remains here. */
      g_assert (!loan->out || loan->storage->origin == NULL);
      (void) loan_forget_locked (loans, loan);
    }
}

gboolean
tutti_loans_take_news (TuttiLoans *loans, TuttiLoanNews *news)
{
  /* Usually there are no news, and this is called for every message. */
  if (!g_atomic_int_get (&loans->has_news) && loans->epoch == tutti_storage_get_epoch ())
    return FALSE;
  tutti_storage_lock ();
  if (loans->epoch != tutti_storage_get_epoch ())
    forget_gone_locked (loans);
  gboolean found = loans->told < loans->news->len;

  if (found)
    *news = g_array_index (loans->news, TuttiLoanNews, loans->told++);
  /* Moving the rest to the front at each call would take quadratic time; so do it when half of all were taken. */
  if (loans->told > 0 && loans->told >= loans->news->len / 2)
    {
      g_array_remove_range (loans->news, 0, loans->told);
      loans->told = 0;
    }
  g_atomic_int_set (&loans->has_news, loans->told < loans->news->len);
  tutti_storage_unlock ();
  return found;
}

void
tutti_loans_hear (TuttiLoans *loans, const TuttiLoanNews *news)
{
  Remains remains = nothing;

  tutti_storage_lock ();
  if (news->kind == TUTTI_LOAN_RELEASE)
    {
      Loan *loan = g_hash_table_lookup (loans->lent, &news->id);

      if (loan != NULL && loan->out && loan->sent == news->count)
        remains = loan_end_locked (loan);
    }
  else
    {
      TuttiBorrowed *borrowed = g_hash_table_lookup (loans->borrowed, &news->id);

      if (borrowed != NULL)
        {
          borrowed->forgotten = TRUE;
          g_hash_table_remove (loans->borrowed, &news->id);
          remains = borrowed_unref_locked (borrowed);
        }
    }
  tutti_storage_unlock ();
  remains_free (remains);
}

/* --- the borrower -------------------------------------------------------------------------------------------------------- */
TuttiBorrowed *
tutti_loans_find (TuttiLoans *loans, guint64 id)
{
  tutti_storage_lock ();
  TuttiBorrowed *borrowed = g_hash_table_lookup (loans->borrowed, &id);

  if (borrowed != NULL)
    use_locked (borrowed);
  tutti_storage_unlock ();
  return borrowed;
}

TuttiBorrowed *
tutti_loans_add (TuttiLoans *loans, guint64 id, int fd, gsize size, GError **error)
{
  tutti_fd_begin_opening ();
  int own = fcntl (fd, F_DUPFD_CLOEXEC, 0);

  tutti_fd_end_opening ();
  if (own < 0)
    {
      tutti_set_errno (error, errno, "cannot keep received memory of %" G_GSIZE_FORMAT " bytes", size);
      return NULL;
    }
  TuttiBorrowed *borrowed = g_new0 (TuttiBorrowed, 1);

  tutti_fd_move_up (&own);
  *borrowed = (TuttiBorrowed) { .refs = 1, .loans = loans, .id = id, .fd = own, .size = size };
  tutti_storage_lock ();
  loans->refs++;
  g_assert (!g_hash_table_contains (loans->borrowed, &id));
  g_hash_table_insert (loans->borrowed, &borrowed->id, borrowed);
  use_locked (borrowed);
  tutti_storage_unlock ();
  return borrowed;
}

void
tutti_borrowed_received (TuttiBorrowed *borrowed)
{
  tutti_storage_lock ();
  borrowed->received++;
  tutti_storage_unlock ();
}

int
tutti_borrowed_get_fd (TuttiBorrowed *borrowed)
{
  return borrowed->fd;
}

gsize
tutti_borrowed_get_size (TuttiBorrowed *borrowed)
{
  return borrowed->size;
}

/* The mapping that all vectors of BORROWED share, made with the first. */
static TuttiStorage *
borrowed_map (TuttiBorrowed *borrowed, TuttiMapMode mode, gboolean keep_fd, GError **error)
{
  TuttiStorage **mapped = &borrowed->mapped[mode != TUTTI_MAP_READ_ONLY];

  if (*mapped != NULL)
    return *mapped;
  TuttiStorage *storage = tutti_storage_adopt (borrowed->fd, 0, borrowed->size, mode, FALSE, keep_fd, error);

  if (storage == NULL)
    return NULL;
  storage->cached = TRUE; /* it was counted already, because it is in use: a message is being received */
  storage->origin = borrowed;
  tutti_storage_lock ();
  *mapped = storage;
  tutti_storage_unlock ();
  return storage;
}

static TuttiVector *
vector_apart (TuttiBorrowed *borrowed, guint64 offset, gsize size, TuttiMapMode mode, GError **error)
{
  TuttiStorage *storage = tutti_storage_adopt (borrowed->fd, (goffset) offset, size, mode, FALSE, FALSE, error);

  if (storage == NULL)
    return NULL;
  storage->origin = borrowed;
  return tutti_vector_new_in_storage (storage, 0, size);
}

TuttiVector *
tutti_borrowed_get_vector (TuttiBorrowed *borrowed, guint64 offset, gsize size, TuttiMapMode mode, gboolean keep_fd, GError **error)
{
  g_assert (offset <= borrowed->size && size <= borrowed->size - offset);
  /* Writes to a private mapping are its own, so it cannot be shared. */
  if (mode == TUTTI_MAP_COPY || size == 0)
    return vector_apart (borrowed, offset, size, mode, error);
  TuttiStorage *mapped = borrowed_map (borrowed, mode, keep_fd, error);

  return mapped != NULL ? tutti_vector_new_in_storage (tutti_storage_ref (mapped), offset, size) : NULL;
}

void
tutti_loans_close (TuttiLoans *loans)
{
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Remains));
  GHashTableIter iter;
  gpointer value;

  if (loans == NULL)
    return;
  tutti_storage_lock ();
  loans->closed = TRUE;
  g_hash_table_iter_init (&iter, loans->lent);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Loan *loan = value;
      TuttiStorage *storage = loan->storage;
      Remains remains = loan->out ? loan_end_locked (loan) : nothing;

      g_hash_table_iter_remove (&iter);
      tutti_storage_drop_holder_locked (storage);
      g_array_append_val (all, remains);
    }
  g_hash_table_iter_init (&iter, loans->borrowed);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TuttiBorrowed *borrowed = value;

      g_hash_table_iter_remove (&iter);
      borrowed->forgotten = TRUE;
      Remains remains = borrowed_unref_locked (borrowed);
      g_array_append_val (all, remains);
    }
  loans_unref_locked (loans);
  tutti_storage_unlock ();
  for (guint i = 0; i < all->len; i++)
    remains_free (g_array_index (all, Remains, i));
}
