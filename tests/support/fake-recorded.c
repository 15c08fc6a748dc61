/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fake-recorded.h"
#include "look/protocol.h"
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

void
fake_engine_begin (FakeEngine *engine, gsize ring_size)
{
  g_autoptr (GError) error = NULL;
  static gint64 n;

  *engine = (FakeEngine){ .ring = tti_event_ring_new (ring_size, &error), .socket = -1, .began = ++n };
  g_assert_no_error (error);
  engine->folder = g_dir_make_tmp ("tutti-recorder-XXXXXX", &error);
  g_assert_no_error (error);
  engine->file = g_build_filename (engine->folder, "journal", NULL);
}

void
fake_engine_end (FakeEngine *engine)
{
  static const char *const suffixes[] = { "", "-wal", "-shm" };

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *file = g_strconcat (engine->file, suffixes[i], NULL);

      (void) g_unlink (file);
    }
  g_assert_cmpint (g_rmdir (engine->folder), ==, 0);
  tti_event_ring_free (engine->ring);
  g_free (engine->folder);
  g_free (engine->file);
}

/* The socket of one who comes to look. */
int
fake_engine_open (FakeEngine *engine)
{
  g_autoptr (GError) error = NULL;
  TtiLookHello hello = { .magic = TTI_LOOK_MAGIC, .version = TTI_LOOK_VERSION, .pid = getpid (), .began = engine->began };
  union { struct cmsghdr header; char bytes[CMSG_SPACE (sizeof (int))]; } control = { .bytes = { 0 } };
  struct iovec vector = { &hello, sizeof hello };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
  struct cmsghdr *part = CMSG_FIRSTHDR (&message);
  int sockets[2], ring = tti_event_ring_open (engine->ring, &error);

  g_assert_no_error (error);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), ==, 0);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN (sizeof ring);
  memcpy (CMSG_DATA (part), &ring, sizeof ring);
  g_assert_cmpint (sendmsg (sockets[0], &message, MSG_NOSIGNAL), ==, sizeof hello);
  close (ring);
  engine->socket = sockets[0];
  return sockets[1];
}

void
fake_engine_show (FakeEngine *engine, TtiEventKind kind, gconstpointer data, const char *first, const char *second)
{
  tti_event_write (engine->ring, g_get_monotonic_time (), kind, data, first, second);
}

void
fake_engine_show_submitted (FakeEngine *engine, guint64 task, const char *name)
{
  fake_engine_show (engine, TTI_EVENT_SUBMITTED, &(TtiLookSubmitted){ .task = task, .pool = 1, .place = -1 }, name, NULL);
}

void
fake_engine_show_started (FakeEngine *engine, guint64 task, guint attempt)
{
  fake_engine_show (engine, TTI_EVENT_STARTED,
        &(TtiLookStarted){ .task = task, .pool = 1, .generation = 7, .started = g_get_monotonic_time (), .worker = 2, .attempt = attempt },
        NULL, NULL);
}

void
fake_engine_show_ended (FakeEngine *engine, guint64 task, guint attempts, TtiLookEnd end)
{
  fake_engine_show (engine, TTI_EVENT_ENDED,
        &(TtiLookEnded){ .task = task, .pool = 1, .started = attempts > 0 ? g_get_monotonic_time () - 10 : 0, .took = 5, .worker = 2,
                         .end = end, .attempts = attempts },
        end == TTI_LOOK_DONE ? NULL : "it went wrong", NULL);
}

void
fake_engine_show_success (FakeEngine *engine, guint64 task, const char *name)
{
  fake_engine_show_submitted (engine, task, name);
  fake_engine_show_started (engine, task, 1);
  fake_engine_show_ended (engine, task, 1, TTI_LOOK_DONE);
}

char *
fake_engine_ask (FakeEngine *engine, const char *sql)
{
  g_autoptr (GString) text = g_string_new (NULL);
  sqlite3 *sqlite = NULL;
  sqlite3_stmt *statement = NULL;

  g_assert_cmpint (sqlite3_open_v2 (engine->file, &sqlite, SQLITE_OPEN_READONLY, NULL), ==, SQLITE_OK);
  sqlite3_busy_timeout (sqlite, PATIENCE_MS);
  if (sqlite3_prepare_v2 (sqlite, sql, -1, &statement, NULL) == SQLITE_OK)
    while (sqlite3_step (statement) == SQLITE_ROW)
      for (int i = 0; i < sqlite3_column_count (statement); i++)
        {
          const char *value = (const char *) sqlite3_column_text (statement, i);

          g_string_append (text, i > 0 ? "|" : text->len > 0 ? " " : "");
          g_string_append (text, value != NULL ? value : "-");
        }
  sqlite3_finalize (statement);
  sqlite3_close (sqlite);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
