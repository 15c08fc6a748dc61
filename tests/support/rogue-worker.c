/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A worker that does what the text of its task says, however bad: for tests of the pool. Unlike a mock it is a real process
 * behind a real watcher, so that what the pool sees is what it would see in real life. */
#include "process/watcher-protocol.h"
#include "process/worker-loop.h"
#include "transport/codec.h"
#include "transport/local-transport.h"
#include "transport/transport-private.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static TtiTransport *transport;
static TtiParts *parts;

static char *
request_text (const TtiMessage *task)
{
  g_autoptr (TtiReader) reader = tti_reader_new (task->payload);
  TtiItem item;

  /* The first that there is, for tasks of Scheme's have a procedure before their arguments. */
  do
    if (!tti_reader_next (reader, &item, NULL))
      return g_strdup ("");
  while (item.tag != TTI_ITEM_STRING);
  return g_strndup ((const char *) item.bytes, item.n_bytes);
}

/* Does the file that PATH names exist? If not, make it. So a deed is done by the first attempt only. */
static gboolean
done_before (const char *path)
{
  if (access (path, F_OK) == 0)
    return TRUE;
  g_file_set_contents (path, "", 0, NULL);
  return FALSE;
}

static void
send_answer (const TtiMessage *task, TtiMessageKind kind, guint64 id, guint32 attempt, guint64 generation)
{
  TtiMessage answer = { .kind = kind, .id = id, .attempt = attempt, .generation = generation, .payload = task->payload };

  tti_transport_send (transport, &answer, NULL);
}

/* Fill the mailbox with nonsense, wake the master, and wait for what it does. */
static void
scribble (void)
{
  const TtiFrame wake = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_FRAME_WAKE };
  g_autofree char *maps = NULL;
  guintptr start, end;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (maps, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (strstr (lines[i], "tutti-mailbox") != NULL
        && sscanf (lines[i], "%" G_GINTPTR_MODIFIER "x-%" G_GINTPTR_MODIFIER "x", &start, &end) == 2)
      memset ((gpointer) start, 0xff, end - start);
  send (TTI_WORKER_FD_CONTROL, &wake, sizeof wake, 0);
  for (;;)
    pause ();
}

/* "DIRECTORY N": come into the directory, and stay until there are N of us. Only tasks that run at the same time get away from here. */
static void
meet (const char *text)
{
  g_auto (GStrv) words = g_strsplit (text, " ", 2);
  g_autofree char *path = g_strdup_printf ("%s/%d", words[0], (int) getpid ());
  guint wanted = (guint) atoi (words[1]), n = 0;

  g_file_set_contents (path, "", 0, NULL);
  while (n < wanted)
    {
      GDir *directory = g_dir_open (words[0], 0, NULL);

      g_usleep (1000);
      for (n = 0; directory != NULL && g_dir_read_name (directory) != NULL; n++)
        ;
      g_clear_pointer (&directory, g_dir_close);
    }
}

/* Send the same again and again, as fast as it is taken. */
static void
flood (const TtiMessage *message)
{
  while (transport->ops->push_at_once (transport, message) != TTI_PUSHED_GONE)
    ;
  _exit (0);
}

static void
flood_with (const char *what, const TtiMessage *task)
{
  const TtiFrame wake = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_FRAME_WAKE };
  TtiMessage late = { .kind = TTI_MESSAGE_RESULT, .id = task->id + 1000, .attempt = 1, .generation = task->generation,
                        .payload = task->payload };
  TtiMessage news = { .kind = TTI_MESSAGE_LEASE, .attempt = TTI_LEASE_RELEASE, .generation = task->generation, .id = 77 };

  if (strcmp (what, "answers") == 0)
    flood (&late);
  if (strcmp (what, "news") == 0)
    flood (&news);
  if (strcmp (what, "packets") == 0)
    for (;;)
      send (TTI_WORKER_FD_CONTROL, &wake, sizeof wake, 0);
  if (strcmp (what, "output") == 0)
    for (;;)
      printf ("\n");
}

