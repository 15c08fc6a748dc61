/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Links: order, parts of long frames, what may be unread, ends, and what is refused. */
#include "cluster/link-private.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT (g_get_monotonic_time () + 60 * G_USEC_PER_SEC)

enum { KIND_COUNT = 1, KIND_BYTES, KIND_PLACED, KIND_UNWANTED, KIND_REFUSED };

/* One side: what has come to it. */
typedef struct
{
  TtiLink *link;
  GMutex lock;
  GCond changed;
  GArray *ids;       /* of guint64: of the frames, in their order */
  GBytes *last;      /* the bytes of the last that had some */
  guint8 *place;     /* of those that are placed */
  gboolean lost;
  char *reason;
} Side;

static TtiLinkTaking
on_begins (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, gpointer *place, gpointer user_data, GError **error)
{
  Side *side = user_data;

  *place = side->place;
  if (frame->kind == KIND_REFUSED)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "nobody wants kind %u", frame->kind);
  if (frame->kind == KIND_REFUSED)
    return TTI_LINK_REFUSE;
  return frame->kind == KIND_PLACED ? TTI_LINK_PLACE : frame->kind == KIND_UNWANTED ? TTI_LINK_DISCARD : TTI_LINK_COLLECT;
}

static gboolean
on_arrived (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes, gpointer user_data, G_GNUC_UNUSED GError **error)
{
  Side *side = user_data;

  g_mutex_lock (&side->lock);
  g_array_append_val (side->ids, frame->id);
  g_clear_pointer (&side->last, g_bytes_unref);
  side->last = bytes != NULL ? g_bytes_ref (bytes) : NULL;
  g_cond_broadcast (&side->changed);
  g_mutex_unlock (&side->lock);
  return TRUE;
}

static void
on_lost (G_GNUC_UNUSED TtiLink *link, const GError *error, gpointer user_data)
{
  Side *side = user_data;

  g_mutex_lock (&side->lock);
  g_assert_false (side->lost);
  side->lost = TRUE;
  side->reason = g_strdup (error->message);
  g_cond_broadcast (&side->changed);
  g_mutex_unlock (&side->lock);
}

static const TtiLinkOps ops = { .begins = on_begins, .arrived = on_arrived, .lost = on_lost };

static void
side_open (Side *side, int fd, guint64 window, guint silence_ms)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, &error);
  const TtiLinkOptions options = { .window = window, .silence_ms = silence_ms, .socket = socket, .peer = "the other side" };

  g_assert_no_error (error);
  *side = (Side){ .link = tti_link_new (G_IO_STREAM (g_socket_connection_factory_create_connection (socket)), &options),
                  .ids = g_array_new (FALSE, FALSE, sizeof (guint64)) };
  tti_link_set_owner (side->link, &ops, side);
}

static void
side_start (Side *side)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tti_link_start (side->link, &error));
  g_assert_no_error (error);
}

static void
side_close (Side *side)
{
  tti_link_free (side->link);
  g_assert_true (side->lost);
  g_clear_pointer (&side->last, g_bytes_unref);
  g_array_unref (side->ids);
  g_free (side->place);
  g_free (side->reason);
}

/* Wait for N frames. */
static void
await_frames (Side *side, guint n)
{
  gint64 limit = LIMIT;

  g_mutex_lock (&side->lock);
  while (side->ids->len < n && !side->lost)
    g_assert_true (g_cond_wait_until (&side->changed, &side->lock, limit));
  if (side->ids->len < n)
    g_error ("%u frames have come, expected %u; lost: %s", side->ids->len, n, side->lost ? side->reason : "no");
  g_mutex_unlock (&side->lock);
}

static void
await_loss (Side *side, const char *words)
{
  gint64 limit = LIMIT;

  g_mutex_lock (&side->lock);
  while (!side->lost)
    g_assert_true (g_cond_wait_until (&side->changed, &side->lock, limit));
  if (strstr (side->reason, words) == NULL)
    g_error ("lost because of '%s', expected '%s'", side->reason, words);
  g_mutex_unlock (&side->lock);
}

typedef struct
{
  Side a, b;
} Pair;

static void
pair_open (Pair *pair, gconstpointer window)
{
  int fds[2];

  g_assert_true (tti_fd_socket_pair (SOCK_STREAM, fds, NULL));
  side_open (&pair->a, fds[0], GPOINTER_TO_UINT (window), 0);
  side_open (&pair->b, fds[1], GPOINTER_TO_UINT (window), 0);
  side_start (&pair->a);
  side_start (&pair->b);
}

static void
pair_close (Pair *pair, G_GNUC_UNUSED gconstpointer window)
{
  side_close (&pair->a);
  side_close (&pair->b);
}

