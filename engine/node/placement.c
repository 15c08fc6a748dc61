/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "node/placement.h"
#include "platform/cpu-set.h"
#include "platform/error.h"
#include "platform/gpus.h"
#include "platform/topology.h"
#include "process/start-state.h"
#include <string.h>

/* What a place has. */
typedef struct
{
  guint64 place;      /* first: the key */
  guint64 generation; /* of the worker that had it last */
  GArray *cpus;
  GPtrArray *gpus;    /* of their names in the account */
  char *lists[TTI_GPU_N_KINDS]; /* for the variables; NULL: none */
} Entry;

struct _TtiPlacement
{
  char *root;
  GHashTable *entries; /* place -> Entry */
  GArray *users;       /* of guint: how many entries have the processor with this number */
  TtiTopology *topology; /* of the processors ALLOWED; NULL: not asked yet */
  GArray *allowed;
};

/* The processors of ENTRY have BY users more. */
static void
count_entry (TtiPlacement *placement, const Entry *entry, int by)
{
  for (guint i = 0; i < entry->cpus->len; i++)
    {
      guint cpu = g_array_index (entry->cpus, guint, i);

      if (cpu >= placement->users->len)
        g_array_set_size (placement->users, cpu + 1);
      g_array_index (placement->users, guint, cpu) += (guint) by;
    }
}

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_array_unref (entry->cpus);
  g_ptr_array_unref (entry->gpus);
  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    g_free (entry->lists[kind]);
  g_free (entry);
}

static Entry *
entry_new (guint64 place)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->place = place;
  entry->cpus = tti_cpus_new ();
  entry->gpus = g_ptr_array_new_with_free_func (g_free);
  return entry;
}

TtiPlacement *
tti_placement_new (const char *root)
{
  TtiPlacement *placement = g_new (TtiPlacement, 1);

  *placement = (TtiPlacement){ .root = g_strdup (root), .users = g_array_new (FALSE, TRUE, sizeof (guint)) };
  placement->entries = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, entry_free);
  return placement;
}

void
tti_placement_free (TtiPlacement *placement)
{
  if (placement == NULL)
    return;
  g_hash_table_unref (placement->entries);
  g_array_unref (placement->users);
  tti_topology_free (placement->topology);
  g_clear_pointer (&placement->allowed, g_array_unref);
  g_free (placement->root);
  g_free (placement);
}

/* --- what there is ---------------------------------------------------------------------------------------------------------- */

/* The setting of the start state in the environment of PROGRAM, or NULL. */
static const char *
find_start (const TtiNodeProgram *program)
{
  for (guint i = 0; program->envp[i] != NULL; i++)
    if (g_str_has_prefix (program->envp[i], TTI_START_SETTING "="))
      return program->envp[i];
  return NULL;
}

/* The processors on which PROGRAM would run anyway. */
static GArray *
list_allowed (const TtiNodeProgram *program)
{
  const char *start = find_start (program);
  GArray *allowed = start != NULL ? tti_start_state_get_processors (start) : NULL;

  return allowed != NULL ? allowed : tti_cpus_get_allowed ();
}

static gboolean
gpu_is_free (TtiPlacement *placement, const char *name, const Entry *except)
{
  GHashTableIter iter;
  gpointer entry;

  g_hash_table_iter_init (&iter, placement->entries);
  while (g_hash_table_iter_next (&iter, NULL, &entry))
    if (entry != except && g_ptr_array_find_with_equal_func (((Entry *) entry)->gpus, name, g_str_equal, NULL))
      return FALSE;
  return TRUE;
}

static guint
count_free (TtiPlacement *placement, GPtrArray *gpus)
{
  guint n = 0;

  for (guint i = 0; i < gpus->len; i++)
    n += gpu_is_free (placement, tti_gpu_name (g_ptr_array_index (gpus, i)), NULL);
  return n;
}

static char *
describe_gpus (TtiPlacement *placement, GPtrArray *gpus)
{
  g_autoptr (GString) names = g_string_new (NULL);
  guint n_free = count_free (placement, gpus);

  if (gpus->len == 0)
    return g_strdup_printf ("there is none: neither %s nor %s names one, nor is there one that this process may use",
                            tti_gpu_variable (TTI_GPU_CUDA), tti_gpu_variable (TTI_GPU_ROCR));
  for (guint i = 0; i < gpus->len; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? "," : "", tti_gpu_name (g_ptr_array_index (gpus, i)));
  if (n_free == gpus->len)
    return g_strdup_printf ("there are %u (%s)", gpus->len, names->str);
  return g_strdup_printf ("there are %u (%s), of which other workers have %u", gpus->len, names->str, gpus->len - n_free);
}