/* An answer to TASK with a vector of 100000 bytes in FD, or in the storage that was leased as STORAGE. */
static void
send_vector (const TtiMessage *task, int fd, guint64 storage)
{
  union { struct cmsghdr align; guint8 bytes[CMSG_SPACE (sizeof (int))]; } control = { 0 };
  struct
  {
    TtiFrame frame;
    TtiAttachment vector;
    guint8 bytes[6];
  } packet = {
    .frame = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_MESSAGE_RESULT, .has_payload = 1,
               .attempt = task->attempt, .generation = task->generation, .id = task->id, .n_vectors = 1, .n_bytes = 6,
               .body_descriptor = TTI_BY_VALUE, .n_descriptors = fd >= 0 ? 1 : 0,
               .sequence = tti_transport_get_ticket (transport) + 1 },
    .vector = { .size = 100000, .descriptor = fd >= 0 ? 0 : TTI_BY_NUMBER, .storage = storage },
    .bytes = { TTI_ITEM_ATTACHED, TTI_NUMBER_U8, 0, 0xa0, 0x8d, 0x06 },
  };
  struct iovec part = { .iov_base = &packet, .iov_len = sizeof packet.frame + sizeof packet.vector + sizeof packet.bytes };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

  if (fd >= 0)
    {
      header.msg_control = &control;
      header.msg_controllen = sizeof control;
      *CMSG_FIRSTHDR (&header) = (struct cmsghdr) { .cmsg_len = CMSG_LEN (sizeof fd), .cmsg_level = SOL_SOCKET,
                                                    .cmsg_type = SCM_RIGHTS };
      memcpy (CMSG_DATA (CMSG_FIRSTHDR (&header)), &fd, sizeof fd);
    }
  sendmsg (TTI_WORKER_FD_CONTROL, &header, MSG_NOSIGNAL);
}

