/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An extension of Guile for tests alone, never installed: what they look at behind the primitives that modules of Tutti use. It shares the
 * code and the state of the bindings, which are loaded before it. */
#include "bindings/guile-convert.h"
#include "bindings/guile-error.h"
#include "bindings/guile-vector.h"
#include "node/local-node.h"
#include "pool/engine.h"
#include "support/guile-costs.h"
#include <cblas.h>
#include <string.h>

void tutti_guile_init_test (void);

/* (%blas-threads) -> how many threads BLAS multiplies with */
static SCM
blas_threads (void)
{
  return scm_from_int (openblas_get_num_threads ());
}

static SCM
payload_size (SCM object)
{
  return scm_from_size_t (tti_payload_get_size (tti_guile_to_payload (object, "payload-size")));
}

/* (%payload->bytevector payload): what is encoded, without the attached vectors; and back. */
static SCM
payload_to_bytevector (SCM object)
{
  gsize size;
  gconstpointer data
    = tti_payload_get_data (tti_guile_to_payload (object, "payload->bytevector"), &size);
  SCM bytes = scm_c_make_bytevector (size);

  if (size > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (bytes), data, size);
  scm_remember_upto_here_1 (object);
  return bytes;
}

static SCM
bytevector_to_payload (SCM bytes)
{
  SCM_ASSERT_TYPE (scm_is_bytevector (bytes), bytes, 1, "bytevector->payload", "bytevector");
  GBytes *copy = g_bytes_new (SCM_BYTEVECTOR_CONTENTS (bytes), SCM_BYTEVECTOR_LENGTH (bytes));

  scm_remember_upto_here_1 (bytes);
  return tti_guile_from_payload (tti_payload_new (copy, NULL, NULL));
}

/* (%payload-arrived payload): as the other side sees it: nothing in it belongs to this process. */
static SCM
payload_arrived (SCM object)
{
  return tti_guile_from_payload (tti_payload_ref (tti_guile_to_payload (object, "payload-arrived")));
}

/* (%vector-borrow! v), (%vector-give-back! v): what a pool does while a task runs. */
static SCM
vector_borrow (SCM view)
{
  TtiVector *vector = tti_guile_find_vector (view);

  SCM_ASSERT_TYPE (vector != NULL, view, 1, "vector-borrow!", "shared vector");
  tti_vector_borrow (vector);
  return SCM_UNSPECIFIED;
}

static SCM
vector_give_back (SCM view)
{
  TtiVector *vector = tti_guile_find_vector (view);

  SCM_ASSERT_TYPE (vector != NULL && tti_vector_is_borrowed (vector), view, 1, "vector-give-back!", "borrowed vector");
  tti_vector_give_back (vector);
  return SCM_UNSPECIFIED;
}

/* (%vector-keep-contents! v): what a module does with a vector that code in another language keeps. */
static SCM
vector_keep_contents (SCM view)
{
  TtiVector *vector = tti_guile_find_vector (view);
  g_autoptr (GError) error = NULL;

  /* What is small, or private, is in memory that nobody else writes to. */
  if (vector != NULL && !tti_vector_keep_contents (vector, &error))
    scm_misc_error ("vector-keep-contents!", "~A", scm_list_1 (scm_from_utf8_string (error->message)));
  scm_remember_upto_here_1 (view);
  return SCM_UNSPECIFIED;
}

/* (%leave-contents! v) -> the address of the memory that V had, and what keeps it; #f: V cannot leave it */
static SCM
leave_contents (SCM bytevector)
{
  if (!tti_guile_can_leave_contents (bytevector))
    return SCM_BOOL_F;
  SCM before = scm_from_pointer (SCM_BYTEVECTOR_CONTENTS (bytevector), NULL);

  return scm_cons (before, tti_guile_leave_contents (bytevector));
}

static void *
engine_shutdown_without_guile (G_GNUC_UNUSED void *data)
{
  g_autoptr (TtiEngine) engine = tti_engine_get_default (NULL);

  if (engine != NULL)
    tti_engine_shutdown (engine);
  return NULL;
}

/* (%engine-shutdown!): what an application does that embeds Tutti: the engine ends, the process goes on. */
static SCM
engine_shutdown (void)
{
  scm_without_guile (engine_shutdown_without_guile, NULL);
  return SCM_UNSPECIFIED;
}

static TtiNode *
local_node_new (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *watcher = tti_engine_find_program ("tutti-watcher");

  return tti_local_node_new (watcher, context, events, user_data, error);
}

/* (%add-local-node!) -> a pointer to a further node of the default engine, with a watcher of its own on this machine */
static SCM
add_local_node (void)
{
  GError *error = NULL;
  TtiEngine *engine = tti_engine_get_default (&error);
  TtiNode *node = engine != NULL ? tti_engine_add_node (engine, local_node_new, NULL, &error) : NULL;

  tti_engine_unref (engine);
  if (node == NULL)
    tti_guile_raise ("add-local-node!", error);
  return scm_from_pointer (node, NULL);
}

static const struct { const char *name; int required; scm_t_subr procedure; } primitives[] = {
  { "%blas-threads", 0, blas_threads },
  { "%payload-size", 1, payload_size },
  { "%payload->bytevector", 1, payload_to_bytevector },
  { "%bytevector->payload", 1, bytevector_to_payload },
  { "%payload-arrived", 1, payload_arrived },
  { "%vector-borrow!", 1, vector_borrow },
  { "%vector-give-back!", 1, vector_give_back },
  { "%vector-keep-contents!", 1, vector_keep_contents },
  { "%leave-contents!", 1, leave_contents },
  { "%engine-shutdown!", 0, engine_shutdown },
  { "%add-local-node!", 0, add_local_node },
};

/* Called by load-extension in the module (test-primitives). */
void
tutti_guile_init_test (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    {
      scm_c_define_gsubr (primitives[i].name, primitives[i].required, 0, 0, primitives[i].procedure);
      scm_c_export (primitives[i].name, NULL);
    }
  tti_guile_init_costs ();
}
