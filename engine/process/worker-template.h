/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The template of workers: a process that has loaded everything that its workers have in common, and is forked for each of them.
 *
 * It never runs a task, so that a copy is as good as a new process. The watcher starts it (watcher-template.h) with one end of a
 * socket as descriptor 3 and asks for workers over that. */
#pragma once
#include <glib.h>

/* Is this process to be a template? To be called once, at its start: removes the variable that says so from the environment. */
gboolean tti_worker_template_wanted (void);

/* Run as a template until the watcher is gone, then exit. Returns only in workers: each has a process group, an environment and
 * descriptors as if its program had been started, and the watcher is its parent. If the process has more than one thread, or
 * descriptors that it cannot close, it exits at once: then the watcher starts workers in the ordinary way. */
void tti_worker_template_serve (void);