static int
memory_make (guint seals, gsize size)
{
  int fd = memfd_create ("rogue", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_true (ftruncate (fd, (off_t) size) == 0 && fcntl (fd, F_ADD_SEALS, seals) == 0);
  return fd;
}

/* Invented news of leases, of numbers that are known and of others. */
static void
send_invented_news (const TtiMessage *task)
{
  for (guint i = 0; i < 2000; i++)
    {
      TtiMessage news = { .kind = TTI_MESSAGE_LEASE, .attempt = i % 2 == 0 ? TTI_LEASE_RELEASE : TTI_LEASE_FORGET,
                            .generation = task->generation, .id = i / 20, .detail = i % 20 };

      while (transport->ops->push_at_once (transport, &news) == TTI_PUSHED_LATER)
        g_usleep (100);
    }
}

/* Answer as no worker does, and wait for what the master does. */
static void
lie (const char *how, const TtiMessage *task)
{
  int pair[2];

  if (strcmp (how, "news") == 0)
    {
      send_invented_news (task);
      return;
    }
  if (strcmp (how, "directory") == 0)
    send_vector (task, open ("/", O_RDONLY | O_DIRECTORY), 1);
  else if (strcmp (how, "socket") == 0 && socketpair (AF_UNIX, SOCK_STREAM, 0, pair) == 0)
    send_vector (task, pair[0], 1);
  else if (strcmp (how, "unsealed") == 0)
    send_vector (task, memory_make (0, 100000), 1);
  else if (strcmp (how, "truncated") == 0)
    {
      int fd = memory_make (0, 100000);

      send_vector (task, fd, 1);
      g_assert_true (ftruncate (fd, 0) == 0);
    }
  else if (strcmp (how, "small") == 0)
    send_vector (task, memory_make (F_SEAL_SHRINK, 99999), 1);
  else if (strcmp (how, "unknown") == 0)
    send_vector (task, -1, 4711);
  for (;;)
    pause ();
}

static void
await_file (const char *path)
{
  while (access (path, F_OK) < 0)
    g_usleep (1000);
}

static void
log_line (const char *path, char what, const char *name)
{
  g_autofree char *line = g_strdup_printf ("%c%s\n", what, name);
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  g_assert_cmpint (write (fd, line, strlen (line)), ==, strlen (line));
  close (fd);
}

/* "MS FILE NAME": write to the file that NAME has begun, and after so many milliseconds that it has ended. */
static void
log_nap (const char *text)
{
  g_auto (GStrv) words = g_strsplit (text, " ", 3);

  log_line (words[1], '+', words[2]);
  g_usleep ((gulong) atoi (words[0]) * 1000);
  log_line (words[1], '-', words[2]);
}

/* Write BYTE to the first PART-th of each vector that TASK is to write into. */
static void
fill (const TtiMessage *task, int byte, guint part)
{
  for (guint i = 0; i < tti_payload_get_n_vectors (task->payload); i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (task->payload, i, &travel);

      if (travel == TTI_TRAVEL_WRITE)
        memset (tti_vector_get_data (vector), byte, tti_vector_get_size (vector) / part);
    }
}

/* Deeds that say how. */
static void
deed_with_word (const char *text, const TtiMessage *task)
{
  if (g_str_has_prefix (text, "meet "))
    meet (text + 5);
  else if (g_str_has_prefix (text, "lie "))
    lie (text + 4, task);
  else if (g_str_has_prefix (text, "flood "))
    flood_with (text + 6, task);
  else if (g_str_has_prefix (text, "await "))
    await_file (text + 6);
  else if (g_str_has_prefix (text, "log "))
    log_nap (text + 4);
  else if (g_str_has_prefix (text, "fill "))
    fill (task, atoi (text + 5), 1);
  else if (g_str_has_prefix (text, "torn ") && !done_before (text + 5))
    {
      fill (task, 0xee, 2);
      raise (SIGKILL);
    }
  else if (g_str_has_prefix (text, "torn "))
    fill (task, 7, 1);
  else if (strcmp (text, "raise torn") == 0)
    fill (task, 0xee, 2);
  else if (g_str_has_prefix (text, "parts "))
    {
      tti_parts_begin (parts, task->id, (guint) atoi (text + 6));
      for (;;)
        pause ();
    }
}

static void
deed (const char *text, const TtiMessage *task)
{
  guint64 id = task->id, generation = task->generation;
  guint32 attempt = task->attempt;

  if (g_str_has_prefix (text, "exit "))
    exit (atoi (text + 5));
  else if (g_str_has_prefix (text, "once ") && !done_before (text + 5))
    raise (SIGKILL);
  else if (g_str_has_prefix (text, "signal "))
    raise (atoi (text + 7));
  else if (strcmp (text, "hang") == 0)
    for (;;)
      pause ();
  else if (strcmp (text, "deaf") == 0)
    {
      signal (SIGTERM, SIG_IGN);
      for (;;)
        pause ();
    }
  else if (g_str_has_prefix (text, "nap "))
    g_usleep ((gulong) atoi (text + 4) * 1000);
  else if (strcmp (text, "scribble") == 0)
    scribble ();
  else if (g_str_has_prefix (text, "say "))
    fprintf (stderr, "%s\n", text + 4);
  else if (strcmp (text, "die talking") == 0)
    {
      for (int i = 1; i <= 30; i++)
        fprintf (stderr, "line %d\n", i);
      abort ();
    }
  else if (strcmp (text, "garbage") == 0)
    {
      /* Without an answer, which would come on a shorter way. */
      send (TTI_WORKER_FD_CONTROL, "this is no message", 18, 0);
      for (;;)
        pause ();
    }
  else if (strcmp (text, "order") == 0)
    send_answer (task, TTI_MESSAGE_TASK, id, attempt, generation);
  else if (strcmp (text, "late") == 0)
    {
      /* Answers to other tasks, attempts and lives, before the right one. */
      send_answer (task, TTI_MESSAGE_EXCEPTION, id + 1, attempt, generation);
      send_answer (task, TTI_MESSAGE_EXCEPTION, id, attempt + 1, generation);
      send_answer (task, TTI_MESSAGE_EXCEPTION, id, attempt, generation - 1);
    }
  else if (strcmp (text, "twice") == 0)
    send_answer (task, TTI_MESSAGE_RESULT, id, attempt, generation);
  else if (strcmp (text, "close") == 0)
    {
      close (TTI_WORKER_FD_CONTROL);
      for (;;)
        pause ();
    }
}

/* A payload of the bytes that HEX names: "bytes 0f03" is the answer of a liar. */
static TtiPayload *
hex_payload (const char *hex)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  for (; g_ascii_isxdigit (hex[0]) && g_ascii_isxdigit (hex[1]); hex += 2)
    {
      guint8 byte = (guint8) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (bytes, &byte, 1);
    }
  return tti_payload_new (g_byte_array_free_to_bytes (g_steal_pointer (&bytes)), NULL, NULL);
}

