/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The primitive for discrete Fourier transforms. */
#include "bindings/guile-error.h"
#include "bindings/guile-numbers.h"
#include "bindings/guile-operator.h"
#include "module/fourier-math.h"

/* The number of numbers in DIMS, a list, whose items go to DIMENSIONS and, as text for people, to TEXT. */
static size_t
read_dimensions (SCM dims, int dimensions[TTI_FOURIER_MAX_RANK], guint *rank, char *text, size_t text_size,
                 const char *who)
{
  long length = scm_ilength (dims);
  size_t n = 1, used = 0;

  if (length < 0 || length > TTI_FOURIER_MAX_RANK)
    scm_wrong_type_arg_msg (who, 1, dims, "list of at most " G_STRINGIFY (TTI_FOURIER_MAX_RANK) " dimensions");
  *rank = (guint)length;
  text[0] = '\0';
  for (guint i = 0; i < *rank; i++, dims = scm_cdr (dims))
    {
      dimensions[i] = tti_guile_to_dimension (scm_car (dims));
      if (used < text_size)
        used += (size_t)g_snprintf (text + used, text_size - used, "%s%d", i > 0 ? " x " : "", dimensions[i]);
      /* No vector has so many numbers. */
      if (__builtin_mul_overflow (n, (size_t)dimensions[i], &n))
        scm_out_of_range (who, scm_car (dims));
    }
  return n;
}

/* (%fourier dims x inverse?) -> a new c64vector: the unitary transform of X, which has the dimensions DIMS,
 * row-major */
static SCM
fourier (SCM dims, SCM x, SCM inverse)
{
  static const char who[] = "fourier";
  GError *error = NULL;
  int dimensions[TTI_FOURIER_MAX_RANK];
  char text[128];
  guint rank;
  size_t n = read_dimensions (dims, dimensions, &rank, text, sizeof text, who);
  TtiNumbers numbers = tti_guile_any_numbers (x, who, 2);

  if (numbers.n != n)
    tti_guile_raise_sizes (who, n, numbers.n, "the dimensions (%s) need %zu numbers, the vector has %zu", text, n,
                           numbers.n);
  TtiNumbers result = tti_guile_new_any (n, TRUE);
  if (!tti_fourier_transform (dimensions, rank, numbers.data, numbers.is_complex, result.data, scm_is_true (inverse),
                              &error))
    tti_guile_raise (who, error);
  scm_remember_upto_here_1 (x);
  return result.vector;
}

void
tti_guile_init_fourier (void)
{
  scm_c_define_gsubr ("%fourier", 3, 0, 0, fourier);
}
