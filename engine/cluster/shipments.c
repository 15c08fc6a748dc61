/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "cluster/shipments.h"
#include "platform/lock.h"
#include "transport/file-origin.h"

/* What is kept without being used: at most so much. */
enum { MOST_UNUSED = 64, MOST_UNUSED_BYTES = 512 << 20 };

typedef struct
{
  gconstpointer data;   /* the place of the contents, with their size: what they are looked up by */
  gsize size;
  guint64 number;
  guint64 borrow;       /* for which the contents are these, or their version as a file's; 0: they belong to one payload */
  guint users;
  GList unused;         /* in the list of those that nobody uses */
} Shipment;

struct _TtiShipments
{
  void (*drop) (guint64 number, gpointer user_data);
  gpointer user_data;
  guint64 last;
  GHashTable *by_place;   /* of Shipment, those that can be used again */
  GHashTable *by_number;  /* of Shipment, owned */
  GQueue unused;          /* the oldest first */
  gsize unused_bytes;
};

static guint
hash_place (gconstpointer data)
{
  const Shipment *shipment = data;

  return g_direct_hash (shipment->data) ^ (guint) shipment->size;
}

static gboolean
equal_place (gconstpointer one, gconstpointer other)
{
  const Shipment *a = one, *b = other;

  return a->data == b->data && a->size == b->size;
}

TtiShipments *
tti_shipments_new (void (*drop) (guint64 number, gpointer user_data), gpointer user_data)
{
  TtiShipments *self = g_new0 (TtiShipments, 1);

  self->drop = drop;
  self->user_data = user_data;
  self->by_place = g_hash_table_new (hash_place, equal_place);
  self->by_number = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  g_queue_init (&self->unused);
  return self;
}

void
tti_shipments_free (TtiShipments *shipments)
{
  if (shipments == NULL)
    return;
  g_hash_table_unref (shipments->by_place);
  g_hash_table_unref (shipments->by_number);
  g_free (shipments);
}

guint64
tti_shipments_next (TtiShipments *shipments)
{
  return ++shipments->last;
}

static void
unlist (TtiShipments *self, Shipment *shipment)
{
  g_queue_unlink (&self->unused, &shipment->unused);
  self->unused_bytes -= shipment->size;
}

/* It is not looked up any more; and nobody uses it. */
static void
forget (TtiShipments *self, Shipment *shipment)
{
  guint64 number = shipment->number;

  if (g_hash_table_lookup (self->by_place, shipment) == shipment)
    g_hash_table_remove (self->by_place, shipment);
  g_hash_table_remove (self->by_number, &number);
  self->drop (number, self->user_data);
}

guint64
tti_shipments_use (TtiShipments *shipments, TtiVector *vector, gboolean *fresh)
{
  const Shipment place = { .data = tti_vector_get_data (vector), .size = tti_vector_get_size (vector) };
  guint64 borrow = tti_vector_get_version (vector);
  Shipment *known = g_hash_table_lookup (shipments->by_place, &place);

  *fresh = known == NULL || borrow == 0 || known->borrow != borrow;
  if (!*fresh)
    {
      if (known->users++ == 0)
        unlist (shipments, known);
      return known->number;
    }
  /* What was there before has been written to, or is another vector. */
  if (known != NULL)
    {
      g_hash_table_remove (shipments->by_place, known);
      if (known->users == 0)
        {
          unlist (shipments, known);
          forget (shipments, known);
        }
    }
  Shipment *shipment = g_new0 (Shipment, 1);

  *shipment = place;
  shipment->number = tti_shipments_next (shipments);
  shipment->borrow = borrow;
  shipment->users = 1;
  shipment->unused.data = shipment;
  g_hash_table_insert (shipments->by_number, &shipment->number, shipment);
  if (borrow != 0)
    g_hash_table_add (shipments->by_place, shipment);
  return shipment->number;
}

void
tti_shipments_unuse (TtiShipments *shipments, guint64 number)
{
  Shipment *shipment = g_hash_table_lookup (shipments->by_number, &number);

  g_return_if_fail (shipment != NULL && shipment->users > 0);
  if (--shipment->users > 0)
    return;
  if (g_hash_table_lookup (shipments->by_place, shipment) != shipment)
    {
      forget (shipments, shipment);
      return;
    }
  g_queue_push_tail_link (&shipments->unused, &shipment->unused);
  shipments->unused_bytes += shipment->size;
  while (shipments->unused.length > MOST_UNUSED || shipments->unused_bytes > MOST_UNUSED_BYTES)
    {
      Shipment *oldest = g_queue_peek_head (&shipments->unused);

      unlist (shipments, oldest);
      forget (shipments, oldest);
    }
}
