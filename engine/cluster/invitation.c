/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The text of an invitation: written from one table, and read by it. All of it is strict, as nobody but a master writes it. */
#include "cluster/invitation.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE "tutti-agent invitation 1"
#define LAST_LINE "end"
#define ADDRESS_CHARACTERS ".:%_-"
#define WORD_CHARACTERS ".+~_-"

enum
{
  MOST_BYTES = 64 * 1024,
  MOST_ADDRESSES = 64,
  MOST_CHARACTERS = 255, /* of an address or a word */
  HOUR = 60 * 60 * 1000
};

#define PATIENCE (60 * G_TIME_SPAN_SECOND)

typedef enum
{
  FIELD_ADDRESSES,
  FIELD_NUMBER,
  FIELD_LONG_NUMBER,
  FIELD_WORD
} FieldKind;

static const struct
{
  const char *key;
  FieldKind kind;
  gsize at;
  guint64 least, most; /* of a number */
} fields[] = {
  { "addresses", FIELD_ADDRESSES, G_STRUCT_OFFSET (TtiInvitation, addresses), 0, 0 },
  { "port", FIELD_NUMBER, G_STRUCT_OFFSET (TtiInvitation, port), 1, G_MAXUINT16 },
  { "run", FIELD_WORD, G_STRUCT_OFFSET (TtiInvitation, run), 0, 0 },
  { "launch", FIELD_LONG_NUMBER, G_STRUCT_OFFSET (TtiInvitation, launch), 0, G_MAXUINT64 },
  { "lost-after", FIELD_NUMBER, G_STRUCT_OFFSET (TtiInvitation, lost_after), 1, 24 * HOUR },
  { "silence", FIELD_NUMBER, G_STRUCT_OFFSET (TtiInvitation, silence), 1, G_MAXINT },
  { "version", FIELD_WORD, G_STRUCT_OFFSET (TtiInvitation, version), 0, 0 },
};

void
tti_invitation_free (TtiInvitation *invitation)
{
  if (invitation == NULL)
    return;
  g_strfreev (invitation->addresses);
  g_free (invitation->run);
  g_free (invitation->version);
  tti_credentials_unref (invitation->credentials);
  g_free (invitation);
}

/* Writing. */

char *
tti_invitation_to_text (const TtiInvitation *invitation)
{
  g_autoptr (GString) head = g_string_new (FIRST_LINE "\n");
  char *credentials = tti_credentials_to_text (invitation->credentials), *text;

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      gconstpointer member = (const char *) invitation + fields[i].at;
      g_autofree char *list = fields[i].kind == FIELD_ADDRESSES ? g_strjoinv (" ", *(char **const *) member) : NULL;

      g_string_append_printf (head, "%s: ", fields[i].key);
      if (fields[i].kind == FIELD_NUMBER)
        g_string_append_printf (head, "%u\n", *(const guint *) member);
      else if (fields[i].kind == FIELD_LONG_NUMBER)
        g_string_append_printf (head, "%" G_GUINT64_FORMAT "\n", *(const guint64 *) member);
      else
        g_string_append_printf (head, "%s\n", list != NULL ? list : *(char *const *) member);
    }
  text = g_strconcat (head->str, credentials, LAST_LINE "\n", NULL);
  tti_secret_free (credentials);
  return text;
}

/* Reading. What a wrong line has is not repeated: it may be a part of a key. */

static gboolean
is_word (const char *text, const char *more)
{
  gsize n = 0;

  while (text[n] != '\0' && (g_ascii_isalnum (text[n]) || strchr (more, text[n]) != NULL))
    n++;
  return n > 0 && n <= MOST_CHARACTERS && text[n] == '\0';
}

static char **
parse_addresses (const char *text)
{
  char **addresses = g_strsplit (text, " ", MOST_ADDRESSES + 1);
  guint n = 0;

  while (addresses[n] != NULL && is_word (addresses[n], ADDRESS_CHARACTERS))
    n++;
  if (n > 0 && n <= MOST_ADDRESSES && addresses[n] == NULL)
    return addresses;
  g_strfreev (addresses);
  return NULL;
}

/* Set the member of INVITATION that field I is of; FALSE if TEXT is no value for it. */
static gboolean
parse_value (TtiInvitation *invitation, guint i, const char *text)
{
  gpointer member = (char *) invitation + fields[i].at;
  guint64 number = 0;

  switch (fields[i].kind)
    {
    case FIELD_ADDRESSES:
      return (*(char ***) member = parse_addresses (text)) != NULL;
    case FIELD_WORD:
      return is_word (text, WORD_CHARACTERS) && (*(char **) member = g_strdup (text)) != NULL;
    case FIELD_NUMBER:
      if (!g_ascii_string_to_unsigned (text, 10, fields[i].least, fields[i].most, &number, NULL))
        return FALSE;
      *(guint *) member = (guint) number;
      return TRUE;
    case FIELD_LONG_NUMBER:
      return g_ascii_string_to_unsigned (text, 10, fields[i].least, fields[i].most, member, NULL);
    default:
      g_assert_not_reached ();
    }
}

static gboolean
refuse (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
refuse (GError **error, const char *format, ...)
{
  g_autofree char *reason = NULL;
  va_list arguments;

  va_start (arguments, format);
  reason = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "this is no invitation of a master: %s", reason);
  return FALSE;
}

/* The next line of *TEXT, which is moved behind it: NULL if there is none, or it is longer than any good one. To be freed. */
static char *
next_line (const char **text)
{
  const char *end = strchr (*text, '\n');
  char *line = NULL;

  if (end != NULL && end - *text < (MOST_CHARACTERS + 1) * (MOST_ADDRESSES + 1))
    {
      line = g_strndup (*text, (gsize) (end - *text));
      *text = end + 1;
    }
  return line;
}

