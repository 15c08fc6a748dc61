/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The name and the addresses of this machine. */
#include "cluster/addresses.h"
#include "platform/lock.h"
#include "platform/thread.h"
#include <gio/gio.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>

#define PATIENCE G_TIME_SPAN_SECOND

/* A question to the system's resolver, which may not answer for long: so a thread waits for it, and we wait for the thread as long as we
 * like. */
typedef struct
{
  gatomicrefcount references;
  char *host;
  TtiLock lock;
  GCond changed;
  gboolean done;  /* under the lock, as the next */
  char *answer;
} Question;

static void
question_unref (Question *question)
{
  if (!g_atomic_ref_count_dec (&question->references))
    return;
  g_cond_clear (&question->changed);
  tti_lock_clear (&question->lock);
  g_free (question->host);
  g_free (question->answer);
  g_free (question);
}

static gpointer
ask (gpointer data)
{
  Question *question = data;
  struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM }, *found = NULL;
  char *answer = NULL;

  if (getaddrinfo (question->host, NULL, &hints, &found) == 0 && found->ai_canonname != NULL)
    answer = g_strdup (found->ai_canonname);
  if (found != NULL)
    freeaddrinfo (found);
  tti_lock_take (&question->lock);
  question->answer = answer;
  question->done = TRUE;
  g_cond_signal (&question->changed);
  tti_lock_release (&question->lock);
  question_unref (question);
  return NULL;
}

/* The name of HOST with its domain; NULL: not known, or not soon. To be freed. */
static char *
find_full_name (const char *host)
{
  Question *question = g_new0 (Question, 1);
  gint64 deadline = g_get_monotonic_time () + PATIENCE;
  GThread *thread;
  char *answer;

  g_atomic_ref_count_init (&question->references);
  g_atomic_ref_count_inc (&question->references); /* the thread's */
  g_cond_init (&question->changed);
  question->host = g_strdup (host);
  thread = tti_thread_start ("tutti-name", ask, question, NULL);
  if (thread == NULL)
    question_unref (question);
  else
    g_thread_unref (thread);
  tti_lock_take (&question->lock);
  while (thread != NULL && !question->done && tti_lock_wait (&question->lock, &question->changed, deadline))
    ;
  answer = g_steal_pointer (&question->answer);
  tti_lock_release (&question->lock);
  question_unref (question);
  return answer;
}

/* Is it a name that others may know? */
static gboolean
is_name (const char *name)
{
  return name != NULL && *name != '\0' && strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS ".-_") == strlen (name)
         && !g_str_has_prefix (name, "localhost");
}

static void
add (GPtrArray *list, char *address)
{
  if (g_ptr_array_find_with_equal_func (list, address, g_str_equal, NULL))
    g_free (address);
  else
    g_ptr_array_add (list, address);
}

static void
add_name (GPtrArray *list)
{
  const char *host = g_get_host_name ();
  g_autofree char *full = strchr (host, '.') == NULL ? find_full_name (host) : NULL;

  if (is_name (full) && strchr (full, '.') != NULL)
    add (list, g_steal_pointer (&full));
  else if (is_name (host))
    add (list, g_strdup (host));
}

/* Networks of containers and virtual machines. */
static gboolean
is_inside (const char *interface)
{
  static const char *const prefixes[] = { "docker", "virbr", "br-", "cni", "flannel", "podman", "lxc", "lxd" };

  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (interface, prefixes[i]))
      return TRUE;
  return FALSE;
}

/* The address of INTERFACE in digits, if it is one of FAMILY that others can know. To be freed. */
static char *
usable_address (const struct ifaddrs *interface, GSocketFamily family)
{
  g_autoptr (GSocketAddress) address = NULL;
  GInetAddress *host;

  if (interface->ifa_addr == NULL || interface->ifa_addr->sa_family != family || (interface->ifa_flags & IFF_UP) == 0)
    return NULL;
  address = g_socket_address_new_from_native (interface->ifa_addr, family == G_SOCKET_FAMILY_IPV4 ? sizeof (struct sockaddr_in)
                                                                                                  : sizeof (struct sockaddr_in6));
  if (address == NULL)
    return NULL;
  host = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));
  if (g_inet_address_get_is_loopback (host) || g_inet_address_get_is_link_local (host))
    return NULL;
  return g_inet_address_to_string (host);
}

char **
tti_address_candidates (void)
{
  static const GSocketFamily families[] = { G_SOCKET_FAMILY_IPV4, G_SOCKET_FAMILY_IPV6 };
  GPtrArray *list = g_ptr_array_new ();
  struct ifaddrs *interfaces = NULL;

  add_name (list);
  if (getifaddrs (&interfaces) < 0)
    interfaces = NULL;
  for (guint i = 0; i < 2 * G_N_ELEMENTS (families); i++)
    for (const struct ifaddrs *each = interfaces; each != NULL; each = each->ifa_next)
      {
        char *address = is_inside (each->ifa_name) == (i >= G_N_ELEMENTS (families)) ? usable_address (each, families[i % 2]) : NULL;

        if (address != NULL)
          add (list, address);
      }
  if (interfaces != NULL)
    freeifaddrs (interfaces);
  /* A machine without a network still has itself. */
  if (list->len == 0)
    add (list, g_strdup ("127.0.0.1"));
  g_ptr_array_add (list, NULL);
  return (char **) g_ptr_array_free (list, FALSE);
}
