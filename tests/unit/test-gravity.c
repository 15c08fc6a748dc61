/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Gravity of prisms against the published closed form, in long doubles, and against the integral that it solves. */
#include "module/operator.h"
#include "platform/error.h"
#include <math.h>
#include <string.h>

#define N_CELLS 24
#define G_MGAL 6.6743e-3

static const double hx[] = { 60, 40, 25, 70 }, hy[] = { 55, 20, 30 }, hz[] = { 50, 15 }, origin[] = { -90, -50, -75 };
static const size_t shape[] = { 4, 3, 2 };

/* Outside, at a corner, on an edge, on a face, in a cell, above a corner, below all. */
static const double receivers[]
  = { 13, -7, 5, -90, -50, -10, -30, -30, -25, -30, 0, -30, -17, 11, -18, 10, 5, 40, 400, 300, -200 };
enum
{
  N_RECEIVERS = sizeof receivers / sizeof *receivers / 3
};

static TtiOperator *
prisms_new (const TuttiOperatorParameter *more, GError **error)
{
  TuttiOperatorParameter parameters[] = { { .name = "hx", .values = hx, .n = G_N_ELEMENTS (hx) },
                                          { .name = "hy", .values = hy, .n = G_N_ELEMENTS (hy) },
                                          { .name = "hz", .values = hz, .n = G_N_ELEMENTS (hz) },
                                          { .name = "origin", .values = origin, .n = 3 },
                                          { .name = "receivers", .values = receivers, .n = G_N_ELEMENTS (receivers) },
                                          { .name = "active", .values = NULL, .n = 0 } };
  gsize n = 5;
  TtiModule *module = tti_module_open ("gravity", error);

  g_assert_nonnull (module);
  /* MORE stands for one of these, or comes after them. */
  for (gsize i = 0; more != NULL && i < G_N_ELEMENTS (parameters); i++)
    if (strcmp (more->name, parameters[i].name) == 0)
      {
        parameters[i] = *more;
        n = MAX (n, i + 1);
      }
  return tti_operator_new (module, "prisms", parameters, n, error);
}

static void
get_matrix (const TuttiOperatorParameter *more, double *matrix, gsize n)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator= prisms_new (more, &error);
  gsize domain = tti_operator_get_domain (operator), codomain = tti_operator_get_codomain (operator);
  g_autofree double *x = g_new0 (double, domain), *y = g_new (double, codomain);

  g_assert_cmpuint (n, ==, domain * codomain);
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, x, domain, y, codomain, &error);
  g_assert_true (tti_derivative_get_matrix (derivative, matrix, n, &error));
  g_assert_no_error (error);
}

/* The coordinate of node INDEX along AXIS. */
static double
get_node (int axis, size_t index)
{
  const double *const widths[] = { hx, hy, hz };
  double node = origin[axis];

  for (size_t i = 0; i < index; i++)
    node += widths[axis][i];
  return node;
}

static long double
printed_form (long double x, long double y, long double z)
{
  long double r = sqrtl (x * x + y * y + z * z), f = 0;

  if (x != 0 && y + r > 0)
    f += x * logl (y + r);
  if (y != 0 && x + r > 0)
    f += y * logl (x + r);
  if (z != 0)
    f -= z * atanl (x * y / (z * r));
  return f;
}

static double
reference (size_t cell, const double *receiver)
{
  const size_t first[3] = { cell % shape[0], cell / shape[0] % shape[1], cell / shape[0] / shape[1] };
  long double sum = 0;

  for (int corner = 0; corner < 8; corner++)
    {
      long double at[3];
      for (int axis = 0; axis < 3; axis++)
        at[axis] = (long double)get_node (axis, first[axis] + (corner >> axis & 1)) - receiver[axis];
      sum += (__builtin_popcount ((unsigned)corner) % 2 ? -1 : 1) * printed_form (at[0], at[1], at[2]);
    }
  return (double)(G_MGAL * sum);
}

