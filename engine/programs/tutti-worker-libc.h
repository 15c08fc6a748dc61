/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For the functions of the worker that replace libc's. */
#pragma once
#include <dlfcn.h>
#include <stddef.h>

/* libc's own function of this name, looked up once. */
#define LIBC(name)                                               \
  ({                                                             \
    static __typeof__ (&name) found;                             \
    if (found == NULL)                                           \
      *(void **) (void *) &found = dlsym (RTLD_NEXT, #name);     \
    found;                                                       \
  })
