/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The columns of terminals and of text on them; keys. */
#include "bindings/guile-convert.h"
#include "bindings/guile-pool-private.h"
#include "platform/terminal.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { MOST_KEYS = 256 }; /* bytes */

/* (%terminal-columns fd): how many columns it has now; 0: it is no terminal, or that is not known */
static SCM
terminal_columns (SCM fd)
{
  return scm_from_uint (tti_terminal_columns (scm_to_int (fd)));
}

/* (%terminal-rows fd): the same of rows */
static SCM
terminal_rows (SCM fd)
{
  return scm_from_uint (tti_terminal_rows (scm_to_int (fd)));
}

/* (%begin-keys! fd): see tti_terminal_begin_keys () */
static SCM
begin_keys (SCM fd)
{
  return scm_from_bool (tti_terminal_begin_keys (scm_to_int (fd)));
}

static SCM
end_keys (void)
{
  tti_terminal_end_keys ();
  return SCM_UNSPECIFIED;
}

/* (%read-keys fd seconds) -> a bytevector, empty if nothing was typed in SECONDS, or a signal has come before; #f: the end */
static SCM
read_keys (SCM fd, SCM seconds)
{
  int c_fd = scm_to_int (fd);
  double s = CLAMP (scm_to_double (seconds), 0.0, 3600.0);
  struct timeval limit = { .tv_sec = (time_t) s, .tv_usec = (suseconds_t) ((s - (double) (time_t) s) * 1e6) };
  char bytes[MOST_KEYS];
  ssize_t n = 0;

  if (tti_guile_select (c_fd, FALSE, &limit) > 0)
    {
      n = read (c_fd, bytes, sizeof bytes);
      if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        return SCM_BOOL_F;
    }
  scm_async_tick ();
  SCM result = scm_c_make_bytevector ((gsize) MAX (n, 0));

  memcpy (SCM_BYTEVECTOR_CONTENTS (result), bytes, (gsize) MAX (n, 0));
  return result;
}

/* (%suspend!): stop this process, as Ctrl-Z does, until it is to go on */
static SCM
suspend (void)
{
  raise (SIGSTOP);
  return SCM_UNSPECIFIED;
}

/* (%character-columns character): how many columns it takes, 0, 1 or 2 */
static SCM
character_columns (SCM character)
{
  gunichar c = scm_to_uint32 (scm_char_to_integer (character));

  return scm_from_int (g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1);
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%terminal-columns", 1, terminal_columns },
  { "%terminal-rows", 1, terminal_rows },
  { "%begin-keys!", 1, begin_keys },
  { "%end-keys!", 0, end_keys },
  { "%read-keys", 2, read_keys },
  { "%suspend!", 0, suspend },
  { "%character-columns", 1, character_columns },
};

void
tti_guile_init_terminal (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
