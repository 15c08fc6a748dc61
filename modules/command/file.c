/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files of a run's folder: written from a text, or copied. */
#include "command/command.h"
#include "platform/fd-limit.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum
{
  COPY_CHUNK = 1 << 18
};

typedef struct
{
  char *from; /* a file, or NULL: */
  const char *bytes;
  gsize n_bytes;
  char *to;
} Filling;

static gboolean
write_all (int fd, const char *bytes, gsize n)
{
  while (n > 0)
    {
      ssize_t written = write (fd, bytes, n);

      if (written < 0 && errno != EINTR)
        return FALSE;
      bytes += MAX (written, 0);
      n -= (gsize) MAX (written, 0);
    }
  return TRUE;
}

static gboolean
copy_all (int from, int to)
{
  g_autofree char *chunk = g_malloc (COPY_CHUNK);

  for (;;)
    {
      ssize_t n = read (from, chunk, COPY_CHUNK);

      if (n == 0)
        return TRUE;
      if ((n < 0 && errno != EINTR) || (n > 0 && !write_all (to, chunk, (gsize) n)))
        return FALSE;
    }
}

/* Make the file TO. FALSE: errno says why not. */
static gboolean
filling_do (const Filling *filling)
{
  struct stat status = { .st_mode = S_IFREG | 0666 };
  const int writing = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;

  tti_fd_begin_opening ();
  /* A pipe, which nobody may ever write to, is not waited for. */
  tti_autofd int from = filling->from != NULL ? open (filling->from, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
  gboolean readable = filling->from == NULL || (from >= 0 && fstat (from, &status) == 0);

  if (readable && !S_ISREG (status.st_mode))
    {
      errno = EINVAL;
      readable = FALSE;
    }
  tti_autofd int to = readable ? open (filling->to, writing, (status.st_mode & 0777) | 0600) : -1;

  tti_fd_end_opening ();
  if (to < 0)
    return FALSE;
  if (from < 0)
    return write_all (to, filling->bytes, filling->n_bytes);
  /* What a program has changed in an attempt before this one, and what umask () has taken, must not stay. */
  return copy_all (from, to) && fchmod (to, (status.st_mode & 0777) | 0600) == 0;
}

/* NULL, or errno. */
static void *
filling_run (void *filling)
{
  return filling_do (filling) ? NULL : GINT_TO_POINTER (errno);
}

static SCM
fill (Filling *filling)
{
  return scm_from_int (GPOINTER_TO_INT (scm_without_guile (filling_run, filling)));
}

/* (%command-write-file NAME BYTES): write the bytevector BYTES to the file NAME. -> 0, or errno. */
static SCM
write_file (SCM name, SCM bytes)
{
  Filling filling = { .bytes = (const char *) SCM_BYTEVECTOR_CONTENTS (bytes), .n_bytes = SCM_BYTEVECTOR_LENGTH (bytes) };

  scm_dynwind_begin (0);
  filling.to = scm_to_locale_string (name);
  scm_dynwind_free (filling.to);
  SCM result = fill (&filling);

  scm_remember_upto_here_1 (bytes);
  scm_dynwind_end ();
  return result;
}

/* (%command-copy-file FROM NAME): copy the regular file FROM, with its permissions, but so that it can be changed. -> 0, or errno. */
static SCM
copy_file (SCM from, SCM name)
{
  Filling filling = { 0 };

  scm_dynwind_begin (0);
  filling.from = scm_to_locale_string (from);
  scm_dynwind_free (filling.from);
  filling.to = scm_to_locale_string (name);
  scm_dynwind_free (filling.to);
  SCM result = fill (&filling);

  scm_dynwind_end ();
  return result;
}

void
tti_command_init_file (void)
{
  scm_c_define_gsubr ("%command-write-file", 2, 0, 0, (scm_t_subr) write_file);
  scm_c_define_gsubr ("%command-copy-file", 2, 0, 0, (scm_t_subr) copy_file);
}
