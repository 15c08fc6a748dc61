/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sets of processors: arrays of their numbers (guint), ascending, each once. */
#pragma once
#include <glib.h>
#include <sys/types.h>

GArray *tti_cpus_new (void);                            /* without any */
void tti_cpus_add (GArray *cpus, guint cpu);            /* if it is not in it */
gboolean tti_cpus_have (const GArray *cpus, guint cpu); /* is CPU in it? */
gboolean tti_cpus_are_within (const GArray *cpus, const GArray *others); /* are all CPUS in OTHERS? */

/* As the kernel writes them: "0-3,8". NULL if TEXT is something else; a newline at its end is fine, and no text is no processor. */
GArray *tti_cpus_parse (const char *text);
char *tti_cpus_format (const GArray *cpus);

/* As the kernel takes them, in SIZE bytes. FALSE if one of them does not fit in. */
GArray *tti_cpus_from_mask (const void *mask, gsize size);
gboolean tti_cpus_to_mask (const GArray *cpus, void *mask, gsize size);

/* Those that this thread may run on. Never empty: if the kernel does not tell, it is processor 0. */
GArray *tti_cpus_get_allowed (void);
/* From now on THREAD (0: this one) runs on CPUS. FALSE with errno. */
gboolean tti_cpus_set_allowed (pid_t thread, const GArray *cpus);
/* The same for all threads of PROCESS, and those that they start. FALSE if it is gone, or may not be told. */
gboolean tti_cpus_set_process (pid_t process, const GArray *cpus);
