/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The link, with the real guard and watcher, and stub workers that misbehave. */
#include "../support/watcher-fixture.h"
#include "platform/process-tree.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Wait until none of PIDS runs. */
static void
await_dead (const pid_t *pids, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      tti_autofd int pidfd = tti_process_open (pids[i], NULL);

      if (pidfd >= 0 && is_alive (pids[i]))
        g_assert_true (tti_fd_wait (pidfd, POLLIN, SECONDS (60)));
      g_assert_false (is_alive (pids[i]));
    }
}

static void
test_exits (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) one = stub_start (&fixture, 1, "exit:3");
    g_auto (Stub) two = stub_start (&fixture, 2, "signal:11");
    g_auto (Stub) three = stub_start (&fixture, 3, "");

    fixture_await (&fixture, "exited 1 3 0");
    fixture_await (&fixture, "exited 2 -1 11");
    tti_fd_clear (&three.control);
    fixture_await (&fixture, "exited 3 0 0");
  }
  g_assert_cmpuint (fixture.events->len, ==, 6);
  g_assert_cmpuint (fixture_count (&fixture, "spawned 2"), ==, 1);
  fixture_close (&fixture);
  assert_no_children ();
}

static void
test_peak_memory (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) stub = stub_start (&fixture, 1, "memory:64 exit:0");

    fixture_await (&fixture, "exited 1 0 0");
  }
  g_assert_cmpuint (fixture.peak_memory >> 20, >=, 64);
  g_assert_cmpuint (fixture.peak_memory >> 20, <, 640);
  fixture_close (&fixture);
}

/* The OOM score adjustment of a worker, relative to our own. */
static int
expected_oom_score (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/oom_score_adj", &text, NULL, NULL));
  return MIN (atoi (text) + 500, 1000);
}

static void
test_surroundings (void)
{
  Fixture fixture;
  g_autoptr (GString) dump = g_string_new ("\n");

  fixture_open (&fixture);
  {
    g_auto (Stub) stub = stub_start (&fixture, 1, "await dump exit:0");
    char *line;

    fixture_await (&fixture, "spawned 1");
    g_assert_cmpint (write (stub.control, "x", 1), ==, 1);
    for (; (line = stub_read_line (&stub)) != NULL; g_free (line))
      g_string_append_printf (dump, "%s\n", line);
    fixture_await (&fixture, "exited 1 0 0");
  }
  g_autofree char *expected
      = g_strdup_printf ("\noom %d\nfd 0 /dev/null\nfd 1 pipe\nfd 2 pipe\nfd 3 socket\nfd 4 anon_inode\n"
                         "env TUTTI_ONE=1\nenv TUTTI_EMPTY=\ngroup %d\nnice %d\n",
                         expected_oom_score (), (int) fixture.pid, getpriority (PRIO_PROCESS, 0));
  g_autoptr (GRegex) number = g_regex_new (":\\[.*\\]", 0, 0, NULL);
  g_autofree char *plain = g_regex_replace_literal (number, dump->str, -1, 0, "", 0, NULL);

  g_assert_cmpstr (plain, ==, expected);
  fixture_close (&fixture);
}

static void
fixture_start_program (Fixture *fixture, guint64 generation, const char *path)
{
  const char *argv[] = { path, NULL }, *envp[] = { NULL };
  TtiWatcherProgram program = { .path = path, .argv = argv, .envp = envp };

  g_assert_true (tti_watcher_link_spawn (fixture->link, generation, &program, 0, 1, 2, 0, 0, NULL));
}

static void
test_cannot_start (void)
{
  Fixture fixture;
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "tutti-watcher-XXXXXX", NULL);
  tti_autofd int file = g_mkstemp (path);
  g_autofree char *not_found = g_strdup_printf ("failed 1 %d", ENOENT);
  g_autofree char *not_executable = g_strdup_printf ("failed 2 %d", EACCES);

  fixture_open (&fixture);
  fixture_start_program (&fixture, 1, "/nowhere/at-all");
  fixture_await (&fixture, not_found);
  g_assert_nonnull (strstr (fixture.message, "/nowhere/at-all"));
  g_assert_nonnull (strstr (fixture.message, g_strerror (ENOENT)));
  fixture_start_program (&fixture, 2, path);
  fixture_await (&fixture, not_executable);
  g_assert_nonnull (strstr (fixture.message, path));
  fixture_close (&fixture);
  g_unlink (path);
}

