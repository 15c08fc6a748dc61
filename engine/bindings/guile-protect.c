/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti run --protect-borrowed: a script that writes to a borrowed vector ends with a message that names the vector. */
#include "bindings/guile-pool-private.h"
#include "transport/vector.h"
#include <libguile.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A signal handler may call few functions, printf not among them. */
static char *
put_text (char *to, const char *text)
{
  return (char *) memcpy (to, text, strlen (text)) + strlen (text);
}

static char *
put_number (char *to, gsize number)
{
  char digits[24], *end = digits + sizeof digits, *first = end;

  do
    *--first = (char) ('0' + number % 10);
  while ((number /= 10) > 0);
  memcpy (to, first, (gsize) (end - first));
  return to + (end - first);
}

static void
fault_noticed (int signal_number, siginfo_t *info, void *context)
{
  char message[512], *end = message;
  gsize size, offset;

  (void) context;
  if (info->si_code == SEGV_ACCERR && tti_vector_find_protected (info->si_addr, &size, &offset))
    {
      end = put_text (end, "tutti: a borrowed vector was written to: byte ");
      end = put_number (end, offset);
      end = put_text (end, " (number ");
      end = put_number (end, offset / sizeof (double));
      end = put_text (end, " of an f64vector) of a shared vector of ");
      end = put_number (end, size);
      end = put_text (end, " bytes, which a task that has not ended can see. Wait for the task, or write to a copy: (vec-scale 1 v).\n");
      (void) !write (STDERR_FILENO, message, (gsize) (end - message));
    }
  /* Returning runs the instruction again, this time with the default action; a signal that was sent has no instruction. */
  signal (signal_number, SIG_DFL);
  if (info->si_code <= 0)
    raise (signal_number);
}

/* (%protect-borrowed!): from now on */
static SCM
protect_borrowed (void)
{
  struct sigaction action = { .sa_sigaction = fault_noticed, .sa_flags = SA_SIGINFO };

  sigaction (SIGSEGV, &action, NULL);
  tti_vector_protect_borrowed ();
  return SCM_UNSPECIFIED;
}

void
tti_guile_init_protect (void)
{
  scm_c_define_gsubr ("%protect-borrowed!", 0, 0, 0, protect_borrowed);
}
