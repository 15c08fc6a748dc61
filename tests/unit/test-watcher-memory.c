/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Limits on memory: the supervision of real processes, and what the watcher does. */
#include "../support/watcher-fixture.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "process/watcher-children.h"
#include "process/watcher-memory.h"
#include "process/watcher-program.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define MB ((guint64) 1000000)
#define LATER(n) ((n) * G_TIME_SPAN_SECOND) /* after any interval between two polls */

/* --- the eye ------------------------------------------------------------------------------------------------------------------ */

static Stub
spawn_stub (pid_t *pid, const char *one, const char *two)
{
  g_autofree char *path = stub_path ();
  const char *argv[] = { path, one, two, NULL }, *envp[] = { NULL };
  int control[2], output[2];

  g_assert_true (tti_fd_socket_pair (SOCK_SEQPACKET, control, NULL));
  g_assert_true (tti_fd_pipe (output, NULL));
  int fds[] = { -1, output[1], STDERR_FILENO, control[1] };
  TtiSpawn spawn = { .path = path, .argv = argv, .envp = envp, .fds = fds, .n_fds = 4, .new_group = TRUE };

  *pid = tti_spawn (&spawn, NULL);
  g_assert_cmpint (*pid, >, 0);
  tti_fd_clear (&control[1]);
  tti_fd_clear (&output[1]);
  return (Stub){ control[0], output[0], -1, 0 };
}

static void
end_stub (pid_t pid)
{
  tti_process_kill_tree (pid);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

static void
note_excess (const TtiMemoryExcess *excess, gpointer user_data)
{
  g_array_append_val (user_data, *excess);
}

static void
test_own (void)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (TtiMemoryExcess));
  g_autoptr (TtiWatcherMemory) memory = tti_watcher_memory_new ("/proc/vmstat", note_excess, found);
  pid_t pid, other;
  g_auto (Stub) stub = spawn_stub (&pid, "hold:64", NULL), small = spawn_stub (&other, "hold:1", NULL);

  stub_expect (&stub, "held ");
  stub_expect (&small, "held ");
  g_assert_cmpint (tti_watcher_memory_get_deadline (memory), ==, -1);
  tti_watcher_memory_poll (memory, LATER (1));
  tti_watcher_memory_add (memory, pid, 60 * MB);
  tti_watcher_memory_add (memory, other, 60 * MB);
  g_assert_cmpint (tti_watcher_memory_get_deadline (memory), >=, 0);
  tti_watcher_memory_poll (memory, LATER (2));
  g_assert_cmpuint (found->len, ==, 1);
  const TtiMemoryExcess *excess = &g_array_index (found, TtiMemoryExcess, 0);

  g_assert_cmpint (excess->pid, ==, pid);
  g_assert_cmpuint (excess->limit, ==, 60 * MB);
  g_assert_cmpuint (excess->usage, >=, 64 << 20);
  g_assert_cmpuint (excess->usage, <, 90 * MB);
  g_assert_cmpuint (excess->n_processes, ==, 1);
  /* Reported once; the other worker is still polled, until it is removed. */
  tti_watcher_memory_poll (memory, LATER (3));
  g_assert_cmpuint (found->len, ==, 1);
  g_assert_cmpint (tti_watcher_memory_get_deadline (memory), >, LATER (3));
  g_assert_cmpint (tti_watcher_memory_get_deadline (memory), <, LATER (4));
  tti_watcher_memory_remove (memory, other);
  tti_watcher_memory_remove (memory, other);
  g_assert_cmpint (tti_watcher_memory_get_deadline (memory), ==, -1);
  end_stub (pid);
  end_stub (other);
}

/* Not before its time, at once when it has come. */
static void
test_intervals (void)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (TtiMemoryExcess));
  g_autoptr (TtiWatcherMemory) memory = tti_watcher_memory_new ("/proc/vmstat", note_excess, found);
  pid_t pid;
  g_auto (Stub) stub = spawn_stub (&pid, "await", "hold:64");

  tti_watcher_memory_add (memory, pid, 60 * MB);
  tti_watcher_memory_poll (memory, LATER (1));
  g_assert_cmpuint (found->len, ==, 0);
  g_assert_cmpint (send (stub.control, "x", 1, 0), ==, 1);
  stub_expect (&stub, "held ");
  gint64 deadline = tti_watcher_memory_get_deadline (memory);

  tti_watcher_memory_poll (memory, deadline - 1);
  g_assert_cmpuint (found->len, ==, 0);
  tti_watcher_memory_poll (memory, deadline);
  g_assert_cmpuint (found->len, ==, 1);
  end_stub (pid);
}

