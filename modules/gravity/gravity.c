/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Gravity of the cells of a tensor mesh: rectangular prisms of constant density.
 *
 * Coordinates in m, z upwards; densities in g/cc, gravity in mGal, upwards as well, so that a positive density below
 * is negative. The matrix G of the linear map is
 *
 *     G_dc = g integral over cell c of (z - z_d) / |x - x_d|^3 dV,
 *
 * which has a closed form (Nagy 1966, Geophysics 31, 362-371; Okabe 1979, Geophysics 44, 730-741; Blakely 1995,
 * Potential Theory in Gravity and Magnetic Applications): the triple difference over the corners, seen from the
 * receiver, of
 *
 *     f = x ln (y + r) + y ln (x + r) - z atan (x y / (z r)),    r^2 = x^2 + y^2 + z^2.
 *
 * From afar f is many orders of magnitude larger than its triple difference. So the first of the three differences
 * is never taken between values of f: ln of a quotient is log1p of what the quotient exceeds 1 by, the difference of
 * two angles is an angle, and both are put together from positive terms. That costs no more: each is needed once for
 * each edge of the mesh instead of twice for each node, and all cells around the edge share it. */
#include "tutti/operator.h"
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define G_NEWTON 6.6743e-11    /* m^3 / (kg s^2), CODATA 2018 */
#define SCALE (G_NEWTON * 1e8) /* 1000 (g/cc to kg/m^3) times 1e5 (m/s^2 to mGal) */

enum
{
  X,
  Y,
  Z
};

static const char *const width_names[] = { "hx", "hy", "hz" };

/* A mesh; the cell I, J, K is number I + n[X] (J + n[Y] K). */
typedef struct
{
  size_t n[3]; /* cells along each axis */
  double *widths[3];
  double *nodes[3]; /* n + 1 coordinates */
} Mesh;

/* One horizontal plane of nodes, relative to one receiver. */
typedef struct
{
  double *x, *y;          /* the nodes, relative to the receiver */
  double *r, *r_before;   /* distances along a line of nodes in x, and along the line before it in y */
  double *sx;             /* x + r along the line */
  double *sy, *sy_before; /* y + r, and the same on the line before */
  double *plane;          /* for each cell: the difference of f over its corners in this plane */
  double *plane_below;    /* and in the one below */
} View;

typedef struct
{
  size_t n_receivers, n_columns;
  double *sensitivity; /* n_receivers x n_columns, row-major */
} Prisms;

/* --- the closed form ---------------------------------------------------------------------------------------------- */

/* A + R where R = sqrt (A^2 + RHO2), also where A is nearly -R. */
static inline double
sum_with_distance (double a, double r, double rho2)
{
  return a >= 0 ? a + r : rho2 / (r - a);
}

/* ln (S_B / S_A) with S = a + r, for an edge of length H from A to B. */
static inline double
log_step (double h, double r_a, double r_b, double s_a, double s_b)
{
  return log1p (h * (s_a + s_b) / ((r_a + r_b) * s_a));
}

/* |z| times the difference of atan (x y / (|z| r)) from A to B, the ends of an edge of length H in x; Z is |z|. */
static inline double
angle_step (double h, double x_a, double x_b, double r_a, double r_b, double y, double z)
{
  double crossed = x_a * x_b > 0 ? (y * y + z * z) * h * (x_a + x_b) / (r_a * x_b + r_b * x_a) : r_a * x_b - r_b * x_a;
  double sine = z * y * crossed, cosine = z * z * r_a * r_b + x_a * x_b * y * y;

  /* Both forms are correct here, but atan() takes half the time. */
  return z * (cosine > 0 ? atan (sine / cosine) : atan2 (sine, cosine));
}

