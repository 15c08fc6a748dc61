/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A request: which server it goes to, when it is tried again, and what has come of it. */
#include "umbridge/client.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "umbridge/slots.h"
#include <poll.h>

/* Bytes of an answer besides its numbers, and for each of them: twice what seventeen digits take. */
#define MOST_AROUND (1 << 20)
#define MOST_FOR_NUMBER 64
#define MOST_ANSWER G_MAXINT32

/* Slots that are waited for. Of others one hears when time has passed. */
enum
{
  MOST_WATCHED = 64
};

#define LOOK_AGAIN (50 * G_TIME_SPAN_MILLISECOND)
#define LOOK_SOON G_TIME_SPAN_MILLISECOND

typedef enum
{
  CHOOSING,
  WAITING,
  ASKING,
  ENDED
} Stage;

struct _TtiUmbridgeRequest
{
  TtiUmbridgeClient *client;
  TtiUmbridgeCall call;
  int only;
  GString *body;
  gsize n_numbers; /* that are to come */
  gsize out_wrt;
  Stage stage;
  struct pollfd watched[MOST_WATCHED]; /* slots */
  int watched_server[MOST_WATCHED];    /* whose they are */
  nfds_t n_watched;
  gint64 wake; /* WAITING: when to choose again in any case */
  guint n_attempts;
  int index; /* of the server that is asked */
  int slot;
  TtiHttpExchange *exchange;
  TtiJson *document;
  double *numbers;
  TtiUmbridgeFailure failure;
  gboolean failed;
};

void
tti_umbridge_client_free (TtiUmbridgeClient *client)
{
  g_free (client->servers);
  g_free (client->model);
  g_free (client->config);
  g_free (client->in_sizes);
  g_free (client->out_sizes);
  g_free (client);
}

/*** What is sent. ***/

static gboolean
append_vector (GString *body, const char *name, const double *numbers, gsize count, GError **error)
{
  g_string_append_printf (body, ",\"%s\":", name);
  if (tti_json_append_numbers (body, numbers, count, error))
    return TRUE;
  g_prefix_error (error, "%s: ", name);
  return FALSE;
}

static gboolean
append_input (TtiUmbridgeRequest *request, const double *input, GError **error)
{
  g_string_append (request->body, ",\"input\":");
  if (tti_umbridge_append_blocks (request->body, input, request->client->in_sizes, request->client->n_in, error))
    return TRUE;
  g_prefix_error (error, "the argument: ");
  return FALSE;
}

static void
append_index (GString *body, const char *name, gsize index)
{
  g_string_append_printf (body, ",\"%s\":%" G_GSIZE_FORMAT, name, index);
}

/* The members that the call has besides name and config. */
static gboolean
append_arguments (TtiUmbridgeRequest *request, const TtiUmbridgeArguments *arguments, GError **error)
{
  const TtiUmbridgeClient *client = request->client;
  GString *body = request->body;

  switch (request->call)
    {
    case TTI_UMBRIDGE_EVALUATE:
      request->n_numbers = client->n_output;
      return append_input (request, arguments->input, error);
    case TTI_UMBRIDGE_GRADIENT:
      request->n_numbers = client->in_sizes[arguments->in_wrt];
      append_index (body, "outWrt", arguments->out_wrt);
      append_index (body, "inWrt", arguments->in_wrt);
      return append_input (request, arguments->input, error)
             && append_vector (body, "sens", arguments->sens, client->out_sizes[arguments->out_wrt], error);
    case TTI_UMBRIDGE_APPLY_JACOBIAN:
      request->n_numbers = client->out_sizes[arguments->out_wrt];
      append_index (body, "outWrt", arguments->out_wrt);
      append_index (body, "inWrt", arguments->in_wrt);
      return append_input (request, arguments->input, error)
             && append_vector (body, "vec", arguments->vec, client->in_sizes[arguments->in_wrt], error);
    case TTI_UMBRIDGE_APPLY_HESSIAN:
      request->n_numbers = client->in_sizes[arguments->in_wrt];
      append_index (body, "outWrt", arguments->out_wrt);
      append_index (body, "inWrt1", arguments->in_wrt);
      append_index (body, "inWrt2", arguments->in_wrt2);
      return append_input (request, arguments->input, error)
             && append_vector (body, "sens", arguments->sens, client->out_sizes[arguments->out_wrt], error)
             && append_vector (body, "vec", arguments->vec, client->in_sizes[arguments->in_wrt2], error);
    case TTI_UMBRIDGE_INFO:
    case TTI_UMBRIDGE_MODEL_INFO:
    case TTI_UMBRIDGE_INPUT_SIZES:
    case TTI_UMBRIDGE_OUTPUT_SIZES:
    case TTI_UMBRIDGE_N_CALLS:
    default:
      return TRUE;
    }
}

