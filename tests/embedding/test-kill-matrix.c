/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The kill matrix through the public API: whoever is struck at whatever moment, each call that is pending ends with its value or with an
 * error that is documented; then the pool works, and when it is gone no process and no descriptor is left.
 *
 *   victims  a worker, the watcher, the guard
 *   blows    SIGKILL, SIGSTOP (who stays stopped is ended and replaced)
 *   moments  in a call, a map, while an operator is made, evaluated, linearised, applied or its adjoint summed, during close and shutdown
 *
 * A moment is never guessed from the time: who is in it says so by a file. The cells of one moment run side by side, each in a thread with
 * an engine and a context of its own. */
#include "../support/descriptors.h"
#include "embedding-test.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>

enum { N_NUMBERS = 3000, N_MEMBERS = 3 };

typedef enum { WORKER, WATCHER, GUARD, N_VICTIMS } Victim;

typedef enum { CALL, MAP, MAKE, EVALUATE, LINEARIZE, APPLY, ADJOINT, CLOSE, SHUTDOWN, N_MOMENTS } Moment;

static const char *const victims[] = { "worker", "watcher", "guard" };
/* By what their verbs are called in the modules. */
static const char *const moments[] = { "call", "call", "create", "evaluate", "linearize", "apply", "adjoint", "stubborn", "stubborn" };
static const char *const titles[] = { "call", "map", "make", "evaluate", "linearize", "apply", "adjoint", "close", "shutdown" };

typedef struct
{
  Victim victim;
  Moment moment;
  int blow;
  GMainContext *context;
  char *folder, *module;
  TuttiPool *pool;
  TuttiOperator *operator;
  TuttiDerivative *derivative;
  TuttiVector *x;
  GArray *pids; /* all processes of the engine */
} Cell;

/* --- processes --------------------------------------------------------------------------------------------------------------- */

/* The parent of PID, and its command line in *TITLE; 0: it is gone. */
static int
look_at_process (int pid, char **title)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid), *arguments = g_strdup_printf ("/proc/%d/cmdline", pid), *text = NULL;
  gsize length = 0;

  *title = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL) || !g_file_get_contents (arguments, title, &length, NULL))
    return 0;
  /* With all arguments in one. */
  for (gsize i = 0; i + 1 < length; i++)
    if ((*title)[i] == '\0')
      (*title)[i] = ' ';
  const char *rest = strrchr (text, ')');
  return rest != NULL && strlen (rest) > 4 && rest[2] != 'Z' ? atoi (rest + 4) : 0;
}

/* Is PID there, and no zombie? */
static gboolean
lives (int pid)
{
  g_autofree char *title = NULL;

  return look_at_process (pid, &title) != 0;
}

/* Note PID, and those above it up to this process. Returns the one of ROLE, 0 if there is none. */
static int
note_line (Cell *cell, int pid, const char *role)
{
  int found = 0;

  while (pid > 1 && pid != getpid ())
    {
      g_autofree char *title = NULL;
      int parent = look_at_process (pid, &title);

      if (parent == 0)
        break;
      g_array_append_val (cell->pids, pid);
      if (strstr (title, role) != NULL)
        found = pid;
      pid = parent;
    }
  return found;
}

/* Who is to be struck. The watcher and the guard are above the workers. */
static int
find_victim (Cell *cell, int worker)
{
  int found = 0;

  for (guint i = 0; i < tutti_pool_get_n_workers (cell->pool); i++)
    {
      int above = note_line (cell, tutti_pool_get_worker_pid (cell->pool, i), cell->victim == GUARD ? "tutti-guard" : "tutti-watcher");

      found = above != 0 ? above : found;
    }
  return cell->victim == WORKER ? worker : found;
}

/* --- calls ------------------------------------------------------------------------------------------------------------------- */

static TuttiVector *
numbers_new (double start)
{
  g_autoptr (GError) error = NULL;
  TuttiVector *vector = tutti_vector_new (N_NUMBERS, &error);
  gsize n;

  g_assert_no_error (error);
  for (gsize i = 0; i < N_NUMBERS; i++)
    tutti_vector_get_doubles (vector, &n)[i] = start + (double) i;
  return vector;
}

static TuttiValue *
parameters_new (Cell *cell)
{
  return tutti_value_new_table_take ("n", tutti_value_new_integer (N_NUMBERS), "folder", tutti_value_new_text (cell->folder), NULL);
}

static TuttiOperator *
gate_new (Cell *cell)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) parameters = parameters_new (cell);
  TuttiOperator *operator = tutti_operator_new (cell->pool, cell->module, "gate", parameters, NULL, &error);

  g_assert_no_error (error);
  return operator;
}

