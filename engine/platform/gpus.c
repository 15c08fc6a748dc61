/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/gpus.h"
#include <string.h>
#include <unistd.h>

#define AMD "0x1002" /* the vendor, in PCI's register */

const char *
tti_gpu_variable (TtiGpuKind kind)
{
  static const char *const names[TTI_GPU_N_KINDS] = { [TTI_GPU_CUDA] = "CUDA_VISIBLE_DEVICES", [TTI_GPU_ROCR] = "ROCR_VISIBLE_DEVICES" };

  return names[kind];
}

const char *
tti_gpu_name (const TtiGpu *gpu)
{
  return gpu->names[TTI_GPU_CUDA] != NULL ? gpu->names[TTI_GPU_CUDA] : gpu->names[TTI_GPU_ROCR];
}

static void
gpu_free (gpointer data)
{
  TtiGpu *gpu = data;

  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    g_free (gpu->names[kind]);
  g_free (gpu);
}

/* --- those of the machine --------------------------------------------------------------------------------------------------- */

static gboolean
is_numbered (const char *name, const char *prefix)
{
  gsize length = strlen (prefix);

  return g_str_has_prefix (name, prefix) && name[length] != '\0' && strspn (name + length, "0123456789") == strlen (name + length);
}

static gboolean
is_amds (const char *root, const char *node)
{
  g_autofree char *path = g_build_filename (root, "/sys/class/drm", node, "device/vendor", NULL), *vendor = NULL;

  return g_file_get_contents (path, &vendor, NULL, NULL) && strcmp (g_strchomp (vendor), AMD) == 0;
}

/* How many devices in FOLDER are called PREFIX and a number, and may be used. */
static guint
count_devices (const char *root, const char *folder, const char *prefix, gboolean (*is_right) (const char *root, const char *name))
{
  g_autofree char *path = g_build_filename (root, folder, NULL);
  GDir *devices = g_dir_open (path, 0, NULL);
  guint n = 0;

  for (const char *name; devices != NULL && (name = g_dir_read_name (devices)) != NULL;)
    {
      g_autofree char *device = g_build_filename (path, name, NULL);

      if (is_numbered (name, prefix) && access (device, R_OK | W_OK) == 0 && (is_right == NULL || is_right (root, name)))
        n++;
    }
  g_clear_pointer (&devices, g_dir_close);
  return n;
}

static guint
count_kind (const char *root, TtiGpuKind kind)
{
  g_autofree char *driver = g_build_filename (root, "/sys/class/kfd", NULL);

  if (kind == TTI_GPU_CUDA)
    return count_devices (root, "/dev", "nvidia", NULL);
  return access (driver, F_OK) == 0 ? count_devices (root, "/dev/dri", "renderD", is_amds) : 0;
}

/* --- those that are named --------------------------------------------------------------------------------------------------- */

/* The names in LIST: as the programs that read it do, up to the first that is none. Each once. */
static char **
split_list (const char *list)
{
  g_auto (GStrv) words = g_strsplit (list, ",", -1);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (guint i = 0; words[i] != NULL; i++)
    {
      char *name = g_strstrip (words[i]);

      if (*name == '\0' || *name == '-' || strcmp (name, "NoDevFiles") == 0)
        break;
      if (!g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL))
        g_ptr_array_add (names, name);
    }
  g_ptr_array_add (names, NULL);
  return g_strdupv ((char **) names->pdata);
}

/* N GPUs, whose names in the list of KIND are NAMES, or if that is NULL, numbers from 0. */
static void
add_names (GPtrArray *gpus, TtiGpuKind kind, char *const *names, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      if (i == gpus->len)
        g_ptr_array_add (gpus, g_new0 (TtiGpu, 1));
      TtiGpu *gpu = g_ptr_array_index (gpus, i);

      gpu->names[kind] = names != NULL ? g_strdup (names[i]) : g_strdup_printf ("%u", i);
    }
}

GPtrArray *
tti_gpus_find (const char *root, const char *const *environment)
{
  GPtrArray *gpus = g_ptr_array_new_with_free_func (gpu_free);
  guint n_devices[TTI_GPU_N_KINDS], n_set = 0;
  char **lists[TTI_GPU_N_KINDS];

  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    {
      const char *list = g_environ_getenv ((char **) environment, tti_gpu_variable (kind));

      n_devices[kind] = count_kind (root, kind);
      lists[kind] = list != NULL ? split_list (list) : NULL;
      n_set += list != NULL;
    }
  gboolean is_pure = (n_devices[TTI_GPU_CUDA] > 0) != (n_devices[TTI_GPU_ROCR] > 0);

  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    if (lists[kind] != NULL && !(n_set == TTI_GPU_N_KINDS && is_pure && n_devices[kind] == 0))
      {
        guint n = g_strv_length (lists[kind]);

        /* What only one of two lists names cannot be given to a program of either kind. */
        if (n_set == TTI_GPU_N_KINDS && !is_pure)
          n = MIN (g_strv_length (lists[TTI_GPU_CUDA]), g_strv_length (lists[TTI_GPU_ROCR]));
        add_names (gpus, kind, lists[kind], n);
      }
  if (n_set == 0)
    {
      TtiGpuKind kind = n_devices[TTI_GPU_CUDA] > 0 ? TTI_GPU_CUDA : TTI_GPU_ROCR;

      add_names (gpus, kind, NULL, n_devices[kind]);
    }
  for (guint kind = 0; kind < TTI_GPU_N_KINDS; kind++)
    g_strfreev (lists[kind]);
  return gpus;
}
