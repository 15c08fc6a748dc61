/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Room on the disk, before the HDF5 library writes: what it cannot write it keeps, tries again when the process ends, and crashes. */
#include "file/hdf5-private.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Returns 0 or an error of the system. */
static int
reserve (int fd, uint64_t bytes)
{
  struct stat stat;
  struct statvfs system;
  struct rlimit limit;

  if (fstat (fd, &stat) < 0)
    return errno;
  if (bytes > INT64_MAX / 2 - (uint64_t) stat.st_size)
    return EFBIG;
  if (getrlimit (RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < (uint64_t) stat.st_size + bytes)
    return EFBIG;
  if (fallocate (fd, FALLOC_FL_KEEP_SIZE, stat.st_size, (off_t) bytes) == 0)
    return 0;
  if (errno != EOPNOTSUPP && errno != ENOSYS)
    return errno;
  /* Such a file system can only be asked how much is free now. */
  return fstatvfs (fd, &system) == 0 && system.f_bavail * system.f_frsize < bytes ? ENOSPC : 0;
}

int
tutti_hdf5_reserve (const char *file, uint64_t bytes)
{
  int fd = open (file, O_WRONLY | O_CLOEXEC), error = fd < 0 ? errno : reserve (fd, bytes);

  if (fd >= 0)
    close (fd);
  if (error != 0)
    tutti_hdf5_say ("%s", strerror (error));
  return error == 0 ? 0 : -1;
}

void
tutti_hdf5_release (const char *file)
{
  int fd = open (file, O_WRONLY | O_CLOEXEC);
  struct stat stat;

  if (fd < 0)
    return;
  if (fstat (fd, &stat) == 0 && ftruncate (fd, stat.st_size) < 0)
    tutti_hdf5_say ("%s", strerror (errno));
  close (fd);
}