/* The distances of line J of nodes, and the sums with them. */
static void
view_line (View *view, const Mesh *mesh, size_t j, double z)
{
  double y = view->y[j], rho2 = y * y + z * z;

  for (size_t i = 0; i <= mesh->n[X]; i++)
    view->r[i] = sqrt (view->x[i] * view->x[i] + rho2);
  for (size_t i = 0; i <= mesh->n[X]; i++)
    view->sx[i] = sum_with_distance (view->x[i], view->r[i], rho2);
  for (size_t i = 0; i <= mesh->n[X]; i++)
    view->sy[i] = sum_with_distance (y, view->r[i], view->x[i] * view->x[i] + z * z);
}

/* Edges along x on line J of nodes: above, they count for the cells before the line, with the other sign for those
 * behind. */
static void
add_edges_x (View *view, const Mesh *mesh, size_t j, double z)
{
  size_t n = mesh->n[X];
  const double *h = mesh->widths[X], *x = view->x, *r = view->r, *s = view->sx;
  double y = view->y[j];

  for (size_t i = 0; i < n; i++)
    {
      /* The product of a factor of 0 and the logarithm of 0 is 0. */
      double edge = y != 0 ? y * log_step (h[i], r[i], r[i + 1], s[i], s[i + 1]) : 0;
      edge -= angle_step (h[i], x[i], x[i + 1], r[i], r[i + 1], y, z);
      if (j < mesh->n[Y])
        view->plane[j * n + i] -= edge;
      if (j > 0)
        view->plane[(j - 1) * n + i] += edge;
    }
}

/* Edges along y between the line before and line J of nodes. */
static void
add_edges_y (View *view, const Mesh *mesh, size_t j)
{
  size_t n = mesh->n[X];
  double h = mesh->widths[Y][j - 1], *cells = view->plane + (j - 1) * n;

  for (size_t i = 0; i <= n; i++)
    {
      double x = view->x[i];
      double edge = x != 0 ? x * log_step (h, view->r_before[i], view->r[i], view->sy_before[i], view->sy[i]) : 0;
      if (i < n)
        cells[i] -= edge;
      if (i > 0)
        cells[i - 1] += edge;
    }
}

static void
swap (double **a, double **b)
{
  double *was = *a;

  *a = *b;
  *b = was;
}

/* The plane of nodes at height Z relative to the receiver. */
static void
view_plane (View *view, const Mesh *mesh, double z)
{
  z = fabs (z); /* f is even in it */
  memset (view->plane, 0, mesh->n[X] * mesh->n[Y] * sizeof *view->plane);
  for (size_t j = 0; j <= mesh->n[Y]; j++)
    {
      view_line (view, mesh, j, z);
      add_edges_x (view, mesh, j, z);
      if (j > 0)
        add_edges_y (view, mesh, j);
      swap (&view->r, &view->r_before);
      swap (&view->sy, &view->sy_before);
    }
}

/* The row of G for RECEIVER: one number for each cell. */
static void
fill_row (View *view, const Mesh *mesh, const double receiver[3], double *row)
{
  size_t layer = mesh->n[X] * mesh->n[Y];

  for (size_t i = 0; i <= mesh->n[X]; i++)
    view->x[i] = mesh->nodes[X][i] - receiver[X];
  for (size_t j = 0; j <= mesh->n[Y]; j++)
    view->y[j] = mesh->nodes[Y][j] - receiver[Y];
  for (size_t k = 0; k <= mesh->n[Z]; k++)
    {
      view_plane (view, mesh, mesh->nodes[Z][k] - receiver[Z]);
      if (k > 0)
        for (size_t c = 0; c < layer; c++)
          row[(k - 1) * layer + c] = SCALE * (view->plane_below[c] - view->plane[c]);
      swap (&view->plane, &view->plane_below);
    }
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

static const TuttiOperatorParameter *
find_parameter (const TuttiOperatorParameter *parameters, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (parameters[i].name, name) == 0)
      return &parameters[i];
  return NULL;
}

