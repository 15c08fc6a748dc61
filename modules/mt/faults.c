/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Faulty samples: spikes, steps and bursts.
 *
 * Natural fields have events too, but a magnetic event induces an electric one: a field that is many times stronger than usual in one
 * of the two kinds of channels, and not in the other, is noise. The strength of a sample is its distance from the mean of its
 * neighbours (two where the series is smooth, more where it is not), in units of the median. It is computed for single samples, for
 * blocks of several lengths, and again for averages over 4, 16 ... samples, so that noise is found in whichever part of the spectrum
 * it is. */
#include "mt/faults.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPIKE 4.5F        /* one sample of normal noise in a hundred thousand is as strong, and to take that for a spike does no harm */
#define SPIKE_NEAR 3      /* beside a block that is noise */
#define SPIKE_ALONE 12    /* where there is one kind of channels only */
#define SPIKE_RATIO 3     /* as strong as in the other kind */
#define PASSES 6          /* spikes hide their neighbours */
#define MANY 4            /* neighbours on each side of a sample */
#define CORRUPTS 0.1        /* of the power of fields */
#define MOST 0.5          /* of the time: more than that is no exception */
#define MOST_SPIKES 0.1
#define LEAST 256         /* samples of a scale */

static int
by_size (const void *a, const void *b)
{
  float x = *(const float *)a, y = *(const float *)b;

  return (x > y) - (x < y);
}

double
median_of (const float *numbers, const uint8_t *bad, int bits, size_t n, float *spare)
{
  enum { ENOUGH = 20000 };
  size_t count = 0, stride = n / ENOUGH + 1;

  for (size_t i = 0; i < n; i += stride)
    if (bad == NULL || !(bad[i] & bits))
      spare[count++] = numbers[i];
  qsort (spare, count, sizeof *spare, by_size);
  return count > 0 ? (double)spare[count / 2] : 0;
}

/* The flags of what is bad in CHANNEL. */
static uint8_t
bits_of (size_t channel)
{
  return TUTTI_MT_BAD (channel) | TUTTI_MT_BAD_ALL;
}

/* Draws straight lines over the samples that have one of BITS. */
static void
fill (float *x, const uint8_t *bad, int bits, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (bad[i] & bits)
      {
        size_t end = i;

        while (end < n && (bad[end] & bits))
          end++;
        float before = i > 0 ? x[i - 1] : end < n ? x[end] : 0, after = end < n ? x[end] : before;
        for (size_t k = i; k < end; k++)
          x[k] = before + (after - before) * (float)(k - i + 1) / (float)(end - i + 1);
        i = end;
      }
}

/* How far each of N samples is from the mean of HALF neighbours on each side. */
static void
find_distance (const float *x, size_t n, size_t half, float *distance)
{
  memset (distance, 0, n * sizeof *distance);
  for (size_t i = half; i + half < n; i++)
    {
      float sum = 0;

      for (size_t k = 1; k <= half; k++)
        sum += x[i - k] + x[i + k];
      distance[i] = fabsf (x[i] - sum / (float)(2 * half));
    }
}

/* A few spikes do not make a block noisy. */
static float
block_median (const float *block)
{
  float sorted[BLOCK];

  for (int i = 0; i < BLOCK; i++)
    {
      int k = i;

      for (; k > 0 && sorted[k - 1] > block[i]; k--)
        sorted[k] = sorted[k - 1];
      sorted[k] = block[i];
    }
  return sorted[BLOCK / 2];
}

/* The number of neighbours that predicts a sample best. */
static void
choose_neighbours (Scale *scale, size_t c)
{
  size_t n = scale->n;
  float *own = scale->own + c * n;
  double least = INFINITY;

  for (size_t half = 1; half <= MANY; half *= MANY)
    {
      find_distance (scale->x + c * n, n, half, own);
      double usual = median_of (own, scale->bad, bits_of (c), n, scale->spare);
      if (usual < least)
        {
          least = usual;
          scale->neighbours[c] = half;
        }
    }
}

