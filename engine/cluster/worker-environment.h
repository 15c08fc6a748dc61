/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a worker on another machine is started with: the script's arguments, environment and folder, where they exist there; what is the
 * machine's own stays as it is there. */
#pragma once
#include "node/node.h"

typedef struct
{
  TtiNodeProgram program; /* refers to what follows */
  GVariant *variant;
  char *path;
  char **argv, **envp;
  int folder;
} TtiWorkerProgram;

/* From what a master has sent (TTI_SAY_SPAWN_TYPE). Variables that this process has of its host (SLURM_*, HOSTNAME and so on) take the
 * place of the master's; the folder for temporary files and the working folder are the master's if they are there; limits and the like
 * are those of this process, but for the umask. NULL with ERROR if it is nothing of that kind. */
TtiWorkerProgram *tti_worker_program_new (GBytes *bytes, GError **error);
void tti_worker_program_free (TtiWorkerProgram *program); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiWorkerProgram, tti_worker_program_free)
