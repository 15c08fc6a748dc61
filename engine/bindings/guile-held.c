/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for held objects.
 *
 * A <held> object owns one reference of a TtiHeld until it is released or collected; its finaliser only drops the reference, and
 * the engine's thread does the rest. */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-pool-private.h"
#include "bindings/guile-vector.h"

static void
held_drop (gpointer held)
{
  tti_held_unref (held);
}

static TtiHandleType held_type = { .name = "<held>", .what = "held object", .release = held_drop };

TtiHeld *
tti_guile_to_held (SCM object, const char *who)
{
  TtiHeld *held = tti_guile_from_handle (&held_type, object, 1, who);

  if (held == NULL)
    scm_wrong_type_arg_msg (who, 1, object, "held object that was not released");
  return held;
}

static SCM
next_held_id (void)
{
  return scm_from_uint64 (tti_held_next_id ());
}

/* (%make-held id made? payloads needs timeout-us retries): PAYLOADS has one payload for all workers, or one for each. All are checked
 * before anything is made. */
static SCM
make_held (SCM id, SCM made, SCM payloads, SCM needs, SCM timeout, SCM retries)
{
  static const char who[] = "pool-push";
  guint n = scm_to_uint (scm_length (payloads));
  guint64 c_id = scm_to_uint64 (id);
  gint64 c_timeout = scm_to_int64 (timeout);
  guint c_retries = scm_to_uint (retries);

  tti_guile_check_original (who);
  TtiPayload **c_payloads = scm_gc_malloc (n * sizeof *c_payloads, "held object");

  for (guint i = 0; i < n; i++, payloads = scm_cdr (payloads))
    c_payloads[i] = tti_guile_to_payload (scm_car (payloads), who);
  for (SCM l = needs; scm_is_pair (l); l = SCM_CDR (l))
    tti_guile_to_held (SCM_CAR (l), who);

  TtiHeld *held = tti_held_new (c_id, scm_is_true (made) ? TTI_HELD_MADE : TTI_HELD_GIVEN, c_payloads, n);
  tti_held_set_making (held, c_timeout, c_retries);
  for (SCM l = needs; scm_is_pair (l); l = SCM_CDR (l))
    tti_held_add_need (held, tti_guile_to_held (SCM_CAR (l), who));
  return tti_guile_make_handle (&held_type, held, FALSE);
}

/* (%held-name! held symbol): what people call it; it was not used */
static SCM
held_name (SCM held, SCM symbol)
{
  TtiHeld *c_held = tti_guile_to_held (held, "pool-push");

  scm_dynwind_begin (0);
  char *name = scm_to_utf8_string (scm_symbol_to_string (symbol));

  scm_dynwind_free (name);
  tti_held_set_name (c_held, name);
  scm_dynwind_end ();
  scm_remember_upto_here_1 (held);
  return SCM_UNSPECIFIED;
}

/* (%held-release! held): from now on it cannot be used; workers forget it when no task needs it */
static SCM
held_release (SCM held)
{
  tti_guile_to_held (held, "remote-object-remove!");
  tti_held_unref (tti_guile_empty_handle (held));
  return SCM_UNSPECIFIED;
}

/* (%held-equal? one other) */
static SCM
held_is_equal (SCM one, SCM other)
{
  gboolean equal = tti_held_is_equal (tti_guile_to_held (one, "pool-push"), tti_guile_to_held (other, "pool-push"));

  scm_remember_upto_here_2 (one, other);
  return scm_from_bool (equal);
}

/* (%held-hash held) -> a number that is equal for equal contents, and rarely otherwise */
static SCM
held_hash (SCM held)
{
  guint hash = tti_held_hash (tti_guile_to_held (held, "pool-push"));

  scm_remember_upto_here_1 (held);
  return scm_from_uint (hash);
}

/* (%payload-freeze payload snapshot? read-only?) -> a payload whose vectors nobody can change here, of a snapshot, or on workers */
static SCM
payload_freeze (SCM payload, SCM snapshot, SCM read_only)
{
  TtiPayload *c_payload = tti_guile_to_payload (payload, "pool-push");
  GError *error = NULL;

  if (scm_is_true (snapshot))
    tti_guile_reserve (tti_payload_get_size (c_payload), "pool-push");
  TtiPayload *frozen = tti_payload_freeze (c_payload, scm_is_true (snapshot), scm_is_true (read_only), &error);

  if (frozen == NULL)
    tti_guile_raise ("pool-push", error);
  scm_remember_upto_here_1 (payload);
  return tti_guile_from_own_payload (frozen);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%next-held-id", 0, next_held_id },   { "%make-held", 6, make_held },
  { "%held-release!", 1, held_release },  { "%held-equal?", 2, held_is_equal },
  { "%held-name!", 2, held_name },
  { "%held-hash", 1, held_hash },         { "%payload-freeze", 3, payload_freeze },
};

void
tti_guile_init_held (void)
{
  tti_guile_define_handle_type (&held_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
