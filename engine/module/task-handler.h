/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The worker's side of tasks for modules in C (task-requests.h): functions by name, and operators that it holds. */
#pragma once
#include "process/worker-loop.h"

extern const TtiHandler tti_module_handler;
