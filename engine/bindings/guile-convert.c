/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Payloads as objects of Scheme. */
#include "bindings/guile-convert.h"
#include "bindings/guile-encoder.h"
#include "bindings/guile-error.h"
#include "bindings/guile-frozen.h"
#include "bindings/guile-handle.h"
#include <string.h>

static SCM lent = SCM_BOOL_F;

static void
payload_release (gpointer payload)
{
  tti_payload_unref (payload);
}

static TtiHandleType payload_type = { .name = "<payload>", .what = "payload", .release = payload_release };

/* LOCAL: the payload was made in this process, so that its shared vectors belong to whoever made it. */
static SCM
payload_object_new (TtiPayload *payload, gboolean local)
{
  SCM object = tti_guile_make_handle (&payload_type, payload, local);

  scm_gc_register_allocation (tti_payload_get_n_bytes (payload));
  return object;
}

SCM
tti_guile_from_payload (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, SCM_BOOL_F);
  return payload_object_new (payload, FALSE);
}

SCM
tti_guile_from_own_payload (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, SCM_BOOL_F);
  return payload_object_new (payload, TRUE);
}

void
tti_guile_lend_payload (SCM object, TtiPayload *payload)
{
  lent = object;
  if (payload != NULL)
    SCM_SET_SMOB_DATA (object, (scm_t_bits) payload);
  else
    tti_guile_empty_handle (object);
}

TtiPayload *
tti_guile_to_payload (SCM object, const char *who)
{
  return tti_guile_from_handle (&payload_type, object, 0, who);
}

/* (%encode value hook [namer [who [limit]]]) -> payload */
static SCM
encode (SCM value, SCM hook, SCM namer, SCM who, SCM limit)
{
  static const char encode_name[] = "encode";
  const char *name = encode_name;
  gsize most = SCM_UNBNDP (limit) ? G_MAXSIZE : tti_guile_to_count (limit, G_MAXSSIZE, encode_name, "a number of bytes");

  if (!SCM_UNBNDP (who))
    {
      /* In collected memory: it is needed as long as an error may be raised, and nobody has to free it. */
      SCM bytes = scm_string_to_utf8 (scm_symbol_to_string (who));
      gsize size = SCM_BYTEVECTOR_LENGTH (bytes);
      char *copy = scm_gc_malloc_pointerless (size + 1, "encoder");

      memcpy (copy, SCM_BYTEVECTOR_CONTENTS (bytes), size);
      copy[size] = '\0';
      name = copy;
    }
  return payload_object_new (tti_guile_encode_limited (value, hook, SCM_UNBNDP (namer) ? SCM_BOOL_F : namer, name,
                                                       most),
                             TRUE);
}

/* (%payload-drop! payload): frees what PAYLOAD, which is not used any more, owns. */
static SCM
payload_drop (SCM object)
{
  tti_guile_to_payload (object, "payload-drop!");
  tti_payload_unref (tti_guile_empty_handle (object));
  return SCM_UNSPECIFIED;
}

/* (%decode payload hook [frozen? protected?]) -> value; for the last two see TtiDecodeFlags */
static SCM
decode (SCM object, SCM hook, SCM frozen, SCM protected)
{
  TtiPayload *payload = tti_guile_to_payload (object, "decode");
  /* A lent payload is the request of the worker's task. */
  TtiDecodeFlags flags = (tti_guile_get_handle_flag (object) ? TTI_DECODE_LOCAL : 0)
                           | (scm_is_eq (object, lent) ? TTI_DECODE_SHOWN : 0)
                           | (!SCM_UNBNDP (frozen) && scm_is_true (frozen) ? TTI_DECODE_FROZEN : 0)
                           | (!SCM_UNBNDP (protected) && scm_is_true (protected) ? TTI_DECODE_PROTECTED : 0);
  SCM value = tti_guile_decode_payload (payload, hook, flags);

  scm_remember_upto_here_1 (object);
  return value;
}

static const struct { const char *name; int req, opt; scm_t_subr proc; } primitives[] = {
  { "%encode", 2, 3, encode },
  { "%decode", 2, 2, decode },
  { "%payload-drop!", 1, 0, payload_drop },
};

void
tti_guile_init_convert (void)
{
  tti_guile_init_encode ();
  tti_guile_init_decode ();
  tti_guile_init_prefix ();
  tti_guile_init_frozen ();
  tti_guile_define_handle_type (&payload_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, primitives[i].opt, 0, primitives[i].proc);
}
