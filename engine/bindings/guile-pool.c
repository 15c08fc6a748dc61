/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for pools. Scheme's waits are in guile-wait.c, its tasks in guile-task.c.
 *
 * A <pool> object owns one reference of a TtiPool. Its finaliser, which any thread may run, only drops the reference, which
 * begins to close the pool and waits for nothing. */
#include "bindings/guile-pool.h"
#include "bindings/guile-environment.h"
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-pool-private.h"
#include "bindings/guile-script.h"
#include "platform/cpu-set.h"
#include "platform/fd-limit.h"
#include "platform/host-name.h"
#include "platform/memory-speed.h"
#include "platform/memory-usage.h"
#include "platform/processors.h"
#include "platform/requirements.h"
#include "platform/urgency.h"
#include "pool/looking.h"
#include "process/file-faults.h"
#include <dlfcn.h>
#include <unistd.h>

static void
pool_release (gpointer pool)
{
  tti_pool_unref (pool);
}

static TtiHandleType pool_type = { .name = "<engine-pool>", .what = "pool", .release = pool_release };

TtiPool *
tti_guile_to_pool (SCM object, const char *who)
{
  tti_guile_check_original (who);
  return tti_guile_from_handle (&pool_type, object, 1, who);
}

void
tti_guile_check_original (const char *who)
{
  GError *error = NULL;

  if (tti_engine_is_copy (&error))
    tti_guile_raise (who, error);
}

/* (%forked-copy?): is this process a copy, made by fork (), of the one that started the engine? */
static SCM
forked_copy_p (void)
{
  return scm_from_bool (tti_engine_is_copy (NULL));
}

/* The file that this code was loaded from, to be freed: a worker loads the same. */
static char *
extension_file (void)
{
  Dl_info info;

  if (dladdr ((const void *) (guintptr) tti_guile_init_pool, &info) == 0)
    scm_misc_error ("make-pool", "cannot tell from which file Tutti's extension was loaded", SCM_EOL);
  return g_strdup (info.dli_fname);
}

static void
print_message (const char *message, G_GNUC_UNUSED gpointer data)
{
  g_printerr ("tutti: %s\n", message);
}

/* The nodes in LIST, pointer objects; NULL if it is empty. In memory of Guile's, as it may raise. */
static TtiNode **
nodes_from_list (SCM list, guint *n_nodes)
{
  gsize n = (gsize) scm_ilength (list);
  TtiNode **nodes = n > 0 ? scm_gc_malloc_pointerless (n * sizeof (TtiNode *), "nodes") : NULL;

  for (gsize i = 0; i < n; i++, list = SCM_CDR (list))
    nodes[i] = scm_to_pointer (SCM_CAR (list));
  *n_nodes = (guint) n;
  return nodes;
}

void
tti_guile_adopt_engine (TtiEngine *engine)
{
  /* Those of an application's engines are the application's. */
  if (tti_guile_serves_application ())
    return;
  tti_engine_set_message_func (engine, print_message, NULL);
  /* Where there can be none nobody finds the job: who looks for it is told why. */
  (void) tti_engine_open_door (engine, NULL);
}

/* (%make-pool size name template? settings memory-limit output-limit devices owner nodes); SETTINGS: for the environment, those in front
 * count; a limit of memory of 0 is none; DEVICES: pair of the processors and of the GPUs of each worker; OWNER: whose engine it belongs to,
 * see tti_guile_to_engine (); NODES: a list of pointer objects, of the same engine; none: this machine */
static SCM
make_pool (SCM size, SCM name, SCM template, SCM settings, SCM memory_limit, SCM output_limit, SCM devices, SCM owner, SCM nodes)
{
  static const char who[] = "make-pool";
  GError *error = NULL;
  guint n = scm_to_uint (size);
  guint64 c_memory_limit = tti_guile_to_count (memory_limit, G_MAXSSIZE, "make-pool", "a number of bytes");
  guint64 c_output_limit = tti_guile_to_count (output_limit, G_MAXSSIZE, "make-pool", "a number of bytes");
  guint n_cpus = scm_to_uint (scm_car (devices)), n_gpus = scm_to_uint (scm_cdr (devices));
  const char *chosen = g_getenv ("TUTTI_WORKER");
  guint n_nodes;
  TtiNode **c_nodes = nodes_from_list (nodes, &n_nodes);

  scm_dynwind_begin (0);
  char *c_name = scm_to_utf8_string (name);
  scm_dynwind_free (c_name);
  char *extension = extension_file ();
  scm_dynwind_unwind_handler (g_free, extension, SCM_F_WIND_EXPLICITLY);
  char *program = chosen != NULL ? g_strdup (chosen) : tti_engine_find_program ("tutti-worker");
  scm_dynwind_unwind_handler (g_free, program, SCM_F_WIND_EXPLICITLY);
  char **environment = tti_guile_worker_environment (settings, who);
  TtiPoolOptions options = { .name = c_name, .program = program,
                               .arguments = (const char *const[]){ "--scheme", extension, NULL },
                               .environment = (const char *const *) environment, .memory_limit = c_memory_limit,
                               /* A program of the user's may not be able to be a template. */
                               .has_template = chosen == NULL && scm_is_true (template),
                               .nodes = c_nodes, .n_nodes = n_nodes,
                               .keep_output = TRUE, .output_limit = c_output_limit, .n_cpus = n_cpus, .n_gpus = n_gpus };
  TtiEngine *engine = tti_guile_to_engine (owner, &error);
  if (engine != NULL)
    tti_guile_adopt_engine (engine);
  TtiPool *pool = engine != NULL ? tti_pool_new (engine, n, &options, &error) : NULL;
  tti_engine_unref (engine);
  scm_dynwind_end ();
  if (pool == NULL)
    tti_guile_raise (who, error);
  tti_guile_reserve_wakeup ();
  return tti_guile_make_handle (&pool_type, pool, FALSE);
}

