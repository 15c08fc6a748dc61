/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Process titles, which replace the arguments.
 *
 * ps shows the bytes where the kernel has put the arguments, up to the first NUL that is followed by nothing else. Only privileged
 * processes can change that place (PR_SET_MM_ARG_START); but any process can overwrite the bytes there. The environment follows
 * them; as processes are found by it (process-mark.h), it is left alone, and the last byte stays NUL, or the kernel would take the
 * environment for a part of the title. */
#include "platform/process-title.h"
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

static struct
{
  char *start;
  gsize size;
} arguments;

void
tti_process_title_prepare (int argc, char **argv)
{
  char *end = argc > 0 ? argv[0] : NULL;

  for (int i = 0; i < argc && argv[i] == end; i++)
    end += strlen (end) + 1;
  if (argc < 1)
    return;
  arguments.start = argv[0];
  arguments.size = (gsize) (end - argv[0]);
  /* libc's messages begin with these, which point to the arguments. */
  program_invocation_name = g_strdup (program_invocation_name);
  program_invocation_short_name = g_path_get_basename (program_invocation_name);
}

gsize
tti_process_title_room (void)
{
  return arguments.size > 0 ? arguments.size - 1 : 0;
}

char *
tti_process_title_text (const char *text, gsize most, gboolean mark)
{
  static const char ellipsis[] = "…";
  GString *result = g_string_new (NULL);
  gsize length = strlen (text), kept = 0;

  for (const char *at = text; at < text + length && result->len <= most;)
    {
      gunichar c = g_utf8_get_char_validated (at, (gssize) (text + length - at));
      gboolean valid = c != (gunichar) -1 && c != (gunichar) -2;

      if (valid && g_unichar_isprint (c))
        g_string_append_unichar (result, c);
      else
        g_string_append_c (result, '?');
      at = valid ? g_utf8_next_char (at) : at + 1;
      /* Where to truncate a title that is too long. */
      if (result->len + (mark ? sizeof ellipsis - 1 : 0) <= most)
        kept = result->len;
    }
  if (result->len > most)
    {
      g_string_truncate (result, kept);
      if (mark && kept + sizeof ellipsis - 1 <= most)
        g_string_append (result, ellipsis);
    }
  return g_string_free (result, FALSE);
}

void
tti_process_set_title (const char *title, const char *short_name)
{
  g_autofree char *text = tti_process_title_text (title, tti_process_title_room (), FALSE);
  g_autofree char *name = tti_process_title_text (short_name, TTI_SHORT_NAME_BYTES, FALSE);

  if (arguments.size > 0)
    {
      memset (arguments.start, 0, arguments.size);
      memcpy (arguments.start, text, strlen (text));
    }
  prctl (PR_SET_NAME, name, 0, 0, 0);
}
