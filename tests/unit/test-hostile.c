/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Invalid frames: each is refused with TUTTI_ERROR_PROTOCOL, and the descriptors that came with it are closed. */
#include "payload-check.h"
#include "transport-pair.h"
#include "transport/transport-private.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* A valid message: a list of one vector of 20000 bytes in the first descriptor. Tests corrupt one field. */
typedef struct
{
  TtiFrame frame;
  TtiAttachment table[1];
  guint8 bytes[6];
} Packet;

enum { PACKET_BYTES = sizeof (TtiFrame) + sizeof (TtiAttachment) + 6, VECTOR_BYTES = 20000, MEMORY_BYTES = 40000 };

static Packet
packet_make (void)
{
  return (Packet) {
    .frame = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_MESSAGE_RESULT, .has_payload = 1,
               .id = 1, .n_vectors = 1, .n_bytes = 6, .body_descriptor = TTI_BY_VALUE, .n_descriptors = 1 },
    .table = { { .offset = 100, .size = VECTOR_BYTES } },
    .bytes = { TTI_ITEM_ATTACHED, TTI_NUMBER_U8, 0, 0xa0, 0x9c, 0x01 },
  };
}

/* The file descriptor of the attacker's end: the master's end receives the bytes written there. */
static void
raw_send (Pair *pair, gconstpointer bytes, gsize n_bytes, const int *fds, guint n_fds)
{
  union { struct cmsghdr align; guint8 bytes[CMSG_SPACE (253 * sizeof (int))]; } control = { 0 };
  struct iovec part = { .iov_base = (gpointer) bytes, .iov_len = n_bytes };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

  if (n_fds > 0)
    {
      header.msg_control = &control;
      header.msg_controllen = CMSG_SPACE (n_fds * sizeof (int));
      struct cmsghdr *rights = CMSG_FIRSTHDR (&header);
      rights->cmsg_len = CMSG_LEN (n_fds * sizeof (int));
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      memcpy (CMSG_DATA (rights), fds, n_fds * sizeof (int));
    }
  g_assert_cmpint (sendmsg (tti_transport_get_fd (pair->worker), &header, MSG_NOSIGNAL), ==, n_bytes);
}

static void
master_refuses (Pair *pair, const char *part)
{
  g_autoptr (GError) error = NULL, again = NULL;
  TtiMessage message;
  guint before = count_descriptors ();

  g_assert_cmpint (receive_any (pair->master, NULL, &message, &error), ==, TTI_RECEIVED_ERROR);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  if (strstr (error->message, part) == NULL)
    g_error ("expected '%s' in '%s'", part, error->message);
  g_assert_null (message.payload);
  g_assert_cmpuint (count_descriptors (), ==, before);
  g_assert_cmpint (tti_transport_receive (pair->master, &message, &again), ==, TTI_RECEIVED_ERROR);
  g_assert_cmpstr (again->message, ==, error->message);
}

static int
memory_make (gsize size)
{
  g_autoptr (GError) error = NULL;
  int fd = tti_memory_open ("test", size, &error);

  g_assert_no_error (error);
  return fd;
}

typedef struct
{
  const char *name, *part;
  void (*corrupt) (Packet *packet);
  gsize n_bytes;          /* 0: PACKET_BYTES */
  int n_fds;              /* -1: one */
} Case;

