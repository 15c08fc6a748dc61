/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives that say how pools, workers and tasks stand now, for commands of REPLs. They concern the process's default engine, and start
 * none: where there is none there are no pools. */
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"
#include "platform/host-name.h"
#include "platform/program.h"
#include "pool/inspect.h"

enum { MOST_OUTPUT = 256 * 1024 }; /* bytes of a debugger */

static SCM
from_name (const char *name)
{
  return name != NULL ? tti_guile_from_text (name, -1) : SCM_BOOL_F;
}

/* #f for this machine. */
static SCM
from_host (const char *host)
{
  return host != NULL && tti_host_is_elsewhere (host) ? tti_guile_from_text (host, -1) : SCM_BOOL_F;
}

/* Seconds from SINCE until now. */
static SCM
from_age (gint64 since)
{
  return scm_from_double (since > 0 ? (double) (g_get_monotonic_time () - since) / G_USEC_PER_SEC : 0);
}

static SCM
from_pool (const TtiPoolFacts *facts)
{
  return scm_vector (scm_list_n (scm_from_uint64 (facts->number), from_name (facts->name), scm_from_utf8_symbol (facts->state),
                                 scm_from_uint (facts->size), scm_from_uint (facts->goal), scm_from_uint (facts->n_busy),
                                 scm_from_uint (facts->n_queued), scm_from_uint (facts->n_waiting), scm_from_uint64 (facts->submitted),
                                 scm_from_uint64 (facts->ended), scm_from_uint64 (facts->failed), from_name (facts->failure),
                                 SCM_UNDEFINED));
}

/* (%pools) -> list of #(number name state size goal busy queued waiting submitted ended failed reason) */
static SCM
pools (void)
{
  TtiEngine *engine = tti_engine_peek_default ();
  GArray *all = engine != NULL ? tti_engine_list_pools (engine) : NULL;
  SCM list = SCM_EOL;

  for (guint i = all != NULL ? all->len : 0; i-- > 0;)
    list = scm_cons (from_pool (&g_array_index (all, TtiPoolFacts, i)), list);
  if (all != NULL)
    g_array_unref (all);
  tti_engine_unref (engine);
  return list;
}

static SCM
from_worker (const TtiWorkerFacts *facts)
{
  return scm_vector (scm_list_n (scm_from_uint (facts->index), scm_from_int (facts->pid), scm_from_utf8_symbol (facts->state),
                                 from_host (facts->host), scm_from_uint (facts->restarts), scm_from_uint64 (facts->tasks_done),
                                 scm_from_uint64 (facts->peak_memory),
                                 facts->task != 0 ? scm_from_uint64 (facts->task) : SCM_BOOL_F, from_name (facts->task_name),
                                 from_age (facts->since), scm_from_uint (facts->n_behind), SCM_UNDEFINED));
}

/* (%pool-workers number) -> list of #(index pid state host restarts tasks-done peak-memory task name seconds behind), or #f: there is no
 * such pool */
static SCM
pool_workers (SCM number)
{
  guint64 c_number = scm_to_uint64 (number);
  TtiEngine *engine = tti_engine_peek_default ();
  GArray *all = engine != NULL ? tti_engine_list_workers (engine, c_number) : NULL;
  SCM list = all != NULL ? SCM_EOL : SCM_BOOL_F;

  for (guint i = all != NULL ? all->len : 0; i-- > 0;)
    list = scm_cons (from_worker (&g_array_index (all, TtiWorkerFacts, i)), list);
  if (all != NULL)
    g_array_unref (all);
  tti_engine_unref (engine);
  return list;
}

static SCM
from_task (const TtiTaskFacts *facts)
{
  static const char *const standings[] = { "waiting", "queued", "wide", "pinned", "given", "running" };
  SCM missing = SCM_EOL;

  for (guint i = MIN (facts->n_missing, TTI_FACTS_MOST_MISSING); i-- > 0;)
    if (facts->missing[i] != 0)
      missing = scm_cons (scm_from_uint64 (facts->missing[i]), missing);
  return scm_vector (scm_list_n (scm_from_uint64 (facts->id), scm_from_uint64 (facts->pool), from_name (facts->name),
                                 scm_from_utf8_symbol (standings[facts->standing]), scm_from_bool (facts->is_maker),
                                 scm_from_int (facts->worker), from_host (facts->host), scm_from_uint (facts->place),
                                 from_age (facts->since), scm_from_uint (facts->attempts), scm_from_uint (facts->begun),
                                 scm_from_uint (facts->all), scm_from_uint (facts->n_missing), missing, SCM_UNDEFINED));
}

