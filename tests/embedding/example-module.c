/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Functions for the tests of the public API: each does one thing that a worker may do. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <tutti/task-module.h>
#include <unistd.h>

static TuttiValue *
nothing (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) arguments;
  (void) n;
  (void) error;
  return tutti_value_new_null ();
}

static TuttiValue *
echo (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  (void) error;
  return tutti_value_ref (arguments[0]);
}

static TuttiValue *
square (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  if (!tutti_value_expect (arguments[0], TUTTI_VALUE_REAL, "what is squared", error))
    return NULL;
  double x = tutti_value_get_real (arguments[0]);
  return tutti_value_new_real (x * x);
}

static TuttiValue *
sum (TuttiValue *const *arguments, gsize n, GError **error)
{
  double total = 0;

  (void) error;
  for (gsize i = 0; i < n; i++)
    total += tutti_value_get_real (arguments[i]);
  return tutti_value_new_real (total);
}

static TuttiValue *
scale (TuttiValue *const *arguments, gsize n, GError **error)
{
  gsize length;
  double *x = tutti_vector_get_doubles (tutti_value_get_vector (arguments[0]), &length), factor = tutti_value_get_real (arguments[1]);
  g_autoptr (TuttiVector) result = tutti_vector_new (length, error);

  (void) n;
  if (result == NULL)
    return NULL;
  double *y = tutti_vector_get_doubles (result, &length);
  for (gsize i = 0; i < length; i++)
    y[i] = factor * x[i];
  return tutti_value_new_vector (result);
}

static TuttiValue *
fail (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no model '%s'", tutti_value_get_text (arguments[0]));
  return NULL;
}

static TuttiValue *
forget (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) arguments;
  (void) n;
  (void) error;
  return NULL;
}

static TuttiValue *
die (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  (void) error;
  fprintf (stderr, "dying of signal %d\n", (int) tutti_value_get_integer (arguments[0]));
  raise ((int) tutti_value_get_integer (arguments[0]));
  return tutti_value_new_null ();
}

/* Dies if the file does not exist, which it makes before. */
static TuttiValue *
die_once (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  (void) error;
  FILE *file = fopen (tutti_value_get_text (arguments[0]), "wx");

  if (file == NULL)
    return tutti_value_new_integer (errno == EEXIST);
  fclose (file);
  raise (SIGKILL);
  return NULL;
}

static TuttiValue *
hang (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) arguments;
  (void) n;
  (void) error;
  while (getpid () != 0)
    pause ();
  return NULL;
}

static TuttiValue *
hang_or_fail (TuttiValue *const *arguments, gsize n, GError **error)
{
  if (strcmp (tutti_value_get_text (arguments[0]), "hang") == 0)
    return hang (arguments, n, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "it was to fail");
  return NULL;
}

static TuttiValue *
say (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) error;
  for (gsize i = 0; i < n; i++)
    fprintf (i % 2 == 0 ? stdout : stderr, "%s\n", tutti_value_get_text (arguments[i]));
  return tutti_value_new_null ();
}

static TuttiValue *
write_argument (TuttiValue *const *arguments, gsize n, GError **error)
{
  gsize length;
  double *x = tutti_vector_get_doubles (tutti_value_get_vector (arguments[0]), &length);

  (void) n;
  (void) error;
  x[0] = 1;
  return tutti_value_new_null ();
}

/* The first N numbers 0, 1, 2 and so on. */
static TuttiValue *
count (TuttiValue *const *arguments, gsize n, GError **error)
{
  gsize length = (gsize) tutti_value_get_integer (arguments[0]);
  g_autoptr (TuttiVector) result = tutti_vector_new (length, error);

  (void) n;
  if (result == NULL)
    return NULL;
  double *y = tutti_vector_get_doubles (result, &length);
  for (gsize i = 0; i < length; i++)
    y[i] = (double) i;
  return tutti_value_new_vector (result);
}

/* Has so many bytes of memory, for ever. */
static TuttiValue *
allocate (TuttiValue *const *arguments, gsize n, GError **error)
{
  gsize size = (gsize) tutti_value_get_integer (arguments[0]);
  char *memory = g_malloc (size);

  for (gsize i = 0; i < size; i += 1024)
    memory[i] = (char) i;
  g_assert (memory[0] == 0);
  return hang (arguments, n, error);
}

/* A line in Latin-1. */
static TuttiValue *
say_bytes (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) arguments;
  (void) n;
  (void) error;
  puts ("caf\xe9");
  return tutti_value_new_null ();
}

/* The setting of a name in the environment, or no value. */
static TuttiValue *
setting (TuttiValue *const *arguments, gsize n, GError **error)
{
  const char *text = getenv (tutti_value_get_text (arguments[0]));

  (void) n;
  (void) error;
  return text != NULL ? tutti_value_new_text (text) : tutti_value_new_null ();
}

/* Makes the file, and waits until it is gone. */
static TuttiValue *
meet (TuttiValue *const *arguments, gsize n, GError **error)
{
  const char *name = tutti_value_get_text (arguments[0]);

  (void) n;
  if (!g_file_set_contents (name, "", 0, error))
    return NULL;
  while (g_file_test (name, G_FILE_TEST_EXISTS))
    g_usleep (1000);
  return tutti_value_new_integer (getpid ());
}