static void
find_strength (Scale *scale)
{
  size_t n = scale->n, blocks = n / BLOCK;

  for (int kind = 0; kind < KINDS; kind++)
    {
      memset (scale->strength[kind], 0, n * sizeof (float));
      memset (scale->power[kind], 0, blocks * sizeof (float));
      scale->has[kind] = 0;
    }
  for (size_t c = 0; c < scale->channels; c++)
    {
      int kind = scale->kinds[c];
      float *x = scale->x + c * n, *own = scale->own + c * n;

      fill (x, scale->bad, bits_of (c), n);
      if (scale->neighbours[c] == 0)
        choose_neighbours (scale, c);
      find_distance (x, n, scale->neighbours[c], own);
      double usual = scale->usual[c] = median_of (own, scale->bad, bits_of (c), n, scale->spare) / NORMAL;
      if (!(usual > 0))
        {
          memset (own, 0, n * sizeof *own);
          continue;
        }
      for (size_t i = 0; i < n; i++)
        own[i] = (float)(own[i] / usual);
      if (kind >= KINDS)
        continue;
      scale->has[kind] = 1;
      for (size_t i = 0; i < n; i++)
        scale->strength[kind][i] = fmaxf (scale->strength[kind][i], own[i]);
      for (size_t b = 0; b < blocks; b++)
        {
          float middle = block_median (own + b * BLOCK);

          scale->power[kind][b] = fmaxf (scale->power[kind][b], middle * middle);
        }
    }
}

static float
around (const float *numbers, size_t n, size_t i)
{
  float most = 0;

  for (size_t k = i > 1 ? i - 1 : 0; k < n && k <= i + 1; k++)
    most = fmaxf (most, numbers[k]);
  return most;
}

static int
is_spike (const float *strength, size_t i)
{
  return strength[i] > SPIKE && strength[i] >= strength[i - 1] && strength[i] >= strength[i + 1];
}

/* Do spikes in the two kinds coincide more often than by chance? Then some of them are due to lightning. */
static int
spikes_go_together (const Scale *scale)
{
  size_t n = scale->n, count[KINDS] = { 0 }, common = 0;

  for (size_t i = 1; i + 1 < n; i++)
    {
      int electric = is_spike (scale->strength[ELECTRIC], i);

      count[ELECTRIC] += electric;
      count[MAGNETIC] += is_spike (scale->strength[MAGNETIC], i);
      common += electric && around (scale->strength[MAGNETIC], n, i) > SPIKE;
    }
  double chance = 3.0 * (double)count[MAGNETIC] * (double)count[ELECTRIC] / (double)n;
  return (double)common > 2 * chance + 5;
}

/* Of several in a row the strongest is bad: the others may be conspicuous only because of it. Returns how many were found. */
static size_t
find_spikes (Scale *scale, const uint8_t *noisy)
{
  size_t n = scale->n, blocks = n / BLOCK, found = 0;
  int both = scale->has[MAGNETIC] && scale->has[ELECTRIC], together = both && spikes_go_together (scale);

  for (size_t c = 0; c < scale->channels; c++)
    {
      const float *own = scale->own + c * n, *other = scale->strength[scale->kinds[c] == MAGNETIC ? ELECTRIC : MAGNETIC];
      int alone = !both || scale->kinds[c] >= KINDS;

      for (size_t i = 1; i + 1 < n; i++)
        {
          if ((scale->bad[i] & bits_of (c)) || !(own[i] > SPIKE_NEAR && own[i] >= own[i - 1] && own[i] >= own[i + 1]))
            continue;
          size_t b = i / BLOCK;
          int near = (b > 0 && b <= blocks && noisy[b - 1]) || (b + 1 < blocks && noisy[b + 1]);

          if (own[i] > (alone ? SPIKE_ALONE : near ? SPIKE_NEAR : SPIKE)
              && (own[i] > SPIKE_RATIO * around (other, n, i) || (!together && !near && around (other, n, i) > SPIKE)))
            {
              double strength = (double)own[i] * scale->usual[c];

              scale->bad[i] |= near ? TUTTI_MT_BAD_ALL : TUTTI_MT_BAD (c);
              scale->excess[c] += strength * strength / (double)n;
              found++;
            }
        }
    }
  return found;
}