/* The end of one worker does not affect another, nor the processes that the other has started. */
static void
test_others_live (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) lasting = stub_start (&fixture, 1, "subreaper sleep:2 orphan report");
    g_auto (Stub) ending = stub_start (&fixture, 2, "subreaper sleep:1 report");
    pid_t pids[4];

    for (guint i = 0; i < 3; i++)
      pids[i] = stub_expect (&lasting, "pid ");
    pids[3] = stub_expect (&lasting, "self ");
    stub_expect (&ending, "pid ");
    stub_expect (&ending, "self ");
    g_assert_true (tti_watcher_link_signal (fixture.link, 2, SIGKILL, -1));
    fixture_await (&fixture, "exited 2 -1 9");
    for (guint i = 0; i < 4; i++)
      g_assert_true (is_alive (pids[i]));
    g_assert_true (tti_watcher_link_signal (fixture.link, 77, SIGKILL, 0)); /* nobody */
    g_assert_true (tti_watcher_link_signal (fixture.link, 1, SIGTERM, -1));
    fixture_await (&fixture, "exited 1 -1 15");
    await_dead (pids, 4);
  }
  fixture_close (&fixture);
}

static void
test_stopped (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) stub = stub_start (&fixture, 1, "report");

    stub_expect (&stub, "self ");
    tti_watcher_link_signal (fixture.link, 1, SIGSTOP, -1);
    fixture_await (&fixture, "stopped 1 19");
    tti_watcher_link_signal (fixture.link, 1, SIGCONT, -1);
    tti_watcher_link_signal (fixture.link, 1, SIGSTOP, -1);
    fixture_await_n (&fixture, "stopped 1 19", 2);
    tti_watcher_link_signal (fixture.link, 1, SIGKILL, -1);
    fixture_await (&fixture, "exited 1 -1 9");
  }
  fixture_close (&fixture);
}

static void
test_grace (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) obstinate = stub_start (&fixture, 1, "subreaper sleep:1 no-term report");
    g_auto (Stub) polite = stub_start (&fixture, 2, "report");
    pid_t below = stub_expect (&obstinate, "pid ");

    stub_expect (&obstinate, "self ");
    stub_expect (&polite, "self ");
    gint64 start = g_get_monotonic_time ();

    tti_watcher_link_signal (fixture.link, 1, SIGTERM, 60);
    tti_watcher_link_signal (fixture.link, 2, SIGTERM, 60000);
    fixture_await (&fixture, "exited 2 -1 15");
    fixture_await (&fixture, "exited 1 -1 9");
    g_assert_cmpint (g_get_monotonic_time () - start, >=, 60 * G_TIME_SPAN_MILLISECOND);
    g_assert_false (is_alive (below));
  }
  fixture_close (&fixture);
}

typedef struct
{
  Fixture *fixture;
  guint64 first;
} Asker;

static gpointer
ask_for_workers (gpointer user_data)
{
  Asker *asker = user_data;

  for (guint64 generation = asker->first; generation < asker->first + 25; generation++)
    {
      g_auto (Stub) stub = stub_start (asker->fixture, generation, "");

      tti_watcher_link_signal (asker->fixture->link, generation, SIGKILL, -1);
    }
  return NULL;
}

static void
test_threads (void)
{
  Fixture fixture;
  GThread *threads[4];
  Asker askers[4];

  fixture_open (&fixture);
  for (guint i = 0; i < 4; i++)
    {
      askers[i] = (Asker){ &fixture, 1 + 25 * i };
      threads[i] = g_thread_new ("asker", ask_for_workers, &askers[i]);
    }
  for (guint64 generation = 1; generation <= 100; generation++)
    {
      g_autofree char *spawned = g_strdup_printf ("spawned %" G_GUINT64_FORMAT, generation);
      g_autofree char *killed = g_strdup_printf ("exited %" G_GUINT64_FORMAT " -1 9", generation);
      g_autofree char *exited = g_strdup_printf ("exited %" G_GUINT64_FORMAT " 0 0", generation);

      fixture_await (&fixture, spawned);
      /* Its control socket may close before the signal comes. */
      while (fixture_count (&fixture, killed) + fixture_count (&fixture, exited) == 0)
        g_main_context_iteration (fixture.context, TRUE);
    }
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (fixture.events->len, ==, 200);
  fixture_close (&fixture);
  assert_no_children ();
}

typedef enum { WATCHER, GUARD, BOTH } Target;
typedef struct { Target target; int signal; } Blow;

