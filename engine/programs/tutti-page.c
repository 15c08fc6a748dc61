/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti-page PORT: the companion of an engine (pool/companion.h) that serves the page of a job at PORT, 0 for any. Its secret is the
 * token. */
#include "programs/companion-side.h"
#include "page/page.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST_TOKEN = 128 };

static void
read_token (char *token, gsize size)
{
  gsize length = 0;

  for (gssize n; length + 1 < size && (n = read (TTI_COMPANION_SECRET, token + length, size - 1 - length)) != 0;)
    if (n > 0)
      length += (gsize) n;
    else if (errno != EINTR)
      break;
  token[length] = '\0';
}

static int
serve (guint16 port, int word)
{
  g_autoptr (GError) error = NULL;
  char token[MOST_TOKEN];

  read_token (token, sizeof token);
  if (*token == '\0')
    return tti_companion_refuse ("there is no token");
  TtiViewer *viewer = tti_viewer_new (TTI_COMPANION_VIEWER, &error);
  TtiPage *page = viewer != NULL ? tti_page_new (viewer, port, token, &error) : NULL;

  if (page == NULL)
    return tti_companion_refuse (error->message);
  dprintf (TTI_COMPANION_REASONS, "say " TTI_PAGE_NOTE " %u\n", tti_page_get_port (page));
  if (!tti_companion_ready (word))
    return 1;
  tti_page_run (page);
  tti_page_free (page);
  return 0;
}

int
main (int argc, char **argv)
{
  char *end = NULL;
  guint64 port = argc == 2 ? g_ascii_strtoull (argv[1], &end, 10) : G_MAXUINT64;
  int word, status;

  if (port > G_MAXUINT16 || *end != '\0')
    {
      fprintf (stderr, "usage: tutti-page PORT; `tutti run --page' starts it\n");
      return 2;
    }
  if (!tti_companion_begin (&word, &status))
    return status;
  signal (SIGPIPE, SIG_IGN);
  return serve ((guint16) port, word);
}
