/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Feeds arbitrary bytes with arbitrary descriptors to a transport: it must return a message or an error, no more data than was
 * sent, and leave nothing behind. The first byte of an input selects: bit 0 stream or packets, bit 1 trusted or not, bits 2 and 3
 * how many descriptors. As a test it corrupts good messages; with -DTUTTI_LIBFUZZER it is a target for libFuzzer. */
#include "fuzz-mutate.h"
#include "transport-pair.h"
#include "transport/transport-private.h"
#include <sys/mman.h>
#include <unistd.h>

enum { MEMORY_BYTES = 40000, SMALL_MEMORY_BYTES = 100, CORPUS_DESCRIPTORS = 3 };

static const gsize memory_sizes[CORPUS_DESCRIPTORS] = { MEMORY_BYTES, MEMORY_BYTES, SMALL_MEMORY_BYTES };

/* Descriptors that inputs come with: sealed, unsealed, sealed again. Kept for all inputs. */
static const int *
memories (void)
{
  static int fds[CORPUS_DESCRIPTORS];

  if (fds[0] == 0)
    {
      fds[0] = tti_memory_open ("fuzz", memory_sizes[0], NULL);
      fds[1] = memfd_create ("fuzz", MFD_CLOEXEC);
      fds[2] = tti_memory_open ("fuzz", memory_sizes[2], NULL);
      g_assert_cmpint (ftruncate (fds[1], (off_t) memory_sizes[1]), ==, 0);
      for (guint i = 0; i < CORPUS_DESCRIPTORS; i++)
        g_assert_cmpint (pwrite (fds[i], "contents", 8, 0), ==, 8);
    }
  return fds;
}

/* The number of descriptors that come with an input with this first byte. */
static guint
input_n_descriptors (guint choice)
{
  return choice & 1 ? 0 : (choice >> 2) & CORPUS_DESCRIPTORS;
}

static void
input_send (int fd, const uint8_t *data, size_t size, guint n_fds)
{
  union { struct cmsghdr align; guint8 bytes[CMSG_SPACE (CORPUS_DESCRIPTORS * sizeof (int))]; } control = { 0 };
  struct iovec part = { .iov_base = (gpointer) data, .iov_len = size };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

  if (n_fds > 0)
    {
      header.msg_control = &control;
      header.msg_controllen = CMSG_SPACE (n_fds * sizeof (int));
      control.align = (struct cmsghdr) { .cmsg_len = CMSG_LEN (n_fds * sizeof (int)), .cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS };
      memcpy (CMSG_DATA (CMSG_FIRSTHDR (&header)), memories (), n_fds * sizeof (int));
    }
  g_assert_cmpint (sendmsg (fd, &header, MSG_NOSIGNAL), ==, (gssize) size);
}

/* Read all of MESSAGE: missing memory would fault. */
static void
message_use (TtiMessage *message)
{
  volatile guint64 sum = 0;

  g_assert_cmpint (message->kind, >=, TTI_MESSAGE_HELLO);
  g_assert_cmpint (message->kind, <=, TTI_MESSAGE_LAST);
  for (guint i = 0; message->payload != NULL && i < tti_payload_get_n_vectors (message->payload); i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (message->payload, i, &travel);
      const guint8 *data = tti_vector_get_data (vector);
      gsize size = tti_vector_get_size (vector);

      /* One to write into is as large as a master says, and has no pages yet. */
      for (gsize k = 0; k < size; k += travel == TTI_TRAVEL_WRITE ? MAX (64, size / 4) : 64)
        sum += data[k];
    }
  tti_message_clear (message);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  guint choice = size > 0 ? data[0] : 0;
  const Implementation *implementation = &implementations[choice & 1];
  int fds[2];

  if (size < 2 || size > 16 * 1024)
    return 0;
  g_assert_true (tti_fd_socket_pair (implementation->type, fds, NULL));
  TtiTransport *transport = implementation->new (fds[0], (choice & 2) != 0);
  TtiMessage message;
  TtiReceived received;
  guint n = 0;

  input_send (fds[1], data + 1, size - 1, input_n_descriptors (choice));
  tti_fd_clear (&fds[1]);
  do
    {
      g_autoptr (GError) error = NULL;

      received = tti_transport_receive (transport, &message, &error);
      g_assert_cmpint (received, !=, TTI_RECEIVED_NOTHING); /* the other side has closed */
      if (received == TTI_RECEIVED_MESSAGE)
        message_use (&message);
      else if (received == TTI_RECEIVED_ERROR)
        g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
    }
  while (received == TTI_RECEIVED_MESSAGE && n++ < size);
  g_assert_cmpint (received, !=, TTI_RECEIVED_MESSAGE);
  tti_transport_free (transport);
  return 0;
}