/* Whatever happens to the pair, the loss is reported once, after all earlier events; and nothing stays. */
static void
test_lost (gconstpointer user_data)
{
  const Blow *blow = user_data;
  Fixture fixture;

  fixture_open (&fixture);
  pid_t guard = tti_watcher_link_get_guard_pid (fixture.link), watcher = tti_watcher_link_get_watcher_pid (fixture.link);
  {
    g_auto (Stub) early = stub_start (&fixture, 1, "exit:0");
    g_auto (Stub) stub = stub_start (&fixture, 2, "subreaper sleep:2 report");
    pid_t pids[] = { stub_expect (&stub, "pid "), stub_expect (&stub, "pid "), stub_expect (&stub, "self "), watcher, guard };
    g_autoptr (GError) error = NULL;

    /* The second runs, so the report of the first's start is in the socket; we have not read it yet. */
    g_assert_cmpuint (fixture.events->len, ==, 0);
    kill (blow->target == WATCHER ? watcher : blow->target == GUARD ? guard : -guard, blow->signal);
    fixture_await (&fixture, "lost");
    g_test_message ("%s", fixture.message);
    g_assert_cmpstr (g_ptr_array_index (fixture.events, fixture.events->len - 1), ==, "lost");
    g_assert_cmpuint (fixture_count (&fixture, "spawned 1"), ==, 1);
    await_dead (pids, 5);
    while (g_main_context_iteration (fixture.context, FALSE))
      ;
    g_assert_cmpuint (fixture_count (&fixture, "lost"), ==, 1);

    g_assert_false (tti_watcher_link_signal (fixture.link, 2, SIGTERM, -1));
    TtiWatcherProgram program = { .path = "/bin/true", .argv = (const char *[]){ "true", NULL }, .envp = (const char *[]){ NULL } };

    g_assert_false (tti_watcher_link_spawn (fixture.link, 3, &program, 0, 1, 2, 0, 0, &error));
    g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  }
  fixture_close (&fixture);
  assert_no_children ();
}

/* When the pair is killed, more has arrived than one iteration of the context delivers: nothing of it is lost. */
static void
test_lost_last (void)
{
  enum { N = 60 };
  Fixture fixture;
  gint64 deadline = SECONDS (60);

  fixture_open (&fixture);
  pid_t guard = tti_watcher_link_get_guard_pid (fixture.link), watcher = tti_watcher_link_get_watcher_pid (fixture.link);

  for (guint64 generation = 1; generation <= N; generation++)
    {
      g_auto (Stub) stub = stub_start (&fixture, generation, "say:here exit:0");

      stub_expect (&stub, "here");
    }
  for (guint n = 1; n > 0 && g_get_monotonic_time () < deadline;)
    {
      g_autoptr (GArray) workers = tti_process_children (watcher);

      n = workers->len;
    }
  g_auto (Stub) last = stub_start (&fixture, N + 1, "report");

  /* The watcher had reported everything before it began this request. */
  stub_expect (&last, "self ");
  g_assert_cmpuint (fixture.events->len, ==, 0);
  kill (guard, SIGKILL);
  await_dead ((pid_t[]){ guard, watcher }, 2);
  while (kill (guard, 0) == 0)
    g_assert_cmpint (g_get_monotonic_time (), <, deadline);
  fixture_await (&fixture, "lost");
  g_assert_cmpuint (fixture.events->len, >=, 2 * N + 1);
  for (guint64 generation = 1; generation <= N; generation++)
    {
      g_autofree char *exited = g_strdup_printf ("exited %" G_GUINT64_FORMAT " 0 0", generation);

      g_assert_cmpuint (fixture_count (&fixture, exited), ==, 1);
    }
  g_assert_cmpstr (g_ptr_array_index (fixture.events, fixture.events->len - 1), ==, "lost");
  fixture_close (&fixture);
}

static void
test_close_from_event (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  fixture.close_on_lost = TRUE;
  kill (tti_watcher_link_get_watcher_pid (fixture.link), SIGKILL);
  fixture_await (&fixture, "lost");
  g_assert_null (fixture.link);
  fixture_close (&fixture);
  assert_no_children ();
}

/* Start obstinate processes and close the link. TRUE if nothing had to be killed: it took less than the second after which that
 * happens, or on a slow machine no longer than starting them. */
