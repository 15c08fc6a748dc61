/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "programs/tutti-installation.h"
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

/* A folder of the installation, and the variable by which others find it. */
typedef struct
{
  const char *variable;
  const char *folder;
  char **(*where) (void); /* where its readers look, whatever the variable says; NULL: only where that says */
  gboolean if_moved;      /* if it is where it was configured to be, ours find it without the variable */
  gboolean single;        /* the variable has one folder, not a list */
  const char *library;    /* what it is needed for: without it nobody looks there; NULL: the folder itself */
} Setting;

static char *
executable (void)
{
  return g_file_read_link ("/proc/self/exe", NULL);
}

char *
tti_installation_find_root (void)
{
  g_autofree char *program = executable ();

  while (program != NULL && strcmp (program, "/") != 0 && strcmp (program, ".") != 0)
    {
      char *folder = g_path_get_dirname (program);
      g_autofree char *file = g_strconcat (folder, TUTTI_SITEDIR "/tutti/program/main.scm", NULL);

      g_free (program);
      program = folder;
      if (strcmp (program, "/") != 0 && access (file, F_OK) == 0)
        return g_steal_pointer (&program);
    }
  return NULL;
}

/* The standard output of a command, or an empty text if it cannot be run. */
static char *
output_of (const char *const *argv)
{
  g_autofree char *output = NULL;

  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL, NULL,
                     NULL)
      || output == NULL)
    return g_strdup ("");
  return g_steal_pointer (&output);
}

static char **
where_programs_are (void)
{
  return g_strsplit (g_getenv ("PATH") != NULL ? g_getenv ("PATH") : "", ":", -1);
}

static char **
guile_folders (const char *list)
{
  g_autofree char *expression = g_strdup_printf ("(for-each (lambda (folder) (display folder) (newline)) %s)", list);
  const char *guile = g_getenv ("TUTTI_GUILE");
  const char *const argv[] = { guile != NULL ? guile : TUTTI_GUILE, "--no-auto-compile", "-q", "-c", expression, NULL };
  g_autofree char *output = output_of (argv);

  return g_strsplit (output, "\n", -1);
}

static char **
where_modules_are (void)
{
  return guile_folders ("%load-path");
}

static char **
where_bytecode_is (void)
{
  return guile_folders ("%load-compiled-path");
}

static char **
where_pkg_config_looks (void)
{
  static const char *const argv[] = { "pkg-config", "--variable=pc_path", "pkg-config", NULL };
  g_autofree char *output = output_of (argv);

  return g_strsplit (g_strstrip (output), ":", -1);
}

/* The libraries of which the dynamic linker knows, in the order of its cache: so one that was installed since the last ldconfig is not
 * among them. */
static char **
where_libraries_are (void)
{
  static const char *const argv[] = { "ldconfig", "-p", NULL };
  static const char *const elsewhere[] = { "/sbin/ldconfig", "-p", NULL }; /* not in every user's PATH */
  g_autofree char *found = g_find_program_in_path ("ldconfig");
  g_autofree char *output = output_of (found != NULL ? argv : elsewhere);
  g_auto (GStrv) lines = g_strsplit (output, "\n", -1);
  g_autoptr (GPtrArray) files = g_ptr_array_new ();

  for (char **line = lines; *line != NULL; line++)
    {
      const char *arrow = strstr (*line, " => ");

      if (arrow != NULL)
        g_ptr_array_add (files, g_strdup (arrow + 4));
    }
  g_ptr_array_add (files, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&files), FALSE);
}

/* Libraries for introspection look in their own folder, and below /usr/lib. */
static char **
where_typelibs_are (void)
{
  g_auto (GStrv) libraries = where_libraries_are ();
  g_autoptr (GPtrArray) folders = g_ptr_array_new ();

  g_ptr_array_add (folders, g_strdup ("/usr/lib/girepository-1.0"));
  for (char **library = libraries; *library != NULL; library++)
    if (strstr (*library, "/libgirepository-") != NULL)
      {
        g_autofree char *folder = g_path_get_dirname (*library);

        g_ptr_array_add (folders, g_build_filename (folder, "girepository-1.0", NULL));
      }
  g_ptr_array_add (folders, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&folders), FALSE);
}

