/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the parts of a node elsewhere share: its operations (agent-node.c), its events (agent-events.c), what comes from its agent (agent-
 * frames.c), what its tasks use and leave (agent-tasks.c), files that its host may have (agent-files.c), workers' transports (agent-
 * transport.c) and outputs (agent-output.c). */
#pragma once
#include "cluster/agent-node.h"
#include "cluster/protocol.h"
#include "cluster/shipments.h"
#include "platform/lock.h"
#include "transport/away.h"
#include "transport/transport.h"

typedef struct _TtiAgentTransport TtiAgentTransport;

typedef enum
{
  TTI_AGENT_THERE,
  TTI_AGENT_AWAY,   /* lost, or the agent has lost its watcher */
  TTI_AGENT_CLOSED
} TtiAgentState;

/* A worker there, from when it is asked for to its exit. */
typedef struct
{
  guint64 generation;
  int pid;                        /* 0: it has not started */
  char *cpus, *gpus;              /* that its place has; NULL: none */
  TtiAgentTransport *transport; /* NULL: the pool has freed it */
  int fds[2];                     /* where its outputs go: the ends of pipes that are written to */
  guint64 unread[2];              /* bytes in these, of which the agent was not told that they were taken */
  guint state;                    /* TTI_STATE_… */
  guint64 peak_memory;
  GHashTable *tasks;              /* task id -> GArray of the numbers that it uses */
  GHashTable *leaving;            /* the ids of tasks that may leave something there */
  GHashTable *holds;              /* tti_held_key () of a held object, for a place -> TtiAgentKept */
} TtiAgentWorker;

/* A payload that the agent keeps for those that are to hold it. */
typedef struct
{
  guint64 number;
  TtiPayload *payload;
  guint users;       /* workers that hold it */
  GArray *numbers;   /* of vectors that it uses */
} TtiAgentKept;

/* Memory here that a worker there writes its results for. */
typedef struct
{
  guint64 number, generation, task;
  TtiVector *vector;
} TtiAgentDestination;

/* Something to be told in the context's thread. */
typedef struct
{
  guint kind;        /* TtiSay, or one of: */
  guint64 generation, detail;
  int pid;
  GBytes *bytes;
} TtiAgentEvent;
enum { TTI_AGENT_LOST = 0x1000, TTI_AGENT_READY };

typedef struct
{
  TtiNode node;
  char *host;
  guint64 memory;
  guint n_cpus, n_gpus;
  const TtiAgentNodeOps *ops;
  gpointer user_data;
  GSource *teller;
  GSource *drain;              /* a timer, while outputs have something unread */

  TtiLock lock;                /* of what follows; no event is delivered under it, and no lock of an engine is taken under it */
  GCond changed;               /* an echo has come, a digest was made, or the link is lost */
  TtiAgentState state;
  TtiLink *link;               /* of this epoch; NULL: there is none */
  GHashTable *workers;         /* generation -> TtiAgentWorker */
  TtiShipments *shipments;
  GHashTable *kept;            /* TtiPayload -> TtiAgentKept */
  GHashTable *destinations;    /* number -> TtiAgentDestination */
  GHashTable *offers;          /* number -> what agent-files.c knows of it: contents that the agent was asked for */
  guint n_digests;             /* that are being made */
  TtiHome *home;               /* of what tasks have left there, in this epoch; NULL: nothing */
  GQueue events;               /* of TtiAgentEvent */
  guint64 echoed;              /* the last echo that has come, but for those of: */
  guint64 probe;               /* the echo by which the way to the agent is measured, sent at PROBED_AT; 0: none is on its way */
  gint64 probed_at;            /* of the last one, monotonic, µs */
  gint closing;                /* atomic: digests are not needed any more */
  gint round_trip;             /* atomic: µs to the agent and back, a running mean; 0: not known */

  /* The thread of the link's reader only: */
  GHashTable *arrived;         /* number -> TtiVector: contents that came before the message that names them */
  TtiVector *placed;           /* what is being written to */
} TtiAgentNode;