static SCM
pool_close (SCM pool, SCM grace_ms)
{
  tti_pool_close (tti_guile_to_pool (pool, "pool-close!"), scm_to_int (grace_ms));
  return SCM_UNSPECIFIED;
}

TtiPool *
tti_guile_to_any_pool (SCM object, const char *who)
{
  return tti_guile_from_handle (&pool_type, object, 1, who);
}

static SCM
pool_closed_p (SCM pool)
{
  return scm_from_bool (tti_pool_is_closed (tti_guile_to_any_pool (pool, "pool-closed?")));
}

static SCM
pool_quiet_p (SCM pool)
{
  return scm_from_bool (tti_pool_is_quiet (tti_guile_to_pool (pool, "pool-close!")));
}

static SCM
pool_size (SCM pool)
{
  return scm_from_uint (tti_pool_get_size (tti_guile_to_any_pool (pool, "pool-size")));
}

/* (%pool-shares-memory? pool) */
static SCM
pool_shares_memory (SCM pool)
{
  return scm_from_bool (tti_pool_shares_memory (tti_guile_to_any_pool (pool, "pool-shares-memory?")));
}

static SCM
pool_name (SCM pool)
{
  return scm_from_utf8_string (tti_pool_get_name (tti_guile_to_any_pool (pool, "pool-name")));
}

/* (%pool-grow! pool n): begin; (%pool-growth pool): is it going on? Raises, once, why it could not grow; (%pool-cancel-growth! pool);
 * (%pool-shrink! pool n) */
static SCM
pool_grow (SCM pool, SCM n)
{
  GError *error = NULL;

  if (!tti_pool_begin_growth (tti_guile_to_pool (pool, "pool-grow!"), scm_to_uint (n), &error))
    tti_guile_raise ("pool-grow!", error);
  return SCM_UNSPECIFIED;
}

static SCM
pool_growth (SCM pool)
{
  GError *error = NULL;
  TtiGrowth growth = tti_pool_get_growth (tti_guile_to_pool (pool, "pool-grow!"), &error);

  if (growth == TTI_GROWTH_FAILED)
    tti_guile_raise ("pool-grow!", error);
  return scm_from_bool (growth == TTI_GROWTH_GOING_ON);
}

static SCM
pool_cancel_growth (SCM pool)
{
  tti_pool_cancel_growth (tti_guile_to_any_pool (pool, "pool-grow!"));
  return SCM_UNSPECIFIED;
}

static SCM
pool_shrink (SCM pool, SCM n)
{
  GError *error = NULL;

  if (!tti_pool_shrink (tti_guile_to_pool (pool, "pool-shrink!"), scm_to_uint (n), &error))
    tti_guile_raise ("pool-shrink!", error);
  return SCM_UNSPECIFIED;
}

/* (%pool-add-node! pool node): NODE: a pointer object, of the same engine */
static SCM
pool_add_node (SCM pool, SCM node)
{
  tti_pool_add_node (tti_guile_to_any_pool (pool, "make-pool"), scm_to_pointer (node));
  return SCM_UNSPECIFIED;
}

static SCM
list_from_cpus (const char *text)
{
  g_autoptr (GArray) cpus = text != NULL ? tti_cpus_parse (text) : NULL;
  SCM list = SCM_EOL;

  for (guint i = cpus != NULL ? cpus->len : 0; i-- > 0;)
    list = scm_cons (scm_from_uint (g_array_index (cpus, guint, i)), list);
  return cpus != NULL ? list : SCM_BOOL_F;
}

