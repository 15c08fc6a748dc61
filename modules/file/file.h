/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Numbers and text on their way into files and out of them. Memory is the caller's. Everything may be called in any number of threads. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Turns round the bytes of COUNT numbers of WIDTH bytes, which is 1, 2, 4 or 8. */
void tutti_file_swap (void *numbers, size_t width, size_t count);

/* Puts COUNT items of WIDTH bytes, from number FIRST on of an array that is stored with its first index running fastest, where they
 * belong in ARRAY, in which the last one does. SHAPE has RANK lengths; FIRST + COUNT is at most their product. */
void tutti_file_place (const void *items, size_t width, uint64_t first, size_t count, size_t rank, const uint64_t *shape, void *array);

/* Writes to NUMBERS what COUNT numbers of 16 bits are, which is exact. */
void tutti_file_widen (const uint16_t *half, size_t count, float *numbers);

/* What may be wrong with a CSV file; the order is that of (tutti file library). */
enum
{
  TUTTI_CSV_GOOD,
  TUTTI_CSV_NO_UTF8,
  TUTTI_CSV_OPEN_QUOTE,  /* a field is not closed by a quote */
  TUTTI_CSV_AFTER_QUOTE, /* there is something between a quote that closes a field and the end of the field */
  TUTTI_CSV_COLUMNS      /* a record has another number of fields than the first one */
};

/* A field: the offset of its first byte, and its length times 4. A field in quotes is without these, and has 1 added, and 2 if there are
 * doubled quotes in it. */
enum
{
  TUTTI_CSV_START,
  TUTTI_CSV_LENGTH,
  TUTTI_CSV_WORDS /* how many words a field has */
};

/* Finds the fields of SIZE bytes of TEXT, record by record, and the number of the line, from 1, in which each record begins. Empty lines
 * are no records. FIELDS and LINES may be NULL. Returns one of the above; PLACE is then the number of records and of fields in each, or
 * the line, the number of the field, from 1, and, for TUTTI_CSV_COLUMNS, of the fields that were expected. */
int tutti_csv_split (const char *text, size_t size, char separator, uint64_t *fields, uint64_t *lines, uint64_t *place);

/* What is in a column; the order is that of (tutti file library). */
enum
{
  TUTTI_CSV_INTEGERS, /* of 64 bits */
  TUTTI_CSV_NUMBERS,
  TUTTI_CSV_TEXT
};

/* A column: its first field is FIELDS, the next one STRIDE fields on. */
typedef struct
{
  const char *text;
  const uint64_t *fields;
  size_t stride;
  size_t rows;
  const char *missing; /* what stands for nothing unless it is in quotes: N_MISSING texts, each with a zero behind */
  size_t n_missing;
  char decimal;
} TuttiCsvColumn;

/* Fills in COLUMN, for callers that do not know its layout; returns its size. */
size_t tutti_csv_column (TuttiCsvColumn *column, const char *text, const uint64_t *fields, size_t stride, size_t rows, const char *missing,
                         size_t n_missing, char decimal);

/* What COLUMN can be taken for: integers if there is nothing else, numbers if nothing but numbers and what is missing. */
int tutti_csv_kind (const TuttiCsvColumn *column);

/* Writes the numbers of COLUMN, correctly rounded; NaN for what is missing. Returns how many rows that were: fewer than all if the next
 * one is no number. */
size_t tutti_csv_numbers (const TuttiCsvColumn *column, double *numbers);

/* The same for integers of 64 bits; nothing may be missing. */
size_t tutti_csv_integers (const TuttiCsvColumn *column, int64_t *integers);

/* Writes rows FIRST to END of N_COLUMNS columns as lines, as many as there is ROOM for, to TEXT, and returns the number of bytes; ROWS is
 * how many rows that are. KINDS has a kind for each column, DATA the address of its numbers or text, and OFFSETS, for text, that of
 * the offset of each cell and of the end. Numbers are as short as they can be for reading them to give the same bits. */
size_t tutti_csv_print (size_t n_columns, const uint8_t *kinds, const uint64_t *data, const uint64_t *offsets, size_t first, size_t end,
                        char separator, char decimal, char *text, size_t room, uint64_t *rows);