static gboolean
close_in_peace (void)
{
  Fixture fixture;
  gint64 took, opened = g_get_monotonic_time ();

  fixture_open (&fixture);
  {
    g_auto (Stub) stub = stub_start (&fixture, 1, "subreaper sleep:3 no-term report busy");
    pid_t pids[] = { stub_expect (&stub, "pid "), stub_expect (&stub, "pid "), stub_expect (&stub, "pid "),
                     stub_expect (&stub, "self "), tti_watcher_link_get_watcher_pid (fixture.link),
                     tti_watcher_link_get_guard_pid (fixture.link) };
    gint64 start = g_get_monotonic_time ();

    tti_watcher_link_close (fixture.link);
    took = g_get_monotonic_time () - start;
    opened = start - opened;
    assert_no_children ();
    for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
      g_assert_false (is_alive (pids[i]));
    tti_watcher_link_close (fixture.link);
    g_assert_false (tti_watcher_link_signal (fixture.link, 1, SIGTERM, -1));
    while (g_main_context_iteration (fixture.context, FALSE))
      ;
    g_assert_cmpuint (fixture_count (&fixture, "lost"), ==, 0);
  }
  fixture_close (&fixture);
  return took < MAX (G_TIME_SPAN_SECOND, opened);
}

static void
test_close (void)
{
  guint n = 0;

  /* A busy machine may delay everything once. */
  while (!close_in_peace ())
    g_assert_cmpuint (++n, <, 10);
}

/* A host program that reaps all zombies. */
static void
test_sigchld_ignored (void)
{
  Fixture fixture;

  signal (SIGCHLD, SIG_IGN);
  fixture_open (&fixture);
  {
    g_auto (Stub) stub = stub_start (&fixture, 1, "exit:4");

    fixture_await (&fixture, "exited 1 4 0");
    kill (tti_watcher_link_get_guard_pid (fixture.link), SIGKILL);
    fixture_await (&fixture, "lost");
  }
  fixture_close (&fixture);
  fixture_open (&fixture);
  fixture_close (&fixture);
  signal (SIGCHLD, SIG_DFL);
}

static void
assert_no_link (const char *program, const char *reason)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainContext) context = g_main_context_new ();

  g_assert_null (tti_watcher_link_new (program, context, &fixture_events, NULL, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, program));
  g_assert_nonnull (strstr (error->message, reason));
  assert_no_children ();
}

static void
test_no_watcher (void)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "tutti-watcher-XXXXXX", NULL);
  g_autofree char *stub = stub_path ();
  tti_autofd int file = g_mkstemp (path);

  assert_no_link ("/nowhere/at-all", g_strerror (ENOENT));
  assert_no_link (path, g_strerror (EACCES));
  assert_no_link ("/bin/false", "exited with status 1");
  assert_no_link (stub, "exited with status 64");
  g_assert_cmpint (fchmod (file, 0700), ==, 0);
  g_assert_cmpint (write (file, "#!/bin/sh\nexec sleep 1000\n", 26), ==, 26);
  tti_fd_clear (&file);
  assert_no_link (path, "did not greet within 5 s");
  g_unlink (path);
}

int
main (int argc, char **argv)
{
  static const Blow blows[] = { { WATCHER, SIGKILL }, { WATCHER, SIGSTOP }, { WATCHER, SIGTERM }, { GUARD, SIGKILL },
                                { GUARD, SIGSTOP },   { BOTH, SIGSTOP } };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watcher-link/exits", test_exits);
  g_test_add_func ("/watcher-link/peak-memory", test_peak_memory);
  g_test_add_func ("/watcher-link/surroundings", test_surroundings);
  g_test_add_func ("/watcher-link/cannot-start", test_cannot_start);
  g_test_add_func ("/watcher-link/others-live", test_others_live);
  g_test_add_func ("/watcher-link/stopped", test_stopped);
  g_test_add_func ("/watcher-link/grace", test_grace);
  g_test_add_func ("/watcher-link/threads", test_threads);
  g_test_add_data_func ("/watcher-link/lost/watcher-killed", &blows[0], test_lost);
  g_test_add_data_func ("/watcher-link/lost/watcher-stopped", &blows[1], test_lost);
  g_test_add_data_func ("/watcher-link/lost/watcher-terminated", &blows[2], test_lost);
  g_test_add_data_func ("/watcher-link/lost/guard-killed", &blows[3], test_lost);
  g_test_add_data_func ("/watcher-link/lost/guard-stopped", &blows[4], test_lost);
  g_test_add_data_func ("/watcher-link/lost/both-stopped", &blows[5], test_lost);
  g_test_add_func ("/watcher-link/lost/last-news", test_lost_last);
  g_test_add_func ("/watcher-link/close/from-event", test_close_from_event);
  g_test_add_func ("/watcher-link/close", test_close);
  g_test_add_func ("/watcher-link/sigchld-ignored", test_sigchld_ignored);
  g_test_add_func ("/watcher-link/no-watcher", test_no_watcher);
  return g_test_run ();
}
