/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for nodes elsewhere: an extension of Guile of its own, which (tutti launcher) loads when it is used for the first time.
 * Scheme says which commands start agents; what they are to the engine is done here. */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-script.h"
#include "cluster/agent-node.h"
#include "cluster/cluster.h"
#include "cluster/facts.h"
#include "platform/error.h"
#include <libguile.h>

__attribute__ ((visibility ("default"))) void tti_cluster_init (void);

static void
cluster_release (gpointer cluster)
{
  tti_cluster_free (cluster);
}

static TtiHandleType cluster_type = { .name = "<cluster>", .what = "cluster", .release = cluster_release };

static TtiCluster *
to_cluster (SCM object, const char *who)
{
  return tti_guile_from_handle (&cluster_type, object, 1, who);
}

static guint
to_ms (SCM seconds, const char *who)
{
  double s = scm_to_double (seconds);

  if (!(s >= 0 && s <= 1e6))
    scm_out_of_range (who, seconds);
  return (guint) (s * 1000);
}

/* (%cluster-new owner address lost-after silence allow-different-bits?) -> cluster; ADDRESS: digits, or #f; LOST-AFTER, SILENCE: seconds */
static SCM
cluster_new (SCM owner, SCM address, SCM lost_after, SCM silence, SCM allow)
{
  static const char who[] = "make-pool";
  TtiClusterOptions options = { .lost_after_ms = to_ms (lost_after, who), .silence_ms = to_ms (silence, who),
                                  .allow_different_bits = scm_is_true (allow) };
  GError *error = NULL;

  scm_dynwind_begin (0);
  char *c_address = scm_is_true (address) ? scm_to_utf8_string (address) : NULL;
  scm_dynwind_free (c_address);
  options.address = c_address;
  options.facts = tti_facts_collect (TUTTI_GUILE_VERSION);
  TtiEngine *engine = tti_guile_to_engine (owner, &error);
  TtiCluster *cluster = engine != NULL ? tti_cluster_new (engine, &options, &error) : NULL;
  tti_engine_unref (engine);
  g_variant_unref (options.facts);
  scm_dynwind_end ();
  if (cluster == NULL)
    tti_guile_raise (who, error);
  return tti_guile_make_handle (&cluster_type, cluster, FALSE);
}

static char **
to_strings (SCM list)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (; scm_is_pair (list); list = scm_cdr (list))
    {
      char *string = scm_to_locale_string (scm_car (list));

      g_strv_builder_add (builder, string);
      free (string);
    }
  return g_strv_builder_end (builder);
}

/* (%cluster-launch! cluster argv n) -> number of the launch */
static SCM
cluster_launch (SCM handle, SCM argv, SCM n)
{
  static const char who[] = "make-pool";
  TtiCluster *cluster = to_cluster (handle, who);
  guint c_n = scm_to_uint (n);
  GError *error = NULL;

  SCM_ASSERT_TYPE (scm_is_true (scm_list_p (argv)) && scm_is_pair (argv), argv, 2, who, "list of strings");
  for (SCM rest = argv; scm_is_pair (rest); rest = scm_cdr (rest))
    SCM_ASSERT_TYPE (scm_is_string (scm_car (rest)), argv, 2, who, "list of strings");
  char **words = to_strings (argv);
  guint64 number = tti_cluster_launch (cluster, (const char *const *) words, c_n, &error);

  g_strfreev (words);
  if (number == 0)
    tti_guile_raise (who, error);
  return scm_from_uint64 (number);
}

/* (%cluster-write-invitation! cluster n file) -> number of the launch */
static SCM
cluster_write_invitation (SCM handle, SCM n, SCM file)
{
  static const char who[] = "make-pool";
  TtiCluster *cluster = to_cluster (handle, who);
  guint c_n = scm_to_uint (n);
  GError *error = NULL;
  char *c_file = scm_to_locale_string (file);
  guint64 number = tti_cluster_write_invitation (cluster, c_n, c_file, &error);

  free (c_file);
  if (number == 0)
    tti_guile_raise (who, error);
  return scm_from_uint64 (number);
}

static SCM
from_text (const char *text)
{
  return text != NULL ? tti_guile_from_text (text, -1) : SCM_BOOL_F;
}

