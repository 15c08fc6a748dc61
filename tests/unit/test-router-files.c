/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An agent that is asked for a file: what it answers, and what it does with frames that name it before it is known what it stands for. The
 * master is this test, which sends frames and sees what comes back; the router has no workers. */
#include "cluster/file-digest.h"
#include "cluster/message-bytes.h"
#include "cluster/router-files.h"
#include "platform/fd.h"
#include "transport/codec.h"
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 50000, PATIENCE_S = 20, WINDOW = 256 * 1024 };

typedef struct
{
  GMutex lock;
  GCond changed;
  GQueue frames;         /* of TtiLinkFrame, what the agent has said */
  gboolean lost;
  TtiLink *link;
  TtiNode node;
  TtiRouter router;
  char *path;
} Fixture;

/* --- the master ---------------------------------------------------------------------------------------------------------------- */

static TtiLinkTaking
on_begins (G_GNUC_UNUSED TtiLink *link, G_GNUC_UNUSED const TtiLinkFrame *frame, G_GNUC_UNUSED gpointer *place,
           G_GNUC_UNUSED gpointer user_data, G_GNUC_UNUSED GError **error)
{
  return TTI_LINK_COLLECT;
}

static gboolean
on_arrived (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, G_GNUC_UNUSED GBytes *bytes, gpointer user_data,
            G_GNUC_UNUSED GError **error)
{
  Fixture *fixture = user_data;

  g_mutex_lock (&fixture->lock);
  g_queue_push_tail (&fixture->frames, g_memdup2 (frame, sizeof *frame));
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
  return TRUE;
}

static void
on_lost (G_GNUC_UNUSED TtiLink *link, G_GNUC_UNUSED const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_mutex_lock (&fixture->lock);
  fixture->lost = TRUE;
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
}

static const TtiLinkOps master = { .begins = on_begins, .arrived = on_arrived, .lost = on_lost };

/* What the agent says next, about ID. */
static void
expect (Fixture *fixture, guint kind, guint64 id)
{
  gint64 limit = g_get_monotonic_time () + PATIENCE_S * G_USEC_PER_SEC;

  g_mutex_lock (&fixture->lock);
  while (fixture->frames.length == 0 && !fixture->lost)
    g_assert_true (g_cond_wait_until (&fixture->changed, &fixture->lock, limit));
  g_autofree TtiLinkFrame *frame = g_queue_pop_head (&fixture->frames);

  g_mutex_unlock (&fixture->lock);
  g_assert_nonnull (frame);
  g_assert_cmpuint (frame->kind, ==, kind);
  g_assert_cmpuint (frame->id, ==, id);
}

static void
expect_loss (Fixture *fixture)
{
  gint64 limit = g_get_monotonic_time () + PATIENCE_S * G_USEC_PER_SEC;

  g_mutex_lock (&fixture->lock);
  while (!fixture->lost)
    g_assert_true (g_cond_wait_until (&fixture->changed, &fixture->lock, limit));
  g_mutex_unlock (&fixture->lock);
}

static void
say (Fixture *fixture, TtiLinkFrame frame, GBytes *bytes)
{
  tti_link_send (fixture->link, &frame, bytes);
}

/* All that was said until now was heard. */
static void
settle (Fixture *fixture)
{
  static guint64 last = 1000;

  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_ECHO, .id = ++last }, NULL);
  expect (fixture, TTI_SAY_ECHOED, last);
}

static void
ask (Fixture *fixture, guint64 number, const char *path, guint64 file_size, gboolean is_copy)
{
  g_autoptr (GVariant) asked = g_variant_ref_sink (g_variant_new ("(@ayttb)", g_variant_new_bytestring (path),
                                                                  G_GUINT64_CONSTANT (0), file_size, is_copy));
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (asked);

  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_FILE, .id = number, .detail = file_size }, bytes);
}

static guint64
same_number (G_GNUC_UNUSED TtiVector *vector, G_GNUC_UNUSED TtiTravel travel, gpointer number, G_GNUC_UNUSED GError **error)
{
  return *(guint64 *) number;
}