#define corruption(name, ...) static void name (Packet *packet) { __VA_ARGS__; }
corruption (leave, (void) packet)
corruption (bad_magic, packet->frame.magic++)
corruption (bad_version, packet->frame.version++)
corruption (kind_zero, packet->frame.kind = 0)
corruption (kind_unknown, packet->frame.kind = TTI_MESSAGE_LEASE + 1)
corruption (kind_more, packet->frame.kind = TTI_FRAME_MORE)
corruption (flag_unknown, packet->frame.has_payload = 2)
corruption (payload_denied, packet->frame.has_payload = 0)
corruption (bytes_long, packet->frame.n_bytes++)
corruption (bytes_short, packet->frame.n_bytes--)
corruption (bytes_endless, packet->frame.n_bytes = G_MAXUINT64)
corruption (vectors_more, packet->frame.n_vectors++)
corruption (vectors_endless, packet->frame.n_vectors = G_MAXUINT32)
corruption (contents_endless, packet->frame.n_contents = G_MAXUINT64 - 5)
corruption (descriptors_none, packet->frame.n_descriptors = 0)
corruption (descriptors_more, packet->frame.n_descriptors = 2)
corruption (descriptors_endless, packet->frame.n_descriptors = G_MAXUINT32)
corruption (body_elsewhere, packet->frame.body_descriptor = 1)
corruption (body_outside, packet->frame.body_descriptor = 0)
corruption (vector_elsewhere, packet->table[0].descriptor = 1)
corruption (vector_inside, packet->table[0].descriptor = TTI_BY_VALUE)
corruption (vector_long, packet->table[0].size = MEMORY_BYTES)
corruption (vector_endless, packet->table[0].size = G_MAXUINT64)
corruption (offset_far, packet->table[0].offset = G_MAXUINT64 - 10)
corruption (offset_negative, packet->table[0].offset = G_GUINT64_CONSTANT (1) << 63)
corruption (travel_unknown, packet->table[0].travel = 3)

static const Case cases[] = {
  { "magic", "it begins with", bad_magic, 0, -1 },
  { "version", "version 3, expected 2", bad_version, 0, -1 },
  { "kind-zero", "unknown kind 0", kind_zero, 0, -1 },
  { "kind-unknown", "unknown kind", kind_unknown, 0, -1 },
  { "kind-more-first", "unknown kind 255", kind_more, 0, -1 },
  { "flag", "payload flag 2", flag_unknown, 0, -1 },
  { "payload-denied", "it has no payload", payload_denied, 0, -1 },
  { "bytes-long", "bytes of body, expected", bytes_long, 0, -1 },
  { "bytes-short", "bytes of body, expected", bytes_short, 0, -1 },
  { "bytes-endless", "too large", bytes_endless, 0, -1 },
  { "vectors-more", "bytes of body, expected", vectors_more, 0, -1 },
  { "vectors-endless", "too large", vectors_endless, 0, -1 },
  { "contents-endless", "too large", contents_endless, 0, -1 },
  { "descriptors-none", "1 descriptors, expected 0", descriptors_none, 0, -1 },
  { "descriptors-missing", "0 descriptors, expected 1", leave, 0, 0 },
  { "descriptors-surplus", "2 descriptors, expected 1", leave, 0, 2 },
  { "descriptors-announced", "1 descriptors, expected 2", descriptors_more, 0, -1 },
  { "descriptors-endless", "too large", descriptors_endless, 0, -1 },
  { "descriptors-unused", "descriptor 1 of 2 is not used", descriptors_more, 0, 2 },
  { "body-elsewhere", "body in descriptor 1 of 1", body_elsewhere, 0, -1 },
  { "body-outside-and-inside", "bytes of body, expected 0", body_outside, 0, -1 },
  { "body-in-holes", "mostly holes", body_outside, sizeof (TtiFrame), -1 },
  { "vector-elsewhere", "descriptor 1 of 1", vector_elsewhere, 0, -1 },
  { "vector-inside", "a vector of 20000 bytes inside", vector_inside, 0, -1 },
  { "vector-long", "of a memory of 40000 bytes", vector_long, 0, -1 },
  { "vector-endless", "of a memory of 40000 bytes", vector_endless, 0, -1 },
  { "offset-far", "of a memory of 40000 bytes", offset_far, 0, -1 },
  { "offset-negative", "of a memory of 40000 bytes", offset_negative, 0, -1 },
  { "travel", "way to travel 3", travel_unknown, 0, -1 },
  { "cut-in-body", "bytes of body, expected", leave, PACKET_BYTES - 1, -1 },
  { "cut-in-frame", "expected at least 88", leave, sizeof (TtiFrame) - 1, -1 },
  { "one-byte", "a packet of 1 bytes", leave, 1, -1 },
};

