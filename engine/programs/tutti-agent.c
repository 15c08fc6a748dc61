/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti-agent: runs workers on this machine for a master elsewhere. A launcher starts it; it reads from its standard input, or from a
 * file, whom to call and what proves who it is, calls back, and does what the master asks for until that ends it or is lost. Nothing that
 * it has started is left then. */
#include "cluster/dial.h"
#include "cluster/facts.h"
#include "cluster/invitation.h"
#include "cluster/protocol.h"
#include "cluster/router.h"
#include "cluster/tcp.h"
#include "platform/error.h"
#include "platform/fd-limit.h"
#include "platform/fd.h"
#include "platform/lock.h"
#include "platform/requirements.h"
#include "pool/engine.h"
#include "process/termination.h"
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_DONE, STATUS_FAILED, STATUS_USAGE, STATUS_LOST };
enum { WELCOME_S = 30 };

typedef struct
{
  TtiRouter *router;
  TtiLock lock;
  GCond changed;
  gboolean answered;   /* the master has; */
  GError *refusal;     /* NULL: it is welcome */
} Agent;

/* --- greeting ---------------------------------------------------------------------------------------------------------------- */

static void
answered (Agent *agent, GError *refusal)
{
  tti_lock_take (&agent->lock);
  if (!agent->answered)
    agent->refusal = refusal;
  else
    g_clear_error (&refusal);
  agent->answered = TRUE;
  g_cond_broadcast (&agent->changed);
  tti_lock_release (&agent->lock);
}

static TtiLinkTaking
on_begins (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, G_GNUC_UNUSED gpointer *place, G_GNUC_UNUSED gpointer user_data,
           GError **error)
{
  if ((frame->kind == TTI_SAY_WELCOME || frame->kind == TTI_SAY_REFUSED) && frame->size < 64 * 1024)
    return TTI_LINK_COLLECT;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a master answers a greeting, expected that; got a frame of kind %u", frame->kind);
  return TTI_LINK_REFUSE;
}

static gboolean
on_arrived (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes, gpointer user_data, G_GNUC_UNUSED GError **error)
{
  Agent *agent = user_data;
  gsize size = 0;
  const char *data = bytes != NULL ? g_bytes_get_data (bytes, &size) : "";
  g_autofree char *text = g_utf8_make_valid (data, (gssize) size);

  if (frame->kind == TTI_SAY_WELCOME)
    tti_router_attend (agent->router);
  answered (agent, frame->kind == TTI_SAY_WELCOME ? NULL : g_error_new (TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "the master refuses: %s", text));
  return TRUE;
}

static void
on_lost (G_GNUC_UNUSED TtiLink *link, const GError *error, gpointer user_data)
{
  answered (user_data, g_error_new (TUTTI_ERROR, TUTTI_ERROR_CLOSED, "the master was lost before it answered: %s", error->message));
}

static gboolean
greet (Agent *agent, TtiLink *link, const TtiInvitation *invitation, GError **error)
{
  static const TtiLinkOps greeting = { .begins = on_begins, .arrived = on_arrived, .lost = on_lost };
  const TtiLinkFrame hello = { .kind = TTI_SAY_HELLO, .id = TTI_CLUSTER_PROTOCOL, .detail = invitation->launch };
  g_autoptr (GVariant) facts = tti_facts_collect (TUTTI_GUILE_VERSION);
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (facts);
  gint64 limit = g_get_monotonic_time () + WELCOME_S * G_USEC_PER_SEC;

  tti_link_set_owner (link, &greeting, agent);
  if (!tti_link_start (link, error))
    return FALSE;
  tti_link_send (link, &hello, bytes);
  tti_lock_take (&agent->lock);
  while (!agent->answered)
    if (!tti_lock_wait (&agent->lock, &agent->changed, limit))
      break;
  gboolean late = !agent->answered;

  agent->answered = TRUE;
  tti_lock_release (&agent->lock);
  if (late)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_TIMEOUT, "the master has not answered for %d s", WELCOME_S);
  else if (agent->refusal != NULL)
    g_propagate_error (error, g_steal_pointer (&agent->refusal));
  else
    return TRUE;
  return FALSE;
}

/* --- its life ---------------------------------------------------------------------------------------------------------------- */