/* For messages: "3 workers with 2 GPUs each need 6". */
static char *
describe_wish (guint n, guint n_each, const char *one, const char *many)
{
  if (n == 1)
    return g_strdup_printf ("a worker needs %u %s", n_each, n_each == 1 ? one : many);
  return g_strdup_printf ("%u workers with %u %s each need %" G_GUINT64_FORMAT, n, n_each, n_each == 1 ? one : many,
                          (guint64) n * n_each);
}

static gboolean
has_cpus (const TtiNodeProgram *program, guint n, GError **error)
{
  if (program->n_cpus == 0)
    return TRUE;
  g_autoptr (GArray) allowed = list_allowed (program);

  if ((guint64) n * program->n_cpus <= allowed->len)
    return TRUE;
  g_autofree char *wish = describe_wish (n, program->n_cpus, "processor", "processors"), *list = tti_cpus_format (allowed);

  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE, "%s, and there are %u on which workers may run (%s)", wish, allowed->len, list);
  return FALSE;
}

gboolean
tti_placement_has_room (TtiPlacement *placement, const TtiNodeProgram *program, guint n, GError **error)
{
  if (!has_cpus (program, n, error))
    return FALSE;
  if (program->n_gpus == 0)
    return TRUE;
  g_autoptr (GPtrArray) gpus = tti_gpus_find (placement->root, program->envp);

  if ((guint64) n * program->n_gpus <= count_free (placement, gpus))
    return TRUE;
  g_autofree char *wish = describe_wish (n, program->n_gpus, "GPU", "GPUs"), *there = describe_gpus (placement, gpus);

  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE, "%s, and %s", wish, there);
  return FALSE;
}

/* --- giving ----------------------------------------------------------------------------------------------------------------- */

static guint
get_users (guint cpu, gpointer data)
{
  const TtiPlacement *placement = data;

  return cpu < placement->users->len ? g_array_index (placement->users, guint, cpu) : 0;
}

/* It takes some milliseconds to read it for hundreds of processors. */
static const TtiTopology *
find_topology (TtiPlacement *placement, const GArray *allowed)
{
  if (placement->topology == NULL || !tti_cpus_are_within (allowed, placement->allowed)
      || !tti_cpus_are_within (placement->allowed, allowed))
    {
      g_autofree char *folder = g_build_filename (placement->root, "/sys/devices/system", NULL);

      tti_topology_free (placement->topology);
      g_clear_pointer (&placement->allowed, g_array_unref);
      placement->topology = tti_topology_new (folder, allowed);
      placement->allowed = g_array_copy ((GArray *) allowed);
    }
  return placement->topology;
}

static gboolean
entry_take_cpus (Entry *entry, TtiPlacement *placement, const TtiNodeProgram *program, GError **error)
{
  g_autoptr (GArray) allowed = list_allowed (program);

  if (entry->cpus->len == program->n_cpus && tti_cpus_are_within (entry->cpus, allowed))
    return TRUE;
  if (!has_cpus (program, 1, error))
    return FALSE;
  count_entry (placement, entry, -1);
  g_array_unref (entry->cpus);
  entry->cpus = tti_topology_choose (find_topology (placement, allowed), program->n_cpus, get_users, placement);
  count_entry (placement, entry, 1);
  return TRUE;
}

/* Does ENTRY have N_GPUS of GPUS, and no others? */
static gboolean
entry_has_gpus (const Entry *entry, GPtrArray *gpus, guint n_gpus)
{
  guint n = 0;

  for (guint i = 0; i < gpus->len; i++)
    n += g_ptr_array_find_with_equal_func (entry->gpus, tti_gpu_name (g_ptr_array_index (gpus, i)), g_str_equal, NULL);
  return n == n_gpus && entry->gpus->len == n_gpus;
}

static void
entry_add_gpu (Entry *entry, const TtiGpu *gpu)
{
  g_ptr_array_add (entry->gpus, g_strdup (tti_gpu_name (gpu)));
  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    if (gpu->names[kind] != NULL)
      {
        g_autofree char *before = entry->lists[kind];

        entry->lists[kind] = before != NULL ? g_strconcat (before, ",", gpu->names[kind], NULL) : g_strdup (gpu->names[kind]);
      }
}

static gboolean
entry_take_gpus (Entry *entry, TtiPlacement *placement, const TtiNodeProgram *program, GError **error)
{
  g_autoptr (GPtrArray) gpus = tti_gpus_find (placement->root, program->envp);

  if (entry_has_gpus (entry, gpus, program->n_gpus))
    return TRUE;
  g_ptr_array_set_size (entry->gpus, 0);
  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    g_clear_pointer (&entry->lists[kind], g_free);
  if (!tti_placement_has_room (placement, program, 1, error))
    return FALSE;
  for (guint i = 0; i < gpus->len && entry->gpus->len < program->n_gpus; i++)
    if (gpu_is_free (placement, tti_gpu_name (g_ptr_array_index (gpus, i)), entry))
      entry_add_gpu (entry, g_ptr_array_index (gpus, i));
  return TRUE;
}

