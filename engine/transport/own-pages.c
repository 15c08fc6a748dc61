/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "transport/own-pages.h"
#include "platform/error.h"
#include "platform/memory.h"
#include "transport/leases.h"
#include <unistd.h>

/* Bytes START to END of a mapping: whole pages. */
typedef struct
{
  gsize start, end;
  gpointer copy; /* of a gap: what will be there; NULL: not yet made, or it is there */
} Pages;

static gsize
page_size (void)
{
  return (gsize) sysconf (_SC_PAGESIZE);
}

static gsize
round_up (gsize size)
{
  return (size + page_size () - 1) / page_size () * page_size ();
}

/* The pages with bytes of VECTOR, which is in a mapping. */
static Pages
pages_of (const TtiVector *vector)
{
  gsize start = (gsize) (vector->data - (const guint8 *) vector->storage->map);

  return (Pages) { .start = start / page_size () * page_size (), .end = round_up (start + vector->size) };
}

/* --- the list: sorted, with gaps between its elements ---------------------------------------------------------------------- */
static Pages *
pages_at (GArray *list, guint i)
{
  return &g_array_index (list, Pages, i);
}

static void
add_locked (TtiStorage *storage, Pages pages)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  GArray *list = storage->own_pages != NULL ? storage->own_pages : g_array_new (FALSE, FALSE, sizeof (Pages));
  guint at = 0;

  while (at < list->len && pages_at (list, at)->end < pages.start)
    at++;
  while (at < list->len && pages_at (list, at)->start <= pages.end)
    {
      pages.start = MIN (pages.start, pages_at (list, at)->start);
      pages.end = MAX (pages.end, pages_at (list, at)->end);
      g_array_remove_index (list, at);
    }
  pages.copy = NULL;
  g_array_insert_val (list, at, pages);
  g_atomic_pointer_set (&storage->own_pages, list);
}

/* What is missing of PAGES; the caller holds the lock of pages, without which nothing is added. */
static GArray *
gaps_in (const TtiStorage *storage, Pages pages)
{
  GArray *gaps = g_array_new (FALSE, FALSE, sizeof (Pages)), *list = storage->own_pages;
  Pages gap = { .start = pages.start };

  for (guint i = 0; list != NULL && i < list->len && gap.start < pages.end; i++)
    {
      const Pages *own = pages_at (list, i);

      if (own->end <= gap.start)
        continue;
      gap.end = MIN (own->start, pages.end);
      if (gap.end > gap.start)
        g_array_append_val (gaps, gap);
      gap.start = own->end;
    }
  gap.end = pages.end;
  if (gap.start < gap.end)
    g_array_append_val (gaps, gap);
  return gaps;
}

gboolean
tti_own_pages_contain_locked (TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  Pages pages = pages_of (vector);
  GArray *list = vector->storage->own_pages;

  for (guint i = 0; list != NULL && i < list->len; i++)
    if (pages_at (list, i)->start <= pages.start && pages.end <= pages_at (list, i)->end)
      return TRUE;
  return FALSE;
}

gboolean
tti_own_pages_overlap (TtiVector *vector)
{
  TtiStorage *storage = vector->storage;
  gboolean found = FALSE;

  if (g_atomic_pointer_get (&storage->own_pages) == NULL)
    return FALSE;
  Pages pages = pages_of (vector);

  tti_storage_lock ();
  for (guint i = 0; i < storage->own_pages->len; i++)
    found |= pages_at (storage->own_pages, i)->start < pages.end && pages.start < pages_at (storage->own_pages, i)->end;
  tti_storage_unlock ();
  return found;
}

void
tti_own_pages_drop_others (TtiStorage *storage)
{
  gsize own = 0;

  tti_pages_lock ();
  g_autoptr (GArray) gaps = gaps_in (storage, (Pages) { .start = 0, .end = round_up (storage->map_size) });

  for (guint i = 0; i < storage->own_pages->len; i++)
    own += pages_at (storage->own_pages, i)->end - pages_at (storage->own_pages, i)->start;
  for (guint i = 0; i < gaps->len; i++)
    tti_memory_drop ((guint8 *) storage->map + pages_at (gaps, i)->start, pages_at (gaps, i)->end - pages_at (gaps, i)->start);
  tti_storage_recharge (storage, own);
  tti_pages_unlock ();
}

void
tti_own_pages_clear (TtiStorage *storage)
{
  GArray *list = storage->own_pages;

  g_atomic_pointer_set (&storage->own_pages, NULL);
  if (list != NULL)
    g_array_unref (list);
}

/* --- keeping --------------------------------------------------------------------------------------------------------------- */
static void
copies_free (GArray *gaps)
{
  for (guint i = 0; i < gaps->len; i++)
    if (pages_at (gaps, i)->copy != NULL)
      tti_memory_unmap (pages_at (gaps, i)->copy, pages_at (gaps, i)->end - pages_at (gaps, i)->start);
  g_array_unref (gaps);
}