static void
test_shared_memory_does_not_count (void)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (TtiMemoryExcess));
  g_autoptr (TtiWatcherMemory) memory = tti_watcher_memory_new ("/proc/vmstat", note_excess, found);
  pid_t pid;
  g_auto (Stub) stub = spawn_stub (&pid, "shared:64", NULL);

  stub_expect (&stub, "shared ");
  tti_watcher_memory_add (memory, pid, 60 * MB);
  for (int i = 1; i < 5; i++)
    tti_watcher_memory_poll (memory, LATER (i));
  g_assert_cmpuint (found->len, ==, 0);
  end_stub (pid);
}

/* Processes below it count, if they are seen twice. */
static void
test_tree (void)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (TtiMemoryExcess));
  g_autoptr (TtiWatcherMemory) memory = tti_watcher_memory_new ("/proc/vmstat", note_excess, found);
  pid_t pid;
  g_auto (Stub) stub = spawn_stub (&pid, "child:40", "child:40");

  stub_expect (&stub, "pid ");
  stub_expect (&stub, "pid ");
  tti_watcher_memory_add (memory, pid, 60 * MB);
  tti_watcher_memory_poll (memory, LATER (1));
  g_assert_cmpuint (found->len, ==, 0);
  tti_watcher_memory_poll (memory, tti_watcher_memory_get_deadline (memory));
  g_assert_cmpuint (found->len, ==, 1);
  g_assert_cmpuint (g_array_index (found, TtiMemoryExcess, 0).usage, >=, 80 << 20);
  g_assert_cmpuint (g_array_index (found, TtiMemoryExcess, 0).n_processes, ==, 3);
  end_stub (pid);
}

/* A fork does not double what its parent has. */
static void
test_forks (void)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (TtiMemoryExcess));
  g_autoptr (TtiWatcherMemory) memory = tti_watcher_memory_new ("/proc/vmstat", note_excess, found);
  pid_t pid;
  g_auto (Stub) stub = spawn_stub (&pid, "hold:64", "child:0");

  stub_expect (&stub, "held ");
  stub_expect (&stub, "pid ");
  tti_watcher_memory_add (memory, pid, 100 * MB);
  for (int i = 1; i < 5; i++)
    tti_watcher_memory_poll (memory, LATER (i));
  g_assert_cmpuint (found->len, ==, 0);
  end_stub (pid);
}

/* --- the kernel's own kills --------------------------------------------------------------------------------------------------- */

typedef struct
{
  char *folder, *path;
} Vmstat;

static void
vmstat_set (Vmstat *vmstat, guint n)
{
  g_autofree char *text = g_strdup_printf ("nr_free_pages 1\noom_kill %u\n", n);

  g_assert_true (g_file_set_contents (vmstat->path, text, -1, NULL));
}

static Vmstat
vmstat_new (guint n)
{
  Vmstat vmstat = { .folder = g_dir_make_tmp ("tutti-watcher-XXXXXX", NULL) };

  vmstat.path = g_build_filename (vmstat.folder, "vmstat", NULL);
  vmstat_set (&vmstat, n);
  return vmstat;
}

static void
vmstat_free (Vmstat *vmstat)
{
  g_assert_cmpint (unlink (vmstat->path), ==, 0);
  g_assert_cmpint (rmdir (vmstat->folder), ==, 0);
  g_free (vmstat->path);
  g_free (vmstat->folder);
}

static void
test_kernel_kills (void)
{
  Vmstat vmstat = vmstat_new (7);
  TtiWatcherMemory *memory = tti_watcher_memory_new (vmstat.path, note_excess, NULL);

  g_assert_false (tti_watcher_memory_explains_kill (memory, LATER (1)));
  vmstat_set (&vmstat, 8);
  g_assert_true (tti_watcher_memory_explains_kill (memory, LATER (2)));
  g_assert_false (tti_watcher_memory_explains_kill (memory, LATER (2)));
  /* Three at once; the last query comes too late. */
  vmstat_set (&vmstat, 11);
  g_assert_true (tti_watcher_memory_explains_kill (memory, LATER (3)));
  g_assert_true (tti_watcher_memory_explains_kill (memory, LATER (3) + 1000));
  g_assert_false (tti_watcher_memory_explains_kill (memory, LATER (5)));
  tti_watcher_memory_free (memory);
  vmstat_free (&vmstat);
}

static void
note_exit (const TtiWatchPacket *packet, int pidfd, gpointer user_data)
{
  (void) pidfd;
  *(TtiWatchPacket *) user_data = *packet;
}

