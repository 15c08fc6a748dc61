/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Observations for the regression, from the spectra of windows. */
#include "mt/mt.h"

size_t
tutti_mt_gather (const float complex *channel, size_t n, const uint8_t *mask, size_t width, size_t start, size_t count,
                 double complex *column)
{
  size_t written = 0;

  for (size_t window = 0; window < n; window++)
    if (mask == NULL || mask[window] != 0)
      for (size_t k = 0; k < count; k++)
        column[written++] = channel[window * width + start + k];
  return written;
}
