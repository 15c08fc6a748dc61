/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a master and a worker have to agree on, beside the messages of their transport. */
#pragma once

/* What a task is for: which handler of the worker gets it. */
typedef enum
{
  TTI_HANDLER_ECHO = 1, /* answers with its request; needs no Guile: measures the way there and back.
                         * For tasks without dependencies: a worker may not send a joined payload */
  TTI_HANDLER_SCHEME,
  TTI_HANDLER_MODULE, /* modules in C: module/task-requests.h */
  TTI_N_HANDLERS
} TtiHandlerKind;

/* Which a worker says in its greeting. */
#define TTI_WORKER_PROTOCOL 1

/* A worker that finds no free descriptors when it starts exits with this status, before it has sent anything: another attempt may
 * succeed. */
enum { TTI_WORKER_EXIT_SHORT = 73 };
