/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "umbridge/answer.h"
#include <string.h>

G_DEFINE_QUARK (tti - http - error - quark, tti_http_error)

enum
{
  MOST_LINE = 16384,
  MOST_LINES = 1000,
  MOST_INTERIM = 10,
  MOST_SHOWN = 200
};

typedef enum
{
  AT_STATUS,
  AT_HEADER,
  AT_BODY,       /* as long as was said, or up to the end of the connection */
  AT_CHUNK_SIZE, /* the body comes in chunks */
  AT_CHUNK,
  AT_CHUNK_END,
  AT_TRAILER,
  AT_END
} Place;

struct _TtiHttpReader
{
  Place place;
  gsize limit;
  GString *line; /* the one that has begun */
  guint n_lines, n_interim;
  gboolean chunked, has_length;
  guint64 length; /* of the body, or of the present chunk: what is missing of it */
  GError **error;
};

TtiHttpAnswer *
tti_http_answer_new (gsize limit)
{
  TtiHttpAnswer *answer = g_new0 (TtiHttpAnswer, 1);

  answer->retry_after = -1;
  answer->body = g_byte_array_new ();
  answer->reader = g_new0 (TtiHttpReader, 1);
  answer->reader->limit = limit;
  answer->reader->line = g_string_new (NULL);
  return answer;
}

void
tti_http_answer_free (TtiHttpAnswer *answer)
{
  if (answer == NULL)
    return;
  g_free (answer->location);
  g_byte_array_unref (answer->body);
  g_string_free (answer->reader->line, TRUE);
  g_free (answer->reader);
  g_free (answer);
}

char *
tti_http_show (const guint8 *bytes, gsize count)
{
  g_autofree char *text
    = count > 0 ? g_utf8_make_valid ((const char *) bytes, (gssize) MIN (count, 4 * MOST_SHOWN)) : g_strdup ("");
  GString *shown = g_string_new (NULL);
  glong n = 0;

  for (const char *c = text; *c != '\0' && n < MOST_SHOWN; c = g_utf8_next_char (c), n++)
    {
      gunichar character = g_utf8_get_char (c);

      g_string_append_unichar (shown, g_unichar_isprint (character) ? character : ' ');
    }
  g_strstrip (shown->str);
  g_string_truncate (shown, strlen (shown->str));
  if (n == MOST_SHOWN)
    g_string_append (shown, "…");
  return g_string_free (shown, FALSE);
}

G_GNUC_PRINTF (2, 3)
static gboolean
refuse (TtiHttpAnswer *answer, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (answer->reader->error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_ANSWER, message);
  answer->keep_alive = FALSE;
  return FALSE;
}

static gboolean
refuse_line (TtiHttpAnswer *answer, const char *line, const char *expected)
{
  g_autofree char *shown = tti_http_show ((const guint8 *) line, strlen (line));

  return refuse (answer, "the server sent \"%s\"; expected %s of HTTP/1.1", shown, expected);
}

static gboolean
refuse_value (TtiHttpAnswer *answer, const char *name, const char *value)
{
  g_autofree char *shown = tti_http_show ((const guint8 *) value, strlen (value));

  return refuse (answer, "the server sent the %s \"%s\", which was not asked for", name, shown);
}

static gboolean
refuse_length (TtiHttpAnswer *answer, guint64 length)
{
  return refuse (
    answer, "the answer has %" G_GUINT64_FORMAT " bytes or more; at most %" G_GSIZE_FORMAT " were expected (#:limit)",
    length, answer->reader->limit);
}

/*** The head. ***/

static gboolean
take_status (TtiHttpAnswer *answer, const char *line)
{
  /* Some servers send an empty line behind an earlier body. */
  if (*line == '\0' && answer->reader->n_lines == 1)
    return TRUE;
  if (!(g_str_has_prefix (line, "HTTP/1.") && g_ascii_isdigit (line[7]) && line[8] == ' ' && g_ascii_isdigit (line[9])
        && g_ascii_isdigit (line[10]) && g_ascii_isdigit (line[11]) && (line[12] == ' ' || line[12] == '\0')))
    return refuse_line (answer, line, "the first line of an answer");
  answer->status = (guint) g_ascii_strtoull (line + 9, NULL, 10);
  answer->keep_alive = line[7] != '0';
  answer->reader->place = AT_HEADER;
  return TRUE;
}