static void
begin (Cell *cell)
{
  g_autoptr (GError) error = NULL;

  cell->context = g_main_context_new ();
  g_main_context_push_thread_default (cell->context);
  cell->folder = g_dir_make_tmp ("tutti-embedding-XXXXXX", &error);
  g_assert_no_error (error);
  cell->module = helper ("example-operator.so");
  cell->pool = pool_new (2);
  cell->pids = g_array_new (FALSE, FALSE, sizeof (int));
  cell->x = numbers_new (1);
  if (cell->moment < EVALUATE || cell->moment > ADJOINT)
    return;
  TuttiOperator *members[N_MEMBERS];
  for (guint i = 0; i < N_MEMBERS; i++)
    members[i] = gate_new (cell);
  cell->operator = tutti_operator_new_vector (members, N_MEMBERS, &error);
  for (guint i = 0; i < N_MEMBERS; i++)
    tutti_operator_unref (members[i]);
  if (cell->moment == APPLY || cell->moment == ADJOINT)
    cell->derivative = tutti_operator_linearize (cell->operator, cell->x, NULL, NULL, &error);
  g_assert_no_error (error);
}

static char *
gate_file (Cell *cell, const char *what)
{
  g_autofree char *name = g_strconcat (what, "-", moments[cell->moment], NULL);

  return g_build_filename (cell->folder, name, NULL);
}

/* Start what is to be struck: whoever comes first to the gate waits there. */
static void
start (Cell *cell, Answer *answer)
{
  g_autofree char *gate = gate_file (cell, "wait");
  g_autoptr (TuttiValue) folder = tutti_value_new_text (cell->folder), parameters = parameters_new (cell);
  g_autoptr (TuttiVector) large = NULL;
  TuttiValue *items[5] = { folder, folder, folder, folder, folder };

  g_assert_true (g_file_set_contents (gate, "", 0, NULL));
  switch (cell->moment)
    {
    case CALL: tutti_pool_call_async (cell->pool, example (), "gate", &folder, 1, NULL, answer_came, answer); break;
    case MAP: tutti_pool_map_async (cell->pool, example (), "gate", items, 5, NULL, answer_came, answer); break;
    case MAKE: tutti_operator_new_async (cell->pool, cell->module, "gate", parameters, NULL, answer_came, answer); break;
    case EVALUATE: tutti_operator_evaluate_async (cell->operator, cell->x, NULL, answer_came, answer); break;
    case LINEARIZE: tutti_operator_linearize_async (cell->operator, cell->x, NULL, answer_came, answer); break;
    case APPLY: tutti_derivative_apply_async (cell->derivative, cell->x, NULL, answer_came, answer); break;
    case ADJOINT:
      {
        g_autoptr (GError) error = NULL;

        large = tutti_vector_new (N_MEMBERS * N_NUMBERS, &error);
        g_assert_no_error (error);
        gsize n;
        for (gsize i = 0; i < N_MEMBERS * N_NUMBERS; i++)
          tutti_vector_get_doubles (large, &n)[i] = 1;
        tutti_derivative_adjoint_async (cell->derivative, large, NULL, answer_came, answer);
        break;
      }
    case CLOSE:
    case SHUTDOWN: tutti_pool_call_async (cell->pool, example (), "stubborn", &folder, 1, NULL, answer_came, answer); break;
    case N_MOMENTS: g_assert_not_reached ();
    }
}

static void
check_numbers (TuttiVector *found, gsize n, double (*expected) (gsize i))
{
  gsize length;
  const double *numbers = tutti_vector_get_doubles (found, &length);

  g_assert_cmpuint (length, ==, n);
  for (gsize i = 0; i < n; i++)
    g_assert_cmpfloat (numbers[i], ==, expected (i));
}

static double square_of (gsize i) { return (1.0 + (double) (i % N_NUMBERS)) * (1.0 + (double) (i % N_NUMBERS)); }
static double product_of (gsize i) { return 2 * square_of (i); }
static double sum_of (gsize i) { return N_MEMBERS * 2 * (1.0 + (double) i); }

