/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Rings in shared memory: order, room, recalling, parking, and their guarantees when the other side writes garbage. */
#include "transport/ring.h"
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LIMIT_US (60 * G_USEC_PER_SEC)

typedef struct
{
  TtiRingMemory *memory;
  TtiRingPutter putter;
  TtiRingTaker taker;
} Ring;

static void
ring_open (Ring *ring, gconstpointer data)
{
  (void) data;
  ring->memory = g_aligned_alloc0 (1, tti_ring_memory_size (), 64);
  ring->putter.memory = ring->taker.memory = ring->memory;
}

static void
ring_close (Ring *ring, gconstpointer data)
{
  (void) data;
  g_aligned_free (ring->memory);
}

/* Message NUMBER: its length and its contents follow from it. */
static gsize
message_fill (guint32 number, guint8 *bytes)
{
  gsize size = 1 + (number * 2654435761u >> 16) % 6000;

  memset (bytes, (int) number, size);
  memcpy (bytes, &number, MIN (size, sizeof number));
  return size;
}

static gboolean
put (TtiRingPutter *ring, guint32 number)
{
  guint8 bytes[6000];
  gsize size = message_fill (number, bytes), first = size / 3;

  return tti_ring_put (ring, number, bytes, first, bytes + first, size - first);
}

static TtiTaken
take (TtiRingTaker *ring, guint32 number)
{
  guint8 expected[6000], bytes[6000];
  gsize size, n = message_fill (number, expected);
  TtiTaken taken = tti_ring_take (ring, number, bytes, sizeof bytes, &size);

  if (taken == TTI_TAKEN)
    g_assert_cmpmem (bytes, size, expected, n);
  return taken;
}

static void
test_order (Ring *ring, gconstpointer data)
{
  (void) data;
  g_assert_cmpint (take (&ring->taker, 1), ==, TTI_TAKEN_NOTHING);
  g_assert_false (tti_ring_is_filled (&ring->taker));
  /* Many times around, nearly empty and nearly full. */
  for (guint32 put_next = 1, take_next = 1; take_next < 20000;)
    {
      while (put_next < take_next + 1 + take_next % 40 && put (&ring->putter, put_next))
        put_next++;
      g_assert_true (tti_ring_is_filled (&ring->taker));
      g_assert_cmpint (take (&ring->taker, take_next + 1), ==, TTI_TAKEN_OTHER);
      g_assert_cmpint (take (&ring->taker, take_next), ==, TTI_TAKEN);
      take_next++;
    }
}

static void
test_room (Ring *ring, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (TTI_RING_BYTES + 1);
  gsize size;
  guint32 n = 0;

  (void) data;
  while (tti_ring_put (&ring->putter, n + 1, bytes, 1, NULL, 0))
    n++;
  g_assert_cmpuint (n, ==, TTI_RING_ENTRIES);
  g_assert_cmpint (tti_ring_take (&ring->taker, 1, bytes, 1, &size), ==, TTI_TAKEN);
  g_assert_true (tti_ring_put (&ring->putter, ++n, bytes, 1, NULL, 0));
  g_assert_false (tti_ring_put (&ring->putter, n + 1, bytes, 1, NULL, 0));
  for (guint32 i = 2; i <= n; i++)
    g_assert_cmpint (tti_ring_take (&ring->taker, i, bytes, 1, &size), ==, TTI_TAKEN);
  g_assert_false (tti_ring_put (&ring->putter, n + 1, bytes, TTI_RING_BYTES + 1, NULL, 0));
  g_assert_true (tti_ring_put (&ring->putter, n + 1, bytes, TTI_RING_BYTES, NULL, 0));
  g_assert_false (tti_ring_put (&ring->putter, n + 2, bytes, 1, NULL, 0));
  g_assert_cmpint (tti_ring_take (&ring->taker, n + 1, bytes, TTI_RING_BYTES, &size), ==, TTI_TAKEN);
  g_assert_cmpuint (size, ==, TTI_RING_BYTES);
}

static void
test_recall (Ring *ring, gconstpointer data)
{
  (void) data;
  g_assert_false (tti_ring_recall (&ring->putter, 1));
  for (guint32 i = 1; i <= 10; i++)
    g_assert_true (put (&ring->putter, i));
  g_assert_cmpint (take (&ring->taker, 1), ==, TTI_TAKEN);
  g_assert_false (tti_ring_recall (&ring->putter, 1));
  g_assert_true (tti_ring_recall (&ring->putter, 10));
  g_assert_false (tti_ring_recall (&ring->putter, 10));
  g_assert_true (tti_ring_recall (&ring->putter, 5));
  for (guint32 i = 2; i <= 10; i++)
    g_assert_cmpint (take (&ring->taker, i), ==, i % 5 == 0 ? TTI_TAKEN_RECALLED : TTI_TAKEN);
}

static void
test_words (Ring *ring, gconstpointer data)
{
  (void) data;
  g_assert_false (tti_ring_must_wake (&ring->putter));
  tti_ring_park (&ring->taker);
  g_assert_true (tti_ring_is_parked (&ring->taker));
  g_assert_true (tti_ring_must_wake (&ring->putter));
  g_assert_false (tti_ring_must_wake (&ring->putter));
  tti_ring_park (&ring->taker);
  tti_ring_unpark (&ring->taker);
  g_assert_false (tti_ring_must_wake (&ring->putter));
  tti_ring_put_elsewhere (&ring->putter);
  g_assert_cmpuint (tti_ring_get_elsewhere (&ring->taker), ==, 1);
  g_assert_false (tti_ring_is_crowded (&ring->taker));
  tti_ring_set_crowded (&ring->putter, TRUE);
  g_assert_true (tti_ring_is_crowded (&ring->taker));
  g_assert_false (tti_ring_is_closed (&ring->taker));
  tti_ring_close (&ring->putter);
  g_assert_true (tti_ring_is_closed (&ring->taker));
}

