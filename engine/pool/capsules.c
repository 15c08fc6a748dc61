/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Capsules of failed tasks: all that they were run with, for whoever writes it down (look/capsule.h). They are made when a task has failed
 * for good, while a viewer has asked for capsules, and not more often than MOST_AT_ONCE between two pulses. */
#include "pool/capsules.h"
#include "platform/core-file.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/host-name.h"
#include "pool/pool-private.h"
#include <string.h>
#include <unistd.h>

enum { MOST_AT_ONCE = 100 };

static TtiCapsuleCode capsule_code; /* atomic */

void
tti_capsules_set_code (TtiCapsuleCode code)
{
  g_atomic_pointer_set (&capsule_code, code);
}

void
tti_engine_set_capsules (TtiEngine *engine, gsize most, const char *const *kept)
{
  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  engine->looking.capsule_limit = most;
  g_strfreev (engine->looking.kept_variables);
  engine->looking.kept_variables = g_strdupv ((char **) kept);
  tti_engine_unlock (engine);
}

/* As its NAME tells. */
static gboolean
variable_is_secret (const char *name)
{
  static const char *const words[] = { "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "KEY", "COOKIE", "AUTH" };
  g_autofree char *upper = g_ascii_strup (name, -1);

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (strstr (upper, words[i]) != NULL)
      return TRUE;
  return FALSE;
}

/* --- facts ------------------------------------------------------------------------------------------------------------------- */

G_GNUC_PRINTF (3, 4) static void
add_fact (TtiCapsuleWriter *writer, const char *key, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);

  va_end (args);
  tti_capsule_writer_add_fact (writer, key, text);
}

static void
add_environment (TtiCapsuleWriter *writer, char **environment, char **kept)
{
  for (guint i = 0; environment[i] != NULL; i++)
    {
      const char *equals = strchr (environment[i], '=');

      if (equals == NULL)
        continue;
      g_autofree char *name = g_strndup (environment[i], (gsize) (equals - environment[i]));
      gboolean keep = !variable_is_secret (name) || (kept != NULL && g_strv_contains ((const char *const *) kept, name));
      g_autofree char *key = g_strconcat (keep ? "environment:" : "left out:", name, NULL);

      tti_capsule_writer_add_fact (writer, key, keep ? equals + 1 : "");
    }
}

/* The folder in which the workers of PROGRAM begin, or NULL: nobody knows. */
static char *
folder_of (const TtiSlotProgram *program)
{
  if (program->start == NULL || program->start->folder < 0)
    return NULL;
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", program->start->folder);

  return g_file_read_link (link, NULL);
}

/* Which worker has died, and where its core is: its file; '|' and the program that has got it; '?' and where it was looked for; or '@'
 * and the host. */
static void
add_death (TtiCapsuleWriter *writer, const TtiCertificate *certificate, const char *folder)
{
  TtiCoreSearch search = { .pid = certificate->pid, .signal = certificate->signal, .folder = folder != NULL ? folder : "." };

  add_fact (writer, "worker", "%d", certificate->pid);
  if (!certificate->core_dumped)
    return;
  if (tti_host_is_elsewhere (certificate->host))
    {
      add_fact (writer, "core", "@%s", certificate->host);
      return;
    }
  g_autofree char *pattern = tti_core_file_read_pattern (&search.uses_pid);

  if (pattern == NULL)
    return;
  search.pattern = pattern;
  g_autofree char *program = tti_core_file_get_program (&search);
  g_autofree char *file = program == NULL ? tti_core_file_find (&search) : NULL;
  g_autofree char *place = program == NULL && file == NULL ? tti_core_file_get_glob (&search) : NULL;

  if (file != NULL)
    add_fact (writer, "core", "%s", file);
  else
    add_fact (writer, "core", "%c%s", program != NULL ? '|' : '?', program != NULL ? program : place);
}

/* --- code -------------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  TtiCapsuleWriter *writer;
  TtiCapsuleCode code;
  guint place;
  const char *folder;
  const char *const *environment;
} CodeWalk;

static TtiWalkStep
enter_all (TtiHeld *held, gpointer data)
{
  (void) held;
  (void) data;
  return TTI_WALK_IN;
}

static gboolean
add_held_code (TtiHeld *held, gpointer data)
{
  const CodeWalk *walk = data;
  TtiPayload *payload = tti_held_get_kind (held) == TTI_HELD_MADE ? tti_held_get_payload (held, walk->place) : NULL;

  if (payload != NULL)
    walk->code (walk->writer, payload, walk->folder, walk->environment);
  return TRUE;
}

/* Which code the request needs, and what it needs itself. */
static void
add_code_locked (TtiCapsuleWriter *writer, TtiPool *pool, const TtiCapsuleSource *source, const char *folder)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  CodeWalk walk = { writer, g_atomic_pointer_get (&capsule_code), source->place, folder,
                    (const char *const *) pool->program.environment };

  if (source->handler != TTI_HANDLER_MODULE || walk.code == NULL)
    return;
  for (guint i = 0; source->held != NULL && i < source->held->len; i++)
    tti_held_walk_locked (g_ptr_array_index (source->held, i), enter_all, add_held_code, &walk);
  if (source->request != NULL)
    walk.code (writer, source->request, folder, walk.environment);
}

/* --- all facts --------------------------------------------------------------------------------------------------------------- */

