/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sending and receiving TuttiWatchPackets, with descriptors and all checks, and a queue of those that must wait. */
#pragma once
#include "process/watcher-protocol.h"
#include <glib.h>

#define TUTTI_WATCHER_MAX_FDS 5u
#define TUTTI_WATCHER_MAX_STRINGS ((gsize) 16 << 20) /* bytes of path, arguments and environment of a worker */

typedef enum
{
  TUTTI_WATCH_IO_DONE,
  TUTTI_WATCH_IO_AGAIN, /* nothing to receive, or no room to send: wait for the socket */
  TUTTI_WATCH_IO_ENDED, /* the other side is gone */
  TUTTI_WATCH_IO_FAILED /* error is set: the socket is broken or the packet is invalid */
} TuttiWatchIo;

/* A packet with the descriptors that came with it (N_FDS may be less than was sent if this process had none left). */
typedef struct
{
  TuttiWatchPacket packet;
  int fds[TUTTI_WATCHER_MAX_FDS];
  guint n_fds;
} TuttiWatchParcel;

/* Initialise an empty packet of KIND about WORKER. */
TuttiWatchPacket tutti_watch_packet_make (TuttiWatchKind kind, guint64 worker);

/* Never blocks. PARCEL is overwritten; on DONE the caller owns its descriptors. */
TuttiWatchIo tutti_watch_parcel_receive (int socket, TuttiWatchParcel *parcel, GError **error);

/* Close the descriptors that are left in PARCEL. Zeroed memory is fine. */
void tutti_watch_parcel_clear (TuttiWatchParcel *parcel);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TuttiWatchParcel, tutti_watch_parcel_clear)

/* Packets that could not be sent yet, in order. No locks: one thread at a time. */
typedef struct
{
  GQueue parcels;
} TuttiWatchQueue;

#define TUTTI_WATCH_QUEUE_INIT { G_QUEUE_INIT }

/* Send PACKET over SOCKET now, or keep it (with duplicates of FDS) behind what is kept already. FDS stay the
 * caller's. Never blocks. DONE: sent; AGAIN: kept, flush when the socket has room. */
TuttiWatchIo tutti_watch_queue_send (TuttiWatchQueue *queue, int socket, const TuttiWatchPacket *packet, const int *fds, guint n_fds,
                                     GError **error);

/* Send what is kept. DONE when nothing is left. */
TuttiWatchIo tutti_watch_queue_flush (TuttiWatchQueue *queue, int socket, GError **error);

/* How many packets are kept; forget them all. */
guint tutti_watch_queue_length (const TuttiWatchQueue *queue);
void tutti_watch_queue_clear (TuttiWatchQueue *queue);