/* The parameter NAME with at least one number, all finite; NULL after writing ERROR. */
static const TuttiOperatorParameter *
get_numbers (const TuttiOperatorParameter *parameters, size_t n, const char *name, const char *what, char *error)
{
  const TuttiOperatorParameter *parameter = find_parameter (parameters, n, name);

  if (parameter == NULL || parameter->n == 0)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'%s' (%s) is %s", name, what,
                parameter == NULL ? "missing" : "empty");
      return NULL;
    }
  for (size_t i = 0; i < parameter->n; i++)
    if (!isfinite (parameter->values[i]))
      {
        snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'%s' number %zu is %g, expected a finite number", name, i,
                  parameter->values[i]);
        return NULL;
      }
  return parameter;
}

static const TuttiOperatorParameter *
get_widths (const TuttiOperatorParameter *parameters, size_t n, const char *name, char *error)
{
  const TuttiOperatorParameter *parameter = get_numbers (parameters, n, name, "widths of the cells in m", error);

  for (size_t i = 0; parameter != NULL && i < parameter->n; i++)
    if (parameter->values[i] <= 0)
      {
        snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'%s' number %zu is %g m, expected a positive width", name, i,
                  parameter->values[i]);
        return NULL;
      }
  return parameter;
}

static const TuttiOperatorParameter *
get_points (const TuttiOperatorParameter *parameters, size_t n, const char *name, const char *what, size_t most,
            char *error)
{
  const TuttiOperatorParameter *parameter = get_numbers (parameters, n, name, what, error);

  if (parameter != NULL && (parameter->n % 3 != 0 || parameter->n / 3 > most))
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'%s' (%s) has %zu numbers, expected %s", name, what, parameter->n,
                most == 1 ? "3" : "three for each point");
      return NULL;
    }
  return parameter;
}

/* Numbers of cells: whole, inside, ascending. 0 after writing ERROR. */
static int
check_active (const TuttiOperatorParameter *active, size_t n_cells, char *error)
{
  for (size_t i = 0; i < active->n; i++)
    {
      double cell = active->values[i];
      if (cell != floor (cell) || cell < 0 || cell >= (double)n_cells)
        snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'active' number %zu is %g, expected a cell from 0 to %zu", i, cell,
                  n_cells - 1);
      else if (i > 0 && cell <= active->values[i - 1])
        snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'active' number %zu is %g after %g; cells must ascend, none twice",
                  i, cell, active->values[i - 1]);
      else
        continue;
      return 0;
    }
  return 1;
}

/* --- creation ----------------------------------------------------------------------------------------------------- */

static void
mesh_clear (Mesh *mesh)
{
  for (int axis = X; axis <= Z; axis++)
    {
      free (mesh->widths[axis]);
      free (mesh->nodes[axis]);
    }
}

/* 0 without memory. */
static int
mesh_init (Mesh *mesh, const TuttiOperatorParameter *const widths[3], const double *origin)
{
  *mesh = (Mesh){ .n = { widths[X]->n, widths[Y]->n, widths[Z]->n } };
  for (int axis = X; axis <= Z; axis++)
    {
      size_t n = mesh->n[axis];
      mesh->widths[axis] = calloc (n, sizeof (double));
      mesh->nodes[axis] = calloc (n + 1, sizeof (double));
      if (mesh->widths[axis] == NULL || mesh->nodes[axis] == NULL)
        return 0;
      memcpy (mesh->widths[axis], widths[axis]->values, n * sizeof (double));
      mesh->nodes[axis][0] = origin[axis];
      for (size_t i = 0; i < n; i++)
        mesh->nodes[axis][i + 1] = mesh->nodes[axis][i] + mesh->widths[axis][i];
    }
  return 1;
}

static void
view_clear (View *view)
{
  double *arrays[] = { view->x,  view->y,         view->r,     view->r_before,   view->sx,
                       view->sy, view->sy_before, view->plane, view->plane_below };

  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
    free (arrays[i]);
}

