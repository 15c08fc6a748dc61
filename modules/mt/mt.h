/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The kernels of magnetotelluric processing.
 *
 * Memory is the caller's. Everything may be called in any number of threads; the same numbers give the same bits wherever
 * they are in memory. Functions that return int return 0, or TUTTI_MT_NO_MEMORY.
 *
 * Spectra of a channel are single complex numbers, a row of WIDTH for each window, of which the first is Fourier bin LO. */
#pragma once
#include <complex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TUTTI_MT_NO_MEMORY (-1)
#define TUTTI_MT_UNDETERMINED 1 /* regression: too few observations, or inputs that are linearly dependent */

/* Y[j], j < M, is X at OFFSET + j FACTOR without the frequencies above half the new sampling rate; all these places are within the N > 0
 * samples of X. FACTOR > 0. */
int tutti_mt_decimate (const double *x, size_t n, ssize_t offset, size_t factor, double *y, size_t m);

/* Removes the line at FREQUENCY, in cycles per sample, between 0 and a half, from the N samples Y. Where there is no line, it removes the
 * field within some 2 % of that frequency. */
int tutti_mt_notch (double *y, size_t n, double frequency);

/* The symmetric taper number KIND: barthann, bartlett, blackman, blackmanharris, bohman, chebwin, hamming, hann,
 * nuttall, parzen. */
int tutti_mt_taper (int kind, size_t size, double *w);

/* Bins LO <= bin < HI of the spectra of COUNT windows of SIZE samples, each STEP samples after the one before, from Y
 * on; TAPER may be NULL. |X|^2 / sampling rate is the one-sided power spectral density. A window without a field, which is a straight
 * line, has NaN in all bins, and so has one that is mostly BAD, which may be NULL. */
int tutti_mt_window_spectra (const double *y, const uint8_t *bad, size_t size, size_t step, size_t count, const double *taper, size_t lo,
                             size_t hi, float complex *spectra);

/* Statistic number KIND, in the order of (tutti mt kernel), of N windows of the channels, for each of the N_BANDS bands:
 * BANDS has the first bin, and the one after the last, of each. NUMBERS: component by window by band. HZ may be NULL,
 * and so may RHX and RHY, the remote site's, unless KIND is about them. */
int tutti_mt_statistic (int kind, const float complex *hx, const float complex *hy, const float complex *ex,
                        const float complex *ey, const float complex *hz, const float complex *rhx, const float complex *rhy,
                        size_t n, size_t width, size_t lo, const uint64_t *bands, const double *frequencies, size_t n_bands,
                        double rate, double *numbers);

/* Copies COUNT numbers from START on of each of the N rows of WIDTH in CHANNEL for which MASK is not 0 (NULL: of all) to
 * COLUMN. Returns how many. */
size_t tutti_mt_gather (const float complex *channel, size_t n, const uint8_t *mask, size_t width, size_t start,
                        size_t count, double complex *column);

/* The transfer functions from N_INPUTS columns of N numbers to N_OUTPUTS columns, by least squares (KIND 0), robustly (1), and with
 * bounded leverage (2); with REFERENCES, as many as inputs, unless that is NULL. Each GROUP of successive numbers is from one window;
 * N is a multiple of it. There are up to 7 inputs. TRANSFER and VARIANCES are outputs by inputs, SCALE and ITERATIONS have one number
 * for each output. PLACES, which may be NULL, has a number for each observation of a GROUP; OFFSETS gets its mean and its mean
 * square, weighted like the observations, two numbers for each output. SUPPORT gets three numbers for each output: how many windows
 * the estimate rests on, the mean weight of observations, and the fraction of the output's power that the inputs explain. May also
 * return TUTTI_MT_UNDETERMINED. */
int tutti_mt_regress (int kind, size_t n, size_t group, size_t n_outputs, size_t n_inputs, const double complex *outputs,
                      const double complex *inputs, const double complex *references, int intercept, const double *places,
                      double complex *transfer, double *variances, double *scale, int32_t *iterations, double *offsets, double *support);