#ifndef TUTTI_LIBFUZZER
/* The bytes that an implementation sends for a message of KIND with PAYLOAD, as an input. */
static GByteArray *
message_capture_kind (guint choice, TtiMessageKind kind, TtiPayload *payload)
{
  const Implementation *implementation = &implementations[choice & 1];
  guint8 packet[16 * 1024];
  int fds[2];
  GByteArray *input = g_byte_array_new ();
  guint8 first = (guint8) choice;

  g_assert_true (tti_fd_socket_pair (implementation->type, fds, NULL));
  TtiTransport *transport = implementation->new (fds[0], FALSE);
  struct iovec part = { .iov_base = packet, .iov_len = sizeof packet };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 }; /* without room for descriptors: they are closed */

  send_message (transport, &(TtiMessage) { .kind = kind, .id = 5, .payload = payload });
  gssize n = recvmsg (fds[1], &header, 0);
  g_assert_cmpint (n, >, 0);
  g_byte_array_append (input, &first, 1);
  g_byte_array_append (input, packet, (guint) n);
  tti_transport_free (transport);
  tti_fd_clear (&fds[1]);
  return input;
}

static GByteArray *
message_capture (guint choice, TtiPayload *payload)
{
  return message_capture_kind (choice, TTI_MESSAGE_RESULT, payload);
}

/* A task with vectors to write into, and a result with contents of such, over a stream. */
static void
add_destinations (GPtrArray *corpus)
{
  g_autoptr (GPtrArray) vectors = vector_array ();

  g_ptr_array_add (vectors, vector_filled (100, 1));
  g_ptr_array_add (vectors, vector_filled (30, 2));
  g_autoptr (TtiPayload) to_fill = payload_of_vectors (vectors, TTI_TRAVEL_WRITE);
  g_autoptr (TtiPayload) filled = payload_of_vectors (vectors, TTI_TRAVEL_SHARED);

  for (guint trusted = 0; trusted < 4; trusted += 2)
    {
      GByteArray *task = message_capture_kind (trusted | 1, TTI_MESSAGE_TASK, to_fill), *result = message_capture (trusted | 1, filled);

      g_ptr_array_add (corpus, task);
      for (guint i = 0; i < vectors->len; i++)
        result->data[1 + sizeof (TtiFrame) + i * sizeof (TtiAttachment) + offsetof (TtiAttachment, travel)] = TTI_TRAVEL_WRITE;
      g_ptr_array_add (corpus, result);
    }
}

/* Bytes in the descriptors of INPUT: a body may be there, and takes as much memory as one in the packet. */
static gsize
input_bytes_beside (const GByteArray *input)
{
  gsize bytes = 0;

  for (guint i = input->len > 0 ? input_n_descriptors (input->data[0]) : 0; i > 0; i--)
    bytes += memory_sizes[i - 1];
  return bytes;
}

static void
test_fuzz (void)
{
  g_autoptr (GPtrArray) corpus = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  g_autoptr (GPtrArray) vectors = vector_array ();
  g_autoptr (TtiPayload) text = payload_of_text (50);
  guint storages;

  /* Memory that is kept for reuse has descriptors, and is no leak. */
  tti_vector_set_kept_limit (0);
  g_ptr_array_add (vectors, vector_filled (100, 1));
  g_autoptr (TtiPayload) near_only = payload_of_vectors (vectors, TTI_TRAVEL_SHARED);
  g_ptr_array_add (vectors, vector_filled (30000, 2));
  g_autoptr (TtiPayload) both = payload_of_vectors (vectors, TTI_TRAVEL_COPY);
  g_autoptr (TtiPayload) outside = payload_of_text (17000);

  for (guint trusted = 0; trusted < 4; trusted += 2)
    {
      g_ptr_array_add (corpus, message_capture (trusted, NULL));
      g_ptr_array_add (corpus, message_capture (trusted, text));
      g_ptr_array_add (corpus, message_capture (trusted, near_only));
      for (guint n_fds = 1; n_fds <= 3; n_fds++)
        {
          g_ptr_array_add (corpus, message_capture (trusted | n_fds << 2, both));
          g_ptr_array_add (corpus, message_capture (trusted | n_fds << 2, outside));
        }
      g_ptr_array_add (corpus, message_capture (trusted | 1, NULL));
      g_ptr_array_add (corpus, message_capture (trusted | 1, text));
      g_ptr_array_add (corpus, message_capture (trusted | 1, near_only));
    }
  add_destinations (corpus);
  memories ();
  g_ptr_array_set_size (vectors, 0);
  g_clear_pointer (&near_only, tti_payload_unref);
  g_clear_pointer (&both, tti_payload_unref);
  guint descriptors = count_descriptors (), mappings = count_mappings ();

  /* A stream reads into 64 KiB at first. */
  fuzz_run (corpus, 60000, (FuzzBound) { 32, 80 * 1024, input_bytes_beside });
  tti_vector_get_usage (NULL, &storages);
  g_assert_cmpuint (storages, ==, 0);
  g_assert_cmpuint (count_descriptors (), ==, descriptors);
  g_assert_cmpuint (count_mappings (), ==, mappings);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fuzz/frame", test_fuzz);
  return g_test_run ();
}
#endif
