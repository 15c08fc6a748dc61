/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Packets, for the transports that are made of them: packets alone (packet-transport.c), and mailboxes with packets for what does not fit
 * into those (mailbox-transport.c). */
#pragma once
#include "transport/transport-private.h"

enum { TUTTI_PACKET_MAX = 16 * 1024 };

typedef struct
{
  TuttiTransport base;
  gboolean begun;        /* a message waits for more descriptors */
  TuttiFrame frame;      /* of it */
  GArray *fds;           /* of int; what came so far */
  guint8 buffer[TUTTI_PACKET_MAX]; /* the first packet; those that follow are no longer than a frame and leave its body alone */
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
gboolean tutti_packet_errno_passes (void); /* is errno one that goes away when somebody receives? */

/* One packet into the buffer. *N_FDS descriptors came with it. */
TuttiReceived tutti_packet_receive_one (TuttiPacketTransport *self, gsize *n_bytes, guint *n_fds, GError **error);
/* Take it as the next one of a message. *COMPLETE: that has all. */
gboolean tutti_packet_arrived (TuttiPacketTransport *self, gsize n_bytes, guint n_fds, gboolean *complete, GError **error);
/* The message that is complete. */
gboolean tutti_packet_finish (TuttiPacketTransport *self, TuttiMessage *message, GError **error);
void tutti_packet_forget (TuttiPacketTransport *self); /* what came so far */
