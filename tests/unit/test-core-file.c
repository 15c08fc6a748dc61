/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Where cores are: the kernel's patterns, and real cores. */
#include "platform/core-file.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_glob (void)
{
  g_autofree char *host = g_strdelimit (g_strdup (g_get_host_name ()), "/", '!');
  g_autofree char *of_host = g_strconcat ("/c/", host, NULL), *ids = g_strdup_printf ("/c/%u.%u", (guint) getuid (), (guint) getgid ());
  const struct { const char *pattern; gboolean uses_pid; const char *expected; } cases[] = {
    { "core", FALSE, "/a\\[b/core" },
    { "core", TRUE, "/a\\[b/core.17" },
    { "core.%p", TRUE, "/a\\[b/core.17" },
    { "core.%P", TRUE, "/a\\[b/core.[0-9]*.17" },
    { "/c/%e-%t.%s", FALSE, "/c/*-*.11" },
    { "/c/%i%I", FALSE, "/c/[0-9]*[0-9]*" },
    { "/c/%%p*%", FALSE, "/c/%p\\*" },
    { "/c/%u.%g", FALSE, ids },
    { "/c/%h", FALSE, of_host },
    { "/c/%E/%Z", FALSE, "/c/*/*" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      TtiCoreSearch search = { cases[i].pattern, cases[i].uses_pid, "/a[b", 17, SIGSEGV };
      g_autofree char *glob = tti_core_file_get_glob (&search);

      g_assert_cmpstr (glob, ==, cases[i].expected);
      g_assert_null (tti_core_file_get_program (&search));
    }
}

static void
test_program (void)
{
  static const char *const cases[][2] = { { "|/usr/lib/systemd/systemd-coredump %P %u", "/usr/lib/systemd/systemd-coredump" },
                                          { "| /bin/x", "/bin/x" },
                                          { "|", "" },
                                          { "@/run/cores.socket", "@/run/cores.socket" } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      TtiCoreSearch search = { .pattern = cases[i][0], .folder = "/", .pid = 17 };
      g_autofree char *program = tti_core_file_get_program (&search);

      g_assert_cmpstr (program, ==, cases[i][1]);
    }
}

/* --- real cores -------------------------------------------------------------------------------------------------------------- */

static char *
folder_new (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("tutti-core-XXXXXX", &error);

  g_assert_no_error (error);
  return folder;
}

static void
folder_free (char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);

  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_assert_cmpint (g_remove (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
}

/* Have a process crash in FOLDER. Its number; 0, and the test is skipped: there is no core file of it. */
static int
crash_in (const char *folder)
{
  struct rlimit limit;
  gboolean uses_pid;
  g_autofree char *pattern = tti_core_file_read_pattern (&uses_pid);
  int status;

  if (pattern == NULL || *pattern == '|' || *pattern == '/' || *pattern == '@')
    {
      g_test_skip ("cores are put elsewhere on this machine");
      return 0;
    }
  pid_t pid = fork ();

  if (pid == 0)
    {
      getrlimit (RLIMIT_CORE, &limit);
      limit.rlim_cur = limit.rlim_max;
      if (setrlimit (RLIMIT_CORE, &limit) == 0 && chdir (folder) == 0)
        {
          signal (SIGSEGV, SIG_DFL);
          raise (SIGSEGV);
        }
      _exit (1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  if (WIFSIGNALED (status) && WCOREDUMP (status))
    return pid;
  g_test_skip ("no cores can be made here");
  return 0;
}

static char *
find (const char *folder, int pid)
{
  TtiCoreSearch search = { .folder = folder, .pid = pid, .signal = SIGSEGV };
  g_autofree char *pattern = tti_core_file_read_pattern (&search.uses_pid);

  search.pattern = pattern;
  return tti_core_file_find (&search);
}

static void
test_find (void)
{
  char *folder = folder_new ();
  int pid = crash_in (folder);

  if (pid != 0)
    {
      g_autofree char *core = find (folder, pid), *none = find (folder, pid + 1), *to = g_build_filename (folder, "7.core", NULL);

      g_assert_nonnull (core);
      g_assert_true (g_str_has_prefix (core, folder));
      g_assert_cmpint (tti_core_file_get_pid (core), ==, pid);
      g_assert_null (none);
      g_assert_false (tti_core_file_move (core, pid + 1, to));
      g_assert_true (tti_core_file_move (core, pid, to));
      g_assert_false (g_file_test (core, G_FILE_TEST_EXISTS));
      g_assert_cmpint (tti_core_file_get_pid (to), ==, pid);
      /* What is there is not replaced. */
      g_assert_cmpint (g_rename (to, core), ==, 0);
      g_assert_true (g_file_set_contents (to, "mine", -1, NULL));
      g_assert_false (tti_core_file_move (core, pid, to));
      g_assert_cmpint (tti_core_file_get_pid (core), ==, pid);
      g_assert_cmpint (tti_core_file_get_pid (to), ==, -1);
    }
  folder_free (folder);
}

static void
test_not_believed (void)
{
  char *folder = folder_new ();
  int pid = crash_in (folder);

  if (pid != 0)
    {
      g_autofree char *core = find (folder, pid), *kept = g_build_filename (folder, "kept", NULL);
      g_autofree char *to = g_build_filename (folder, "to", NULL);
      const struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
      g_autofree char *bytes = NULL;
      gsize size;

      g_assert_nonnull (core);
      /* A link to it. */
      g_assert_cmpint (g_rename (core, kept), ==, 0);
      g_assert_cmpint (symlink (kept, core), ==, 0);
      g_assert_null (find (folder, pid));
      g_assert_false (tti_core_file_move (core, pid, to));
      g_assert_cmpint (g_unlink (core), ==, 0);
      /* A pipe, which would make us wait. */
      g_assert_cmpint (mkfifo (core, 0600), ==, 0);
      g_assert_null (find (folder, pid));
      g_assert_cmpint (g_unlink (core), ==, 0);
      /* One that is cut, to any length of its headers. */
      g_assert_true (g_file_get_contents (kept, &bytes, &size, NULL));
      for (gsize n = 0; n < 4096; n += n < 256 ? 1 : 61)
        {
          g_assert_true (g_file_set_contents (core, bytes, (gssize) MIN (n, size), NULL));
          (void) tti_core_file_get_pid (core);
        }
      g_assert_true (g_file_set_contents (core, bytes, 200, NULL));
      g_assert_null (find (folder, pid));
      /* An old one, of a process that had the same number. */
      g_assert_cmpint (g_rename (kept, core), ==, 0);
      g_assert_cmpint (utimensat (AT_FDCWD, core, old, 0), ==, 0);
      g_assert_null (find (folder, pid));
      g_assert_cmpint (utimensat (AT_FDCWD, core, NULL, 0), ==, 0);
      g_free (find (folder, pid));
    }
  folder_free (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core-file/glob", test_glob);
  g_test_add_func ("/core-file/program", test_program);
  g_test_add_func ("/core-file/find", test_find);
  g_test_add_func ("/core-file/not-believed", test_not_believed);
  return g_test_run ();
}
