/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "journal/clean-text.h"

enum
{
  MOST_BYTES = 64 * 1024,
  MOST_MARKS = 3 /* on one letter: more make a tower that covers other lines */
};

#define ESCAPE 0x1b

/* Behind the ESC at AT: the end of the sequence that it begins, for terminals. */
static const char *
skip_sequence (const char *at, const char *end)
{
  char kind = at < end ? *at : '\0';

  if (kind == '[') /* parameters, then one letter */
    {
      for (at++; at < end && *at >= 0x20 && *at < 0x40; at++)
        ;
      return at < end && *at >= 0x40 && *at < 0x7f ? at + 1 : at;
    }
  if (kind == ']' || kind == 'P' || kind == '_' || kind == '^')
    {
      /* A text, up to BEL or ESC \; of one line, so that little is lost without. */
      for (at++; at < end && *at != '\a' && *at != ESCAPE && *at != '\n'; at++)
        ;
      return at < end && *at == '\a' ? at + 1 : at + 1 < end && *at == ESCAPE && at[1] == '\\' ? at + 2 : at;
    }
  for (; at < end && *at >= 0x20 && *at < 0x30; at++)
    ;
  return at < end && *at >= 0x30 && *at < 0x7f ? at + 1 : at;
}

/* Those of no visible kind that Unicode does not count among formats. */
static gboolean
is_invisible (gunichar c)
{
  return c == 0x34f || c == 0x115f || c == 0x1160 || c == 0x17b4 || c == 0x17b5 || (c >= 0x180b && c <= 0x180f) || c == 0x2800
         || c == 0x3164 || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xffa0 || (c >= 0xe0000 && c <= 0xe0fff);
}

static void
append_character (GString *out, gunichar c, gboolean keep_lines, guint *n_marks)
{
  GUnicodeType type = g_unichar_type (c);
  gboolean is_mark = type == G_UNICODE_NON_SPACING_MARK || type == G_UNICODE_ENCLOSING_MARK;

  if (c == '\n' || type == G_UNICODE_LINE_SEPARATOR || type == G_UNICODE_PARAGRAPH_SEPARATOR)
    g_string_append_c (out, keep_lines ? '\n' : ' ');
  else if (c == '\t' || type == G_UNICODE_SPACE_SEPARATOR)
    g_string_append_c (out, ' ');
  else if (type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT || type == G_UNICODE_SURROGATE || type == G_UNICODE_PRIVATE_USE
           || type == G_UNICODE_UNASSIGNED || is_invisible (c))
    return;
  else if (!is_mark || *n_marks < MOST_MARKS)
    g_string_append_unichar (out, c);
  *n_marks = is_mark ? *n_marks + 1 : 0;
}

void
tti_clean_text_append (GString *out, const char *bytes, gsize n_bytes, gboolean keep_lines)
{
  const char *at = bytes, *end = bytes + MIN (n_bytes, MOST_BYTES);
  gboolean was_wrong = FALSE;
  guint n_marks = 0;

  while (at < end)
    {
      gunichar c = *at != '\0' ? g_utf8_get_char_validated (at, end - at) : 0;
      gboolean is_wrong = (gint32) c < 0;

      if (is_wrong)
        {
          /* Of several bytes one sign, else binary data would fill the page. */
          if (!was_wrong)
            g_string_append_unichar (out, 0xfffd);
          at++;
        }
      else if (c == ESCAPE)
        at = skip_sequence (at + 1, end);
      else
        {
          append_character (out, c, keep_lines, &n_marks);
          at += c == 0 ? 1 : g_unichar_to_utf8 (c, NULL);
        }
      was_wrong = is_wrong;
    }
  if (n_bytes > MOST_BYTES)
    g_string_append (out, "…");
}