/* man and info look beside the folders of PATH. */
static const Setting settings[] = {
  { "PATH", TUTTI_BINDIR, where_programs_are, FALSE, FALSE, NULL },
  { "GUILE_LOAD_PATH", TUTTI_SITEDIR, where_modules_are, FALSE, FALSE, NULL },
  { "GUILE_LOAD_COMPILED_PATH", TUTTI_SITECCACHEDIR, where_bytecode_is, FALSE, FALSE, NULL },
  { "GUILE_EXTENSIONS_PATH", TUTTI_LIBDIR, NULL, TRUE, FALSE, NULL },
  { "TUTTI_LIBEXECDIR", TUTTI_LIBEXECDIR, NULL, TRUE, TRUE, NULL },
  { "TUTTI_MODULEDIR", TUTTI_MODULEDIR, NULL, TRUE, TRUE, NULL },
  { "LD_LIBRARY_PATH", TUTTI_LIBDIR, where_libraries_are, FALSE, FALSE, "libtutti.so.0" },
  { "PKG_CONFIG_PATH", TUTTI_LIBDIR "/pkgconfig", where_pkg_config_looks, FALSE, FALSE, NULL },
  { "GI_TYPELIB_PATH", TUTTI_LIBDIR "/girepository-1.0", where_typelibs_are, FALSE, FALSE, NULL },
};

static gboolean
is_same (const char *a, const char *b)
{
  g_autofree char *real_a = realpath (a, NULL);
  g_autofree char *real_b = realpath (b, NULL);

  return real_a != NULL && real_b != NULL && strcmp (real_a, real_b) == 0;
}

static gboolean
is_among (const char *file, char **files)
{
  for (; files != NULL && *files != NULL; files++)
    if (is_same (file, *files))
      return TRUE;
  return FALSE;
}

static gboolean
is_found (const Setting *setting, const char *folder)
{
  g_autofree char *wanted = setting->library != NULL ? g_build_filename (folder, setting->library, NULL) : g_strdup (folder);
  const char *value = g_getenv (setting->variable);
  g_auto (GStrv) named = g_strsplit (value != NULL ? value : "", ":", -1);

  if (access (wanted, F_OK) != 0 || is_among (folder, named))
    return TRUE;
  g_auto (GStrv) known = setting->where != NULL ? setting->where () : NULL;
  return is_among (wanted, known);
}

/* The folder in front of those that are named already. */
static char *
setting_format (const Setting *setting, const char *folder)
{
  const char *value = g_getenv (setting->variable);
  gboolean kept = !setting->single && value != NULL && *value != '\0';
  g_autofree char *text = kept ? g_strconcat (folder, ":", value, NULL) : g_strdup (folder);
  g_autofree char *quoted = g_shell_quote (text);

  return g_strdup_printf ("export %s=%s\n", setting->variable, quoted);
}

char *
tti_installation_get_settings (GError **error)
{
  g_autofree char *program = executable ();
  g_autofree char *root = tti_installation_find_root ();

  if (root == NULL && (program == NULL || !is_same (program, TUTTI_BINDIR "/tutti")))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                   "%s belongs to no installation: it is not in " TUTTI_BINDIR ", for which it was built, nor is there such a folder with "
                   "all that belongs to it elsewhere. In the tree that it was built in, `meson devenv -C BUILD-FOLDER' sets what is needed",
                   program != NULL ? program : "tutti");
      return NULL;
    }

  g_autoptr (GString) text = g_string_new (NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (settings); i++)
    {
      g_autofree char *folder = g_strconcat (root != NULL ? root : "", settings[i].folder, NULL);

      if ((settings[i].if_moved && root == NULL) || is_found (&settings[i], folder))
        continue;
      g_autofree char *line = setting_format (&settings[i], folder);
      g_string_append (text, line);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
tti_installation_format_command (void)
{
  g_autofree char *program = executable ();
  g_autofree char *quoted = g_shell_quote (program != NULL ? program : "tutti");
  gboolean plain = program != NULL && strspn (program, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/._-") == strlen (program);

  /* Most names need no quotes, and are easier to read without. */
  return g_strdup_printf ("eval \"$(%s --env)\"", plain ? program : quoted);
}
