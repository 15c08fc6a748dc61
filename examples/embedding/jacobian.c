/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Jacobian-vector products of a model on 4 workers, one of which is killed on the way: magnetotelluric soundings of 4 stations, each an operator
 * that a worker holds, over one layered Earth. */
#include <signal.h>
#include <stdio.h>
#include <tutti/tutti.h>

enum { N_STATIONS = 4, N_LAYERS = 5, N_PERIODS = 3 };

/* The operator of a station: ln of resistivities (ohm m) -> log10 of apparent resistivity and phase at its periods (s). */
static TuttiOperator *
new_station (TuttiPool *pool, int station, GError **error)
{
  const double thicknesses[N_LAYERS - 1] = { 50, 100, 200, 400 };
  double periods[N_PERIODS];

  for (int i = 0; i < N_PERIODS; i++)
    periods[i] = 0.01 * (1 + i) * (1 + station);
  g_autoptr (TuttiVector) d = tutti_vector_new_from_doubles (thicknesses, N_LAYERS - 1, error);
  g_autoptr (TuttiVector) t = tutti_vector_new_from_doubles (periods, N_PERIODS, error);
  g_autoptr (TuttiValue) parameters
    = tutti_value_new_table_take ("thicknesses", tutti_value_new_vector (d), "periods", tutti_value_new_vector (t), NULL);
  return tutti_operator_new (pool, "mt1d", "response", parameters, NULL, error);
}

/* <T'(x) h, y> and <h, T'(x)* y>, which are the same. */
static gboolean
products (TuttiDerivative *derivative, TuttiVector *h, TuttiVector *y, GError **error)
{
  g_autoptr (TuttiVector) forward = tutti_derivative_apply (derivative, h, NULL, error);
  g_autoptr (TuttiVector) backward = forward != NULL ? tutti_derivative_adjoint (derivative, y, NULL, error) : NULL;
  double one = 0, other = 0;
  gsize n;

  if (backward == NULL)
    return FALSE;
  for (gsize i = 0; i < 2 * N_STATIONS * N_PERIODS; i++)
    one += tutti_vector_get_doubles (forward, &n)[i] * tutti_vector_get_doubles (y, &n)[i];
  for (gsize i = 0; i < N_LAYERS; i++)
    other += tutti_vector_get_doubles (h, &n)[i] * tutti_vector_get_doubles (backward, &n)[i];
  return printf ("<J h, y> = %.12f, <h, J* y> = %.12f\n", one, other) > 0;
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiPool) pool = tutti_pool_new (NULL, 4, &error);
  TuttiOperator *stations[N_STATIONS] = { NULL };
  double x[N_LAYERS] = { 4, 5, 3, 6, 4.5 }, h[N_LAYERS] = { 1, 0, -1, 0.5, 0 }, y[2 * N_STATIONS * N_PERIODS];
  int made = 0;

  for (int i = 0; i < 2 * N_STATIONS * N_PERIODS; i++)
    y[i] = i % 2 == 0 ? 1 : -0.1;
  while (pool != NULL && made < N_STATIONS && (stations[made] = new_station (pool, made, &error)) != NULL)
    made++;
  g_autoptr (TuttiOperator) all = made == N_STATIONS ? tutti_operator_new_vector (stations, N_STATIONS, &error) : NULL;
  g_autoptr (TuttiVector) point = tutti_vector_new_from_doubles (x, N_LAYERS, NULL), step = tutti_vector_new_from_doubles (h, N_LAYERS, NULL);
  g_autoptr (TuttiVector) weights = tutti_vector_new_from_doubles (y, 2 * N_STATIONS * N_PERIODS, NULL);
  g_autoptr (TuttiDerivative) jacobian = all != NULL ? tutti_operator_linearize (all, point, NULL, NULL, &error) : NULL;
  gboolean good = jacobian != NULL && products (jacobian, step, weights, &error);

  /* Whoever takes its place makes the operator and its derivative again. */
  if (good && kill (tutti_pool_get_worker_pid (pool, 2), SIGKILL) == 0)
    good = puts ("worker 2 is killed") >= 0 && products (jacobian, step, weights, &error);
  if (!good)
    fprintf (stderr, "jacobian: %s\n", error->message);
  while (made > 0)
    tutti_operator_unref (stations[--made]);
  return good ? 0 : 1;
}
