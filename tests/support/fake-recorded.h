/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An engine that is played for the one who records it: its ring, the socket to that, and a folder with the journal. */
#pragma once
#include "look/event-ring.h"
#include "look/events.h"

typedef struct
{
  TtiEventRing *ring;
  int socket;           /* to the one who looks; -1: nobody does */
  char *folder, *file;  /* the journal's */
  gint64 began;
} FakeEngine;

void fake_engine_begin (FakeEngine *engine, gsize ring_size);
void fake_engine_end (FakeEngine *engine); /* removes the folder with the journal */

/* The socket of one who comes to look, its caller's. */
int fake_engine_open (FakeEngine *engine);

/* Write an event, as of now. */
void fake_engine_show (FakeEngine *engine, TtiEventKind kind, gconstpointer data, const char *first, const char *second);

/* A task of pool 1 is submitted; is given to worker 2, whose life has the number 7; ends. */
void fake_engine_show_submitted (FakeEngine *engine, guint64 task, const char *name);
void fake_engine_show_started (FakeEngine *engine, guint64 task, guint attempt);
void fake_engine_show_ended (FakeEngine *engine, guint64 task, guint attempts, TtiLookEnd end);
void fake_engine_show_success (FakeEngine *engine, guint64 task, const char *name); /* all that, at the first attempt */

/* What the query SQL of the journal gives: values with | between them, rows with a blank. To be freed. */
char *fake_engine_ask (FakeEngine *engine, const char *sql);
