/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tells the thread sanitizer what GLib's locks, queues, counts and main contexts order.
 *
 * GLib's GMutex is a futex of its own inside a library that is not instrumented, so the sanitizer would call everything that
 * such a lock protects a race. Linked into the unit tests of a sanitized build, these functions stand before GLib's of the same
 * names, call them, and say "what came before this release happens before that acquire". They order nothing by themselves:
 * without the lock a race is still found. */
#include <dlfcn.h>
#include <gio/gio.h>
#include <sanitizer/tsan_interface.h>
#include <stdlib.h>

/* What GLib does to its own memory under its own locks is none of our business. Its calls of malloc and free are then not looked
 * at either; g_free is done here instead, so that memory of ours is. */
const char *__tsan_default_suppressions (void);

const char *
__tsan_default_suppressions (void)
{
  return "called_from_lib:libglib-2.0.so.0\n"
         /* GLib's own thread calls it for g_async_initable_new_async (), after what made the object, and before what it tells. */
         "race:^pool_init$\n"
         /* Each thread that comes first writes the same number: so G_DEFINE_QUARK () is made. */
         "race:^tutti_error_quark$\n";
}

void
g_free (gpointer memory)
{
  free (memory);
}

/* Looked up once per call site; two threads that look it up at once find the same. */
static gpointer
next (gpointer *cache, const char *name)
{
  gpointer function = g_atomic_pointer_get (cache);
  if (function == NULL)
    {
      function = dlsym (RTLD_NEXT, name);
      g_atomic_pointer_set (cache, function);
    }
  return function;
}

#define REAL(name)                                  \
  ({                                                \
    static gpointer cache_;                         \
    (__typeof__ (&name)) next (&cache_, #name);     \
  })

/* Locks: a release when one is left, an acquire when it has been got. */
#define LOCK(name, Type)          \
  void name (Type *lock)          \
  {                               \
    REAL (name) (lock);           \
    __tsan_acquire (lock);        \
  }
#define TRYLOCK(name, Type)                    \
  gboolean name (Type *lock)                   \
  {                                            \
    gboolean got = REAL (name) (lock);         \
    if (got)                                   \
      __tsan_acquire (lock);                   \
    return got;                                \
  }
#define UNLOCK(name, Type)        \
  void name (Type *lock)          \
  {                               \
    __tsan_release (lock);        \
    REAL (name) (lock);           \
  }

/* Macros of the same names would get in the way of the definitions. */
#undef g_once_init_enter
#undef g_once_init_leave

LOCK (g_mutex_lock, GMutex)
TRYLOCK (g_mutex_trylock, GMutex)
UNLOCK (g_mutex_unlock, GMutex)
LOCK (g_rec_mutex_lock, GRecMutex)
TRYLOCK (g_rec_mutex_trylock, GRecMutex)
UNLOCK (g_rec_mutex_unlock, GRecMutex)
LOCK (g_rw_lock_writer_lock, GRWLock)
TRYLOCK (g_rw_lock_writer_trylock, GRWLock)
UNLOCK (g_rw_lock_writer_unlock, GRWLock)
LOCK (g_rw_lock_reader_lock, GRWLock)
TRYLOCK (g_rw_lock_reader_trylock, GRWLock)
UNLOCK (g_rw_lock_reader_unlock, GRWLock)

/* Waiting gives the lock away and gets it back. */
void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  __tsan_release (mutex);
  REAL (g_cond_wait) (cond, mutex);
  __tsan_acquire (mutex);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  __tsan_release (mutex);
  gboolean signalled = REAL (g_cond_wait_until) (cond, mutex, end_time);
  __tsan_acquire (mutex);
  return signalled;
}

/* The fast path of g_once_init_enter is an instrumented load in the caller, which acquires what was released here. */
gboolean
(g_once_init_enter) (volatile void *location)
{
  gboolean first = REAL (g_once_init_enter) (location);
  __tsan_acquire ((void *) location);
  return first;
}

