/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The loop of a worker process.
 *
 * Writing to a read-only input is a mistake in a task, not a crash to be retried, and the read-only mapping detects it. The SIGSEGV
 * handler checks whether the address is in one of our vectors and, if so, jumps back here, which unwinds everything that the task
 * had called; from here ordinary code reports to the master. That is sound because the faulting instruction was a store into a
 * vector: it held no lock of the allocator. All other faults get their default action, so that the certificate says SIGSEGV. */
#include "process/worker-loop.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/spin.h"
#include "process/base-state.h"
#include "process/file-faults.h"
#include "process/worker-orphans.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_LOST = 70, EXIT_FAULT = 71, TIDY_AFTER_MS = 20 };

static struct
{
  sigjmp_buf back;
  pthread_t thread;
  volatile sig_atomic_t armed;
  gsize size;
} fault;

static void
fault_noticed (int signal_number, siginfo_t *info, void *context)
{
  (void) context;
  if (fault.armed && pthread_equal (pthread_self (), fault.thread) && tti_vector_find (info->si_addr, &fault.size))
    {
      fault.armed = 0;
      siglongjmp (fault.back, 1);
    }
  /* Returning runs the instruction again, this time with the default action; a signal that a process has sent has no such
   * instruction. */
  signal (signal_number, SIG_DFL);
  if (info->si_code <= 0)
    raise (signal_number);
}

static void
fault_handler_install (void)
{
  /* A stack of its own: the handler must also run when the fault is an overflow of the main one. */
  static char stack[64 * 1024];
  stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
  struct sigaction action = { .sa_sigaction = fault_noticed, .sa_flags = SA_SIGINFO | SA_ONSTACK };

  sigaltstack (&alternate, NULL);
  sigaction (SIGSEGV, &action, NULL);
  tti_file_faults_report ();
  fault.thread = pthread_self ();
}

/* A forked copy is not a worker: the transport belongs to its parent. */
static struct
{
  gboolean copied;
  int fds[2]; /* the copy releases it */
} copy = { FALSE, { -1, -1 } };

static void
copy_let_go (void)
{
  copy.copied = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (copy.fds); i++)
    tti_fd_clear (&copy.fds[i]);
}

static void
copy_expect (TtiTransport *transport, int master)
{
  static gsize once;

  copy.fds[0] = tti_transport_get_fd (transport);
  copy.fds[1] = master;
  if (g_once_init_enter (&once))
    {
      pthread_atfork (NULL, NULL, copy_let_go);
      g_once_init_leave (&once, 1);
    }
}

static TtiPayload *
echo_run (gpointer data, const TtiMessage *task, gboolean *raised, GError **error)
{
  (void) data;
  (void) error;
  *raised = FALSE;
  return task->payload != NULL ? tti_payload_ref (task->payload) : NULL;
}

static gboolean
echo_started_nothing (gpointer data)
{
  (void) data;
  return TRUE;
}

const TtiHandler tti_echo_handler = { .run = echo_run, .started_nothing = echo_started_nothing };

static gboolean
see_out (TtiTransport *transport)
{
  while (tti_transport_get_events (transport) & POLLOUT)
    {
      struct pollfd wait = { .fd = tti_transport_get_fd (transport), .events = POLLOUT };

      if (poll (&wait, 1, -1) < 0 && errno != EINTR)
        return FALSE;
      if (!tti_transport_flush (transport, NULL))
        return FALSE;
    }
  return TRUE;
}

/* Send MESSAGE completely: the worker has nothing else to do, and must not start the next task with an unsent answer. */
static gboolean
send_all (TtiTransport *transport, const TtiMessage *message)
{
  g_autoptr (GError) error = NULL;

  if (!tti_transport_send (transport, message, &error))
    {
      g_printerr ("tutti-worker: cannot answer: %s\n", error->message);
      return FALSE;
    }
  return see_out (transport);
}

/* Send the answer REPLY of HANDLER. If there is no memory or descriptor for its contents, answer the task with an error: it would
 * fail on another worker, too. */
static gboolean
send_answer (TtiTransport *transport, const TtiHandler *handler, const TtiMessage *reply)
{
  g_autoptr (GError) error = NULL;

  if (tti_transport_send (transport, reply, &error))
    return see_out (transport);
  gboolean ours = g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM) || g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
  g_autoptr (TtiPayload) refusal = ours && handler->refuse != NULL ? handler->refuse (handler->data, error->message) : NULL;

  if (refusal == NULL)
    {
      g_printerr ("tutti-worker: cannot answer: %s\n", error->message);
      return FALSE;
    }
  TtiMessage instead = *reply;

  instead.kind = TTI_MESSAGE_EXCEPTION;
  instead.payload = refusal;
  return send_all (transport, &instead);
}

