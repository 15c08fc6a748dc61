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

void
tti_helper_title_enter (const char *name, int master)
{
  pid_t pid = tti_process_get_number (master);
  g_autofree char *title = pid > 0 ? g_strdup_printf ("%s: of pid %d", name, (int) pid) : g_strdup (name);

  tti_process_set_title (title, name);
}
