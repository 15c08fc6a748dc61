/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Feeds arbitrary bytes to a link, as if its other side had gone mad after the handshake: that of a master's node, whose agent may not be
 * trusted, and that of an agent's router. Nothing may crash, take more memory than bytes have come, or be left. The first byte of an
 * input selects which. */
#include "cluster/agent-node-private.h"
#include "cluster/file-digest.h"
#include "cluster/link-private.h"
#include "cluster/message-bytes.h"
#include "cluster/router-files.h"
#include "fuzz-mutate.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/codec.h"
#include "transport/file-origin.h"
#include <errno.h>
#include <unistd.h>

enum { GENERATION = 7, TASK = 3 };

static const guint64 tasks[] = { TASK, 4 };

/* --- a link whose reader runs here -------------------------------------------------------------------------------------------- */

static TtiLink *
link_over (const uint8_t *data, size_t size)
{
  g_autoptr (GInputStream) input = g_memory_input_stream_new_from_data (data, (gssize) size, NULL);
  g_autoptr (GOutputStream) output = g_memory_output_stream_new_resizable ();
  const TtiLinkOptions options = { .window = 65536, .peer = "the other side" };

  return tti_link_new (g_simple_io_stream_new (input, output), &options);
}

/* --- a master's node ----------------------------------------------------------------------------------------------------------- */

static void
on_number (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED guint64 generation, G_GNUC_UNUSED int number)
{
}

static void
on_failed (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED guint64 generation, G_GNUC_UNUSED int saved_errno,
           const char *message)
{
  g_assert_true (g_utf8_validate (message, -1, NULL));
}

static void
on_gone (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED guint64 generation)
{
}

static void
on_exited (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED gpointer data, guint64 generation, const TtiWorkerExit *exit)
{
  g_assert_cmpuint (generation, ==, GENERATION);
  g_assert_true (g_utf8_validate (exit->detail, -1, NULL));
}

static void
on_text (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED gpointer data, const char *text)
{
  g_assert_true (g_utf8_validate (text, -1, NULL));
}

static void
on_nothing (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED gpointer data)
{
}

static void
on_hopeless (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED gpointer data, const GError *error)
{
  g_assert_nonnull (error);
}

static const TtiNodeEvents events = {
  .spawned = on_number, .failed = on_failed, .gone = on_gone, .exited = on_exited, .stopped = on_number, .lost = on_text,
  .settled = on_nothing, .ready = on_nothing, .draining = on_text, .hopeless = on_hopeless, .message = on_text,
};

/* A file that the agent is asked for. */
static char *file;

static void
make_file (void)
{
  g_autofree char *contents = g_strnfill (20000, 'x');
  int fd = g_file_open_tmp ("fuzz-link-XXXXXX", &file, NULL);

  g_assert_cmpint (fd, >=, 0);
  tti_fd_clear (&fd);
  g_assert_true (g_file_set_contents (file, contents, 20000, NULL));
}

/* A task with an input, which is a file's, and a destination, so that answers to it can be meant. */
static void
send_task (TtiTransport *transport)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  TtiVector *input = tti_vector_read_file (file, NULL), *destination = tti_vector_new_to_fill (24000, NULL);

  tti_writer_attach (writer, TTI_NUMBER_F64, input, 2500, TTI_TRAVEL_SHARED);
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  g_autoptr (TtiWriter) other = tti_writer_new ();

  tti_writer_attach (other, TTI_NUMBER_F64, destination, 3000, TTI_TRAVEL_WRITE);
  g_autoptr (TtiPayload) written = tti_writer_finish (other);

  for (guint i = 0; i < 2; i++)
    g_assert_true (tti_transport_send (transport, &(TtiMessage){ .kind = TTI_MESSAGE_TASK, .attempt = 1, .generation = GENERATION,
                                                                  .id = TASK + i, .payload = i == 0 ? payload : written,
                                                                  .stays = i == 0 ? 1 : 0 }, NULL));
  tti_vector_unref (input);
  tti_vector_unref (destination);
}

