/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti: the program that users run. It tells Guile where the modules of this installation are, and executes Guile, which does the
 * rest in (tutti program main). Commands that need no Guile are answered at once. */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "programs/tutti-installation.h"
#include "programs/tutti-locale.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define DESCRIPTORS 32 /* with fewer, Guile cannot even report an error */
#define EXIT_NO_GUILE 127 /* the status that shells use */

static const char help[]
    = "usage: tutti COMMAND [ARGUMENT...]\n"
      "\n"
      "  run SCRIPT [ARG...]  run a script, which finds (SCRIPT ARG ...) in (command-line), and modules in its folder\n"
      "  run --protect-borrowed SCRIPT [ARG...]\n"
      "                       the same, but end it where it writes to a shared vector that a task can still see\n"
      "  run --listen SCRIPT [ARG...]\n"
      "                       the same, and let `tutti attach' talk to it meanwhile\n"
      "  run --journal FILE SCRIPT [ARG...]\n"
      "                       the same, and write down in FILE what it does\n"
      "  run --page[=PORT] SCRIPT [ARG...]\n"
      "                       the same, and show it on a page for browsers, whose address is written to the standard error\n"
      "  attach [PID]         a REPL in a running job, that of the process PID if several listen\n"
      "  ps [--json]          the jobs that run, a line each\n"
      "  top [PID]            one of them on the whole screen: workers, queue, progress, failures\n"
      "  why TASK [--pid PID] [--journal FILE]\n"
      "                       why that task waits, where it runs, or of what it has died\n"
      "  compile SCRIPT.scm   write SCRIPT.go, which starts faster and needs less memory\n"
      "  repl [-l FILE]...    start a REPL with (tutti) imported and each FILE loaded\n"
      "  replay [--gdb | --here | --core] [--anyway] FILE [TASK]\n"
      "                       run a failed task of the journal FILE again, alone\n"
      "  report FILE [--run N] [--html OUT] [--trace OUT]\n"
      "                       what a run did that the journal FILE has: as text, a page, or a trace for Perfetto\n"
      "  new [--kind KIND] FOLDER\n"
      "                       create a small project to start from: a study, an inversion, or an operator in C\n"
      "  -c EXPRESSION [ARG...]\n"
      "                       evaluate EXPRESSION, with (tutti) imported\n"
      "  doctor [--on LAUNCHER]\n"
      "                       check everything that Tutti needs, and say what to do if something is missing\n"
      "  --help, --version\n"
      "  --env                commands for a shell, eval \"$(tutti --env)\", that let guile, pkg-config and others find this Tutti\n"
      "\n"
      "run, compile and repl take `-L DIR' before all other arguments: DIR has further modules for the script and its workers.\n"
      "run, repl and doctor take `--on LAUNCHER' there: pools have their workers on the machines that it starts,\n"
      "  slurm:nodes=4,partition=short,time=10:00   ssh:host1,user@host2:2222   local\n"
      "\n"
      "Environment variables:\n"
      "  TUTTI_WORKERS        default number of workers of a pool (otherwise the number of processors)\n"
      "  TUTTI_ON             what starts the machines that workers run on, as --on says\n"
      "  TUTTI_PROGRESS_INTERVAL\n"
      "                       seconds between progress lines of a map where there is no terminal (10)\n"
      "  TUTTI_GUILE          the Guile to use instead of the one that Tutti was built for\n"
      "\n"
      "`info tutti' is the manual.\n";

typedef struct
{
  const char *name;
  int min, max;       /* number of arguments; max -1: any */
  const char *syntax;
  gboolean takes_folders; /* -L DIR, before other arguments */
  gboolean takes_files;   /* -l FILE and -q, which Guile has and editors use, before other arguments as well */
  gboolean takes_launcher; /* --on LAUNCHER, likewise */
} Command;