/* --- telling ---------------------------------------------------------------------------------------------------------------- */

/* Is SETTING one that ENTRY sets? */
static gboolean
entry_replaces (const Entry *entry, const char *setting)
{
  if (entry->cpus->len > 0 && g_str_has_prefix (setting, TTI_START_SETTING "="))
    return TRUE;
  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    {
      const char *name = tti_gpu_variable ((TtiGpuKind) kind);

      if (entry->lists[kind] != NULL && g_str_has_prefix (setting, name) && setting[strlen (name)] == '=')
        return TRUE;
    }
  return FALSE;
}

/* What is its own comes last, as what a template of the program does not know. */
static void
place_program (const Entry *entry, const TtiNodeProgram *program, TtiPlacedProgram *placed)
{
  g_autoptr (GStrvBuilder) environment = g_strv_builder_new ();
  guint n = g_strv_length ((char **) program->envp), n_own = 0;

  for (guint i = 0; i < n; i++)
    if (!entry_replaces (entry, program->envp[i]))
      {
        g_strv_builder_add (environment, program->envp[i]);
        n_own += i >= n - MIN (n, program->n_own);
      }
  if (entry->cpus->len > 0)
    {
      g_autofree char *start = tti_start_state_set_processors (find_start (program), entry->cpus);

      g_strv_builder_add (environment, start);
      n_own++;
    }
  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    if (entry->lists[kind] != NULL)
      {
        g_autofree char *setting = g_strconcat (tti_gpu_variable ((TtiGpuKind) kind), "=", entry->lists[kind], NULL);

        g_strv_builder_add (environment, setting);
        n_own++;
      }
  placed->envp = g_strv_builder_end (environment);
  placed->program = *program;
  placed->program.envp = (const char *const *) placed->envp;
  placed->program.n_own = program->n_own > 0 ? n_own : 0;
}

void
tti_placed_program_clear (TtiPlacedProgram *placed)
{
  g_clear_pointer (&placed->envp, g_strfreev);
}

gboolean
tti_placement_take (TtiPlacement *placement, guint64 generation, const TtiNodeProgram *program, TtiPlacedProgram *placed, GError **error)
{
  Entry *entry = g_hash_table_lookup (placement->entries, &program->place);

  if (entry == NULL)
    {
      entry = entry_new (program->place);
      g_hash_table_insert (placement->entries, &entry->place, entry);
    }
  /* What it had it loses as well: it may wait for long for the rest. */
  if (!entry_take_cpus (entry, placement, program, error) || !entry_take_gpus (entry, placement, program, error))
    {
      tti_placement_leave (placement, program->place);
      return FALSE;
    }
  entry->generation = generation;
  place_program (entry, program, placed);
  return TRUE;
}

void
tti_placement_leave (TtiPlacement *placement, guint64 place)
{
  const Entry *entry = g_hash_table_lookup (placement->entries, &place);

  if (entry != NULL)
    count_entry (placement, entry, -1);
  g_hash_table_remove (placement->entries, &place);
}

/* --- asking ----------------------------------------------------------------------------------------------------------------- */

static Entry *
find_entry (TtiPlacement *placement, guint64 generation)
{
  GHashTableIter iter;
  gpointer entry;

  g_hash_table_iter_init (&iter, placement->entries);
  while (g_hash_table_iter_next (&iter, NULL, &entry))
    if (((Entry *) entry)->generation == generation)
      return entry;
  return NULL;
}

GArray *
tti_placement_get_cpus (TtiPlacement *placement, guint64 generation)
{
  Entry *entry = find_entry (placement, generation);

  return entry != NULL && entry->cpus->len > 0 ? g_array_copy (entry->cpus) : NULL;
}

const char *
tti_placement_get_gpus (TtiPlacement *placement, guint64 generation)
{
  Entry *entry = find_entry (placement, generation);

  return entry == NULL ? NULL : entry->lists[TTI_GPU_CUDA] != NULL ? entry->lists[TTI_GPU_CUDA] : entry->lists[TTI_GPU_ROCR];
}

void
tti_placement_add_cpus (TtiPlacement *placement, guint64 place, GArray *cpus)
{
  Entry *entry = g_hash_table_lookup (placement->entries, &place);

  for (guint i = 0; entry != NULL && i < entry->cpus->len; i++)
    tti_cpus_add (cpus, g_array_index (entry->cpus, guint, i));
}