/* A list of TEXT and VECTOR, which the task came with. */
static TtiPayload *
mirror_payload (const char *text, TtiVector *vector)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 2);
  tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
  tti_writer_attach (writer, TTI_NUMBER_F64, vector, tti_vector_get_size (vector) / sizeof (double), TTI_TRAVEL_SHARED);
  return tti_writer_finish (writer);
}

/* What TEXT says, and an answer: TEXT, or a vector if it says so. */
static TtiPayload *
run (gpointer data, const TtiMessage *task, gboolean *raised, GError **error)
{
  g_autofree char *text = request_text (task);

  (void) data;
  (void) error;
  deed (text, task);
  deed_with_word (text, task);
  *raised = g_str_has_prefix (text, "raise");
  if (strcmp (text, "mirror") == 0)
    return mirror_payload (text, tti_payload_get_vector (task->payload, 0, NULL));
  if (strcmp (text, "where") == 0)
    {
      g_free (text);
      text = g_strdup_printf ("place %d, worker %s", tti_place_from_detail (task->detail), g_getenv ("TUTTI_WORKER_INDEX"));
    }
  const char *hex = strstr (text, "bytes ");

  if (hex != NULL)
    return hex_payload (hex + strlen ("bytes "));
  if (strcmp (text, "fault") == 0)
    {
      TtiTravel travel;
      g_autoptr (TtiVector) vector = tti_vector_ref (tti_payload_get_vector (task->payload, 0, &travel));

      ((volatile char *) tti_vector_get_data (vector))[7] = 1;
    }
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  if (g_str_has_prefix (text, "vector"))
    {
      enum { NUMBERS = 8192 };
      g_autoptr (TtiVector) vector = tti_vector_new (NUMBERS * sizeof (double), error);

      if (vector == NULL)
        return NULL;
      tti_writer_attach (writer, TTI_NUMBER_F64, vector, NUMBERS,
                         strcmp (text, "vector copy") == 0 ? TTI_TRAVEL_COPY : TTI_TRAVEL_SHARED);
      return tti_writer_finish (writer);
    }
  tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
  return tti_writer_finish (writer);
}

static void
begin (gpointer data, const TtiWorkerSide *side)
{
  (void) data;
  parts = side->parts;
}

/* Tests see by these lines that it came, and came again. */
static void
hold (gpointer data, guint64 id, TtiPayload *payload)
{
  (void) data;
  printf ("hold %" G_GUINT64_FORMAT " of %zu bytes\n", id, tti_payload_get_n_bytes (payload));
}

static void
drop (gpointer data, guint64 id)
{
  (void) data;
  printf ("drop %" G_GUINT64_FORMAT "\n", id);
}

int
main (int argc, char **argv)
{
  const TtiHandler handler = { .run = run, .hold = hold, .drop = drop, .begin = begin };
  const TtiHandler *handlers[TTI_N_HANDLERS] = { [TTI_HANDLER_ECHO] = &handler, [TTI_HANDLER_SCHEME] = &handler };
  guint64 generation = g_ascii_strtoull (g_getenv ("TUTTI_GENERATION"), NULL, 10);

  setvbuf (stdout, NULL, _IOLBF, 0);
  /* Alone, or wherever the argument says that the worker with this index is. */
  if (argc > 1 && g_str_has_prefix (argv[1], "stillborn")
      && (argv[1][9] == '\0' || strcmp (argv[1] + 10, g_getenv ("TUTTI_WORKER_INDEX")) == 0))
    {
      fprintf (stderr, "I do not want to live\n");
      return 9;
    }
  /* One of a node elsewhere has a stream, and no master beside it. */
  if (g_strcmp0 (g_getenv ("TUTTI_TEST_TRANSPORT"), "stream") == 0)
    {
      /* Nobody ends it when its test is aborted. */
      alarm (300);
      transport = tti_stream_transport_new (TTI_WORKER_FD_CONTROL, TRUE);
      return tti_worker_loop_run (transport, -1, generation, handlers, &handler);
    }
  transport = tti_local_transport_new (TTI_WORKER_FD_CONTROL, TRUE);
  return tti_worker_loop_run (transport, TTI_WORKER_FD_MASTER, generation, handlers, &handler);
}