static const Command commands[] = {
  { "run", 1, -1, "tutti run [-L DIR]... [--on LAUNCHER] [--protect-borrowed] [--listen] [--journal FILE] [--page[=PORT]] SCRIPT "
    "[ARG...]",
    TRUE, FALSE, TRUE },
  { "compile", 1, 1, "tutti compile [-L DIR]... SCRIPT", TRUE, FALSE, FALSE },
  { "repl", 0, 0, "tutti repl [-L DIR]... [--on LAUNCHER] [-l FILE]... [-q]", TRUE, TRUE, TRUE },
  { "-c", 1, -1, "tutti -c EXPRESSION [ARG...]", FALSE, FALSE, FALSE },
  { "attach", 0, 1, "tutti attach [PID]", FALSE, FALSE, FALSE },
  { "ps", 0, -1, "tutti ps [--json]", FALSE, FALSE, FALSE },            /* these check their arguments themselves */
  { "top", 0, -1, "tutti top [PID]", FALSE, FALSE, FALSE },
  { "why", 0, -1, "tutti why TASK [--pid PID] [--journal FILE]", FALSE, FALSE, FALSE },
  { "new", 0, -1, "tutti new [--kind KIND] FOLDER", FALSE, FALSE, FALSE },
  { "replay", 0, -1, "tutti replay [--gdb | --here | --core] [--anyway] FILE [TASK]", FALSE, FALSE, FALSE },
  { "report", 0, -1, "tutti report FILE [--run N] [--html OUT] [--trace OUT]", FALSE, FALSE, FALSE },
  { "doctor", 0, 0, "tutti doctor [--on LAUNCHER]", FALSE, FALSE, TRUE },
};

G_GNUC_PRINTF (1, 2) static int
complain (const char *format, ...)
{
  va_list arguments;

  /* Not g_printerr (): show the user's input unchanged, in any encoding. */
  fputs ("tutti: ", stderr);
  va_start (arguments, format);
  vfprintf (stderr, format, arguments);
  va_end (arguments);
  fputs ("\n`tutti --help' tells what there is.\n", stderr);
  return EXIT_USAGE;
}

static const Command *
command_find (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i].name, name) == 0)
      return &commands[i];
  return NULL;
}

/* The number of leading options among the N arguments after the name of COMMAND, which (tutti program main) handles; -1: they are invalid,
 * and an error was printed. */
static int
count_options (const Command *command, int n, char **arguments)
{
  int i = 0;

  for (; i < n; i++)
    if (command->takes_folders && strcmp (arguments[i], "-L") == 0)
      {
        if (i + 1 == n)
          return complain ("-L: the folder is missing; usage: %s", command->syntax), -1;
        if (!g_file_test (arguments[++i], G_FILE_TEST_IS_DIR))
          return complain ("-L: there is no folder `%s'", arguments[i]), -1;
      }
    else if (command->takes_files && strcmp (arguments[i], "-l") == 0)
      {
        if (i + 1 == n)
          return complain ("-l: the file is missing; usage: %s", command->syntax), -1;
        if (access (arguments[++i], R_OK) != 0)
          return complain ("-l: cannot read `%s': %s", arguments[i], strerror (errno)), -1;
      }
    else if (command->takes_launcher && strcmp (arguments[i], "--on") == 0)
      {
        if (++i == n)
          return complain ("--on: the launcher is missing; usage: %s", command->syntax), -1;
      }
    else if (command->takes_files && strcmp (arguments[i], "-q") == 0)
      ; /* the user's init file is never loaded anyway */
    else if (strcmp (command->name, "run") == 0 && strcmp (arguments[i], "--journal") == 0)
      {
        if (++i == n)
          return complain ("--journal: the file is missing; usage: %s", command->syntax), -1;
      }
    else if (strcmp (command->name, "run") != 0
             || (strcmp (arguments[i], "--protect-borrowed") != 0 && strcmp (arguments[i], "--listen") != 0
                 && strcmp (arguments[i], "--page") != 0 && !g_str_has_prefix (arguments[i], "--page=")))
      break;
  return i;
}

