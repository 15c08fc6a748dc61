/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The beginning and the end of the engine: this program, started again and again with --begin-and-end. */
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "pool/engine.h"
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 30, LIMIT_US = 20 * G_USEC_PER_SEC };

/* An engine that is told to end before its thread has begun to run. */
static int
begin_and_end (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEngine) engine = tti_engine_get_default (&error);

  if (engine == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  tti_engine_end_default ();
  return 0;
}

static void
test_end_at_once (void)
{
  const char *argv[] = { "test-engine", "--begin-and-end", NULL };
  int fds[] = { -1, STDERR_FILENO, STDERR_FILENO }, status;

  for (guint i = 0; i < ROUNDS; i++)
    {
      g_autoptr (GError) error = NULL;
      TtiSpawn spawn = { .path = "/proc/self/exe", .argv = argv, .envp = (const char *const *) environ, .fds = fds, .n_fds = 3 };
      pid_t pid = tti_spawn (&spawn, &error);

      g_assert_no_error (error);
      tti_autofd int pidfd = tti_process_open (pid, &error);

      g_assert_no_error (error);
      if (!tti_fd_wait (pidfd, POLLIN, g_get_monotonic_time () + LIMIT_US))
        {
          tti_process_kill (pidfd);
          g_error ("round %u: the engine does not end", i);
        }
      g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
      g_assert_cmpint (status, ==, 0);
    }
}

int
main (int argc, char **argv)
{
  if (argc == 2 && strcmp (argv[1], "--begin-and-end") == 0)
    return begin_and_end ();
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/end-at-once", test_end_at_once);
  return g_test_run ();
}
