/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* To be preloaded: $TUTTI_TEST_WITHOUT is a system call that fails with the number $TUTTI_TEST_ERRNO, as in a kernel or a sandbox that does
 * not have it. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static int
fails (const char *name)
{
  const char *without = getenv ("TUTTI_TEST_WITHOUT"), *number = getenv ("TUTTI_TEST_ERRNO");

  if (without == NULL || number == NULL || strcmp (without, name) != 0)
    return 0;
  errno = atoi (number);
  return 1;
}

#define WITHOUT(name, parameters, arguments)                        \
  int name parameters;                                              \
  int name parameters                                               \
  {                                                                 \
    int (*real) parameters;                                         \
                                                                    \
    if (fails (#name))                                              \
      return -1;                                                    \
    *(void **) &real = dlsym (RTLD_NEXT, #name);                    \
    return real arguments;                                          \
  }

WITHOUT (signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
WITHOUT (pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
WITHOUT (memfd_create, (const char *name, unsigned flags), (name, flags))
WITHOUT (eventfd, (unsigned value, int flags), (value, flags))
WITHOUT (prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d), (option, a, b, c, d))