TtiUmbridgeRequest *
tti_umbridge_request_new (TtiUmbridgeClient *client, const TtiUmbridgeArguments *arguments, int only, GError **error)
{
  TtiUmbridgeRequest *request = g_new0 (TtiUmbridgeRequest, 1);

  request->client = client;
  request->call = arguments->call;
  request->only = only;
  request->slot = -1;
  request->body = g_string_new (NULL);
  if (request->call != TTI_UMBRIDGE_INFO)
    {
      g_string_append (request->body, "{\"name\":");
      tti_json_append_string (request->body, client->model);
      if (!append_arguments (request, arguments, error))
        {
          tti_umbridge_request_free (request);
          return NULL;
        }
      if (request->call != TTI_UMBRIDGE_MODEL_INFO)
        g_string_append_printf (request->body, ",\"config\":%s", client->config);
      g_string_append_c (request->body, '}');
    }
  return request;
}

/*** How it ends. ***/

static TtiHttpHost *
get_server (const TtiUmbridgeRequest *request)
{
  return request->client->servers[request->index];
}

/* Takes TYPE and MESSAGE. */
static void
fail (TtiUmbridgeRequest *request, TtiUmbridgeFailureKind kind, char *type, char *message)
{
  request->failed = TRUE;
  request->failure = (TtiUmbridgeFailure){ kind, type, message, tti_http_host_get_url (get_server (request)) };
  request->stage = ENDED;
}

/* Try again, for the reason MESSAGE, which is taken, unless that has been done often enough. */
static void
try_again (TtiUmbridgeRequest *request, TtiUmbridgeFailureKind kind, char *message, double pause)
{
  tti_http_host_pause (get_server (request), pause);
  if (request->n_attempts <= request->client->retries)
    {
      g_free (message);
      request->stage = CHOOSING;
      return;
    }
  if (request->n_attempts == 1)
    fail (request, kind, NULL, message);
  else
    {
      fail (request, kind, NULL,
            g_strdup_printf ("%s; this was attempt %u, and the last (#:retries)", message, request->n_attempts));
      g_free (message);
    }
}

static void
fail_for (TtiUmbridgeRequest *request, GError *error)
{
  char *message = g_strdup (error->message);
  int code = error->code;

  g_error_free (error);
  switch (code)
    {
    case TTI_HTTP_ERROR_LATE:
      {
        g_autofree char *reason = message;

        try_again (request, TTI_UMBRIDGE_LATE,
                   g_strdup_printf ("%s: %g s (#:timeout)", reason, request->client->timeout), 0);
        break;
      }
    case TTI_HTTP_ERROR_UNREACHABLE:
    case TTI_HTTP_ERROR_LOST:
      try_again (request, TTI_UMBRIDGE_UNREACHABLE, message, 0);
      break;
    case TTI_HTTP_ERROR_ADDRESS:
      fail (request, TTI_UMBRIDGE_UNREACHABLE, NULL, message);
      break;
    default:
      fail (request, TTI_UMBRIDGE_ANSWER, NULL, message);
    }
}

/* The server has answered with a document; TRUE if it is what was asked for. */
static gboolean
take_document (TtiUmbridgeRequest *request, GError **error)
{
  const TtiUmbridgeClient *client = request->client;
  const TtiJson *output = tti_json_get (request->document, "output");

  if (request->call < TTI_UMBRIDGE_EVALUATE)
    return TRUE;
  /* (The sizes are those that a server has named; memory that is not written to is not used.) */
  request->numbers = g_try_new (double, MAX (request->n_numbers, 1));
  if (request->numbers == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE, "there is no memory for its %" G_GSIZE_FORMAT " numbers",
                   request->n_numbers);
      return FALSE;
    }
  return request->call == TTI_UMBRIDGE_EVALUATE
           ? tti_umbridge_read_blocks (output, "output", client->out_sizes, client->n_out, request->numbers, error)
           : tti_umbridge_read_vector (output, "output", request->n_numbers, request->numbers, error);
}

static void
refuse_answer (TtiUmbridgeRequest *request, const TtiHttpAnswer *answer, const char *reason)
{
  g_autofree char *shown = tti_http_show (answer->body->data, answer->body->len);

  fail (request, TTI_UMBRIDGE_ANSWER, NULL,
        g_strdup_printf ("its answer is not one of UM-Bridge: %s. It begins: %s", reason, shown));
}

