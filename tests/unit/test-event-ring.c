/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The ring of events: what is read is what was written, in order; what was overwritten is counted; nobody can write but its writer. */
#include "look/events.h"
#include "platform/error.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Record NUMBER: its kind and its bytes follow from that. */
static guint
kind_of (guint64 number)
{
  return 1 + (guint) (number % 7);
}

static gsize
size_of (guint64 number, gsize most)
{
  return (gsize) ((number * 2654435761u >> 3) % (most + 1));
}

static void
fill (guint8 *bytes, guint64 number, gsize size)
{
  for (gsize i = 0; i < size; i++)
    bytes[i] = (guint8) (number + i);
}

static void
write_number (TtiEventRing *ring, guint64 number, gsize most)
{
  guint8 bytes[TTI_EVENT_RING_MOST_BYTES];
  gsize size = size_of (number, most), first = size / 3;
  const TtiEventBytes pieces[] = { { bytes, first }, { NULL, 0 }, { bytes + first, size - first } };

  fill (bytes, number, size);
  tti_event_ring_write (ring, kind_of (number), (gint64) number * 10, pieces, G_N_ELEMENTS (pieces));
}

/* Read all that is there. Returns the number of the last one, and adds to *N_DROPPED and *N_READ. */
static guint64
read_all (TtiEventRingReader *reader, guint64 last, gsize most, guint64 *n_dropped, guint64 *n_read)
{
  g_autoptr (GError) error = NULL;
  TtiEventRecord record;
  gconstpointer bytes;
  guint64 dropped;
  guint8 expected[TTI_EVENT_RING_MOST_BYTES];

  while (tti_event_ring_reader_next (reader, &record, &bytes, &dropped, &error))
    {
      g_assert_cmpuint (record.number, ==, last + dropped + 1);
      last = record.number;
      *n_dropped += dropped;
      (*n_read)++;
      g_assert_cmpuint (record.kind, ==, kind_of (last));
      g_assert_cmpint (record.time, ==, (gint64) last * 10);
      g_assert_cmpuint (record.size, ==, size_of (last, most));
      fill (expected, last, record.size);
      g_assert_cmpmem (bytes, record.size, expected, record.size);
    }
  g_assert_no_error (error);
  return last;
}

static TtiEventRingReader *
reader_of (TtiEventRing *ring)
{
  g_autoptr (GError) error = NULL;
  int fd = tti_event_ring_open (ring, &error);

  g_assert_no_error (error);
  TtiEventRingReader *reader = tti_event_ring_reader_new (fd, &error);

  g_assert_no_error (error);
  close (fd);
  return reader;
}

static TtiEventRing *
ring_new (gsize size)
{
  g_autoptr (GError) error = NULL;
  TtiEventRing *ring = tti_event_ring_new (size, &error);

  g_assert_no_error (error);
  return ring;
}

/* Who is told where begins there, also at the end of the ring, and where that was overwritten meanwhile. */
static void
test_seek (void)
{
  const gsize most = 3000;
  g_autoptr (TtiEventRing) ring = ring_new (TTI_EVENT_RING_LEAST);
  guint64 written = 0;

  for (guint round = 0; round < 500; round++)
    {
      g_autoptr (TtiEventRingReader) reader = reader_of (ring);
      guint64 position, number, n_dropped = 0, n_read = 0;

      tti_event_ring_tell (ring, &position, &number);
      g_assert_cmpuint (number, ==, written + 1);
      guint n = round % 5 == 4 ? 1000 : round % 7;

      for (guint i = 0; i < n; i++)
        write_number (ring, ++written, most);
      tti_event_ring_reader_seek (reader, position, number);
      g_assert_cmpuint (read_all (reader, number - 1, most, &n_dropped, &n_read), ==, written);
      g_assert_cmpuint (n_dropped + n_read, ==, n);
      if (n < 10)
        g_assert_cmpuint (n_dropped, ==, 0);
    }
}

/* Whoever keeps up gets everything, over many rounds of the ring. */
static void
test_all (gconstpointer most_bytes)
{
  gsize most = GPOINTER_TO_SIZE (most_bytes);
  g_autoptr (TtiEventRing) ring = ring_new (TTI_EVENT_RING_LEAST);
  g_autoptr (TtiEventRingReader) reader = reader_of (ring);
  guint64 last = 0, n_dropped = 0, n_read = 0, n = most > 1000 ? 2000 : 200000;

  for (guint64 i = 1; i <= n; i++)
    {
      write_number (ring, i, most);
      if (i % 3 == 0)
        last = read_all (reader, last, most, &n_dropped, &n_read);
    }
  last = read_all (reader, last, most, &n_dropped, &n_read);
  g_assert_cmpuint (last, ==, n);
  g_assert_cmpuint (n_dropped, ==, 0);
  g_assert_cmpuint (n_read, ==, n);
}

