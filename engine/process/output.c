/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Bytes to lines. */
#include "process/output.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct _TtiOutput
{
  int fd;
  guint keep;
  GQueue tail; /* of char *, newest last */
  GString *partial;
  TtiOutputLine line;
  TtiOutputFlood flood;
  gpointer user_data;
  gboolean flooded; /* FLOOD has taken the last bytes */
};

enum { USUAL_BYTES = 16 * 1024, FLOOD_BYTES = 64 * 1024, FLOOD_PIPE_BYTES = 1024 * 1024 };

TtiOutput *
tti_output_new (int fd, guint keep, TtiOutputLine line, gpointer user_data)
{
  TtiOutput *output = g_new0 (TtiOutput, 1);

  output->fd = fd;
  output->keep = keep;
  g_queue_init (&output->tail);
  output->partial = g_string_new (NULL);
  output->line = line;
  output->user_data = user_data;
  return output;
}

void
tti_output_free (TtiOutput *output)
{
  if (output == NULL)
    return;
  tti_fd_clear (&output->fd);
  g_queue_clear_full (&output->tail, g_free);
  g_string_free (output->partial, TRUE);
  g_free (output);
}

void
tti_output_set_flood (TtiOutput *output, TtiOutputFlood flood)
{
  output->flood = flood;
}

int
tti_output_get_fd (TtiOutput *output)
{
  return output->fd;
}

static void
output_keep (TtiOutput *output, const char *line, gsize length)
{
  if (output->keep == 0)
    return;
  if (output->tail.length == output->keep)
    g_free (g_queue_pop_head (&output->tail));
  g_queue_push_tail (&output->tail, g_strndup (line, MIN (length, TTI_OUTPUT_MAX_LINE)));
}

/* Keep the last lines of BYTES. */
static void
output_keep_last (TtiOutput *output, const char *bytes, gsize length)
{
  const char *start = bytes + length, *end = bytes + length;

  for (guint n = 0; n < output->keep && start > bytes; n++)
    {
      const char *newline = memrchr (bytes, '\n', (gsize) (start - 1 - bytes));

      start = newline != NULL ? newline + 1 : bytes;
    }
  while (start < end)
    {
      const char *newline = memchr (start, '\n', (gsize) (end - start));

      output_keep (output, start, (gsize) (newline - start));
      start = newline + 1;
    }
}

static void
output_deliver (TtiOutput *output)
{
  output_keep (output, output->partial->str, output->partial->len);
  output->line (output->partial->str, output->partial->len, output->user_data);
  g_string_truncate (output->partial, 0);
}

/* The number of the next bytes that FLOOD takes as they are, in whole lines. */
static gsize
output_take_flood (TtiOutput *output, const char *bytes, gsize length)
{
  gsize n = output->flood != NULL && output->partial->len == 0 ? length : 0;

  while (n > 0 && bytes[n - 1] != '\n')
    n--;
  if (n == 0 || !output->flood (bytes, n, output->user_data))
    return 0;
  /* A larger pipe makes the writer wait for us less often; if that is refused, it keeps its size. */
  if (!output->flooded)
    (void) fcntl (output->fd, F_SETPIPE_SZ, FLOOD_PIPE_BYTES);
  output->flooded = TRUE;
  output_keep_last (output, bytes, n);
  return n;
}

static void
output_take (TtiOutput *output, const char *bytes, gsize length)
{
  while (length > 0)
    {
      gsize taken = output_take_flood (output, bytes, length);

      bytes += taken;
      length -= taken;
      if (length == 0)
        break;
      const char *newline = memchr (bytes, '\n', length);
      gsize n = newline != NULL ? (gsize) (newline - bytes) : length;
      gsize room = TTI_OUTPUT_MAX_LINE - output->partial->len;
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
tti_output_read (TtiOutput *output, gsize max)
{
  char buffer[FLOOD_BYTES];

  for (gsize total = 0; total < max;)
    {
      gssize n = read (output->fd, buffer, output->flooded ? FLOOD_BYTES : USUAL_BYTES);

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
      output->flooded = FALSE;
      output_take (output, buffer, (gsize) n);
      total += output->flooded ? (gsize) n / 16 : (gsize) n;
    }
  return TRUE;
}

char *
tti_output_get_tail (TtiOutput *output)
{
  GString *text = g_string_new (NULL);

  for (GList *l = output->tail.head; l != NULL; l = l->next)
    g_string_append_printf (text, "%s\n", (const char *) l->data);
  return g_string_free (text, FALSE);
}