/* (%tasks pool most) -> (running queued waiting . tasks): how many there are, and the first of them, see from_task (). POOL: a number, 0
 * for all. */
static SCM
tasks (SCM pool, SCM most)
{
  guint64 c_pool = scm_to_uint64 (pool);
  guint c_most = scm_to_uint (most);
  TtiEngine *engine = tti_engine_peek_default ();
  TtiTaskCounts counts = { 0 };
  GArray *all = engine != NULL ? tti_engine_list_tasks (engine, c_pool, c_most, &counts) : NULL;
  SCM list = SCM_EOL;

  for (guint i = all != NULL ? all->len : 0; i-- > 0;)
    list = scm_cons (from_task (&g_array_index (all, TtiTaskFacts, i)), list);
  if (all != NULL)
    g_array_unref (all);
  tti_engine_unref (engine);
  list = scm_cons (scm_from_uint (counts.waiting), list);
  return scm_cons (scm_from_uint (counts.running), scm_cons (scm_from_uint (counts.queued), list));
}

/* (%task-facts id) -> see from_task (); #f: none of this number waits or runs */
static SCM
task_facts (SCM id)
{
  guint64 c_id = scm_to_uint64 (id);
  TtiEngine *engine = tti_engine_peek_default ();
  TtiTaskFacts facts;
  gboolean found = engine != NULL && tti_engine_find_task (engine, c_id, &facts);

  tti_engine_unref (engine);
  return found ? from_task (&facts) : SCM_BOOL_F;
}

static SCM
from_failure (const TtiPastFailure *failure)
{
  return scm_vector (scm_list_n (scm_from_uint64 (failure->pool), from_name (failure->name), from_name (tti_look_end_name (failure->end)),
                                 from_name (failure->text), scm_from_int (failure->worker), scm_from_uint (failure->attempts),
                                 failure->culprit != 0 ? scm_from_uint64 (failure->culprit) : SCM_BOOL_F, from_age (failure->at),
                                 SCM_UNDEFINED));
}

static SCM
from_death (const TtiPastDeath *death)
{
  char *text = tti_certificate_describe (death->certificate);
  SCM result = scm_vector (scm_list_4 (tti_guile_from_text (text, -1), scm_from_uint (death->attempt), scm_from_bool (death->again),
                                       from_age (death->at)));

  g_free (text);
  return result;
}

/* (%task-past id) -> (forgotten failure . deaths). FORGOTTEN: how many failures of tasks are not known any more. FAILURE: #(pool name how
 * text worker attempts culprit seconds), or #f: it has not failed, as far as is known. DEATHS: of its workers, #(text attempt again?
 * seconds). */
static SCM
task_past (SCM id)
{
  guint64 c_id = scm_to_uint64 (id), n_forgotten = 0;
  TtiEngine *engine = tti_engine_peek_default ();
  TtiPastFailure failure = { 0 };
  GArray *deaths = engine != NULL ? tti_engine_list_past (engine, c_id, &failure, &n_forgotten) : NULL;
  SCM list = SCM_EOL;

  for (guint i = deaths != NULL ? deaths->len : 0; i-- > 0;)
    list = scm_cons (from_death (&g_array_index (deaths, TtiPastDeath, i)), list);
  SCM result = scm_cons (scm_from_uint64 (n_forgotten), scm_cons (failure.task != 0 ? from_failure (&failure) : SCM_BOOL_F, list));

  g_free (failure.text);
  if (deaths != NULL)
    g_array_unref (deaths);
  tti_engine_unref (engine);
  return result;
}

/* (%pool-facts pool) -> as in %pools */
static SCM
pool_facts (SCM pool)
{
  TtiPoolFacts facts = tti_pool_get_facts (tti_guile_to_any_pool (pool, "pool-name"));
  SCM result = from_pool (&facts);

  tti_pool_facts_clear (&facts);
  scm_remember_upto_here_1 (pool);
  return result;
}

/* (%task-now task) -> as %task-facts, without its place; or, if it has ended, why it has no value, a text; #f: it has one */
static SCM
task_now (SCM task)
{
  TtiTask *c_task = tti_guile_to_task (task, "task-state");
  TtiTaskFacts facts;
  SCM result = SCM_BOOL_F;

  if (tti_task_get_facts (c_task, &facts))
    result = from_task (&facts);
  else if (tti_task_has_ended (c_task))
    {
      char *text = tti_task_describe_failure (c_task);

      result = from_name (text);
      g_free (text);
    }
  scm_remember_upto_here_1 (task);
  return result;
}

