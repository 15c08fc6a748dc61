/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sends arbitrary bytes over the watcher's control socket, and puts them into the memory for a worker's arguments and environment:
 * the reader must return a packet or strings, or an error, and must own or close every descriptor that came along. The first byte
 * of an input chooses: bit 0 packet or strings, bits 1 to 3 how many descriptors come with a packet. Strings begin with the number
 * of arguments in four bytes. As a test it corrupts good ones; with -DTUTTI_LIBFUZZER it is a target for libFuzzer. */
#include "../support/descriptors.h"
#include "fuzz-mutate.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "process/watcher-packet.h"
#include "process/watcher-program.h"
#include <sys/mman.h>
#include <sys/socket.h>

enum { MOST_DESCRIPTORS = 7, DESCRIPTORS_SHIFT = 1, STRINGS_AT = 5 };

static void
packet_send (int fd, const uint8_t *data, size_t size, guint n_fds)
{
  union { struct cmsghdr align; guint8 bytes[CMSG_SPACE (MOST_DESCRIPTORS * sizeof (int))]; } control = { 0 };
  struct iovec part = { .iov_base = (gpointer) data, .iov_len = size };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

  if (n_fds > 0)
    {
      header.msg_control = &control;
      header.msg_controllen = CMSG_SPACE (n_fds * sizeof (int));
      control.align = (struct cmsghdr) { .cmsg_len = CMSG_LEN (n_fds * sizeof (int)), .cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS };
      for (guint i = 0; i < n_fds; i++)
        memcpy (CMSG_DATA (CMSG_FIRSTHDR (&header)) + i * sizeof (int), &(int){ fd }, sizeof (int));
    }
  g_assert_cmpint (sendmsg (fd, &header, MSG_NOSIGNAL), ==, (gssize) size);
}

static void
packet_try (const uint8_t *data, size_t size, guint n_fds)
{
  int fds[2];
  g_auto (TtiWatchParcel) parcel = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tti_fd_socket_pair (SOCK_SEQPACKET, fds, NULL));
  packet_send (fds[1], data, size, n_fds);
  switch (tti_watch_parcel_receive (fds[0], &parcel, &error))
    {
    case TTI_WATCH_IO_DONE:
      g_assert_cmpuint (size, ==, sizeof parcel.packet);
      g_assert_cmpuint (parcel.n_fds, ==, MIN (n_fds, TTI_WATCHER_MAX_FDS));
      g_assert_cmpuint (strlen (parcel.packet.text), <, sizeof parcel.packet.text);
      break;
    case TTI_WATCH_IO_FAILED:
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
      g_assert_cmpuint (parcel.n_fds, ==, 0);
      break;
    case TTI_WATCH_IO_AGAIN:
    case TTI_WATCH_IO_ENDED:
      g_assert_not_reached ();
    }
  tti_fd_clear (&fds[0]);
  tti_fd_clear (&fds[1]);
}

/* A memfd with these bytes; the same one for all inputs. */
static int
memory_with (const uint8_t *data, size_t size)
{
  static int fd = -1;

  if (fd < 0)
    fd = memfd_create ("fuzz", MFD_CLOEXEC);
  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  g_assert_cmpint (pwrite (fd, data, size, 0), ==, (gssize) size);
  return fd;
}

static guint
strings_use (const char *const *strings, const char **end)
{
  guint n = 0;

  for (; strings[n] != NULL; n++)
    *end = strings[n] + strlen (strings[n]) + 1;
  return n;
}

static void
strings_try (const uint8_t *data, size_t size, guint32 n_args)
{
  g_auto (TtiWatcherStrings) strings = { 0 };
  g_autoptr (GError) error = NULL;

  if (!tti_watcher_program_unpack (memory_with (data, size), n_args, &strings, &error))
    {
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
      return;
    }
  const char *end = NULL;

  g_assert_true (strings.program.path == strings.text);
  g_assert_cmpuint (strings_use (strings.program.argv, &end), ==, n_args);
  strings_use (strings.program.envp, &end);
  g_assert_true (end == strings.text + size);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  guint32 n_args;

  if (size > 16 * 1024)
    return 0;
  if (size >= 2 && (data[0] & 1) == 0)
    packet_try (data + 1, size - 1, data[0] >> DESCRIPTORS_SHIFT & MOST_DESCRIPTORS);
  else if (size >= STRINGS_AT)
    {
      memcpy (&n_args, data + 1, sizeof n_args);
      strings_try (data + STRINGS_AT, size - STRINGS_AT, n_args);
    }
  return 0;
}

#ifndef TUTTI_LIBFUZZER
static GByteArray *
input_of (guint8 choice, gconstpointer data, gsize size)
{
  GByteArray *input = g_byte_array_new ();

  g_byte_array_append (input, &choice, 1);
  g_byte_array_append (input, data, (guint) size);
  return input;
}

static GByteArray *
strings_capture (const char *const *arguments, const char *const *environment)
{
  TtiWatcherProgram program = { .path = "/usr/bin/program", .argv = arguments, .envp = environment };
  guint32 n_args;
  tti_autofd int fd = tti_watcher_program_pack (&program, &n_args, NULL);
  guint8 text[1000];
  gssize size = pread (fd, text, sizeof text, 0);

  g_assert_cmpint (size, >, 0);
  GByteArray *input = input_of (1, &n_args, sizeof n_args);

  return g_byte_array_append (input, text, (guint) size);
}

static void
test_fuzz (void)
{
  g_autoptr (GPtrArray) corpus = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);

  for (guint kind = 1; kind <= TTI_WATCH_LAST; kind++)
    {
      TtiWatchPacket packet = tti_watch_packet_make ((TtiWatchKind) kind, kind);

      g_strlcpy (packet.text, "no such file", sizeof packet.text);
      g_ptr_array_add (corpus, input_of ((guint8) (kind % (MOST_DESCRIPTORS + 1) << DESCRIPTORS_SHIFT), &packet, sizeof packet));
    }
  g_ptr_array_add (corpus, strings_capture ((const char *[]) { "program", NULL }, (const char *[]) { NULL }));
  g_ptr_array_add (corpus, strings_capture ((const char *[]) { "program", "", "a", NULL }, (const char *[]) { "A=1", "B=", NULL }));
  memory_with ((const uint8_t *) "", 0);
  guint descriptors = count_descriptors ();

  fuzz_run (corpus, 100000, (FuzzBound) { 32, 8192, NULL });
  g_assert_cmpuint (count_descriptors (), ==, descriptors);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fuzz/watcher", test_fuzz);
  return g_test_run ();
}
#endif
