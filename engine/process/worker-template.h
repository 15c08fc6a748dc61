/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The template of workers: a process that has loaded all that its workers have in common, and is copied for each of them.
 *
 * It never runs a task, so that a copy is as good as a new process. The watcher starts it (watcher-template.h) with one end of a socket
 * as descriptor 3 and asks for workers over that. */
#pragma once
#include <glib.h>

/* Is this process to be a template? Asked once, at its start: the setting that says so is taken out of the environment. */
gboolean tutti_worker_template_wanted (void);

/* Be a template until the watcher is gone, then exit. Returns only in workers: each has a process group, an environment and
 * descriptors as if its program had been started, and the watcher for its parent. If the process has more than one thread, or
 * descriptors that cannot be given up, it exits at once: then the watcher starts workers in the ordinary way. */
void tutti_worker_template_serve (void);