/* Memory for GAPS. */
static gboolean
copies_allocate (GArray *gaps, GError **error)
{
  for (guint i = 0; i < gaps->len; i++)
    {
      Pages *gap = pages_at (gaps, i);

      gap->copy = tti_memory_map_anonymous (gap->end - gap->start, error);
      if (gap->copy == NULL)
        return FALSE;
      tti_memory_want_large_pages (gap->copy, gap->end - gap->start);
      tti_memory_populate (gap->copy, gap->end - gap->start);
    }
  return TRUE;
}

/* If nobody else can write to the memory of VECTOR, and could only if it were sent by descriptor, nothing needs to be replaced. */
static gboolean
keep_unseen (TtiVector *vector, Pages pages)
{
  TtiStorage *storage = vector->storage;

  tti_storage_lock ();
  gboolean unseen = storage->sealed && !storage->received && storage->leases == 0 && !storage->exposed
                    && storage->fork_count == tti_storage_get_fork_count ()
                    && !tti_vector_is_destination (tti_vector_get_whole (vector));

  if (unseen)
    add_locked (storage, pages);
  tti_storage_unlock ();
  return unseen;
}

/* Is there a byte of OTHER in PAGES that VECTOR does not have? */
static gboolean
has_more (const TtiVector *other, const TtiVector *vector, Pages pages)
{
  const guint8 *first = (const guint8 *) vector->storage->map + pages.start, *end = (const guint8 *) vector->storage->map + pages.end;
  const guint8 *other_end = other->data + other->size, *vector_end = vector->data + vector->size;

  return (other->data < vector->data && other_end > first) || (other_end > vector_end && other->data < end);
}

/* Would somebody miss what will be written into PAGES, those of VECTOR? */
static gboolean
is_awaited_locked (TtiVector *vector, Pages pages)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  TtiStorage *storage = vector->storage;
  TtiVector *whole = tti_vector_get_whole (vector);

  if (tti_vector_is_destination (whole))
    return TRUE;
  if (storage->is_file && storage->mode == TTI_MAP_SHARED)
    return has_more (whole, vector, pages);
  for (GList *l = storage->users.head; storage->is_delivery && l != NULL; l = l->next)
    {
      TtiVector *other = l->data;
      gboolean apart = tti_vector_get_whole (other) != whole; /* another message's, which may write the same bytes */

      if (has_more (other, vector, pages) || (apart && pages_of (other).start < pages.end && pages.start < pages_of (other).end))
        return TRUE;
    }
  return FALSE;
}

/* PAGES, those of VECTOR, will be replaced: no new vector may be in this mapping. A reference to give back goes to *FORMER. */
static gboolean
keep_begin (TtiVector *vector, Pages pages, TtiStorage **former, GError **error)
{
  TtiStorage *storage = vector->storage;

  tti_storage_lock ();
  gboolean refused = is_awaited_locked (vector, pages);

  if (!refused)
    {
      storage->recyclable = FALSE;
      *former = tti_leased_part_with_mapping_locked (storage);
    }
  tti_storage_unlock ();
  if (refused)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                 "what other vectors, or other processes, will write into the pages of a vector of %" G_GSIZE_FORMAT " bytes would get "
                 "lost; keep a copy of it", vector->size);
  return !refused;
}

/* Put the copies in the place of GAPS. Those that were put there are own pages, also after an error. */
static gboolean
pages_replace (TtiVector *vector, GArray *gaps, GError **error)
{
  TtiStorage *storage = vector->storage;
  gboolean writable = vector->writable && !(vector->range != NULL && tti_range_is_protected (tti_vector_get_whole (vector)->range));

  for (guint i = 0; i < gaps->len; i++)
    {
      Pages *gap = pages_at (gaps, i);
      guint8 *there = (guint8 *) storage->map + gap->start;

      tti_memory_copy (gap->copy, there, gap->end - gap->start);
      if (!tti_memory_move (gap->copy, gap->end - gap->start, there, writable, error))
        return FALSE;
      gap->copy = NULL;
      tti_storage_lock ();
      add_locked (storage, *gap);
      tti_storage_unlock ();
    }
  return TRUE;
}

/* With the lock of pages held. */
static gboolean
vector_keep (TtiVector *vector, GError **error)
{
  Pages pages = pages_of (vector);
  GArray *gaps = gaps_in (vector->storage, pages);
  g_autoptr (TtiStorage) former = NULL;
  gboolean ok = gaps->len == 0 || keep_unseen (vector, pages)
                || (copies_allocate (gaps, error) && keep_begin (vector, pages, &former, error)
                    && pages_replace (vector, gaps, error));

  copies_free (gaps);
  return ok;
}

gboolean
tti_vector_keep_contents (TtiVector *vector, GError **error)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  g_autoptr (GError) local = NULL;

  if (vector->size == 0 || !vector->storage->backed)
    return TRUE;
  tti_pages_lock ();
  gboolean ok = vector_keep (vector, &local);

  tti_pages_unlock ();
  if (vector->storage->is_leased)
    tti_leased_end_uses (vector->storage);
  if (!ok)
    g_propagate_prefixed_error (error, g_steal_pointer (&local), "cannot keep the contents of a vector: ");
  return ok;
}
