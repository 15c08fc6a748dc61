/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Threads of our own. */
#pragma once
#include <glib.h>

/* Start a thread that gets no signals: they are for the threads of the application. NULL (TUTTI_ERROR_SHORTAGE) if there may be no more. */
GThread *tutti_thread_start (const char *name, GThreadFunc run, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
