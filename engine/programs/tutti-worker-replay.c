/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "programs/tutti-worker-replay.h"
#include "look/capsule.h"
#include "module/task-handler.h"
#include "process/base-state.h"
#include "value/value.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_FD = 3 };

/* Nobody may be there to be told: under a debugger. */
static void
tell (const char *word)
{
  fflush (stdout);
  if (write (ANSWER_FD, word, strlen (word)) < 0)
    return;
}

/* Run REQUEST. NULL: it has returned a value; else its error, free with g_free. */
static char *
run (TtiPayload *request)
{
  g_autoptr (GError) error = NULL;
  gboolean raised = FALSE;
  g_autoptr (TtiPayload) answer
    = tti_module_handler.run (NULL, &(TtiMessage){ .kind = TTI_MESSAGE_TASK, .attempt = 1, .payload = request }, &raised, &error);

  if (answer != NULL && !raised)
    return NULL;
  char *text = answer != NULL ? tti_value_exception_text (answer) : NULL;

  return text != NULL ? text : g_strdup (error != NULL ? error->message : "an error without a text");
}

int
tti_worker_replay (const char *file)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiCapsule) capsule = tti_capsule_read (file, &error);
  const TtiCapsuleItem *item = NULL;

  if (capsule == NULL)
    {
      fprintf (stderr, "tutti-worker: %s\n", error->message);
      return EXIT_FAILURE;
    }
  tti_base_begin (TRUE);
  for (guint i = 0; i < capsule->parts->len; i++)
    {
      item = g_ptr_array_index (capsule->parts, i);
      g_autofree char *problem = item->kind == TTI_CAPSULE_MADE ? run (item->payload) : NULL;

      if (problem == NULL)
        continue;
      fprintf (stderr, "tutti-worker: what the task needs cannot be made: %s\n", problem);
      return EXIT_FAILURE;
    }
  /* The request is the last part. */
  g_autofree char *text = run (item->payload);

  if (text == NULL)
    tell ("value");
  else
    {
      printf ("\n%s\n", text);
      tell (g_strcmp0 (text, g_hash_table_lookup (capsule->facts, "error")) == 0 ? "same" : "other");
    }
  return EXIT_SUCCESS;
}