/* --- stacks ------------------------------------------------------------------------------------------------------------------ */

typedef struct
{
  TtiPool *pool;
  guint index;
  gint64 deadline;
  TtiStackAnswer answer;
  TtiWorkerFacts facts;
  char *text;
} Asking;

static void *
ask_outside (void *data)
{
  Asking *asking = data;

  asking->answer = tti_pool_ask_stack (asking->pool, asking->index, asking->deadline, &asking->facts, &asking->text);
  tti_pool_unref (asking->pool);
  return NULL;
}

/* (%worker-stack pool index seconds) -> (answer worker . text): ANSWER is told, idle, silent or none; TEXT is #f unless it is told; WORKER
 * is as in %pool-workers. POOL: its number. */
static SCM
worker_stack (SCM pool, SCM index, SCM seconds)
{
  static const char *const answers[] = { "told", "idle", "silent", "none" };
  guint64 c_pool = scm_to_uint64 (pool);
  Asking asking = { .index = scm_to_uint (index), .answer = TTI_STACK_NONE, .facts = { .state = "dead" },
                    .deadline = g_get_monotonic_time () + (gint64) (scm_to_double (seconds) * G_USEC_PER_SEC) };
  TtiEngine *engine = tti_engine_peek_default ();

  asking.pool = engine != NULL ? tti_engine_find_pool (engine, c_pool) : NULL;
  tti_engine_unref (engine);
  if (asking.pool != NULL)
    scm_without_guile (ask_outside, &asking);
  SCM result = scm_cons (scm_from_utf8_symbol (answers[asking.answer]), scm_cons (from_worker (&asking.facts), from_name (asking.text)));

  g_free (asking.text);
  return result;
}

typedef struct
{
  const char *gdb;
  int pid;
  double seconds;
  gboolean in_time;
  TtiProgram *program; /* NULL: it could not be started; ERROR is owned */
  GError *error;
} Debugging;

static void *
debug_outside (void *data)
{
  Debugging *debugging = data;
  char pid[32];
  const char *argv[] = { debugging->gdb, "-nx", "-batch", pid, "-ex", "set pagination off", "-ex", "thread apply all -ascending bt", NULL };
  const TtiProgramOptions options = { .argv = argv, .seconds = debugging->seconds, .limit = MOST_OUTPUT };

  g_snprintf (pid, sizeof pid, "--pid=%d", debugging->pid);
  debugging->program = tti_program_start (&options, &debugging->error);
  while (debugging->program != NULL && !tti_program_wait (debugging->program, G_USEC_PER_SEC))
    continue;
  debugging->in_time = debugging->program != NULL && debugging->program->end != TTI_PROGRAM_LATE;
  return NULL;
}

/* (%c-stack gdb pid seconds) -> (in-time? output . errors), two texts of what GDB, a path, says of the process PID; or a text why it cannot
 * be started */
static SCM
c_stack (SCM gdb, SCM pid, SCM seconds)
{
  Debugging debugging = { .pid = scm_to_int (pid), .seconds = scm_to_double (seconds) };
  SCM result;

  scm_dynwind_begin (0);
  char *path = scm_to_utf8_string (gdb);

  scm_dynwind_free (path);
  debugging.gdb = path;
  scm_without_guile (debug_outside, &debugging);
  TtiProgram *program = debugging.program;

  if (program != NULL)
    result = scm_cons (scm_from_bool (debugging.in_time),
                       scm_cons (tti_guile_from_text ((const char *) program->output->data, (gssize) program->output->len),
                                 tti_guile_from_text ((const char *) program->errors->data, (gssize) program->errors->len)));
  else
    result = tti_guile_from_text (debugging.error->message, -1);
  tti_program_free (program);
  g_clear_error (&debugging.error);
  scm_dynwind_end ();
  return result;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%pools", 0, pools },            { "%pool-workers", 1, pool_workers }, { "%tasks", 2, tasks },
  { "%task-facts", 1, task_facts },  { "%task-past", 1, task_past },       { "%pool-facts", 1, pool_facts },
  { "%task-now", 1, task_now },
  { "%worker-stack", 3, worker_stack }, { "%c-stack", 3, c_stack },
};

void
tti_guile_init_inspect (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