/* Adds to the faults of SCALE those in its own part of the spectrum; long ones are faults of all channels. NOISY has a byte for each
 * block. */
static void
examine (Scale *scale, uint8_t *noisy)
{
  size_t blocks = scale->n / BLOCK;

  memset (noisy, 0, blocks);
  memset (scale->neighbours, 0, sizeof scale->neighbours);
  for (int pass = 0; pass < PASSES; pass++)
    {
      find_strength (scale);
      if (pass == 0)
        {
          find_bursts (scale, noisy);
          for (size_t b = 0; b < blocks; b++)
            if (noisy[b])
              for (size_t i = b * BLOCK; i < (b + 1) * BLOCK; i++)
                scale->bad[i] |= TUTTI_MT_BAD_ALL;
        }
      if (find_spikes (scale, noisy) == 0)
        break;
    }
  tutti_mt_join_gaps (scale->bad, scale->n, scale->channels);
}

/* Replaces the samples by averages over STEP of them, without their faults; an average is bad if most of its samples are. */
static int
coarsen (Scale *scale, size_t step)
{
  size_t n = scale->n / step;

  for (size_t c = 0; c < scale->channels; c++)
    {
      const float *x = scale->x + c * scale->n;

      for (size_t i = 0; i < scale->n; i++)
        scale->mended[i] = (double)x[i];
      if (tutti_mt_mend (scale->mended, scale->n, scale->bad, scale->bad, 0, c, 0, scale->spare_flags) < 0)
        return TUTTI_MT_NO_MEMORY;
      for (size_t i = 0; i < n; i++)
        {
          double sum = 0;

          for (size_t k = 0; k < step; k++)
            sum += scale->mended[i * step + k];
          scale->x[c * n + i] = (float)(sum / (double)step);
        }
    }
  for (size_t i = 0; i < n; i++)
    {
      size_t bad = 0;

      for (size_t k = 0; k < step; k++)
        bad += scale->bad[i * step + k] != 0;
      scale->bad[i] = 2 * bad > step ? TUTTI_MT_BAD_ALL : 0;
    }
  scale->n = n;
  return 0;
}

/* A sample of SCALE, number K, stands for FACTOR samples of the measurement. Marks in these what was found in SCALE and is not marked
 * BEFORE: as bursts, except for single samples of the measurement itself. What is found in too many samples is not marked. */
static void
report (const Scale *scale, int k, size_t factor, const uint8_t *before, uint8_t *bad, uint8_t *bursts, size_t n)
{
  size_t count = 0;

  for (size_t i = 0; i < scale->n; i++)
    count += scale->bad[i] != 0;
  if ((double)count > MOST * (double)scale->n)
    return;
  for (size_t i = 0; i < scale->n; i++)
    for (size_t at = i * factor; scale->bad[i] != before[i] && at < (i + 1) * factor && at < n; at++)
      {
        uint8_t found = scale->bad[i] & (uint8_t)~before[i];

        bad[at] |= k == 0 && (found & TUTTI_MT_BAD_ALL) == 0 ? found : 0;
        bursts[at] |= k > 0 || (found & TUTTI_MT_BAD_ALL) != 0 ? (uint8_t)(1U << k) : 0;
      }
}

/* Is noise of a finer scale, of EXCESS at samples that are averages over FINER, visible in SCALE, whose samples are averages over
 * FACTOR? If its spectrum is white, the power of an average is inversely proportional to the number of samples. */