void
(g_once_init_leave) (volatile void *location, gsize result)
{
  __tsan_release ((void *) location);
  REAL (g_once_init_leave) (location, result);
}

/* Counts: whoever drops the last reference comes after all who dropped theirs. */
gboolean
(g_atomic_ref_count_dec) (gatomicrefcount *count)
{
  __tsan_release (count);
  gboolean last = REAL (g_atomic_ref_count_dec) (count);
  if (last)
    __tsan_acquire (count);
  return last;
}

/* GLib counts these itself. One at a time, so that the last comes after the releases of all others. Arrays and tables have one owner
 * each, who passes them on under locks that are seen: nothing is needed for them. */
static GRecMutex unref_lock;

#define UNREF(name, Type)                       \
  void name (Type *object)                      \
  {                                             \
    REAL (g_rec_mutex_lock) (&unref_lock);      \
    if (object != NULL)                         \
      {                                         \
        __tsan_release (object);                \
        __tsan_acquire (object);                \
      }                                         \
    REAL (name) (object);                       \
    REAL (g_rec_mutex_unlock) (&unref_lock);    \
  }
UNREF (g_bytes_unref, GBytes)
UNREF (g_main_context_unref, GMainContext)

/* A context drops its reference to a source unseen, so here only our own count is dropped unless it is the last.
 * Not instrumented itself: it stands for code of GLib that is not. */
__attribute__ ((no_sanitize ("thread"))) void
g_source_unref (GSource *source)
{
  g_return_if_fail (source != NULL);
  __tsan_release (source);
  for (;;)
    {
      guint count = (guint) g_atomic_int_get ((gint *) &source->ref_count);
      if (count == 1)
        break;
      if (g_atomic_int_compare_and_exchange ((gint *) &source->ref_count, (gint) count, (gint) count - 1))
        return;
    }
  __tsan_acquire (source);
  REAL (g_source_unref) (source);
}

/* Queues. */
void
g_async_queue_push (GAsyncQueue *queue, gpointer data)
{
  __tsan_release (queue);
  REAL (g_async_queue_push) (queue, data);
}

gpointer
g_async_queue_pop (GAsyncQueue *queue)
{
  gpointer data = REAL (g_async_queue_pop) (queue);
  __tsan_acquire (queue);
  return data;
}

gpointer
g_async_queue_try_pop (GAsyncQueue *queue)
{
  gpointer data = REAL (g_async_queue_try_pop) (queue);
  __tsan_acquire (queue);
  return data;
}

gpointer
g_async_queue_timeout_pop (GAsyncQueue *queue, guint64 timeout)
{
  gpointer data = REAL (g_async_queue_timeout_pop) (queue, timeout);
  __tsan_acquire (queue);
  return data;
}

/* Main contexts: what the thread that attaches a source did comes before all that the context has the
 * source do. The source gets functions that say so; they are few, and stay. */
typedef struct
{
  GSourceFuncs funcs; /* first: a source's functions are these */
  const GSourceFuncs *original;
} OrderedFuncs;

static const GSourceFuncs *
ordered_original (GSource *source)
{
  __tsan_acquire (source);
  return ((const OrderedFuncs *) source->source_funcs)->original;
}

static gboolean
ordered_prepare (GSource *source, gint *timeout)
{
  return ordered_original (source)->prepare (source, timeout);
}

static gboolean
ordered_check (GSource *source)
{
  return ordered_original (source)->check (source);
}

static gboolean
ordered_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  gboolean again = ordered_original (source)->dispatch (source, callback, user_data);
  /* The context drops its reference where the sanitizer does not see it; whoever drops the last one comes after this. */
  __tsan_release (source);
  return again;
}

static void
ordered_finalize (GSource *source)
{
  ordered_original (source)->finalize (source);
}

