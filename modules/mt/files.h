/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is in files of magnetotelluric data: columns of numbers, and checksums. Memory is the caller's. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* What may be wrong with a file; the order is that of (tutti mt series). */
enum
{
  TUTTI_MT_GOOD,
  TUTTI_MT_NO_NUMBER,      /* a column of a line is no number */
  TUTTI_MT_NOT_FINITE,     /* it is, but not a finite one */
  TUTTI_MT_FEW_COLUMNS,
  TUTTI_MT_MANY_COLUMNS,
  TUTTI_MT_FEW_LINES,
  TUTTI_MT_MANY_LINES
};

/* CRC-32 (that of zlib) of SIZE bytes, continued from CRC: that of the bytes before them, 0 at the start. */
uint32_t tutti_mt_checksum (uint32_t crc, const void *bytes, size_t size);

/* Writes to Y, one after the other, COUNT columns from number FIRST (from 0) on of the N lines of COLUMNS numbers in TEXT. Columns are
 * apart by blanks or commas; empty lines, and what follows a #, are nothing. Returns one of the above; PLACE is then the line and the
 * column, both from 1, or the number of lines with numbers. */
int tutti_mt_text_columns (const char *text, size_t size, size_t first, size_t count, size_t columns, double *y, size_t n,
                           uint64_t *place);

/* Writes to Y column number COLUMN of N rows of COLUMNS little-endian numbers of four bytes, float, or else int32, times SCALE. The
 * first of PLACE is the row at fault, from 0. */
int tutti_mt_binary_column (const void *bytes, int is_float, size_t column, size_t columns, double scale, double *y, size_t n,
                            uint64_t *place);