/* (%pool-worker pool index) -> #(pid state restarts tasks-done peak-memory node cpus gpus): the last two a list of numbers, and names with
 * commas between; #f where there are none */
static SCM
pool_worker (SCM pool, SCM index)
{
  TtiPool *c_pool = tti_guile_to_pool (pool, "pool-workers");
  TtiWorkerInfo info;

  guint i = scm_to_uint (index);

  /* The pool may have shrunk since its size was asked for. */
  tti_pool_get_worker (c_pool, i, &info);
  scm_dynwind_begin (0);
  char *cpus = tti_pool_get_worker_cpus (c_pool, i);
  scm_dynwind_unwind_handler (g_free, cpus, SCM_F_WIND_EXPLICITLY);
  char *gpus = tti_pool_get_worker_gpus (c_pool, i);
  scm_dynwind_unwind_handler (g_free, gpus, SCM_F_WIND_EXPLICITLY);
  SCM result = scm_vector (scm_list_n (scm_from_int (info.pid), scm_from_utf8_symbol (tti_worker_state_name (info.state)),
                                       scm_from_uint (info.restarts), scm_from_uint64 (info.tasks_done),
                                       scm_from_uint64 (info.peak_memory), tti_guile_from_text (info.host, -1), list_from_cpus (cpus),
                                       gpus != NULL ? tti_guile_from_text (gpus, -1) : SCM_BOOL_F, SCM_UNDEFINED));
  scm_dynwind_end ();
  return result;
}

/* (%own-peak-memory) -> bytes, the most that this process has had until now, or #f */
static SCM
own_peak_memory (void)
{
  gint64 peak = tti_memory_usage_get_peak (getpid ());

  return peak > 0 ? scm_from_int64 (peak) : SCM_BOOL_F;
}

/* (%pool-read-output! pool): from now on %pool-take-output! returns all that was written before the answers that have arrived */
static SCM
pool_read_output (SCM pool)
{
  tti_pool_read_output (tti_guile_to_any_pool (pool, "worker-output"));
  scm_remember_upto_here_1 (pool);
  return SCM_UNSPECIFIED;
}

/* What has become of the lines of a worker that were not shown: (spill index file lines bytes lost-lines lost-bytes
 * problem); #f: nothing */
static SCM
pool_take_spill (TtiPool *pool)
{
  TtiSpillReport report = { 0 };

  if (!tti_pool_take_spill (pool, &report))
    return SCM_BOOL_F;
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler ((void (*) (void *)) tti_spill_report_clear, &report, SCM_F_WIND_EXPLICITLY);
  SCM file = report.file != NULL ? tti_guile_from_text (report.file, -1) : SCM_BOOL_F;
  SCM problem = report.problem != NULL ? tti_guile_from_text (report.problem, -1) : SCM_BOOL_F;
  scm_dynwind_end ();
  return scm_list_n (scm_from_utf8_symbol ("spill"), scm_from_uint (report.index), file, scm_from_uint64 (report.lines),
                     scm_from_uint64 (report.bytes), scm_from_uint64 (report.lost_lines), scm_from_uint64 (report.lost_bytes), problem,
                     SCM_UNDEFINED);
}

/* (%pool-take-output! pool lines?) -> a line: (who error? . text), WHO being an index, or a pair of it and the node if that is elsewhere; a
 * death: #(text worker task attempt begun again?), with 0 for what
 * there is not; when there is no more of that, what pool_take_spill () says. If LINES? is false, all lines until now are dropped, and with
 * them the files of those that came too fast: such a file would stay if it were taken. */
static SCM
pool_take_output (SCM pool, SCM lines)
{
  TtiPool *c_pool = tti_guile_to_any_pool (pool, "worker-output");
  gboolean wanted = scm_is_true (lines);
  TtiOutputRecord record;
  guint64 dropped;

  if (!wanted)
    tti_pool_discard_output (c_pool);
  if (!tti_pool_take_output (c_pool, &record, &dropped))
    return wanted ? pool_take_spill (c_pool) : SCM_BOOL_F;
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler ((void (*) (void *)) tti_output_record_clear, &record, SCM_F_WIND_EXPLICITLY);
  /* A worker may write any bytes: those that are no text become question marks. */
  SCM text = scm_from_stringn (record.text, record.length, "UTF-8", SCM_FAILED_CONVERSION_QUESTION_MARK);
  scm_dynwind_end ();
  if (record.is_death)
    return scm_vector (scm_cons (text, scm_list_5 (scm_from_uint (record.index), scm_from_uint64 (record.task),
                                                   scm_from_uint (record.attempt), scm_from_uint (record.begun),
                                                   scm_from_bool (record.again))));
  SCM who = scm_from_uint (record.index);

  if (tti_host_is_elsewhere (record.host))
    who = scm_cons (who, tti_guile_from_text (record.host, -1));
  return scm_cons2 (who, scm_from_bool (record.is_error), text);
}

