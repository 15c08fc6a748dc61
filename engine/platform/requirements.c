/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Features of the system that Tutti requires. */
#include "platform/requirements.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  const char *name;
  int (*try) (void); /* a descriptor, or -1 and errno */
  const char *use;
  const char *advice; /* NULL: it is a system call */
} Requirement;

static int
try_proc (void)
{
  return open ("/proc/self/stat", O_RDONLY | O_CLOEXEC);
}

static int
try_null (void)
{
  struct stat status;
  tti_autofd int fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (fd >= 0 && fstat (fd, &status) == 0 && !S_ISCHR (status.st_mode))
    {
      errno = ENODEV;
      return -1;
    }
  return g_steal_fd (&fd);
}

static int
try_pidfd (void)
{
  return pidfd_open (getpid (), 0);
}

static int
try_memfd (void)
{
  return memfd_create ("tutti-try", MFD_CLOEXEC);
}

static int
try_eventfd (void)
{
  return eventfd (0, EFD_CLOEXEC);
}

static int
try_signalfd (void)
{
  sigset_t none;

  sigemptyset (&none);
  return signalfd (-1, &none, SFD_CLOEXEC);
}

static int
try_subreaper (void)
{
  int subreaper;

  /* Query only: the calling process must not become one. */
  return prctl (PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) < 0 ? -1 : open ("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
}

static const Requirement requirements[] = {
  { "/proc", try_proc, "Tutti finds processes in it that it must end",
    "mount it (mount -t proc proc /proc), or give the container one" },
  { "/dev/null", try_null, "workers have it as standard input",
    "make it (mknod -m 666 /dev/null c 1 3), or give the container a /dev" },
  { "pidfd_open", try_pidfd, "Tutti watches processes with it", NULL },
  { "signalfd", try_signalfd, "the watcher learns of its children by it", NULL },
  { "eventfd", try_eventfd, "threads wake each other with it", NULL },
  { "memfd_create", try_memfd, "it makes memory that workers share", NULL },
  { "prctl (PR_GET_CHILD_SUBREAPER)", try_subreaper, "the watcher needs it to end what dead workers leave", NULL },
};

guint
tti_requirements_count (void)
{
  return G_N_ELEMENTS (requirements);
}

const char *
tti_requirement_name (guint which)
{
  g_return_val_if_fail (which < G_N_ELEMENTS (requirements), NULL);
  return requirements[which].name;
}

static const char *
advice_for (const Requirement *requirement, int saved_errno)
{
  if (saved_errno == EMFILE)
    return "this process has no descriptor left: close some, or raise the limit (ulimit -n)";
  if (saved_errno == ENFILE || saved_errno == ENOMEM)
    return "the machine has none left: end something else";
  if (requirement->advice != NULL)
    return requirement->advice;
  if (saved_errno == EPERM || saved_errno == EACCES)
    return "a sandbox forbids it: allow this system call in the container's seccomp profile";
  return "this kernel or sandbox does not have it: Linux 5.4 or newer is needed";
}

gboolean
tti_requirement_check (guint which, GError **error)
{
  g_return_val_if_fail (which < G_N_ELEMENTS (requirements), FALSE);
  const Requirement *requirement = &requirements[which];
  tti_autofd int fd = requirement->try ();

  if (fd >= 0)
    return TRUE;
  int saved_errno = errno;

  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "%s does not work: %s; %s; %s", requirement->name, g_strerror (saved_errno),
               requirement->use, advice_for (requirement, saved_errno));
  return FALSE;
}

gboolean
tti_requirements_check (GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (requirements); i++)
    if (!tti_requirement_check (i, error))
      return FALSE;
  return TRUE;
}