static int
is_reached (const Scale *scale, size_t factor, const double *excess, size_t finer)
{
  for (size_t c = 0; c < scale->channels; c++)
    if (scale->kinds[c] < KINDS
        && excess[c] * (double)finer > CORRUPTS * scale->usual[c] * scale->usual[c] * (double)factor)
      return 1;
  return 0;
}

static int
examine_scales (Scale *scale, uint8_t *noisy, uint8_t *before, uint8_t *bad, uint8_t *bursts, int32_t *reaches)
{
  enum { STEP = 4 };
  size_t n = scale->n, factors[TUTTI_MT_SCALES] = { 1 };
  double excess[TUTTI_MT_SCALES][8];

  for (int k = 0; k < TUTTI_MT_SCALES; k++)
    reaches[k] = k;
  for (int k = 0; k < TUTTI_MT_SCALES && scale->n >= LEAST * (k > 0 ? STEP : 1); k++)
    {
      if (k > 0 && coarsen (scale, STEP) != 0)
        return TUTTI_MT_NO_MEMORY;
      factors[k] = k > 0 ? factors[k - 1] * STEP : 1;
      memcpy (before, scale->bad, scale->n);
      examine (scale, noisy);
      report (scale, k, factors[k], before, bad, bursts, n);
      memcpy (excess[k], scale->excess, sizeof scale->excess);
      for (int j = 0; j < k; j++)
        if (reaches[j] == k - 1 && is_reached (scale, factors[k], excess[j], factors[j]))
          reaches[j] = k;
    }
  return 0;
}

static double
share (const uint8_t *bad, size_t n, int bits)
{
  size_t count = 0;

  for (size_t i = 0; i < n; i++)
    count += (bad[i] & bits) != 0;
  return (double)count / (double)n;
}

/* Discards what was found if it is too much to be an exception; GAPS do not count. */
static void
take_exceptions (uint8_t *bad, uint8_t *bursts, const uint8_t *gaps, size_t n, size_t channels)
{
  int many = share (bursts, n, 0xff) > MOST;

  for (size_t c = 0; c < channels; c++)
    many |= share (bad, n, TUTTI_MT_BAD (c)) - share (gaps, n, TUTTI_MT_BAD (c)) > MOST_SPIKES;
  if (many)
    {
      memcpy (bad, gaps, n);
      memset (bursts, 0, n);
    }
}

int
tutti_mt_find_faults (float *x, size_t n, size_t channels, const uint8_t *kinds, uint8_t *bad, uint8_t *bursts, int32_t *reaches)
{
  Scale scale = { .n = n, .channels = channels, .x = x, .kinds = kinds };
  size_t blocks = n / BLOCK;
  float *numbers = malloc (((3 + channels) * n + 2 * blocks + 1) * sizeof *numbers);
  uint8_t *flags = malloc (4 * n + blocks + 1);
  int status = TUTTI_MT_NO_MEMORY;

  scale.mended = malloc ((n + 1) * sizeof *scale.mended);
  if (numbers != NULL && flags != NULL && scale.mended != NULL)
    {
      uint8_t *gaps = flags + 2 * n;

      scale.strength[0] = numbers;
      scale.strength[1] = numbers + n;
      scale.spare = numbers + 2 * n;
      scale.own = numbers + 3 * n;
      scale.power[0] = scale.own + channels * n;
      scale.power[1] = scale.power[0] + blocks;
      scale.bad = flags;
      scale.spare_flags = flags + n;
      tutti_mt_join_gaps (bad, n, channels);
      memcpy (flags, bad, n);
      memcpy (gaps, bad, n);
      memset (bursts, 0, n);
      status = examine_scales (&scale, flags + 4 * n, flags + 3 * n, bad, bursts, reaches);
      take_exceptions (bad, bursts, gaps, n, channels);
    }
  free (numbers);
  free (flags);
  free (scale.mended);
  return status;
}
