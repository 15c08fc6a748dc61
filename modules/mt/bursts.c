/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Bursts of noise: blocks of samples in which the powers of electric and magnetic fields are not in their usual ratio, and the field
 * that is too strong is not coherent with the other one. */
#include "mt/faults.h"
#include <math.h>
#include <string.h>

#define STANDS_OUT 5      /* normal ratios of powers */

/* Of a noisy block: was it already known to be noisy when the present search began? */
enum { FOUND = 1, KNOWN };

/* The mean power in KIND of COUNT blocks from B on, without those that are known to be noisy; 0 if most of them are. */
static float
mean_power (const Scale *scale, int kind, const uint8_t *noisy, size_t b, size_t count)
{
  float sum = 0;
  size_t asked = 0;

  for (size_t k = b; k < b + count; k++)
    if (noisy[k] != KNOWN)
      {
        sum += scale->power[kind][k];
        asked++;
      }
  return 2 * asked >= count ? sum / (float)asked : 0;
}

/* The ratio of powers in both kinds of COUNT blocks from B on, as a logarithm, or NaN. */
static float
log_ratio (const Scale *scale, const uint8_t *noisy, size_t b, size_t count)
{
  float electric = mean_power (scale, ELECTRIC, noisy, b, count), magnetic = mean_power (scale, MAGNETIC, noisy, b, count);

  return electric > 0 && magnetic > 0 ? logf (electric / magnetic) : NAN;
}

/* The usual ratio, and how much it varies. Where the spectrum of the fields changes, or where there is always some noise, a ratio must
 * differ from the usual one by more. */
static void
usual_ratio (const Scale *scale, const uint8_t *noisy, size_t count, float *usual, float *spread)
{
  size_t blocks = scale->n / BLOCK, found = 0;
  float *ratios = scale->spare, *sorted = scale->spare + blocks;

  for (size_t b = 0; b + count <= blocks; b += count)
    {
      float ratio = log_ratio (scale, noisy, b, count);

      if (!isnan (ratio))
        ratios[found++] = ratio;
    }
  *usual = (float)median_of (ratios, NULL, 0, found, sorted);
  for (size_t i = 0; i < found; i++)
    ratios[i] = fabsf (ratios[i] - *usual);
  *spread = (float)(median_of (ratios, NULL, 0, found, sorted) / NORMAL);
}

/* The longer the blocks, the less noise must stand out in them; but natural fields, too, stand out by a few times when their spectrum
 * changes. */
static void
find_noisy_blocks (const Scale *scale, uint8_t *noisy)
{
  static const struct { size_t count; float ratio; } lengths[] = { { 1, 9 }, { 4, 7 }, { 16, 6 } };
  size_t blocks = scale->n / BLOCK;

  if (!scale->has[MAGNETIC] || !scale->has[ELECTRIC])
    return;
  for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
    {
      size_t count = lengths[l].count;
      float usual, spread, power[KINDS];

      usual_ratio (scale, noisy, count, &usual, &spread);
      float limit = fmaxf (logf (lengths[l].ratio), STANDS_OUT * spread);
      for (int kind = 0; kind < KINDS; kind++)
        power[kind] = lengths[l].ratio * (float)median_of (scale->power[kind], NULL, 0, blocks, scale->spare);
      for (size_t b = 0; b + count <= blocks; b++)
        {
          float ratio = log_ratio (scale, noisy, b, count) - usual;
          int kind = ratio > 0 ? ELECTRIC : MAGNETIC;

          if (fabsf (ratio) > limit && mean_power (scale, kind, noisy, b, count) > power[kind])
            for (size_t k = b; k < b + count; k++)
              noisy[k] = noisy[k] == KNOWN ? KNOWN : FOUND;
        }
      for (size_t b = 0; b < blocks; b++)
        noisy[b] = noisy[b] != 0 ? KNOWN : 0;
    }
  for (size_t b = 1; b + 1 < blocks; b++)
    if (noisy[b - 1] == KNOWN && noisy[b] == 0 && noisy[b + 1] == KNOWN)
      noisy[b] = FOUND;
}

/*** A field that is strong in one kind of channels, but coherent with the other kind, is natural. ***/

