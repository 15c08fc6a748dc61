/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A task module: simulations of a pendulum of 1 m, which workers run for window.c and pool.py. */
#include <math.h>
#include <tutti/task-module.h>

static const double gravity = 9.81, length = 1.0; /* m/s^2, m */

/* One step of H s by the leapfrog method, which keeps the energy. */
static void
step (double *angle, double *speed, double h)
{
  *speed -= 0.5 * h * gravity / length * sin (*angle);
  *angle += h * *speed;
  *speed -= 0.5 * h * gravity / length * sin (*angle);
}

/* period AMPLITUDE: the period in s of a pendulum that is let go at AMPLITUDE, in rad. It takes some milliseconds to compute. */
static TuttiValue *
period (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  if (!tutti_value_expect (arguments[0], TUTTI_VALUE_REAL, "the amplitude", error))
    return NULL;
  double angle = tutti_value_get_real (arguments[0]), speed = 0, time = 0, before = angle;
  const double h = 5e-7;

  if (angle <= 0 || angle >= G_PI)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "an amplitude of %g rad; it is between 0 and pi", angle);
      return NULL;
    }
  for (; angle > 0; time += h)
    {
      before = angle;
      step (&angle, &speed, h);
    }
  /* It is at the bottom between two steps, after a quarter. */
  return tutti_value_new_real (4 * (time - h * angle / (angle - before)));
}

/* trajectory AMPLITUDE N: the angles, in rad, at N times, 1 ms from one to the next. */
static TuttiValue *
trajectory (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n;
  if (!tutti_value_expect (arguments[0], TUTTI_VALUE_REAL, "the amplitude", error)
      || !tutti_value_expect (arguments[1], TUTTI_VALUE_INTEGER, "the number of times", error))
    return NULL;
  double angle = tutti_value_get_real (arguments[0]), speed = 0;
  g_autoptr (TuttiVector) angles = tutti_vector_new ((gsize) tutti_value_get_integer (arguments[1]), error);
  gsize count;

  if (angles == NULL)
    return NULL;
  double *to = tutti_vector_get_doubles (angles, &count);
  for (gsize i = 0; i < count; i++)
    {
      to[i] = angle;
      step (&angle, &speed, 1e-3);
    }
  return tutti_value_new_vector (angles);
}

static const TuttiTaskFunction functions[] = {
  { .name = "period", .n_arguments = 1, .call = period },
  { .name = "trajectory", .n_arguments = 2, .call = trajectory },
};

TUTTI_TASK_MODULE (.name = "pendulum", .functions = functions, .n_functions = G_N_ELEMENTS (functions));