/* 0 if there is a command with the right number of arguments, which Guile then executes. Its options precede *SCRIPT. */
static int
check_arguments (int n, char **arguments, char **script)
{
  if (n == 0)
    return complain ("expected a command: run, attach, ps, top, why, replay, report, compile, repl, new or doctor");
  const Command *command = command_find (arguments[0]);
  if (command == NULL)
    return complain ("there is no %s `%s'; expected run, attach, ps, top, why, replay, report, compile, repl, new or doctor",
                     arguments[0][0] == '-' ? "option" : "command", arguments[0]);
  int n_options = count_options (command, n - 1, arguments + 1);
  if (n_options < 0)
    return EXIT_USAGE;
  n -= n_options;
  arguments += n_options;
  *script = n > 1 ? arguments[1] : NULL;
  gboolean takes_script = command->min > 0 && command->name[0] != '-';
  if (n - 1 < command->min)
    return complain ("the %s is missing; usage: %s", takes_script ? "script" : "expression", command->syntax);
  if (command->max >= 0 && n - 1 > command->max)
    return complain ("`%s' is too much; usage: %s", arguments[1 + command->max], command->syntax);
  if (takes_script && arguments[1][0] == '\0')
    return complain ("the script's name is empty; usage: %s", command->syntax);
  if (takes_script && arguments[1][0] == '-')
    return complain ("there is no option `%s'; usage: %s", arguments[1], command->syntax);
  return 0;
}

/* Append to the user's folders, so that an uninstalled tree finds its own parts and not those of this prefix. */
static void
add_to_path (const char *name, const char *directory)
{
  const char *before = g_getenv (name);
  g_auto (GStrv) parts = g_strsplit (before != NULL ? before : "", ":", -1);

  if (g_strv_contains ((const char *const *) parts, directory))
    return;
  g_autofree char *after = before != NULL && *before != '\0' ? g_strconcat (before, ":", directory, NULL) : g_strdup (directory);
  g_setenv (name, after, TRUE);
}

