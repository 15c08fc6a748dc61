/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The unitary discrete Fourier transform, through FFTW.
 *
 * The same numbers give the same bits wherever they are in memory, however often, in whatever order sizes are asked
 * for and whatever else the process has FFTW do: plans are estimated, for memory of FFTW's own alignment, and without
 * the wisdom of earlier ones. */
#pragma once
#include <glib.h>

#define TTI_FOURIER_MAX_RANK 32

/* Y = the transform of X, both of DIMS[0] x ... x DIMS[RANK - 1] numbers, row-major; X is real or complex (pairs of
 * doubles), Y is complex, and may be X. Y_k = N^-1/2 sum_j X_j exp (-2 pi i j.k / dims), with +2 pi i if INVERSE.
 * Dimensions are from 0, the rank is at most TTI_FOURIER_MAX_RANK. TUTTI_ERROR_LIMIT: no memory. */
gboolean tti_fourier_transform (const int *dims, guint rank, const double *x, gboolean is_complex, double *y,
                                gboolean inverse, GError **error);
