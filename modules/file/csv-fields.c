/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The records and fields of a CSV file (RFC 4180). */
#include "file/file.h"
#include <stdbool.h>
#include <string.h>

typedef struct
{
  const unsigned char *p, *end;
  const unsigned char *text;
  unsigned char separator;
  uint64_t line; /* of P, from 1 */
  /* The field that was read last. */
  uint64_t start, length;
  bool last; /* of its record */
} Scanner;

/* Lines end with LF, CR LF, or, in files of old systems, CR. */
static bool
skip_line_end (Scanner *s)
{
  if (s->p == s->end || (*s->p != '\n' && *s->p != '\r'))
    return false;
  s->p += s->p[0] == '\r' && s->p + 1 < s->end && s->p[1] == '\n' ? 2 : 1;
  s->line++;
  return true;
}

/* Steps over one character that is not ASCII; returns false if it is none of UTF-8. */
static bool
skip_wide (Scanner *s)
{
  const unsigned char *p = s->p;
  size_t more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
  uint32_t c = *p & (0x3fu >> more);

  if (*p < 0xc2 || *p > 0xf4 || (size_t) (s->end - p) <= more)
    return false;
  for (size_t i = 1; i <= more; i++)
    {
      if ((p[i] & 0xc0) != 0x80)
        return false;
      c = c << 6 | (p[i] & 0x3f);
    }
  s->p += more + 1;
  return c >= (more == 3 ? 0x10000u : more == 2 ? 0x800u : 0x80u) && c <= 0x10ffff && !(c >= 0xd800 && c < 0xe000);
}

static int
scan_quoted (Scanner *s)
{
  uint64_t flags = 1, line = s->line;

  s->start = (uint64_t) (++s->p - s->text);
  while (s->p < s->end)
    if (*s->p == '"')
      {
        if (s->p + 1 == s->end || s->p[1] != '"')
          {
            s->length = ((uint64_t) (s->p - s->text) - s->start) << 2 | flags;
            s->p++;
            if (s->p < s->end && *s->p != s->separator && *s->p != '\n' && *s->p != '\r')
              return TUTTI_CSV_AFTER_QUOTE;
            return TUTTI_CSV_GOOD;
          }
        flags = 3;
        s->p += 2;
      }
    else if (*s->p >= 0x80)
      {
        if (!skip_wide (s))
          return TUTTI_CSV_NO_UTF8;
      }
    else if (!skip_line_end (s))
      s->p++;
  s->line = line;
  return TUTTI_CSV_OPEN_QUOTE;
}

static int
scan_plain (Scanner *s)
{
  s->start = (uint64_t) (s->p - s->text);
  while (s->p < s->end && *s->p != s->separator && *s->p != '\n' && *s->p != '\r')
    if (*s->p < 0x80)
      s->p++;
    else if (!skip_wide (s))
      return TUTTI_CSV_NO_UTF8;
  s->length = ((uint64_t) (s->p - s->text) - s->start) << 2;
  return TUTTI_CSV_GOOD;
}

static int
scan_field (Scanner *s)
{
  int status = s->p < s->end && *s->p == '"' ? scan_quoted (s) : scan_plain (s);

  if (status != TUTTI_CSV_GOOD)
    return status;
  s->last = s->p == s->end || *s->p != s->separator;
  if (!s->last)
    s->p++;
  return TUTTI_CSV_GOOD;
}

int
tutti_csv_split (const char *text, size_t size, char separator, uint64_t *fields, uint64_t *lines, uint64_t *place)
{
  const unsigned char *bytes = (const unsigned char *) text;
  Scanner s = { .p = bytes, .end = bytes + size, .text = bytes, .separator = (unsigned char) separator, .line = 1 };
  uint64_t records = 0, columns = 0;

  for (;;)
    {
      uint64_t found = 0, line;

      while (skip_line_end (&s))
        ;
      if (s.p == s.end)
        break;
      line = s.line;
      do
        {
          int status = scan_field (&s);

          found++;
          if (status != TUTTI_CSV_GOOD)
            {
              place[0] = s.line;
              place[1] = found;
              return status;
            }
          if (fields != NULL && (records == 0 || found <= columns))
            {
              fields[TUTTI_CSV_START] = s.start;
              fields[TUTTI_CSV_LENGTH] = s.length;
              fields += TUTTI_CSV_WORDS;
            }
        }
      while (!s.last);
      skip_line_end (&s);
      if (records > 0 && found != columns)
        {
          place[0] = line;
          place[1] = found;
          place[2] = columns;
          return TUTTI_CSV_COLUMNS;
        }
      columns = found;
      if (lines != NULL)
        *lines++ = line;
      records++;
    }
  place[0] = records;
  place[1] = columns;
  return TUTTI_CSV_GOOD;
}