static SCM
event_to_list (const TtiClusterEvent *event)
{
  static const char *const names[] = { "line", "ended", "refused", "agent", "different", "lost", "ready", "draining" };
  SCM name = scm_from_utf8_symbol (names[event->kind]), launch = scm_from_uint64 (event->launch), index = scm_from_uint (event->index);

  switch (event->kind)
    {
    case TTI_CLUSTER_LINE:
      return scm_list_4 (name, launch, scm_from_bool (event->is_error), from_text (event->text));
    case TTI_CLUSTER_ENDED:
      return scm_list_5 (name, launch, scm_from_int (event->status), scm_from_int (event->signal), from_text (event->text));
    case TTI_CLUSTER_REFUSED:
      return scm_list_2 (name, from_text (event->text));
    case TTI_CLUSTER_AGENT:
    case TTI_CLUSTER_READY:
      return scm_list_3 (name, index, from_text (event->name));
    case TTI_CLUSTER_DIFFERENT:
    case TTI_CLUSTER_LOST:
    case TTI_CLUSTER_DRAINING:
      return scm_list_4 (name, index, from_text (event->name), from_text (event->text));
    }
  g_assert_not_reached ();
}

/* (%cluster-events! cluster) -> what has happened since the last time, oldest first: lists that begin with a symbol, see event_to_list ()
 */
static SCM
cluster_events (SCM handle)
{
  TtiCluster *cluster = to_cluster (handle, "make-pool");
  SCM events = SCM_EOL;
  TtiClusterEvent event;

  while (tti_cluster_take_event (cluster, &event))
    {
      scm_dynwind_begin (0);
      scm_dynwind_unwind_handler ((void (*) (void *)) tti_cluster_event_clear, &event, SCM_F_WIND_EXPLICITLY);
      events = scm_cons (event_to_list (&event), events);
      scm_dynwind_end ();
    }
  return scm_reverse_x (events, SCM_EOL);
}

/* (%cluster-wakeup cluster) -> a wakeup descriptor for %wakeup-wait, which is the cluster's */
static SCM
cluster_wakeup (SCM handle)
{
  return scm_from_int (tti_cluster_get_wakeup (to_cluster (handle, "make-pool")));
}

static SCM
from_variant (GVariant *value)
{
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return tti_guile_from_text (g_variant_get_string (value, NULL), -1);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    return scm_from_uint64 (g_variant_get_uint64 (value));
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_INT64))
    return scm_from_int64 (g_variant_get_int64 (value));
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    return scm_from_uint32 (g_variant_get_uint32 (value));
  return SCM_BOOL_F;
}

/* FACTS, which are consumed, as an alist with strings as keys. */
static SCM
from_facts (GVariant *facts)
{
  SCM list = SCM_EOL;
  GVariantIter iter;
  const char *key;
  GVariant *value;

  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler ((void (*) (void *)) g_variant_unref, facts, SCM_F_WIND_EXPLICITLY);
  g_variant_iter_init (&iter, facts);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &value))
    {
      scm_dynwind_begin (0);
      scm_dynwind_unwind_handler ((void (*) (void *)) g_variant_unref, value, SCM_F_WIND_EXPLICITLY);
      list = scm_acons (tti_guile_from_text (key, -1), from_variant (value), list);
      scm_dynwind_end ();
    }
  scm_dynwind_end ();
  return list;
}

static SCM
facts (void)
{
  return from_facts (tti_facts_collect (TUTTI_GUILE_VERSION));
}

static guint
to_index (TtiCluster *cluster, SCM index, const char *who)
{
  guint i = scm_to_uint (index);

  if (i >= tti_cluster_get_n_nodes (cluster))
    scm_out_of_range (who, index);
  return i;
}

/* (%cluster-nodes cluster) -> list of #(index name there? facts node): NODE is for %make-pool */
static SCM
cluster_nodes (SCM handle)
{
  TtiCluster *cluster = to_cluster (handle, "make-pool");
  SCM list = SCM_EOL;

  for (guint i = tti_cluster_get_n_nodes (cluster); i-- > 0;)
    {
      TtiNode *node = tti_cluster_get_node (cluster, i);

      list = scm_cons (scm_vector (scm_list_5 (scm_from_uint (i), tti_guile_from_text (tti_agent_node_get_host (node), -1),
                                               scm_from_bool (tti_agent_node_is_there (node)),
                                               from_facts (tti_cluster_get_facts (cluster, i)), scm_from_pointer (node, NULL))),
                       list);
    }
  return list;
}

