/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of vectors whose contents are kept. */
#pragma once
#include "transport-pair.h"
#include <unistd.h>

enum { SIZE = 3 * 1024 * 1024 };

static inline TtiVector *
vector_new (gsize size)
{
  g_autoptr (GError) error = NULL;
  TtiVector *vector = tti_vector_new (size, &error);

  g_assert_no_error (error);
  return vector;
}

static inline void
fill (TtiVector *vector, guint8 byte)
{
  memset (tti_vector_get_data (vector), byte, tti_vector_get_size (vector));
}

static inline void
assert_all (TtiVector *vector, guint8 byte)
{
  const guint8 *data = tti_vector_get_data (vector);
  gsize n = tti_vector_get_size (vector);

  g_assert_cmpuint (data[0], ==, byte);
  g_assert_cmpint (memcmp (data, data + 1, n - 1), ==, 0);
}

static inline void
keep (TtiVector *vector)
{
  g_autoptr (GError) error = NULL;
  gpointer data = tti_vector_get_data (vector);
  gboolean ok = tti_vector_keep_contents (vector, &error);

  g_assert_no_error (error);
  g_assert_true (ok);
  g_assert_true (tti_vector_get_data (vector) == data);
}

static inline void
assert_not_kept (TtiVector *vector)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (tti_vector_keep_contents (vector, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "keep a copy"));
}

/* Can BYTE be written to? The kernel tells without a signal. */
static inline gboolean
is_writable (gpointer byte)
{
  int fds[2];
  gboolean writable;

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_cmpint (write (fds[1], byte, 1), ==, 1);
  writable = read (fds[0], byte, 1) == 1;
  close (fds[0]);
  close (fds[1]);
  return writable;
}

static inline gsize
used_bytes (void)
{
  gsize bytes;

  tti_vector_get_usage (&bytes, NULL);
  return bytes;
}

static inline gsize
leased_bytes (void)
{
  TtiKept kept;

  tti_vector_get_kept (&kept);
  return kept.leased_bytes;
}

/* Send VECTORS from FROM to TO, and return what arrives there. */
static inline GPtrArray *
pass_all (TtiTransport *from, TtiTransport *to, GPtrArray *vectors, TtiTravel travel)
{
  g_autoptr (TtiPayload) payload = payload_of_vectors (vectors, travel);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .id = 1, .payload = payload }, arrived;
  GPtrArray *seen = vector_array ();

  send_message (from, &message);
  receive_message (to, from, &arrived);
  for (guint i = 0; i < vectors->len; i++)
    g_ptr_array_add (seen, tti_vector_ref (tti_payload_get_vector (arrived.payload, i, NULL)));
  tti_message_clear (&arrived);
  return seen;
}

static inline TtiVector *
pass (TtiTransport *from, TtiTransport *to, TtiVector *vector, TtiTravel travel)
{
  g_autoptr (GPtrArray) vectors = vector_array (), seen = NULL;

  g_ptr_array_add (vectors, tti_vector_ref (vector));
  seen = pass_all (from, to, vectors, travel);
  return tti_vector_ref (g_ptr_array_index (seen, 0));
}

/* So that TO receives the news that precede it. */
static inline void
nudge (TtiTransport *from, TtiTransport *to)
{
  TtiMessage message = { .kind = TTI_MESSAGE_HELLO, .id = 2 }, arrived;

  send_message (from, &message);
  receive_message (to, from, &arrived);
  tti_message_clear (&arrived);
}