/* (%pool-set-setup! pool held) */
static SCM
pool_set_setup (SCM pool, SCM held)
{
  tti_pool_set_setup (tti_guile_to_pool (pool, "make-pool"), tti_guile_to_held (held, "make-pool"));
  scm_remember_upto_here_2 (pool, held);
  return SCM_UNSPECIFIED;
}

/* (%pool-set-files! pool held) */
static SCM
pool_set_files (SCM pool, SCM held)
{
  tti_pool_set_files (tti_guile_to_pool (pool, "make-pool"), tti_guile_to_held (held, "make-pool"));
  scm_remember_upto_here_2 (pool, held);
  return SCM_UNSPECIFIED;
}

/* (%begin-program!): this is one of Tutti's programs, in which the engine may have more descriptors than the script, and a fault is
 * reported. */
static SCM
begin_program (void)
{
  tti_fd_use_hard_limit ();
  tti_file_faults_report ();
  (void) tti_urgency_wake_soon ();
  return SCM_UNSPECIFIED;
}

/* (%processors) -> #(how many this process can use, how many it may run on, how many the control groups grant, or #f) */
static SCM
processors (void)
{
  guint affinity = 0;
  double quota = 0;
  guint n = tti_processors_count ("/proc", &affinity, &quota);

  return scm_vector (scm_list_3 (scm_from_uint (n), scm_from_uint (affinity), quota > 0 ? scm_from_double (quota) : SCM_BOOL_F));
}

/* (%requirements) -> list of pairs of a requirement's name and what is wrong with it, or #f */
static SCM
requirements (void)
{
  SCM list = SCM_EOL;

  for (guint i = tti_requirements_count (); i-- > 0;)
    {
      GError *error = NULL;
      SCM problem = SCM_BOOL_F;

      if (!tti_requirement_check (i, &error))
        {
          scm_dynwind_begin (0);
          scm_dynwind_unwind_handler ((void (*) (void *)) g_error_free, error, SCM_F_WIND_EXPLICITLY);
          problem = scm_from_utf8_string (error->message);
          scm_dynwind_end ();
        }
      list = scm_acons (scm_from_utf8_string (tti_requirement_name (i)), problem, list);
    }
  return list;
}

/* (%memory-speed) -> bytes a second: first touch and copy of private memory, then of shared memory */
static SCM
memory_speed (void)
{
  TtiMemorySpeed private, shared;
  GError *error = NULL;

  if (!tti_memory_measure (&private, &shared, &error))
    tti_guile_raise ("doctor", error);
  return scm_list_4 (scm_from_double (private.touch), scm_from_double (private.copy), scm_from_double (shared.touch),
                     scm_from_double (shared.copy));
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%make-pool", 9, make_pool },
  { "%pool-close!", 2, pool_close },
  { "%pool-closed?", 1, pool_closed_p },
  { "%pool-quiet?", 1, pool_quiet_p },
  { "%pool-set-setup!", 2, pool_set_setup },
  { "%pool-set-files!", 2, pool_set_files },
  { "%pool-size", 1, pool_size }, { "%pool-shares-memory?", 1, pool_shares_memory },
  { "%pool-add-node!", 2, pool_add_node },
  { "%pool-grow!", 2, pool_grow },
  { "%pool-growth", 1, pool_growth },
  { "%pool-cancel-growth!", 1, pool_cancel_growth },
  { "%pool-shrink!", 2, pool_shrink },
  { "%pool-name", 1, pool_name },
  { "%pool-worker", 2, pool_worker },
  { "%own-peak-memory", 0, own_peak_memory },
  { "%pool-take-output!", 2, pool_take_output },
  { "%pool-read-output!", 1, pool_read_output },
  { "%begin-program!", 0, begin_program },
  { "%forked-copy?", 0, forked_copy_p },
  { "%processors", 0, processors },
  { "%requirements", 0, requirements }, { "%memory-speed", 0, memory_speed },
};

void
tti_guile_init_pool (void)
{
  tti_guile_define_handle_type (&pool_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
  tti_guile_init_exit ();
  tti_guile_init_protect ();
  tti_guile_init_held ();
  tti_guile_init_listen ();
  tti_guile_init_looking ();
  tti_guile_init_board ();
  tti_guile_init_inspect ();
  tti_guile_init_capsule ();
  tti_guile_init_task ();
  tti_guile_init_wait ();
  tti_guile_init_environment ();
  tti_guile_init_signal ();
  tti_guile_init_random ();
  tti_guile_init_base ();
  tti_guile_init_copy ();
  tti_guile_init_script ();
}