static void
test_printed_form (void)
{
  double matrix[N_RECEIVERS * N_CELLS];

  get_matrix (NULL, matrix, G_N_ELEMENTS (matrix));
  for (size_t d = 0; d < N_RECEIVERS; d++)
    for (size_t c = 0; c < N_CELLS; c++)
      {
        double want = reference (c, receivers + 3 * d);
        g_assert_cmpfloat (fabs (matrix[d * N_CELLS + c] - want), <=, 1e-13 * fabs (want) + 1e-15);
      }
}

/* At 100 and at 1000 times its size, a cell is nearly a point. At the second distance the published closed form has only three
 * correct digits. */
static void
test_far (void)
{
  const double distances[] = { 1e4, 1e5 }, tolerances[] = { 1e-4, 1e-6 };

  for (gsize i = 0; i < G_N_ELEMENTS (distances); i++)
    {
      const double far[] = { distances[i], -2 * distances[i], distances[i] };
      const TuttiOperatorParameter at = { .name = "receivers", .values = far, .n = 3 };
      double matrix[N_CELLS];
      get_matrix (&at, matrix, N_CELLS);
      for (size_t c = 0; c < N_CELLS; c++)
        {
          const size_t first[3] = { c % shape[0], c / shape[0] % shape[1], c / shape[0] / shape[1] };
          double volume = 1, middle[3], r2 = 0;
          for (int axis = 0; axis < 3; axis++)
            {
              volume *= get_node (axis, first[axis] + 1) - get_node (axis, first[axis]);
              middle[axis] = (get_node (axis, first[axis] + 1) + get_node (axis, first[axis])) / 2 - far[axis];
              r2 += middle[axis] * middle[axis];
            }
          double point = G_MGAL * volume * middle[2] / pow (r2, 1.5);
          g_assert_cmpfloat (fabs (matrix[c] - point), <=, tolerances[i] * fabs (point));
        }
    }
}

/* Close to the axes, where coordinate and distance nearly cancel. */
static void
test_aside (void)
{
  const double aside[] = { 3000, 2, 1, -3000, 2, 1, 3, 3000, 2, 3, -3000, 2 };
  const TuttiOperatorParameter at = { .name = "receivers", .values = aside, .n = G_N_ELEMENTS (aside) };
  double matrix[4 * N_CELLS];

  get_matrix (&at, matrix, G_N_ELEMENTS (matrix));
  for (size_t d = 0; d < 4; d++)
    for (size_t c = 0; c < N_CELLS; c++)
      {
        double want = reference (c, aside + 3 * d);
        g_assert_cmpfloat (fabs (matrix[d * N_CELLS + c] - want), <=, 1e-8 * fabs (want));
      }
}

/* Sixteen Gauss-Legendre points along each axis, from a receiver that is not close. */
static void
test_integral (void)
{
  static const double nodes[] = { .0950125098376374, .2816035507792589, .4580167776572274, .6178762444026438,
                                  .7554044083550030, .8656312023878318, .9445750230732326, .9894009349916499 };
  static const double weights[] = { .1894506104550685, .1826034150449236, .1691565193950025, .1495959888165767,
                                    .1246289712555339, .0951585116824928, .0622535239386479, .0271524594117541 };
  const double *receiver = receivers + 15;
  double matrix[N_RECEIVERS * N_CELLS], sum = 0;

  get_matrix (NULL, matrix, G_N_ELEMENTS (matrix));
  for (int i = 0; i < 16 * 16 * 16; i++)
    {
      const int index[] = { i % 16, i / 16 % 16, i / 256 };
      const double widths[] = { hx[0], hy[0], hz[0] };
      double weight = 1, at[3], r2 = 0;
      for (int axis = 0; axis < 3; axis++)
        {
          double node = index[axis] < 8 ? nodes[index[axis]] : -nodes[index[axis] - 8];
          weight *= weights[index[axis] % 8] * widths[axis] / 2;
          at[axis] = origin[axis] + widths[axis] / 2 * (1 + node) - receiver[axis];
          r2 += at[axis] * at[axis];
        }
      sum += weight * at[2] / pow (r2, 1.5);
    }
  g_assert_cmpfloat (sum, <, 0); /* the cell is below: it pulls down */
  g_assert_cmpfloat (fabs (matrix[5 * N_CELLS] - G_MGAL * sum), <=, 1e-12 * fabs (G_MGAL * sum));
}

