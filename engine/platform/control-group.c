/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control groups: /proc/PID/cgroup names the groups of a process, /proc/self/mountinfo says where they are mounted. */
#include "platform/control-group.h"
#include <string.h>

void
tti_control_group_clear (TtiControlGroup *group)
{
  g_clear_pointer (&group->folder, g_free);
}

static char *
file_read (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text : NULL;
}

/* Is NAME one of LIST, "cpu,cpuacct"? */
static gboolean
list_has (const char *list, const char *name)
{
  g_auto (GStrv) names = g_strsplit (list, ",", -1);

  return g_strv_contains ((const char *const *) names, name);
}

/* Find where the file system of the groups for CONTROLLER (NULL: of version 2) is mounted, and ROOT, the group at its top. */
static char *
find_mount (const char *proc, const char *controller, char **root)
{
  g_autofree char *text = file_read (proc, "self/mountinfo");
  g_auto (GStrv) lines = g_strsplit (text != NULL ? text : "", "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      /* "36 35 0:30 ROOT MOUNT OPTIONS [FIELDS] - TYPE SOURCE OPTIONS" */
      g_auto (GStrv) halves = g_strsplit (lines[i], " - ", 2);

      if (halves[0] == NULL || halves[1] == NULL)
        continue;
      g_auto (GStrv) first = g_strsplit (halves[0], " ", -1);
      g_auto (GStrv) last = g_strsplit (halves[1], " ", -1);

      if (g_strv_length (first) < 5 || g_strv_length (last) < 3)
        continue;
      if (strcmp (last[0], controller != NULL ? "cgroup" : "cgroup2") != 0 || (controller != NULL && !list_has (last[2], controller)))
        continue;
      *root = g_strdup (first[3]);
      return g_strcompress (first[4]); /* a space is \040 there */
    }
  return NULL;
}

/* The path of the process in the hierarchy of CONTROLLER, NULL: of version 2. */
static char *
find_path (const char *text, const char *controller)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      /* "4:cpu,cpuacct:/job_7", or "0::/job_7" */
      g_auto (GStrv) parts = g_strsplit (lines[i], ":", 3);

      if (g_strv_length (parts) == 3 && (controller != NULL ? list_has (parts[1], controller) : parts[1][0] == '\0'))
        return g_strdup (parts[2]);
    }
  return NULL;
}

static gboolean
group_find_in (TtiControlGroup *group, const char *proc, const char *text, const char *controller)
{
  g_autofree char *path = find_path (text, controller), *root = NULL;
  g_autofree char *mount = path != NULL ? find_mount (proc, controller, &root) : NULL;

  if (mount == NULL)
    return FALSE;
  /* In a container the groups above ROOT are not visible, and neither are others; but the container's own limits are. */
  const char *below = strcmp (root, "/") == 0 ? path : g_str_has_prefix (path, root) ? path + strlen (root) : "";

  group->folder = g_strconcat (mount, strcmp (below, "/") == 0 ? "" : below, NULL);
  group->mount = strlen (mount);
  group->unified = controller == NULL;
  if (g_file_test (group->folder, G_FILE_TEST_IS_DIR))
    return TRUE;
  tti_control_group_clear (group);
  return FALSE;
}

gboolean
tti_control_group_find (TtiControlGroup *group, const char *proc, pid_t pid, const char *controller)
{
  g_autofree char *name = pid == 0 ? g_strdup ("self/cgroup") : g_strdup_printf ("%d/cgroup", (int) pid);
  g_autofree char *text = file_read (proc, name);

  *group = (TtiControlGroup){ 0 };
  /* Each controller is in use by one version only. */
  return text != NULL && (group_find_in (group, proc, text, controller) || group_find_in (group, proc, text, NULL));
}

gboolean
tti_control_group_up (TtiControlGroup *group)
{
  char *slash = strlen (group->folder) > group->mount ? strrchr (group->folder, '/') : NULL;

  if (slash == NULL || (gsize) (slash - group->folder) < group->mount)
    return FALSE;
  *slash = '\0';
  return TRUE;
}

gint64
tti_control_group_read (const TtiControlGroup *group, const char *name, const char *key)
{
  g_autofree char *text = file_read (group->folder, name);
  g_auto (GStrv) lines = g_strsplit (text != NULL ? text : "", "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      const char *line = lines[i];

      if (key != NULL && (!g_str_has_prefix (line, key) || line[strlen (key)] != ' '))
        continue;
      line += key != NULL ? strlen (key) + 1 : 0;
      return g_ascii_isdigit (*line) ? (gint64) MIN (g_ascii_strtoull (line, NULL, 10), G_MAXINT64) : -1;
    }
  return -1;
}

gint64
tti_control_group_get_memory_limit (const TtiControlGroup *group)
{
  gint64 limit = tti_control_group_read (group, group->unified ? "memory.max" : "memory.limit_in_bytes", NULL);

  return limit < (gint64) 1 << 60 ? limit : -1;
}
