/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Invitations: what is written is read; what is wrong is refused, with its line, and without its contents; whose file it is. */
#include "cluster-fixture.h"
#include "read-invitation.h"
#include <fcntl.h>
#include <glib/gstdio.h>

typedef struct
{
  Run run;
  char *text; /* of a good one */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  char *addresses[] = { "n1.cluster", "10.0.0.1", "fe80::1%eth0", NULL };

  (void) data;
  run_open (&fixture->run);
  fixture->text = tti_invitation_to_text (&(TtiInvitation) { .addresses = addresses, .port = 40123, .run = "a1-b2", .launch = G_MAXUINT64,
                                                             .lost_after = 2000, .silence = 60000, .version = "0.1.0",
                                                             .credentials = fixture->run.agent });
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  tti_secret_free (fixture->text);
  run_close (&fixture->run);
}

static void
assert_good (TtiInvitation *invitation, GError *error)
{
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (invitation->addresses), ==, 3);
  g_assert_cmpstr (invitation->addresses[2], ==, "fe80::1%eth0");
  g_assert_cmpuint (invitation->port, ==, 40123);
  g_assert_cmpstr (invitation->run, ==, "a1-b2");
  g_assert_cmpuint (invitation->launch, ==, G_MAXUINT64);
  g_assert_cmpuint (invitation->lost_after, ==, 2000);
  g_assert_cmpuint (invitation->silence, ==, 60000);
  g_assert_cmpstr (invitation->version, ==, "0.1.0");
  g_assert_nonnull (invitation->credentials);
  tti_invitation_free (invitation);
}

static void
test_text (Fixture *fixture, gconstpointer data)
{
  GError *error = NULL;
  TtiInvitation *invitation = read_invitation (fixture->text, strlen (fixture->text), &error);
  char *again;

  (void) data;
  g_assert_no_error (error);
  again = tti_invitation_to_text (invitation);
  g_assert_cmpstr (again, ==, fixture->text);
  tti_secret_free (again);
  assert_good (invitation, error);
}

/* The good text with BEFORE, which it has, replaced by AFTER. */
static void
assert_refused (Fixture *fixture, const char *before, const char *after, const char *words)
{
  const char *at = strstr (fixture->text, before);
  g_autofree char *text = NULL;
  GError *error = NULL;

  g_assert_nonnull (at);
  text = g_strdup_printf ("%.*s%s%s", (int) (at - fixture->text), fixture->text, after, at + strlen (before));
  g_assert_null (read_invitation (text, strlen (text), &error));
  assert_says (&error, TUTTI_ERROR_PROTOCOL, WORDS ("no invitation", words));
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) many = g_string_new ("addresses:");
  GError *error = NULL;

  (void) data;
  assert_refused (fixture, "invitation 1", "invitation 2", "line 1 ");
  assert_refused (fixture, "tutti-agent", "TUTTI-agent", "line 1 ");
  assert_refused (fixture, "invitation 1\n", "invitation 1\r\n", "line 1 ");
  assert_refused (fixture, "addresses:", "addresess:", "line 2 ");
  assert_refused (fixture, "10.0.0.1", "", "line 2 ");
  assert_refused (fixture, "10.0.0.1", "10.0.0.1;", "line 2 ");
  assert_refused (fixture, "n1.cluster 10.0.0.1 fe80::1%eth0", "", "line 2 ");
  for (guint i = 0; i < 65; i++)
    g_string_append (many, " a");
  assert_refused (fixture, "addresses: n1.cluster 10.0.0.1 fe80::1%eth0", many->str, "line 2 ");
  assert_refused (fixture, "40123", "0", "line 3 ");
  assert_refused (fixture, "40123", "65536", "line 3 ");
  assert_refused (fixture, "40123", "+40123", "line 3 ");
  assert_refused (fixture, "40123", " 40123", "line 3 ");
  assert_refused (fixture, "40123", "40123 ", "line 3 ");
  assert_refused (fixture, "port: 40123\n", "port: 40123\nport: 40123\n", "line 4 ");
  assert_refused (fixture, "a1-b2", "a1 b2", "line 4 ");
  assert_refused (fixture, "18446744073709551615", "18446744073709551616", "line 5 ");
  assert_refused (fixture, "lost-after: 2000", "lost-after: 0", "line 6 ");
  assert_refused (fixture, "version: 0.1.0\n", "", "line 8 ");
  assert_refused (fixture, "-----BEGIN PRIVATE", "\n-----BEGIN PRIVATE", "line 9 ");
  assert_refused (fixture, "\nend\n", "\n", "last line");
  assert_refused (fixture, "\nend\n", "\nend", "last line");
  assert_refused (fixture, "\nend\n", "\nend\nend\n", "line 9 ");
  assert_refused (fixture, "\nend\n", "\nend\nmore\n", "last line");
  g_assert_null (read_invitation ("a\0b", 3, &error));
  assert_says (&error, TUTTI_ERROR_PROTOCOL, WORDS ("no text"));
  g_assert_null (read_invitation ("", 0, &error));
  assert_says (&error, TUTTI_ERROR_PROTOCOL, WORDS ("line 1 "));
  g_string_set_size (many, 70000);
  g_assert_null (read_invitation (many->str, many->len, &error));
  assert_says (&error, TUTTI_ERROR_PROTOCOL, WORDS ("longer than 65536"));
}