static int
view_init (View *view, const Mesh *mesh)
{
  double **lines[] = { &view->x, &view->r, &view->r_before, &view->sx, &view->sy, &view->sy_before };
  size_t layer = mesh->n[X] * mesh->n[Y];

  *view = (View){ .y = calloc (mesh->n[Y] + 1, sizeof (double)),
                  .plane = calloc (layer, sizeof (double)),
                  .plane_below = calloc (layer, sizeof (double)) };
  int complete = view->y != NULL && view->plane != NULL && view->plane_below != NULL;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    complete &= (*lines[i] = calloc (mesh->n[X] + 1, sizeof (double))) != NULL;
  return complete;
}

/* ROW is for all cells, unless there is no ACTIVE; then the rows are put where they belong at once. */
static void
fill_matrix (Prisms *self, View *view, const Mesh *mesh, const double *receivers, const TuttiOperatorParameter *active,
             double *row)
{
  for (size_t d = 0; d < self->n_receivers; d++)
    {
      double *target = self->sensitivity + d * self->n_columns;
      fill_row (view, mesh, receivers + 3 * d, active != NULL ? row : target);
      for (size_t c = 0; active != NULL && c < active->n; c++)
        target[c] = row[(size_t)active->values[c]];
    }
}

static void
prisms_destroy (void *data)
{
  Prisms *self = data;

  free (self->sensitivity);
  free (self);
}

static void *
out_of_memory (size_t rows, size_t columns, char *error)
{
  snprintf (error, TUTTI_OPERATOR_ERROR_SIZE,
            "there is no memory for the sensitivities of %zu receivers to %zu cells (%.0f MB)", rows, columns,
            8e-6 * (double)rows * (double)columns);
  return NULL;
}

/* The operator, for parameters that fit together. */
static void *
prisms_new (const Mesh *mesh, const TuttiOperatorParameter *receivers, const TuttiOperatorParameter *active,
            char *error)
{
  size_t n_cells = mesh->n[X] * mesh->n[Y] * mesh->n[Z];
  Prisms *self = calloc (1, sizeof *self);
  double *row = calloc (active != NULL ? n_cells : 1, sizeof *row);
  View view;
  int complete = view_init (&view, mesh) && self != NULL && row != NULL;

  if (complete)
    {
      *self = (Prisms){ .n_receivers = receivers->n / 3, .n_columns = active != NULL ? active->n : n_cells };
      self->sensitivity = calloc (self->n_receivers * self->n_columns, sizeof *self->sensitivity);
      complete = self->sensitivity != NULL;
    }
  if (complete)
    fill_matrix (self, &view, mesh, receivers->values, active, row);
  view_clear (&view);
  free (row);
  if (complete)
    return self;
  free (self);
  return out_of_memory (receivers->n / 3, active != NULL ? active->n : n_cells, error);
}

/* How many cells there are; 0 after writing ERROR, if BLAS could not count them. */
static size_t
count_cells (const TuttiOperatorParameter *const widths[3], char *error)
{
  double n = (double)widths[X]->n * (double)widths[Y]->n * (double)widths[Z]->n;

  if (n <= INT_MAX)
    return widths[X]->n * widths[Y]->n * widths[Z]->n;
  snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "the mesh has %zu x %zu x %zu cells, expected at most %d in all",
            widths[X]->n, widths[Y]->n, widths[Z]->n, INT_MAX);
  return 0;
}

