/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The columns of terminals and of text on them. */
#include "bindings/guile-convert.h"
#include "platform/terminal.h"

/* (%terminal-columns fd): how many columns it has now; 0: it is no terminal, or that is not known */
static SCM
terminal_columns (SCM fd)
{
  return scm_from_uint (tti_terminal_columns (scm_to_int (fd)));
}

/* (%character-columns character): how many columns it takes, 0, 1 or 2 */
static SCM
character_columns (SCM character)
{
  gunichar c = scm_to_uint32 (scm_char_to_integer (character));

  return scm_from_int (g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1);
}

void
tti_guile_init_terminal (void)
{
  scm_c_define_gsubr ("%terminal-columns", 1, 0, 0, terminal_columns);
  scm_c_define_gsubr ("%character-columns", 1, 0, 0, character_columns);
}