static gboolean
take_content_length (TtiHttpAnswer *answer, const char *value)
{
  TtiHttpReader *reader = answer->reader;
  guint64 length;

  if (!g_ascii_string_to_unsigned (value, 10, 0, G_MAXINT64, &length, NULL))
    return refuse_line (answer, value, "a number of bytes as Content-Length");
  if (reader->has_length && reader->length != length)
    return refuse (answer, "the server sent two different values of Content-Length");
  reader->has_length = TRUE;
  reader->length = length;
  return TRUE;
}

static gboolean
has_word (const char *list, const char *word)
{
  g_auto (GStrv) words = g_strsplit (list, ",", -1);

  for (char **w = words; *w != NULL; w++)
    if (g_ascii_strcasecmp (g_strstrip (*w), word) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
take_header (TtiHttpAnswer *answer, const char *name, const char *value)
{
  guint64 seconds;

  if (g_ascii_strcasecmp (name, "Content-Length") == 0)
    return take_content_length (answer, value);
  if (g_ascii_strcasecmp (name, "Transfer-Encoding") == 0)
    {
      if (g_ascii_strcasecmp (value, "chunked") != 0 || answer->reader->chunked)
        return refuse_line (answer, value, "chunked as Transfer-Encoding");
      answer->reader->chunked = TRUE;
    }
  /* Nothing was said of encodings that are accepted; few bytes of one can stand for very many. */
  else if (g_ascii_strcasecmp (name, "Content-Encoding") == 0 && g_ascii_strcasecmp (value, "identity") != 0)
    return refuse_value (answer, "Content-Encoding", value);
  else if (g_ascii_strcasecmp (name, "Connection") == 0)
    answer->keep_alive = !has_word (value, "close") && (answer->keep_alive || has_word (value, "keep-alive"));
  else if (g_ascii_strcasecmp (name, "Location") == 0)
    {
      g_free (answer->location);
      answer->location = tti_http_show ((const guint8 *) value, strlen (value));
    }
  /* (It may also be a date, of which nothing is made.) */
  else if (g_ascii_strcasecmp (name, "Retry-After") == 0
           && g_ascii_string_to_unsigned (value, 10, 0, 1000000, &seconds, NULL))
    answer->retry_after = (double) seconds;
  return TRUE;
}

static void
complete (TtiHttpAnswer *answer)
{
  answer->complete = TRUE;
  answer->reader->place = AT_END;
}

/* The head is there. */
static gboolean
end_head (TtiHttpAnswer *answer)
{
  TtiHttpReader *reader = answer->reader;

  if (answer->status < 200)
    {
      if (answer->status < 100 || answer->status == 101 || ++reader->n_interim > MOST_INTERIM)
        return refuse (answer, "the server sent the status %u, which was not asked for", answer->status);
      answer->status = 0;
      reader->n_lines = 0;
      reader->has_length = reader->chunked = FALSE;
      reader->place = AT_STATUS;
      return TRUE;
    }
  if (answer->status == 204 || answer->status == 304)
    {
      complete (answer);
      return TRUE;
    }
  if (reader->chunked)
    {
      /* Whoever sends both may want to smuggle something. */
      if (reader->has_length)
        answer->keep_alive = FALSE;
      reader->place = AT_CHUNK_SIZE;
      return TRUE;
    }
  if (!reader->has_length)
    answer->keep_alive = FALSE;
  else if (reader->length > reader->limit)
    return refuse_length (answer, reader->length);
  reader->place = AT_BODY;
  if (reader->has_length && reader->length == 0)
    complete (answer);
  return TRUE;
}

static gboolean
take_header_line (TtiHttpAnswer *answer, char *line)
{
  char *colon = strchr (line, ':');

  if (*line == '\0')
    return end_head (answer);
  if (colon == NULL || colon == line || g_ascii_isspace (*line) || g_ascii_isspace (colon[-1]))
    return refuse_line (answer, line, "a header, \"name: value\",");
  *colon = '\0';
  return take_header (answer, line, g_strstrip (colon + 1));
}

/*** The body. ***/

static gboolean
take_chunk_size (TtiHttpAnswer *answer, const char *line)
{
  TtiHttpReader *reader = answer->reader;
  gsize digits = strspn (line, "0123456789abcdefABCDEF");

  if (digits == 0 || digits > 15 || (line[digits] != '\0' && strchr ("; \t", line[digits]) == NULL))
    return refuse_line (answer, line, "the length of a chunk");
  reader->length = g_ascii_strtoull (line, NULL, 16);
  if (reader->length > reader->limit - answer->body->len)
    return refuse_length (answer, answer->body->len + reader->length);
  reader->place = reader->length == 0 ? AT_TRAILER : AT_CHUNK;
  return TRUE;
}

static gboolean
take_line (TtiHttpAnswer *answer, char *line)
{
  switch (answer->reader->place)
    {
    case AT_STATUS:
      return take_status (answer, line);
    case AT_HEADER:
      return take_header_line (answer, line);
    case AT_CHUNK_SIZE:
      return take_chunk_size (answer, line);
    case AT_CHUNK_END:
      answer->reader->place = AT_CHUNK_SIZE;
      answer->reader->n_lines = 0;
      return *line == '\0' || refuse_line (answer, line, "the end of a chunk");
    case AT_TRAILER:
    case AT_BODY:
    case AT_CHUNK:
    case AT_END:
    default:
      if (*line == '\0')
        complete (answer);
      return TRUE;
    }
}

/* How many of COUNT BYTES belong to the line that has begun; it is taken if it ends with them. 0: refused */
static gsize
take_line_bytes (TtiHttpAnswer *answer, const char *bytes, gsize count)
{
  TtiHttpReader *reader = answer->reader;
  const char *newline = memchr (bytes, '\n', count);
  gsize n = newline != NULL ? (gsize) (newline - bytes) : count;

  if (memchr (bytes, '\0', n) != NULL)
    return refuse (answer, "the server sent a zero byte; expected an answer of HTTP/1.1"), 0;
  g_string_append_len (reader->line, bytes, (gssize) n);
  if (reader->line->len > MOST_LINE || reader->n_lines > MOST_LINES)
    return refuse_line (answer, reader->line->str, "shorter headers"), 0;
  if (newline == NULL)
    return n;
  if (g_str_has_suffix (reader->line->str, "\r"))
    g_string_truncate (reader->line, reader->line->len - 1);
  reader->n_lines++;
  gboolean good = take_line (answer, reader->line->str);

  g_string_truncate (reader->line, 0);
  return good ? n + 1 : 0;
}

/* The same for bytes of the body. */
static gsize
take_body_bytes (TtiHttpAnswer *answer, const char *bytes, gsize count)
{
  TtiHttpReader *reader = answer->reader;
  gboolean counted = reader->place == AT_CHUNK || reader->has_length;
  gsize n = counted ? (gsize) MIN (count, reader->length) : count;

  if (n > reader->limit - answer->body->len)
    return refuse_length (answer, answer->body->len + n), 0;
  g_byte_array_append (answer->body, (const guint8 *) bytes, (guint) n);
  if (!counted)
    return n;
  reader->length -= n;
  if (reader->length == 0 && reader->place == AT_CHUNK)
    reader->place = AT_CHUNK_END;
  else if (reader->length == 0)
    complete (answer);
  return n;
}

gboolean
tti_http_answer_take (TtiHttpAnswer *answer, const char *bytes, gsize count, GError **error)
{
  TtiHttpReader *reader = answer->reader;

  reader->error = error;
  while (count > 0 && !answer->complete)
    {
      gboolean in_body = reader->place == AT_BODY || reader->place == AT_CHUNK;
      gsize n = in_body ? take_body_bytes (answer, bytes, count) : take_line_bytes (answer, bytes, count);

      answer->started = TRUE;
      if (n == 0)
        return FALSE;
      bytes += n;
      count -= n;
    }
  /* What nobody has asked for must not become the answer to something else. */
  if (count > 0)
    answer->keep_alive = FALSE;
  return TRUE;
}

gboolean
tti_http_answer_end (TtiHttpAnswer *answer, GError **error)
{
  TtiHttpReader *reader = answer->reader;

  answer->keep_alive = FALSE;
  if (reader->place == AT_BODY && !reader->has_length)
    complete (answer);
  if (answer->complete)
    return TRUE;
  if (!answer->started)
    g_set_error_literal (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_LOST,
                         "the server closed the connection without an answer");
  else if (reader->place == AT_BODY)
    g_set_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_LOST,
                 "the server closed the connection within its answer: of %" G_GUINT64_FORMAT
                 " bytes, %" G_GUINT64_FORMAT " are missing",
                 answer->body->len + reader->length, reader->length);
  else
    g_set_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_LOST,
                 "the server closed the connection within its answer, after %u bytes of its body", answer->body->len);
  return FALSE;
}