/* Whoever does not gets most of what the ring has, and how many are gone. */
static void
test_dropped (gconstpointer most_bytes)
{
  gsize most = GPOINTER_TO_SIZE (most_bytes);
  g_autoptr (TtiEventRing) ring = ring_new (TTI_EVENT_RING_LEAST);
  g_autoptr (TtiEventRingReader) reader = reader_of (ring);
  guint64 last = 0, n_dropped = 0, n_read = 0, n = 100000;

  for (guint64 i = 1; i <= n; i++)
    write_number (ring, i, most);
  last = read_all (reader, last, most, &n_dropped, &n_read);
  g_assert_cmpuint (last, ==, n);
  g_assert_cmpuint (n_dropped + n_read, ==, n);
  g_assert_cmpuint (n_read * (most / 2 + 28), >, TTI_EVENT_RING_LEAST / 2);
  /* One that comes later begins with what there is. */
  g_autoptr (TtiEventRingReader) late = reader_of (ring);

  n_dropped = n_read = 0;
  g_assert_cmpuint (read_all (late, 0, most, &n_dropped, &n_read), ==, n);
  g_assert_cmpuint (n_dropped + n_read, ==, n);
}

/* A process that reads while it is overtaken again and again never sees what was not written. */
static void
test_overtaken (void)
{
  enum { MOST = 300 };
  g_autoptr (TtiEventRing) ring = ring_new (TTI_EVENT_RING_LEAST);
  int ends[2];

  g_assert_cmpint (pipe (ends), ==, 0);
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      g_autoptr (TtiEventRingReader) reader = reader_of (ring);
      guint64 last = 0, n_dropped = 0, n_read = 0;
      char byte;

      close (ends[1]);
      for (guint i = 0; i < 2000; i++)
        last = read_all (reader, last, MOST, &n_dropped, &n_read);
      g_assert_cmpint (read (ends[0], &byte, 1), ==, 0);
      last = read_all (reader, last, MOST, &n_dropped, &n_read);
      _exit (last == n_dropped + n_read && n_read > 0 ? 0 : 1);
    }
  close (ends[0]);
  for (guint64 i = 1; i <= 1000000; i++)
    write_number (ring, i, MOST);
  close (ends[1]);
  int status;

  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

static void
test_read_only (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEventRing) ring = ring_new (TTI_EVENT_RING_LEAST);
  int fd = tti_event_ring_open (ring, &error);

  g_assert_no_error (error);
  g_assert_cmpint (write (fd, "x", 1), ==, -1);
  g_assert_true (mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  /* Nor can whoever gets hold of the writer's own. */
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree char *name = g_file_read_link (path, NULL);

  g_assert_nonnull (strstr (name, "tutti-events"));
  close (fd);
}

static void
test_damaged (void)
{
  g_autoptr (GError) error = NULL;
  int fd = memfd_create ("other", MFD_CLOEXEC);

  g_assert_cmpint (ftruncate (fd, TTI_EVENT_RING_LEAST + 4096), ==, 0);
  g_assert_null (tti_event_ring_reader_new (fd, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  close (fd);
}

/* Texts that are too long, or no UTF-8, are cut and mended, and the event is written all the same. */
static void
test_texts (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEventRing) ring = ring_new (TTI_EVENT_RING_LEAST);
  g_autoptr (TtiEventRingReader) reader = reader_of (ring);
  g_autofree char *wrong = g_strnfill (100000, '\xff'), *umlauts = g_strnfill (100000, '\xc3');
  static const TtiLookNote note;
  TtiEventRecord record;
  TtiEvent event;
  gconstpointer bytes;
  guint64 n_dropped;

  for (guint i = 1; i < 100000; i += 2)
    umlauts[i] = '\xa4';
  tti_event_write (ring, 1, TTI_EVENT_NOTE, &note, wrong, umlauts);
  g_assert_true (tti_event_ring_reader_next (reader, &record, &bytes, &n_dropped, &error));
  g_assert_true (tti_event_read (&record, bytes, &event, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (g_utf8_validate (event.texts[i], -1, NULL));
      g_assert_cmpuint (strlen (event.texts[i]), <, TTI_EVENT_MOST_TEXT);
      g_assert_cmpuint (strlen (event.texts[i]), >, TTI_EVENT_MOST_TEXT - 8);
    }
  g_assert_true (g_str_has_prefix (event.texts[1], "\xc3\xa4\xc3\xa4"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/event-ring/texts", test_texts);
  g_test_add_data_func ("/event-ring/all/short", GSIZE_TO_POINTER (60), test_all);
  g_test_add_data_func ("/event-ring/all/long", GSIZE_TO_POINTER (TTI_EVENT_RING_MOST_BYTES), test_all);
  g_test_add_data_func ("/event-ring/dropped/short", GSIZE_TO_POINTER (60), test_dropped);
  g_test_add_data_func ("/event-ring/dropped/middling", GSIZE_TO_POINTER (3000), test_dropped);
  g_test_add_func ("/event-ring/seek", test_seek);
  g_test_add_func ("/event-ring/overtaken", test_overtaken);
  g_test_add_func ("/event-ring/read-only", test_read_only);
  g_test_add_func ("/event-ring/damaged", test_damaged);
  return g_test_run ();
}
