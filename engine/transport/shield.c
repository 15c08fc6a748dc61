/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "transport/shield.h"
#include "platform/memory.h"
#include "transport/vector-private.h"

enum { SHIELD_SIZE = 16 * TTI_INLINE_LIMIT, ALIGNMENT = 64 };

/* The block that is being filled, with a reference; its writable mapping follows the read-only one. */
static TtiStorage *filling;
static gsize filled;

static TtiStorage *
shield_new (GError **error)
{
  gpointer map = tti_memory_map_twice (SHIELD_SIZE, error);

  return map != NULL ? tti_storage_new_twice (map, SHIELD_SIZE) : NULL;
}

TtiVector *
tti_shield_take (gsize size, gpointer *room, GError **error)
{
  gsize taken = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

  g_return_val_if_fail (size > 0 && size <= TTI_INLINE_LIMIT, NULL);
  if (filling == NULL || taken > SHIELD_SIZE - filled)
    {
      TtiStorage *shield = shield_new (error);

      if (shield == NULL)
        return NULL;
      tti_storage_unref (filling);
      filling = shield;
      filled = 0;
    }
  *room = filling->data + SHIELD_SIZE + filled;
  filled += taken;
  return tti_vector_new_in_storage (tti_storage_ref (filling), filled - taken, size);
}
