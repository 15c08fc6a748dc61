/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A companion of an engine: it appends a line for each event that it sees to the file of its first argument. The second says how it
 * behaves: "" well; "refuse": it says why it cannot serve; "late": it is never ready; "silent": it ends with status 3;
 * "capsules": it keeps capsules in the folder FILE.capsules; "forgetful": it ends without having finished, the first time. */
#include "look/viewer.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
begin (const char *behaviour)
{
  char secret[64] = { 0 };

  if (read (5, secret, sizeof secret - 1) < 0)
    _exit (4);
  if (strcmp (behaviour, "refuse") == 0)
    {
      dprintf (4, "this file is not mine\n");
      _exit (1);
    }
  if (strcmp (behaviour, "silent") == 0)
    _exit (3);
  if (strcmp (behaviour, "late") == 0)
    sleep (60);
  dprintf (4, "say onlooker its secret is %s\n", secret);
}

/* Keep what was sent in FOLDER, "1-TASK.capsule" or "1-TASK-ITEM.capsule". */
static void
take_capsules (TtiViewer *viewer, const char *folder)
{
  TtiLookCapsule capsule;
  int fd;

  while (tti_viewer_next_capsule (viewer, &capsule, &fd))
    {
      g_autofree char *item = capsule.item >= 0 ? g_strdup_printf ("-%" G_GINT64_FORMAT, capsule.item) : g_strdup ("");
      g_autofree char *path = g_strdup_printf ("%s/1-%" G_GUINT64_FORMAT "%s.capsule", folder, capsule.task, item);
      g_autofree char *source = g_strdup_printf ("/proc/self/fd/%d", fd);
      g_autofree char *contents = NULL;
      gsize length = 0;

      if (fd < 0)
        g_file_set_contents (path, capsule.reason, -1, NULL);
      else if (g_file_get_contents (source, &contents, &length, NULL))
        g_file_set_contents (path, contents, (gssize) length, NULL);
      if (fd >= 0)
        close (fd);
    }
}

static void
write_event (FILE *file, const TtiEvent *event)
{
  fprintf (file, "%s", tti_event_kind_name (event->kind));
  if (event->kind == TTI_EVENT_ENDED)
    fprintf (file, " %s", tti_look_end_name ((TtiLookEnd) event->ended->end));
  if (event->kind == TTI_EVENT_NOTE)
    fprintf (file, " %s", event->texts[0]);
  fputc ('\n', file);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  gboolean is_second = argc == 3 && g_file_test (argv[1], G_FILE_TEST_EXISTS);
  FILE *file = argc == 3 ? fopen (argv[1], "ae") : NULL;

  if (file == NULL)
    return 2;
  g_autoptr (TtiViewer) viewer = tti_viewer_new (3, &error);

  if (viewer == NULL)
    return 2;
  begin (argv[2]);
  if (fork () != 0)
    _exit (0);
  setsid ();
  close (4);
  close (5);
  fprintf (file, "begin %d\n", (int) getpid ());
  g_autofree char *capsules = g_strconcat (argv[1], ".capsules", NULL);

  if (strcmp (argv[2], "capsules") == 0 && (mkdir (capsules, 0700) != 0 || !tti_viewer_ask (viewer, TTI_LOOK_ASK_CAPSULES, 0)))
    return 2;
  for (gboolean ended = FALSE, over = FALSE; !over;)
    {
      TtiEvent event;

      take_capsules (viewer, capsules);

      over = ended;
      while (tti_viewer_next (viewer, &event, NULL))
        write_event (file, &event);
      fflush (file);
      ended = tti_viewer_has_ended (viewer);
      if (!ended)
        poll (NULL, 0, 5);
    }
  if (strcmp (argv[2], "forgetful") == 0 && !is_second)
    return 0;
  fprintf (file, "finished\n");
  fclose (file);
  (void) tti_viewer_ask (viewer, TTI_LOOK_FINISHED, 0);
  return 0;
}