static const Case *current;

static void
test_packet_case (Pair *pair, gconstpointer data)
{
  tti_autofd int fd = memory_make (MEMORY_BYTES);
  Packet packet = packet_make ();
  int fds[] = { fd, fd };

  (void) data;
  current->corrupt (&packet);
  raw_send (pair, &packet, current->n_bytes != 0 ? current->n_bytes : PACKET_BYTES, fds,
            current->n_fds < 0 ? 1 : (guint) current->n_fds);
  master_refuses (pair, current->part);
}

static void
test_packet_cases (gconstpointer implementation)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Pair pair;

      g_test_message ("%s", cases[i].name);
      current = &cases[i];
      pair_open (&pair, implementation);
      test_packet_case (&pair, NULL);
      pair_close (&pair, implementation);
    }
}

static void
test_honest (Pair *pair, gconstpointer data)
{
  tti_autofd int fd = memory_make (MEMORY_BYTES);
  Packet packet = packet_make ();
  TtiMessage message;

  (void) data;
  raw_send (pair, &packet, PACKET_BYTES, &fd, 1);
  receive_message (pair->master, NULL, &message);
  g_assert_true (payload_check (message.payload, NULL));
  tti_message_clear (&message);
}

/* A worker accepts files from its master, but a master does not accept them from a worker. */
static void
test_unsealed (Pair *pair, gconstpointer data)
{
  tti_autofd int fd = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  Packet packet = packet_make ();
  TtiMessage message;

  (void) data;
  g_assert_cmpint (ftruncate (fd, MEMORY_BYTES), ==, 0);
  raw_send (pair, &packet, PACKET_BYTES, &fd, 1);
  master_refuses (pair, "not sealed");
  /* The other way: the master's descriptor is written to, the worker receives. */
  TtiTransport *worker = pair->worker;
  pair->worker = pair->master;
  raw_send (pair, &packet, PACKET_BYTES, &fd, 1);
  pair->worker = worker;
  receive_message (worker, NULL, &message);
  tti_message_clear (&message);
}

static void
test_too_small (Pair *pair, gconstpointer data)
{
  tti_autofd int fd = memory_make (VECTOR_BYTES + 99);
  Packet packet = packet_make ();

  (void) data;
  raw_send (pair, &packet, PACKET_BYTES, &fd, 1);
  master_refuses (pair, "20000 bytes from offset 100 of a memory of 20099 bytes");
}

static void
test_not_memory (Pair *pair, gconstpointer data)
{
  int fds[2];
  Packet packet = packet_make ();

  (void) data;
  g_assert_true (tti_fd_pipe (fds, NULL));
  raw_send (pair, &packet, PACKET_BYTES, fds, 1);
  master_refuses (pair, "descriptor 0 is not memory");
  tti_fd_clear (&fds[0]);
  tti_fd_clear (&fds[1]);
}

static int
file_make (void)
{
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp ("tutti-hostile-XXXXXX", &path, NULL);

  g_assert_cmpint (unlink (path), ==, 0);
  return fd;
}

/* Other kinds of descriptors instead of memory. */
static void
test_other_descriptors (gconstpointer implementation)
{
  tti_autofd int memory = memory_make (MEMORY_BYTES);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", memory);
  const struct { const char *name, *part; int fd; } others[] = {
    { "directory", "descriptor 0 is not memory", open ("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC) },
    { "socket", "descriptor 0 is not memory", socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) },
    { "device", "descriptor 0 is not memory", open ("/dev/zero", O_RDWR | O_CLOEXEC) },
    { "file", "not sealed", file_make () },
    { "path", "not sealed", open (path, O_PATH | O_CLOEXEC) },
  };

  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      Packet packet = packet_make ();
      int fd = others[i].fd;
      Pair pair;

      g_test_message ("%s", others[i].name);
      g_assert_cmpint (fd, >=, 0);
      pair_open (&pair, implementation);
      raw_send (&pair, &packet, PACKET_BYTES, &fd, 1);
      master_refuses (&pair, others[i].part);
      pair_close (&pair, implementation);
      tti_fd_clear (&fd);
    }
}

