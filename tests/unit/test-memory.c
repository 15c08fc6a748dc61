/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Shared memory: seals, sizes, and the visibility of writes. */
#include "platform/memory.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static void
test_open (void)
{
  g_autoptr (GError) error = NULL;
  tti_autofd int fd = tti_memory_open ("test", 5000, &error);

  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (tti_memory_size (fd, &error), ==, 5000);
  g_assert_cmpint (ftruncate (fd, 10), ==, -1);
  g_assert_cmpint (ftruncate (fd, 10000), ==, -1);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), ==, -1);
  guint8 *bytes = tti_memory_map (fd, 0, 5000, TTI_MAP_SHARED, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < 5000; i++)
    g_assert_cmpint (bytes[i], ==, 0);
  tti_memory_unmap (bytes, 5000);
}

static void
test_too_large (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (tti_memory_open ("test", G_MAXSIZE, &error), ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
}

static void
test_map_modes (void)
{
  tti_autofd int fd = tti_memory_open ("test", 8192, NULL);
  char *shared = tti_memory_map (fd, 0, 8192, TTI_MAP_SHARED, NULL);
  char *second = tti_memory_map (fd, 4096, 4096, TTI_MAP_SHARED, NULL);
  char *seen = tti_memory_map (fd, 0, 8192, TTI_MAP_READ_ONLY, NULL);
  char *copy = tti_memory_map (fd, 0, 8192, TTI_MAP_COPY, NULL);

  shared[4096] = 'a';
  g_assert_cmpint (second[0], ==, 'a');
  g_assert_cmpint (seen[4096], ==, 'a');
  g_assert_cmpint (copy[4096], ==, 'a');
  copy[0] = 'b';
  g_assert_cmpint (copy[0], ==, 'b');
  g_assert_cmpint (shared[0], ==, 0);
  tti_memory_unmap (shared, 8192);
  tti_memory_unmap (second, 4096);
  tti_memory_unmap (seen, 8192);
  tti_memory_unmap (copy, 8192);
}

static void
test_map_refused (void)
{
  g_autoptr (GError) error = NULL;
  tti_autofd int fd = tti_memory_open ("test", 4096, NULL);
  tti_autofd int read_only = tti_fd_reopen_read_only (fd, NULL);

  g_assert_null (tti_memory_map (fd, 1, 4096, TTI_MAP_SHARED, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
  g_clear_error (&error);
  g_assert_null (tti_memory_map (read_only, 0, 4096, TTI_MAP_SHARED, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
  char *copy = tti_memory_map (read_only, 0, 4096, TTI_MAP_COPY, NULL);

  g_assert_nonnull (copy);
  tti_memory_unmap (copy, 4096);
}

static void
test_size_refused (void)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_true (tti_fd_pipe (fds, NULL));
  g_assert_cmpint (tti_memory_size (fds[0], &error), ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
  g_clear_error (&error);
  tti_fd_clear (&fds[0]);
  tti_fd_clear (&fds[1]);
  g_assert_cmpint (tti_memory_size (12345, &error), ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
}

/* Write to read-only memory: the parent checks how the process ends. */
static void
test_write_faults (gconstpointer protect_later)
{
  if (g_test_subprocess ())
    {
      tti_autofd int fd = tti_memory_open ("test", 4096, NULL);
      TtiMapMode mode = GPOINTER_TO_INT (protect_later) ? TTI_MAP_SHARED : TTI_MAP_READ_ONLY;
      volatile char *bytes = tti_memory_map (fd, 0, 4096, mode, NULL);

      /* A sanitizer's handler would turn the signal into an exit. */
      signal (SIGSEGV, SIG_DFL);
      if (GPOINTER_TO_INT (protect_later))
        {
          bytes[0] = 'a';
          tti_memory_protect ((char *) bytes, 4096);
        }
      bytes[0] = 'b';
      return;
    }
  g_test_trap_subprocess (NULL, 10 * G_TIME_SPAN_SECOND, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_failed ();
  g_assert_false (g_test_trap_reached_timeout ());
}

/* Odd addresses, and memory that cannot have them: nothing changes but the pages. */
static void
test_large_pages (void)
{
  const gsize size = 9 << 20;
  g_autofree guint8 *bytes = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    bytes[i] = (guint8) (i * 7 + i / 4096);
  tti_memory_use_large_pages (bytes + 100, size - 300);
  for (gsize i = 0; i < size; i++)
    if (bytes[i] != (guint8) (i * 7 + i / 4096))
      g_assert_cmpuint (bytes[i], ==, (guint8) (i * 7 + i / 4096));
  tti_memory_use_large_pages (bytes, 5);

  tti_autofd int fd = tti_memory_open ("test", size, NULL);
  guint8 *mapped = tti_memory_map (fd, 0, size, TTI_MAP_READ_ONLY, NULL);

  tti_memory_use_large_pages (mapped, size);
  g_assert_cmpuint (mapped[size - 1], ==, 0);
  tti_memory_unmap (mapped, size);
}

/* The limit on file sizes applies to memory, and its signal would end the process: an error reports it instead, and the signal's
 * disposition stays. */
static void
test_limit_of_files (void)
{
  g_autoptr (GError) error = NULL;
  struct rlimit before, low;
  struct sigaction action;
  sigset_t mask, pending;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  low = before;
  low.rlim_cur = 10000;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &low), ==, 0);
  g_assert_cmpuint (tti_memory_get_limit (), ==, 10000);
  tti_autofd int small = tti_memory_open ("small", 10000, &error);
  g_assert_no_error (error);
  tti_autofd int large = tti_memory_open ("large", 10001, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  g_assert_cmpint (small, >=, 0);
  g_assert_cmpint (large, ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
  g_assert_nonnull (strstr (error->message, "ulimit -f"));
  g_assert_nonnull (strstr (error->message, "is 10000 bytes"));
  g_assert_cmpint (sigaction (SIGXFSZ, NULL, &action), ==, 0);
  g_assert_true (action.sa_handler == SIG_DFL);
  g_assert_cmpint (pthread_sigmask (SIG_SETMASK, NULL, &mask), ==, 0);
  g_assert_cmpint (sigismember (&mask, SIGXFSZ), ==, 0);
  g_assert_cmpint (sigpending (&pending), ==, 0);
  g_assert_cmpint (sigismember (&pending, SIGXFSZ), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/memory/open", test_open);
  g_test_add_func ("/memory/open/too-large", test_too_large);
  g_test_add_func ("/memory/map/modes", test_map_modes);
  g_test_add_func ("/memory/map/refused", test_map_refused);
  g_test_add_func ("/memory/size/refused", test_size_refused);
  g_test_add_func ("/memory/large-pages", test_large_pages);
  g_test_add_data_func ("/memory/read-only/write-faults", GINT_TO_POINTER (FALSE), test_write_faults);
  g_test_add_data_func ("/memory/protect/write-faults", GINT_TO_POINTER (TRUE), test_write_faults);
  g_test_add_func ("/memory/limit-of-files", test_limit_of_files);
  return g_test_run ();
}
