/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives for capsules: what failed tasks were run with (look/capsule.h). */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-name.h"
#include "bindings/guile-pool-private.h"
#include "look/capsule.h"
#include "platform/core-file.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/memory-usage.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "pool/capsules.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* (%set-capsules! bytes names): see tti_engine_set_capsules (). -> #f, or why not */
static SCM
set_capsules (SCM bytes, SCM names)
{
  gsize most = scm_to_size_t (bytes);
  guint n = scm_to_uint (scm_length (names));
  GError *error = NULL;
  TtiEngine *engine = tti_engine_get_default (&error);

  if (engine == NULL)
    tti_guile_raise ("capsule-limit", error);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler ((void (*) (void *)) tti_engine_unref, engine, SCM_F_WIND_EXPLICITLY);
  const char **kept = scm_malloc ((n + 1) * sizeof *kept);

  scm_dynwind_free (kept);
  for (guint i = 0; i < n; i++, names = SCM_CDR (names))
    {
      char *name = scm_to_utf8_string (SCM_CAR (names));

      scm_dynwind_free (name);
      kept[i] = name;
    }
  kept[n] = NULL;
  tti_engine_set_capsules (engine, most, kept);
  scm_dynwind_end ();
  return SCM_UNSPECIFIED;
}

/* (%encapsulate-item! pool task item payload held place name error): ITEM of a map in POOL has failed in the chunk TASK, a number; PAYLOAD
 * is a request for it alone, that needs HELD. NAME: of its procedure, a text or #f. */
static SCM
encapsulate_item (SCM pool, SCM task, SCM item, SCM payload, SCM held, SCM place, SCM name, SCM error)
{
  static const char who[] = "pool-map";
  TtiPool *c_pool = tti_guile_to_pool (pool, who);
  TtiCapsuleSource source = { .task = scm_to_uint64 (task), .item = scm_to_int64 (item), .handler = TTI_HANDLER_SCHEME,
                              .place = scm_to_uint (place), .end = "raised", .request = tti_guile_to_payload (payload, who) };

  for (SCM l = held; scm_is_pair (l); l = SCM_CDR (l))
    tti_guile_to_held (SCM_CAR (l), who);
  scm_dynwind_begin (0);
  if (scm_is_true (name))
    {
      char *c_name = scm_to_utf8_string (name);

      scm_dynwind_free (c_name);
      source.name = c_name;
    }
  char *c_error = scm_to_utf8_string (error);

  scm_dynwind_free (c_error);
  source.error = c_error;
  source.held = g_ptr_array_new ();
  scm_dynwind_unwind_handler ((void (*) (void *)) g_ptr_array_unref, source.held, SCM_F_WIND_EXPLICITLY);
  for (SCM l = held; scm_is_pair (l); l = SCM_CDR (l))
    g_ptr_array_add (source.held, tti_guile_to_held (SCM_CAR (l), who));
  tti_pool_encapsulate_item (c_pool, &source);
  scm_dynwind_end ();
  scm_remember_upto_here_2 (pool, payload);
  scm_remember_upto_here_1 (held);
  return SCM_UNSPECIFIED;
}

static SCM
alist_of_facts (TtiCapsule *capsule)
{
  SCM list = SCM_EOL;
  GHashTableIter iter;
  gpointer key, text;

  g_hash_table_iter_init (&iter, capsule->facts);
  while (g_hash_table_iter_next (&iter, &key, &text))
    list = scm_acons (tti_guile_from_text (key, -1), tti_guile_from_text (text, -1), list);
  return list;
}

/* (%read-capsule file) -> a pair: an alist of texts, and a list of #(kind id payload), the request, of kind request, last; or a text: why
 * it cannot be read */
static SCM
read_capsule (SCM file)
{
  static const char *const kinds[] = { "request", "given", "made" };
  GError *error = NULL;
  SCM parts = SCM_EOL;

  scm_dynwind_begin (0);
  char *c_file = scm_to_locale_string (file);

  scm_dynwind_free (c_file);
  TtiCapsule *capsule = tti_capsule_read (c_file, &error);

  if (capsule == NULL)
    {
      scm_dynwind_unwind_handler ((void (*) (void *)) g_error_free, error, SCM_F_WIND_EXPLICITLY);
      SCM text = tti_guile_from_text (error->message, -1);

      scm_dynwind_end ();
      return text;
    }
  scm_dynwind_unwind_handler ((void (*) (void *)) tti_capsule_free, capsule, SCM_F_WIND_EXPLICITLY);
  for (guint i = capsule->parts->len; i-- > 0;)
    {
      TtiCapsuleItem *item = g_ptr_array_index (capsule->parts, i);
      SCM payload = item->payload != NULL ? tti_guile_from_payload (tti_payload_ref (item->payload)) : SCM_BOOL_F;

      parts = scm_cons (scm_vector (scm_list_3 (scm_from_utf8_symbol (kinds[item->kind]), scm_from_uint64 (item->id), payload)), parts);
    }
  SCM result = scm_cons (alist_of_facts (capsule), parts);

  scm_dynwind_end ();
  return result;
}

/* --- running one ------------------------------------------------------------------------------------------------------------- */

enum { MEMORY_PAUSE_US = 20 * 1000 };

typedef struct
{
  TtiSpawn spawn;
  gint64 most;         /* µs that it may take; 0: for ever */
  gint64 most_memory;  /* bytes of its resident set; 0: no limit */
  gboolean is_late, is_large;
  int status;
  GString *answer;     /* what it has written to descriptor 3 */
  GError *error;
} Run;