/* Let the agent keep, as KEPT, a payload with contents NUMBER. */
static void
keep (Fixture *fixture, guint64 kept, guint64 number)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  g_autoptr (TtiVector) vector = tti_vector_new (SIZE, NULL);

  tti_writer_attach (writer, TTI_NUMBER_VU8, vector, SIZE, TTI_TRAVEL_SHARED);
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  const TtiMessage message = { .kind = TTI_MESSAGE_HOLD, .attempt = 1, .generation = 1, .id = 1, .payload = payload };
  g_autoptr (GBytes) bytes = tti_message_to_bytes (&message, same_number, &number, NULL);

  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_KEEP, .id = kept }, bytes);
}

/* --- the agent ----------------------------------------------------------------------------------------------------------------- */

static gboolean
no_signal (G_GNUC_UNUSED TtiNode *node, G_GNUC_UNUSED guint64 generation, G_GNUC_UNUSED int signal, G_GNUC_UNUSED int grace_ms)
{
  return FALSE;
}

static gboolean
has_number (Fixture *fixture, guint64 number, TtiNumberState expected)
{
  TtiVector *vector;

  tti_lock_take (&fixture->router.lock);
  TtiNumberState state = tti_router_find_number_locked (&fixture->router, number, &vector);
  gboolean right = state == expected && (state != TTI_NUMBER_THERE || ((char *) tti_vector_get_data (vector))[SIZE - 1] == 'x');

  tti_lock_release (&fixture->router.lock);
  return right;
}

static gboolean
has_kept (Fixture *fixture, guint64 kept)
{
  tti_lock_take (&fixture->router.lock);
  gboolean known = g_hash_table_lookup (fixture->router.kept, &kept) != NULL;

  tti_lock_release (&fixture->router.lock);
  return known;
}

static TtiLink *
link_over (int fd)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, NULL);
  const TtiLinkOptions options = { .window = WINDOW, .socket = socket, .peer = "the other side" };

  return tti_link_new (G_IO_STREAM (g_socket_connection_factory_create_connection (socket)), &options);
}

static void
unref_payload (gpointer payload)
{
  tti_payload_unref (payload);
}

static void
unref_vector (gpointer vector)
{
  tti_vector_unref (vector);
}

static void
setup (Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
  static const TtiNodeOps nothing = { .signal = no_signal };
  g_autofree char *contents = g_strnfill (SIZE, 'x');
  TtiRouter *router = &fixture->router;
  int fds[2], fd = g_file_open_tmp ("router-files-XXXXXX", &fixture->path, NULL);

  tti_fd_clear (&fd);
  g_assert_true (g_file_set_contents (fixture->path, contents, SIZE, NULL));
  g_assert_true (tti_fd_socket_pair (SOCK_STREAM, fds, NULL));
  fixture->node.ops = &nothing;
  router->context = g_main_context_new ();
  router->local = &fixture->node;
  router->workers = g_hash_table_new (g_int64_hash, g_int64_equal);
  router->vectors = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, unref_vector);
  router->kept = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, unref_payload);
  router->files = tti_router_files_new (router);
  router->link = link_over (fds[1]);
  tti_router_attend (router);
  fixture->link = link_over (fds[0]);
  tti_link_set_owner (fixture->link, &master, fixture);
  g_assert_true (tti_link_start (router->link, NULL) && tti_link_start (fixture->link, NULL));
}

static void
teardown (Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
  TtiRouter *router = &fixture->router;

  tti_router_files_end (router->files);
  tti_link_free (fixture->link);
  tti_link_free (router->link);
  tti_router_files_free (router->files);
  g_hash_table_unref (router->workers);
  g_hash_table_unref (router->vectors);
  g_hash_table_unref (router->kept);
  g_main_context_unref (router->context);
  g_free (router->reason);
  g_queue_clear_full (&fixture->frames, g_free);
  g_unlink (fixture->path);
  g_free (fixture->path);
}

/* --- cases --------------------------------------------------------------------------------------------------------------------- */

/* What names it waits until it is taken, and everything behind that, in order. */
static void
test_taken (Fixture *fixture, gconstpointer is_copy)
{
  ask (fixture, 1, fixture->path, SIZE, GPOINTER_TO_INT (is_copy));
  keep (fixture, 7, 1);
  expect (fixture, TTI_SAY_FILE_FOUND, 1);
  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_ROOM, .id = 2, .detail = 100 }, NULL);
  settle (fixture);
  g_assert_false (has_kept (fixture, 7));
  g_assert_true (has_number (fixture, 1, TTI_NUMBER_PENDING) && has_number (fixture, 2, TTI_NUMBER_UNKNOWN));
  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_TAKE, .id = 1 }, NULL);
  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_DROP, .id = 2 }, NULL);
  settle (fixture);
  g_assert_true (has_kept (fixture, 7));
  g_assert_true (has_number (fixture, 1, TTI_NUMBER_THERE) && has_number (fixture, 2, TTI_NUMBER_UNKNOWN));
}