/* Computes for so many microseconds of the processor's time. */
static TuttiValue *
compute (TuttiValue *const *arguments, gsize n, GError **error)
{
  const double seconds = 1e-6 * (double) tutti_value_get_integer (arguments[0]);
  volatile double x = 1;
  clock_t start = clock ();

  (void) n;
  (void) error;
  do
    for (int i = 0; i < 1000; i++)
      x = x * 1.0000001 + 1e-9;
  while ((double) (clock () - start) / CLOCKS_PER_SEC < seconds);
  return tutti_value_new_real (x);
}

/* Where there is a file wait-NAME, makes of it a file here-NAME with its process id, and waits for ever: the first that comes. */
static void
pass (const char *folder, const char *name)
{
  g_autofree char *wait = g_strconcat (folder, "/wait-", name, NULL), *here = g_strconcat (folder, "/here-", name, NULL);
  g_autofree char *pid = g_strdup_printf ("%d", (int) getpid ()), *own = g_strconcat (folder, "/own-", pid, NULL);

  if (rename (wait, own) != 0 || !g_file_set_contents (own, pid, -1, NULL) || rename (own, here) != 0)
    return;
  while (getpid () != 0)
    pause ();
}

static TuttiValue *
gate (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  (void) error;
  pass (tutti_value_get_text (arguments[0]), "call");
  return tutti_value_new_null ();
}

/* The same, which is not to be ended by being asked. */
static TuttiValue *
stubborn (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  (void) error;
  signal (SIGTERM, SIG_IGN);
  pass (tutti_value_get_text (arguments[0]), "stubborn");
  return tutti_value_new_null ();
}

static TuttiValue *
who (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) arguments;
  (void) n;
  (void) error;
  return tutti_value_new_list_take (tutti_value_new_integer (getpid ()),
                                    tutti_value_new_boolean (getenv ("OPENBLAS_NUM_THREADS") != NULL
                                                             && strcmp (getenv ("OPENBLAS_NUM_THREADS"), "1") == 0), NULL);
}

/* Leaves a process behind, and returns its number. */
static TuttiValue *
leave (TuttiValue *const *arguments, gsize n, GError **error)
{
  int pid = 0;
  FILE *shell = popen ("sleep 1000 > /dev/null 2>&1 & echo $!", "r");

  (void) arguments;
  (void) n;
  if (shell == NULL || fscanf (shell, "%d", &pid) != 1)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "there is no shell");
  if (shell != NULL)
    pclose (shell);
  return pid != 0 ? tutti_value_new_integer (pid) : NULL;
}

/* The folder, a setting and the mask of files of the process as this function finds them; then it changes them. */
static TuttiValue *
change (TuttiValue *const *arguments, gsize n, GError **error)
{
  g_autofree char *folder = g_get_current_dir ();
  const char *setting = getenv ("TUTTI_TEST_SETTING");
  mode_t mask = umask (0777);

  (void) arguments;
  (void) n;
  TuttiValue *list = tutti_value_new_list_take (tutti_value_new_text (folder), tutti_value_new_text (setting != NULL ? setting : ""),
                                                tutti_value_new_integer (mask), NULL);
  if (chdir ("/") != 0 || setenv ("TUTTI_TEST_SETTING", "changed", TRUE) != 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "nothing can be changed");
  return list;
}

static const TuttiTaskFunction functions[] = {
  { .name = "nothing", .n_arguments = 0, .call = nothing, .flags = TUTTI_TASK_FUNCTION_STARTS_NOTHING },
  { .name = "echo", .n_arguments = 1, .call = echo, .flags = TUTTI_TASK_FUNCTION_STARTS_NOTHING },
  { .name = "square", .n_arguments = 1, .call = square },     { .name = "sum", .n_arguments = -1, .call = sum },
  { .name = "scale", .n_arguments = 2, .call = scale },       { .name = "fail", .n_arguments = 1, .call = fail },
  { .name = "forget", .n_arguments = 0, .call = forget },     { .name = "die", .n_arguments = 1, .call = die },
  { .name = "die-once", .n_arguments = 1, .call = die_once }, { .name = "hang", .n_arguments = 0, .call = hang },
  { .name = "say", .n_arguments = -1, .call = say },          { .name = "write-argument", .n_arguments = 1, .call = write_argument },
  { .name = "who", .n_arguments = 0, .call = who },           { .name = "count", .n_arguments = 1, .call = count },
  { .name = "allocate", .n_arguments = 1, .call = allocate }, { .name = "setting", .n_arguments = 1, .call = setting },
  { .name = "meet", .n_arguments = 1, .call = meet },         { .name = "hang-or-fail", .n_arguments = 1, .call = hang_or_fail },
  { .name = "gate", .n_arguments = 1, .call = gate },         { .name = "stubborn", .n_arguments = 1, .call = stubborn },
  { .name = "compute", .n_arguments = 1, .call = compute },
  { .name = "say-bytes", .n_arguments = 0, .call = say_bytes },
  { .name = "leave", .n_arguments = 0, .call = leave },       { .name = "change", .n_arguments = 0, .call = change },
};

TUTTI_TASK_MODULE (.name = "example", .functions = functions, .n_functions = G_N_ELEMENTS (functions));
