/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the parts of the search for faults share. */
#pragma once
#include "mt/clean.h"

/* Hidden: the process that loads the module does not see these names. */
#pragma GCC visibility push(hidden)

#define NORMAL 0.6745     /* the median modulus of a normal number of variance 1 */
#define BLOCK 16

enum { MAGNETIC, ELECTRIC, KINDS, VERTICAL = KINDS };

typedef struct
{
  size_t n, channels;
  float *x;                   /* N of each channel */
  const uint8_t *kinds;       /* of each channel; noise is not searched for in the vertical field */
  uint8_t *bad;               /* N */
  float *own;                 /* strength, N of each channel */
  float *strength[KINDS];     /* N: the largest of the kind; 0: there is none */
  float *power[KINDS];        /* of each block */
  int has[KINDS];             /* is there a channel of the kind that is not dead? */
  float *spare;               /* N */
  double *mended;             /* N */
  size_t neighbours[8];       /* on each side, of each channel; 0: not known yet */
  double usual[8];            /* strength of each channel */
  double excess[8];           /* mean square of its noise in the blocks that were found here */
  uint8_t *spare_flags;       /* N */
} Scale;

/* The median of those of N numbers that have none of BITS in BAD, which may be NULL; of very many, that of a part. SPARE is
 * overwritten. */
double median_of (const float *numbers, const uint8_t *bad, int bits, size_t n, float *spare);

/* Finds which blocks are NOISY: stronger in one kind of channels than the other kind lets expect, and not explained by that; and the
 * excess of the scale. */
void find_bursts (Scale *scale, uint8_t *noisy);

#pragma GCC visibility pop
