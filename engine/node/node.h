/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A node: a place where workers run, and the way to their processes.
 *
 * This machine is one, with its pair of guard and watcher (local-node.h). The pool layer knows workers only through this interface: a
 * worker is a generation (a number that is never used twice, never 0), a transport, two outputs, and what the node reports of it. It
 * need not be a child of anybody here, nor share memory with us, and its transport need not have a descriptor.
 *
 * States: a node is *there* (it can spawn), *away* (lost, and perhaps coming back), or *stopped*.
 *
 *   there -> lost -> away -> settled -> ready -> there
 *                               |
 *                               +-----> hopeless -> away    it does not come back by itself; when it is wanted, it is tried again
 *
 * A node that is there may say once that it is *draining*: its end is near, and known before (a batch system's time is over, somebody
 * takes the machine away). It still does what it is asked, and nobody should ask for anything new. It ends as a loss.
 *
 * Who owns what: a node belongs to its maker (the engine), who frees it. Its events come in one main context, from whose thread it
 * is freed, or when that does not run. Operations may be called from any thread, also under locks of the caller's, and never block;
 * they call no event. */
#pragma once
#include "process/worker-exit.h"
#include "transport/transport.h"

typedef struct _TtiNode TtiNode;

/* A program to run as a worker, and its limits. */
typedef struct
{
  const char *program;       /* its path on the node */
  const char *const *argv;
  const char *const *envp;
  guint n_own;               /* > 0: the last N_OWN of envp are for this worker alone, and a template may be made of the rest */
  const int *folder;         /* a descriptor of the folder to start it in; NULL: the node's */
  guint64 memory_limit;      /* bytes that it and everything below it may have together, 0: no limit */
  guint n_cpus;              /* processors that it is bound to, and no other worker as long as there are enough; 0: it is not bound */
  guint n_gpus;              /* that it, and no other worker of the node, is told to use; 0: the environment is left as it is */
  guint64 place;             /* if it has some of these: a number that is never used twice, see tti_node_leave_place () */
} TtiNodeProgram;

/* The ways to a worker. They are the caller's. */
typedef struct
{
  TtiTransport *transport;
  int out_fd, err_fd;        /* to read what it writes */
} TtiNodeChannels;

/* What a node reports. After spawned (or failed) of a generation come any number of stopped, perhaps gone, then exited, once.
 * News of a generation that is not known any more is to be ignored. */
typedef struct
{
  /* The worker runs as PID, a number that is the node's own. */
  void (*spawned) (TtiNode *node, gpointer user_data, guint64 generation, int pid);

  /* The worker could not be started; MESSAGE names the program and the reason, which is SAVED_ERRNO. */
  void (*failed) (TtiNode *node, gpointer user_data, guint64 generation, int saved_errno, const char *message);

  /* Its process has ended; how will be reported with exited. */
  void (*gone) (TtiNode *node, gpointer user_data, guint64 generation);

  /* It ended as EXIT says, and what it had started is gone as well, as far as that is in the node's power. */
  void (*exited) (TtiNode *node, gpointer user_data, guint64 generation, const TtiWorkerExit *exit);

  /* SIGNAL stopped it. Whether it is still stopped later is asked with tti_node_is_stopped (). */
  void (*stopped) (TtiNode *node, gpointer user_data, guint64 generation, int signal);

  /* It is away, for REASON. All its workers are being ended; no exited comes for them any more, but settled for all of them together. */
  void (*lost) (TtiNode *node, gpointer user_data, const char *reason);

  /* After lost: what its workers had started is gone, or is known not to be in the node's power. Those workers of which
   * tti_node_is_gone () is FALSE could not be ended. */
  void (*settled) (TtiNode *node, gpointer user_data);

  /* It is there again. */
  void (*ready) (TtiNode *node, gpointer user_data);

  /* It is there, and will be lost soon, for REASON: its workers should be given nothing new. */
  void (*draining) (TtiNode *node, gpointer user_data, const char *reason);

  /* It does not come back, for ERROR. */
  void (*hopeless) (TtiNode *node, gpointer user_data, const GError *error);

  /* People should be told: MESSAGE, without a newline. Not of a generation, and also from within tti_node_close (). */
  void (*message) (TtiNode *node, gpointer user_data, const char *message);
} TtiNodeEvents;

typedef struct
{
  gboolean (*spawn) (TtiNode *node, guint64 generation, const TtiNodeProgram *program, TtiNodeChannels *channels, GError **error);
  gboolean (*signal) (TtiNode *node, guint64 generation, int signal, int grace_ms);
  char (*get_state) (TtiNode *node, guint64 generation);
  gboolean (*is_stopped) (TtiNode *node, guint64 generation);
  gboolean (*is_stuck) (TtiNode *node, guint64 generation);
  gboolean (*is_gone) (TtiNode *node, guint64 generation);
  guint64 (*get_peak_memory) (TtiNode *node, guint64 generation);
  char *(*describe) (TtiNode *node, guint64 generation);
  void (*want) (TtiNode *node); /* NULL: nothing is to be done for that */
  /* Those that are NULL belong to nodes that know nothing of processors and GPUs. */
  gboolean (*has_room) (TtiNode *node, const TtiNodeProgram *program, guint n, GError **error);
  void (*leave_place) (TtiNode *node, guint64 place);
  void (*lend) (TtiNode *node, guint64 generation, const guint64 *places, guint n_places, guint64 memory_limit);
  char *(*get_cpus) (TtiNode *node, guint64 generation);
  char *(*get_gpus) (TtiNode *node, guint64 generation);
  guint64 (*get_memory) (TtiNode *node);
  void (*stop) (TtiNode *node);
  void (*close) (TtiNode *node); /* after stop, once */
  void (*free) (TtiNode *node);
} TtiNodeOps;

