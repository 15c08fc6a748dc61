/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "value/value.h"
#include <string.h>

TuttiValue *
tti_value_new (TuttiValueType type)
{
  TuttiValue *self = g_new0 (TuttiValue, 1);

  g_atomic_ref_count_init (&self->refs);
  self->type = (guint8) type;
  return self;
}

TuttiValue *
tti_value_get_null (void)
{
  /* Its first reference is never dropped. */
  static TuttiValue null = { .refs = 1, .type = TUTTI_VALUE_NULL };

  return tti_value_ref (&null);
}

TuttiValue *
tti_value_ref (TuttiValue *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

/* Free SELF, which has no references; those of its items that have none any more go to the front of DEAD. */
static TuttiValue *
value_free (TuttiValue *self, TuttiValue *dead)
{
  switch ((TuttiValueType) self->type)
    {
    case TUTTI_VALUE_TEXT:
    case TUTTI_VALUE_SYMBOL:
    case TUTTI_VALUE_OTHER:
      g_free (self->text);
      break;
    case TUTTI_VALUE_LIST:
    case TUTTI_VALUE_TABLE:
      if (self->run != 0)
        break;
      for (gsize i = 0, n = self->type == TUTTI_VALUE_TABLE ? 2 * self->n : self->n; i < n; i++)
        if (self->items[i] != NULL && g_atomic_ref_count_dec (&self->items[i]->refs))
          {
            self->items[i]->next = dead;
            dead = self->items[i];
          }
      g_free (self->items);
      break;
    case TUTTI_VALUE_VECTOR:
      tti_typed_vector_unref (self->vector);
      break;
    case TUTTI_VALUE_NULL:
    case TUTTI_VALUE_BOOLEAN:
    case TUTTI_VALUE_INTEGER:
    case TUTTI_VALUE_REAL:
    case TUTTI_VALUE_COMPLEX:
      break;
    }
  tti_payload_unref (self->payload);
  g_free (self);
  return dead;
}

void
tti_value_unref (TuttiValue *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  for (TuttiValue *dead = self; dead != NULL;)
    {
      TuttiValue *next = dead->next;

      dead = value_free (dead, next);
    }
}

TuttiValue *
tti_value_get_item (TuttiValue *self, gsize index)
{
  if (self->run == 0)
    return tti_value_ref (self->items[index]);
  TuttiValue *item = tti_value_new (self->run == TTI_ITEM_INTEGER ? TUTTI_VALUE_INTEGER : TUTTI_VALUE_REAL);

  /* Both have 8 bytes, and begin the union. */
  if (self->run == TTI_ITEM_INTEGER)
    memcpy (&item->integer, self->bytes + 8 * index, 8);
  else
    memcpy (&item->real, self->bytes + 8 * index, 8);
  return item;
}
