/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Memfds and their mappings. */
#include "platform/memory.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGE_PAGE = 2 * 1024 * 1024 };

gsize
tti_memory_get_limit (void)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < G_MAXSSIZE ? (gsize) limit.rlim_cur : G_MAXSSIZE;
}

/* Set the size of FD to SIZE bytes. Returns 0 or errno. EFBIG means the limit on file sizes, which applies to memfds as well and
 * whose signal ends the process: so check the limit first; if somebody lowers it at this very moment, take the signal, which is
 * sent to the calling thread. */
static int
memory_resize (int fd, gsize size)
{
  const struct timespec now = { 0, 0 };
  sigset_t ours, before, pending;

  if (size > tti_memory_get_limit ())
    return EFBIG;
  sigemptyset (&ours);
  sigaddset (&ours, SIGXFSZ);
  pthread_sigmask (SIG_BLOCK, &ours, &before);
  gboolean was_pending = sigpending (&pending) == 0 && sigismember (&pending, SIGXFSZ) == 1;
  int failure = ftruncate (fd, (off_t) size) < 0 ? errno : 0;

  if (failure == EFBIG && !was_pending)
    (void) sigtimedwait (&ours, NULL, &now);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return failure;
}

static void
memory_set_error (GError **error, int failure, const char *name, gsize size)
{
  gsize limit = tti_memory_get_limit ();

  if (failure == EFBIG && limit < G_MAXSSIZE)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM,
                 "cannot make shared memory '%s' of %" G_GSIZE_FORMAT " bytes: the limit of file sizes (ulimit -f), which counts for "
                 "shared memory too, is %" G_GSIZE_FORMAT " bytes; raise it before the program is started", name, size, limit);
  else
    tti_set_errno (error, failure, "cannot make shared memory '%s' of %" G_GSIZE_FORMAT " bytes", name, size);
  errno = failure;
}