/* --- agent-node.c ------------------------------------------------------------------------------------------------------------ */
TtiAgentWorker *tti_agent_find_worker_locked (TtiAgentNode *self, guint64 generation);
void tti_agent_unuse_locked (TtiAgentNode *self, GArray *numbers); /* takes NUMBERS; NULL is fine */
void tti_agent_drop_kept_locked (TtiAgentNode *self, TtiAgentKept *kept);
void tti_agent_remove_worker_locked (TtiAgentNode *self, guint64 generation); /* it has ended: it uses nothing any more */
void tti_agent_forget_all_locked (TtiAgentNode *self);                        /* the epoch is over */

/* --- agent-events.c ---------------------------------------------------------------------------------------------------------- */
void tti_agent_queue_event (TtiAgentNode *self, guint kind, guint64 generation, guint64 detail, GBytes *bytes);
void tti_agent_event_free (gpointer event);
gboolean tti_agent_on_events (gpointer node); /* there are events */
gboolean tti_agent_on_drain (gpointer node);  /* see what was read of outputs */

/* --- agent-tasks.c ----------------------------------------------------------------------------------------------------------- */
/* Nothing is to be written for TASK (0: any) of worker GENERATION any more. */
void tti_agent_forget_destinations_locked (TtiAgentNode *self, guint64 generation, guint64 task);
/* The task of a worker has ended: what it used is not used by it any more, and nothing is written for it. */
void tti_agent_end_task_locked (TtiAgentNode *self, TtiAgentWorker *worker, guint64 task);
/* The vector of SIZE bytes that stays there as NUMBER; NULL with ERROR. */
TtiVector *tti_agent_new_left_locked (TtiAgentNode *self, guint64 number, guint64 size, GError **error);
/* May ANSWER of WORKER name what it names? */
gboolean tti_agent_may_leave_locked (TtiAgentNode *self, TtiAgentWorker *worker, const TtiMessage *answer);
/* The epoch's link, for the caller to free; what was left behind it is lost. NULL: there is none. */
TtiLink *tti_agent_take_link_locked (TtiAgentNode *self);

/* --- agent-frames.c ---------------------------------------------------------------------------------------------------------- */
extern const TtiLinkOps tti_agent_link_ops;

/* --- agent-files.c ----------------------------------------------------------------------------------------------------------- */
/* If VECTOR is a file's, ask whether the agent has that, and return TRUE: its contents follow under NUMBER if they are needed. */
gboolean tti_agent_offer_file_locked (TtiAgentNode *self, guint64 number, TtiVector *vector);
void tti_agent_send_vector_locked (TtiAgentNode *self, guint64 number, TtiVector *vector);
void tti_agent_forgo_locked (TtiAgentNode *self, guint64 number); /* nobody needs NUMBER any more, which need not be an offer */
gboolean tti_agent_file_answered (TtiAgentNode *self, const TtiLinkFrame *frame, GBytes *bytes, GError **error);
void tti_agent_offer_free (gpointer offer);
void tti_agent_end_digests (TtiAgentNode *self); /* waits for those that are being made, which end at once */

/* --- agent-transport.c ------------------------------------------------------------------------------------------------------- */
TtiTransport *tti_agent_transport_new (TtiAgentNode *node, guint64 generation, GError **error);
/* MESSAGE, which is taken over, has come; or nothing more will come. With the node's lock. */
void tti_agent_transport_put_locked (TtiAgentTransport *transport, TtiMessage *message);
void tti_agent_transport_end_locked (TtiAgentTransport *transport);

/* --- agent-output.c ---------------------------------------------------------------------------------------------------------- */
/* Make the pipes of WORKER; *OUT and *ERR are the ends to read from. */
gboolean tti_agent_output_open (TtiAgentWorker *worker, int *out, int *err, guint64 *most, GError **error);
/* WORKER has written BYTES (NULL: it has closed that output). FALSE: it was more than it may. */
gboolean tti_agent_output_put (TtiAgentWorker *worker, guint which, GBytes *bytes);
/* Tell the agent what was read. TRUE: there is something left unread. */
gboolean tti_agent_output_tell_locked (TtiAgentNode *self);

/* agent-places.c: operations of node.h */
gboolean tti_agent_has_room (TtiNode *node, const TtiNodeProgram *program, guint n, GError **error);
void tti_agent_leave_place (TtiNode *node, guint64 place);
void tti_agent_lend (TtiNode *node, guint64 generation, const guint64 *places, guint n_places, guint64 memory_limit);
char *tti_agent_get_cpus (TtiNode *node, guint64 generation);
char *tti_agent_get_gpus (TtiNode *node, guint64 generation);
