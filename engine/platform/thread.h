/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Threads of the engine. */
#pragma once
#include <glib.h>

/* Start a thread with all signals blocked: they are for the threads of the application. NULL (TUTTI_ERROR_SHORTAGE) if no more
 * threads are allowed. */
GThread *tti_thread_start (const char *name, GThreadFunc run, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
