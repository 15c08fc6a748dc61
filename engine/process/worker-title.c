/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Titles of workers, guard and watcher. */
#include "process/worker-title.h"
#include "platform/process-state.h"
#include "platform/process-title.h"
#include <string.h>

/* Titles have no room for more, and long names must not enlarge the environment. */
enum { MOST_NAME_BYTES = 200 };

char *
tti_worker_title_setting (const char *name)
{
  g_autofree char *text = tti_process_title_text (name, MOST_NAME_BYTES, TRUE);

  return g_strconcat (TTI_POOL_NAME_SETTING "=", text, NULL);
}

/* NAME, truncated so that with OTHERS further bytes it has at most MOST. */
static char *
name_cut (const char *name, gsize others, gsize most, gboolean mark)
{
  return tti_process_title_text (name, most > others ? most - others : 0, mark);
}

void
tti_worker_title_enter (void)
{
  static const char before[] = "tutti-worker: pool \"", short_before[] = "tutti-w:";
  const char *name = g_getenv (TTI_POOL_NAME_SETTING), *index = g_getenv ("TUTTI_WORKER_INDEX");

  if (name == NULL || index == NULL)
    return;
  /* The number distinguishes workers, so it must appear, however long the name is. */
  g_autofree char *long_name = name_cut (name, strlen (before) + strlen ("\" ") + strlen (index), tti_process_title_room (), TRUE);
  g_autofree char *short_name = name_cut (name, strlen (short_before) + 1 + strlen (index), TTI_SHORT_NAME_BYTES, FALSE);
  g_autofree char *title = g_strconcat (before, long_name, "\" ", index, NULL);
  g_autofree char *short_title = g_strconcat (short_before, short_name, "/", index, NULL);

  tti_process_set_title (title, short_title);
  g_unsetenv (TTI_POOL_NAME_SETTING);
}

void
tti_helper_title_enter (const char *name, int master)
{
  pid_t pid = tti_process_get_number (master);
  g_autofree char *title = pid > 0 ? g_strdup_printf ("%s: of pid %d", name, (int) pid) : g_strdup (name);

  tti_process_set_title (title, name);
}