/* --- two threads --------------------------------------------------------------------------------------------------------- */
enum { MESSAGES = 100000 };

typedef struct
{
  Ring *ring;
  int wakeup;
  guint n_taken, n_recalled;
} Taking;

/* Take all messages, sleeping whenever there is none. */
static gpointer
take_all (gpointer data)
{
  Taking *self = data;
  TtiRingTaker *taker = &self->ring->taker;

  for (guint32 next = 1; next <= MESSAGES;)
    {
      TtiTaken taken = take (taker, next);

      if (taken == TTI_TAKEN_NOTHING)
        {
          struct pollfd wait = { .fd = self->wakeup, .events = POLLIN };
          guint64 count;

          tti_ring_park (taker);
          if (!tti_ring_is_filled (taker))
            g_assert_cmpint (poll (&wait, 1, LIMIT_US / 1000), ==, 1);
          tti_ring_unpark (taker);
          if (wait.revents != 0)
            g_assert_cmpint (read (self->wakeup, &count, sizeof count), ==, sizeof count);
          continue;
        }
      g_assert_true (taken == TTI_TAKEN || taken == TTI_TAKEN_RECALLED);
      self->n_taken += taken == TTI_TAKEN;
      self->n_recalled += taken == TTI_TAKEN_RECALLED;
      next++;
    }
  return NULL;
}

/* No message is lost, none comes twice, no wakeup is missed; recalled messages are not taken. */
static void
test_threads (Ring *ring, gconstpointer data)
{
  Taking taking = { .ring = ring, .wakeup = eventfd (0, EFD_CLOEXEC) };
  GThread *thread = g_thread_new ("taker", take_all, &taking);
  gint64 deadline = g_get_monotonic_time () + LIMIT_US;
  const guint64 one = 1;
  guint n_recalled = 0;

  (void) data;
  for (guint32 next = 1; next <= MESSAGES;)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      if (put (&ring->putter, next))
        {
          n_recalled += next % 3 == 0 && tti_ring_recall (&ring->putter, next - next % 2);
          next++;
        }
      if (tti_ring_must_wake (&ring->putter))
        g_assert_cmpint (write (taking.wakeup, &one, sizeof one), ==, sizeof one);
    }
  g_thread_join (thread);
  close (taking.wakeup);
  g_assert_cmpuint (taking.n_recalled, ==, n_recalled);
  g_assert_cmpuint (taking.n_taken + taking.n_recalled, ==, MESSAGES);
}

/* --- nonsense ------------------------------------------------------------------------------------------------------------ */

/* Whatever is in the memory, neither side reads or writes outside of it, or of the buffer. */
static void
test_nonsense (Ring *ring, gconstpointer data)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  gsize words = (tti_ring_memory_size () - TTI_RING_BYTES) / 4;
  guint32 number = 1;

  (void) data;
  for (guint round = 0; round < 200000; round++)
    {
      guint8 bytes[200];
      gsize size = 0;

      if (round % 3 == 0)
        ((guint32 *) (gpointer) ring->memory)[g_rand_int_range (rand, 0, (gint32) words)]
          = g_rand_boolean (rand) ? g_rand_int (rand) : (guint32) g_rand_int_range (rand, 0, 70000);
      if (put (&ring->putter, number))
        number++;
      tti_ring_recall (&ring->putter, number - g_rand_int (rand) % 100);
      if (tti_ring_take (&ring->taker, g_rand_int (rand) % (number + 1), bytes, sizeof bytes, &size) == TTI_TAKEN)
        g_assert_cmpuint (size, <=, sizeof bytes);
    }
}

static void
test_broken (Ring *ring, gconstpointer data)
{
  guint8 bytes[10];
  gsize size;

  (void) data;
  g_assert_true (put (&ring->putter, 3));
  g_assert_cmpint (tti_ring_take (&ring->taker, 3, bytes, 0, &size), ==, TTI_TAKEN_BROKEN); /* longer than there is room */
  g_assert_cmpint (tti_ring_take (&ring->taker, 3, bytes, 0, &size), ==, TTI_TAKEN_BROKEN); /* and neither full nor recalled */
  ring->taker.head -= TTI_RING_ENTRIES + 1;                                                 /* more than fit */
  g_assert_cmpint (tti_ring_take (&ring->taker, 3, bytes, sizeof bytes, &size), ==, TTI_TAKEN_BROKEN);
}

int
main (int argc, char **argv)
{
  static const struct { const char *path; void (*test) (Ring *, gconstpointer); } tests[] = {
    { "/ring/order", test_order }, { "/ring/room", test_room }, { "/ring/recall", test_recall }, { "/ring/words", test_words },
    { "/ring/threads", test_threads }, { "/ring/nonsense", test_nonsense }, { "/ring/broken", test_broken },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Ring, NULL, ring_open, tests[i].test, ring_close);
  return g_test_run ();
}