/* Whose task runs, in the loop's thread. */
static struct
{
  TtiTransport *transport; /* NULL: none does */
  guint64 generation, task;
} running;

static void
tell_stack (const char *text, gsize size)
{
  if (running.transport == NULL || copy.copied || !pthread_equal (pthread_self (), fault.thread))
    return;
  g_autoptr (TtiPayload) payload = tti_payload_new (g_bytes_new (text, size), NULL, NULL);
  TtiMessage message = { .kind = TTI_MESSAGE_STACK, .generation = running.generation, .id = running.task, .payload = payload };

  /* If it cannot be sent, nothing was asked: the task's answer will say what is wrong. */
  (void) (tti_transport_send (running.transport, &message, NULL) && see_out (running.transport));
}

/* Run TASK and answer it. FALSE: the worker has to end. */
static gboolean
answer (TtiTransport *transport, const TtiHandler *handler, const TtiMessage *task)
{
  gboolean raised = FALSE;
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  running.generation = task->generation;
  running.task = task->id;
  running.transport = transport;
  g_autoptr (TtiPayload) result = handler->run (handler->data, task, &raised, &error);
  running.transport = NULL;
  TtiMessage reply = { .kind = raised ? TTI_MESSAGE_EXCEPTION : TTI_MESSAGE_RESULT, .attempt = task->attempt,
                         .generation = task->generation, .id = task->id, .payload = result,
                         .detail = (guint64) (g_get_monotonic_time () - start) };

  if (copy.copied)
    _exit (error != NULL || raised ? EXIT_FAILURE : EXIT_SUCCESS);
  if (error != NULL)
    {
      g_printerr ("tutti-worker: task %" G_GUINT64_FORMAT " has no answer: %s\n", task->id, error->message);
      return FALSE;
    }
  /* Before the answer: once the master has it, no process of the task is left. */
  if (handler->started_nothing == NULL || !handler->started_nothing (handler->data))
    tti_worker_orphans_end ();
  return send_answer (transport, handler, &reply);
}

static gboolean
run_guarded (TtiTransport *transport, const TtiHandler *handler, const TtiMessage *task)
{
  if (sigsetjmp (fault.back, 0) != 0) /* 0: no need to restore the mask, the process exits */
    {
      TtiMessage reply = { .kind = TTI_MESSAGE_FAULT, .attempt = task->attempt, .generation = task->generation,
                             .id = task->id, .detail = fault.size };

      if (copy.copied)
        g_printerr ("tutti-worker: process %d, which a task has forked, wrote to one of the task's inputs, a shared vector of %"
                    G_GSIZE_FORMAT " bytes\n", (int) getpid (), fault.size);
      else
        send_all (transport, &reply);
      _exit (EXIT_FAULT);
    }
  fault.armed = 1;
  gboolean going_on = answer (transport, handler, task);
  fault.armed = 0;
  return going_on;
}

static void
handlers_begin (TtiTransport *transport, const TtiHandler *const *handlers)
{
  const TtiWorkerSide side = { .parts = tti_transport_get_parts (transport), .probe = tti_transport_get_probe (transport),
                               .tell_stack = tell_stack };

  for (guint i = 0; i < TTI_N_HANDLERS; i++)
    if (handlers[i] != NULL && handlers[i]->begin != NULL)
      handlers[i]->begin (handlers[i]->data, &side);
}

static gboolean
has_message (gpointer transport)
{
  return tti_transport_has_message (transport);
}

typedef enum { WAIT_MESSAGE, WAIT_MASTER_GONE, WAIT_IDLE } Wait;

/* Wait for something to receive, no longer than MOST ms (-1: for ever). */
static Wait
wait_for_message (TtiTransport *transport, int master, int most)
{
  struct pollfd waits[] = { { .fd = tti_transport_get_fd (transport), .events = POLLIN }, { .fd = master, .events = POLLIN } };
  int n = 0;

  if (!tti_transport_park (transport))
    return WAIT_MESSAGE;
  do
    n = poll (waits, G_N_ELEMENTS (waits), most);
  while (n < 0 && errno == EINTR);
  tti_transport_unpark (transport);
  if (n == 0)
    return WAIT_IDLE;
  return n > 0 && waits[0].revents != 0 ? WAIT_MESSAGE : WAIT_MASTER_GONE;
}