/* (%cluster-give-up! cluster index reason): that node is not started again; pools that wait for it are told, unless it is there */
static SCM
cluster_give_up (SCM handle, SCM index, SCM reason)
{
  static const char who[] = "make-pool";
  TtiCluster *cluster = to_cluster (handle, who);
  TtiNode *node = tti_cluster_get_node (cluster, to_index (cluster, index, who));
  char *text = scm_to_utf8_string (reason);

  tti_agent_node_give_up (node, text);
  free (text);
  scm_remember_upto_here_1 (handle);
  return SCM_UNSPECIFIED;
}

/* (%facts-different cluster index) -> how that host differs from this one, or #f */
static SCM
facts_different (SCM handle, SCM index)
{
  TtiCluster *cluster = to_cluster (handle, "doctor");
  char *difference = tti_cluster_get_difference (cluster, to_index (cluster, index, "doctor"));
  SCM text = from_text (difference);

  g_free (difference);
  return text;
}

typedef struct
{
  TtiNode *node;
  gsize size;
  double seconds;
} Measuring;

static void *
measure (void *data)
{
  Measuring *measuring = data;

  measuring->seconds = tti_agent_node_measure (measuring->node, measuring->size, g_get_monotonic_time () + 60 * G_USEC_PER_SEC);
  return NULL;
}

/* (%cluster-stream cluster index bytes) -> seconds that it takes to send so many bytes (0: none) there and to hear of it, #f: it is lost */
static SCM
cluster_stream (SCM handle, SCM index, SCM bytes)
{
  TtiCluster *cluster = to_cluster (handle, "doctor");
  Measuring measuring = { tti_cluster_get_node (cluster, to_index (cluster, index, "doctor")), scm_to_size_t (bytes), 0 };

  scm_without_guile (measure, &measuring);
  scm_remember_upto_here_1 (handle);
  return measuring.seconds < 0 ? SCM_BOOL_F : scm_from_double (measuring.seconds);
}

static SCM
cluster_ping (SCM handle, SCM index)
{
  return cluster_stream (handle, index, scm_from_int (0));
}

/* (%cluster-sent cluster index) -> bytes that were sent to the agent of that node */
static SCM
cluster_sent (SCM handle, SCM index)
{
  TtiCluster *cluster = to_cluster (handle, "cluster-sent");

  return scm_from_uint64 (tti_agent_node_get_sent (tti_cluster_get_node (cluster, to_index (cluster, index, "cluster-sent"))));
}

typedef struct
{
  TtiCluster *cluster;
  guint grace_ms;
} Closing;

static void *
close_cluster (void *data)
{
  Closing *closing = data;

  tti_cluster_close (closing->cluster, closing->grace_ms);
  return NULL;
}

static SCM
cluster_close (SCM handle, SCM grace_ms)
{
  Closing closing = { to_cluster (handle, "make-pool"), scm_to_uint (grace_ms) };

  scm_without_guile (close_cluster, &closing);
  scm_remember_upto_here_1 (handle);
  return SCM_UNSPECIFIED;
}

/* (%agent-program) -> the absolute name of tutti-agent here */
static SCM
agent_program (void)
{
  char *path = tti_engine_find_program ("tutti-agent");
  SCM text = scm_from_locale_string (path);

  g_free (path);
  return text;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%cluster-new", 5, cluster_new },
  { "%cluster-launch!", 3, cluster_launch },
  { "%cluster-write-invitation!", 3, cluster_write_invitation },
  { "%cluster-events!", 1, cluster_events },
  { "%cluster-wakeup", 1, cluster_wakeup },
  { "%cluster-nodes", 1, cluster_nodes },
  { "%cluster-give-up!", 3, cluster_give_up },
  { "%cluster-close!", 2, cluster_close },
  { "%cluster-ping", 2, cluster_ping },
  { "%cluster-stream", 3, cluster_stream },
  { "%cluster-sent", 2, cluster_sent },
  { "%facts", 0, facts },
  { "%facts-different", 2, facts_different },
  { "%agent-program", 0, agent_program },
};

/* Called by load-extension in the module whose bindings the primitives become. */
void
tti_cluster_init (void)
{
  tti_guile_define_handle_type (&cluster_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
