/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which samples of a measurement are no field, and what is put in their places. Memory is the caller's; functions that return int
 * return 0, if nothing else is said, or TUTTI_MT_NO_MEMORY. */
#pragma once
#include "mt/mt.h"

/* Where a sample is bad: a bit for each channel, of which there are up to 7, and one for what is bad for so long that it is taken out of
 * all of them. */
#define TUTTI_MT_BAD(channel) ((uint8_t)(1U << (channel)))
#define TUTTI_MT_BAD_ALL ((uint8_t)0x80)

/* Marks for all CHANNELS what is bad for long in one. */
void tutti_mt_join_gaps (uint8_t *bad, size_t n, size_t channels);

/* How many scales there are: averages over 1, 4, 16 … samples. */
#define TUTTI_MT_SCALES 5

/* Adds to BAD, in which gaps are marked, spikes and steps in the CHANNELS of N samples, one after the other in X; and writes to BURSTS, a
 * bit for each scale that they were found at, noise in one kind of channels. That of a scale spoils the others up to number REACHES of
 * it, in which fields are not stronger than the noise would be. KINDS has 0 for each horizontal magnetic channel, 1 for an electric
 * one, and 2 for another; X is changed. */
int tutti_mt_find_faults (float *x, size_t n, size_t channels, const uint8_t *kinds, uint8_t *bad, uint8_t *bursts,
                          int32_t *reaches);

/* A fault of fewer samples is filled in by what is likely, one of more by nothing. */
#define TUTTI_MT_SHORT 16
#define TUTTI_MT_SIDE 8                                    /* samples on each side that say what is likely */
#define TUTTI_MT_LAGS (TUTTI_MT_SHORT + 2 * TUTTI_MT_SIDE) /* of a variogram */

/* The variogram of N samples for the lags from 0. */
void tutti_mt_variogram (const double *y, const uint8_t *bad, size_t n, double *variogram);

/* Puts into Y from FIRST to END, not included, at most TUTTI_MT_SHORT samples, what is likely. Returns whether that can be told. */
int tutti_mt_interpolate (double *y, const uint8_t *bad, size_t n, size_t first, size_t end, const double *variogram);

/* Copies N samples in single precision. */
void tutti_mt_copy_single (const double *y, size_t n, float *x);

/* Takes the steps out of the N samples Y that are at samples which are BAD for all channels or for number CHANNEL, or in BURSTS by one of
 * BITS, and fills in these: a few by what is LIKELY, else by straight lines; OWN says which they are. Returns 1 if there are any. */
int tutti_mt_mend (double *y, size_t n, const uint8_t *bad, const uint8_t *bursts, int bits, size_t channel, int likely, uint8_t *own);

/* What is bad in M samples at a FACTOR times lower rate, of which number J is at OFFSET + J FACTOR of N: where most is around it. */
void tutti_mt_decimate_flags (const uint8_t *bad, size_t n, ssize_t offset, size_t factor, uint8_t *less, size_t m);