/* Write-only memory: it cannot be read, and mapping it needs another descriptor. */
static void
test_write_only (Pair *pair, gconstpointer data)
{
  tti_autofd int memory = memory_make (MEMORY_BYTES);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", memory);
  tti_autofd int fd = open (path, O_WRONLY | O_CLOEXEC);
  Packet packet = packet_make ();
  TtiMessage message;
  g_autoptr (GError) error = NULL;

  (void) data;
  g_assert_cmpint (fd, >=, 0);
  raw_send (pair, &packet, PACKET_BYTES, &fd, 1);
  /* The vector is either refused, or usable. */
  if (receive_any (pair->master, NULL, &message, &error) == TTI_RECEIVED_MESSAGE)
    g_assert_cmpint (((char *) tti_vector_get_data (tti_payload_get_vector (message.payload, 0, NULL)))[VECTOR_BYTES - 1], ==, 0);
  else
    g_assert_nonnull (error);
  tti_message_clear (&message);
}

/* Memory that is sealed cannot be made smaller once it was sent, and its holes read as zeros. */
static void
test_truncated_after_sending (Pair *pair, gconstpointer data)
{
  tti_autofd int fd = memory_make (MEMORY_BYTES);
  Packet packet = packet_make ();
  TtiMessage message;

  (void) data;
  raw_send (pair, &packet, PACKET_BYTES, &fd, 1);
  g_assert_cmpint (ftruncate (fd, 0), <, 0);
  receive_message (pair->master, NULL, &message);
  g_assert_cmpint (ftruncate (fd, 0), <, 0);
  (void) fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MEMORY_BYTES);
  const char *bytes = tti_vector_get_data (tti_payload_get_vector (message.payload, 0, NULL));
  for (guint i = 0; i < VECTOR_BYTES; i++)
    g_assert_cmpint (bytes[i], ==, 0);
  tti_message_clear (&message);
}

static void
test_packet_too_long (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (20000);
  Packet packet = packet_make ();

  (void) data;
  memcpy (bytes, &packet, PACKET_BYTES);
  raw_send (pair, bytes, 20000, NULL, 0);
  master_refuses (pair, "more than 16384 bytes");
}

/* A message that announces more descriptors than fit into its packet must go on with them. */
static void
test_continuation (Pair *pair, gconstpointer data)
{
  tti_autofd int fd = memory_make (MEMORY_BYTES);
  Packet packet = packet_make ();
  int fds[250];
  TtiMessage message;

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = fd;
  packet.frame.n_descriptors = 300;
  raw_send (pair, &packet, PACKET_BYTES, fds, G_N_ELEMENTS (fds));
  g_assert_cmpint (tti_transport_receive (pair->master, &message, NULL), ==, TTI_RECEIVED_NOTHING);
  packet.frame.n_descriptors = 1;
  raw_send (pair, &packet, PACKET_BYTES, fds, 1);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (receive_any (pair->master, NULL, &message, &error), ==, TTI_RECEIVED_ERROR);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, "where descriptors of message 1 were expected"));
}

static void
test_end_in_message (Pair *pair, gconstpointer data)
{
  tti_autofd int fd = memory_make (MEMORY_BYTES);
  Packet packet = packet_make ();
  int fds[250];
  TtiMessage message;

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = fd;
  packet.frame.n_descriptors = 300;
  gboolean stream = pair->implementation->type == SOCK_STREAM;
  raw_send (pair, &packet, stream ? sizeof (TtiFrame) - 1 : PACKET_BYTES, fds, stream ? 0 : G_N_ELEMENTS (fds));
  g_assert_cmpint (tti_transport_receive (pair->master, &message, NULL), ==, TTI_RECEIVED_NOTHING);
  g_clear_pointer (&pair->worker, tti_transport_free);
  g_assert_cmpint (receive_any (pair->master, NULL, &message, NULL), ==, TTI_RECEIVED_END);
}

