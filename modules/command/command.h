/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of this extension of Guile share. */
#pragma once
#include "platform/program.h"
#include <libguile.h>

/* The files of a run's folder that its program reads from and writes its outputs to. */
#define TTI_COMMAND_INPUT "stdin"
#define TTI_COMMAND_OUTPUT "stdout"
#define TTI_COMMAND_ERRORS "stderr"

void tti_command_init_file (void);
void tti_command_init_folder (void);
void tti_command_init_number (void);
void tti_command_init_run (void);
void tti_command_init_server (void);

/* How to start a program, from Scheme: strings in UTF-8, whatever the locale. */
typedef struct
{
  char **argv, **envp;
  char *folder;
} TtiCommandLine;

/* Fill LINE, which is zero, from the list of strings ARGUMENTS; this process's environment with CHANGES, a list of "NAME=VALUE", or
 * "NAME" to take a variable out; and the name FOLDER. What it has got when an error of Scheme leaves this is
 * freed by tti_command_line_clear (). */
void tti_command_line_fill (TtiCommandLine *line, SCM arguments, SCM changes, SCM folder);

void tti_command_line_clear (TtiCommandLine *line);

/* How PROGRAM has ended: a pair of a symbol and a number. */
SCM tti_command_end (const TtiProgram *program);
