/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* journal-rate RECORDER RATE SECONDS: an engine that is played shows RATE tasks a second, each submitted, started and ended, to the
 * recorder whose program RECORDER is. Prints "RATE SHOWN DROPPED MISSING": tasks a second, events that the recorder has lost, and tasks
 * that are not in the journal. */
#include "../support/fake-recorded.h"
#include "platform/fd.h"
#include "platform/spawn.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RING_SIZE = 32 * 1024 * 1024, TICK_US = 1000, PATIENCE_S = 120 };

static void
start_recorder (const char *program, FakeEngine *engine)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) environment = g_get_environ ();
  const char *const argv[] = { "tutti-recorder", engine->file, NULL };
  int said[2], secret[2], socket = fake_engine_open (engine), status = -1;

  g_assert_true (tti_fd_pipe (said, &error) && tti_fd_pipe (secret, &error));
  const int fds[] = { -1, 1, 2, socket, said[1], secret[0] };
  const TtiSpawn spawn = { .path = program, .argv = argv, .envp = (const char *const *) environment, .fds = fds,
                           .n_fds = G_N_ELEMENTS (fds) };
  pid_t pid = tti_spawn (&spawn, &error);

  g_assert_no_error (error);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  close (socket);
  close (said[0]);
  close (said[1]);
  close (secret[0]);
  close (secret[1]);
}

/* Show tasks for SECONDS. Returns how many. */
static guint64
show_tasks (FakeEngine *engine, double rate, double seconds)
{
  gint64 begun = g_get_monotonic_time (), now = begun;
  guint64 n = 0;

  while ((now = g_get_monotonic_time ()) - begun < seconds * G_USEC_PER_SEC)
    {
      guint64 due = (guint64) ((double) (now - begun) * rate / G_USEC_PER_SEC);

      while (n < due)
        fake_engine_show_success (engine, ++n, "task");
      g_usleep (TICK_US);
    }
  return n;
}

static gint64
ask_number (FakeEngine *engine, const char *sql)
{
  g_autofree char *answer = fake_engine_ask (engine, sql);

  return g_ascii_strtoll (answer, NULL, 10);
}

int
main (int argc, char **argv)
{
  FakeEngine engine;

  if (argc != 4)
    {
      fprintf (stderr, "usage: journal-rate RECORDER RATE SECONDS\n");
      return 2;
    }
  double rate = g_ascii_strtod (argv[2], NULL), seconds = g_ascii_strtod (argv[3], NULL);

  fake_engine_begin (&engine, RING_SIZE);
  start_recorder (argv[1], &engine);
  guint64 n = show_tasks (&engine, rate, seconds);

  close (engine.socket);
  for (gint64 limit = g_get_monotonic_time () + PATIENCE_S * G_USEC_PER_SEC;;)
    {
      g_autofree char *state = fake_engine_ask (&engine, "SELECT state FROM run");

      if (g_strcmp0 (state, "lost") == 0)
        break;
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (10 * 1000);
    }
  printf ("%.0f %.0f %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", rate, (double) n / seconds,
          ask_number (&engine, "SELECT coalesce (sum (lost), 0) FROM gap"),
          (gint64) n - ask_number (&engine, "SELECT (SELECT coalesce (sum (n), 0) FROM block) + (SELECT count (*) FROM task)"));
  fake_engine_end (&engine);
  return 0;
}
