/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of this extension of Guile share. */
#pragma once
#include "platform/program.h"
#include <libguile.h>

/* The files of a run's folder that its program writes its outputs to. */
#define TTI_COMMAND_OUTPUT "stdout"
#define TTI_COMMAND_ERRORS "stderr"

void tti_command_init_run (void);
void tti_command_init_server (void);

/* The strings of LIST in the locale's encoding, NULL-terminated; free with g_strfreev (). */
char **tti_command_strings (SCM list);

/* How PROGRAM has ended: a pair of a symbol and a number. */
SCM tti_command_end (const TtiProgram *program);
