/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sending and receiving TuttiWatchPackets, with descriptors and all checks, and a queue of those that must wait. */
#pragma once
#include "process/watcher-protocol.h"
#include <glib.h>

#define TTI_WATCHER_MAX_FDS 5u
#define TTI_WATCHER_MAX_STRINGS ((gsize) 16 << 20) /* bytes of path, arguments and environment of a worker */

typedef enum
{
  TTI_WATCH_IO_DONE,
  TTI_WATCH_IO_AGAIN, /* nothing to receive, or no room to send: wait for the socket */
  TTI_WATCH_IO_ENDED, /* the other side is gone */
  TTI_WATCH_IO_FAILED /* error is set: the socket is broken or the packet is invalid */
} TtiWatchIo;

/* A packet with the descriptors that came with it (N_FDS may be less than was sent if this process had none left). */
typedef struct
{
  TtiWatchPacket packet;
  int fds[TTI_WATCHER_MAX_FDS];
  guint n_fds;
} TtiWatchParcel;

/* Initialise an empty packet of KIND about WORKER. */
TtiWatchPacket tti_watch_packet_make (TtiWatchKind kind, guint64 worker);

/* Never blocks. PARCEL is overwritten; on DONE the caller owns its descriptors. */
TtiWatchIo tti_watch_parcel_receive (int socket, TtiWatchParcel *parcel, GError **error);

/* Close the descriptors that are left in PARCEL. Zeroed memory is fine. */
void tti_watch_parcel_clear (TtiWatchParcel *parcel);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TtiWatchParcel, tti_watch_parcel_clear)

/* Packets that could not be sent yet, in order. No locks: one thread at a time. */
typedef struct
{
  GQueue parcels;
} TtiWatchQueue;

#define TTI_WATCH_QUEUE_INIT { G_QUEUE_INIT }

/* Send PACKET over SOCKET now, or keep it (with duplicates of FDS) behind what is kept already. FDS stay the
 * caller's. Never blocks. DONE: sent; AGAIN: kept, flush when the socket has room. */
TtiWatchIo tti_watch_queue_send (TtiWatchQueue *queue, int socket, const TtiWatchPacket *packet, const int *fds, guint n_fds,
                                 GError **error);

/* Send what is kept. DONE when nothing is left. */
TtiWatchIo tti_watch_queue_flush (TtiWatchQueue *queue, int socket, GError **error);

/* How many packets are kept; forget them all. */
guint tti_watch_queue_length (const TtiWatchQueue *queue);
void tti_watch_queue_clear (TtiWatchQueue *queue);
