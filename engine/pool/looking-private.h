/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Who looks at an engine, and what is written for them. Nothing is while nobody looks.
 *
 * Who owns what: the engine owns the ring of events, which is made for the first viewer and stays; the viewers, each with its socket; the
 * door, the notes and the companions. All are guarded by the engine's lock. */
#pragma once
#include "look/door.h"
#include "look/events.h"
#include "pool/companion.h"
#include "pool/looking.h"

/* How far something has come that goes on. */
typedef struct
{
  TtiLookProgress state;
  char *name;             /* or NULL */
} TtiEngineProgress;

typedef struct
{
  gboolean watched;       /* atomic where the lock is not held: somebody looks, write events */
  TtiEventRing *ring;          /* NULL: nobody has looked yet */
  GPtrArray *viewers;     /* of TtiEngineViewer, owned */
  TtiDoor *door;          /* NULL: it is closed */
  char *door_name;
  GSource *door_source, *pulse;
  GHashTable *notes;      /* of char *, owned, keys and values */
  GHashTable *progresses; /* number -> TtiEngineProgress, owned */
  guint n_awaited;        /* companions that are started again: they find in the ring what has happened meanwhile */
  GPtrArray *companions;  /* of TtiCompanionState, owned; see companions.c */
  guint n_pulses;
  gint64 began;           /* when the engine was made; wall clock, µs */
  gsize capsule_limit;    /* bytes of one; 0: what fails leaves none; see capsules.c */
  char **kept_variables;
  guint n_capsules, capsule_pulse; /* that were made since that pulse */
  gint64 wall_offset;     /* of the wall clock to the monotonic one, as it was told last */
} TtiLooking;

typedef struct _TtiEngineViewer TtiEngineViewer;

/* --- looking.c --------------------------------------------------------------------------------------------------------------- */
void tti_engine_init_looking (TtiEngine *engine);
void tti_engine_clear_looking (TtiEngine *engine);
/* The engine is at its end, and its thread has ended: tell viewers so, and wait for the companions that are to be waited for. */
void tti_engine_end_looking (TtiEngine *engine);
void tti_engine_show_all_locked (TtiEngine *engine);                /* the present state, for one who has come */
void tti_engine_show_task_locked (TtiEngine *engine, guint64 id); /* that task, and those that it waits for */

/* --- viewers.c --------------------------------------------------------------------------------------------------------------- */
void tti_engine_viewer_drop (gpointer viewer); /* as the list of viewers does */
void tti_engine_close_door_locked (TtiEngine *engine);

/* Somebody looks through SOCKET, which passes to the viewer. ENDED is called with DATA, in the engine's thread and under its lock, when the
 * other side has left. NULL: there can be no more, ERROR says why. */
TtiEngineViewer *tti_engine_add_viewer_locked (TtiEngine *engine, int socket, void (*ended) (gpointer data), gpointer data, GError **error);
void tti_engine_remove_viewer_locked (TtiEngine *engine, TtiEngineViewer *viewer);
void tti_engine_update_watched_locked (TtiEngine *engine); /* there is another number of viewers, or of companions that are awaited */
/* Wait until the other side has closed its socket, and DEADLINE at most. FALSE: it has not. *FINISHED: it has said that it has done its
 * work (TTI_LOOK_FINISHED). Not under the lock. */
gboolean tti_engine_await_viewer (TtiEngineViewer *viewer, gint64 deadline, gboolean *finished);

/* Has somebody asked for capsules? Send the one in FD (-1: there is none, for REASON), of TASK or its ITEM (-1: none), to those. */
gboolean tti_engine_has_capsule_viewer_locked (TtiEngine *engine);
void tti_engine_send_capsule_locked (TtiEngine *engine, guint64 task, gint64 item, int fd, const char *reason);

/* --- failures.c -------------------------------------------------------------------------------------------------------------- */
void tti_engine_show_failures_locked (TtiEngine *engine); /* in a snapshot */

/* --- companions.c ------------------------------------------------------------------------------------------------------------ */
void tti_companion_free (gpointer companion);
/* No companion is started again, and those that are to be waited for have ended, or have had their time. */
void tti_engine_end_companions (TtiEngine *engine);

/* --- what is written --------------------------------------------------------------------------------------------------------- */

/* Write an event, now; only while somebody looks. */
void tti_engine_show_locked (TtiEngine *engine, TtiEventKind kind, gconstpointer data, const char *first, const char *second);
void tti_engine_show_node_locked (TtiEngine *engine, TtiNode *node, const char *reason);
/* The text of the exception that PAYLOAD, what a task has raised, describes; NULL: nobody knows. Free with g_free. */
char *tti_engine_read_exception (TtiPayload *payload);