/* Sleep until there is something to do. FALSE: the worker has to end. */
static gboolean
sleep_until_message (TtiTransport *transport, int master, guint64 generation, const TtiHandler *holder, gboolean *tidy)
{
  gboolean may_tidy = !*tidy && holder != NULL && holder->tidy != NULL;
  Wait wait = wait_for_message (transport, master, may_tidy ? TIDY_AFTER_MS : -1);

  if (wait != WAIT_IDLE)
    return wait == WAIT_MESSAGE;
  holder->tidy (holder->data);
  *tidy = TRUE;
  return tti_transport_send_news (transport, generation, NULL) && see_out (transport);
}

/* Do what MESSAGE asks. FALSE: the worker has to end, with *STATUS. */
static gboolean
handle (TtiTransport *transport, const TtiHandler *const *handlers, const TtiHandler *holder, const TtiMessage *message,
        int *status)
{
  guint handler = (guint32) message->detail;

  *status = EXIT_LOST;
  switch (message->kind)
    {
    case TTI_MESSAGE_TASK:
      if (handler < TTI_N_HANDLERS && handlers[handler] != NULL)
        return run_guarded (transport, handlers[handler], message);
      g_printerr ("tutti-worker: no handler %u for task %" G_GUINT64_FORMAT "\n", handler, message->id);
      return FALSE;
    case TTI_MESSAGE_HOLD:
      if (holder != NULL && holder->hold != NULL)
        holder->hold (holder->data, tti_held_key (message->id, message->detail), message->payload);
      return TRUE;
    case TTI_MESSAGE_DROP:
      if (holder != NULL && holder->drop != NULL)
        holder->drop (holder->data, tti_held_key (message->id, message->detail));
      return TRUE;
    case TTI_MESSAGE_BYE:
      *status = EXIT_SUCCESS;
      return FALSE;
    case TTI_MESSAGE_HELLO:
    case TTI_MESSAGE_RESULT:
    case TTI_MESSAGE_EXCEPTION:
    case TTI_MESSAGE_FAULT:
    case TTI_MESSAGE_STACK:
    case TTI_MESSAGE_LEASE:
    case TTI_MESSAGE_RETURNED:
      break;
    }
  g_printerr ("tutti-worker: a master does not send messages of kind %d\n", (int) message->kind);
  return FALSE;
}

int
tti_worker_loop_run (TtiTransport *transport, int master, guint64 generation, const TtiHandler *const *handlers,
                     const TtiHandler *holder)
{
  TtiMessage hello = { .kind = TTI_MESSAGE_HELLO, .generation = generation, .id = TTI_WORKER_PROTOCOL,
                         .detail = (guint64) getpid () };
  int status = EXIT_LOST;
  gboolean tidy = TRUE;
  TtiSpin spin = { 0 };

  /* It becomes part of the base state: it survives the end of a task. */
  tti_base_keep_begin ();
  fault_handler_install ();
  (void) tti_base_keep_end ();
  copy_expect (transport, master);
  handlers_begin (transport, handlers);
  if (!send_all (transport, &hello))
    return EXIT_LOST;
  for (;;)
    {
      TtiMessage message = { 0 };
      g_autoptr (GError) error = NULL;
      gboolean going_on = TRUE;

      /* There is no message: check whether the other side is still there, which takes a system call, only before sleeping. */
      if (!tti_transport_has_message (transport) && !tti_transport_is_crowded (transport))
        tti_spin_until (&spin, has_message, transport, G_MAXINT64);
      switch (tti_transport_receive (transport, &message, &error))
        {
        case TTI_RECEIVED_MESSAGE:
          going_on = handle (transport, handlers, holder, &message, &status);
          tti_message_clear (&message);
          tidy = FALSE;
          break;
        case TTI_RECEIVED_NOTHING:
          going_on = sleep_until_message (transport, master, generation, holder, &tidy);
          status = EXIT_SUCCESS;
          break;
        case TTI_RECEIVED_END:
          return EXIT_SUCCESS;
        case TTI_RECEIVED_ERROR:
          g_printerr ("tutti-worker: %s\n", error->message);
          return EXIT_LOST;
        }
      if (!going_on)
        return status;
    }
}