static GSourceFuncs *
ordered_funcs (const GSourceFuncs *original)
{
  static GMutex lock;
  static GHashTable *known;
  g_mutex_lock (&lock);
  if (known == NULL)
    known = g_hash_table_new (NULL, NULL);
  OrderedFuncs *ordered = g_hash_table_lookup (known, original);
  if (ordered == NULL)
    {
      ordered = g_new0 (OrderedFuncs, 1);
      ordered->funcs = *original;
      ordered->funcs.dispatch = ordered_dispatch;
      if (original->prepare != NULL)
        ordered->funcs.prepare = ordered_prepare;
      if (original->check != NULL)
        ordered->funcs.check = ordered_check;
      if (original->finalize != NULL)
        ordered->funcs.finalize = ordered_finalize;
      ordered->original = original;
      g_hash_table_insert (known, (gpointer) original, ordered);
      g_hash_table_insert (known, ordered, ordered);
    }
  g_mutex_unlock (&lock);
  return &ordered->funcs;
}

guint
g_source_attach (GSource *source, GMainContext *context)
{
  g_source_set_funcs (source, ordered_funcs (source->source_funcs));
  __tsan_release (source);
  return REAL (g_source_attach) (source, context);
}

typedef struct
{
  GSourceFunc function;
  gpointer data;
  GDestroyNotify notify;
} Invocation;

static gboolean
invocation_run (gpointer data)
{
  Invocation *invocation = data;
  __tsan_acquire (invocation);
  return invocation->function (invocation->data);
}

static void
invocation_free (gpointer data)
{
  Invocation *invocation = data;
  __tsan_acquire (invocation);
  if (invocation->notify != NULL)
    invocation->notify (invocation->data);
  g_free (invocation);
}

void
g_main_context_invoke_full (GMainContext *context, gint priority, GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  Invocation *invocation = g_new (Invocation, 1);
  *invocation = (Invocation){ function, data, notify };
  __tsan_release (invocation);
  REAL (g_main_context_invoke_full) (context, priority, invocation_run, invocation, invocation_free);
}

void
g_main_context_invoke (GMainContext *context, GSourceFunc function, gpointer data)
{
  g_main_context_invoke_full (context, G_PRIORITY_DEFAULT, function, data, NULL);
}

/* What comes before a task of GIO is given to a thread happens before its function there. */
static void
task_run (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  __tsan_acquire (task);
  GTaskThreadFunc function = (GTaskThreadFunc) (void (*) (void)) g_object_get_data (G_OBJECT (task), "tsan-function");
  function (task, source, data, cancellable);
}

void
g_task_run_in_thread (GTask *task, GTaskThreadFunc function)
{
  g_object_set_data (G_OBJECT (task), "tsan-function", (gpointer) (void (*) (void)) function);
  __tsan_release (task);
  REAL (g_task_run_in_thread) (task, task_run);
}

/* Thread pools: a job is complete when it is pushed, and all have been done when a pool is freed that waits for them. */
typedef struct
{
  GFunc func;
  gpointer user_data;
} PoolFunc;

static void
run_pool_job (gpointer data, gpointer user_data)
{
  PoolFunc *pool = user_data;

  __tsan_acquire (data);
  pool->func (data, pool->user_data);
  __tsan_release (pool);
}

GThreadPool *
g_thread_pool_new (GFunc func, gpointer user_data, gint most, gboolean exclusive, GError **error)
{
  PoolFunc *pool = g_new (PoolFunc, 1); /* for good: threads may have it after the pool was freed */

  *pool = (PoolFunc){ func, user_data };
  return REAL (g_thread_pool_new) (run_pool_job, pool, most, exclusive, error);
}

gboolean
g_thread_pool_push (GThreadPool *pool, gpointer data, GError **error)
{
  __tsan_release (data);
  return REAL (g_thread_pool_push) (pool, data, error);
}

void
g_thread_pool_free (GThreadPool *pool, gboolean immediate, gboolean wait)
{
  gpointer done = pool->user_data;

  REAL (g_thread_pool_free) (pool, immediate, wait);
  if (wait)
    __tsan_acquire (done);
}