static void
use_messages (TtiTransport *transport)
{
  volatile guint64 sum = 0;
  TtiMessage message;

  while (tti_transport_receive (transport, &message, NULL) == TTI_RECEIVED_MESSAGE)
    {
      for (guint i = 0; message.payload != NULL && i < tti_payload_get_n_vectors (message.payload); i++)
        {
          TtiVector *vector = tti_payload_get_vector (message.payload, i, NULL);
          gboolean away = tti_vector_get_home (vector, NULL) != NULL;

          /* What has no contents here is only where that is expected. It costs nothing to be of any size, but for who reads it. */
          g_assert_true (!away || (message.kind == TTI_MESSAGE_RESULT && message.id == TASK));
          for (gsize k = 0; k < (away ? MIN (tti_vector_get_size (vector), 65536) : tti_vector_get_size (vector)); k += 64)
            sum += ((guint8 *) tti_vector_get_data (vector))[k];
        }
      tti_message_clear (&message);
    }
}

static void
feed_master (const uint8_t *data, size_t size)
{
  static const char *const none[] = { "worker", NULL };
  const TtiNodeProgram program = { .program = "worker", .argv = none, .envp = none + 1 };
  g_autoptr (GMainContext) context = g_main_context_new ();
  TtiAgentNodeOptions options = { .host = "host", .link = link_over (data, size) };
  TtiNode *node = tti_agent_node_new (context, &events, NULL, &options, NULL);
  TtiNodeChannels channels;

  g_assert_true (tti_node_spawn (node, GENERATION, &program, &channels, NULL));
  send_task (channels.transport);
  tti_link_read (options.link);
  use_messages (channels.transport);
  while (g_main_context_iteration (context, FALSE))
    ;
  use_messages (channels.transport);
  tti_transport_free (channels.transport);
  tti_fd_clear (&channels.out_fd);
  tti_fd_clear (&channels.err_fd);
  tti_node_free (node);
}

/* --- an agent's router ---------------------------------------------------------------------------------------------------------- */

static gboolean
no_spawn (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED guint64 generation, const TtiNodeProgram *program,
          G_GNUC_UNUSED TtiNodeChannels *channels, GError **error)
{
  g_assert_nonnull (program->argv[0]);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "no");
  return FALSE;
}

static gboolean
no_signal (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED guint64 generation, G_GNUC_UNUSED int signal, G_GNUC_UNUSED int grace_ms)
{
  return FALSE;
}

static void
feed_agent (const uint8_t *data, size_t size)
{
  static const TtiNodeOps nothing = { .spawn = no_spawn, .signal = no_signal };
  TtiNode node = { .ops = &nothing };
  TtiRouter router = { .context = g_main_context_new (), .link = link_over (data, size), .local = &node };

  router.workers = g_hash_table_new (g_int64_hash, g_int64_equal);
  router.vectors = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) tti_vector_unref);
  router.kept = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) tti_payload_unref);
  router.files = tti_router_files_new (&router);
  tti_router_attend (&router);
  tti_link_read (router.link);
  g_assert_true (router.over);
  tti_router_files_end (router.files);
  tti_link_free (router.link);
  tti_router_files_free (router.files);
  g_clear_pointer (&router.placed, tti_vector_unref);
  g_hash_table_unref (router.workers);
  g_hash_table_unref (router.vectors);
  g_hash_table_unref (router.kept);
  g_main_context_unref (router.context);
  g_free (router.reason);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  if (data[0] & 1)
    feed_agent (data + 1, size - 1);
  else
    feed_master (data + 1, size - 1);
  return 0;
}

/* --- good inputs ---------------------------------------------------------------------------------------------------------------- */

static void
append_frame (GByteArray *input, TtiLinkFrame frame, gconstpointer data, gsize size)
{
  frame.magic = TTI_LINK_MAGIC;
  frame.size = size;
  g_byte_array_append (input, (const guint8 *) &frame, sizeof frame);
  if (size > 0)
    g_byte_array_append (input, data, (guint) size);
}

static guint64
next_number (G_GNUC_UNUSED TtiVector *vector, G_GNUC_UNUSED TtiTravel travel, gpointer last, G_GNUC_UNUSED GError **error)
{
  return ++*(guint64 *) last;
}

