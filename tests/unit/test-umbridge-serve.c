/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The server's side of UM-Bridge with models in C: requests that are nearly right, from several clients at once, and stopping amidst of
 * them. */
#include "platform/error.h"
#include "umbridge/serve.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE (60 * G_TIME_SPAN_SECOND)

enum
{
  CLIENTS = 4
};

typedef struct
{
  TtiUmbridgeServer *server;
  GThread *workers[2];
  guint16 port;
} Fixture;

/* Sums of the inputs, in as many vectors as there are outputs; the derivative is what it was applied to. */
static void
compute (TtiUmbridgeJob *job)
{
  g_autofree double *numbers = g_new0 (double, 8);
  gsize n = 0;

  if (job->model->configured)
    {
      const gsize input[] = { 1 }, output[] = { 1 };

      if (job->call == TTI_UMBRIDGE_INPUT_SIZES || job->call == TTI_UMBRIDGE_OUTPUT_SIZES)
        {
          tti_umbridge_job_answer_sizes (job, input, 1);
          return;
        }
      if (!tti_umbridge_job_check (job, input, 1, output, 1))
        return;
    }
  if (job->call == TTI_UMBRIDGE_EVALUATE)
    {
      for (gsize i = 0; i < job->n_outputs; i++)
        n += job->output[i];
      for (gsize i = 0; i < job->point_size; i++)
        numbers[0] += job->point[i];
    }
  else
    {
      n = job->call == TTI_UMBRIDGE_GRADIENT ? job->input[job->in_wrt] : job->output[job->out_wrt];
      memcpy (numbers, job->vector, MIN (job->vector_size, 8) * sizeof *numbers);
    }
  tti_umbridge_job_answer (job, numbers, n);
}

static gpointer
work (gpointer data)
{
  TtiUmbridgeServer *server = data;

  while (!tti_umbridge_server_is_closed (server))
    {
      TtiUmbridgeJob *job = tti_umbridge_server_next (server, G_TIME_SPAN_SECOND);

      if (job != NULL)
        compute (job);
      tti_umbridge_job_free (job);
    }
  return NULL;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  TtiHttpOptions options
    = { .address = "127.0.0.1", .most_clients = 100, .most_bytes = 10000000, .most_bytes_held = 20000000, .patience = 60 };
  TtiUmbridgeModel plain = { .name = g_strdup ("plain"), .derivatives = TRUE }, other = { .name = g_strdup ("other"), .configured = TRUE };
  GArray *models = g_array_new (FALSE, FALSE, sizeof (TtiUmbridgeModel));
  const gsize sizes[] = { 2, 1 };
  GError *error = NULL;

  (void) data;
  plain.input = g_memdup2 (sizes, sizeof sizes);
  plain.output = g_memdup2 (sizes, sizeof sizes);
  plain.n_inputs = plain.n_outputs = 2;
  g_array_append_val (models, plain);
  g_array_append_val (models, other);
  fixture->server = tti_umbridge_server_new (&options, models, 3, &error);
  g_assert_no_error (error);
  fixture->port = tti_http_server_get_port (tti_umbridge_server_get_http (fixture->server));
  for (gsize i = 0; i < G_N_ELEMENTS (fixture->workers); i++)
    fixture->workers[i] = g_thread_new ("work", work, fixture->server);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  tti_umbridge_server_close (fixture->server);
  for (gsize i = 0; i < G_N_ELEMENTS (fixture->workers); i++)
    g_thread_join (fixture->workers[i]);
  tti_umbridge_server_end (fixture->server);
  tti_umbridge_server_unref (fixture->server);
}

