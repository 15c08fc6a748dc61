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
  tutti_payload_unref (payload);
}

static TuttiHandleType payload_type = { "<payload>", "payload", payload_release, 0 };

/* LOCAL: the payload was made in this process, so that its shared vectors belong to whoever made it. */
static SCM
payload_object_new (TuttiPayload *payload, gboolean local)
{
  SCM object = tutti_guile_make_handle (&payload_type, payload, local);

  scm_gc_register_allocation (g_bytes_get_size (tutti_payload_get_bytes (payload)));
  return object;
}

SCM
tutti_guile_from_payload (TuttiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, SCM_BOOL_F);
  return payload_object_new (payload, FALSE);
}

SCM
tutti_guile_from_own_payload (TuttiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, SCM_BOOL_F);
  return payload_object_new (payload, TRUE);
}

void
tutti_guile_lend_payload (SCM object, TuttiPayload *payload)
{
  lent = object;
  if (payload != NULL)
    SCM_SET_SMOB_DATA (object, (scm_t_bits) payload);
  else
    tutti_guile_empty_handle (object);
}

TuttiPayload *
tutti_guile_to_payload (SCM object, const char *who)
{
  return tutti_guile_from_handle (&payload_type, object, 0, who);
}

/* (%encode value hook [namer [who [limit]]]) -> payload */
static SCM
encode (SCM value, SCM hook, SCM namer, SCM who, SCM limit)
{
  static const char encode_name[] = "encode";
  const char *name = encode_name;
  gsize most = SCM_UNBNDP (limit) ? G_MAXSIZE : tutti_guile_to_count (limit, G_MAXSSIZE, encode_name, "a number of bytes");

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
  return payload_object_new (tutti_guile_encode_limited (value, hook, SCM_UNBNDP (namer) ? SCM_BOOL_F : namer, name,
                                                         most),
                             TRUE);
}

/* (%payload-drop! payload): frees what PAYLOAD, which is not used any more, owns. */
static SCM
payload_drop (SCM object)
{
  tutti_guile_to_payload (object, "payload-drop!");
  tutti_payload_unref (tutti_guile_empty_handle (object));
  return SCM_UNSPECIFIED;
}

/* (%decode payload hook [frozen? protected?]) -> value; for the last two see TuttiDecodeFlags */
static SCM
decode (SCM object, SCM hook, SCM frozen, SCM protected)
{
  TuttiPayload *payload = tutti_guile_to_payload (object, "decode");
  /* A lent payload is the request of the worker's task. */
  TuttiDecodeFlags flags = (tutti_guile_get_handle_flag (object) ? TUTTI_DECODE_LOCAL : 0)
                           | (scm_is_eq (object, lent) ? TUTTI_DECODE_SHOWN : 0)
                           | (!SCM_UNBNDP (frozen) && scm_is_true (frozen) ? TUTTI_DECODE_FROZEN : 0)
                           | (!SCM_UNBNDP (protected) && scm_is_true (protected) ? TUTTI_DECODE_PROTECTED : 0);
  SCM value = tutti_guile_decode_payload (payload, hook, flags);

  scm_remember_upto_here_1 (object);
  return value;
}

static const struct { const char *name; int req, opt; scm_t_subr proc; } primitives[] = {
  { "%encode", 2, 3, encode },
  { "%decode", 2, 2, decode },
  { "%payload-drop!", 1, 0, payload_drop },
};

void
tutti_guile_init_convert (void)
{
  tutti_guile_init_encode ();
  tutti_guile_init_decode ();
  tutti_guile_init_prefix ();
  tutti_guile_init_frozen ();
  tutti_guile_define_handle_type (&payload_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, primitives[i].opt, 0, primitives[i].proc);
}