/* Read what is in the pipe FD, whose other end is closed or soon will be. */
static void
read_answer (int fd, GString *answer)
{
  char bytes[64];

  for (gssize n; (n = read (fd, bytes, sizeof bytes)) > 0;)
    g_string_append_len (answer, bytes, n);
}

/* Wait until the process has ended, or has exceeded one of its limits. */
static void
await_end (Run *run, pid_t pid, int pidfd)
{
  gint64 end = run->most > 0 ? g_get_monotonic_time () + run->most : -1;

  for (;;)
    {
      gint64 now = g_get_monotonic_time (), until = run->most_memory > 0 ? now + MEMORY_PAUSE_US : end;

      if (tti_fd_wait (pidfd, POLLIN, end >= 0 ? MIN (until, end) : until))
        return;
      run->is_large = run->most_memory > 0 && tti_memory_usage_get_peak (pid) > run->most_memory;
      run->is_late = !run->is_large && end >= 0 && g_get_monotonic_time () >= end;
      if (run->is_large || run->is_late)
        return;
    }
}

static void *
run_outside (void *data)
{
  Run *run = data;
  int pipe[2] = { -1, -1 };
  pid_t pid = -1;

  if (tti_fd_pipe (pipe, &run->error))
    {
      const int fds[] = { 0, 1, 2, pipe[1] };

      run->spawn.fds = fds;
      run->spawn.n_fds = G_N_ELEMENTS (fds);
      pid = tti_spawn (&run->spawn, &run->error);
    }
  tti_fd_clear (&pipe[1]);
  if (pid > 0)
    {
      tti_autofd int pidfd = tti_process_open (pid, NULL);

      if (pidfd >= 0)
        await_end (run, pid, pidfd);
      if (run->is_late || run->is_large)
        kill (pid, SIGKILL);
      while (waitpid (pid, &run->status, 0) < 0 && errno == EINTR)
        ;
      read_answer (pipe[0], run->answer);
    }
  tti_fd_clear (&pipe[0]);
  return NULL;
}

/* A list of texts as an array in the current dynwind. */
static const char **
to_texts (SCM list)
{
  guint n = scm_to_uint (scm_length (list));
  const char **texts = scm_malloc ((n + 1) * sizeof *texts);

  scm_dynwind_free (texts);
  for (guint i = 0; i < n; i++, list = SCM_CDR (list))
    texts[i] = tti_guile_to_name_in_dynwind (SCM_CAR (list), "replay");
  texts[n] = NULL;
  return texts;
}

static SCM
ending_of (const Run *run)
{
  if (run->is_late)
    return scm_list_1 (scm_from_utf8_symbol ("timed-out"));
  if (run->is_large)
    return scm_list_1 (scm_from_utf8_symbol ("memory-limit"));
  if (run->answer->len > 0)
    return scm_cons (scm_from_utf8_symbol ("answer"), tti_guile_from_text (run->answer->str, -1));
  if (WIFSIGNALED (run->status))
    return scm_list_2 (scm_from_utf8_symbol ("signal"), scm_from_int (WTERMSIG (run->status)));
  return scm_list_2 (scm_from_utf8_symbol ("exit"), scm_from_int (WEXITSTATUS (run->status)));
}

/* (%run-capsule argv environment folder time-out-us memory-limit): run a program in FOLDER with the standard descriptors of this process,
 * and wait for it. Limits of 0 are none. -> (answer . text), if it has written that to descriptor 3; (signal n), (exit n); (timed-out) or
 * (memory-limit), whereupon it was killed. */
static SCM
run_capsule (SCM argv, SCM environment, SCM folder, SCM time_out, SCM memory_limit)
{
  Run run = { .most = scm_to_int64 (time_out), .most_memory = scm_to_int64 (memory_limit) };

  scm_dynwind_begin (0);
  const char **c_argv = to_texts (argv);
  int directory = open (tti_guile_to_name_in_dynwind (folder, "replay"), O_PATH | O_DIRECTORY | O_CLOEXEC);

  run.spawn = (TtiSpawn){ .path = c_argv[0], .argv = c_argv, .envp = to_texts (environment), .folder = directory >= 0 ? &directory : NULL };
  run.answer = g_string_new (NULL);
  scm_without_guile (run_outside, &run);
  tti_fd_clear (&directory);
  SCM ending = run.error == NULL ? ending_of (&run) : SCM_BOOL_F;

  g_string_free (run.answer, TRUE);
  scm_dynwind_end ();
  if (run.error != NULL)
    tti_guile_raise ("replay", run.error);
  return ending;
}

/* (%core-pid file) -> the number of the process that FILE is the core of, or #f */
static SCM
core_pid (SCM file)
{
  scm_dynwind_begin (0);
  int pid = tti_core_file_get_pid (tti_guile_to_name_in_dynwind (file, "replay"));

  scm_dynwind_end ();
  return pid > 0 ? scm_from_int (pid) : SCM_BOOL_F;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%set-capsules!", 2, set_capsules },
  { "%encapsulate-item!", 8, encapsulate_item },
  { "%read-capsule", 1, read_capsule },
  { "%run-capsule", 5, run_capsule },
  { "%core-pid", 1, core_pid },
};

void
tti_guile_init_capsule (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
