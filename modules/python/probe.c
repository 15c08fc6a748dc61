/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The primitive that runs a program and returns what it has written. */
#include "python/probe.h"
#include "platform/program.h"
#include <errno.h>
#include <libguile.h>

/* How often a waiting thread looks for Ctrl-C and the like. A program that answers is heard at once. */
#define SLICE (50 * G_TIME_SPAN_MILLISECOND)

typedef struct
{
  char **argv;
  double seconds;
  gsize limit;
  TtiProgram *program;
  GError *error;
  int errno_value;
} Probe;

static void
probe_free (void *data)
{
  Probe *probe = data;

  tti_program_free (probe->program);
  g_strfreev (probe->argv);
  g_clear_error (&probe->error);
  g_free (probe);
}

static void *
probe_start (void *data)
{
  Probe *probe = data;
  const TtiProgramOptions options = { .argv = (const char *const *) probe->argv, .seconds = probe->seconds, .limit = probe->limit };

  probe->program = tti_program_start (&options, &probe->error);
  probe->errno_value = errno;
  return probe->program;
}

static void *
probe_wait (void *data)
{
  return GINT_TO_POINTER (tti_program_wait (((Probe *) data)->program, SLICE));
}

static SCM
bytes_to_scheme (const GByteArray *bytes)
{
  SCM bytevector = scm_c_make_bytevector (bytes->len);

  if (bytes->len > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (bytevector), bytes->data, bytes->len);
  return bytevector;
}

static SCM
probe_result (const TtiProgram *program)
{
  static const char *const ends[] = {
    [TTI_PROGRAM_EXITED] = "exited",   [TTI_PROGRAM_SIGNALED] = "signaled", [TTI_PROGRAM_LATE] = "late",
    [TTI_PROGRAM_FLOODED] = "flooded", [TTI_PROGRAM_UNKNOWN] = "unknown",
  };

  return scm_list_4 (scm_from_utf8_symbol (ends[program->end]), scm_from_int (program->number), bytes_to_scheme (program->output),
                     bytes_to_scheme (program->errors));
}

/* (%python-probe ARGUMENTS SECONDS LIMIT) -> (END NUMBER OUTPUT ERRORS), or (failed ERRNO) if it cannot be started */
static SCM
python_probe (SCM arguments, SCM seconds, SCM limit)
{
  Probe *probe = g_new0 (Probe, 1);
  SCM result;

  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (probe_free, probe, SCM_F_WIND_EXPLICITLY);
  probe->argv = g_new0 (char *, (gsize) scm_ilength (arguments) + 1);
  for (gsize i = 0; scm_is_pair (arguments); arguments = scm_cdr (arguments), i++)
    {
      char *text = scm_to_locale_string (scm_car (arguments));

      probe->argv[i] = g_strdup (text);
      free (text);
    }
  probe->seconds = scm_to_double (seconds);
  probe->limit = scm_to_size_t (limit);
  if (scm_without_guile (probe_start, probe) == NULL)
    result = scm_list_2 (scm_from_utf8_symbol ("failed"), scm_from_int (probe->errno_value));
  else
    {
      while (scm_without_guile (probe_wait, probe) == NULL)
        scm_async_tick ();
      result = probe_result (probe->program);
    }
  scm_dynwind_end ();
  return result;
}

void
tti_python_init_probe (void)
{
  scm_c_define_gsubr ("%python-probe", 3, 0, 0, (scm_t_subr) python_probe);
}
