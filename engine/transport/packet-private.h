/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Packets, for the transports built on them: packets alone (packet-transport.c), and mailboxes with packets for messages that do
 * not fit (mailbox-transport.c). */
#pragma once
#include "transport/transport-private.h"

enum { TUTTI_PACKET_MAX = 16 * 1024 };

typedef struct
{
  TuttiTransport base;
  gboolean begun;        /* a message waits for more descriptors */
  TuttiFrame frame;      /* of it */
  GArray *fds;           /* of int; what came so far */
  guint8 buffer[TUTTI_PACKET_MAX]; /* the first packet; the following ones are no longer than a frame and do not overwrite its body */
} TuttiPacketTransport;

typedef struct
{
  TuttiOutgoing base;
  TuttiFrame frame;
  TuttiPayload *payload; /* keeps the vectors, hence the descriptors */
  TuttiAttached attached;
  guint n_sent;          /* descriptors */
  gboolean begun;        /* the first packet was sent */
  gsize n_bytes;
  guint8 bytes[];        /* the first packet */
} TuttiPacketOutgoing;

/* A zeroed struct of SIZE bytes that begins with a TuttiPacketTransport. */
TuttiPacketTransport *tutti_packet_alloc (gsize size, const TuttiTransportOps *ops, int fd, gboolean trusted);

/* As in TuttiTransportOps. */
TuttiOutgoing *tutti_packet_prepare (TuttiTransport *transport, const TuttiMessage *message, GError **error);
TuttiPushed tutti_packet_push (TuttiTransport *transport, TuttiOutgoing *outgoing);
void tutti_packet_outgoing_free (TuttiOutgoing *outgoing);
void tutti_packet_clear (TuttiTransport *transport);

/* Send one packet with N descriptors; errno as sendmsg sets it. */
gboolean tutti_packet_send (int fd, gconstpointer bytes, gsize n_bytes, const int *fds, guint n);
gboolean tutti_packet_errno_passes (void); /* does the error errno pass when the other side receives? */

/* Receive one packet into the buffer. *N_FDS descriptors came with it. */
TuttiReceived tutti_packet_receive_one (TuttiPacketTransport *self, gsize *n_bytes, guint *n_fds, GError **error);
/* Add it to the message. *COMPLETE: the message has all its packets. */
gboolean tutti_packet_arrived (TuttiPacketTransport *self, gsize n_bytes, guint n_fds, gboolean *complete, GError **error);
/* Return the complete message. */
gboolean tutti_packet_finish (TuttiPacketTransport *self, TuttiMessage *message, GError **error);
void tutti_packet_forget (TuttiPacketTransport *self); /* what came so far */
