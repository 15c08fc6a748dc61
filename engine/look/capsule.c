/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "look/capsule.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/away.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file: MAGIC, the number of bytes of the facts, these (KEY \0 TEXT \0 …), and the parts. A part is a PartHead and the bytes of the
 * payload; for each vector a VectorHead and its bytes. All are padded to 8 bytes. */
static const char magic[8] = "TTICAPS1";

enum { MOST_FACTS = 64 * 1024 * 1024 }; /* bytes that are read at once */

typedef struct
{
  guint64 kind, id, n_bytes, n_vectors;
} PartHead;

typedef struct
{
  guint64 travel, size;
} VectorHead;

/* --- writing ----------------------------------------------------------------------------------------------------------------- */

struct _TtiCapsuleWriter
{
  int fd;
  gsize size, most;
  GString *facts;        /* NULL: they were written */
  GError *error;         /* why it cannot be finished, or NULL */
};

static void
append (TtiCapsuleWriter *writer, gconstpointer data, gsize size)
{
  static const char zeros[8];
  gsize padding = -size & 7;
  const char *at = data;

  writer->size += size + padding;
  if (writer->error == NULL && writer->size > writer->most)
    g_set_error (&writer->error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "it has more than %" G_GSIZE_FORMAT " bytes", writer->most);
  for (gsize left = size; writer->error == NULL && left > 0;)
    {
      gssize n = write (writer->fd, at, left);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        tti_set_errno (&writer->error, errno, "it cannot be written");
      else
        {
          at += n;
          left -= (gsize) n;
        }
    }
  if (writer->error == NULL && padding > 0 && write (writer->fd, zeros, padding) != (gssize) padding)
    tti_set_errno (&writer->error, errno, "it cannot be written");
}

TtiCapsuleWriter *
tti_capsule_writer_new (gsize most, GError **error)
{
  tti_autofd int fd = memfd_create ("tutti-capsule", MFD_CLOEXEC);

  if (fd < 0)
    {
      tti_set_errno (error, errno, "cannot make memory for a capsule");
      return NULL;
    }
  TtiCapsuleWriter *writer = g_new0 (TtiCapsuleWriter, 1);

  writer->fd = g_steal_fd (&fd);
  writer->most = most;
  writer->facts = g_string_new (NULL);
  append (writer, magic, sizeof magic);
  return writer;
}

void
tti_capsule_writer_add_fact (TtiCapsuleWriter *writer, const char *key, const char *text)
{
  g_return_if_fail (writer->facts != NULL);
  g_string_append_len (writer->facts, key, (gssize) strlen (key) + 1);
  g_string_append_len (writer->facts, text, (gssize) strlen (text) + 1);
}

static void
write_facts (TtiCapsuleWriter *writer)
{
  if (writer->facts == NULL)
    return;
  guint64 n = writer->facts->len;

  append (writer, &n, sizeof n);
  append (writer, writer->facts->str, n);
  g_string_free (g_steal_pointer (&writer->facts), TRUE);
}

void
tti_capsule_writer_add (TtiCapsuleWriter *writer, TtiCapsulePart kind, guint64 id, TtiPayload *payload)
{
  gsize n_bytes = 0;
  gconstpointer bytes = payload != NULL ? tti_payload_get_data (payload, &n_bytes) : NULL;
  PartHead head = { .kind = kind, .id = id, .n_bytes = n_bytes, .n_vectors = payload != NULL ? tti_payload_get_n_vectors (payload) : 0 };

  write_facts (writer);
  append (writer, &head, sizeof head);
  append (writer, bytes, n_bytes);
  for (guint i = 0; i < head.n_vectors && writer->error == NULL; i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (payload, i, &travel);
      VectorHead vector_head = { .travel = travel, .size = tti_vector_get_size (vector) };

      if (tti_vector_get_home (vector, NULL) != NULL)
        g_set_error (&writer->error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a vector of %" G_GUINT64_FORMAT " bytes is on another node alone",
                     vector_head.size);
      append (writer, &vector_head, sizeof vector_head);
      append (writer, tti_vector_get_data (vector), vector_head.size);
    }
}

int
tti_capsule_writer_finish (TtiCapsuleWriter *writer, GError **error)
{
  tti_autofd int fd = writer->fd;
  gboolean good = writer->error == NULL;

  if (!good)
    g_propagate_error (error, writer->error);
  if (writer->facts != NULL)
    g_string_free (writer->facts, TRUE);
  g_free (writer);
  return good ? g_steal_fd (&fd) : -1;
}

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  const char *at;
  gsize left;
} Cursor;

/* The next SIZE bytes, and past their padding; NULL: there are fewer. */
static gconstpointer
take (Cursor *cursor, guint64 size)
{
  const char *at = cursor->at;
  guint64 padded = (size + 7) & ~G_GUINT64_CONSTANT (7);

  if (size > cursor->left || padded > cursor->left)
    return NULL;
  cursor->at += padded;
  cursor->left -= (gsize) padded;
  return at;
}

static void
item_free (gpointer data)
{
  TtiCapsuleItem *item = data;

  tti_payload_unref (item->payload);
  g_free (item);
}

