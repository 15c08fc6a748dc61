/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Shared by the files that encode: the stack of the composites that are being written. */
#pragma once
#include "transport/codec.h"
#include <libguile.h>

typedef enum
{
  FRAME_LIST,      /* rest: the pairs to come, or the tail of an improper list */
  FRAME_VECTOR,    /* rest: a vector */
  FRAME_ARRAY,     /* rest: a vector with the elements in row-major order */
  FRAME_TABLE,     /* rest: a vector: key, value, key, value ... */
  FRAME_EXTENSION  /* rest: list of items */
} FrameType;

typedef struct
{
  SCM object;      /* the composite, as the user knows it */
  SCM rest;
  gsize index;     /* of the next item */
  gsize count;     /* of all items */
  FrameType type;
} Frame;

/* The name of a symbol, in collected memory: getting it takes ten times as long as writing it, and the same few
 * symbols come again and again. */
typedef struct
{
  SCM symbol;
  char *text;
  gsize size;
} SymbolName;

enum { FIRST_FRAMES = 16, SYMBOL_NAMES = 16 };

/* It lives on the C stack, which the collector scans, and so does it scan FRAMES when these have moved to the heap. */
typedef struct
{
  TtiWriter *writer;
  SCM hook, namer;
  const char *who;
  gsize limit;       /* of bytes */
  Frame *frames;
  gsize depth, capacity;
  gsize verify_size; /* bytes after which to look for cycles next: see verify_ancestors () */
  guint ticks;
  SymbolName names[SYMBOL_NAMES]; /* by address */
  Frame first[FIRST_FRAMES];
} Encoder;

/* Raise &not-remotable for VALUE, which is the next thing after what is open. MESSAGE: Scheme string; ADVICE: UTF-8
 * or NULL. */
void tti_encoder_refuse (Encoder *encoder, SCM value, SCM message, const char *advice) G_GNUC_NORETURN;
void tti_encoder_refuse_text (Encoder *encoder, SCM value, const char *message, const char *advice) G_GNUC_NORETURN;
/* OBJECT is open already. ANCESTOR: the number of its frame. */
void tti_encoder_refuse_cycle (Encoder *encoder, SCM object, gsize ancestor) G_GNUC_NORETURN;

/* Once per process, before the first value is encoded or decoded. */
void tti_guile_init_encode (void);
void tti_guile_init_decode (void);

/* Is OBJECT a prefix? Then it stands for the first *COUNT items of *LIST. */
gboolean tti_guile_is_prefix (SCM object, SCM *list, gsize *count);
void tti_guile_init_prefix (void);

/* Append the N VALUES, which need no hook. */
void tti_encoder_write (TtiWriter *writer, const SCM *values, gsize n);

/* Open a composite of COUNT items. */
void tti_encoder_push (Encoder *encoder, FrameType type, SCM object, SCM rest, gsize count);

/* Write one value of a kind that takes more than a line. */
void tti_encoder_bytevector (Encoder *encoder, SCM bytevector);
void tti_encoder_bitvector (Encoder *encoder, SCM bitvector);
void tti_encoder_array (Encoder *encoder, SCM array);
void tti_encoder_string (Encoder *encoder, TtiItemTag tag, SCM string);
void tti_encoder_table (Encoder *encoder, SCM table);

/* LOCAL: PAYLOAD was made in this process, so what is shared in it is not yet another's. FROZEN: nobody may change the value, as far as
 * that can be had; PROTECTED: what Guile does not guard in it, small vectors of numbers, goes into read-only memory; SHOWN: so do the
 * numbers of small shared vectors, because it is for a task in a worker. */
typedef enum
{
  TTI_DECODE_LOCAL = 1,
  TTI_DECODE_FROZEN = 2,
  TTI_DECODE_PROTECTED = 4,
  TTI_DECODE_SHOWN = 8
} TtiDecodeFlags;

/* The value in PAYLOAD, with HOOK as in guile-convert.h. */
SCM tti_guile_decode_payload (TtiPayload *payload, SCM hook, TtiDecodeFlags flags);

typedef struct _TtiFreezer TtiFreezer; /* guile-frozen.h */

/* The other direction, of what is not a matter of a line. SHOWN: as above. FREEZER: NULL, or where frozen numbers go. */
SCM tti_guile_decode_numbers (const TtiItem *item, gboolean shown, gboolean frozen, TtiFreezer *freezer);
SCM tti_guile_decode_attached (TtiPayload *payload, const TtiItem *item, gboolean local, gboolean frozen);
SCM tti_guile_decode_array (SCM parts, gsize rank);
SCM tti_guile_decode_table (SCM entries, guint8 kind);
