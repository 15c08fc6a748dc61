/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The title of a worker, which it gives itself. */
#include "process/worker-title.h"
#include "platform/process-title.h"
#include <string.h>

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