/* Frames over a stream that announce data that never come: nothing is allocated for them. */
static void
test_stream_cases (gconstpointer implementation)
{
  static const struct { const char *part; void (*corrupt) (Packet *packet); } stream_cases[] = {
    { "it begins with", bad_magic }, { "version", bad_version }, { "unknown kind", kind_more }, { "too large", bytes_endless },
    { "too large", vectors_endless }, { "1 descriptors over a stream", leave }, { "in descriptor 0", descriptors_none },
    { "way to travel", travel_unknown },
  };

  for (guint i = 0; i < G_N_ELEMENTS (stream_cases); i++)
    {
      Packet packet = packet_make ();
      Pair pair;

      pair_open (&pair, implementation);
      if (stream_cases[i].corrupt == travel_unknown)
        packet.frame.n_descriptors = 0;
      stream_cases[i].corrupt (&packet);
      raw_send (&pair, &packet, PACKET_BYTES, NULL, 0);
      master_refuses (&pair, stream_cases[i].part);
      pair_close (&pair, implementation);
    }
}

static void
test_stream_announces_much (Pair *pair, gconstpointer data)
{
  Packet packet = packet_make ();
  TtiMessage message;
  gsize before, after;
  g_autofree char *status = NULL;

  (void) data;
  packet.frame.n_descriptors = packet.frame.n_vectors = 0;
  packet.frame.n_bytes = TTI_MESSAGE_MAX_BYTES;
  g_assert_true (g_file_get_contents ("/proc/self/statm", &status, NULL, NULL));
  before = strtoul (status, NULL, 10);
  raw_send (pair, &packet, PACKET_BYTES, NULL, 0);
  g_assert_cmpint (tti_transport_receive (pair->master, &message, NULL), ==, TTI_RECEIVED_NOTHING);
  g_free (g_steal_pointer (&status));
  g_assert_true (g_file_get_contents ("/proc/self/statm", &status, NULL, NULL));
  after = strtoul (status, NULL, 10);
  g_assert_cmpuint (after - before, <, 1000); /* pages of address space */
}

static void
test_stream_byte_by_byte (Pair *pair, gconstpointer data)
{
  Packet packet = packet_make ();
  TtiMessage message;
  g_autofree guint8 *bytes = g_malloc0 (PACKET_BYTES + VECTOR_BYTES);

  (void) data;
  packet.frame.n_descriptors = 0;
  packet.frame.n_contents = VECTOR_BYTES;
  packet.table[0].descriptor = TTI_BY_VALUE;
  memcpy (bytes, &packet, PACKET_BYTES);
  memset (bytes + PACKET_BYTES, 7, VECTOR_BYTES);
  for (guint i = 0; i < PACKET_BYTES + VECTOR_BYTES; i++)
    {
      g_assert_cmpint (tti_transport_receive (pair->master, &message, NULL), ==, TTI_RECEIVED_NOTHING);
      raw_send (pair, bytes + i, 1, NULL, 0);
    }
  receive_message (pair->master, NULL, &message);
  TtiVector *vector = tti_payload_get_vector (message.payload, 0, NULL);
  g_assert_cmpmem (tti_vector_get_data (vector), tti_vector_get_size (vector), bytes + PACKET_BYTES, VECTOR_BYTES);
  tti_message_clear (&message);
}

