/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An engine: one thread with a main loop, one lock, and the processes that start and watch its pools' workers.
 *
 * A process may have several, which know nothing of one another: each has its own thread, lock and watcher, and a task, its
 * dependencies and what it needs held belong to one engine. What is a fact of the machine or of memory is the process's: shared storage
 * and its limits, the number of busy workers, numbers of tasks and of workers' lives, which are unique in the process.
 *
 * Who owns what: users have references, and the last of them that is dropped shuts the engine down. Pools, tasks that were submitted
 * and held objects that were used keep its memory, but not the engine, alive: with one that was shut down they are at their end.
 *
 * All functions may be called from any thread but the engine's own; in a copy of the process made by fork () they are refused, or do
 * nothing (see pool.h). That is so for good, also in copies of the copy, and when all engines were shut down before: what engines have
 * left in memory belongs to the original. A process that was forked before the first engine was started is no copy, nor is a program that
 * a copy executes.
 *
 * An application need not shut it down: in whatever way the process ends, the engine's processes see that and end. Nothing is left to
 * atexit (), no signal is handled, nothing is printed. */
#pragma once
#include "node/node.h"

typedef struct _TtiEngine TtiEngine;

/* Called in the engine's thread, without any lock: it must be quick, and may ask for anything that does not block. */
typedef void (*TtiNotice) (gpointer data);

/* Start an engine. Errors: TUTTI_ERROR_SPAWN if its watcher cannot be started, TUTTI_ERROR_SHORTAGE, TUTTI_ERROR_FORKED, and what
 * tti_requirements_check () finds missing on this machine. */
TtiEngine *tti_engine_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;
TtiEngine *tti_engine_ref (TtiEngine *engine);
void tti_engine_unref (TtiEngine *engine); /* NULL is fine; the last one shuts it down, which may take a second and a half */

/* Makes a node for an engine's main context and events (node/node.h), which takes it over; NULL with ERROR. */
typedef TtiNode *(*TtiNodeMaker) (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, gpointer data,
                                  GError **error);
/* Another place where workers of ENGINE's pools may run, beside this machine. It belongs to the engine, which frees it when it is
 * shut down. */
TtiNode *tti_engine_add_node (TtiEngine *engine, TtiNodeMaker maker, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A reference of the process's default engine, which Guile uses: started when it is asked for first, and another after it was shut
 * down. The process has a reference as well, until there is another. Errors: as above; TUTTI_ERROR_CLOSED after
 * tti_engine_end_default (). */
TtiEngine *tti_engine_get_default (GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same if there is one that is not at its end; else NULL. */
TtiEngine *tti_engine_peek_default (void);
/* Shut it down for good, as at the end of the process: there will be no other. */
void tti_engine_end_default (void);

/* Close all its pools, with a second of grace for their workers, and end all its processes. Then there are no more pools with it
 * (TUTTI_ERROR_CLOSED). Doing it twice is fine: the second thread waits for the first. */
void tti_engine_shutdown (TtiEngine *engine);

/* Where messages for people go that no function can return, for instance that a process cannot be ended and goes on: one or a few lines
 * without a newline at the end, whole sentences without a capital. FUNC is called in the engine's thread, without a lock, so it must
 * neither wait nor call functions of the engine; and by tti_engine_shutdown (), in its caller's thread, for what comes last: after that
 * never again. To be set when the engine has been made; until then, and with NULL, messages are dropped. */
typedef void (*TtiEngineMessageFunc) (const char *message, gpointer data);
void tti_engine_set_message_func (TtiEngine *engine, TtiEngineMessageFunc func, gpointer data);

/* How many of its tasks have ended. */
guint64 tti_engine_get_n_ended (TtiEngine *engine);
/* Poll for answers, as long as that is worth it and at most MOST µs. TRUE: the number of tasks that have ended is no longer N_ENDED. Who
 * waits for something polls first, and then sleeps until a wakeup descriptor is readable (pool.h). */
gboolean tti_engine_poll (TtiEngine *engine, guint64 n_ended, gint64 most);

/* Is this process a copy, made by fork (), of one that has started engines? Then ERROR says so. */
gboolean tti_engine_is_copy (GError **error);

/* The path of our helper program NAME: in $TUTTI_LIBEXECDIR if that is set, else where it was installed. Free with g_free. */
char *tti_engine_find_program (const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiEngine, tti_engine_unref)