/* Start a stub among CHILDREN, end it by END, and return the report of its exit. */
static TtiWatchPacket
life (TtiWatcherChildren *children, TtiWatchPacket *news, guint64 generation, Vmstat *vmstat, guint n_kills, gboolean by_us)
{
  g_autofree char *path = stub_path ();
  const char *argv[] = { "stub-worker", "busy", NULL }, *envp[] = { NULL };
  TtiWatcherProgram program = { .path = path, .argv = argv, .envp = envp };
  g_auto (TtiWatchParcel) parcel = { .packet = tti_watch_packet_make (TTI_WATCH_SPAWN, generation), .n_fds = 4 };
  TtiWatchPacket request = tti_watch_packet_make (TTI_WATCH_SIGNAL, generation);
  siginfo_t info;

  for (guint i = 0; i < 3; i++)
    parcel.fds[i] = open ("/dev/null", O_RDWR | O_CLOEXEC);
  parcel.fds[3] = tti_watcher_program_pack (&program, &parcel.packet.n_args, NULL);
  tti_watcher_children_spawn (children, &parcel);
  g_assert_cmpuint (news->kind, ==, TTI_WATCH_SPAWNED);
  pid_t pid = news->pid;

  vmstat_set (vmstat, n_kills);
  request.signal = SIGKILL;
  request.grace_ms = -1;
  if (by_us)
    tti_watcher_children_signal (children, &request);
  else
    g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), ==, 0);
  tti_watcher_children_reap (children);
  g_assert_cmpuint (news->kind, ==, TTI_WATCH_EXITED);
  g_assert_cmpint (news->signal, ==, SIGKILL);
  return *news;
}

static void
test_kernel_kills_worker (void)
{
  Vmstat vmstat = vmstat_new (7);
  TtiWatchPacket news = { 0 };
  tti_autofd int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  g_assert_true (tti_process_become_subreaper (NULL));
  TtiWatcherChildren *children = tti_watcher_children_new (null, vmstat.path, note_exit, &news);

  g_assert_cmpuint (life (children, &news, 1, &vmstat, 7, FALSE).cause, ==, TTI_EXIT_CAUSE_UNKNOWN);
  g_assert_cmpuint (life (children, &news, 2, &vmstat, 8, TRUE).cause, ==, TTI_EXIT_CAUSE_UNKNOWN);
  g_assert_cmpuint (life (children, &news, 3, &vmstat, 9, FALSE).cause, ==, TTI_EXIT_CAUSE_OUT_OF_MEMORY);
  g_assert_nonnull (strstr (news.text, "the kernel killed it"));
  tti_watcher_children_free (children);
  vmstat_free (&vmstat);
}

/* --- the watcher -------------------------------------------------------------------------------------------------------------- */

static void
test_limited_worker (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) one = stub_start_limited (&fixture, 1, "grow", 50 * MB);

    fixture_await (&fixture, "exited 1 -1 9");
    g_assert_cmpint (fixture.cause, ==, TTI_EXIT_CAUSE_MEMORY_LIMIT);
    g_assert_cmpuint (fixture.peak_memory, >, 50 * MB);
    g_assert_true (g_str_has_prefix (fixture.message, "it went over its limit of 50.0 MB: "));
    g_assert_null (strstr (fixture.message, "processes"));
    g_auto (Stub) two = stub_start_limited (&fixture, 2, "subreaper child:20 child:20 await child:80", 100 * MB);
    pid_t children[] = { stub_expect (&two, "pid "), stub_expect (&two, "pid ") };

    g_assert_cmpint (send (two.control, "x", 1, 0), ==, 1);
    fixture_await (&fixture, "exited 2 -1 9");
    g_assert_cmpint (fixture.cause, ==, TTI_EXIT_CAUSE_MEMORY_LIMIT);
    g_assert_cmpuint (fixture.peak_memory, >, 100 * MB);
    g_assert_true (g_str_has_suffix (fixture.message, " in 4 processes"));
    g_assert_false (is_alive (children[0]) || is_alive (children[1]));
  }
  fixture_close (&fixture);
}

/* Without a limit, below its limit, or killed by another process: the watcher is not the cause. */
static void
test_other_ends (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) free = stub_start (&fixture, 1, "memory:200 exit:4");
    fixture_await (&fixture, "exited 1 4 0");
    g_auto (Stub) below = stub_start_limited (&fixture, 2, "memory:30 exit:5", 500 * MB);
    fixture_await (&fixture, "exited 2 5 0");
    g_auto (Stub) killed = stub_start_limited (&fixture, 3, "signal:9", 500 * MB);
    fixture_await (&fixture, "exited 3 -1 9");
    g_assert_cmpint (fixture.cause, ==, TTI_EXIT_CAUSE_UNKNOWN);
    g_assert_cmpstr (fixture.message, ==, "");
  }
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watcher-memory/own", test_own);
  g_test_add_func ("/watcher-memory/intervals", test_intervals);
  g_test_add_func ("/watcher-memory/shared", test_shared_memory_does_not_count);
  g_test_add_func ("/watcher-memory/tree", test_tree);
  g_test_add_func ("/watcher-memory/forks", test_forks);
  g_test_add_func ("/watcher-memory/kernel-kills", test_kernel_kills);
  g_test_add_func ("/watcher-memory/kernel-kills/worker", test_kernel_kills_worker);
  g_test_add_func ("/watcher-memory/limited-worker", test_limited_worker);
  g_test_add_func ("/watcher-memory/other-ends", test_other_ends);
  return g_test_run ();
}
