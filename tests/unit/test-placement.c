/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The account of a node: what its workers are given of a machine that is files in a folder. */
#include "node/placement.h"
#include "platform/cpu-set.h"
#include "platform/error.h"
#include "process/start-state.h"
#include <string.h>

static char *folder;
static TtiPlacement *placement;

static void
put (const char *text, const char *path)
{
  g_autofree char *file = g_build_filename (folder, path, NULL), *directory = g_path_get_dirname (file);

  g_assert_cmpint (g_mkdir_with_parents (directory, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
}

/* Eight processors, of which workers may run on 0 to 5; two NUMA nodes. */
static void
set_up (void)
{
  folder = g_dir_make_tmp ("tutti-placement-XXXXXX", NULL);
  placement = tti_placement_new (folder);
  put ("0-3\n", "sys/devices/system/node/node0/cpulist");
  put ("4-7\n", "sys/devices/system/node/node1/cpulist");
}

static void
tear_down (void)
{
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", folder);

  g_clear_pointer (&placement, tti_placement_free);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_clear_pointer (&folder, g_free);
}

static const char *const no_arguments[] = { "worker", NULL };
/* The last three are a worker's own. 3f000000…: processors 0 to 5. */
static const char *const settings[] = { "HOME=/", "CUDA_VISIBLE_DEVICES=0,1,2,3", "TUTTI_START=umask:22 processors:3f00000000000000 nice:0 "
                                        "folder:/a b:c", "TUTTI_GENERATION=1", "TUTTI_WORKER_INDEX=0", NULL };

static TtiNodeProgram
program_of (guint n_cpus, guint n_gpus, guint64 place)
{
  return (TtiNodeProgram){ .program = "/bin/true", .argv = no_arguments, .envp = settings, .n_own = 3, .n_cpus = n_cpus,
                           .n_gpus = n_gpus, .place = place };
}

static void
assert_refused (GError *error, const char *words)
{
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
  g_error_free (error);
}

/* Worker GENERATION of PLACE is given CPUS and GPUS ("": none). */
static void
assert_given (guint n_cpus, guint n_gpus, guint64 place, guint64 generation, const char *cpus, const char *gpus)
{
  const TtiNodeProgram program = program_of (n_cpus, n_gpus, place);
  g_auto (TtiPlacedProgram) placed = { 0 };
  g_autoptr (GError) error = NULL;

  tti_placement_take (placement, generation, &program, &placed, &error);
  g_assert_no_error (error);
  g_autoptr (GArray) set = tti_placement_get_cpus (placement, generation);
  g_autofree char *text = set != NULL ? tti_cpus_format (set) : g_strdup ("");
  const char *names = tti_placement_get_gpus (placement, generation);

  g_assert_cmpstr (text, ==, cpus);
  g_assert_cmpstr (names != NULL ? names : "", ==, gpus);
}

static void
assert_not_given (guint n_cpus, guint n_gpus, guint64 place, const char *words)
{
  const TtiNodeProgram program = program_of (n_cpus, n_gpus, place);
  g_auto (TtiPlacedProgram) placed = { 0 };
  GError *error = NULL;

  g_assert_false (tti_placement_take (placement, 1000, &program, &placed, &error));
  assert_refused (error, words);
}

static void
test_gives (void)
{
  assert_given (2, 1, 1, 10, "0-1", "0");
  assert_given (2, 1, 2, 11, "4-5", "1");
  assert_given (2, 0, 3, 12, "2-3", "");
  assert_given (0, 2, 4, 13, "", "2,3");
  /* Somebody else has what was asked for. */
  assert_not_given (1, 1, 5, "a worker needs 1 GPU, and there are 4 (0,1,2,3), of which other workers have 4");
  /* Of processors there need only be so many. */
  assert_given (6, 0, 6, 14, "0-5", "");
  assert_not_given (7, 0, 7, "a worker needs 7 processors, and there are 6 on which workers may run (0-5)");
  g_assert_null (tti_placement_get_cpus (placement, 99));
  g_assert_null (tti_placement_get_gpus (placement, 99));
}

/* A place keeps what it has from one worker to the next, and gives it back when it is left. */
static void
test_keeps (void)
{
  assert_given (2, 1, 1, 10, "0-1", "0");
  assert_given (2, 3, 2, 11, "4-5", "1,2,3");
  assert_given (2, 1, 1, 12, "0-1", "0");
  assert_not_given (1, 1, 3, "of which other workers have 4");
  tti_placement_leave (placement, 1);
  tti_placement_leave (placement, 1);
  tti_placement_leave (placement, 1234);
  assert_given (1, 1, 3, 14, "0", "0");
  tti_placement_leave (placement, 2);
  assert_given (1, 2, 4, 15, "4", "1,2");
}

/* What the program is told, with a template's part and without. */
static void
test_tells (void)
{
  TtiNodeProgram program = program_of (2, 2, 1);

  for (guint pass = 0; pass < 2; pass++)
    {
      g_auto (TtiPlacedProgram) placed = { 0 };
      g_autoptr (GError) error = NULL;

      g_assert_true (tti_placement_take (placement, 10, &program, &placed, &error));
      g_assert_no_error (error);
      g_autofree char *text = g_strjoinv ("|", placed.envp);
      g_assert_cmpstr (text, ==,
                       "HOME=/|TUTTI_GENERATION=1|TUTTI_WORKER_INDEX=0|"
                       "TUTTI_START=umask:22 processors:0300000000000000 nice:0 folder:/a b:c|CUDA_VISIBLE_DEVICES=0,1");
      g_assert_true (placed.program.envp == (const char *const *) placed.envp);
      /* The variable that a template's part had is the worker's own now. */
      g_assert_cmpuint (placed.program.n_own, ==, pass == 0 ? 4 : 0);
      program.n_own = 0;
    }
  g_auto (TtiPlacedProgram) untouched = { 0 };

  program = program_of (1, 0, 2);
  g_assert_true (tti_placement_take (placement, 11, &program, &untouched, NULL));
  g_autofree char *text = g_strjoinv ("|", untouched.envp);
  g_assert_nonnull (strstr (text, "HOME=/|CUDA_VISIBLE_DEVICES=0,1,2,3|"));
  g_assert_cmpuint (untouched.program.n_own, ==, 3);
}

static void
test_has_room (void)
{
  TtiNodeProgram program = program_of (2, 1, 0);
  GError *error = NULL;

  g_assert_true (tti_placement_has_room (placement, &program, 3, &error));
  g_assert_false (tti_placement_has_room (placement, &program, 4, &error));
  assert_refused (g_steal_pointer (&error), "4 workers with 2 processors each need 8, and there are 6 on which workers may run (0-5)");
  program = program_of (0, 2, 0);
  g_assert_true (tti_placement_has_room (placement, &program, 2, &error));
  g_assert_false (tti_placement_has_room (placement, &program, 3, &error));
  assert_refused (g_steal_pointer (&error), "3 workers with 2 GPUs each need 6, and there are 4 (0,1,2,3)");
  assert_given (2, 1, 1, 10, "0-1", "0");
  g_assert_false (tti_placement_has_room (placement, &program, 2, &error));
  assert_refused (g_steal_pointer (&error), "need 4, and there are 4 (0,1,2,3), of which other workers have 1");
  program = program_of (6, 0, 0);
  g_assert_true (tti_placement_has_room (placement, &program, 1, &error));
}

static void
test_none (void)
{
  static const char *const bare[] = { "HOME=/", NULL };
  TtiNodeProgram program = program_of (1, 1, 1);
  g_auto (TtiPlacedProgram) placed = { 0 };
  g_autoptr (GArray) allowed = tti_cpus_get_allowed ();
  GError *error = NULL;

  program.envp = bare;
  program.n_own = 0;
  g_assert_false (tti_placement_has_room (placement, &program, 1, &error));
  assert_refused (g_steal_pointer (&error), "there is none: neither CUDA_VISIBLE_DEVICES nor ROCR_VISIBLE_DEVICES names one");
  /* Where nothing says where it may run, it is where we may. */
  program.n_gpus = 0;
  program.n_cpus = allowed->len;
  g_assert_true (tti_placement_take (placement, 1, &program, &placed, &error));
  g_assert_no_error (error);
  g_autoptr (GArray) given = tti_start_state_get_processors (placed.envp[1]);
  g_assert_cmpuint (given->len, ==, allowed->len);
  g_assert_true (tti_cpus_are_within (given, allowed));
}

static void
test_lends (void)
{
  g_autoptr (GArray) cpus = tti_cpus_parse ("7");

  assert_given (2, 0, 1, 10, "0-1", "");
  tti_placement_add_cpus (placement, 1, cpus);
  tti_placement_add_cpus (placement, 2, cpus);
  g_autofree char *text = tti_cpus_format (cpus);
  g_assert_cmpstr (text, ==, "0-1,7");
}

static void
in_folder (const void *test)
{
  set_up ();
  ((void (*) (void)) (guintptr) test) ();
  tear_down ();
}

int
main (int argc, char **argv)
{
  static const struct { const char *name; void (*test) (void); } tests[] = {
    { "/placement/gives", test_gives }, { "/placement/keeps", test_keeps }, { "/placement/tells", test_tells },
    { "/placement/has-room", test_has_room }, { "/placement/none", test_none }, { "/placement/lends", test_lends },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add_data_func (tests[i].name, (gconstpointer) (guintptr) tests[i].test, in_folder);
  return g_test_run ();
}
