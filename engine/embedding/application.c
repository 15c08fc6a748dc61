/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Putting the results of the members of an operator together.
 *
 * Large results are written by the workers where they belong, in memory of this process, which is used again from result to result; small
 * ones come with the answers. A sum is made number by number, by the tree over the members (module/tree-sum.h), so its bits depend on
 * them alone. */
#include "embedding/model-private.h"
#include "module/tree-sum.h"
#include "module/vector-math.h"
#include "platform/error.h"
#include <string.h>

void
tutti_application_free (gpointer data)
{
  TuttiApplication *self = data;

  tutti_operator_unref (self->operator);
  if (self->destination != NULL)
    tti_vector_set_destination (self->destination->memory, FALSE);
  tti_typed_vector_unref (self->destination);
  g_clear_pointer (&self->parts, g_ptr_array_unref);
  g_clear_pointer (&self->derivatives, g_ptr_array_unref);
  g_free (self);
}

static TuttiVector *
new_destination (TuttiElementType type, gsize n, GError **error)
{
  TuttiVector *vector = tti_typed_vector_allocate (type, n, TRUE, error);

  if (vector != NULL)
    tti_vector_set_destination (vector->memory, TRUE);
  return vector;
}

static void
destination_free (gpointer data)
{
  TuttiVector *vector = data;

  tti_vector_set_destination (vector->memory, FALSE);
  tti_typed_vector_unref (vector);
}

TuttiApplication *
tutti_application_new (TuttiOperator *operator, gboolean adjoint, GError **error)
{
  TuttiApplication *self = g_new0 (TuttiApplication, 1);
  guint n_members = operator->members->len;

  self->operator = tutti_operator_ref (operator);
  self->use = adjoint && n_members > 1 ? TUTTI_PARTS_SUMMED : TUTTI_PARTS_IN_ORDER;
  self->type = adjoint ? operator->domain_type : operator->codomain_type;
  self->n = adjoint ? operator->domain : operator->codomain;
  if (self->n * tti_element_size (self->type) <= TTI_INLINE_LIMIT)
    return self;
  gboolean made = TRUE;
  if (self->use == TUTTI_PARTS_SUMMED)
    {
      self->parts = g_ptr_array_new_with_free_func (destination_free);
      for (guint i = 0; made && i < n_members; i++)
        {
          TuttiMember *member = operator->members->pdata[i];
          TuttiVector *part = new_destination (member->complex_domain ? TUTTI_ELEMENT_C64 : TUTTI_ELEMENT_F64, self->n, error);

          made = part != NULL;
          if (made)
            g_ptr_array_add (self->parts, part);
        }
    }
  else
    made = (self->destination = new_destination (self->type, self->n, error)) != NULL;
  if (!made)
    g_clear_pointer (&self, tutti_application_free);
  return self;
}

/* What the part of MEMBER is made of. */
static TuttiElementType
part_type (const TuttiApplication *self, const TuttiMember *member)
{
  if (self->operator->members->len == 1)
    return self->type;
  return (self->use == TUTTI_PARTS_SUMMED ? member->complex_domain : member->complex_codomain) ? TUTTI_ELEMENT_C64 : TUTTI_ELEMENT_F64;
}

TuttiVector *
tutti_application_get_part (TuttiApplication *self, guint i, gsize offset)
{
  TuttiMember *member = self->operator->members->pdata[i];

  if (self->parts != NULL)
    return tti_typed_vector_ref (self->parts->pdata[i]);
  if (self->destination == NULL)
    return NULL;
  if (self->operator->members->len == 1)
    return tti_typed_vector_ref (self->destination);
  /* A real part of a complex result has to be promoted. */
  if (part_type (self, member) != self->type)
    return NULL;
  gsize size = tti_element_size (self->type);
  g_autoptr (TtiVector) memory = tti_vector_slice (self->destination->memory, offset * size, member->codomain * size);
  return tti_typed_vector_new (self->type, member->codomain, memory);
}