static void
send_contents (Fixture *fixture, guint64 number)
{
  g_autoptr (GBytes) contents = g_bytes_new_take (g_strnfill (SIZE, 'x'), SIZE);

  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_CONTENTS, .id = number }, contents);
}

/* Neither a file of another size, nor none, nor a folder is what was asked for. */
static void
test_lacking (Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
  ask (fixture, 1, fixture->path, SIZE + 1, TRUE);
  keep (fixture, 7, 1);
  expect (fixture, TTI_SAY_FILE_LACKING, 1);
  ask (fixture, 2, "/no/such/file", SIZE, FALSE);
  expect (fixture, TTI_SAY_FILE_LACKING, 2);
  ask (fixture, 3, "/", SIZE, FALSE);
  expect (fixture, TTI_SAY_FILE_LACKING, 3);
  send_contents (fixture, 1);
  settle (fixture);
  g_assert_true (has_kept (fixture, 7) && has_number (fixture, 1, TTI_NUMBER_THERE) && has_number (fixture, 2, TTI_NUMBER_PENDING));
}

/* One that was found may turn out to have other contents. */
static void
test_superseded (Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
  g_autofree char *others = g_strnfill (SIZE, 'z');

  g_assert_true (g_file_set_contents (fixture->path, others, SIZE, NULL));
  ask (fixture, 1, fixture->path, SIZE, FALSE);
  keep (fixture, 7, 1);
  expect (fixture, TTI_SAY_FILE_FOUND, 1);
  send_contents (fixture, 1);
  settle (fixture);
  g_assert_true (has_kept (fixture, 7) && has_number (fixture, 1, TTI_NUMBER_THERE));
}

/* Nobody needs it any more: what named it is for nobody, and what comes behind that goes on. */
static void
test_forgone (Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
  ask (fixture, 1, fixture->path, SIZE, FALSE);
  keep (fixture, 7, 1);
  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_HOLD, .worker = 1, .id = 1, .detail = 7 }, NULL);
  expect (fixture, TTI_SAY_FILE_FOUND, 1);
  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_FORGO, .id = 1 }, NULL);
  settle (fixture);
  g_assert_false (has_kept (fixture, 7));
  g_assert_true (has_number (fixture, 1, TTI_NUMBER_FORGONE));
  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_DROP, .id = 7 }, NULL);
  say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_DROP, .id = 1 }, NULL);
  settle (fixture);
  g_assert_true (has_number (fixture, 1, TTI_NUMBER_UNKNOWN));
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  switch (GPOINTER_TO_INT (data))
    {
    case 0: /* it was not found */
      say (fixture, (TtiLinkFrame){ .kind = TTI_SAY_TAKE, .id = 1 }, NULL);
      break;
    case 1: /* a name that depends on where somebody is */
      ask (fixture, 1, "relative", SIZE, FALSE);
      break;
    case 2: /* a number that is used */
      send_contents (fixture, 1);
      ask (fixture, 1, fixture->path, SIZE, FALSE);
      break;
    default: /* no bytes of it */
      ask (fixture, 1, fixture->path, 0, FALSE);
      break;
    }
  expect_loss (fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/router-files/taken/mapped", Fixture, GINT_TO_POINTER (FALSE), setup, test_taken, teardown);
  g_test_add ("/router-files/taken/copied", Fixture, GINT_TO_POINTER (TRUE), setup, test_taken, teardown);
  g_test_add ("/router-files/lacking", Fixture, NULL, setup, test_lacking, teardown);
  g_test_add ("/router-files/superseded", Fixture, NULL, setup, test_superseded, teardown);
  g_test_add ("/router-files/forgone", Fixture, NULL, setup, test_forgone, teardown);
  for (int i = 0; i < 4; i++)
    {
      g_autofree char *name = g_strdup_printf ("/router-files/refused/%d", i);

      g_test_add (name, Fixture, GINT_TO_POINTER (i), setup, test_refused, teardown);
    }
  return g_test_run ();
}
