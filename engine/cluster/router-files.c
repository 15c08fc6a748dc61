/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "cluster/router-files.h"
#include "cluster/file-digest.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct _TtiRouterFiles
{
  TtiRouter *router;
  GThreadPool *thread;
  gint ended;            /* atomic */
  GHashTable *pending;   /* number -> TtiVector that was found, NULL: none yet; under the router's lock */
  GQueue held_back;      /* of TtiHeldBack; the reader's thread only */
};

/* What the master asks for. */
typedef struct
{
  guint64 number, size;
  char *path;
  guint64 offset, file_size;
  gboolean is_copy;
} Asked;

static void
asked_free (gpointer data)
{
  Asked *asked = data;

  g_free (asked->path);
  g_free (asked);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Asked, asked_free)

/* --- looking, in a thread of its own ----------------------------------------------------------------------------------------- */

static int
open_file (const Asked *asked)
{
  tti_autofd int fd = open (asked->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat found;

  if (fd < 0 || fstat (fd, &found) < 0 || !S_ISREG (found.st_mode) || (guint64) found.st_size != asked->file_size)
    return -1;
  return g_steal_fd (&fd);
}

static gboolean
read_part (int fd, guint64 offset, TtiVector *vector)
{
  guint8 *to = tti_vector_get_data (vector);
  gsize size = tti_vector_get_size (vector);

  for (gsize done = 0; done < size;)
    {
      gssize n = pread (fd, to + done, size - done, (off_t) (offset + done));

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      done += (gsize) n;
    }
  return TRUE;
}

/* The contents here that may be those asked for, and their digest; NULL: there are none. What the master has copied is copied here as
 * well: it is code, and whoever changes the file later must not change what runs. */
static TtiVector *
look (const TtiRouterFiles *self, const Asked *asked, GBytes **digest)
{
  tti_autofd int fd = open_file (asked);
  g_autoptr (TtiVector) vector = NULL;

  *digest = NULL;
  if (fd < 0)
    return NULL;
  if (asked->is_copy)
    {
      vector = tti_vector_new_to_receive ((gsize) asked->size, NULL);
      if (vector != NULL && read_part (fd, asked->offset, vector))
        *digest = tti_digest_memory (tti_vector_get_data (vector), (gsize) asked->size, &self->ended);
    }
  else
    {
      /* The very file that was opened, whatever has its name by now. */
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

      vector = tti_vector_open_file (path, (goffset) asked->offset, (gssize) asked->size, FALSE, NULL);
      if (vector != NULL)
        *digest = tti_digest_file (fd, asked->offset, asked->size, &self->ended);
    }
  return *digest != NULL ? g_steal_pointer (&vector) : NULL;
}

static void
run_look (gpointer data, gpointer user_data)
{
  TtiRouterFiles *self = user_data;
  g_autoptr (Asked) asked = data;
  g_autoptr (GBytes) digest = NULL;
  TtiVector *vector = g_atomic_int_get (&self->ended) ? NULL : look (self, asked, &digest), *unwanted = vector;

  tti_lock_take (&self->router->lock);
  if (!g_atomic_int_get (&self->ended))
    {
      const TtiLinkFrame answer = { .kind = vector != NULL ? TTI_SAY_FILE_FOUND : TTI_SAY_FILE_LACKING, .id = asked->number };

      if (vector != NULL && g_hash_table_contains (self->pending, &asked->number))
        {
          g_hash_table_insert (self->pending, g_memdup2 (&asked->number, sizeof asked->number), vector);
          unwanted = NULL;
        }
      tti_link_send (self->router->link, &answer, digest);
    }
  tti_lock_release (&self->router->lock);
  tti_vector_unref (unwanted);
}

/* --- what the master says ---------------------------------------------------------------------------------------------------- */

static Asked *
asked_from_bytes (const TtiLinkFrame *frame, GBytes *bytes)
{
  g_autoptr (GVariant) variant = NULL, path = NULL;
  g_autoptr (Asked) asked = g_new0 (Asked, 1);

  if (bytes != NULL)
    variant = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (TTI_SAY_FILE_TYPE), bytes, FALSE));
  if (variant == NULL || !g_variant_is_normal_form (variant))
    return NULL;
  g_variant_get (variant, "(@ayttb)", &path, &asked->offset, &asked->file_size, &asked->is_copy);
  asked->number = frame->id;
  asked->size = frame->detail;
  asked->path = g_variant_dup_bytestring (path, NULL);
  if (asked->size == 0 || asked->size > TTI_MESSAGE_MAX_BYTES || asked->offset > asked->file_size
      || asked->size > asked->file_size - asked->offset || asked->file_size > G_MAXSSIZE || asked->path[0] != '/')
    return NULL;
  return g_steal_pointer (&asked);
}

