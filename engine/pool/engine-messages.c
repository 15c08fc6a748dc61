/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What people should be told, and no function can return: a process cannot be ended, lines of a worker are in a file. A library does not
 * print: who made the engine gets the messages, in the engine's thread, without a lock; those of the last moments in the thread that shuts
 * it down. */
#include "pool/engine-private.h"

void
tti_engine_set_message_func (TtiEngine *engine, TtiEngineMessageFunc func, gpointer data)
{
  if (tti_engine_is_copy (NULL))
    return;
  g_mutex_lock (&engine->messages_lock);
  engine->message_func = func;
  engine->message_data = data;
  g_mutex_unlock (&engine->messages_lock);
}

static void
messages_deliver (TtiEngine *engine)
{
  for (;;)
    {
      g_mutex_lock (&engine->messages_lock);
      g_autofree char *message = g_queue_pop_head (&engine->messages);
      TtiEngineMessageFunc func = engine->message_func;
      gpointer data = engine->message_data;
      g_mutex_unlock (&engine->messages_lock);

      if (message == NULL)
        return;
      tti_engine_show_told (engine, message);
      if (func != NULL)
        func (message, data);
    }
}

static gboolean
messages_wanted (gpointer engine)
{
  messages_deliver (engine);
  return G_SOURCE_REMOVE;
}

void
tti_engine_tell (TtiEngine *engine, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_mutex_lock (&engine->messages_lock);
  gboolean is_first = g_queue_is_empty (&engine->messages);

  g_queue_push_tail (&engine->messages, message);
  g_mutex_unlock (&engine->messages_lock);
  if (!is_first)
    return;
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (source, "[tutti] messages");
  g_source_set_callback (source, messages_wanted, engine, NULL);
  g_source_attach (source, engine->context);
}

void
tti_engine_append_messages (TtiEngine *engine, GError **error)
{
  char *message;

  while ((message = g_queue_pop_head (&engine->messages)) != NULL)
    {
      if (error != NULL && *error != NULL)
        {
          char *both = g_strconcat ((*error)->message, "; and ", message, NULL);

          g_free ((*error)->message);
          (*error)->message = both;
        }
      g_free (message);
    }
}

void
tti_engine_end_messages (TtiEngine *engine)
{
  messages_deliver (engine);
  tti_engine_set_message_func (engine, NULL, NULL);
}