#define TERMS 6        /* two channels of the other kind at three times */
#define EXPLAINED 0.35 /* of the power, in addition to what chance explains */

/* Adds to SUMS, a symmetric matrix, the products of the TERMS and the channel C at sample I. */
static void
add_products (const Scale *scale, size_t c, const size_t *others, size_t i, double sums[][TERMS + 1])
{
  double terms[TERMS + 1];

  for (size_t t = 0; t <= TERMS; t++)
    {
      size_t channel = t < TERMS ? others[t % 2] : c, at = t < TERMS ? i + t / 2 - 1 : i;
      const float *x = scale->x + channel * scale->n + at;

      terms[t] = (double)(x[0] - 0.5F * (x[-1] + x[1]));
    }
  for (size_t s = 0; s <= TERMS; s++)
    for (size_t t = 0; t <= TERMS; t++)
      sums[s][t] += terms[s] * terms[t];
}

/* The fraction of the power of the last one that the others explain: they are eliminated one after the other. */
static double
explained (double sums[][TERMS + 1])
{
  double all = sums[TERMS][TERMS], diagonal[TERMS];

  for (size_t k = 0; k < TERMS; k++)
    diagonal[k] = sums[k][k];
  for (size_t k = 0; k < TERMS; k++)
    if (sums[k][k] > 1e-9 * diagonal[k])
      for (size_t i = k + 1; i <= TERMS; i++)
        {
          double factor = sums[i][k] / sums[k][k];

          for (size_t j = k; j <= TERMS; j++)
            sums[i][j] -= factor * sums[k][j];
        }
  return all > 0 ? 1 - sums[TERMS][TERMS] / all : 0;
}

/* The strongest channel in samples FIRST to END. */
static size_t
strongest (const Scale *scale, size_t first, size_t end)
{
  size_t result = 0;
  float most = -1;

  for (size_t c = 0; c < scale->channels; c++)
    {
      float sum = 0;

      for (size_t i = first; i < end && scale->kinds[c] < KINDS; i++)
        sum += fminf (scale->own[c * scale->n + i], 1e6F);
      if (sum > most)
        {
          most = sum;
          result = c;
        }
    }
  return result;
}

static int
is_nature (const Scale *scale, size_t first, size_t end)
{
  size_t c = strongest (scale, first, end), others[2], found = 0;
  double sums[TERMS + 1][TERMS + 1] = { 0 };

  for (size_t k = 0; k < scale->channels && found < 2; k++)
    if (scale->kinds[k] < KINDS && scale->kinds[k] != scale->kinds[c])
      others[found++] = k;
  if (found < 2 || end - first < 4 * TERMS)
    return 0;
  for (size_t i = first > 2 ? first : 2; i < end && i + 2 < scale->n; i++)
    add_products (scale, c, others, i, sums);
  return explained (sums) > EXPLAINED + TERMS / (double)(end - first);
}

/* Takes natural fields out of the blocks that are NOISY. */
static void
excuse (const Scale *scale, uint8_t *noisy)
{
  size_t blocks = scale->n / BLOCK;

  for (size_t b = 0, end; b < blocks; b = end)
    {
      end = b + 1;
      if (!noisy[b])
        continue;
      while (end < blocks && noisy[end])
        end++;
      if (is_nature (scale, b * BLOCK, end * BLOCK))
        memset (noisy + b, 0, end - b);
    }
}

static void
find_excess (Scale *scale, const uint8_t *noisy)
{
  size_t blocks = scale->n / BLOCK;

  for (size_t c = 0; c < scale->channels; c++)
    {
      double sum = 0;

      for (size_t b = 0; b < blocks; b++)
        for (size_t i = b * BLOCK; noisy[b] && i < (b + 1) * BLOCK; i++)
          sum += (double)scale->own[c * scale->n + i] * scale->own[c * scale->n + i] - 1;
      scale->excess[c] = scale->kinds[c] < KINDS ? sum / (double)scale->n * scale->usual[c] * scale->usual[c] : 0;
    }
}

void
find_bursts (Scale *scale, uint8_t *noisy)
{
  find_noisy_blocks (scale, noisy);
  excuse (scale, noisy);
  find_excess (scale, noisy);
}
