/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/topology.h"
#include "platform/cpu-set.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 1024 };

typedef struct
{
  guint number;
  guint core;   /* the lowest processor that is a thread of the same core */
  guint node;
} Cpu;

struct _TtiTopology
{
  GArray *cpus; /* of Cpu, ascending */
  guint n_cores, n_nodes; /* more than all their numbers */
};

/* What is in the file NAME of FOLDER, a set of processors; NULL: there is no such file. */
static GArray *
read_set (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL), *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? tti_cpus_parse (text) : NULL;
}

static guint
read_core (const char *folder, guint cpu)
{
  /* The second is what kernels before 5.3 have. */
  static const char *const names[] = { "core_cpus_list", "thread_siblings_list" };
  g_autofree char *topology = g_strdup_printf ("%s/cpu/cpu%u/topology", folder, cpu);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GArray) siblings = read_set (topology, names[i]);

      if (siblings != NULL && siblings->len > 0)
        return g_array_index (siblings, guint, 0);
    }
  return cpu;
}

static void
read_nodes (TtiTopology *topology, const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "node", NULL);
  GDir *nodes = g_dir_open (path, 0, NULL);

  for (const char *name; nodes != NULL && (name = g_dir_read_name (nodes)) != NULL;)
    {
      g_autofree char *node = g_build_filename (path, name, NULL);
      g_autoptr (GArray) members = NULL;

      if (!g_str_has_prefix (name, "node") || !g_ascii_isdigit (name[strlen ("node")]))
        continue;
      members = read_set (node, "cpulist");
      for (guint i = 0; members != NULL && i < topology->cpus->len; i++)
        if (tti_cpus_have (members, g_array_index (topology->cpus, Cpu, i).number))
          g_array_index (topology->cpus, Cpu, i).node = (guint) CLAMP (atoi (name + strlen ("node")), 0, MOST_NODES - 1);
    }
  g_clear_pointer (&nodes, g_dir_close);
}

TtiTopology *
tti_topology_new (const char *folder, const GArray *allowed)
{
  TtiTopology *topology = g_new0 (TtiTopology, 1);

  topology->cpus = g_array_new (FALSE, FALSE, sizeof (Cpu));
  for (guint i = 0; i < allowed->len; i++)
    {
      guint number = g_array_index (allowed, guint, i);
      const Cpu cpu = { .number = number, .core = read_core (folder, number) };

      g_array_append_val (topology->cpus, cpu);
    }
  read_nodes (topology, folder);
  for (guint i = 0; i < topology->cpus->len; i++)
    {
      const Cpu *cpu = &g_array_index (topology->cpus, Cpu, i);

      topology->n_cores = MAX (topology->n_cores, cpu->core + 1);
      topology->n_nodes = MAX (topology->n_nodes, cpu->node + 1);
    }
  return topology;
}

void
tti_topology_free (TtiTopology *topology)
{
  if (topology == NULL)
    return;
  g_array_unref (topology->cpus);
  g_free (topology);
}

/* --- choosing --------------------------------------------------------------------------------------------------------------- */

/* A processor that may be chosen. */
typedef struct
{
  Cpu cpu;
  guint users;      /* of itself, */
  guint core_users; /* and of all threads of its core */
  guint node_users; /* of all of its node, for a thousand processors */
} Candidate;

static gint
compare_candidates (gconstpointer a, gconstpointer b)
{
  const Candidate *one = a, *other = b;
  const guint keys[][2] = { { one->users, other->users }, { one->core_users, other->core_users }, { one->cpu.core, other->cpu.core },
                            { one->cpu.number, other->cpu.number } };

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i][0] != keys[i][1])
      return keys[i][0] < keys[i][1] ? -1 : 1;
  return 0;
}

