/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* CRC-32, which detects damage to files. (It does not identify contents, as two files may have the same CRC: fingerprints are digests.)
 * With the polynomial of ISO 3309, eight bytes at a time (Kounavis & Berry 2005, "A systematic approach to building
 * high performance, software-based, CRC generators"): table k has the effect of a byte that k more bytes follow. */
#include "mt/files.h"
#include <pthread.h>

#define POLYNOMIAL 0xedb88320u

static uint32_t table[8][256];

static void
fill_table (void)
{
  for (uint32_t i = 0; i < 256; i++)
    {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; bit++)
        crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
      table[0][i] = crc;
    }
  for (int k = 1; k < 8; k++)
    for (int i = 0; i < 256; i++)
      table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
}

uint32_t
tutti_mt_checksum (uint32_t crc, const void *bytes, size_t size)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  const uint8_t *p = bytes;

  pthread_once (&once, fill_table);
  crc = ~crc;
  for (; size >= 8; size -= 8, p += 8)
    {
      uint32_t low = crc ^ (p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24);
      crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^ table[4][low >> 24]
            ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
  for (; size > 0; size--, p++)
    crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
  return ~crc;
}