/* A message with a short vector and a long one, whose contents come in front, or have STAYED on the other side. */
static void
append_naming (GByteArray *input, TtiMessageKind kind, guint frame_kind, TtiTravel travel, gboolean stayed)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  TtiVector *near = tti_vector_new (80, NULL), *far = tti_vector_new (17000, NULL);
  guint64 last = 0;

  tti_writer_attach (writer, TTI_NUMBER_F64, near, 10, TTI_TRAVEL_COPY);
  tti_writer_attach (writer, TTI_NUMBER_F64, far, 2125, travel);
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  const TtiMessage message = { .kind = kind, .attempt = 1, .generation = GENERATION, .id = TASK, .payload = payload };
  g_autoptr (GBytes) bytes = tti_message_to_bytes (&message, next_number, &last, NULL);
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  if (stayed)
    append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_STAYS, .worker = GENERATION, .id = 1, .detail = 17000 }, NULL, 0);
  else if (travel == TTI_TRAVEL_WRITE)
    append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_ROOM, .id = 1, .detail = 17000 }, NULL, 0);
  else
    append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_CONTENTS, .id = 1 }, tti_vector_get_data (far), 17000);
  append_frame (input, (TtiLinkFrame){ .kind = (guint16) frame_kind, .worker = GENERATION, .id = 9 }, data, size);
  tti_vector_unref (near);
  tti_vector_unref (far);
}

static void
append_message (GByteArray *input, TtiMessageKind kind, guint frame_kind, TtiTravel travel)
{
  append_naming (input, kind, frame_kind, travel, FALSE);
}

static GByteArray *
new_input (GPtrArray *corpus, guint8 choice)
{
  GByteArray *input = g_byte_array_new ();

  g_byte_array_append (input, &choice, 1);
  g_ptr_array_add (corpus, input);
  return input;
}

static void
add_from_agents (GPtrArray *corpus)
{
  static const guint16 kinds[] = { TTI_SAY_SPAWNED, TTI_SAY_FAILED, TTI_SAY_GONE, TTI_SAY_STOPPED, TTI_SAY_STATE, TTI_SAY_OUTPUT,
                                   TTI_SAY_NODE_LOST, TTI_SAY_NODE_SETTLED, TTI_SAY_NODE_READY, TTI_SAY_NODE_HOPELESS, TTI_SAY_DRAINING,
                                   TTI_SAY_TELL, TTI_SAY_ECHOED, TTI_SAY_FILE_LACKING, TTI_LINK_CREDIT, TTI_LINK_PING };
  g_autoptr (GVariant) exit = g_variant_ref_sink (g_variant_new ("(iibtuu@ay)", 3, 0, FALSE, G_GUINT64_CONSTANT (5), 0u, 0u,
                                                                 g_variant_new_bytestring ("detail")));
  GByteArray *input = new_input (corpus, 0);

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    append_frame (input, (TtiLinkFrame){ .kind = kinds[i], .worker = GENERATION, .detail = 1 }, "some text",
                  kinds[i] < TTI_LINK_CREDIT && kinds[i] != TTI_SAY_FILE_LACKING ? 9 : 0);
  append_message (new_input (corpus, 0), TTI_MESSAGE_RESULT, TTI_SAY_MESSAGE, TTI_TRAVEL_SHARED);
  append_message (new_input (corpus, 0), TTI_MESSAGE_EXCEPTION, TTI_SAY_MESSAGE, TTI_TRAVEL_COPY);
  append_naming (new_input (corpus, 0), TTI_MESSAGE_RESULT, TTI_SAY_MESSAGE, TTI_TRAVEL_SHARED, TRUE);
  append_naming (new_input (corpus, 0), TTI_MESSAGE_EXCEPTION, TTI_SAY_MESSAGE, TTI_TRAVEL_SHARED, TRUE);
  input = new_input (corpus, 0);
  g_autofree guint8 *results = g_malloc0 (24000);

  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_WRITTEN, .worker = GENERATION, .id = 2 }, results, 24000);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_RETURNED, .worker = GENERATION }, tasks, sizeof tasks);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_EXITED, .worker = GENERATION }, g_variant_get_data (exit),
                g_variant_get_size (exit));
  input = new_input (corpus, 0);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_FILE_FOUND, .id = 1 }, results, TTI_FILE_DIGEST_BYTES);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_FILE_LACKING, .id = 1 }, NULL, 0);
  /* In parts. */
  input = new_input (corpus, 0);
  TtiLinkFrame first = { .magic = TTI_LINK_MAGIC, .flags = TTI_LINK_LONG, .kind = TTI_SAY_CONTENTS, .id = 5, .size = 20 };

  g_byte_array_append (input, (const guint8 *) &first, sizeof first);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_LINK_PART }, "0123456789", 10);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_STATE, .worker = GENERATION }, NULL, 0);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_LINK_PART }, "0123456789", 10);
}

