/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Signals in messages. */
#pragma once
#include <glib.h>

/* "signal 9 (SIGKILL)", "signal 37 (SIGRTMIN+3)"; with the usual cause where there is one: "signal 13 (SIGPIPE: …)". To be freed. */
char *tti_signal_describe (int signal);
