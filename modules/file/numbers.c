/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Numbers in another order of bytes, in another order of indices, and of 16 bits. */
#include "file/file.h"
#include <math.h>
#include <string.h>

void
tutti_file_swap (void *numbers, size_t width, size_t count)
{
  unsigned char *p = numbers;

  for (size_t i = 0; i < count; i++, p += width)
    switch (width)
      {
      case 2:
        {
          uint16_t x;
          memcpy (&x, p, sizeof x);
          x = __builtin_bswap16 (x);
          memcpy (p, &x, sizeof x);
          break;
        }
      case 4:
        {
          uint32_t x;
          memcpy (&x, p, sizeof x);
          x = __builtin_bswap32 (x);
          memcpy (p, &x, sizeof x);
          break;
        }
      case 8:
        {
          uint64_t x;
          memcpy (&x, p, sizeof x);
          x = __builtin_bswap64 (x);
          memcpy (p, &x, sizeof x);
          break;
        }
      default:
        return;
      }
}

/* Inlined once for each width, so that copying an item is one move. */
static inline __attribute__ ((always_inline)) void
place (const unsigned char *items, size_t width, uint64_t first, size_t count, size_t rank, const uint64_t *shape, unsigned char *array)
{
  uint64_t index[rank + 1], stride[rank + 1], at = 0, step = 1;

  for (size_t d = rank; d-- > 0;)
    {
      stride[d] = step;
      step *= shape[d];
    }
  for (size_t d = 0; d < rank; d++)
    {
      index[d] = first % shape[d];
      first /= shape[d];
      at += index[d] * stride[d];
    }
  for (size_t i = 0; i < count; i++)
    {
      memcpy (array + at * width, items + i * width, width);
      for (size_t d = 0; d < rank; d++)
        {
          at += stride[d];
          if (++index[d] < shape[d])
            break;
          at -= shape[d] * stride[d];
          index[d] = 0;
        }
    }
}

void
tutti_file_place (const void *items, size_t width, uint64_t first, size_t count, size_t rank, const uint64_t *shape, void *array)
{
  if (count == 0)   /* then a length may be 0 */
    return;
  switch (width)
    {
    case 1: place (items, 1, first, count, rank, shape, array); break;
    case 2: place (items, 2, first, count, rank, shape, array); break;
    case 4: place (items, 4, first, count, rank, shape, array); break;
    case 8: place (items, 8, first, count, rank, shape, array); break;
    case 16: place (items, 16, first, count, rank, shape, array); break;
    default: place (items, width, first, count, rank, shape, array); break;
    }
}

void
tutti_file_widen (const uint16_t *half, size_t count, float *numbers)
{
  for (size_t i = 0; i < count; i++)
    {
      unsigned int exponent = half[i] >> 10 & 31, fraction = half[i] & 1023;
      float x = exponent == 0    ? ldexpf ((float) fraction, -24)
                : exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                                 : ldexpf ((float) (fraction + 1024), (int) exponent - 25);

      numbers[i] = half[i] & 0x8000 ? -x : x;
    }
}
