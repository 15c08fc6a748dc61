/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Bytes to lines. */
#include "process/output.h"
#include "platform/fd.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct _TuttiOutput
{
  int fd;
  guint keep;
  GQueue tail; /* of char *, newest last */
  GString *partial;
  TuttiOutputLine line;
  gpointer user_data;
};

TuttiOutput *
tutti_output_new (int fd, guint keep, TuttiOutputLine line, gpointer user_data)
{
  TuttiOutput *output = g_new0 (TuttiOutput, 1);

  output->fd = fd;
  output->keep = keep;
  g_queue_init (&output->tail);
  output->partial = g_string_new (NULL);
  output->line = line;
  output->user_data = user_data;
  return output;
}

void
tutti_output_free (TuttiOutput *output)
{
  if (output == NULL)
    return;
  tutti_fd_clear (&output->fd);
  g_queue_clear_full (&output->tail, g_free);
  g_string_free (output->partial, TRUE);
  g_free (output);
}

int
tutti_output_get_fd (TuttiOutput *output)
{
  return output->fd;
}

static void
output_deliver (TuttiOutput *output)
{
  if (output->keep > 0)
    {
      if (output->tail.length == output->keep)
        g_free (g_queue_pop_head (&output->tail));
      g_queue_push_tail (&output->tail, g_strndup (output->partial->str, output->partial->len));
    }
  output->line (output->partial->str, output->partial->len, output->user_data);
  g_string_truncate (output->partial, 0);
}

static void
output_take (TuttiOutput *output, const char *bytes, gsize length)
{
  while (length > 0)
    {
      const char *newline = memchr (bytes, '\n', length);
      gsize n = newline != NULL ? (gsize) (newline - bytes) : length;
      gsize room = TUTTI_OUTPUT_MAX_LINE - output->partial->len;
      gboolean full = n >= room && !(newline != NULL && n == room);

      n = MIN (n, room);
      g_string_append_len (output->partial, bytes, (gssize) n);
      bytes += n;
      length -= n;
      if (full)
        output_deliver (output);
      else if (newline != NULL)
        {
          output_deliver (output);
          bytes++;
          length--;
        }
    }
}

gboolean
tutti_output_read (TuttiOutput *output, gsize max)
{
  char buffer[16384];

  for (gsize total = 0; total < max;)
    {
      gssize n = read (output->fd, buffer, sizeof buffer);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EAGAIN)
        return TRUE;
      if (n <= 0)
        {
          if (output->partial->len > 0)
            output_deliver (output);
          return FALSE;
        }
      output_take (output, buffer, (gsize) n);
      total += (gsize) n;
    }
  return TRUE;
}

char *
tutti_output_get_tail (TuttiOutput *output)
{
  GString *text = g_string_new (NULL);

  for (GList *l = output->tail.head; l != NULL; l = l->next)
    g_string_append_printf (text, "%s\n", (const char *) l->data);
  return g_string_free (text, FALSE);
}
