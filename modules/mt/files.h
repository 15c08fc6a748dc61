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
  TUTTI_MT_NOT_FINITE,     /* a number is not finite */
  TUTTI_MT_FEW_COLUMNS,
  TUTTI_MT_MANY_COLUMNS,
  TUTTI_MT_FEW_LINES,
  TUTTI_MT_MANY_LINES
};

/* CRC-32 (that of zlib) of SIZE bytes, continued from CRC: that of the bytes before them, 0 at the start. */
uint32_t tutti_mt_checksum (uint32_t crc, const void *bytes, size_t size);

/* Writes to Y, one after the other, COUNT columns from number FIRST (from 0) on of the N lines of COLUMNS numbers in TEXT. Columns
 * are separated by blanks or commas; empty lines, and what follows a #, are ignored; NaN, in upper or lower case, is read as such.
 * Returns one of the above; PLACE is then the line and the column, both from 1, or the number of lines with numbers. */
int tutti_mt_text_columns (const char *text, size_t size, size_t first, size_t count, size_t columns, double *y, size_t n,
                           uint64_t *place);

/* Kinds of numbers of binary files. */
enum
{
  TUTTI_MT_INT32,
  TUTTI_MT_FLOAT32,
  TUTTI_MT_INT16,
  TUTTI_MT_FLOAT64,
  TUTTI_MT_BIG_ENDIAN /* added to one of the others: the most significant byte is first */
};

/* Writes to Y column number COLUMN of N rows of COLUMNS numbers of KIND, times SCALE. What is not a number is written as
 * it is; at an infinite one TUTTI_MT_NOT_FINITE is returned, and the first of PLACE is its row, from 0. */
int tutti_mt_binary_column (const void *bytes, int kind, size_t column, size_t columns, double scale, double *y, size_t n,
                            uint64_t *place);

/* The kinds of gaps; the order is that of (tutti mt gaps). */
enum
{
  TUTTI_MT_MISSING,   /* not a number */
  TUTTI_MT_ZEROS,     /* zero, for longer than chance allows */
  TUTTI_MT_STUCK,     /* equal, for longer than chance allows */
  TUTTI_MT_SATURATED  /* at the end of the range of the instrument */
};

/* The extremes of N samples, which may be NaN. Writes to VALUES: the number up to which samples are at the lower extreme, the number
 * next to it, the number next to the upper extreme, and the number from which on samples are at that. Writes to COUNTS: how many
 * samples are at the lower extreme, in how many runs, and how many are next to it; then the same of the upper one. The number next to
 * an extreme is never the other extreme; it is infinite if there is none between them. */
void tutti_mt_extremes (const double *x, size_t n, double *values, uint64_t *counts);

/* How many runs of equal samples other than 0 there are, and how many of them have more than one sample; and the smallest difference of
 * successive samples that is not 0. */
void tutti_mt_repeats (const double *x, size_t n, uint64_t *counts, double *step);

/* Writes to GAPS the first sample, the one behind the last, and the kind of up to ROOM gaps: runs of samples that are NaN; that are
 * not between LOW and HIGH; that are zero, at least ZEROS of them; or that are otherwise equal, at least EQUAL of them, and begin or
 * end with a difference of more than STEP. Returns how many there are. */
size_t tutti_mt_gaps (const double *x, size_t n, double low, double high, double step, size_t zeros, size_t equal, uint64_t *gaps,
                      size_t room);

/* Puts a straight line between its neighbours in place of samples START to END, END not included. */
void tutti_mt_fill (double *x, size_t n, size_t start, size_t end);

/* Writes to NUMBERS how far N samples are from their straight line of least squares (root mean square), the largest modulus, the mean and
 * the slope. */
void tutti_mt_line (const double *x, size_t n, double *numbers);

/* Writes to NUMBERS the factor A for which A times X fits Y best, both without their straight lines, and the fraction of the power of
 * Y, or of its differences, that is left of Y - A X. */
void tutti_mt_proportion (const double *x, const double *y, size_t n, double *numbers);
