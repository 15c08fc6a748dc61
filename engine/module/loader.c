/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Finding, loading and checking operator modules. */
#include "module/loader.h"
#include "module/operator-abi-1.h"
#include "module/supplied.h"
#include "platform/error.h"
#include "platform/host-name.h"
#include "process/base-state.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct _TtiModule
{
  char *file;
  const TuttiOperatorModule *contents; /* in the structures of the present version */
};

static GMutex lock;         /* two threads that open the same file must get the same module */
static GHashTable *modules; /* file -> TtiModule */

static gboolean
is_file_name (const char *file_or_name)
{
  return strchr (file_or_name, '/') != NULL || g_str_has_suffix (file_or_name, ".so");
}

/* FOLDERS are searched in order; the files that were tried are added to TRIED. */
static char *
find_in_folders (const char *folders, const char *name, GString *tried)
{
  g_auto (GStrv) list = g_strsplit (folders, ":", -1);
  g_autofree char *base = g_strconcat (name, ".so", NULL);

  for (char **folder = list; *folder != NULL; folder++)
    {
      if (**folder == '\0')
        continue;
      g_autofree char *candidate = g_build_filename (*folder, base, NULL);
      if (g_file_test (candidate, G_FILE_TEST_EXISTS))
        return g_steal_pointer (&candidate);
      g_string_append_printf (tried, "%s%s", tried->len > 0 ? ", " : "", candidate);
    }
  return NULL;
}

static char *
find_by_name (const char *name, const char *what, GError **error)
{
  g_autoptr (GString) tried = g_string_new (NULL);
  const char *chosen = g_getenv ("TUTTI_MODULEDIR");
  char *file = NULL;

  if (chosen != NULL)
    file = find_in_folders (chosen, name, tried);
  if (file == NULL)
    file = find_in_folders (TUTTI_MODULEDIR, name, tried);
  if (file == NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE,
                 "%s module '%s' was not found; looked for %s; set TUTTI_MODULEDIR to its folder, or give the file's name",
                 what, name, tried->str);
  return file;
}

char *
tti_module_find_file (const char *file_or_name, const char *what, GError **error)
{
  g_autofree char *file = is_file_name (file_or_name) ? g_strdup (file_or_name) : find_by_name (file_or_name, what, error);

  if (file == NULL)
    return NULL;
  if (tti_module_is_supplied (file))
    return g_steal_pointer (&file);
  /* realpath() allocates with malloc(), which is what g_free() frees in every GLib that we accept. */
  char *real = realpath (file, NULL);
  if (real == NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "%s module file '%s': %s", what, file, g_strerror (errno));
  return real;
}

char *
tti_module_find_file_for (const char *file_or_name, const char *folder, const char *const *environment)
{
  g_autoptr (GString) tried = g_string_new (NULL);
  const char *chosen = g_environ_getenv ((char **) environment, "TUTTI_MODULEDIR");
  g_autofree char *file = NULL;

  if (is_file_name (file_or_name))
    file = g_canonicalize_filename (file_or_name, folder);
  else if (chosen != NULL)
    file = find_in_folders (chosen, file_or_name, tried);
  if (file == NULL)
    file = find_in_folders (TUTTI_MODULEDIR, file_or_name, tried);
  return file != NULL ? realpath (file, NULL) : NULL;
}

static gboolean
class_check_functions (const TuttiOperatorClass *class, const char *file, size_t number, GError **error)
{
  const char *missing = class->name == NULL              ? "name"
                        : class->create == NULL          ? "create"
                        : class->destroy == NULL         ? "destroy"
                        : class->evaluate == NULL        ? "evaluate"
                        : class->linearize == NULL       ? "linearize"
                        : class->derivative == NULL      ? "derivative"
                        : class->adjoint == NULL         ? "adjoint"
                        : class->derivative_free == NULL ? "derivative_free"
                                                         : NULL;

  if (missing != NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "operator module '%s': class %zu ('%s') has no '%s'", file, number,
                 class->name != NULL ? class->name : "?", missing);
  return missing == NULL;
}

static gboolean
class_check_parameters (const TuttiOperatorClass *class, const char *file, size_t number, GError **error)
{
  for (const char *const *name = class->text_parameters; name != NULL && *name != NULL; name++)
    if (tti_class_has_numbers (class, *name))
      {
        g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE,
                     "operator module '%s': class %zu ('%s') has '%s' among its parameters and its text_parameters, expected one of "
                     "them",
                     file, number, class->name, *name);
        return FALSE;
      }
  return TRUE;
}

/* What a later version has made of a reserved field is not known here, and not to be passed over. */
static gboolean
reserved_check (const void *const *reserved, size_t n, const char *of, const char *file, GError **error)
{
  for (size_t i = 0; i < n; i++)
    if (reserved[i] != NULL)
      {
        g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE,
                     "operator module '%s': %s has the reserved field %zu set, expected NULL: it needs a newer Tutti; install that, "
                     "or build the module again with the installed tutti/operator.h",
                     file, of, i);
        return FALSE;
      }
  return TRUE;
}

static gboolean
class_check (const TuttiOperatorClass *class, const char *file, size_t number, GError **error)
{
  if (!class_check_functions (class, file, number, error) || !class_check_parameters (class, file, number, error))
    return FALSE;
  g_autofree char *of = g_strdup_printf ("class %zu ('%s')", number, class->name);
  return reserved_check (class->reserved, G_N_ELEMENTS (class->reserved), of, file, error);
}