static void
check_answer (Cell *cell, Answer *answer)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) value = NULL;
  g_autoptr (TuttiVector) y = NULL;
  g_autoptr (TuttiOperator) operator = NULL;
  g_autoptr (TuttiDerivative) derivative = NULL;

  switch (cell->moment)
    {
    case CALL: value = tutti_pool_call_finish (cell->pool, answer->result, &error); break;
    case MAP: value = tutti_pool_map_finish (cell->pool, answer->result, &error); break;
    case MAKE: operator = tutti_operator_new_finish (answer->result, &error); break;
    case EVALUATE: y = tutti_operator_evaluate_finish (answer->result, &error); break;
    case LINEARIZE: derivative = tutti_operator_linearize_finish (answer->result, &y, &error); break;
    case APPLY: y = tutti_derivative_apply_finish (answer->result, &error); break;
    case ADJOINT: y = tutti_derivative_adjoint_finish (answer->result, &error); break;
    case CLOSE:
    case SHUTDOWN:
      g_assert_null (tutti_pool_call_finish (cell->pool, answer->result, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
      return;
    case N_MOMENTS: g_assert_not_reached ();
    }
  g_assert_no_error (error);
  if (cell->moment == MAP)
    g_assert_cmpuint (tutti_value_get_n_items (value), ==, 5);
  if (cell->moment == EVALUATE || cell->moment == LINEARIZE)
    check_numbers (y, N_MEMBERS * N_NUMBERS, square_of);
  if (cell->moment == APPLY)
    check_numbers (y, N_MEMBERS * N_NUMBERS, product_of);
  if (cell->moment == ADJOINT)
    check_numbers (y, N_NUMBERS, sum_of);
}

/* --- a cell ------------------------------------------------------------------------------------------------------------------ */

/* While what ends the pool waits for a worker that does not obey. */
static void
strike_while_ending (Cell *cell, Answer *answer, int victim)
{
  g_autoptr (Answer) ended = answer_new ();
  g_autoptr (TuttiEngine) engine = g_object_ref (tutti_pool_get_engine (cell->pool));
  g_autoptr (GError) error = NULL;

  if (cell->moment == CLOSE)
    tutti_pool_close_async (cell->pool, NULL, answer_came, ended);
  else
    tutti_engine_shutdown_async (engine, NULL, answer_came, ended);
  /* The task ends at once, its worker later. */
  answer_await (answer, cell->context);
  (void) kill (victim, cell->blow);
  answer_await (ended, cell->context);
  if (cell->moment == CLOSE)
    (void) tutti_pool_close_finish (cell->pool, ended->result, &error);
  else
    g_assert_true (tutti_engine_shutdown_finish (engine, ended->result, &error));
  g_assert_no_error (error);
  check_answer (cell, answer);
}

/* The process that waits at the gate. */
static int
meet (Cell *cell)
{
  g_autofree char *here = gate_file (cell, "here"), *text = NULL;

  ITERATE (cell->context, g_file_get_contents (here, &text, NULL, NULL));
  return atoi (text);
}

static void
end (Cell *cell)
{
  g_autoptr (TuttiEngine) engine = g_object_ref (tutti_pool_get_engine (cell->pool));
  const char *const names[] = { "here", "wait" };

  tutti_derivative_unref (cell->derivative);
  tutti_operator_unref (cell->operator);
  tutti_vector_unref (cell->x);
  (void) tutti_pool_close (cell->pool);
  g_object_unref (cell->pool);
  tutti_engine_shutdown (engine);
  for (guint i = 0; i < cell->pids->len; i++)
    AWAIT (!lives (g_array_index (cell->pids, int, i)));
  g_array_unref (cell->pids);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *file = gate_file (cell, names[i]);

      (void) g_unlink (file);
    }
  g_assert_cmpint (g_rmdir (cell->folder), ==, 0);
  g_free (cell->folder);
  g_free (cell->module);
  g_main_context_pop_thread_default (cell->context);
  g_main_context_unref (cell->context);
}

static gpointer
run_cell (gpointer data)
{
  Cell *cell = data;
  g_autoptr (Answer) answer = answer_new ();

  begin (cell);
  start (cell, answer);
  int victim = find_victim (cell, meet (cell));
  g_assert_cmpint (victim, >, 0);
  if (cell->moment == CLOSE || cell->moment == SHUTDOWN)
    strike_while_ending (cell, answer, victim);
  else
    {
      g_assert_cmpint (kill (victim, cell->blow), ==, 0);
      answer_await (answer, cell->context);
      check_answer (cell, answer);
      for (guint i = 0; i < 10; i++)
        assert_square (cell->pool, i);
      (void) find_victim (cell, 0);
    }
  g_clear_object (&answer->result);
  end (cell);
  return NULL;
}

static void
test_moment (gconstpointer data)
{
  const int blows[] = { SIGKILL, SIGSTOP };
  Cell cells[N_VICTIMS * G_N_ELEMENTS (blows)];
  GThread *threads[G_N_ELEMENTS (cells)];
  guint before = count_descriptors (), n = 0;

  for (guint victim = 0; victim < N_VICTIMS; victim++)
    for (guint blow = 0; blow < G_N_ELEMENTS (blows); blow++, n++)
      {
        cells[n] = (Cell){ .victim = (Victim) victim, .moment = (Moment) GPOINTER_TO_UINT (data), .blow = blows[blow] };
        threads[n] = g_thread_new (victims[victim], run_cell, &cells[n]);
      }
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
  /* Memory that is kept to be used again has a descriptor. */
  g_assert_cmpuint (count_descriptors (), <=, before + 16);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* Threads begin at the same time. GLib lets one of them make the class, and the others see it whole, in a way that TSan does not know. */
  g_type_class_unref (g_type_class_ref (TUTTI_TYPE_POOL));
  g_type_class_unref (g_type_class_ref (TUTTI_TYPE_TASK));
  for (guint moment = 0; moment < N_MOMENTS; moment++)
    {
      g_autofree char *name = g_strconcat ("/embedding/kill-matrix/", titles[moment], NULL);

      g_test_add_data_func (name, GUINT_TO_POINTER (moment), test_moment);
    }
  return g_test_run ();
}
