/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control groups, processors, and the group whose limit killed a worker: from files like the kernel's, in a folder of our own. */
#include "platform/control-group.h"
#include "platform/processors.h"
#include "process/watcher-group.h"
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { PID = 4711 };

static char *folder, *proc;

static void
put (const char *path, const char *format, ...)
{
  g_autofree char *file = g_build_filename (folder, path, NULL);
  g_autofree char *directory = g_path_get_dirname (file), *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_assert_cmpint (g_mkdir_with_parents (directory, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
}

/* A process in the groups GROUPS, with file systems at MOUNTS, both in the format of /proc; FOLDER stands for ours. */
static void
set_up (const char *groups, const char *mounts)
{
  g_autofree char *command = NULL;

  if (folder != NULL)
    {
      command = g_strdup_printf ("rm -rf '%s'", folder);
      g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
    }
  g_free (folder);
  g_free (proc);
  folder = g_dir_make_tmp ("tutti-group-XXXXXX", NULL);
  proc = g_build_filename (folder, "proc", NULL);
  if (groups == NULL)
    return;
  g_autoptr (GString) text = g_string_new (mounts);

  g_string_replace (text, "FOLDER", folder, 0);
  put ("proc/4711/cgroup", "%s", groups);
  put ("proc/self/cgroup", "%s", groups);
  put ("proc/self/mountinfo", "%s", text->str);
}

static const char mounts_1[] = "25 30 0:23 / /sys rw shared:7 - sysfs sysfs rw\n"
                               "31 25 0:27 / FOLDER/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
                               "32 25 0:28 / FOLDER/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n";
static const char mounts_2[] = "31 25 0:27 / FOLDER/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";

static void
test_find (void)
{
  TtiControlGroup group;

  set_up ("4:memory:/job/step\n3:cpuacct,cpu:/job\n0::/\n", mounts_1);
  put ("memory/job/step/memory.limit_in_bytes", "1000\n");
  g_assert_true (tti_control_group_find (&group, proc, PID, "memory"));
  g_assert_true (g_str_has_suffix (group.folder, "/memory/job/step"));
  g_assert_false (group.unified);
  g_assert_cmpint (tti_control_group_read (&group, "memory.limit_in_bytes", NULL), ==, 1000);
  g_assert_cmpint (tti_control_group_read (&group, "memory.nothing", NULL), ==, -1);
  g_assert_true (tti_control_group_up (&group));
  g_assert_true (tti_control_group_up (&group));
  g_assert_true (g_str_has_suffix (group.folder, "/memory"));
  g_assert_false (tti_control_group_up (&group));
  tti_control_group_clear (&group);
  g_assert_false (tti_control_group_find (&group, proc, PID, "pids"));
  g_assert_false (tti_control_group_find (&group, proc, PID + 1, "memory"));

  set_up ("0::/job\n", mounts_2);
  put ("unified/job/memory.events", "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\n");
  put ("unified/job/memory.max", "max\n");
  g_assert_true (tti_control_group_find (&group, proc, PID, "memory"));
  g_assert_true (group.unified);
  g_assert_cmpint (tti_control_group_read (&group, "memory.events", "oom"), ==, 3);
  g_assert_cmpint (tti_control_group_read (&group, "memory.events", "oom_kill"), ==, 2);
  g_assert_cmpint (tti_control_group_read (&group, "memory.max", NULL), ==, -1);
  tti_control_group_clear (&group);
}

/* In a container only a part of the tree is mounted. */
static void
test_container (void)
{
  TtiControlGroup group;

  set_up ("4:memory:/docker/abc/job\n", "31 25 0:27 /docker/abc FOLDER/memory rw - cgroup cgroup rw,memory\n");
  put ("memory/job/memory.limit_in_bytes", "1000\n");
  g_assert_true (tti_control_group_find (&group, proc, PID, "memory"));
  g_assert_true (g_str_has_suffix (group.folder, "/memory/job"));
  tti_control_group_clear (&group);
}

static guint
count (guint *affinity, double *quota)
{
  guint n = tti_processors_count (proc, affinity, quota);

  g_assert_cmpuint (n, >=, 1);
  g_assert_cmpuint (n, <=, *affinity);
  return n;
}

static void
test_processors (void)
{
  guint affinity;
  double quota;

  set_up (NULL, NULL);
  g_assert_cmpuint (count (&affinity, &quota), ==, affinity);
  g_assert_cmpfloat (quota, ==, 0);

  set_up ("0::/job/step\n", mounts_2);
  put ("unified/job/step/cpu.max", "max 100000\n");
  put ("unified/job/cpu.max", "50000 100000\n");
  g_assert_cmpuint (count (&affinity, &quota), ==, 1);
  g_assert_cmpfloat (quota, ==, 0.5);
  put ("unified/job/cpu.max", "150000 100000\n");
  g_assert_cmpuint (count (&affinity, &quota), ==, MIN (2, affinity));
  put ("unified/job/cpu.max", "max 100000\n");
  g_assert_cmpuint (count (&affinity, &quota), ==, affinity);

  set_up ("3:cpu,cpuacct:/job\n0::/\n", mounts_1);
  put ("cpu/job/cpu.cfs_quota_us", "100000\n");
  put ("cpu/job/cpu.cfs_period_us", "100000\n");
  g_assert_cmpuint (count (&affinity, &quota), ==, 1);
  put ("cpu/job/cpu.cfs_quota_us", "-1\n");
  g_assert_cmpuint (count (&affinity, &quota), ==, affinity);
}

static void
put_events (const char *group, guint n_limits, guint n_kills)
{
  g_autofree char *path = g_build_filename (group, "memory.events", NULL);

  put (path, "low 0\nhigh 0\nmax 9\noom %u\noom_kill %u\n", n_limits, n_kills);
}

static void
test_limit_2 (void)
{
  set_up ("0::/job/step\n", mounts_2);
  put_events ("unified/job/step", 0, 5);
  put_events ("unified/job", 3, 5);
  put ("unified/job/step/memory.max", "max\n");
  put ("unified/job/memory.max", "536870912\n");
  g_autoptr (TtiWatcherGroups) groups = tti_watcher_groups_new (proc);
  g_autofree char *group = tti_watcher_groups_note (groups, PID);
  gint64 now = 10 * G_TIME_SPAN_SECOND;

  g_assert_nonnull (group);
  g_assert_null (tti_watcher_groups_explain (groups, group, now));
  /* The machine was out of memory: no limit was reached. */
  put_events ("unified/job/step", 0, 6);
  put_events ("unified/job", 3, 6);
  g_assert_null (tti_watcher_groups_explain (groups, group, now));
  now += 5 * G_TIME_SPAN_SECOND;
  /* The limit of the group above was reached. */
  put_events ("unified/job/step", 0, 7);
  put_events ("unified/job", 4, 7);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *text = tti_watcher_groups_explain (groups, group, now + i);

      g_assert_nonnull (text);
      g_assert_nonnull (strstr (text, "limit of 536.9 MB"));
      g_assert_nonnull (strstr (text, "/unified/job)"));
    }
  g_assert_null (tti_watcher_groups_explain (groups, group, now + 2 * G_TIME_SPAN_SECOND));
  g_assert_null (tti_watcher_groups_explain (groups, NULL, now));
}

static void
test_limit_1 (void)
{
  set_up ("4:memory:/job\n", mounts_1);
  put ("memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  put ("memory/job/memory.failcnt", "17\n");
  put ("memory/job/memory.limit_in_bytes", "104857600\n");
  put ("memory/memory.limit_in_bytes", "9223372036854771712\n");
  g_autoptr (TtiWatcherGroups) groups = tti_watcher_groups_new (proc);
  g_autofree char *group = tti_watcher_groups_note (groups, PID);
  gint64 now = 10 * G_TIME_SPAN_SECOND;

  /* Reached, but the kernel reclaimed memory. */
  put ("memory/job/memory.failcnt", "18\n");
  g_assert_null (tti_watcher_groups_explain (groups, group, now));
  put ("memory/job/memory.failcnt", "19\n");
  put ("memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  g_autofree char *text = tti_watcher_groups_explain (groups, group, now);

  g_assert_nonnull (text);
  g_assert_nonnull (strstr (text, "limit of 104.9 MB"));
  g_assert_nonnull (strstr (text, "/memory/job)"));
}

/* The limit of memory and swap is reached first where it is not larger than that of memory. */
static void
test_limit_swap (void)
{
  set_up ("4:memory:/job\n", mounts_1);
  put ("memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  put ("memory/job/memory.failcnt", "0\n");
  put ("memory/job/memory.memsw.max_usage_in_bytes", "140000000\n");
  put ("memory/job/memory.limit_in_bytes", "104857600\n");
  put ("memory/job/memory.memsw.limit_in_bytes", "150000000\n");
  g_autoptr (TtiWatcherGroups) groups = tti_watcher_groups_new (proc);
  g_autofree char *group = tti_watcher_groups_note (groups, PID);

  /* The machine had no memory left. */
  put ("memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  g_assert_null (tti_watcher_groups_explain (groups, group, 10 * G_TIME_SPAN_SECOND));
  put ("memory/job/memory.memsw.max_usage_in_bytes", "149900000\n");
  put ("memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  g_autofree char *text = tti_watcher_groups_explain (groups, group, 20 * G_TIME_SPAN_SECOND);

  g_assert_nonnull (text);
  g_assert_nonnull (strstr (text, "limit of 150.0 MB"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/control-group/find", test_find);
  g_test_add_func ("/control-group/container", test_container);
  g_test_add_func ("/control-group/processors", test_processors);
  g_test_add_func ("/control-group/limit/version-2", test_limit_2);
  g_test_add_func ("/control-group/limit/version-1", test_limit_1);
  g_test_add_func ("/control-group/limit/version-1-swap", test_limit_swap);
  int status = g_test_run ();

  set_up (NULL, NULL);
  g_rmdir (folder);
  return status;
}
