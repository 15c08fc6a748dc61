/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Task modules in a worker: they are loaded when a task names them first, and stay. One thread. */
#pragma once
#include "tutti/task-module.h"

/* Function FUNCTION of MODULE, a file or a name as for operator modules (loader.h). TUTTI_ERROR_MODULE: there is none, with what there
 * is. */
const TuttiTaskFunction *tti_task_module_find (const char *module, const char *function, GError **error);