static TtiLink *
dial (const TtiInvitation *invitation, GError **error)
{
  const TtiDial wanted = { .addresses = (const char *const *) invitation->addresses, .port = invitation->port,
                           .lost_after = invitation->lost_after, .credentials = invitation->credentials };
  GSocketConnection *connection = NULL;
  GIOStream *stream = tti_dial (&wanted, NULL, &connection, error);

  if (stream == NULL)
    return NULL;
  GSocket *socket = g_socket_connection_get_socket (connection);
  const TtiLinkOptions options = { .window = tti_tcp_get_window (socket), .silence_ms = invitation->silence, .socket = socket,
                                   .peer = "the master" };
  TtiLink *link = tti_link_new (stream, &options);

  g_object_unref (connection);
  return link;
}

static gboolean
on_term (gpointer data)
{
  Agent *agent = data;

  tti_router_drain (agent->router, "its agent was told to end (SIGTERM): the job's time may be over, or somebody has cancelled it");
  return G_SOURCE_CONTINUE;
}

static int
run (Agent *agent, GMainContext *context)
{
  g_autofree char *reason = NULL;

  while (!tti_router_is_over (agent->router, &reason))
    {
      g_clear_pointer (&reason, g_free);
      g_main_context_iteration (context, TRUE);
    }
  /* Before anything is said: whoever reads that may hang. */
  g_clear_pointer (&agent->router, tti_router_free);
  if (reason == NULL)
    return STATUS_DONE;
  g_printerr ("tutti-agent: the master is lost: %s; all that ran here for it was ended\n", reason);
  return STATUS_LOST;
}

static gboolean
check_version (const TtiInvitation *invitation, GError **error)
{
  if (g_str_equal (invitation->version, TUTTI_VERSION))
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "the master is Tutti %s, and this agent %s; install the same version on both "
               "machines", invitation->version, TUTTI_VERSION);
  return FALSE;
}

static int
serve (const char *file)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiInvitation) invitation = file != NULL ? tti_invitation_from_file (file, &error)
                                                        : tti_invitation_from_fd (STDIN_FILENO, &error);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autofree char *watcher = tti_engine_find_program ("tutti-watcher");
  Agent agent = { 0 };
  TtiLink *link = NULL;

  if (invitation != NULL && check_version (invitation, &error) && tti_requirements_check (&error))
    link = dial (invitation, &error);
  if (link != NULL)
    agent.router = tti_router_new (watcher, context, link, &error);
  if (agent.router != NULL && greet (&agent, link, invitation, &error))
    {
      /* Before that it ends by it: nothing runs here that could be handed over. */
      g_autoptr (GSource) term = g_unix_signal_source_new (SIGTERM);

      g_source_set_callback (term, on_term, &agent, NULL);
      g_source_attach (term, context);
      return run (&agent, context);
    }
  g_clear_pointer (&agent.router, tti_router_free);
  g_printerr ("tutti-agent: on %s: %s\n", g_get_host_name (), error->message);
  return STATUS_FAILED;
}

/* What starts workers is beside this program, wherever that was installed: a shell on another machine has no settings of ours. */
static void
find_programs (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL), *folder = self != NULL ? g_path_get_dirname (self) : NULL;
  g_autofree char *watcher = folder != NULL ? g_build_filename (folder, "tutti-watcher", NULL) : NULL;

  if (watcher != NULL && g_file_test (watcher, G_FILE_TEST_IS_EXECUTABLE))
    g_setenv ("TUTTI_LIBEXECDIR", folder, FALSE);
}

int
main (int argc, char **argv)
{
  tti_fd_open_standard ();
  find_programs ();
  tti_fd_use_hard_limit ();
  signal (SIGPIPE, SIG_IGN);
  g_setenv (TTI_AGENT_VARIABLE, "1", TRUE);
  if (argc == 2 && strcmp (argv[1], "--version") == 0)
    {
      g_print ("tutti-agent %s\n", TUTTI_VERSION);
      return STATUS_DONE;
    }
  if (argc == 1)
    return serve (NULL);
  if (argc == 3 && strcmp (argv[1], "--invitation") == 0)
    return serve (argv[2]);
  g_printerr ("usage: tutti-agent [--invitation FILE] | --version\n"
              "It runs workers on this machine for a master elsewhere. A launcher of Tutti starts it; people do not.\n");
  return STATUS_USAGE;
}