static void
refuse_status (TtiUmbridgeRequest *request, const TtiHttpAnswer *answer)
{
  g_autofree char *shown = tti_http_show (answer->body->data, answer->body->len);

  if (answer->status == 429 || (answer->status >= 502 && answer->status <= 504))
    try_again (request, TTI_UMBRIDGE_BUSY,
               g_strdup_printf ("the server has no time (status %u): %s", answer->status, shown), answer->retry_after);
  else if (answer->status >= 300 && answer->status < 400)
    fail (
      request, TTI_UMBRIDGE_ANSWER, NULL,
      g_strdup_printf ("the server sends one elsewhere, to %s (status %u), which is not followed; give that address",
                       answer->location != NULL ? answer->location : "no address", answer->status));
  else if (answer->status == 404 || answer->status == 405)
    fail (request, TTI_UMBRIDGE_ANSWER, NULL,
          g_strdup_printf ("the server does not know /%s (status %u): is it one of UM-Bridge?",
                           tti_umbridge_get_name (request->call), answer->status));
  else
    fail (request, TTI_UMBRIDGE_FAILED, NULL,
          g_strdup_printf ("the server failed (status %u), and says only: %s", answer->status, shown));
}

static void
take_answer (TtiUmbridgeRequest *request, const TtiHttpAnswer *answer)
{
  g_autoptr (GError) error = NULL;
  const char *type, *message;
  gboolean busy = answer->status == 429 || (answer->status >= 502 && answer->status <= 504);

  if (!busy)
    request->document = tti_json_read ((const char *) answer->body->data, answer->body->len, &error);
  if (request->document != NULL && tti_umbridge_get_error (request->document, &type, &message))
    fail (request, TTI_UMBRIDGE_MODEL, g_strdup (type), g_strdup (message));
  else if (answer->status != 200)
    refuse_status (request, answer);
  else if (request->document == NULL || !take_document (request, &error))
    refuse_answer (request, answer, error->message);
  else
    request->stage = ENDED;
  if (answer->status < 500)
    tti_http_host_praise (get_server (request));
  if (!request->failed && request->stage == ENDED)
    g_atomic_int_set (&request->client->preferred, request->index);
}

static void
end_exchange (TtiUmbridgeRequest *request)
{
  GError *error = NULL;
  const TtiHttpAnswer *answer = tti_http_exchange_get_answer (request->exchange, &error);

  if (answer != NULL)
    take_answer (request, answer);
  else
    fail_for (request, error);
  gboolean given = request->slot >= 0
                   && tti_slot_give (g_steal_fd (&request->slot), tti_http_exchange_get_reusable (request->exchange));

  tti_http_exchange_free (request->exchange, !given);
  request->exchange = NULL;
}

/*** Which server. ***/

static void
ask (TtiUmbridgeRequest *request, int index, int slot)
{
  const TtiUmbridgeClient *client = request->client;
  g_autofree char *path = g_strdup_printf ("/%s", tti_umbridge_get_name (request->call));
  gint64 deadline = client->timeout > 0 ? g_get_monotonic_time () + (gint64) (client->timeout * G_TIME_SPAN_SECOND) : -1;
  gsize plausible = MOST_AROUND + MOST_FOR_NUMBER * MIN (request->n_numbers, MOST_ANSWER);
  gsize limit = client->limit > 0 ? client->limit : plausible;

  request->index = index;
  request->slot = slot;
  request->n_attempts++;
  request->exchange
    = tti_http_exchange_new (client->servers[index], request->call == TTI_UMBRIDGE_INFO ? "GET" : "POST", path,
                             request->body->str, request->body->len, MIN (limit, MOST_ANSWER), deadline);
  request->stage = ASKING;
}

/* Watch the slots of the server number INDEX, which are taken. FALSE if one may be free again. */
static gboolean
watch_slots (TtiUmbridgeRequest *request, int index)
{
  const char *url = tti_http_host_get_url (request->client->servers[index]);

  for (guint i = 0; i < request->client->n_slots && request->n_watched < MOST_WATCHED; i++)
    {
      int fd = tti_slot_watch (url, i);

      if (fd < 0)
        return FALSE;
      request->watched_server[request->n_watched] = index;
      request->watched[request->n_watched++] = (struct pollfd){ .fd = fd, .events = POLLIN };
    }
  return TRUE;
}

/* Take a slot of the server number INDEX and ask it. FALSE if it has none. */
static gboolean
ask_if_free (TtiUmbridgeRequest *request, int index)
{
  const TtiUmbridgeClient *client = request->client;
  GError *error = NULL;

  if (request->only >= 0)
    {
      ask (request, index, -1);
      return TRUE;
    }
  for (guint i = 0; i < client->n_slots; i++)
    {
      int slot = tti_slot_take (tti_http_host_get_url (client->servers[index]), i, &error);

      if (slot >= 0)
        ask (request, index, slot);
      else if (slot == -2)
        {
          request->index = index;
          fail (request, TTI_UMBRIDGE_UNREACHABLE, NULL, g_strdup (error->message));
          g_error_free (error);
        }
      if (slot != -1)
        return TRUE;
    }
  return FALSE;
}

