/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a master and a worker have to agree on, beside the messages of their transport. */
#pragma once
#include <glib.h>

/* What a task is for: which handler of the worker gets it. */
typedef enum
{
  TTI_HANDLER_ECHO = 1, /* answers with its request; needs no Guile: measures the way there and back.
                         * For tasks without dependencies: a worker may not send a joined payload */
  TTI_HANDLER_SCHEME,
  TTI_HANDLER_MODULE, /* modules in C: module/task-requests.h */
  TTI_N_HANDLERS
} TtiHandlerKind;

/* A worker runs tasks in its own place, its index in the pool, and if the pool has become smaller also in those of others, with what these
 * held. The detail of a TASK, a HOLD or a DROP says in its upper half for which place it is: 0: for the worker's own, or for all. */
static inline guint64
tti_place_to_detail (guint place)
{
  return ((guint64) place + 1) << 32;
}

/* The index that tasks see in the place that DETAIL says; -1: the worker's own. */
static inline int
tti_place_from_detail (guint64 detail)
{
  return (int) (detail >> 32) - 1;
}

/* The number under which a worker holds the object with ID for that place. */
static inline guint64
tti_held_key (guint64 id, guint64 detail)
{
  return id | (detail >> 32) << 48;
}

/* Which a worker says in its greeting. */
#define TTI_WORKER_PROTOCOL 1

/* A worker that finds no free descriptors when it starts exits with this status, before it has sent anything: another attempt may
 * succeed. */
enum { TTI_WORKER_EXIT_SHORT = 73 };