/* All processors, the best ones first. */
static GArray *
list_candidates (const TtiTopology *topology, TtiCpuUsers get_users, gpointer user_data)
{
  GArray *candidates = g_array_new (FALSE, FALSE, sizeof (Candidate));
  g_autofree guint *of_core = g_new0 (guint, topology->n_cores), *of_node = g_new0 (guint, topology->n_nodes);
  g_autofree guint *sizes = g_new0 (guint, topology->n_nodes);

  for (guint i = 0; i < topology->cpus->len; i++)
    {
      const Cpu *cpu = &g_array_index (topology->cpus, Cpu, i);
      const Candidate candidate = { .cpu = *cpu, .users = get_users (cpu->number, user_data) };

      of_core[cpu->core] += candidate.users;
      of_node[cpu->node] += candidate.users;
      sizes[cpu->node]++;
      g_array_append_val (candidates, candidate);
    }
  for (guint i = 0; i < candidates->len; i++)
    {
      Candidate *candidate = &g_array_index (candidates, Candidate, i);

      candidate->core_users = of_core[candidate->cpu.core];
      candidate->node_users = of_node[candidate->cpu.node] * 1000 / sizes[candidate->cpu.node];
    }
  g_array_sort (candidates, compare_candidates);
  return candidates;
}

/* What speaks against the first N of CANDIDATES in NODE, the most important first. FALSE: there are not so many of those that have at most
 * MOST_USERS. */
static gboolean
weigh_node (const GArray *candidates, guint node, guint n, guint most_users, guint weights[4])
{
  guint found = 0;

  memset (weights, 0, 4 * sizeof *weights);
  weights[3] = node;
  for (guint i = 0; i < candidates->len && found < n; i++)
    {
      const Candidate *candidate = &g_array_index (candidates, Candidate, i);

      if (candidate->cpu.node != node || candidate->users > most_users)
        continue;
      weights[0] += candidate->users;
      weights[1] += candidate->core_users;
      weights[2] = candidate->node_users;
      found++;
    }
  return found == n;
}

/* Are WEIGHTS less than OTHERS? */
static gboolean
is_lighter (const guint weights[4], const guint others[4])
{
  for (guint i = 0; i < 4; i++)
    if (weights[i] != others[i])
      return weights[i] < others[i];
  return FALSE;
}

/* The NUMA node to take N from; -1: none has so many. */
static int
choose_node (const TtiTopology *topology, const GArray *candidates, guint n, guint most_users)
{
  int best = -1;
  guint least[4], weights[4];

  for (guint node = 0; node < topology->n_nodes; node++)
    {
      if (!weigh_node (candidates, node, n, most_users, weights) || (best >= 0 && !is_lighter (weights, least)))
        continue;
      best = (int) node;
      memcpy (least, weights, sizeof least);
    }
  return best;
}

static void
take_from (const GArray *candidates, int node, guint most_users, GArray *chosen, guint n)
{
  for (guint i = 0; i < candidates->len && chosen->len < n; i++)
    {
      const Candidate *candidate = &g_array_index (candidates, Candidate, i);

      if ((node < 0 || candidate->cpu.node == (guint) node) && candidate->users <= most_users)
        tti_cpus_add (chosen, candidate->cpu.number);
    }
}

GArray *
tti_topology_choose (const TtiTopology *topology, guint n, TtiCpuUsers get_users, gpointer user_data)
{
  g_autoptr (GArray) candidates = list_candidates (topology, get_users, user_data);
  GArray *chosen = tti_cpus_new ();
  guint wanted = MIN (n, candidates->len);

  if (wanted == 0)
    return chosen;
  /* They are in the order of their users: more than the last one that is needed has, none of them should have. */
  guint most_users = g_array_index (candidates, Candidate, wanted - 1).users;
  int node = choose_node (topology, candidates, wanted, most_users);

  if (node >= 0)
    take_from (candidates, node, most_users, chosen, wanted);
  /* As much as there is in one, and so on. */
  for (guint part = wanted - 1; node < 0 && part > 0 && chosen->len == 0; part--)
    take_from (candidates, choose_node (topology, candidates, part, most_users), most_users, chosen, part);
  take_from (candidates, -1, most_users, chosen, wanted);
  return chosen;
}
