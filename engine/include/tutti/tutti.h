/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tutti in applications: simulations on worker processes. The one header to include; compile with
 *
 *   cc program.c $(pkg-config --cflags --libs tutti)
 *
 * tutti/operator.h and tutti/task-module.h are for shared objects that workers load, tutti/guile.h for applications with scripts. */
#pragma once

#define TUTTI_INSIDE
#include "tutti/certificate.h"
#include "tutti/engine.h"
#include "tutti/error.h"
#include "tutti/macros.h"
#include "tutti/model.h"
#include "tutti/pool.h"
#include "tutti/task.h"
#include "tutti/value.h"
#include "tutti/vector.h"
#undef TUTTI_INSIDE