/* What every kind of node begins with. */
struct _TtiNode
{
  const TtiNodeOps *ops;
  const TtiNodeEvents *events;
  gpointer user_data;
  GMainContext *context;     /* a reference */
  gboolean closed;
  gboolean shares_memory;    /* its workers map our memory: what was leased to one is in use until that one has ended */
  const char *name;          /* for people: of its host; interned, so that it is there for good */

  /* What its maker knows of it from its events, under the maker's lock; nodes leave it alone. */
  gboolean is_away;          /* lost, and not there again */
  gboolean is_hopeless;      /* ... and it does not come back by itself */
  gboolean is_draining;      /* it comes to its end soon */
};

/* For kinds of nodes: set the members of NODE, and free them. EVENTS must outlive it; all must be set. Its name is that of this machine's
 * host until another is set. */
void tti_node_init (TtiNode *node, const TtiNodeOps *ops, gboolean shares_memory, GMainContext *context,
                    const TtiNodeEvents *events, gpointer user_data);
void tti_node_set_name (TtiNode *node, const char *name); /* before it has workers */
void tti_node_clear (TtiNode *node);

/* Its name, for people; it is there for good. */
const char *tti_node_get_name (TtiNode *node);

/* Ask for worker GENERATION; whether its program starts is told by spawned or failed. Errors: TUTTI_ERROR_CLOSED when the node is
 * away or stopped (if away, it is now wanted, and ready or hopeless follows), TUTTI_ERROR_SHORTAGE (also of processors or GPUs; failed
 * with EAGAIN where that is found out later), TUTTI_ERROR_LIMIT when arguments and environment are longer than 16 MiB,
 * TUTTI_ERROR_SYSTEM. */
gboolean tti_node_spawn (TtiNode *node, guint64 generation, const TtiNodeProgram *program, TtiNodeChannels *channels,
                         GError **error);

/* Send SIGNAL (0: none) to worker GENERATION; if GRACE_MS >= 0, it and everything below it is killed if it lives after that long. A SIGKILL
 * always takes everything below it along. FALSE if the node is away. A worker that is gone is no error. */
gboolean tti_node_signal (TtiNode *node, guint64 generation, int signal, int grace_ms);

/* --- places: what workers have of the node ------------------------------------------------------------------------------------ */

/* Could N more workers with PROGRAM be given what that asks for, each in a place of its own? FALSE with TUTTI_ERROR_SHORTAGE, of which the
 * message says how many processors or GPUs there are, and how many were asked for. TRUE also if the node does not know yet. */
gboolean tti_node_has_room (TtiNode *node, const TtiNodeProgram *program, guint n, GError **error);

/* What is given to a worker belongs to its place, and after its death to the next worker there, until no more workers come to PLACE. One
 * that the node does not know is no error. */
void tti_node_leave_place (TtiNode *node, guint64 place);

/* From now on worker GENERATION has, beside its own, the processors of PLACES, and MEMORY_LIMIT bytes (0: no limit). N_PLACES 0 ends that.
 * What it is sent later finds it so. */
void tti_node_lend (TtiNode *node, guint64 generation, const guint64 *places, guint n_places, guint64 memory_limit);

/* Bytes of memory that there are for all workers; 0: not known. */
guint64 tti_node_get_memory (TtiNode *node);

/* --- what is known of the worker GENERATION now ------------------------------------------------------------------------------- */

/* One of the letters of /proc/PID/stat: R it runs or wants to, S it waits, t a debugger holds it …; '\0': not known. */
char tti_node_get_state (TtiNode *node, guint64 generation);
gboolean tti_node_is_stopped (TtiNode *node, guint64 generation);
/* It was killed and does not end, because it hangs in the kernel, is frozen, or runs as another user; as far as is known. */
gboolean tti_node_is_stuck (TtiNode *node, guint64 generation);
/* Its process has ended, or there was none. */
gboolean tti_node_is_gone (TtiNode *node, guint64 generation);
guint64 tti_node_get_peak_memory (TtiNode *node, guint64 generation); /* bytes; 0: not known */
char *tti_node_describe (TtiNode *node, guint64 generation);          /* for messages; free with g_free */
/* The processors that its place has, "0-3,8", and the GPUs, "0,1"; NULL: none. Free with g_free. */
char *tti_node_get_cpus (TtiNode *node, guint64 generation);
char *tti_node_get_gpus (TtiNode *node, guint64 generation);

/* It is wanted, as by a worker that is asked for: if it is away, ready or hopeless follows. */
void tti_node_want (TtiNode *node);

/* It is to come to its end: a loss is not reported any more, and it does not come back. From any thread; twice is fine. */
void tti_node_stop (TtiNode *node);

/* Stop it, end all its workers, and wait for that, a few seconds at most. Then it is away for ever, and can still be asked. Twice is
 * fine. */
void tti_node_close (TtiNode *node);

/* Close and free. NULL is fine. */
void tti_node_free (TtiNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiNode, tti_node_free)
