/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is said between an engine and those who look at it, over a socket of the type SOCK_SEQPACKET. The engine says hello, with a
 * read-only descriptor of its ring of events. A viewer may ask for more. While the socket is connected, somebody looks. */
#pragma once
#include <glib.h>

#define TTI_LOOK_MAGIC G_GUINT64_CONSTANT (0x5475747469204869)

enum { TTI_LOOK_VERSION = 1 };

typedef struct
{
  guint64 magic;
  guint32 version;
  gint32 pid;      /* of the engine's process */
  gint64 began;    /* when the engine was made: with PID it tells it from all others of this machine; wall clock, µs */
  guint64 position, number; /* in the ring, where the present state is shown to this viewer; before are older events */
} TtiLookHello;

typedef enum
{
  TTI_LOOK_ASK_SNAPSHOT = 1, /* show the present state once more: the viewer has missed something */
  TTI_LOOK_ASK_TASK,         /* show TASK, and those that it waits for, if they have not ended */
  TTI_LOOK_ASK_CAPSULES,     /* from now on send a capsule (look/capsule.h) of each task that fails */
  TTI_LOOK_FINISHED          /* nothing is asked: a companion has done its work, after the engine's end */
} TtiLookQuestion;

typedef struct
{
  guint32 question; /* TtiLookQuestion */
  guint32 padding;
  guint64 task;
} TtiLookRequest;

/* A capsule, with a descriptor of its memory, or without if it could not be made. */
typedef struct
{
  guint64 task;      /* 0: not known */
  gint64 item;       /* of a map; -1: it is of a task */
  char reason[112];  /* why there is none, or "" */
} TtiLookCapsule;

/* How long a viewer waits for hello, µs. */
#define TTI_LOOK_PATIENCE_US (2 * G_USEC_PER_SEC)