static void
set_environment (void)
{
  /* Results must not depend on the number of cores, and workers and master must not compete for them. */
  static const char *const threads[] = { "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                                         "VECLIB_MAXIMUM_THREADS" };

  add_to_path ("GUILE_LOAD_PATH", TUTTI_SITEDIR);
  add_to_path ("GUILE_LOAD_COMPILED_PATH", TUTTI_SITECCACHEDIR);
  add_to_path ("GUILE_EXTENSIONS_PATH", TUTTI_LIBDIR);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_setenv (threads[i], "1", FALSE);
}

/* Can Guile read the name of the script, if COMMAND takes one, and of the folder with our modules? */
static gboolean
check_names (const Command *command, const char *script)
{
  g_auto (GStrv) folders = g_strsplit (g_getenv ("GUILE_LOAD_PATH"), ":", -1);

  for (char **folder = folders; *folder != NULL; folder++)
    {
      g_autofree char *file = g_build_filename (*folder, "tutti", "program", "main.scm", NULL);

      if (access (file, F_OK) == 0)
        {
          if (!tti_locale_check_name (*folder, "the folder of its modules"))
            return FALSE;
          break;
        }
    }
  return command->min == 0 || command->name[0] == '-' || tti_locale_check_name (script, "the script");
}

/* Become a subreaper, which gets all orphans if guard and watcher are killed at once, and stays one across exec. If that is
 * refused, there are other ways. Only in Tutti's own programs: a host program that loads the library must not get children that it
 * does not know. */
static void
become_subreaper (const char *command)
{
  if (strcmp (command, "run") == 0 || strcmp (command, "repl") == 0 || strcmp (command, "-c") == 0)
    prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* The expression that Guile evaluates. Only Guile knows whether it finds our modules, as it has folders of its own. If it does not,
 * its own message would be one of its compiler. */
static char *
guile_expression (void)
{
  g_autofree char *root = tti_installation_find_root ();
  const char *below = root != NULL ? root : "FOLDER";
  g_autofree char *command = tti_installation_format_command ();
  g_autofree char *all = root != NULL ? g_strdup_printf ("or all at once,\n  %s\n", command) : g_strdup ("");
  g_autofree char *text = g_strdup_printf (
      "tutti: the Guile modules of Tutti are not in " TUTTI_SITEDIR ", for which it was built, nor elsewhere in Guile's load path.\n"
      "%s\n"
      "  export GUILE_LOAD_PATH=%s" TUTTI_SITEDIR "\n  export GUILE_LOAD_COMPILED_PATH=%s" TUTTI_SITECCACHEDIR "\n"
      "  export GUILE_EXTENSIONS_PATH=%s" TUTTI_LIBDIR "\n"
      "and set the others that README.md names for an installation elsewhere;\n"
      "%s"
      "or configure it for where it is: meson setup --prefix ...\n",
      root != NULL ? "They are below another folder: say so," : "If all of it is below another FOLDER, say so,", below, below, below, all);
  g_auto (GStrv) parts = g_strsplit (text, "\\", -1);
  g_autofree char *doubled = g_strjoinv ("\\\\", parts);
  g_auto (GStrv) quoted = g_strsplit (doubled, "\"", -1);
  g_autofree char *literal = g_strjoinv ("\\\"", quoted);

  return g_strconcat ("(cond ((resolve-module '(tutti program main) #t #:ensure #f)"
                      " ((module-ref (resolve-interface '(tutti program main)) 'main)))"
                      " (else (display \"", literal, "\" (current-error-port)) (exit 1)))", NULL);
}

/* What the doctor is told: the command for what other programs are MISSING, an empty text for nothing. */
static char *
doctors_argument (const char *missing)
{
  if (missing == NULL)
    return NULL;
  return *missing == '\0' ? g_strdup ("") : tti_installation_format_command ();
}

/* FURTHER is an argument more, or NULL. Returns only if the program cannot be executed. */
static int
become_guile (int n, char **arguments, char *further)
{
  const char *guile = g_getenv ("TUTTI_GUILE");
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autofree char *expression = guile_expression ();

  if (guile == NULL)
    guile = TUTTI_GUILE;
  g_ptr_array_add (argv, (gpointer) guile);
  g_ptr_array_add (argv, (gpointer) "-c");
  g_ptr_array_add (argv, expression);
  for (int i = 0; i < n; i++)
    g_ptr_array_add (argv, arguments[i]);
  if (further != NULL)
    g_ptr_array_add (argv, further);
  g_ptr_array_add (argv, NULL);
  execvp (guile, (char **) argv->pdata);
  fprintf (stderr, "tutti: cannot start Guile, %s: %s\n"
           "Install Guile 3.0 (Debian: guile-3.0), or say where it is: TUTTI_GUILE=/path/to/guile tutti %s ...\n",
           guile, strerror (errno), arguments[0]);
  return EXIT_NO_GUILE;
}

static int
answer (const char *text)
{
  if (fputs (text, stdout) >= 0 && fflush (stdout) == 0)
    return EXIT_SUCCESS;
  if (errno != EPIPE) /* a reader that has gone needs no explanation */
    fprintf (stderr, "tutti: cannot write to the standard output: %s\n", strerror (errno));
  return EXIT_FAILURE;
}

static int
answer_settings (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *settings = tti_installation_get_settings (&error);

  if (settings != NULL)
    return answer (settings);
  g_printerr ("tutti: %s\n", error->message);
  return EXIT_FAILURE;
}

int
main (int argc, char **argv)
{
  const char *first = argc > 1 ? argv[1] : "";

  if (!tti_fd_open_standard ())
    {
      fprintf (stderr, "tutti: a standard input, output or error is closed, and /dev/null cannot be opened in its place: %s\n",
               strerror (errno));
      return EXIT_FAILURE;
    }
  if (strcmp (first, "--help") == 0 || strcmp (first, "-h") == 0)
    return answer (help);
  if (strcmp (first, "--version") == 0)
    return answer ("tutti " TUTTI_VERSION "\n");
  if (strcmp (first, "--env") == 0)
    return answer_settings ();
  char *script = NULL;
  int status = check_arguments (argc - 1, argv + 1, &script);
  g_autoptr (GError) error = NULL;
  if (status != 0)
    return status;
  if (!tti_fd_check_free (DESCRIPTORS, "Guile", &error))
    {
      g_printerr ("tutti: %s\n", error->message);
      return EXIT_FAILURE;
    }
  /* The doctor looks for what others find without us. */
  g_autofree char *missing = strcmp (first, "doctor") == 0 ? tti_installation_get_settings (NULL) : NULL;
  set_environment ();
  tti_locale_prepare ();
  if (!check_names (command_find (first), script))
    return EXIT_FAILURE;
  become_subreaper (first);
  tti_fd_use_hard_limit ();
  tti_fd_make_room ();
  return become_guile (argc - 1, argv + 1, doctors_argument (missing));
}