static GBytes *
pattern (gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 31 + i / 251);
  return g_bytes_new_take (data, size);
}

/* Frames of one queue come in their order, and whole, however long. */
static void
test_order (Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
  static const gsize sizes[] = { 0, 1, 100, 16383, 16384, 16385, 40000, 1000000, 7 };

  for (guint i = 0; i < 20 * G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) bytes = pattern (sizes[i % G_N_ELEMENTS (sizes)]);

      tti_link_send (pair->a.link, &(TtiLinkFrame){ .kind = KIND_BYTES, .id = i }, bytes);
      if (i % 20 == 0)
        {
          await_frames (&pair->b, i + 1);
          g_assert_true (sizes[i % G_N_ELEMENTS (sizes)] == 0 ? pair->b.last == NULL : g_bytes_equal (bytes, pair->b.last));
        }
    }
  await_frames (&pair->b, 20 * G_N_ELEMENTS (sizes));
  for (guint i = 0; i < pair->b.ids->len; i++)
    g_assert_cmpuint (g_array_index (pair->b.ids, guint64, i), ==, i);
}

static void
count_release (gpointer count)
{
  g_atomic_int_inc ((gint *) count);
}

static void
test_contents (Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
  g_autoptr (GBytes) bytes = pattern (3000000);
  gint released = 0;

  pair->b.place = g_malloc (3000000);
  for (guint i = 0; i < 3; i++)
    tti_link_send_contents (pair->a.link, &(TtiLinkFrame){ .kind = i == 1 ? KIND_UNWANTED : KIND_PLACED, .id = i },
                            g_bytes_get_data (bytes, NULL), 3000000, &released, count_release);
  await_frames (&pair->b, 3);
  g_assert_cmpmem (pair->b.place, 3000000, g_bytes_get_data (bytes, NULL), 3000000);
  for (gint64 limit = LIMIT; g_atomic_int_get (&released) < 3;)
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
}

/* What is urgent does not wait for what is long. */
static void
test_urgent (Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
  g_autoptr (GBytes) bytes = pattern (100 << 20);

  tti_link_send (pair->a.link, &(TtiLinkFrame){ .kind = KIND_UNWANTED, .id = 1 }, bytes);
  tti_link_send (pair->a.link, &(TtiLinkFrame){ .kind = KIND_COUNT, .id = 2 }, NULL);
  tti_link_send_urgent (pair->a.link, &(TtiLinkFrame){ .kind = KIND_COUNT, .id = 3 }, NULL);
  await_frames (&pair->b, 3);
  g_assert_cmpuint (g_array_index (pair->b.ids, guint64, 0), ==, 3);
  g_assert_cmpuint (g_array_index (pair->b.ids, guint64, 2), ==, 2);
}

/* Both directions at once, with windows that are always full. */
static void
test_both_ways (Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
  g_autoptr (GBytes) bytes = pattern (200000);

  for (guint i = 0; i < 200; i++)
    {
      tti_link_send (pair->a.link, &(TtiLinkFrame){ .kind = KIND_BYTES, .id = i }, bytes);
      tti_link_send (pair->b.link, &(TtiLinkFrame){ .kind = KIND_BYTES, .id = i }, bytes);
      for (guint n = 0; n < 20; n++)
        tti_link_send (pair->b.link, &(TtiLinkFrame){ .kind = KIND_COUNT, .id = i }, NULL);
    }
  await_frames (&pair->b, 200);
  await_frames (&pair->a, 200 * 21);
}

/* The other side does not read: what is sent is no more than it can take, and then nothing. */
static void
test_unread (void)
{
  enum { WINDOW = 64 * 1024 };
  g_autoptr (GBytes) bytes = pattern (10000);
  const TtiLinkFrame credit = { .magic = TTI_LINK_MAGIC, .kind = TTI_LINK_CREDIT, .id = WINDOW };
  g_autofree guint8 *buffer = g_malloc (1 << 20);
  gsize n_read = 0;
  int fds[2];
  Side side;

  g_assert_true (tti_fd_socket_pair (SOCK_STREAM, fds, NULL));
  g_assert_cmpint (write (fds[1], &credit, sizeof credit), ==, sizeof credit);
  side_open (&side, fds[0], WINDOW, 0);
  side_start (&side);
  for (guint i = 0; i < 100; i++)
    tti_link_send (side.link, &(TtiLinkFrame){ .kind = KIND_BYTES, .id = i }, bytes);
  /* All that comes until there is nothing but pings. */
  for (guint n_pings = 0; n_pings < 3;)
    {
      gssize n = recv (fds[1], buffer, 1 << 20, 0);

      if (n > 0)
        n_read += (gsize) n;
      n_pings += n == sizeof (TtiLinkFrame);
      g_assert_true (n > 0 || tti_fd_wait (fds[1], 1, LIMIT));
    }
  g_assert_cmpuint (n_read, >, WINDOW / 2);
  g_assert_cmpuint (n_read, <, 2 * WINDOW);
  close (fds[1]);
  await_loss (&side, "");
  side_close (&side);
}