static void
test_dot (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator= prisms_new (NULL, &error);
  double x[N_CELLS], y[N_RECEIVERS], ax[N_RECEIVERS], by[N_CELLS], left = 0, right = 0;

  for (int c = 0; c < N_CELLS; c++)
    x[c] = sin (c + 1);
  for (int d = 0; d < N_RECEIVERS; d++)
    y[d] = cos (3 * d);
  g_assert_true (tti_operator_evaluate (operator, x, N_CELLS, ax, N_RECEIVERS, &error));
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, x, N_CELLS, by, N_RECEIVERS, &error);
  g_assert_cmpmem (ax, sizeof ax, by, sizeof ax);
  g_assert_true (tti_derivative_adjoint (derivative, y, N_RECEIVERS, by, N_CELLS, &error));
  for (int d = 0; d < N_RECEIVERS; d++)
    left += ax[d] * y[d];
  for (int c = 0; c < N_CELLS; c++)
    right += x[c] * by[c];
  g_assert_cmpfloat (fabs (left - right), <=, 1e-13 * fabs (left));
}

static void
test_active (void)
{
  const double cells[] = { 0, 9, 23 };
  const TuttiOperatorParameter active = { .name = "active", .values = cells, .n = 3 };
  double all[N_RECEIVERS * N_CELLS], some[N_RECEIVERS * 3];

  get_matrix (NULL, all, G_N_ELEMENTS (all));
  get_matrix (&active, some, G_N_ELEMENTS (some));
  for (int d = 0; d < N_RECEIVERS; d++)
    for (int i = 0; i < 3; i++)
      g_assert_cmpfloat (some[3 * d + i], ==, all[d * N_CELLS + (int)cells[i]]);
}

static void
check_refused (const char *name, const double *values, size_t n, const char *text)
{
  g_autoptr (GError) error = NULL;
  const TuttiOperatorParameter bad = { .name = name, .values = values, .n = n };

  g_assert_null (prisms_new (&bad, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  if (strstr (error->message, text) == NULL)
    g_error ("'%s' does not say '%s'", error->message, text);
}

static void
test_parameters (void)
{
  const double negative[] = { 3, -1 }, missing[] = { 1, NAN, 2 }, half[] = { 1, 0.5 }, descending[] = { 3, 2 },
               outside[] = { 24 };
  const TuttiOperatorParameter alone = { .name = "hx", .values = hx, .n = 4 };
  g_autoptr (GError) error = NULL;

  check_refused ("hx", negative, 2, "'hx' number 1 is -1 m, expected a positive width");
  check_refused ("hy", NULL, 0, "'hy' (widths of the cells in m) is empty");
  check_refused ("hz", missing, 3, "'hz' number 1 is nan, expected a finite number");
  check_refused ("origin", half, 2, "'origin' (west, south, bottom corner in m) has 2 numbers, expected 3");
  check_refused ("receivers", half, 2,
                 "'receivers' (x, y, z of each in m) has 2 numbers, expected three for each point");
  check_refused ("active", half, 2, "'active' number 1 is 0.5, expected a cell from 0 to 23");
  check_refused ("active", outside, 1, "'active' number 0 is 24, expected a cell from 0 to 23");
  check_refused ("active", descending, 2, "'active' number 1 is 2 after 3; cells must ascend, none twice");
  g_assert_null (tti_operator_new (tti_module_open ("gravity", NULL), "prisms", &alone, 1, &error));
  g_assert_nonnull (strstr (error->message, "'hy' (widths of the cells in m) is missing"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gravity/prisms/printed-form", test_printed_form);
  g_test_add_func ("/gravity/prisms/far", test_far);
  g_test_add_func ("/gravity/prisms/aside", test_aside);
  g_test_add_func ("/gravity/prisms/integral", test_integral);
  g_test_add_func ("/gravity/prisms/dot", test_dot);
  g_test_add_func ("/gravity/prisms/active", test_active);
  g_test_add_func ("/gravity/prisms/parameters", test_parameters);
  return g_test_run ();
}
