/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "embedding/embedding-private.h"
#include "platform/error.h"

/**
 * TuttiEngine:
 *
 * An engine starts, watches and ends worker processes: a thread of its own and a small process, the watcher, that ends all workers when
 * this
 * process ends, however it ends. An application needs one; several do not know of one another.
 *
 * Any thread may use an engine. It prints nothing, handles no signal, and needs no call at exit. In a copy of the process made by fork() it
 * is refused with %TUTTI_ERROR_FORKED: such a copy can only use what is not the engine's, or execute another program.
 */
struct _TuttiEngine
{
  GObject parent;
  TtiEngine *inside;
  gint shut_down;         /* atomic */
  GMainContext *context;  /* where its signals are emitted */
};

enum { PROPERTY_SHUT_DOWN = 1, N_PROPERTIES };
enum { SIGNAL_MESSAGE, N_SIGNALS };

static GParamSpec *properties[N_PROPERTIES];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (TuttiEngine, tutti_engine, G_TYPE_OBJECT)

static void
engine_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  if (id == PROPERTY_SHUT_DOWN)
    g_value_set_boolean (value, tutti_engine_is_shut_down (TUTTI_ENGINE (object)));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

/* --- messages ---------------------------------------------------------------------------------------------------------------- */

/* The objects that are told messages. An engine's thread may be about to tell one that is gone: so it looks here first. */
static GMutex listeners_lock;
static GHashTable *listeners; /* of TuttiEngine, not owned; under the lock */

typedef struct
{
  TuttiEngine *engine; /* owned */
  char *text;
} Message;

static void
message_free (gpointer data)
{
  Message *message = data;

  g_object_unref (message->engine);
  g_free (message->text);
  g_free (message);
}

static gboolean
message_emit (gpointer data)
{
  Message *message = data;

  g_signal_emit (message->engine, signals[SIGNAL_MESSAGE], 0, message->text);
  return G_SOURCE_REMOVE;
}

/* Called in the engine's thread. */
static void
engine_told (const char *text, gpointer data)
{
  TuttiEngine *self = data;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&listeners_lock);

  if (!g_hash_table_contains (listeners, self))
    return;
  Message *message = g_new (Message, 1);
  g_autoptr (GSource) source = g_idle_source_new ();

  *message = (Message){ g_object_ref (self), g_strdup (text) };
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (source, "[tutti] message");
  g_source_set_callback (source, message_emit, message, message_free);
  g_source_attach (source, self->context);
}

static void
engine_listen (TuttiEngine *self)
{
  g_mutex_lock (&listeners_lock);
  if (listeners == NULL)
    listeners = g_hash_table_new (NULL, NULL);
  g_hash_table_add (listeners, self);
  g_mutex_unlock (&listeners_lock);
  tti_engine_set_message_func (self->inside, engine_told, self);
}

/* It is about to be freed: its last reference is gone, under the lock, so that no message can make another. */
static void
engine_dispose (GObject *object)
{
  TuttiEngine *self = TUTTI_ENGINE (object);

  g_mutex_lock (&listeners_lock);
  if (listeners != NULL)
    g_hash_table_remove (listeners, self);
  g_mutex_unlock (&listeners_lock);
  G_OBJECT_CLASS (tutti_engine_parent_class)->dispose (object);
}

/* --- a GObject --------------------------------------------------------------------------------------------------------------- */

static void
engine_finalize (GObject *object)
{
  TuttiEngine *self = TUTTI_ENGINE (object);

  g_main_context_unref (self->context);
  tti_engine_unref (self->inside);
  G_OBJECT_CLASS (tutti_engine_parent_class)->finalize (object);
}