static GHashTable *
facts_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

static gboolean
read_facts (GHashTable *facts, Cursor *cursor)
{
  const guint64 *n = take (cursor, sizeof *n);
  const char *at = n != NULL ? take (cursor, *n) : NULL, *end = at != NULL ? at + *n : NULL;

  while (at != NULL && at < end)
    {
      const char *key = at, *zero = memchr (at, 0, (gsize) (end - at));
      const char *text = zero != NULL ? zero + 1 : end, *last = text < end ? memchr (text, 0, (gsize) (end - text)) : NULL;

      if (last == NULL)
        return FALSE;
      g_hash_table_replace (facts, g_strdup (key), g_strdup (text));
      at = last + 1;
    }
  return at != NULL;
}

/* The next vector, with *TRAVEL. NULL, without ERROR if there is none. */
static TtiVector *
read_vector (Cursor *cursor, guint8 *travel, GError **error)
{
  const VectorHead *head = take (cursor, sizeof *head);
  gconstpointer data = head != NULL && head->size > 0 ? take (cursor, head->size) : NULL;
  TtiVector *vector = data != NULL && head->travel <= TTI_TRAVEL_WRITE ? tti_vector_new_to_fill ((gsize) head->size, error) : NULL;

  if (vector != NULL)
    {
      memcpy (tti_vector_get_data (vector), data, (gsize) head->size);
      *travel = (guint8) head->travel;
    }
  return vector;
}

static gboolean
read_part (TtiCapsule *capsule, Cursor *cursor, GError **error)
{
  const PartHead *head = take (cursor, sizeof *head);
  gconstpointer bytes = head != NULL ? take (cursor, head->n_bytes) : NULL;

  if (bytes == NULL || head->kind > TTI_CAPSULE_MADE)
    return FALSE;
  g_autoptr (GPtrArray) vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
  g_autoptr (GArray) travels = g_array_new (FALSE, FALSE, sizeof (guint8));

  for (guint64 i = 0; i < head->n_vectors; i++)
    {
      guint8 travel = 0;
      TtiVector *vector = read_vector (cursor, &travel, error);

      if (vector == NULL)
        return FALSE;
      g_ptr_array_add (vectors, vector);
      g_array_append_val (travels, travel);
    }
  TtiCapsuleItem *item = g_new0 (TtiCapsuleItem, 1);

  item->kind = (TtiCapsulePart) head->kind;
  item->id = head->id;
  if (head->n_bytes > 0)
    item->payload = tti_payload_new (g_bytes_new (bytes, (gsize) head->n_bytes), g_steal_pointer (&vectors), g_steal_pointer (&travels));
  g_ptr_array_add (capsule->parts, item);
  return TRUE;
}

GHashTable *
tti_capsule_read_facts (int fd)
{
  struct { char magic[sizeof magic]; guint64 n; } head;

  if (pread (fd, &head, sizeof head, 0) != sizeof head || memcmp (head.magic, magic, sizeof magic) != 0 || head.n > MOST_FACTS)
    return NULL;
  gsize size = sizeof head.n + (gsize) ((head.n + 7) & ~G_GUINT64_CONSTANT (7));
  g_autofree char *bytes = g_malloc (size);
  g_autoptr (GHashTable) facts = facts_new ();

  if (pread (fd, bytes, size, sizeof head.magic) != (gssize) size || !read_facts (facts, &(Cursor){ bytes, size }))
    return NULL;
  return g_steal_pointer (&facts);
}

TtiCapsule *
tti_capsule_read (const char *path, GError **error)
{
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, error);
  g_autoptr (TtiCapsule) capsule = g_new0 (TtiCapsule, 1);
  g_autoptr (GError) problem = NULL;

  capsule->facts = facts_new ();
  capsule->parts = g_ptr_array_new_with_free_func (item_free);
  if (file == NULL)
    return NULL;
  Cursor cursor = { g_mapped_file_get_contents (file), g_mapped_file_get_length (file) };
  const char *first = cursor.at != NULL ? take (&cursor, sizeof magic) : NULL;
  gboolean good = first != NULL && memcmp (first, magic, sizeof magic) == 0 && read_facts (capsule->facts, &cursor);

  while (good && cursor.left > 0)
    good = read_part (capsule, &cursor, &problem);
  guint n = capsule->parts->len;

  if (good && n > 0 && ((TtiCapsuleItem *) g_ptr_array_index (capsule->parts, n - 1))->kind == TTI_CAPSULE_REQUEST)
    return g_steal_pointer (&capsule);
  if (problem != NULL)
    g_propagate_prefixed_error (error, g_steal_pointer (&problem), "cannot read the capsule %s: ", path);
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "%s is no capsule of this version of Tutti, or its end is missing", path);
  return NULL;
}

void
tti_capsule_free (TtiCapsule *capsule)
{
  if (capsule == NULL)
    return;
  g_clear_pointer (&capsule->facts, g_hash_table_unref);
  g_clear_pointer (&capsule->parts, g_ptr_array_unref);
  g_free (capsule);
}