static void
choose (TtiUmbridgeRequest *request)
{
  const TtiUmbridgeClient *client = request->client;
  gint64 now = g_get_monotonic_time (), wake = now + LOOK_AGAIN;
  int first = request->only >= 0 ? request->only : g_atomic_int_get (&client->preferred);
  int n = request->only >= 0 ? 1 : (int) client->n_servers;
  g_autofree gboolean *taken = g_new0 (gboolean, (gsize) n);

  for (int k = 0; k < n; k++)
    {
      int index = (first + k) % (int) client->n_servers;
      gint64 pause = tti_http_host_get_pause (client->servers[index]);

      taken[k] = pause <= now;
      if (taken[k] && ask_if_free (request, index))
        return;
      if (!taken[k])
        wake = MIN (wake, pause);
    }
  for (int k = 0; k < n; k++)
    if (taken[k] && !watch_slots (request, (first + k) % (int) client->n_servers))
      wake = MIN (wake, now + LOOK_SOON);
  request->wake = wake;
  request->stage = WAITING;
}

static void
stop_watching (TtiUmbridgeRequest *request)
{
  for (nfds_t i = 0; i < request->n_watched; i++)
    tti_fd_clear (&request->watched[i].fd);
  request->n_watched = 0;
}

/* Ask the first server of which a slot has been handed over. (Others that have been as well are free again thereby.) FALSE if there is
 * none. */
static gboolean
receive_slot (TtiUmbridgeRequest *request)
{
  for (nfds_t i = 0; i < request->n_watched; i++)
    if (request->watched[i].revents != 0)
      {
        int connection, index = request->watched_server[i],
                        slot = tti_slot_receive (request->watched[i].fd, &connection);

        if (connection >= 0)
          tti_http_host_adopt (request->client->servers[index], connection);
        if (slot >= 0)
          {
            stop_watching (request);
            ask (request, index, slot);
            return TRUE;
          }
      }
  return FALSE;
}

static void
wait_for_slot (TtiUmbridgeRequest *request, gint64 until)
{
  gint64 left = MAX (0, MIN (until, request->wake) - g_get_monotonic_time ());
  struct timespec limit = { .tv_sec = left / G_TIME_SPAN_SECOND, .tv_nsec = left % G_TIME_SPAN_SECOND * 1000 };
  int n = ppoll (request->watched, request->n_watched, &limit, NULL);

  if ((n > 0 && receive_slot (request)) || (n <= 0 && g_get_monotonic_time () < request->wake))
    return;
  stop_watching (request);
  request->stage = CHOOSING;
}

gboolean
tti_umbridge_request_advance (TtiUmbridgeRequest *request, gint64 until)
{
  do
    switch (request->stage)
      {
      case CHOOSING:
        choose (request);
        break;
      case WAITING:
        wait_for_slot (request, until);
        break;
      case ASKING:
        if (tti_http_exchange_advance (request->exchange, until))
          end_exchange (request);
        break;
      case ENDED:
        break;
      }
  while (request->stage != ENDED && g_get_monotonic_time () < until);
  return request->stage == ENDED;
}

char *
tti_umbridge_request_describe (const TtiUmbridgeRequest *request)
{
  const char *name = tti_umbridge_get_name (request->call), *url = tti_http_host_get_url (get_server (request));

  if (request->stage == ASKING)
    return g_strdup_printf ("%s: %s has not answered", name, url);
  return request->n_attempts == 0
           ? g_strdup_printf ("%s: no server has time (#:requests at once)", name)
           : g_strdup_printf ("%s: no server has time after attempt %u, of %s", name, request->n_attempts, url);
}

const TtiUmbridgeFailure *
tti_umbridge_request_get_failure (const TtiUmbridgeRequest *request)
{
  return request->failed ? &request->failure : NULL;
}

const double *
tti_umbridge_request_get_numbers (const TtiUmbridgeRequest *request, gsize *count)
{
  *count = request->n_numbers;
  return request->numbers;
}

const TtiJson *
tti_umbridge_request_get_document (const TtiUmbridgeRequest *request)
{
  return request->document;
}

void
tti_umbridge_request_free (TtiUmbridgeRequest *request)
{
  stop_watching (request);
  tti_http_exchange_free (request->exchange, FALSE);
  if (request->slot >= 0)
    tti_slot_give (request->slot, -1);
  g_string_free (request->body, TRUE);
  tti_json_free (request->document);
  g_free (request->numbers);
  g_free (request->failure.type);
  g_free (request->failure.message);
  g_free (request);
}