static gpointer
write_slowly (gpointer data)
{
  const gconstpointer *what = data;
  const char *text = what[0];
  gsize size = strlen (text);

  for (gsize at = 0; at < size; at += 100)
    g_assert_cmpint (write (GPOINTER_TO_INT (what[1]), text + at, MIN (size - at, 100)), >, 0);
  return NULL;
}

/* What comes in pieces, through a pipe whose other end stays open. */
static void
test_pipe (Fixture *fixture, gconstpointer data)
{
  int fds[2];
  GError *error = NULL;
  TtiInvitation *invitation;
  GThread *writer;
  gconstpointer what[2];

  (void) data;
  g_assert_true (tti_fd_pipe (fds, NULL));
  what[0] = fixture->text;
  what[1] = GINT_TO_POINTER (fds[1]);
  writer = g_thread_new ("writer", write_slowly, what);
  invitation = tti_invitation_from_fd (fds[0], &error);
  assert_good (invitation, error);
  g_thread_join (writer);
  tti_fd_clear (&fds[0]);
  tti_fd_clear (&fds[1]);
}

/* A pipe that ends too early, and one that does not end. */
static void
test_bad_pipe (Fixture *fixture, gconstpointer data)
{
  int fds[2];
  GError *error = NULL;
  g_autofree char *much = g_strnfill (65537, 'x');

  (void) data;
  g_assert_true (tti_fd_pipe (fds, NULL));
  g_assert_cmpint (write (fds[1], fixture->text, strlen (fixture->text) - 10), >, 0);
  tti_fd_clear (&fds[1]);
  g_assert_null (tti_invitation_from_fd (fds[0], &error));
  assert_says (&error, TUTTI_ERROR_PROTOCOL, WORDS ("not complete"));
  tti_fd_clear (&fds[0]);
  g_assert_true (tti_fd_pipe (fds, NULL));
  g_assert_cmpint (fcntl (fds[1], F_SETPIPE_SZ, 1 << 18), >=, 65537);
  g_assert_cmpint (write (fds[1], much, 65537), ==, 65537);
  g_assert_null (tti_invitation_from_fd (fds[0], &error));
  assert_says (&error, TUTTI_ERROR_PROTOCOL, WORDS ("longer than 65536"));
  tti_fd_clear (&fds[0]);
  tti_fd_clear (&fds[1]);
}

static void
test_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-invitation-XXXXXX", NULL), *path = g_build_filename (folder, "invitation", NULL),
                  *link = g_build_filename (folder, "link", NULL);
  GError *error = NULL;
  TtiInvitation *invitation;
  tti_autofd int fd = -1;

  (void) data;
  g_assert_null (tti_invitation_from_file (path, &error));
  assert_says (&error, TUTTI_ERROR_SYSTEM, WORDS (path, "No such file"));
  g_assert_true (g_file_set_contents_full (path, fixture->text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  invitation = tti_invitation_from_file (path, &error);
  assert_good (invitation, error);
  g_assert_cmpint (symlink (path, link), ==, 0);
  g_assert_null (tti_invitation_from_file (link, &error));
  assert_says (&error, TUTTI_ERROR_SYSTEM, WORDS (link));
  g_assert_cmpint (chmod (path, 0640), ==, 0);
  g_assert_null (tti_invitation_from_file (path, &error));
  assert_says (&error, TUTTI_ERROR_ARGUMENT, WORDS (path, "0640", "0600"));
  /* As standard input it is looked at as well. */
  fd = g_open (path, O_RDONLY | O_CLOEXEC, 0);
  g_assert_null (tti_invitation_from_fd (fd, &error));
  assert_says (&error, TUTTI_ERROR_ARGUMENT, WORDS ("0640"));
  g_assert_cmpint (chmod (path, 0600), ==, 0);
  if (chown (path, 65534, 65534) == 0)
    {
      g_assert_null (tti_invitation_from_file (path, &error));
      assert_says (&error, TUTTI_ERROR_ARGUMENT, WORDS (path, "belongs to user 65534"));
    }
  g_unlink (path);
  g_unlink (link);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add ("/invitation/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("text", test_text);
  ADD ("refused", test_refused);
  ADD ("pipe", test_pipe);
  ADD ("bad-pipe", test_bad_pipe);
  ADD ("file", test_file);
  return g_test_run ();
}
