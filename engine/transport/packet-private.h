/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Packets, for the transports built on them: packets alone (packet-transport.c), and mailboxes with packets for messages that do
 * not fit (mailbox-transport.c). */
#pragma once
#include "transport/transport-private.h"

enum { TTI_PACKET_MAX = 16 * 1024 };

typedef struct
{
  TtiTransport base;
  gboolean begun;      /* a message waits for more descriptors */
  TtiFrame frame;      /* of it */
  GArray *fds;         /* of int; what came so far */
  guint8 buffer[TTI_PACKET_MAX]; /* the first packet; the following ones are no longer than a frame and do not overwrite its body */
} TtiPacketTransport;

typedef struct
{
  TtiOutgoing base;
  TtiFrame frame;
  TtiPayload *payload; /* keeps the vectors, hence the descriptors */
  TtiAttached attached;
  guint n_sent;          /* descriptors */
  gboolean begun;        /* the first packet was sent */
  gsize n_bytes;
  guint8 bytes[];        /* the first packet */
} TtiPacketOutgoing;

/* A zeroed struct of SIZE bytes that begins with a TtiPacketTransport. */
TtiPacketTransport *tti_packet_alloc (gsize size, const TtiTransportOps *ops, int fd, gboolean trusted);

/* As in TtiTransportOps. */
TtiOutgoing *tti_packet_prepare (TtiTransport *transport, const TtiMessage *message, GError **error);
TtiPushed tti_packet_push (TtiTransport *transport, TtiOutgoing *outgoing);
void tti_packet_outgoing_free (TtiOutgoing *outgoing);
void tti_packet_clear (TtiTransport *transport);

/* Send one packet with N descriptors; errno as sendmsg sets it. */
gboolean tti_packet_send (int fd, gconstpointer bytes, gsize n_bytes, const int *fds, guint n);
gboolean tti_packet_errno_passes (void); /* does the error errno pass when the other side receives? */

/* Receive one packet into the buffer. *N_FDS descriptors came with it. */
TtiReceived tti_packet_receive_one (TtiPacketTransport *self, gsize *n_bytes, guint *n_fds, GError **error);
/* Add it to the message. *COMPLETE: the message has all its packets. */
gboolean tti_packet_arrived (TtiPacketTransport *self, gsize n_bytes, guint n_fds, gboolean *complete, GError **error);
/* Return the complete message. */
gboolean tti_packet_finish (TtiPacketTransport *self, TtiMessage *message, GError **error);
void tti_packet_forget (TtiPacketTransport *self); /* what came so far */