/* What member I has answered: a vector for its side, or NULL if it has written its part. */
static gboolean
take_part (TuttiApplication *self, TtiTask *task, guint i, TuttiVector **part, GError **error)
{
  TuttiMember *member = self->operator->members->pdata[i];
  g_autoptr (TtiValue) value = tutti_request_take_value (task, error);

  *part = NULL;
  if (value == NULL)
    {
      if (self->operator->members->len > 1)
        g_prefix_error (error, "member %u of %u: ", i, self->operator->members->len);
      return FALSE;
    }
  if (value->type == TUTTI_VALUE_VECTOR)
    *part = tti_typed_vector_ref (value->vector);
  gsize expected = self->use == TUTTI_PARTS_SUMMED || self->operator->members->len == 1 ? self->n : member->codomain;
  TuttiElementType type = part_type (self, member);
  gboolean has_place = self->parts != NULL || (self->destination != NULL && type == self->type);
  if (*part == NULL ? has_place : (*part)->n == expected && (*part)->type == type)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a worker has answered %" G_GSIZE_FORMAT " numbers, expected %" G_GSIZE_FORMAT
               " %s ones", *part != NULL ? (*part)->n : 0, expected, type == TUTTI_ELEMENT_C64 ? "complex" : "real");
  g_clear_pointer (part, tti_typed_vector_unref);
  return FALSE;
}

/* Copy PART to number OFFSET of RESULT, which may be complex where it is real. */
static void
put_part (TuttiVector *result, gsize offset, TuttiVector *part)
{
  gsize size = tti_element_size (result->type);
  char *to = (char *) tti_vector_get_data (result->memory) + offset * size;

  if (part->n == 0)
    return;
  if (part->type == result->type)
    memcpy (to, tti_vector_get_data (part->memory), part->n * size);
  else
    tti_math_promote ((double *) (gpointer) to, tti_vector_get_data (part->memory), part->n);
}

static TuttiVector *
join_parts (TuttiApplication *self, TtiTask *const *tasks, guint n, GError **error)
{
  g_autoptr (TtiTypedVector) result = self->destination != NULL ? tti_typed_vector_ref (self->destination) : NULL;
  gsize offset = 0;

  for (guint i = 0; i < n; i++)
    {
      TuttiMember *member = self->operator->members->pdata[i];
      TuttiVector *answer;

      if (!take_part (self, tasks[i], i, &answer, error))
        return NULL;
      g_autoptr (TtiTypedVector) part = answer;
      if (part != NULL && n == 1)
        return g_steal_pointer (&part);
      if (result == NULL && (result = tti_typed_vector_allocate (self->type, self->n, TRUE, error)) == NULL)
        return NULL;
      if (part != NULL)
        put_part (result, offset, part);
      offset += member->codomain;
    }
  return g_steal_pointer (&result);
}

/* PART as a vector of TYPE. */
static TuttiVector *
to_type (TuttiVector *part, TuttiElementType type, GError **error)
{
  if (part->type == type)
    return tti_typed_vector_ref (part);
  TuttiVector *promoted = tti_typed_vector_allocate (type, part->n, TRUE, error);

  if (promoted != NULL)
    put_part (promoted, 0, part);
  return promoted;
}

static TuttiVector *
sum_parts (TuttiApplication *self, TtiTask *const *tasks, guint n, GError **error)
{
  g_autoptr (GPtrArray) vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_typed_vector_unref);
  g_autofree const double **numbers = g_new (const double *, n);

  for (guint i = 0; i < n; i++)
    {
      TuttiVector *answer;

      if (!take_part (self, tasks[i], i, &answer, error))
        return NULL;
      g_autoptr (TtiTypedVector) part = answer != NULL ? answer : tti_typed_vector_ref (self->parts->pdata[i]);
      TuttiVector *summand = to_type (part, self->type, error);
      if (summand == NULL)
        return NULL;
      g_ptr_array_add (vectors, summand);
      numbers[i] = tti_vector_get_data (summand->memory);
    }
  TuttiVector *sum = tti_typed_vector_allocate (self->type, self->n, TRUE, error);
  if (sum != NULL)
    tti_math_sum (tti_vector_get_data (sum->memory), numbers, n, self->type == TUTTI_ELEMENT_C64 ? 2 * self->n : self->n);
  return sum;
}

TuttiVector *
tutti_application_finish (TuttiApplication *self, TtiTask *const *tasks, guint n, GError **error)
{
  return self->use == TUTTI_PARTS_SUMMED ? sum_parts (self, tasks, n, error) : join_parts (self, tasks, n, error);
}

gboolean
tutti_model_check_argument (TuttiVector *x, gsize n, TuttiElementType type, const char *what, GError **error)
{
  if (x->type != TUTTI_ELEMENT_F64 && x->type != type)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s is not a vector of doubles%s", what,
                 type == TUTTI_ELEMENT_C64 ? ", real or complex" : x->type == TUTTI_ELEMENT_C64 ? ": the operator is real there" : "");
  else if (x->n != n)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "%s has %" G_GSIZE_FORMAT " numbers, expected %" G_GSIZE_FORMAT, what, x->n, n);
  else
    return TRUE;
  return FALSE;
}
