/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of transports: a connected pair of any implementation, and the resources that a test must leave unchanged. */
#pragma once
#include "../support/descriptors.h"
#include "kept-memory.h"
#include "platform/error.h"
#include "platform/fd.h"
#ifdef WITH_BUFFERED_TRANSPORT
#include "support/buffered-transport.h"
#endif
#include "transport/codec.h"
#include "transport/transport.h"
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

typedef struct
{
  const char *name;
  int type;
  TtiTransport *(*new) (int fd, gboolean trusted);
} Implementation;

typedef struct
{
  const Implementation *implementation;
  TtiTransport *master, *worker; /* the worker's end is the trusted one */
  guint descriptors, mappings;   /* at the start */
} Pair;

static const Implementation implementations[] = {
  { "packet", SOCK_SEQPACKET, tti_packet_transport_new },
  { "stream", SOCK_STREAM, tti_stream_transport_new },
  { "mailbox", SOCK_SEQPACKET, tti_mailbox_transport_new },
#ifdef WITH_BUFFERED_TRANSPORT
  { "buffered", SOCK_STREAM, buffered_transport_new },
#endif
};

/* Mappings of shared memory. */
static inline guint
count_mappings (void)
{
  g_autofree char *maps = NULL;
  guint n = 0;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  for (const char *at = maps; (at = strstr (at, "/memfd:")) != NULL; at++)
    n++;
  return n;
}

static inline void
pair_open (Pair *pair, gconstpointer implementation)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  drop_kept_memory ();
  pair->implementation = implementation;
  pair->descriptors = count_descriptors ();
  pair->mappings = count_mappings ();
  tti_fd_socket_pair (pair->implementation->type, fds, &error);
  g_assert_no_error (error);
  pair->master = pair->implementation->new (fds[0], FALSE);
  pair->worker = pair->implementation->new (fds[1], TRUE);
}

static inline void
pair_close (Pair *pair, gconstpointer implementation)
{
  guint storages;

  (void) implementation;
  g_clear_pointer (&pair->master, tti_transport_free);
  g_clear_pointer (&pair->worker, tti_transport_free);
  drop_kept_memory ();
  tti_vector_get_usage (NULL, &storages);
  g_assert_cmpuint (storages, ==, 0);
  g_assert_cmpuint (count_descriptors (), ==, pair->descriptors);
  g_assert_cmpuint (count_mappings (), ==, pair->mappings);
}

static inline gboolean
note_ready (gpointer ready)
{
  *(gboolean *) ready = TRUE;
  return G_SOURCE_CONTINUE;
}

/* Wait until there is something at END. FALSE: DEADLINE has passed. */
static inline gboolean
wait_for_end (TtiTransport *end, gint64 deadline)
{
  if (tti_transport_get_fd (end) >= 0)
    return tti_fd_wait (tti_transport_get_fd (end), POLLIN, deadline);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) source = tti_transport_create_source (end, NULL);
  gboolean ready = FALSE;

  g_source_set_callback (source, note_ready, &ready, NULL);
  g_source_set_ready_time (source, deadline);
  g_source_attach (source, context);
  while (!ready)
    g_main_context_iteration (context, TRUE);
  g_source_destroy (source);
  return g_get_monotonic_time () < deadline;
}

/* The next message at END; OTHER sends its queue meanwhile (NULL: nothing). */
static inline TtiReceived
receive_any (TtiTransport *end, TtiTransport *other, TtiMessage *message, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + 60 * G_TIME_SPAN_SECOND;

  for (;;)
    {
      TtiReceived received = tti_transport_receive (end, message, error);

      if (received != TTI_RECEIVED_NOTHING)
        return received;
      if (other != NULL && (tti_transport_get_events (other) & POLLOUT))
        g_assert_true (tti_transport_flush (other, NULL));
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      if (!tti_transport_park (end))
        continue;
      g_assert_true (wait_for_end (end, deadline));
    }
}

static inline void
receive_message (TtiTransport *end, TtiTransport *other, TtiMessage *message)
{
  g_autoptr (GError) error = NULL;
  TtiReceived received = receive_any (end, other, message, &error);

  g_assert_no_error (error);
  g_assert_cmpint (received, ==, TTI_RECEIVED_MESSAGE);
}

static inline void
send_message (TtiTransport *end, const TtiMessage *message)
{
  g_autoptr (GError) error = NULL;
  gboolean sent = tti_transport_send (end, message, &error);

  g_assert_no_error (error);
  g_assert_true (sent);
}

/* A payload that is a list of VECTORS (NULL: of nothing). */
static inline TtiPayload *
payload_of_vectors (GPtrArray *vectors, TtiTravel travel)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_open (writer, TTI_ITEM_LIST, 0, vectors != NULL ? vectors->len : 0);
  for (guint i = 0; vectors != NULL && i < vectors->len; i++)
    {
      TtiVector *vector = g_ptr_array_index (vectors, i);

      tti_writer_attach (writer, TTI_NUMBER_U8, vector, tti_vector_get_size (vector), travel);
    }
  return tti_writer_finish (writer);
}

static inline TtiPayload *
payload_of_text (gsize size)
{
  g_autofree char *text = g_malloc (size + 1);
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  for (gsize i = 0; i < size; i++)
    text[i] = (char) ('a' + i % 26);
  tti_writer_text (writer, TTI_ITEM_STRING, text, size);
  return tti_writer_finish (writer);
}

/* A vector of SIZE bytes that differ from those with another SEED. */
static inline TtiVector *
vector_filled (gsize size, guint seed)
{
  g_autoptr (GError) error = NULL;
  TtiVector *vector = tti_vector_new (size, &error);

  g_assert_no_error (error);
  for (gsize i = 0; i < size; i++)
    ((guint8 *) tti_vector_get_data (vector))[i] = (guint8) (i * 7 + seed * 13 + (i >> 8));
  return vector;
}

static inline GPtrArray *
vector_array (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
}

/* A test per implementation. */
static inline void
add_contract_test (const char *name, void (*test) (Pair *pair, gconstpointer data))
{
  for (guint i = 0; i < G_N_ELEMENTS (implementations); i++)
    {
      g_autofree char *path = g_strdup_printf ("/transport/%s/%s", implementations[i].name, name);

      g_test_add (path, Pair, &implementations[i], pair_open, test, pair_close);
    }
}
