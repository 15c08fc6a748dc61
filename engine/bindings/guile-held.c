/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for held objects.
 *
 * A <held> object owns one reference of a TuttiHeld until it is released or collected; its finaliser only drops the reference, and
 * the engine's thread does the rest. */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-pool-private.h"
#include "bindings/guile-vector.h"

static void
held_drop (gpointer held)
{
  tutti_held_unref (held);
}

static TuttiHandleType held_type = { "<held>", "held object", held_drop, 0 };

TuttiHeld *
tutti_guile_to_held (SCM object, const char *who)
{
  TuttiHeld *held = tutti_guile_from_handle (&held_type, object, 1, who);

  if (held == NULL)
    scm_wrong_type_arg_msg (who, 1, object, "held object that was not released");
  return held;
}

static SCM
next_held_id (void)
{
  return scm_from_uint64 (tutti_held_next_id ());
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

  tutti_guile_check_original (who);
  TuttiPayload **c_payloads = scm_gc_malloc (n * sizeof *c_payloads, "held object");

  for (guint i = 0; i < n; i++, payloads = scm_cdr (payloads))
    c_payloads[i] = tutti_guile_to_payload (scm_car (payloads), who);
  for (SCM l = needs; scm_is_pair (l); l = SCM_CDR (l))
    tutti_guile_to_held (SCM_CAR (l), who);

  TuttiHeld *held = tutti_held_new (c_id, scm_is_true (made) ? TUTTI_HELD_MADE : TUTTI_HELD_GIVEN, c_payloads, n);
  tutti_held_set_making (held, c_timeout, c_retries);
  for (SCM l = needs; scm_is_pair (l); l = SCM_CDR (l))
    tutti_held_add_need (held, tutti_guile_to_held (SCM_CAR (l), who));
  return tutti_guile_make_handle (&held_type, held, FALSE);
}

/* (%held-release! held): from now on it cannot be used; workers forget it when no task needs it */
static SCM
held_release (SCM held)
{
  tutti_guile_to_held (held, "remote-object-remove!");
  tutti_held_unref (tutti_guile_empty_handle (held));
  return SCM_UNSPECIFIED;
}

/* (%held-equal? one other) */
static SCM
held_is_equal (SCM one, SCM other)
{
  gboolean equal = tutti_held_is_equal (tutti_guile_to_held (one, "pool-push"), tutti_guile_to_held (other, "pool-push"));

  scm_remember_upto_here_2 (one, other);
  return scm_from_bool (equal);
}

/* (%held-hash held) -> a number that is equal for equal contents, and rarely otherwise */
static SCM
held_hash (SCM held)
{
  guint hash = tutti_held_hash (tutti_guile_to_held (held, "pool-push"));

  scm_remember_upto_here_1 (held);
  return scm_from_uint (hash);
}

/* (%payload-freeze payload snapshot? read-only?) -> a payload whose vectors nobody can change here, of a snapshot, or on workers */
static SCM
payload_freeze (SCM payload, SCM snapshot, SCM read_only)
{
  TuttiPayload *c_payload = tutti_guile_to_payload (payload, "pool-push");
  GError *error = NULL;

  if (scm_is_true (snapshot))
    tutti_guile_reserve (tutti_payload_get_size (c_payload), "pool-push");
  TuttiPayload *frozen = tutti_payload_freeze (c_payload, scm_is_true (snapshot), scm_is_true (read_only), &error);

  if (frozen == NULL)
    tutti_guile_raise ("pool-push", error);
  scm_remember_upto_here_1 (payload);
  return tutti_guile_from_own_payload (frozen);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%next-held-id", 0, next_held_id },   { "%make-held", 6, make_held },
  { "%held-release!", 1, held_release },  { "%held-equal?", 2, held_is_equal },
  { "%held-hash", 1, held_hash },         { "%payload-freeze", 3, payload_freeze },
};

void
tutti_guile_init_held (void)
{
  tutti_guile_define_handle_type (&held_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
