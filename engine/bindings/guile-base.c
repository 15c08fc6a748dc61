/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The base state of tasks (process/base-state.h), with what Guile adds to it: the current ports and module, the load path, and the
 * procedures that handle signals. (tutti worker base-state) restores it; here is what must be quick, since it is asked after
 * each task and between two items of a map: is anything different? */
#include "bindings/guile-pool-private.h"
#include "process/base-state-saver.h"
#include <stdlib.h>

enum { OUTPUT, ERROR, INPUT, WARNING, N_PORTS };

static struct
{
  SCM ports[N_PORTS];
  SCM module;
  SCM load_path_variable, load_path;
  gint begun; /* atomic: how many threads run tasks; more than one only in serial pools */
} base;

static const TtiBaseOps *saver;
static SCM restore_procedure;
static SCM warning_fluid; /* the fluid of current-warning-port, which for C is a mere procedure */

static SCM
current_port (guint which)
{
  switch (which)
    {
    case OUTPUT:
      return scm_current_output_port ();
    case ERROR:
      return scm_current_error_port ();
    case INPUT:
      return scm_current_input_port ();
    default:
      return scm_fluid_ref (warning_fluid);
    }
}

/* What no procedure reports: the load path is set as a variable. */
static gboolean
is_silently_different (void)
{
  return g_atomic_int_get (&base.begun) > 0 && !scm_is_eq (scm_variable_ref (base.load_path_variable), base.load_path);
}

static gboolean
is_different (void)
{
  for (guint i = 0; i < N_PORTS; i++)
    {
      SCM port = current_port (i);

      if (!scm_is_eq (port, base.ports[i]) || scm_is_true (scm_port_closed_p (port)))
        return TRUE;
    }
  return !scm_is_eq (scm_current_module (), base.module) || is_silently_different () || tti_base_is_touched ();
}

static void
base_note (void)
{
  for (guint i = 0; i < N_PORTS; i++)
    base.ports[i] = current_port (i);
  base.module = scm_current_module ();
  base.load_path = scm_variable_ref (base.load_path_variable);
}

void
tti_guile_base_begin (gboolean keep_streams)
{
  tti_base_begin (keep_streams);
  if (g_atomic_int_add (&base.begun, 1) == 0)
    base_note ();
}

void
tti_guile_base_end (void)
{
  g_atomic_int_add (&base.begun, -1);
  tti_base_end ();
}

static SCM
ignore (void *data, SCM key, SCM arguments)
{
  (void) data;
  (void) key;
  (void) arguments;
  return SCM_UNSPECIFIED;
}

static SCM
restore_body (void *signals)
{
  SCM ports = SCM_EOL;

  for (guint i = N_PORTS; i-- > 0;)
    ports = scm_cons (base.ports[i], ports);
  return scm_call_4 (restore_procedure, ports, base.module, base.load_path, scm_from_uint64 (*(guint64 *) signals));
}

static SCM
flush_body (void *port)
{
  return scm_force_output (SCM_PACK_POINTER (port));
}

void
tti_guile_flush (void)
{
  SCM ports[] = { scm_current_output_port (), scm_current_error_port () };

  for (guint i = 0; i < G_N_ELEMENTS (ports); i++)
    scm_internal_catch (SCM_BOOL_T, flush_body, SCM_UNPACK_POINTER (ports[i]), ignore, NULL);
}

static void
restore (void)
{
  tti_guile_flush (); /* to the ports that the task has set */
  guint64 signals = tti_base_restore ();

  tti_base_keep_begin ();
  scm_internal_catch (SCM_BOOL_T, restore_body, &signals, ignore, NULL);
  (void) tti_base_keep_end ();
  base_note (); /* a port that was closed has a new one in its place */
}

void
tti_guile_base_restore (void)
{
  if (G_UNLIKELY (g_atomic_int_get (&base.begun) > 0 && is_different ()))
    restore ();
}

