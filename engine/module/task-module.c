/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "module/task-module.h"
#include "module/loader.h"
#include "platform/error.h"
#include "process/base-state.h"
#include <dlfcn.h>
#include <string.h>

#define KNOWN_FLAGS ((guint) TUTTI_TASK_FUNCTION_STARTS_NOTHING)

static GHashTable *by_name; /* as tasks name it -> TuttiTaskModule */

static gboolean
module_check (const TuttiTaskModule *module, const char *file, GError **error)
{
  const char *missing = NULL;

  /* The ABI comes first: with another one everything after it may be at another place. */
  if (module->abi != TUTTI_TASK_MODULE_ABI)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "task module '%s' was built for ABI %d, expected %d; build it again with the "
                   "installed tutti/task-module.h", file, module->abi, TUTTI_TASK_MODULE_ABI);
      return FALSE;
    }
  if (module->function_size < sizeof (TuttiTaskFunction))
    missing = "function_size; define it with TUTTI_TASK_MODULE ()";
  else if (module->name == NULL)
    missing = "name";
  else if (module->functions == NULL && module->n_functions > 0)
    missing = "functions";
  if (missing != NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "task module '%s' has no %s", file, missing);
  return missing == NULL;
}

static const TuttiTaskModule *
module_load (const char *name, GError **error)
{
  g_autofree char *file = tti_module_find_file (name, "task", error);

  if (file == NULL)
    return NULL;
  /* State of the process that the module changes while it is loaded remains so for the tasks that use it later. */
  tti_base_keep_begin ();
  void *handle = dlopen (file, RTLD_NOW | RTLD_LOCAL);
  (void) tti_base_keep_end ();
  if (handle == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "task module '%s' cannot be loaded: %s", file, dlerror ());
      return NULL;
    }
  const TuttiTaskModule *module = dlsym (handle, TUTTI_TASK_MODULE_SYMBOL);
  if (module == NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "'%s' is not a task module: it does not export '" TUTTI_TASK_MODULE_SYMBOL "'",
                 file);
  else if (!module_check (module, file, error))
    module = NULL;
  /* Its author may replace a file that was refused, and try again. */
  if (module == NULL)
    dlclose (handle);
  return module;
}

static const TuttiTaskFunction *
module_get_function (const TuttiTaskModule *module, gsize index)
{
  return (gconstpointer) ((const char *) module->functions + index * module->function_size);
}

const TuttiTaskFunction *
tti_task_module_find (const char *name, const char *function, GError **error)
{
  if (by_name == NULL)
    by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const TuttiTaskModule *module = g_hash_table_lookup (by_name, name);
  if (module == NULL)
    {
      module = module_load (name, error);
      if (module == NULL)
        return NULL;
      g_hash_table_insert (by_name, g_strdup (name), (gpointer) module);
    }
  g_autoptr (GString) known = g_string_new (NULL);
  for (gsize i = 0; i < module->n_functions; i++)
    {
      const TuttiTaskFunction *candidate = module_get_function (module, i);

      if ((candidate->flags & ~KNOWN_FLAGS) != 0)
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "task module '%s' has a function with flags 0x%x, of which this version "
                       "of Tutti knows 0x%x: it needs a newer one", name, candidate->flags, KNOWN_FLAGS);
          return NULL;
        }
      if (candidate->name != NULL && candidate->call != NULL && strcmp (candidate->name, function) == 0)
        return candidate;
      g_string_append_printf (known, "%s'%s'", known->len > 0 ? ", " : "", candidate->name != NULL ? candidate->name : "?");
    }
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "task module '%s' ('%s') has no function '%s', only %s", name, module->name,
               function, known->len > 0 ? known->str : "none at all");
  return NULL;
}
