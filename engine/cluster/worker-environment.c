/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "cluster/worker-environment.h"
#include "cluster/protocol.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "process/start-state.h"
#include "process/termination.h"
#include <fcntl.h>
#include <string.h>

/* What a host says of itself, by the beginnings of names. */
static gboolean
is_of_host (const char *setting)
{
  static const char *const names[] = {
    "SLURM", "PMI", "PMIX_", "HOSTNAME=", "SSH_", "XDG_RUNTIME_DIR=", "XDG_SESSION_", "DBUS_SESSION_BUS_ADDRESS=", "CUDA_VISIBLE_DEVICES=",
    "ROCR_VISIBLE_DEVICES=", "GPU_DEVICE_ORDINAL=", "DISPLAY=", "XAUTHORITY=", TTI_AGENT_VARIABLE "=",
  };

  static const char temporary[] = "TMPDIR=";

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_has_prefix (setting, names[i]))
      return TRUE;
  return g_str_has_prefix (setting, temporary) && !g_file_test (setting + strlen (temporary), G_FILE_TEST_IS_DIR);
}

/* The setting of the state to start with: this process's, with the umask of the SETTING that the script's has. */
static char *
own_start_setting (const char *setting)
{
  g_autoptr (TtiStartState) own = tti_start_state_new ();
  const char *theirs = strstr (setting, "umask:"), *mine = strstr (own->setting, "umask:");

  if (theirs == NULL || mine == NULL)
    return g_strdup (own->setting);
  return g_strdup_printf ("%.*s%.*s%s", (int) (mine - own->setting), own->setting, (int) strcspn (theirs, " "), theirs,
                          mine + strcspn (mine, " "));
}

/* The last N_OWN settings of ENVP are the worker's own, and stay the last. */
static char **
make_environment (char **envp, guint n_own)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) own = g_get_environ ();
  guint n = g_strv_length (envp), n_common = n - MIN (n_own, n);

  for (guint i = 0; i < n_common; i++)
    if (!is_of_host (envp[i]))
      g_strv_builder_add (builder, envp[i]);
  for (guint i = 0; own[i] != NULL; i++)
    if (is_of_host (own[i]))
      g_strv_builder_add (builder, own[i]);
  for (guint i = n_common; i < n; i++)
    {
      g_autofree char *start = g_str_has_prefix (envp[i], TTI_START_SETTING "=") ? own_start_setting (envp[i]) : NULL;

      g_strv_builder_add (builder, start != NULL ? start : envp[i]);
    }
  return g_strv_builder_end (builder);
}

TtiWorkerProgram *
tti_worker_program_new (GBytes *bytes, GError **error)
{
  g_autoptr (TtiWorkerProgram) self = g_new0 (TtiWorkerProgram, 1);
  g_autoptr (GVariant) path = NULL, argv = NULL, envp = NULL, folder = NULL;
  guint32 n_own;

  self->folder = -1;
  if (bytes != NULL)
    self->variant = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (TTI_SAY_SPAWN_TYPE), bytes, FALSE));
  if (self->variant == NULL || !g_variant_is_normal_form (self->variant))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "what came is no program");
      return NULL;
    }
  g_variant_get (self->variant, "(@ay@aay@aayu@aytuut)", &path, &argv, &envp, &n_own, &folder, &self->program.memory_limit,
                 &self->program.n_cpus, &self->program.n_gpus, &self->program.place);
  self->path = g_variant_dup_bytestring (path, NULL);
  self->argv = g_variant_dup_bytestring_array (argv, NULL);
  g_auto (GStrv) theirs = g_variant_dup_bytestring_array (envp, NULL);

  if (self->argv[0] == NULL || n_own > g_strv_length (theirs))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a program without arguments, or with %u settings of its own", n_own);
      return NULL;
    }
  self->envp = make_environment (theirs, n_own);
  self->folder = open (g_variant_get_bytestring (folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
  self->program.program = self->path;
  self->program.argv = (const char *const *) self->argv;
  self->program.envp = (const char *const *) self->envp;
  self->program.n_own = n_own;
  self->program.folder = self->folder >= 0 ? &self->folder : NULL;
  return g_steal_pointer (&self);
}

void
tti_worker_program_free (TtiWorkerProgram *program)
{
  if (program == NULL)
    return;
  g_clear_pointer (&program->variant, g_variant_unref);
  g_free (program->path);
  g_strfreev (program->argv);
  g_strfreev (program->envp);
  tti_fd_clear (&program->folder);
  g_free (program);
}