static void
add_from_masters (GPtrArray *corpus)
{
  static const char *const words[] = { "a", "b=c", "TUTTI_START=umask:22 x", NULL };
  g_autoptr (GVariant) program
    = g_variant_ref_sink (g_variant_new ("(@ay@aay@aayu@aytuut)", g_variant_new_bytestring ("/bin/true"),
                                         g_variant_new_bytestring_array (words, -1), g_variant_new_bytestring_array (words, -1), 1u,
                                         g_variant_new_bytestring ("/"), G_GUINT64_CONSTANT (0), 0u, 0u, G_GUINT64_CONSTANT (0)));
  GByteArray *input = new_input (corpus, 1);

  append_message (input, TTI_MESSAGE_TASK, TTI_SAY_MESSAGE, TTI_TRAVEL_SHARED);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_DROP, .id = 1 }, NULL, 0);
  append_message (new_input (corpus, 1), TTI_MESSAGE_TASK, TTI_SAY_MESSAGE, TTI_TRAVEL_WRITE);
  input = new_input (corpus, 1);
  append_message (input, TTI_MESSAGE_HOLD, TTI_SAY_KEEP, TTI_TRAVEL_SHARED);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_HOLD, .worker = GENERATION, .id = 4, .detail = 9 }, NULL, 0);
  input = new_input (corpus, 1);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_SPAWN, .worker = GENERATION, .detail = 65536 }, g_variant_get_data (program),
                g_variant_get_size (program));
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_SIGNAL, .worker = GENERATION, .id = 9, .detail = 100 }, NULL, 0);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_READ, .worker = GENERATION, .id = 1, .detail = 100 }, NULL, 0);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_RECALL, .worker = GENERATION }, tasks, sizeof tasks);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_ECHO, .id = 1 }, NULL, 0);
  append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_END }, NULL, 0);
}

/* One for each way in which it is found out whether a file is here, with a message that names it. */
static void
add_files_from_masters (GPtrArray *corpus)
{
  static const guint16 ends[] = { TTI_SAY_TAKE, TTI_SAY_FORGO, TTI_SAY_CONTENTS };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (ends); i++)
    {
      g_autoptr (GVariant) asked
        = g_variant_ref_sink (g_variant_new ("(@ayttb)", g_variant_new_bytestring (file), G_GUINT64_CONSTANT (100),
                                             G_GUINT64_CONSTANT (20000), i % 2));
      g_autoptr (GByteArray) named = g_byte_array_new ();
      GByteArray *input = new_input (corpus, 1);
      const gsize before = sizeof (TtiLinkFrame) + 17000;

      append_message (named, TTI_MESSAGE_TASK, TTI_SAY_MESSAGE, TTI_TRAVEL_SHARED);
      append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_FILE, .id = 1, .detail = 17000 }, g_variant_get_data (asked),
                    g_variant_get_size (asked));
      g_byte_array_append (input, named->data + before, (guint) (named->len - before));
      append_frame (input, (TtiLinkFrame){ .kind = TTI_SAY_DROP, .id = 1 }, NULL, 0);
      append_frame (input, (TtiLinkFrame){ .kind = ends[i / 2], .id = 1 }, named->data, ends[i / 2] == TTI_SAY_CONTENTS ? 17000 : 0);
    }
}

static void
test_fuzz (void)
{
  g_autoptr (GPtrArray) corpus = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  guint storages, before;

  tti_vector_set_kept_limit (0);
  make_file ();
  add_from_agents (corpus);
  add_from_masters (corpus);
  add_files_from_masters (corpus);
  tti_vector_get_usage (NULL, &before);
  fuzz_run (corpus, 20000, (FuzzBound){ 64, 1024 * 1024, NULL });
  tti_vector_get_usage (NULL, &storages);
  g_assert_cmpuint (storages, ==, before);
  unlink (file);
  g_free (file);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fuzz/link", test_fuzz);
  return g_test_run ();
}
