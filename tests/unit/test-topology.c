/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sets of processors, and which ones and which GPUs there are to give: from files like the kernel's, in a folder of our own. */
#include "platform/cpu-set.h"
#include "platform/gpus.h"
#include "platform/topology.h"
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;

static void
put (const char *text, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *path = g_strdup_vprintf (format, arguments);
  g_autofree char *file = g_build_filename (folder, path, NULL), *directory = g_path_get_dirname (file);

  va_end (arguments);
  g_assert_cmpint (g_mkdir_with_parents (directory, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
}

static void
set_up (void)
{
  folder = g_dir_make_tmp ("tutti-topology-XXXXXX", NULL);
}

static void
tear_down (void)
{
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", folder);

  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_clear_pointer (&folder, g_free);
}

/* --- sets ------------------------------------------------------------------------------------------------------------------- */

static void
test_text (void)
{
  static const char *const good[][2] = { { "0", "0" }, { "0-3,8\n", "0-3,8" }, { "5,3,4", "3-5" }, { "1-2,2-3", "1-3" }, { "", "" },
                                         { "1023,4095", "1023,4095" }, { "\n", "" } };
  static const char *const bad[] = { "x", "1-", "-1", "3-1", "1,,2", "1,", "1 2", "99999999999", "1-2-3", "0x1" };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GArray) cpus = tti_cpus_parse (good[i][0]);

      g_assert_nonnull (cpus);
      g_autofree char *text = tti_cpus_format (cpus);
      g_assert_cmpstr (text, ==, good[i][1]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    if (tti_cpus_parse (bad[i]) != NULL)
      g_error ("'%s' was taken for a set of processors", bad[i]);
}

static void
test_bits (void)
{
  g_autoptr (GArray) cpus = tti_cpus_parse ("0,9,63-64,127");
  guint8 mask[16];

  g_assert_true (tti_cpus_to_mask (cpus, mask, sizeof mask));
  g_autoptr (GArray) back = tti_cpus_from_mask (mask, sizeof mask);
  g_autofree char *text = tti_cpus_format (back);

  g_assert_cmpstr (text, ==, "0,9,63-64,127");
  tti_cpus_add (cpus, 128);
  g_assert_false (tti_cpus_to_mask (cpus, mask, sizeof mask));
  g_assert_true (tti_cpus_are_within (back, cpus));
  g_assert_false (tti_cpus_are_within (cpus, back));
}

static gpointer
sleep_long (gpointer data)
{
  g_usleep (60 * G_USEC_PER_SEC);
  return data;
}

/* All threads of another process, and what it starts then. */
static void
test_process (void)
{
  g_autoptr (GArray) allowed = tti_cpus_get_allowed (), one = tti_cpus_new ();
  int ready[2];
  char byte;

  tti_cpus_add (one, g_array_index (allowed, guint, allowed->len - 1));
  g_assert_cmpint (pipe (ready), ==, 0);
  pid_t child = fork ();
  if (child == 0)
    {
      g_thread_unref (g_thread_new ("other", sleep_long, NULL));
      (void) !write (ready[1], "", 1);
      sleep (60);
      _exit (0);
    }
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  g_assert_true (tti_cpus_set_process (child, one));
  g_autofree char *wanted = tti_cpus_format (one), *tasks = g_strdup_printf ("/proc/%d/task", (int) child);
  g_autoptr (GDir) directory = g_dir_open (tasks, 0, NULL);
  guint n = 0;

  for (const char *name; (name = g_dir_read_name (directory)) != NULL; n++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%s/status", tasks, name), *status = NULL;

      g_assert_true (g_file_get_contents (path, &status, NULL, NULL));
      g_autofree char *line = g_strdup_printf ("\nCpus_allowed_list:\t%s\n", wanted);
      g_assert_nonnull (strstr (status, line));
    }
  g_assert_cmpuint (n, >=, 2); /* a thread checker has one of its own */
  kill (child, SIGKILL);
  waitpid (child, NULL, 0);
  g_assert_false (tti_cpus_set_process (child, one));
  close (ready[0]);
  close (ready[1]);
}

/* --- choosing processors ---------------------------------------------------------------------------------------------------- */

static guint users[64];

static guint
get_users (guint cpu, gpointer data)
{
  g_assert_true (data == users);
  return users[cpu];
}

/* Choose N of ALLOWED, whose users then are one more; they are to be EXPECTED. */
static void
assert_chosen (const char *allowed, guint n, const char *expected)
{
  g_autoptr (GArray) set = tti_cpus_parse (allowed);
  g_autoptr (TtiTopology) topology = tti_topology_new (folder, set);
  g_autoptr (GArray) chosen = tti_topology_choose (topology, n, get_users, users);
  g_autofree char *text = tti_cpus_format (chosen);

  g_assert_cmpstr (text, ==, expected);
  for (guint i = 0; i < chosen->len; i++)
    users[g_array_index (chosen, guint, i)]++;
}

/* Two NUMA nodes of four cores with two threads each: processors I and I + 8 are a core; 0 to 3 and 8 to 11 are in node 0. */
static void
put_machine (const char *siblings)
{
  memset (users, 0, sizeof users);
  for (guint cpu = 0; cpu < 16; cpu++)
    {
      g_autofree char *text = g_strdup_printf ("%u,%u\n", cpu % 8, cpu % 8 + 8);

      put (text, "cpu/cpu%u/topology/%s", cpu, siblings);
    }
  put ("0-3,8-11\n", "node/node0/cpulist");
  put ("4-7,12-15\n", "node/node1/cpulist");
  put ("", "node/possible");
}

static void
test_one_each (void)
{
  static const char *const expected[] = { "0", "4", "1", "5", "2", "6", "3", "7", "8", "12", "9", "13", "10", "14", "11", "15",
                                          /* More than there are: evenly. */
                                          "0", "4", "1" };

  put_machine ("core_cpus_list");
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    assert_chosen ("0-15", 1, expected[i]);
}

static void
test_whole_cores (void)
{
  put_machine ("thread_siblings_list");
  assert_chosen ("0-15", 2, "0,8");
  assert_chosen ("0-15", 2, "4,12");
  assert_chosen ("0-15", 3, "1-2,9");
  /* The core of which the last one has a half is left to others as long as there are whole ones. */
  assert_chosen ("0-15", 2, "5,13");
  assert_chosen ("0-15", 2, "6,14");
  assert_chosen ("0-15", 2, "3,11");
  assert_chosen ("0-15", 1, "7");
  assert_chosen ("0-15", 1, "10");
  assert_chosen ("0-15", 1, "15");
}

static void
test_numa_nodes (void)
{
  put_machine ("core_cpus_list");
  assert_chosen ("0-15", 6, "0-2,8-10");
  assert_chosen ("0-15", 6, "4-6,12-14");
  /* No node has so many left: two of one, and one more; and when nothing is left that nobody has, one node again. */
  assert_chosen ("0-15", 3, "3,7,11");
  assert_chosen ("0-15", 1, "15");
  assert_chosen ("0-15", 8, "0-3,8-11");
}

/* What a batch system or taskset has left of the machine. */
static void
test_part (void)
{
  put_machine ("core_cpus_list");
  assert_chosen ("2-5,10", 2, "2,10");
  assert_chosen ("2-5,10", 2, "4-5");
  assert_chosen ("2-5,10", 1, "3");
  assert_chosen ("2-5,10", 9, "2-5,10");
  assert_chosen ("", 1, "");
}

static void
test_unknown (void)
{
  memset (users, 0, sizeof users);
  assert_chosen ("0-3", 2, "0-1");
  assert_chosen ("0-3", 1, "2");
  put ("nonsense\n", "cpu/cpu0/topology/core_cpus_list");
  put ("0-", "node/node0/cpulist");
  assert_chosen ("0-3", 1, "3");
  assert_chosen ("0-3", 2, "0-1");
}

/* --- GPUs ------------------------------------------------------------------------------------------------------------------- */

/* What is found with the SETTINGS, as "cuda:rocr" of each. */
static void
assert_gpus (const char *cuda, const char *rocr, const char *expected)
{
  g_auto (GStrv) environment = g_strsplit ("HOME=/|X=", "|", -1);

  if (cuda != NULL)
    environment = g_environ_setenv (environment, "CUDA_VISIBLE_DEVICES", cuda, TRUE);
  if (rocr != NULL)
    environment = g_environ_setenv (environment, "ROCR_VISIBLE_DEVICES", rocr, TRUE);
  g_autoptr (GPtrArray) gpus = tti_gpus_find (folder, (const char *const *) environment);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < gpus->len; i++)
    {
      const TtiGpu *gpu = g_ptr_array_index (gpus, i);

      g_string_append_printf (text, "%s%s:%s", i > 0 ? " " : "", gpu->names[TTI_GPU_CUDA] != NULL ? gpu->names[TTI_GPU_CUDA] : "",
                              gpu->names[TTI_GPU_ROCR] != NULL ? gpu->names[TTI_GPU_ROCR] : "");
    }
  g_assert_cmpstr (text->str, ==, expected);
}

static void
test_gpu_settings (void)
{
  assert_gpus (NULL, NULL, "");
  assert_gpus ("", NULL, "");
  assert_gpus ("NoDevFiles", NULL, "");
  assert_gpus ("-1", NULL, "");
  assert_gpus ("0,1", NULL, "0: 1:");
  assert_gpus (" 3, GPU-8932f937 ,3", NULL, "3: GPU-8932f937:");
  assert_gpus ("2,-1,3", NULL, "2:");
  assert_gpus (NULL, "1,GPU-DEADBEEFDEADBEEF", ":1 :GPU-DEADBEEFDEADBEEF");
  /* As a batch system sets both. */
  assert_gpus ("2,3", "2,3", "2:2 3:3");
  assert_gpus ("0,1,2", "5", "0:5");
}

static void
test_gpu_devices (void)
{
  put ("", "dev/nvidia0");
  put ("", "dev/nvidia3");
  put ("", "dev/nvidiactl");
  put ("", "dev/nvidia-uvm");
  assert_gpus (NULL, NULL, "0: 1:");
  assert_gpus ("1", NULL, "1:");
  assert_gpus ("0,1", "4,5,6", "0: 1:");
  tear_down ();
  set_up ();
  put ("", "dev/dri/renderD128");
  put ("", "dev/dri/renderD129");
  put ("", "dev/dri/card0");
  put ("0x1002\n", "sys/class/drm/renderD129/device/vendor");
  put ("0x8086\n", "sys/class/drm/renderD128/device/vendor");
  assert_gpus (NULL, NULL, "");
  put ("", "sys/class/kfd/kfd/x");
  assert_gpus (NULL, NULL, ":0");
  assert_gpus ("0,1", "4", ":4");
  /* Both kinds: NVIDIA's, unless one is named. */
  put ("", "dev/nvidia0");
  assert_gpus (NULL, NULL, "0:");
  assert_gpus (NULL, "0", ":0");
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
    { "/topology/one-each", test_one_each }, { "/topology/whole-cores", test_whole_cores }, { "/topology/numa-nodes", test_numa_nodes },
    { "/topology/part", test_part }, { "/topology/unknown", test_unknown }, { "/gpus/settings", test_gpu_settings },
    { "/gpus/devices", test_gpu_devices },
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cpu-set/text", test_text);
  g_test_add_func ("/cpu-set/bits", test_bits);
  g_test_add_func ("/cpu-set/process", test_process);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add_data_func (tests[i].name, (gconstpointer) (guintptr) tests[i].test, in_folder);
  return g_test_run ();
}
