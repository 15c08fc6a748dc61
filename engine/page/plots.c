/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "page/plots.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SVG_HEAD = 1024 }; /* bytes within which the element svg begins */

struct _TtiPlots
{
  GPtrArray *all; /* of TtiPlot, owned */
};

static void
plot_free (gpointer data)
{
  TtiPlot *plot = data;

  g_free (plot->name);
  g_free (plot->path);
  g_free (plot);
}

TtiPlots *
tti_plots_new (void)
{
  TtiPlots *plots = g_new0 (TtiPlots, 1);

  plots->all = g_ptr_array_new_with_free_func (plot_free);
  return plots;
}

void
tti_plots_free (TtiPlots *plots)
{
  if (plots == NULL)
    return;
  g_ptr_array_unref (plots->all);
  g_free (plots);
}

const GPtrArray *
tti_plots_get (const TtiPlots *plots)
{
  return plots->all;
}

/* A number that changes when the file at PATH is written again, or another one takes its place. */
static guint64
file_version (const char *path)
{
  struct stat info;

  if (stat (path, &info) != 0 || !S_ISREG (info.st_mode))
    return 0;
  guint64 version = (guint64) info.st_mtim.tv_sec * G_GUINT64_CONSTANT (1000000007) + (guint64) info.st_mtim.tv_nsec / 1000;

  version = version * 31 + (guint64) info.st_size * 17 + info.st_ino;
  return (version & ((G_GUINT64_CONSTANT (1) << 53) - 1)) | 1; /* scripts have no larger whole numbers */
}

static void
add_plot (const char *key, const char *value, gpointer data)
{
  GPtrArray *all = data;

  if (!g_str_has_prefix (key, TTI_PLOT_PREFIX) || value == NULL || *value != '/' || all->len >= TTI_PLOT_MOST)
    return;
  TtiPlot *plot = g_new0 (TtiPlot, 1);

  plot->name = g_strdup (key + strlen (TTI_PLOT_PREFIX));
  plot->path = g_strdup (value);
  plot->version = file_version (value);
  g_ptr_array_add (all, plot);
}

static int
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(TtiPlot *const *) a)->name, (*(TtiPlot *const *) b)->name);
}

void
tti_plots_update (TtiPlots *plots, const TtiBoard *board)
{
  g_ptr_array_set_size (plots->all, 0);
  tti_board_foreach_note (board, add_plot, plots->all);
  g_ptr_array_sort (plots->all, by_name);
}

static const char *
media_type (const char *bytes, gsize size)
{
  static const char png[] = "\x89PNG\r\n\x1a\n", jpeg[] = "\xff\xd8\xff";

  if (size >= sizeof png - 1 && memcmp (bytes, png, sizeof png - 1) == 0)
    return "image/png";
  if (size >= sizeof jpeg - 1 && memcmp (bytes, jpeg, sizeof jpeg - 1) == 0)
    return "image/jpeg";
  if (size > 0 && (*bytes == '<' || g_ascii_isspace (*bytes) || *bytes == '\xef')
      && g_strstr_len (bytes, (gssize) MIN (size, SVG_HEAD), "<svg") != NULL)
    return "image/svg+xml";
  return NULL;
}

static GBytes *
read_file (const char *path, GError **error)
{
  /* What is no file must not make anybody wait. */
  tti_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat info;

  if (fd < 0 || fstat (fd, &info) != 0)
    {
      tti_set_errno (error, errno, "cannot read %s", path);
      return NULL;
    }
  if (!S_ISREG (info.st_mode) || info.st_size > TTI_PLOT_MOST_BYTES)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "%s is no file, or has more than %d MB", path, TTI_PLOT_MOST_BYTES >> 20);
      return NULL;
    }
  g_autofree char *bytes = g_malloc ((gsize) info.st_size + 1);
  gsize size = 0;

  while (size < (gsize) info.st_size)
    {
      gssize n = read (fd, bytes + size, (gsize) info.st_size - size);

      if (n == 0)
        break;
      if (n < 0 && errno != EINTR)
        {
          tti_set_errno (error, errno, "cannot read %s", path);
          return NULL;
        }
      size += n > 0 ? (gsize) n : 0;
    }
  return g_bytes_new_take (g_steal_pointer (&bytes), size);
}

GBytes *
tti_plots_read (const TtiPlots *plots, const char *name, const char **type, GError **error)
{
  const char *path = NULL;

  for (guint i = 0; i < plots->all->len && path == NULL; i++)
    {
      const TtiPlot *plot = g_ptr_array_index (plots->all, i);

      if (strcmp (plot->name, name) == 0)
        path = plot->path;
    }
  if (path == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "there is no plot of this name");
      return NULL;
    }
  g_autoptr (GBytes) contents = read_file (path, error);

  if (contents == NULL)
    return NULL;
  gsize size;
  const char *bytes = g_bytes_get_data (contents, &size);

  *type = bytes != NULL ? media_type (bytes, size) : NULL;
  if (*type == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "%s is no picture; expected PNG, JPEG or SVG", path);
      return NULL;
    }
  return g_steal_pointer (&contents);
}