gboolean
tti_router_file_asked (TtiRouter *router, const TtiLinkFrame *frame, GBytes *bytes, GError **error)
{
  TtiRouterFiles *self = router->files;
  Asked *asked = asked_from_bytes (frame, bytes);

  if (asked == NULL)
    return tti_link_refuse (error, "a file that cannot be", frame->detail);
  tti_lock_take (&router->lock);
  gboolean fresh = !g_hash_table_contains (self->pending, &frame->id) && !g_hash_table_contains (router->vectors, &frame->id);

  if (fresh)
    g_hash_table_insert (self->pending, g_memdup2 (&frame->id, sizeof frame->id), NULL);
  tti_lock_release (&router->lock);
  if (!fresh)
    {
      asked_free (asked);
      return tti_link_refuse (error, "a number that is used", frame->id);
    }
  (void) g_thread_pool_push (self->thread, asked, NULL);
  return TRUE;
}

/* VECTOR, which is taken over, is from now on what NUMBER stands for. */
static void
settle_locked (TtiRouter *router, guint64 number, TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&router->lock);
  g_hash_table_insert (router->vectors, g_memdup2 (&number, sizeof number), vector);
}

gboolean
tti_router_file_taken (TtiRouter *router, guint64 number, GError **error)
{
  gpointer key, vector = NULL;

  tti_lock_take (&router->lock);
  gboolean known = g_hash_table_lookup_extended (router->files->pending, &number, NULL, &vector) && vector != NULL;

  if (known && g_hash_table_steal_extended (router->files->pending, &number, &key, &vector))
    {
      g_free (key);
      settle_locked (router, number, vector);
    }
  tti_lock_release (&router->lock);
  return known || tti_link_refuse (error, "to take a file that was not found", number);
}

void
tti_router_file_forgone (TtiRouter *router, guint64 number)
{
  gpointer key, vector = NULL;

  tti_lock_take (&router->lock);
  if (g_hash_table_steal_extended (router->files->pending, &number, &key, &vector))
    {
      g_free (key);
      settle_locked (router, number, NULL);
    }
  tti_lock_release (&router->lock);
  tti_vector_unref (vector);
}

void
tti_router_file_superseded_locked (TtiRouter *router, guint64 number)
{
  TTI_ASSERT_LOCKED (&router->lock);
  g_hash_table_remove (router->files->pending, &number);
}

TtiNumberState
tti_router_find_number_locked (TtiRouter *router, guint64 number, TtiVector **vector)
{
  TTI_ASSERT_LOCKED (&router->lock);
  gpointer known = NULL;

  *vector = NULL;
  if (g_hash_table_contains (router->files->pending, &number))
    return TTI_NUMBER_PENDING;
  if (!g_hash_table_lookup_extended (router->vectors, &number, NULL, &known))
    return TTI_NUMBER_UNKNOWN;
  *vector = known;
  return known != NULL ? TTI_NUMBER_THERE : TTI_NUMBER_FORGONE;
}

/* --- what is held back ------------------------------------------------------------------------------------------------------- */

static void
held_back_free (gpointer data)
{
  TtiHeldBack *one = data;

  g_clear_pointer (&one->bytes, g_bytes_unref);
  g_free (one);
}

gboolean
tti_router_holds_back (TtiRouter *router)
{
  return router->files->held_back.length > 0;
}

void
tti_router_hold_back (TtiRouter *router, const TtiLinkFrame *frame, GBytes *bytes)
{
  TtiHeldBack *one = g_new (TtiHeldBack, 1);

  *one = (TtiHeldBack){ *frame, bytes != NULL ? g_bytes_ref (bytes) : NULL };
  g_queue_push_tail (&router->files->held_back, one);
}

const TtiHeldBack *
tti_router_peek_held_back (TtiRouter *router)
{
  return g_queue_peek_head (&router->files->held_back);
}

void
tti_router_drop_held_back (TtiRouter *router)
{
  held_back_free (g_queue_pop_head (&router->files->held_back));
}

/* --- its life ---------------------------------------------------------------------------------------------------------------- */

static void
unref_vector (gpointer vector)
{
  tti_vector_unref (vector);
}

TtiRouterFiles *
tti_router_files_new (TtiRouter *router)
{
  TtiRouterFiles *self = g_new0 (TtiRouterFiles, 1);

  self->router = router;
  self->thread = g_thread_pool_new (run_look, self, 1, FALSE, NULL);
  self->pending = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, unref_vector);
  g_queue_init (&self->held_back);
  return self;
}

void
tti_router_files_end (TtiRouterFiles *files)
{
  tti_lock_take (&files->router->lock);
  g_atomic_int_set (&files->ended, TRUE);
  tti_lock_release (&files->router->lock);
}

void
tti_router_files_free (TtiRouterFiles *files)
{
  if (files == NULL)
    return;
  /* What waits in its queue is to be freed as well: each is run, and ends at once. */
  g_thread_pool_free (files->thread, FALSE, TRUE);
  g_hash_table_unref (files->pending);
  g_queue_clear_full (&files->held_back, held_back_free);
  g_free (files);
}