/* One call processes a limited number of internal messages, so that a sender of more and more of them cannot keep it busy for ever. */
static void
test_flood_of_news (Pair *pair, gconstpointer data)
{
  TtiTransport *enemy = pair->worker;
  TtiMessage news = { .kind = TTI_MESSAGE_LEASE, .attempt = TTI_LEASE_RELEASE, .id = 77, .detail = 1 };
  TtiMessage result = { .kind = TTI_MESSAGE_RESULT, .id = 5 }, message;

  (void) data;
  for (guint i = 0; i < 300; i++)
    {
      TtiOutgoing *outgoing = enemy->ops->prepare (enemy, &news, NULL);

      g_assert_cmpint (enemy->ops->push (enemy, outgoing), ==, TTI_PUSHED_ALL);
      enemy->ops->outgoing_free (outgoing);
    }
  send_message (enemy, &result);
  g_assert_cmpint (tti_transport_receive (pair->master, &message, NULL), ==, TTI_RECEIVED_NOTHING);
  receive_message (pair->master, NULL, &message);
  g_assert_cmpuint (message.id, ==, 5);
}

static void
test_flood_of_packets (Pair *pair, gconstpointer data)
{
  const TtiFrame wake = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_FRAME_WAKE };
  g_autoptr (TtiPayload) payload = payload_of_text (20000);
  TtiMessage result = { .kind = TTI_MESSAGE_RESULT, .id = 5, .payload = payload }, message;

  (void) data;
  for (guint i = 0; i < 260; i++)
    raw_send (pair, &wake, sizeof wake, NULL, 0);
  send_message (pair->worker, &result);
  g_assert_cmpint (tti_transport_receive (pair->master, &message, NULL), ==, TTI_RECEIVED_NOTHING);
  receive_message (pair->master, NULL, &message);
  g_assert_cmpuint (message.id, ==, 5);
  tti_message_clear (&message);
}

/* A worker that recalls messages, as only a master may, would make its master check one after the other. */
static void
test_recalling (Pair *pair, gconstpointer data)
{
  TtiMessage result = { .kind = TTI_MESSAGE_RESULT, .id = 5 }, message;
  g_autoptr (GError) error = NULL;

  (void) data;
  send_message (pair->worker, &result);
  g_assert_true (tti_transport_recall (pair->worker, tti_transport_get_ticket (pair->worker)));
  g_assert_cmpint (receive_any (pair->master, NULL, &message, &error), ==, TTI_RECEIVED_ERROR);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
}

#define mailbox_test(name, test) \
  g_test_add ("/hostile/mailbox/" name, Pair, &implementations[2], pair_open, test, pair_close)
#define packet_test(name, test) \
  g_test_add ("/hostile/packet/" name, Pair, &implementations[0], pair_open, test, pair_close)
#define stream_test(name, test) \
  g_test_add ("/hostile/stream/" name, Pair, &implementations[1], pair_open, test, pair_close)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  packet_test ("honest", test_honest);
  g_test_add_data_func ("/hostile/packet/corrupted", &implementations[0], test_packet_cases);
  packet_test ("unsealed", test_unsealed);
  packet_test ("too-small", test_too_small);
  packet_test ("not-memory", test_not_memory);
  g_test_add_data_func ("/hostile/packet/other-descriptors", &implementations[0], test_other_descriptors);
  packet_test ("write-only", test_write_only);
  packet_test ("truncated-after-sending", test_truncated_after_sending);
  packet_test ("too-long", test_packet_too_long);
  packet_test ("continuation", test_continuation);
  packet_test ("end-in-message", test_end_in_message);
  mailbox_test ("flood-of-news", test_flood_of_news);
  mailbox_test ("flood-of-packets", test_flood_of_packets);
  mailbox_test ("recalling", test_recalling);
  g_test_add_data_func ("/hostile/stream/corrupted", &implementations[1], test_stream_cases);
  stream_test ("announces-much", test_stream_announces_much);
  stream_test ("byte-by-byte", test_stream_byte_by_byte);
  stream_test ("end-in-message", test_end_in_message);
  return g_test_run ();
}
