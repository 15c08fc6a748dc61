/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a machine and its programs are, as far as results and placement depend on it. */
#pragma once
#include <glib.h>

/* The facts of this machine and this process, a{sv}, a new reference that is not floating. GUILE is the version of the caller's: "3.0.8".
 *
 *   version     s  Tutti's                                guile        s  GUILE
 *   openblas    s  version, how it was built              openblas-core s the type of processor that it computes for
 *   fftw        s  version, which build                   libm         s  version, which build
 *   cpu         s  maker, family, model, stepping, and a digest of what it has for computing
 *   cpu-name    s  for people                             host         s  the name of the machine
 *   processors  u  that this process may use              page-size    u  bytes
 *   cpus        u  that workers may be bound to           gpus       u  that workers may have
 *   memory      t  bytes in all                           memory-free  t  bytes that programs may still have
 *   clock       x  µs since 1970                          kernel       s  "Linux 6.1.0"
 *   prefix      s  the folder of Tutti's library
 *
 * What is not known is "unknown", or 0. */
GVariant *tti_facts_collect (const char *guile);

/* How OTHER, the facts of another machine, differs from MASTER, those of this one, in what matters, for people. NULL: not at all.
 * *BITS_DIFFER: both have the same Tutti, but results may differ in their last bits, which a user may allow; FALSE with a text: they cannot
 * work together. To be freed. */
char *tti_facts_compare (GVariant *master, GVariant *other, gboolean *bits_differ);
