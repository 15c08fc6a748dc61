/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which samples of a measurement are faults, and by what they are replaced. Memory is the caller's; functions that return int
 * return 0, unless something else is stated, or TUTTI_MT_NO_MEMORY. */
#pragma once
#include "mt/mt.h"

/* The channels in which a sample is bad: a bit for each channel, up to 7, and one for faults that are so long that they are taken out
 * of all channels. */
#define TUTTI_MT_BAD(channel) ((uint8_t)(1U << (channel)))
#define TUTTI_MT_BAD_ALL ((uint8_t)0x80)

/* Marks the long faults of each channel as faults of all CHANNELS. */
void tutti_mt_join_gaps (uint8_t *bad, size_t n, size_t channels);

/* How many scales there are: averages over 1, 4, 16 … samples. */
#define TUTTI_MT_SCALES 5

/* X has the CHANNELS, N samples each, one after the other; it is changed. BAD, in which gaps are marked, also gets the spikes and
 * steps. BURSTS gets the noise in one kind of channels, a bit for each scale at which it was found. The noise of a scale also
 * corrupts the scales up to number REACHES of it, in which fields are not stronger than the noise would be. KINDS has 0 for each
 * horizontal magnetic channel, 1 for an electric one, and 2 for another. */
int tutti_mt_find_faults (float *x, size_t n, size_t channels, const uint8_t *kinds, uint8_t *bad, uint8_t *bursts,
                          int32_t *reaches);

/* A fault of fewer samples is filled in with likely values, a longer one with a straight line. */
#define TUTTI_MT_SHORT 16
#define TUTTI_MT_SIDE 8                                    /* samples on each side from which likely values follow */
#define TUTTI_MT_LAGS (TUTTI_MT_SHORT + 2 * TUTTI_MT_SIDE) /* of a variogram */

/* The variogram of N samples for the lags from 0. */
void tutti_mt_variogram (const double *y, const uint8_t *bad, size_t n, double *variogram);

/* Writes likely values to Y from FIRST to END, not included: at most TUTTI_MT_SHORT samples. Returns whether there were enough samples to
 * estimate them from. */
int tutti_mt_interpolate (double *y, const uint8_t *bad, size_t n, size_t first, size_t end, const double *variogram);

/* Copies N samples in single precision. */
void tutti_mt_copy_single (const double *y, size_t n, float *x);

/* Faulty samples are those that are BAD for all channels or for number CHANNEL, and those that have one of BITS in BURSTS. Removes
 * the steps at them from the N samples Y, and fills the faults in: short ones by LIKELY values, long ones by straight lines; OWN
 * marks them. Returns 1 if there are any. */
int tutti_mt_mend (double *y, size_t n, const uint8_t *bad, const uint8_t *bursts, int bits, size_t channel, int likely, uint8_t *own);

/* Which of M samples at a FACTOR times lower rate are bad: sample J, which is at OFFSET + J FACTOR of N, if most samples around it
 * are. */
void tutti_mt_decimate_flags (const uint8_t *bad, size_t n, ssize_t offset, size_t factor, uint8_t *less, size_t m);