static gboolean
parse_head (TtiInvitation *invitation, const char **text, GError **error)
{
  char *line = next_line (text);
  gboolean good = g_strcmp0 (line, FIRST_LINE) == 0;

  tti_secret_free (line);
  if (!good)
    return refuse (error, "line 1 is not '%s'; an agent is started by a master of the same version, which tells it what to do", FIRST_LINE);
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      gsize length = strlen (fields[i].key);

      line = next_line (text);
      good = line != NULL && strncmp (line, fields[i].key, length) == 0 && strncmp (line + length, ": ", 2) == 0
             && parse_value (invitation, i, line + length + 2);
      tti_secret_free (line);
      if (!good)
        return refuse (error, "line %u does not have '%s: ' and a good value", i + 2, fields[i].key);
    }
  return TRUE;
}

static gboolean
parse_credentials (TtiInvitation *invitation, const char *text, GError **error)
{
  char *credentials = NULL;
  g_autoptr (GError) cause = NULL;

  if (!g_str_has_suffix (text, "\n" LAST_LINE "\n"))
    return refuse (error, "its last line is not '%s': it is not complete, or something follows", LAST_LINE);
  credentials = g_strndup (text, strlen (text) - strlen (LAST_LINE "\n"));
  invitation->credentials = tti_credentials_from_text (credentials, &cause);
  tti_secret_free (credentials);
  if (invitation->credentials != NULL)
    return TRUE;
  if (!g_error_matches (cause, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL))
    {
      g_propagate_error (error, g_steal_pointer (&cause));
      return FALSE;
    }
  return refuse (error, "from line %u on, %s", (guint) G_N_ELEMENTS (fields) + 2, cause->message);
}

static TtiInvitation *
parse (const char *text, gsize length, GError **error)
{
  g_autoptr (TtiInvitation) invitation = g_new0 (TtiInvitation, 1);
  char *copy = NULL;
  const char *rest;
  gboolean good;

  if (length > MOST_BYTES)
    refuse (error, "it is longer than %d bytes", MOST_BYTES);
  else if (memchr (text, '\0', length) != NULL)
    refuse (error, "it has bytes that are no text");
  else
    copy = g_strndup (text, length);
  if (copy == NULL)
    return NULL;
  rest = copy;
  good = parse_head (invitation, &rest, error) && parse_credentials (invitation, rest, error);
  tti_secret_free (copy);
  return good ? g_steal_pointer (&invitation) : NULL;
}

/* From outside. */

/* Refuse a file that is not its reader's alone. What is no file, a pipe or a socket, is whoever's has made it. */
static gboolean
check_owner (int fd, const char *name, GError **error)
{
  struct stat status;

  if (fstat (fd, &status) < 0)
    {
      tti_set_errno (error, errno, "cannot look at %s", name);
      return FALSE;
    }
  if (!S_ISREG (status.st_mode) || (status.st_uid == geteuid () && (status.st_mode & 0077) == 0))
    return TRUE;
  if (status.st_uid != geteuid ())
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s belongs to user %u; an invitation is read from one's own file only", name,
                 (guint) status.st_uid);
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                 "others may read or write %s, which has a key (mode %04o); expected mode 0600: chmod 600, and start again with a new key",
                 name, (guint) status.st_mode & 07777);
  return FALSE;
}

static gboolean
is_complete (const char *text, gsize length)
{
  gsize end = strlen ("\n" LAST_LINE "\n");

  return length >= end && memcmp (text + length - end, "\n" LAST_LINE "\n", end) == 0;
}

/* Read from FD to BUFFER, which has room for one byte more than an invitation may have. */
static gboolean
read_all (int fd, const char *name, char *buffer, gsize *length, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE;

  *length = 0;
  while (*length <= MOST_BYTES && !is_complete (buffer, *length))
    {
      ssize_t n;

      if (!tti_fd_wait (fd, POLLIN, deadline))
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_TIMEOUT, "no complete invitation came through %s in %d s: %" G_GSIZE_FORMAT " bytes",
                       name, (int) (PATIENCE / G_TIME_SPAN_SECOND), *length);
          return FALSE;
        }
      n = read (fd, buffer + *length, MOST_BYTES + 1 - *length);
      if (n == 0)
        break;
      if (n < 0 && errno != EINTR && errno != EAGAIN)
        {
          tti_set_errno (error, errno, "cannot read an invitation from %s", name);
          return FALSE;
        }
      *length += (gsize) MAX (n, 0);
    }
  return TRUE;
}

static TtiInvitation *
read_from (int fd, const char *name, GError **error)
{
  char *buffer = g_malloc (MOST_BYTES + 1); /* never moved, so that no copies of it stay */
  TtiInvitation *invitation = NULL;
  gsize length;

  if (check_owner (fd, name, error) && read_all (fd, name, buffer, &length, error))
    invitation = parse (buffer, length, error);
  explicit_bzero (buffer, MOST_BYTES + 1);
  g_free (buffer);
  return invitation;
}

TtiInvitation *
tti_invitation_from_fd (int fd, GError **error)
{
  return read_from (fd, fd == STDIN_FILENO ? "standard input" : "its descriptor", error);
}

TtiInvitation *
tti_invitation_from_file (const char *path, GError **error)
{
  g_autofree char *name = g_strdup_printf ("'%s'", path);
  tti_autofd int fd = -1;

  tti_fd_begin_opening ();
  fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW); /* a fifo is not waited for */
  tti_fd_end_opening ();
  if (fd < 0)
    {
      tti_set_errno (error, errno, "cannot open the invitation %s", name);
      return NULL;
    }
  return read_from (fd, name, error);
}
