/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Path, arguments and environment as NUL-terminated strings, one after another, in a memfd. */
#include "process/watcher-program.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/memory.h"
#include "process/watcher-packet.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static guint32
strings_append (GByteArray *bytes, const char *const *strings)
{
  guint32 n = 0;

  for (; strings[n] != NULL; n++)
    g_byte_array_append (bytes, (const guint8 *) strings[n], (guint) strlen (strings[n]) + 1);
  return n;
}

int
tti_watcher_program_pack (const TtiWatcherProgram *program, guint32 *n_args, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  g_byte_array_append (bytes, (const guint8 *) program->path, (guint) strlen (program->path) + 1);
  *n_args = strings_append (bytes, program->argv);
  strings_append (bytes, program->envp);
  if (bytes->len > TTI_WATCHER_MAX_STRINGS)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT,
                   "arguments and environment of '%s' are %u bytes, at most %" G_GSIZE_FORMAT " can be handed over", program->path,
                   bytes->len, TTI_WATCHER_MAX_STRINGS);
      return -1;
    }
  tti_autofd int fd = tti_memory_open ("tutti-program", bytes->len, error);

  if (fd < 0)
    return -1;
  for (gsize done = 0; done < bytes->len;)
    {
      gssize n = pwrite (fd, bytes->data + done, bytes->len - done, (off_t) done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          tti_set_errno (error, errno, "cannot write the arguments of '%s' to shared memory", program->path);
          return -1;
        }
      done += (gsize) n;
    }
  return g_steal_fd (&fd);
}

/* The contents of FD, to be freed; a copy, because the other side could still write to the memory. NULL and errno on error. */
static char *
text_read (int fd, gsize size)
{
  g_autofree char *text = g_malloc (size);

  for (gsize done = 0; done < size;)
    {
      gssize n = pread (fd, text + done, size - done, (off_t) done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          errno = n < 0 ? errno : EINVAL;
          return NULL;
        }
      done += (gsize) n;
    }
  return g_steal_pointer (&text);
}

/* Pointers to the strings in TEXT: the path, N_ARGS arguments, NULL, the environment, NULL; NULL if there are too
 * few. */
static GPtrArray *
text_split (const char *text, gsize size, guint32 n_args)
{
  g_autoptr (GPtrArray) strings = g_ptr_array_new ();

  if (text[size - 1] != '\0' || n_args == 0)
    return NULL;
  for (const char *string = text; string < text + size; string += strlen (string) + 1)
    {
      g_ptr_array_add (strings, (gpointer) string);
      if (strings->len == (guint64) n_args + 1)
        g_ptr_array_add (strings, NULL);
    }
  if (strings->len < (guint64) n_args + 2)
    return NULL;
  g_ptr_array_add (strings, NULL);
  return g_steal_pointer (&strings);
}

gboolean
tti_watcher_program_unpack (int fd, guint32 n_args, TtiWatcherStrings *strings, GError **error)
{
  gssize size = tti_memory_size (fd, error);

  *strings = (TtiWatcherStrings){ 0 };
  if (size < 0)
    return FALSE;
  if (size == 0 || (gsize) size > TTI_WATCHER_MAX_STRINGS)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
                   "a worker's arguments and environment are %" G_GSSIZE_FORMAT " bytes, expected 1 to %" G_GSIZE_FORMAT, size,
                   TTI_WATCHER_MAX_STRINGS);
      errno = EINVAL;
      return FALSE;
    }
  strings->text = text_read (fd, (gsize) size);
  if (strings->text == NULL)
    {
      tti_set_errno (error, errno, "cannot read a worker's arguments");
      return FALSE;
    }
  strings->strings = text_split (strings->text, (gsize) size, n_args);
  if (strings->strings == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
                   "a worker's strings do not end with NUL or hold no path and %u arguments, expected at least one", n_args);
      tti_watcher_program_clear (strings);
      errno = EINVAL;
      return FALSE;
    }
  const char *const *all = (const char *const *) strings->strings->pdata;

  strings->program = (TtiWatcherProgram){ .path = all[0], .argv = all + 1, .envp = all + 2 + n_args };
  return TRUE;
}

void
tti_watcher_program_clear (TtiWatcherStrings *strings)
{
  g_clear_pointer (&strings->strings, g_ptr_array_unref);
  g_clear_pointer (&strings->text, g_free);
}