static void
tutti_engine_class_init (TuttiEngineClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);

  object_class->get_property = engine_get_property;
  object_class->dispose = engine_dispose;
  object_class->finalize = engine_finalize;
  /**
   * TuttiEngine:shut-down:
   *
   * Whether it was shut down, and takes no more pools.
   */
  properties[PROPERTY_SHUT_DOWN] = g_param_spec_boolean ("shut-down", NULL, NULL, FALSE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
  /**
   * TuttiEngine::message:
   * @self: an engine
   * @text: what people should be told, one or a few lines
   *
   * Something has happened that no function can return, for instance that a process cannot be ended and goes on. Emitted in the main
   * context
   * that was the thread's default when the object was made. If an engine has several objects, the last one has it.
   */
  signals[SIGNAL_MESSAGE] = g_signal_new ("message", G_TYPE_FROM_CLASS (class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                          G_TYPE_STRING);
}

static void
tutti_engine_init (TuttiEngine *self)
{
  self->context = g_main_context_ref_thread_default ();
}

static TuttiEngine *
engine_take (TtiEngine *inside)
{
  TuttiEngine *self = inside != NULL ? g_object_new (TUTTI_TYPE_ENGINE, NULL) : NULL;

  if (self == NULL)
    return NULL;
  self->inside = inside;
  g_object_set_qdata (G_OBJECT (self), g_quark_from_static_string (TUTTI_ENGINE_INSIDE), inside);
  engine_listen (self);
  return self;
}

/**
 * tutti_engine_new:
 * @error: where to put an error
 *
 * Starts an engine. When the last reference is dropped, also those of its pools, it is shut down, which may take a second and a half.
 *
 * Returns: (transfer full): the engine; %NULL with %TUTTI_ERROR_SPAWN if its watcher cannot be started, %TUTTI_ERROR_SHORTAGE,
 *   %TUTTI_ERROR_FORKED, or %TUTTI_ERROR_SYSTEM if this machine lacks something that it needs
 */
TuttiEngine *
tutti_engine_new (GError **error)
{
  return engine_take (tti_engine_new (error));
}

/**
 * tutti_engine_get_default:
 * @error: where to put an error
 *
 * The engine that the process shares, also with Scheme if there is Guile in the process. It is started when it is asked for first, and
 * again
 * after it was shut down.
 *
 * Returns: (transfer full): the engine; %NULL as for [ctor@Engine.new]
 */
TuttiEngine *
tutti_engine_get_default (GError **error)
{
  static GMutex lock;
  static GWeakRef shared;

  /* Another thread of the original may have had the lock. */
  if (tti_engine_is_copy (error))
    return NULL;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  g_autoptr (TuttiEngine) self = g_weak_ref_get (&shared);
  TtiEngine *inside = tti_engine_get_default (error);

  if (inside == NULL)
    return NULL;
  if (self != NULL && self->inside == inside)
    {
      tti_engine_unref (inside);
      return g_steal_pointer (&self);
    }
  TuttiEngine *other = engine_take (inside);
  g_weak_ref_set (&shared, other);
  return other;
}

/**
 * tutti_engine_is_shut_down:
 * @engine: an engine
 *
 * Tells whether an engine can still start anything. Does not block.
 *
 * Returns: whether it was shut down
 */
gboolean
tutti_engine_is_shut_down (TuttiEngine *engine)
{
  g_return_val_if_fail (TUTTI_IS_ENGINE (engine), TRUE);
  return g_atomic_int_get (&engine->shut_down);
}

/**
 * tutti_engine_shutdown:
 * @engine: an engine
 *
 * Closes all its pools, with a second of grace for their workers, and ends all its processes: tasks that have not ended fail with
 * %TUTTI_ERROR_CLOSED. Waits for that; in a main loop use [method@Engine.shutdown_async]. Doing it twice is fine.
 */
void
tutti_engine_shutdown (TuttiEngine *engine)
{
  g_return_if_fail (TUTTI_IS_ENGINE (engine));
  tti_engine_shutdown (engine->inside);
  if (g_atomic_int_compare_and_exchange (&engine->shut_down, FALSE, TRUE))
    g_object_notify_by_pspec (G_OBJECT (engine), properties[PROPERTY_SHUT_DOWN]);
}

static void
shutdown_in_thread (GTask *task, gpointer engine, gpointer data, GCancellable *cancellable)
{
  (void) data;
  (void) cancellable;
  tutti_engine_shutdown (engine);
  g_task_return_boolean (task, TRUE);
}

/**
 * tutti_engine_shutdown_async:
 * @engine: an engine
 * @cancellable: (nullable): whether to stop waiting; the engine is shut down all the same
 * @callback: (nullable) (scope async): what to call then
 * @user_data: for @callback
 *
 * Shuts it down as [method@Engine.shutdown] does, without waiting.
 */
void
tutti_engine_shutdown_async (TuttiEngine *engine, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (TUTTI_IS_ENGINE (engine));
  g_autoptr (GTask) task = g_task_new (engine, cancellable, callback, user_data);

  g_task_set_source_tag (task, tutti_engine_shutdown_async);
  g_task_set_return_on_cancel (task, TRUE);
  g_task_run_in_thread (task, shutdown_in_thread);
}

/**
 * tutti_engine_shutdown_finish:
 * @engine: an engine
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [method@Engine.shutdown_async] has begun.
 *
 * Returns: %TRUE; %FALSE with %G_IO_ERROR_CANCELLED
 */
gboolean
tutti_engine_shutdown_finish (TuttiEngine *engine, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, engine), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
