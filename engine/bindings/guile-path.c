/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Why a value cannot travel, and where it is in the value that was to be sent, in words. */
#include "bindings/guile-encoder.h"
#include "bindings/guile-error.h"

enum { STEPS_SHOWN = 5, KEY_WIDTH = 60, NAMED_STEPS = 4 };

static SCM
format (const char *text, SCM arguments)
{
  return scm_simple_format (SCM_BOOL_F, scm_from_utf8_string (text), arguments);
}

/* A short name for VALUE, which may be a record with a cycle in it, or refuse to be printed: only objects without parts are printed. */
static SCM
describe (SCM value)
{
  if (scm_is_true (scm_call_1 (scm_c_public_ref ("guile", "record?"), value)))
    return format ("a record of type ~A",
                   scm_list_1 (scm_call_1 (scm_c_public_ref ("guile", "record-type-name"), scm_struct_vtable (value))));
  if (scm_is_pair (value))
    return scm_from_utf8_string ("a list");
  if (scm_is_vector (value))
    return scm_from_utf8_string ("a vector");
  if (scm_is_true (scm_hash_table_p (value)))
    return scm_from_utf8_string ("a hash table");
  if (scm_is_string (value) || scm_is_bytevector (value) || scm_is_array (value))
    return scm_from_utf8_string ("an array");
  /* Objects may have printers of their own. */
  return scm_call_2 (scm_c_public_ref ("tutti base text", "object->text"), value, scm_from_int (KEY_WIDTH));
}

/* Keys are usually short and show the place: those that can be printed safely are printed. */
static SCM
describe_key (SCM key)
{
  if (scm_is_string (key) && scm_c_string_length (key) <= KEY_WIDTH)
    return scm_object_to_string (key, SCM_UNDEFINED);
  return describe (key);
}

static SCM
describe_table_item (const Frame *frame, gsize i)
{
  SCM key = SCM_SIMPLE_VECTOR_REF (frame->rest, i - i % 2);

  return format (i % 2 == 0 ? "key ~A of the hash table" : "value of key ~A of the hash table",
                 scm_list_1 (describe_key (key)));
}

static SCM
describe_element (const Frame *frame, gsize i)
{
  scm_t_array_handle handle;
  SCM indices = SCM_EOL;

  scm_array_get_handle (frame->object, &handle);
  for (gsize d = scm_array_handle_rank (&handle); d-- > 0; )
    {
      scm_t_array_dim dimension = scm_array_handle_dims (&handle)[d];
      gsize extent = (gsize) (dimension.ubnd - dimension.lbnd + 1);

      indices = scm_cons (scm_from_ssize_t (dimension.lbnd + (gssize) (i % extent)), indices);
      i /= extent;
    }
  scm_array_handle_release (&handle);
  return format ("element ~A of the array", scm_list_1 (indices));
}

/* The last items of a record are its fields. */
static SCM
describe_part (const Frame *frame, gsize i)
{
  SCM object = frame->object;

  if (scm_is_true (scm_call_1 (scm_c_public_ref ("guile", "record?"), object)))
    {
      SCM type = scm_struct_vtable (object);
      SCM fields = scm_call_1 (scm_c_public_ref ("guile", "record-type-fields"), type);
      gsize n = (gsize) scm_ilength (fields);

      if (i + n >= frame->count)
        return format ("field ~A of ~A",
                       scm_list_2 (scm_list_ref (fields, scm_from_size_t (i + n - frame->count)),
                                   scm_call_1 (scm_c_public_ref ("guile", "record-type-name"), type)));
    }
  return format ("part ~A of ~A", scm_list_2 (scm_from_size_t (i + 1), describe (object)));
}

/* What the namer returns for the step at DEPTH: a string, #t (leave it out), or #f. */
static SCM
name_step (Encoder *encoder, gsize depth)
{
  SCM indices = SCM_EOL;

  if (scm_is_false (encoder->namer) || depth >= NAMED_STEPS)
    return SCM_BOOL_F;
  for (gsize i = depth + 1; i-- > 0; )
    indices = scm_cons (scm_from_size_t (encoder->frames[i].index - 1), indices);
  return scm_apply_0 (encoder->namer, indices);
}

static SCM
describe_step (Encoder *encoder, gsize depth)
{
  const Frame *frame = &encoder->frames[depth];
  gsize i = frame->index - 1;

  switch (frame->type)
    {
    case FRAME_LIST:
      return format ("item ~A of the list", scm_list_1 (scm_from_size_t (i)));
    case FRAME_VECTOR:
      return format ("item ~A of the vector", scm_list_1 (scm_from_size_t (i)));
    case FRAME_ARRAY:
      return describe_element (frame, i);
    case FRAME_TABLE:
      return describe_table_item (frame, i);
    case FRAME_EXTENSION:
      return describe_part (frame, i);
    }
  g_assert_not_reached ();
}

/* The first DEPTH steps from the outside; #f if there is none. The middle of a long way tells little. */
static SCM
path_describe (Encoder *encoder, gsize depth)
{
  SCM steps = SCM_EOL, comma = scm_from_utf8_string (", ");

  for (gsize i = depth; i-- > 0; )
    {
      if (depth > 2 * STEPS_SHOWN && i == depth - STEPS_SHOWN - 1)
        {
          steps = scm_cons (format ("(~A more steps)", scm_list_1 (scm_from_size_t (depth - 2 * STEPS_SHOWN))), steps);
          i = STEPS_SHOWN;
        }
      else if (encoder->frames[i].index > 0)
        {
          SCM name = name_step (encoder, i);

          if (scm_is_false (name))
            name = describe_step (encoder, i);
          if (scm_is_string (name))
            steps = scm_cons (name, steps);
        }
    }
  return scm_is_null (steps) ? SCM_BOOL_F : scm_string_join (steps, comma, SCM_UNDEFINED);
}

void
tti_encoder_refuse (Encoder *encoder, SCM value, SCM message, const char *advice)
{
  tti_guile_raise_not_remotable (encoder->who, message, value, path_describe (encoder, encoder->depth), advice);
}

void
tti_encoder_refuse_text (Encoder *encoder, SCM value, const char *message, const char *advice)
{
  SCM text = message != NULL ? scm_from_utf8_string (message)
                             : format ("~A cannot travel to another process", scm_list_1 (describe (value)));

  if (message == NULL)
    advice = "send what it was made from, and make it there";
  tti_encoder_refuse (encoder, value, text, advice);
}

void
tti_encoder_refuse_cycle (Encoder *encoder, SCM object, gsize ancestor)
{
  SCM where = path_describe (encoder, ancestor);
  SCM text = format (
    "~A contains itself (it is ~A): a value with a cycle cannot travel",
    scm_list_2 (describe (object), scm_is_true (where) ? where : scm_from_utf8_string ("the outermost value")));

  tti_encoder_refuse (encoder, object, text, "send a tree, for instance with indices in place of references");
}