static void
add_facts_locked (TtiCapsuleWriter *writer, TtiPool *pool, const TtiCapsuleSource *source)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  const TtiSlotProgram *program = &pool->program;
  g_autofree char *folder = folder_of (program);

  add_fact (writer, "version", "%s", TUTTI_VERSION);
  add_fact (writer, "task", "%" G_GUINT64_FORMAT, source->task);
  add_fact (writer, "pool", "%s", pool->name);
  add_fact (writer, "program", "%s", program->program);
  add_fact (writer, "handler", "%d", (int) source->handler);
  add_fact (writer, "place", "%u", source->place);
  add_fact (writer, "time-out", "%" G_GINT64_FORMAT, source->time_out);
  add_fact (writer, "memory-limit", "%" G_GUINT64_FORMAT, program->memory_limit);
  add_fact (writer, "n-cpus", "%u", program->n_cpus);
  if (source->item >= 0)
    add_fact (writer, "item", "%" G_GINT64_FORMAT, source->item);
  if (source->name != NULL)
    add_fact (writer, "name", "%s", source->name);
  add_fact (writer, "end", "%s", source->end);
  add_fact (writer, "error", "%s", source->error != NULL ? source->error : "");
  if (folder != NULL)
    add_fact (writer, "folder", "%s", folder);
  if (source->certificate != NULL)
    add_death (writer, source->certificate, folder);
  add_code_locked (writer, pool, source, folder);
  add_environment (writer, program->environment, pool->engine->looking.kept_variables);
}

/* --- parts ------------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  TtiCapsuleWriter *writer;
  guint place;
} PartWalk;

static gboolean
write_held (TtiHeld *held, gpointer data)
{
  const PartWalk *walk = data;

  tti_capsule_writer_add (walk->writer, tti_held_get_kind (held) == TTI_HELD_MADE ? TTI_CAPSULE_MADE : TTI_CAPSULE_GIVEN,
                          tti_held_get_id (held), tti_held_get_payload (held, walk->place));
  return TRUE;
}

static void
add_parts_locked (TtiCapsuleWriter *writer, TtiPool *pool, const TtiCapsuleSource *source)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  PartWalk walk = { writer, source->place };

  if (pool->program.files != NULL)
    tti_held_walk_locked (pool->program.files, enter_all, write_held, &walk);
  if (pool->program.setup != NULL)
    tti_held_walk_locked (pool->program.setup, enter_all, write_held, &walk);
  for (guint i = 0; source->held != NULL && i < source->held->len; i++)
    tti_held_walk_locked (g_ptr_array_index (source->held, i), enter_all, write_held, &walk);
  tti_capsule_writer_add (writer, TTI_CAPSULE_REQUEST, 0, source->request);
}

/* --- one capsule ------------------------------------------------------------------------------------------------------------- */

static gboolean
engine_wants_capsule_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  TtiLooking *looking = &engine->looking;

  if (!looking->watched || looking->capsule_limit == 0 || !tti_engine_has_capsule_viewer_locked (engine))
    return FALSE;
  if (looking->capsule_pulse != looking->n_pulses)
    looking->n_capsules = 0;
  looking->capsule_pulse = looking->n_pulses;
  return looking->n_capsules++ < MOST_AT_ONCE;
}

static void
pool_encapsulate_locked (TtiPool *pool, const TtiCapsuleSource *source)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autoptr (GError) error = NULL;
  TtiCapsuleWriter *writer = tti_capsule_writer_new (pool->engine->looking.capsule_limit, &error);
  tti_autofd int fd = -1;

  if (writer != NULL)
    {
      add_facts_locked (writer, pool, source);
      add_parts_locked (writer, pool, source);
      fd = tti_capsule_writer_finish (writer, &error);
    }
  tti_engine_send_capsule_locked (pool->engine, source->task, source->item, fd, error != NULL ? error->message : NULL);
}

void
tti_task_encapsulate_locked (TtiTask *task, TtiTaskState state, TtiPayload *result, const GError *error)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  TtiPool *pool = tti_pool_of_task (task);

  if (task->worker < 0 || task->culprit != NULL || g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_CANCELLED)
      || g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED) || !engine_wants_capsule_locked (task->engine))
    return;
  g_autofree char *raised = state == TTI_TASK_RAISED ? tti_engine_read_exception (result) : NULL;
  g_autoptr (TtiPayload) request = tti_task_make_request (task);
  TtiCapsuleSource source = { .task = task->id, .item = -1, .handler = task->handler, .name = tti_task_get_name (task),
                              .place = tti_slot_get_place (pool->slots[task->worker], task), .time_out = task->timeout,
                              .end = state == TTI_TASK_RAISED ? "raised" : g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_DIED) ? "died"
                                       : g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_TIMEOUT) ? "timed out" : "failed",
                              .error = error != NULL ? error->message : raised, .certificate = task->certificate,
                              .request = request, .held = task->held };

  pool_encapsulate_locked (pool, &source);
}

void
tti_pool_encapsulate_item (TtiPool *pool, const TtiCapsuleSource *source)
{
  if (!tti_engine_is_watched (pool->engine) || tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (pool->engine);
  if (engine_wants_capsule_locked (pool->engine))
    pool_encapsulate_locked (pool, source);
  tti_engine_unlock (pool->engine);
}
