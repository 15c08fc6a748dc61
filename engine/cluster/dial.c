/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One address after the other. Each has a clock, a thread that ends its attempt when the time is over. */
#include "cluster/dial.h"
#include "cluster/tcp.h"
#include "cluster/tls.h"
#include "platform/error.h"
#include "platform/lock.h"
#include "platform/thread.h"

#define USUAL_PATIENCE (5 * G_TIME_SPAN_SECOND)

typedef struct
{
  GCancellable *cancellable; /* of the attempt */
  GThread *thread;
  gint64 deadline;
  TtiLock lock;
  GCond changed;
  gboolean over; /* under the lock, as the next */
  gboolean late;
} Clock;

static gpointer
clock_run (gpointer data)
{
  Clock *clock = data;

  tti_lock_take (&clock->lock);
  while (!clock->over && tti_lock_wait (&clock->lock, &clock->changed, clock->deadline))
    ;
  clock->late = !clock->over;
  tti_lock_release (&clock->lock);
  if (clock->late)
    g_cancellable_cancel (clock->cancellable);
  return NULL;
}

static gboolean
clock_start (Clock *clock, gint64 patience, GError **error)
{
  *clock = (Clock) { .cancellable = g_cancellable_new (), .deadline = g_get_monotonic_time () + patience };
  g_cond_init (&clock->changed);
  clock->thread = tti_thread_start ("tutti-dial-clock", clock_run, clock, error);
  return clock->thread != NULL;
}

/* Was the time over? */
static gboolean
clock_stop (Clock *clock)
{
  tti_lock_take (&clock->lock);
  clock->over = TRUE;
  g_cond_signal (&clock->changed);
  tti_lock_release (&clock->lock);
  if (clock->thread != NULL)
    g_thread_join (clock->thread);
  g_cond_clear (&clock->changed);
  tti_lock_clear (&clock->lock);
  g_object_unref (clock->cancellable);
  return clock->late;
}

/* The addresses that NAME has, of GSocketAddress; NULL on error. */
static GPtrArray *
resolve (const char *name, guint port, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);
  GSocketAddress *digits = g_inet_socket_address_new_from_string (name, port);
  g_autoptr (GResolver) resolver = NULL;
  GList *found;

  if (digits != NULL)
    {
      g_ptr_array_add (addresses, digits);
      return g_steal_pointer (&addresses);
    }
  resolver = g_resolver_get_default ();
  found = g_resolver_lookup_by_name (resolver, name, cancellable, error);
  if (found == NULL)
    return NULL;
  for (GList *each = found; each != NULL; each = each->next)
    g_ptr_array_add (addresses, g_inet_socket_address_new (each->data, (guint16) port));
  g_resolver_free_addresses (found);
  return g_steal_pointer (&addresses);
}

static GIOStream *
dial_one (const TtiDial *dial, GSocketAddress *address, GCancellable *cancellable, GSocketConnection **connection, GError **error)
{
  g_autoptr (GSocketConnection) made = NULL;
  g_autoptr (GSocket) socket
    = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
  GIOStream *tls;

  if (socket == NULL)
    return NULL;
  tti_tcp_enlarge (socket);
  if (!g_socket_connect (socket, address, cancellable, error))
    return NULL;
  tti_tcp_prepare (socket, dial->lost_after);
  made = g_socket_connection_factory_create_connection (socket);
  tls = tti_tls_open (made, dial->credentials, FALSE, cancellable, error);
  if (tls != NULL && connection != NULL)
    *connection = g_steal_pointer (&made);
  return tls;
}

/* Add to REASONS why NAME, or ADDRESS, was not reached, and to CODE what that means. */
static void
note_failure (GString *reasons, int *code, const char *name, GSocketAddress *address, const GError *error)
{
  g_autofree char *digits = address != NULL ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address)) : NULL;

  g_string_append_printf (reasons, "%s%s", reasons->len > 0 ? "; " : "", name);
  if (error->domain == TUTTI_ERROR)
    g_string_append_printf (reasons, " (%s)", error->message); /* which names the address */
  else
    g_string_append_printf (reasons, "%s%s: %s", digits != NULL ? ", " : "", digits != NULL ? digits : "", error->message);
  if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL))
    *code = TUTTI_ERROR_PROTOCOL;
}

static GIOStream *
dial_name (const TtiDial *dial, const char *name, Clock *clock, GSocketConnection **connection, GString *reasons, int *code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) addresses = resolve (name, dial->port, clock->cancellable, &error);
  GIOStream *tls = NULL;

  if (addresses == NULL && !g_cancellable_is_cancelled (clock->cancellable))
    note_failure (reasons, code, name, NULL, error);
  for (guint i = 0; addresses != NULL && i < addresses->len && tls == NULL; i++)
    {
      g_clear_error (&error);
      tls = dial_one (dial, addresses->pdata[i], clock->cancellable, connection, &error);
      if (g_cancellable_is_cancelled (clock->cancellable))
        break;
      if (tls == NULL)
        note_failure (reasons, code, name, addresses->pdata[i], error);
    }
  return tls;
}

static void
cancel_attempt (GCancellable *cancellable, gpointer attempt)
{
  (void) cancellable;
  g_cancellable_cancel (attempt);
}

GIOStream *
tti_dial (const TtiDial *dial, GCancellable *cancellable, GSocketConnection **connection, GError **error)
{
  g_return_val_if_fail (dial != NULL && dial->addresses != NULL && dial->credentials != NULL, NULL);
  gint64 patience = dial->patience > 0 ? dial->patience : USUAL_PATIENCE;
  g_autoptr (GString) reasons = g_string_new (NULL);
  int code = TUTTI_ERROR_SYSTEM;
  GIOStream *tls = NULL;

  if (!tti_tls_check_backend (error))
    return NULL;
  for (guint i = 0; dial->addresses[i] != NULL && tls == NULL && !g_cancellable_is_cancelled (cancellable); i++)
    {
      Clock clock;
      gulong handler = 0;

      if (clock_start (&clock, patience, error))
        {
          if (cancellable != NULL)
            handler = g_cancellable_connect (cancellable, G_CALLBACK (cancel_attempt), g_object_ref (clock.cancellable), g_object_unref);
          tls = dial_name (dial, dial->addresses[i], &clock, connection, reasons, &code);
          g_cancellable_disconnect (cancellable, handler);
        }
      if (clock_stop (&clock) && tls == NULL)
        g_string_append_printf (reasons, "%s%s: no answer for %g s", reasons->len > 0 ? "; " : "", dial->addresses[i],
                                (double) patience / G_TIME_SPAN_SECOND);
      if (clock.thread == NULL)
        return NULL;
    }
  if (tls == NULL && g_cancellable_is_cancelled (cancellable))
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CANCELLED, "dialling the master was interrupted");
  else if (tls == NULL)
    g_set_error (error, TUTTI_ERROR, code, "the master was not reached at port %u: %s", dial->port, reasons->str);
  return tls;
}