/* The process on the other side says nothing, though the connection is there. */
static void
test_silence (void)
{
  int fds[2];
  Side side;

  g_assert_true (tti_fd_socket_pair (SOCK_STREAM, fds, NULL));
  side_open (&side, fds[0], 65536, 800);
  side_start (&side);
  await_loss (&side, "has said nothing for");
  side_close (&side);
  close (fds[1]);
}

static void
test_end (Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
  g_autoptr (GBytes) bytes = pattern (5000000);

  tti_link_send (pair->a.link, &(TtiLinkFrame){ .kind = KIND_BYTES, .id = 1 }, bytes);
  tti_link_close (pair->a.link, 30000);
  await_frames (&pair->b, 1);
  await_loss (&pair->b, ""); /* closed, or reset: credits were under way */
  /* What is sent on a lost link is dropped, and released. */
  gint released = 0;

  tti_link_send_contents (pair->b.link, &(TtiLinkFrame){ .kind = KIND_BYTES }, g_bytes_get_data (bytes, NULL), 5000000, &released,
                          count_release);
  g_assert_cmpint (g_atomic_int_get (&released), ==, 1);
}

static void
test_refused (Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
  tti_link_send (pair->a.link, &(TtiLinkFrame){ .kind = KIND_REFUSED }, NULL);
  await_loss (&pair->b, "nobody wants kind");
  await_loss (&pair->a, "");
}

static void
test_abort (Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
  tti_link_abort (pair->a.link, "it is enough");
  await_loss (&pair->a, "it is enough");
  await_loss (&pair->b, "");
}

/* Bytes that are no frames, in many ways. */
static void
test_garbage (gconstpointer data)
{
  static const TtiLinkFrame frames[] = {
    { .magic = 0x12345678 },
    { .magic = TTI_LINK_MAGIC, .flags = 2, .kind = KIND_BYTES },
    { .magic = TTI_LINK_MAGIC, .kind = TTI_LINK_LAST + 1 },
    { .magic = TTI_LINK_MAGIC, .kind = TTI_LINK_PART, .size = 4 },
    { .magic = TTI_LINK_MAGIC, .kind = TTI_LINK_PING, .size = 4 },
    { .magic = TTI_LINK_MAGIC, .kind = TTI_LINK_CREDIT, .id = 1000, .detail = 1 << 30 },
    { .magic = TTI_LINK_MAGIC, .kind = KIND_BYTES, .flags = TTI_LINK_LONG },
    { .magic = TTI_LINK_MAGIC, .kind = KIND_BYTES, .size = G_MAXUINT64 },
  };
  const TtiLinkFrame *frame = &frames[GPOINTER_TO_UINT (data)];
  int fds[2];
  Side side;

  g_assert_true (tti_fd_socket_pair (SOCK_STREAM, fds, NULL));
  side_open (&side, fds[0], 65536, 0);
  side_start (&side);
  g_assert_cmpint (write (fds[1], frame, sizeof *frame), ==, sizeof *frame);
  await_loss (&side, "refused");
  side_close (&side);
  close (fds[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  static const guint windows[] = { 33 * 1024, 256 * 1024 };

  for (guint i = 0; i < G_N_ELEMENTS (windows); i++)
    {
      gconstpointer window = GUINT_TO_POINTER (windows[i]);
      const struct { const char *name; void (*test) (Pair *, gconstpointer); } tests[] = {
        { "order", test_order }, { "contents", test_contents }, { "urgent", test_urgent }, { "both-ways", test_both_ways },
        { "end", test_end }, { "refused", test_refused }, { "abort", test_abort },
      };

      for (guint t = 0; t < G_N_ELEMENTS (tests); t++)
        {
          g_autofree char *path = g_strdup_printf ("/link/%u/%s", windows[i], tests[t].name);

          g_test_add (path, Pair, window, pair_open, tests[t].test, pair_close);
        }
    }
  g_test_add_func ("/link/unread", test_unread);
  g_test_add_func ("/link/silence", test_silence);
  for (guint i = 0; i < 8; i++)
    {
      g_autofree char *path = g_strdup_printf ("/link/garbage/%u", i);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_garbage);
    }
  return g_test_run ();
}