static int
dial (guint16 port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

/* The answer to a request with BODY of LENGTH bytes; NULL if the connection ends. */
static char *
ask (int fd, const char *path, const char *body, gsize length)
{
  g_autofree char *head = g_strdup_printf ("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %" G_GSIZE_FORMAT "\r\n\r\n", path, length);
  GString *heard = g_string_new (NULL);
  char buffer[65536];
  ssize_t n = send (fd, head, strlen (head), MSG_NOSIGNAL);

  for (gsize sent = 0; sent < length && n > 0; sent += (gsize) n)
    n = send (fd, body + sent, length - sent, MSG_NOSIGNAL);
  while (n > 0 && !(heard->len > 0 && heard->str[heard->len - 1] == '}'))
    {
      struct pollfd ready = { .fd = fd, .events = POLLIN };

      g_assert_cmpint (poll (&ready, 1, DEADLINE / 1000), ==, 1);
      n = recv (fd, buffer, sizeof buffer, 0);
      if (n > 0)
        g_string_append_len (heard, buffer, n);
    }
  return g_string_free (heard, n <= 0);
}

static void
assert_answer (Fixture *fixture, const char *path, const char *body, const char *expected)
{
  int fd = dial (fixture->port);
  g_autofree char *answer = ask (fd, path, body, strlen (body));

  g_assert_nonnull (answer);
  if (strstr (answer, expected) == NULL)
    g_error ("expected '%s', got '%s'", expected, answer);
  close (fd);
}

static void
test_calls (Fixture *fixture, gconstpointer data)
{
  (void) data;
  assert_answer (fixture, "/Evaluate", "{\"name\":\"plain\",\"input\":[[1,2],[3]]}", "{\"output\":[[6.0,0.0],[0.0]]}");
  assert_answer (fixture, "/Gradient", "{\"name\":\"plain\",\"input\":[[1,2],[3]],\"outWrt\":0,\"inWrt\":1,\"sens\":[7,8]}",
                 "{\"output\":[7.0]}");
  assert_answer (fixture, "/ApplyJacobian", "{\"name\":\"plain\",\"input\":[[1,2],[3]],\"outWrt\":1,\"inWrt\":0,\"vec\":[7,8]}",
                 "{\"output\":[7.0]}");
  assert_answer (fixture, "/InputSizes", "{\"name\":\"plain\"}", "{\"inputSizes\":[2,1]}");
  assert_answer (fixture, "/OutputSizes", "{\"name\":\"other\",\"config\":{\"a\":1}}", "{\"outputSizes\":[1]}");
  assert_answer (fixture, "/Evaluate", "{\"name\":\"other\",\"config\":{\"a\":[1]},\"input\":[[1e308]]}", "{\"output\":[[1e+308]]}");
  assert_answer (fixture, "/Evaluate", "{\"name\":\"other\",\"input\":[[1,2]]}", "vector 0 of input has 2 numbers; expected 1");
  assert_answer (fixture, "/Evaluate", "{\"name\":\"plain\",\"input\":[[1e308,1e308],[1e308]]}", "InvalidOutput");
}

/* Long requests take another way. */
static void
test_long (Fixture *fixture, gconstpointer data)
{
  GString *body = g_string_new ("{\"name\":\"plain\",\"input\":[[1,2],[3]],\"more\":[");

  (void) data;
  for (int i = 0; i < 100000; i++)
    g_string_append (body, "0.125,");
  g_string_append (body, "1]}");
  assert_answer (fixture, "/Evaluate", body->str, "{\"output\":[[6.0,0.0],[0.0]]}");
  g_string_truncate (body, body->len - 3);
  assert_answer (fixture, "/Evaluate", body->str, "InvalidInput");
  g_string_free (body, TRUE);
}

typedef struct
{
  guint16 port;
  guint32 seed;
  int rounds, n_good, n_bad;
} Client;

static gpointer
send_damaged (gpointer data)
{
  static const char *const paths[] = { "/Evaluate", "/Gradient", "/ApplyJacobian", "/InputSizes", "/ModelInfo" };
  static const char *const bodies[]
    = { "{\"name\":\"plain\",\"input\":[[1.5,-2e-3],[17]],\"outWrt\":0,\"inWrt\":1,\"sens\":[7,8],\"vec\":[1]}",
        "{\"name\":\"other\",\"input\":[[1]],\"config\":{\"a\":[true,null,\"\\u00e4\\n\"]}}" };
  static const char alphabet[] = "[]{},:\"\\0123456789.eE+-truefalsn \n\t\xc3\xa4\xff";
  Client *client = data;
  GRand *random = g_rand_new_with_seed (client->seed);
  int fd = dial (client->port);

  for (int round = 0; round < client->rounds; round++)
    {
      g_autofree char *body = g_strdup (bodies[round % 2]), *answer = NULL;
      gsize length = strlen (body);

      for (int n = g_rand_int_range (random, 0, 3); n > 0; n--)
        body[g_rand_int_range (random, 0, (gint32) length)] = alphabet[g_rand_int_range (random, 0, sizeof alphabet)];
      answer = ask (fd, paths[g_rand_int_range (random, 0, G_N_ELEMENTS (paths))], body, length);
      if (answer == NULL)
        break;
      client->n_good += g_str_has_prefix (answer, "HTTP/1.1 200 ");
      client->n_bad += g_str_has_prefix (answer, "HTTP/1.1 400 ") || g_str_has_prefix (answer, "HTTP/1.1 503 ");
    }
  close (fd);
  g_rand_free (random);
  return NULL;
}

static void
start_clients (Fixture *fixture, Client *clients, GThread **threads, int rounds)
{
  for (guint i = 0; i < CLIENTS; i++)
    {
      clients[i] = (Client){ .port = fixture->port, .seed = i, .rounds = rounds };
      threads[i] = g_thread_new ("client", send_damaged, &clients[i]);
    }
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  Client clients[CLIENTS];
  GThread *threads[CLIENTS];

  (void) data;
  start_clients (fixture, clients, threads, 1000);
  for (int i = 0; i < CLIENTS; i++)
    {
      g_thread_join (threads[i]);
      g_assert_cmpint (clients[i].n_good + clients[i].n_bad, ==, 1000);
      g_assert_cmpint (clients[i].n_good, >, 100);
      g_assert_cmpint (clients[i].n_bad, >, 100);
    }
}

static void
test_stop (Fixture *fixture, gconstpointer data)
{
  Client clients[CLIENTS];
  GThread *threads[CLIENTS];
  TtiHttpCounts counts = { .requests = 0 };

  (void) data;
  start_clients (fixture, clients, threads, G_MAXINT);
  while (counts.requests < 100)
    {
      g_usleep (1000);
      tti_http_server_get_counts (tti_umbridge_server_get_http (fixture->server), &counts);
    }
  tti_umbridge_server_end (fixture->server);
  for (int i = 0; i < CLIENTS; i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add ("/umbridge/serve/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("calls", test_calls);
  ADD ("long", test_long);
  ADD ("damaged", test_damaged);
  ADD ("stop", test_stop);
  return g_test_run ();
}
