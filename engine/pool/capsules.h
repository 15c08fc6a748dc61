/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Capsules of failed tasks and items: see look/capsule.h for what is in one. */
#pragma once
#include "look/capsule.h"
#include "pool/pool.h"

/* From now on what fails leaves a capsule of MOST bytes at most, if somebody has asked for capsules; 0: it does not (the default).
 * Variables of the environment whose names tell of secrets are left out, but for those whose names are in KEPT, which ends with NULL. */
void tti_engine_set_capsules (TtiEngine *engine, gsize most, const char *const *kept);

/* What knows the requests of TTI_HANDLER_MODULE adds facts of one: which code it needs in a worker of ENVIRONMENT that has started in
 * FOLDER (NULL: not known). For all engines; until it is set there are none. */
typedef void (*TtiCapsuleCode) (TtiCapsuleWriter *writer, TtiPayload *request, const char *folder, const char *const *environment);
void tti_capsules_set_code (TtiCapsuleCode code);

/* What has failed. All is the caller's. */
typedef struct
{
  guint64 task;          /* its number, 0: not known */
  gint64 item;           /* of a map; -1: it is a task */
  TtiHandlerKind handler;
  const char *name;      /* of its procedure, or NULL */
  guint place;           /* in which it ran */
  gint64 time_out;       /* µs; 0: none */
  const char *end;       /* "raised", "died" … */
  const char *error;
  const TtiCertificate *certificate; /* of the worker that has died of it, or NULL */
  TtiPayload *request;
  GPtrArray *held;       /* of TtiHeld: what the worker has to hold for it; or NULL */
} TtiCapsuleSource;

/* Make a capsule of an item of a map, which no task of its own stands for, as of a task. */
void tti_pool_encapsulate_item (TtiPool *pool, const TtiCapsuleSource *source);