int
tti_memory_open (const char *name, gsize size, GError **error)
{
  g_return_val_if_fail (name != NULL && size > 0, -1);
  tti_fd_begin_opening ();
  tti_autofd int fd = memfd_create (name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

  tti_fd_end_opening ();
  /* Access to a mapping beyond the end of its file raises SIGBUS; the seals guarantee the size to all receivers of this descriptor.
   * F_SEAL_SEAL is needed because a process that has the descriptor could otherwise add a seal against writing, which would prevent
   * reuse of the memory. */
  int failure = fd < 0 ? errno : memory_resize (fd, size);

  if (failure == 0 && fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
    failure = errno;
  if (failure == 0)
    return g_steal_fd (&fd);
  memory_set_error (error, failure, name, size);
  return -1;
}

/* Addresses for SIZE bytes from OFFSET of a file such that those of its parts of 2 MiB begin at multiples of 2 MiB: otherwise a huge page
 * there is mapped page by page. NULL: it has no such part, or there are no addresses. */
static gpointer
reserve_aligned (gsize size, goffset offset)
{
  gsize inside = (gsize) offset % LARGE_PAGE;

  if (size < LARGE_PAGE || size > G_MAXSSIZE - LARGE_PAGE)
    return NULL;
  guint8 *start = mmap (NULL, size + LARGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  if (start == MAP_FAILED)
    return NULL;
  gsize before = (LARGE_PAGE + inside - (guintptr) start % LARGE_PAGE) % LARGE_PAGE;
  gsize page = (gsize) sysconf (_SC_PAGESIZE), used = (size + page - 1) / page * page, whole = (size + LARGE_PAGE + page - 1) / page * page;

  if (before > 0)
    munmap (start, before);
  if (whole > before + used)
    munmap (start + before + used, whole - before - used);
  return start + before;
}

gpointer
tti_memory_map (int fd, goffset offset, gsize size, TtiMapMode mode, GError **error)
{
  g_return_val_if_fail (size > 0 && offset >= 0, NULL);
  int protection = mode == TTI_MAP_READ_ONLY ? PROT_READ : PROT_READ | PROT_WRITE;
  int flags = mode == TTI_MAP_COPY ? MAP_PRIVATE : MAP_SHARED;
  gpointer place = reserve_aligned (size, offset);
  gpointer address = mmap (place, size, protection, place != NULL ? flags | MAP_FIXED : flags, fd, offset);

  if (address != MAP_FAILED)
    return address;
  int failure = errno;

  tti_memory_unmap (place, size);
  tti_set_errno (error, failure, "cannot map %" G_GSIZE_FORMAT " bytes of descriptor %d from %" G_GOFFSET_FORMAT, size, fd, offset);
  return NULL;
}

static gpointer
memory_map_private (gsize size, int protection, int flags, GError **error)
{
  gpointer address = mmap (NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

  if (address == MAP_FAILED)
    {
      tti_set_errno (error, errno, "cannot map %" G_GSIZE_FORMAT " bytes", size);
      return NULL;
    }
  return address;
}

gpointer
tti_memory_map_anonymous (gsize size, GError **error)
{
  return memory_map_private (size, PROT_READ | PROT_WRITE, 0, error);
}

gpointer
tti_memory_map_zeros (gsize size, GError **error)
{
  return memory_map_private (size, PROT_READ, MAP_NORESERVE, error);
}

gpointer
tti_memory_map_twice (gsize size, GError **error)
{
  guint8 *both = mmap (NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  /* For shared memory, remapping a mapping of size 0 creates a second one. Populating all pages at once costs a tenth of a fault
   * per page. */
  if (both != MAP_FAILED
      && mmap (both + size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0) != MAP_FAILED
      && mremap (both + size, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, both) != MAP_FAILED && mprotect (both, size, PROT_READ) == 0)
    return both;
  tti_set_errno (error, errno, "cannot map %" G_GSIZE_FORMAT " bytes twice", size);
  if (both != MAP_FAILED)
    munmap (both, 2 * size);
  return NULL;
}

void
tti_memory_unmap (gpointer address, gsize size)
{
  if (address != NULL && munmap (address, size) < 0)
    g_critical ("munmap (%p, %" G_GSIZE_FORMAT "): %s", address, size, g_strerror (errno));
}

gssize
tti_memory_size (int fd, GError **error)
{
  struct stat status;

  if (fstat (fd, &status) < 0)
    {
      tti_set_errno (error, errno, "cannot find the size of descriptor %d", fd);
      return -1;
    }
  /* A pipe or a socket has st_size 0, which would look like empty memory. */
  if (!S_ISREG (status.st_mode))
    {
      tti_set_errno (error, EINVAL, "descriptor %d is not memory (file type %#o)", fd, (guint) status.st_mode & S_IFMT);
      return -1;
    }
  return status.st_size;
}

static void
memory_set_protection (gpointer address, gsize size, int protection)
{
  if (mprotect (address, size, protection) < 0)
    g_critical ("mprotect (%p, %" G_GSIZE_FORMAT "): %s", address, size, g_strerror (errno));
}

void
tti_memory_protect (gpointer address, gsize size)
{
  memory_set_protection (address, size, PROT_READ);
}

void
tti_memory_unprotect (gpointer address, gsize size)
{
  memory_set_protection (address, size, PROT_READ | PROT_WRITE);
}

gboolean
tti_memory_move (gpointer from, gsize size, gpointer to, gboolean writable, GError **error)
{
  /* Not a new mapping there, into which the contents are copied: others would see zeros meanwhile. */
  if ((writable || mprotect (from, size, PROT_READ) == 0) && mremap (from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED)
    return TRUE;
  tti_set_errno (error, errno, "cannot move %" G_GSIZE_FORMAT " bytes of memory", size);
  return FALSE;
}

void
tti_memory_drop (gpointer address, gsize size)
{
  /* If it fails, the memory stays until it is unmapped. */
  (void) mmap (address, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; older ones refuse it */
#endif

void
tti_memory_use_large_pages (gpointer address, gsize size)
{
  guintptr start = ((guintptr) address + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
  guintptr end = ((guintptr) address + size) / LARGE_PAGE * LARGE_PAGE;

  if (start >= end)
    return;
  /* A hint only: some memory cannot have huge pages, and some systems disable them. */
  (void) madvise ((gpointer) start, end - start, MADV_HUGEPAGE);
  (void) madvise ((gpointer) start, end - start, MADV_COLLAPSE);
}

void
tti_memory_want_large_pages (gpointer map, gsize size)
{
  /* All of the mapping, as otherwise the kernel divides it. */
  if (size >= LARGE_PAGE)
    (void) madvise (map, size, MADV_HUGEPAGE);
}
