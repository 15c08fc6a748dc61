/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The GPUs that a process may use, and how one that it starts is given some of them: by variables of the environment. */
#pragma once
#include <glib.h>

/* Programs for NVIDIA's look at the first, those for AMD's at the second. */
typedef enum { TTI_GPU_CUDA, TTI_GPU_ROCR, TTI_GPU_N_KINDS } TtiGpuKind;
const char *tti_gpu_variable (TtiGpuKind kind);

/* One of them: its name in the list of each variable, NULL where it is in none. */
typedef struct
{
  char *names[TTI_GPU_N_KINDS];
} TtiGpu;

/* Those that the variables in ENVIRONMENT (NULL-terminated) name, where one is set. Else those of the machine: NVIDIA's if there are some,
 * otherwise AMD's. If both variables are set, and the machine has GPUs of one kind, its variable counts; otherwise both do, and the first
 * in one list is the first in the other. ROOT is "" (tests have a folder with what is looked at in /dev and /sys). To be freed with
 * g_ptr_array_unref (). */
GPtrArray *tti_gpus_find (const char *root, const char *const *environment);
/* How to call it in messages and accounts. */
const char *tti_gpu_name (const TtiGpu *gpu);