void
tti_guile_base_restore_item (void)
{
  /* To compare the ports takes half as long as a small item: of them only the changes count that Guile's procedures have reported. */
  if (G_UNLIKELY (saver->is_touched () || is_silently_different ()))
    restore ();
}

/* (%set-base-restore! procedure): PROCEDURE, of base ports, base module, base load path and signals, restores Guile's part */
static SCM
set_base_restore (SCM restore)
{
  restore_procedure = scm_permanent_object (restore);
  return SCM_UNSPECIFIED;
}

/* (%base-keep-begin!) -> the argument of %base-keep-end!. What this thread changes in between belongs to the base state */
static SCM
keep_begin (void)
{
  SCM before = scm_c_make_vector (N_PORTS + 2, SCM_BOOL_F);

  for (guint i = 0; i < N_PORTS; i++)
    SCM_SIMPLE_VECTOR_SET (before, i, current_port (i));
  SCM_SIMPLE_VECTOR_SET (before, N_PORTS, scm_current_module ());
  SCM_SIMPLE_VECTOR_SET (before, N_PORTS + 1, scm_variable_ref (base.load_path_variable));
  tti_base_keep_begin ();
  return before;
}

static void
keep (SCM before, SCM now, SCM *to)
{
  if (!scm_is_eq (before, now))
    *to = now;
}

/* (%base-keep-end! before) -> the signals whose handlers were set in between, as bits */
static SCM
keep_end (SCM before)
{
  for (guint i = 0; i < N_PORTS; i++)
    keep (SCM_SIMPLE_VECTOR_REF (before, i), current_port (i), &base.ports[i]);
  keep (SCM_SIMPLE_VECTOR_REF (before, N_PORTS), scm_current_module (), &base.module);
  keep (SCM_SIMPLE_VECTOR_REF (before, N_PORTS + 1), scm_variable_ref (base.load_path_variable), &base.load_path);
  return scm_from_uint64 (tti_base_keep_end ());
}

/* (%base-changing! part which), (%base-changed! part which name): around a change by Guile; parts are numbered as in
 * process/base-state.h, NAME is #f but for a variable of the environment */
static SCM
changing (SCM part, SCM which)
{
  tti_base_changing ((TtiBasePart) scm_to_int (part), scm_to_int (which));
  return SCM_UNSPECIFIED;
}

static SCM
changed (SCM part, SCM which, SCM name)
{
  char *c_name = scm_is_string (name) ? scm_to_locale_string (name) : NULL;

  tti_base_changed ((TtiBasePart) scm_to_int (part), scm_to_int (which), c_name);
  free (c_name);
  return SCM_UNSPECIFIED;
}

/* (%base-umask-changed! before now) */
static SCM
umask_changed (SCM before, SCM now)
{
  tti_base_umask_changed ((mode_t) scm_to_uint (before), (mode_t) scm_to_uint (now));
  return SCM_UNSPECIFIED;
}

void
tti_guile_init_base (void)
{
  base.load_path_variable = scm_permanent_object (scm_c_public_variable ("guile", "%load-path"));
  warning_fluid = scm_permanent_object (scm_call_1 (scm_c_public_ref ("guile", "parameter-fluid"),
                                                    scm_c_public_ref ("guile", "current-warning-port")));
  base_note ();
  saver = tti_base_install (&tti_base_saver);
  scm_c_define_gsubr ("%set-base-restore!", 1, 0, 0, set_base_restore);
  scm_c_define_gsubr ("%base-keep-begin!", 0, 0, 0, keep_begin);
  scm_c_define_gsubr ("%base-keep-end!", 1, 0, 0, keep_end);
  scm_c_define_gsubr ("%base-changing!", 2, 0, 0, changing);
  scm_c_define_gsubr ("%base-changed!", 3, 0, 0, changed);
  scm_c_define_gsubr ("%base-umask-changed!", 2, 0, 0, umask_changed);
}