/* That CONTENTS are of a version that is known here, and whatever all of these have at the same place. */
static gboolean
contents_check (const TuttiOperatorModule *contents, const char *file, GError **error)
{
  /* The number comes first: in another version everything after it may be at another place. */
  if (contents->abi < 1 || contents->abi > TUTTI_OPERATOR_ABI)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE,
                   "operator module '%s' was built for ABI %d, expected 1 or %d; %sbuild it again with the installed "
                   "tutti/operator.h",
                   file, contents->abi, TUTTI_OPERATOR_ABI, contents->abi > TUTTI_OPERATOR_ABI ? "install a newer Tutti, or " : "");
      return FALSE;
    }
  if (contents->name == NULL || (contents->classes == NULL && contents->n_classes > 0))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "operator module '%s' has no '%s'", file,
                   contents->name == NULL ? "name" : "classes");
      return FALSE;
    }
  return contents->abi == 1 || reserved_check (contents->reserved, G_N_ELEMENTS (contents->reserved), "it", file, error);
}

TtiModule *
tti_module_adopt (const char *name, const TuttiOperatorModule *contents, GError **error)
{
  g_return_val_if_fail (name != NULL && contents != NULL, NULL);

  if (!contents_check (contents, name, error))
    return NULL;
  g_autofree TuttiOperatorModule *adapted = contents->abi == 1 ? tti_abi_1_adapt (contents) : NULL;
  const TuttiOperatorModule *present = adapted != NULL ? adapted : contents;
  for (size_t i = 0; i < present->n_classes; i++)
    if (!class_check (&present->classes[i], name, i, error))
      return NULL;
  TtiModule *module = g_new0 (TtiModule, 1);
  module->file = g_strdup (name);
  module->contents = adapted != NULL ? g_steal_pointer (&adapted) : contents;
  return module;
}

/* What one machine makes of the loader's words: it has no FILE, and knows nothing of PATH, which it was loaded from. */
static void
set_load_error (GError **error, const char *file, const char *path, const char *words)
{
  const char *reason = g_str_has_prefix (words, path) ? words + strlen (path) : words;

  if (g_str_equal (file, path))
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "operator module '%s' cannot be loaded: %s", file, words);
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE,
                 "operator module '%s', which was sent here, cannot be loaded on %s: %s; was it built for such a machine?", file,
                 tti_host_name (), reason + strspn (reason, ": "));
}

static TtiModule *
load (const char *file, GError **error)
{
  g_autofree char *path = tti_module_is_supplied (file) ? tti_supplied_get_path (file, error) : g_strdup (file);

  if (path == NULL)
    return NULL;
  /* State of the process that the module changes while it is loaded remains so for the tasks that use it later. */
  tti_base_keep_begin ();
  void *handle = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  (void) tti_base_keep_end ();

  if (handle == NULL)
    {
      set_load_error (error, file, path, dlerror ());
      return NULL;
    }
  TtiModule *module = NULL;
  const TuttiOperatorModule *contents = dlsym (handle, TUTTI_OPERATOR_MODULE_SYMBOL);
  if (contents != NULL)
    module = tti_module_adopt (file, contents, error);
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE,
                 "'%s' is not an operator module: it does not export '" TUTTI_OPERATOR_MODULE_SYMBOL "'", file);
  /* A refused file is not in use, and its author may replace it and try again. */
  if (module == NULL)
    dlclose (handle);
  return module;
}

TtiModule *
tti_module_open (const char *file_or_name, GError **error)
{
  g_return_val_if_fail (file_or_name != NULL, NULL);

  g_autofree char *file = tti_module_find_file (file_or_name, "operator", error);
  if (file == NULL)
    return NULL;

  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  if (modules == NULL)
    modules = g_hash_table_new (g_str_hash, g_str_equal);
  TtiModule *module = g_hash_table_lookup (modules, file);
  if (module == NULL && (module = load (file, error)) != NULL)
    g_hash_table_insert (modules, module->file, module);
  return module;
}

const char *
tti_module_get_file (TtiModule *module)
{
  g_return_val_if_fail (module != NULL, NULL);
  return module->file;
}

const TuttiOperatorModule *
tti_module_get_contents (TtiModule *module)
{
  g_return_val_if_fail (module != NULL, NULL);
  return module->contents;
}

const TuttiOperatorClass *
tti_module_find_class (TtiModule *module, const char *name, GError **error)
{
  g_return_val_if_fail (module != NULL && name != NULL, NULL);

  const TuttiOperatorModule *contents = module->contents;
  g_autoptr (GString) known = g_string_new (NULL);
  for (size_t i = 0; i < contents->n_classes; i++)
    {
      if (strcmp (contents->classes[i].name, name) == 0)
        return &contents->classes[i];
      g_string_append_printf (known, "%s'%s'", i > 0 ? ", " : "", contents->classes[i].name);
    }
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "operator module '%s' has no class '%s', only %s", contents->name, name,
               contents->n_classes > 0 ? known->str : "none at all");
  return NULL;
}

static gboolean
is_listed (const char *const *list, const char *name)
{
  return list != NULL && g_strv_contains (list, name);
}

gboolean
tti_class_has_numbers (const TuttiOperatorClass *class, const char *name)
{
  g_return_val_if_fail (class != NULL && name != NULL, FALSE);
  return is_listed (class->parameters, name);
}

gboolean
tti_class_has_text (const TuttiOperatorClass *class, const char *name)
{
  g_return_val_if_fail (class != NULL && name != NULL, FALSE);
  return is_listed (class->text_parameters, name);
}

void *
tti_module_create (TtiModule *module, const TuttiOperatorClass *class, const TuttiOperatorParameter *parameters, size_t n,
                   size_t *domain, size_t *codomain, char *error)
{
  g_return_val_if_fail (module != NULL && class != NULL, NULL);

  if (module->contents->abi == 1)
    return tti_abi_1_create (module->contents, class, parameters, n, domain, codomain, error);
  return class->create (parameters, n, domain, codomain, error);
}