static void *
prisms_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  static const double zero[3] = { 0, 0, 0 };
  const TuttiOperatorParameter *widths[3], *origin = find_parameter (parameters, n, "origin");
  const TuttiOperatorParameter *active = find_parameter (parameters, n, "active");

  for (int axis = X; axis <= Z; axis++)
    if ((widths[axis] = get_widths (parameters, n, width_names[axis], error)) == NULL)
      return NULL;
  if (origin != NULL
      && (origin = get_points (parameters, n, "origin", "west, south, bottom corner in m", 1, error)) == NULL)
    return NULL;
  const TuttiOperatorParameter *receivers
    = get_points (parameters, n, "receivers", "x, y, z of each in m", INT_MAX, error);
  size_t n_cells = receivers != NULL ? count_cells (widths, error) : 0;
  if (n_cells == 0)
    return NULL;
  if (active != NULL
      && (get_numbers (parameters, n, "active", "numbers of the cells that count", error) == NULL
          || !check_active (active, n_cells, error)))
    return NULL;

  Mesh mesh;
  Prisms *self = mesh_init (&mesh, widths, origin != NULL ? origin->values : zero)
                   ? prisms_new (&mesh, receivers, active, error)
                   : out_of_memory (receivers->n / 3, n_cells, error);
  mesh_clear (&mesh);
  if (self == NULL)
    return NULL;
  *domain = self->n_columns;
  *codomain = self->n_receivers;
  return self;
}

/* --- the linear map ----------------------------------------------------------------------------------------------- */

static int
prisms_evaluate (void *data, const double *x, double *y, char *error)
{
  const Prisms *self = data;
  int rows = (int)self->n_receivers, columns = (int)self->n_columns;

  (void)error;
  cblas_dgemv (CblasRowMajor, CblasNoTrans, rows, columns, 1, self->sensitivity, columns, x, 1, 0, y, 1);
  return 0;
}

/* The derivative is the operator itself: there is nothing to keep. */
static int
prisms_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  *derivative = NULL;
  return prisms_evaluate (data, x, y, error);
}

static int
prisms_derivative (void *data, void *derivative, const double *h, double *dy, char *error)
{
  (void)derivative;
  return prisms_evaluate (data, h, dy, error);
}

/* Who asks for the whole matrix asks with unit vectors. The number of the one entry of DY that is not 0, or N. */
static size_t
find_single (const double *dy, size_t n)
{
  size_t found = n;

  for (size_t i = 0; i < n; i++)
    if (dy[i] != 0)
      {
        if (found < n)
          return n;
        found = i;
      }
  return found;
}

static int
prisms_adjoint (void *data, void *derivative, const double *dy, double *dx, char *error)
{
  const Prisms *self = data;
  int rows = (int)self->n_receivers, columns = (int)self->n_columns;
  size_t single = find_single (dy, self->n_receivers);

  (void)derivative, (void)error;
  if (single < self->n_receivers)
    for (size_t c = 0; c < self->n_columns; c++)
      dx[c] = dy[single] * self->sensitivity[single * self->n_columns + c];
  else
    cblas_dgemv (CblasRowMajor, CblasTrans, rows, columns, 1, self->sensitivity, columns, dy, 1, 0, dx, 1);
  return 0;
}

static void
prisms_derivative_free (void *data, void *derivative)
{
  (void)data, (void)derivative;
}

static const char *const prisms_parameters[] = { "hx", "hy", "hz", "origin", "receivers", "active", NULL };

static const TuttiOperatorClass classes[] = {
  {
    .name = "prisms",
    .description
    = "densities (g/cc) of the cells of a mesh -> upward gravity (mGal) at 'receivers' (x, y, z of each, m, z "
      "upwards); "
      "'hx', 'hy', 'hz': widths of the cells (m), 'origin': west, south, bottom corner (m; 0, 0, 0); cell i, j, k is "
      "number i + nx (j + ny k); 'active': numbers of the cells that the densities are of (all)",
    .parameters = prisms_parameters,
    .linear = 1,
    .create = prisms_create,
    .destroy = prisms_destroy,
    .evaluate = prisms_evaluate,
    .linearize = prisms_linearize,
    .derivative = prisms_derivative,
    .adjoint = prisms_adjoint,
    .derivative_free = prisms_derivative_free,
  },
};

extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = {
  .abi = TUTTI_OPERATOR_ABI,
  .name = "gravity",
  .description = "gravity of rectangular prisms",
  .n_classes = sizeof classes / sizeof *classes,
  .classes = classes,
};
