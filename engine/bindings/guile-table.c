/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Hash tables. Guile's tables do not record whether their keys are compared with equal?, eqv? or eq?: that depends on the procedure
 * of each access, hash-ref, hashv-ref or hashq-ref, which finds a key only in the bucket where its hash function puts it. So the
 * buckets of the keys tell the kind of a table: a kind is possible if its hash function would put every key where it is. As addresses
 * differ between processes, the receiver inserts the keys anew, with the procedure of that kind.
 *
 * A small table may fit several kinds by chance. If these would put its keys into different buckets elsewhere, it arrives with all
 * entries in one bucket, where each kind finds its keys; when it grows, Guile distributes them by the kind of the procedure that adds
 * the next. */
#include "bindings/guile-encoder.h"
#include "bindings/guile-internals.h"

enum { KIND_EQUAL, KIND_EQV, KIND_EQ, N_KINDS, KIND_ANY = N_KINDS };

typedef unsigned long (*HashFunction) (SCM object, unsigned long n);

static const HashFunction hash_functions[N_KINDS] = { scm_ihash, scm_ihashv, scm_ihashq };

/* Do kinds A and B put KEY at the same place, in every process and in tables of every size? */
static gboolean
kinds_agree (int a, int b, SCM key)
{
  if (a == b || SCM_IMP (key))
    return TRUE;
  if (scm_is_number (key))
    return a != KIND_EQ && b != KIND_EQ;
  return a != KIND_EQUAL && b != KIND_EQUAL;
}

/* The kind of the table with the keys of ENTRIES (key, value, ...), BUCKETS[i] being where entry i is, of N_BUCKETS;
 * -1: none. */
static int
table_kind (SCM entries, gsize n, const gsize *buckets, gsize n_buckets)
{
  gboolean possible[N_KINDS] = { TRUE, TRUE, TRUE }, separated = FALSE;
  int kind = -1;

  for (gsize i = 0; i < n; i++)
    for (int k = 0; k < N_KINDS; k++)
      possible[k] = possible[k] && hash_functions[k] (SCM_SIMPLE_VECTOR_REF (entries, 2 * i), n_buckets) == buckets[i];
  for (int k = 0; k < N_KINDS; k++)
    {
      for (gsize i = 0; possible[k] && kind >= 0 && i < n; i++)
        separated |= !kinds_agree (kind, k, SCM_SIMPLE_VECTOR_REF (entries, 2 * i));
      if (possible[k] && kind < 0)
        kind = k;
    }
  return separated ? KIND_ANY : kind;
}

/* The ENTRIES of TABLE, a vector of keys and values, and the BUCKETS (collected memory) of the keys. Returns how many there are. */
static gsize
table_entries (Encoder *encoder, SCM table, SCM *entries, gsize **buckets)
{
  SCM vector = tti_guile_get_buckets (table);
  gsize n_buckets = SCM_SIMPLE_VECTOR_LENGTH (vector), n = tti_guile_get_n_entries (table), i = 0;

  *entries = scm_c_make_vector (2 * n, SCM_BOOL_F);
  *buckets = scm_gc_malloc_pointerless (MAX (n, 1) * sizeof (gsize), "encoder");
  for (gsize b = 0; b < n_buckets; b++)
    for (SCM rest = SCM_SIMPLE_VECTOR_REF (vector, b); scm_is_pair (rest); rest = SCM_CDR (rest), i++)
      {
        if (i == n)
          tti_encoder_refuse_text (encoder, table, "the hash table was changed while it was being sent",
                                   "let no other thread write to it");
        (*buckets)[i] = b;
        SCM_SIMPLE_VECTOR_SET (*entries, 2 * i, SCM_CAR (SCM_CAR (rest)));
        SCM_SIMPLE_VECTOR_SET (*entries, 2 * i + 1, SCM_CDR (SCM_CAR (rest)));
      }
  return i;
}

void
tti_encoder_table (Encoder *encoder, SCM table)
{
  SCM entries;
  gsize *buckets, n_buckets = SCM_SIMPLE_VECTOR_LENGTH (tti_guile_get_buckets (table));
  gsize n = table_entries (encoder, table, &entries, &buckets);
  /* One bucket: the table arrived here with its kind undecided, and nothing has been added to it. */
  int kind = n == 0 ? KIND_EQUAL : n_buckets == 1 ? KIND_ANY : table_kind (entries, n, buckets, n_buckets);

  if (kind < 0)
    tti_encoder_refuse_text (
      encoder, table,
      "the hash table's keys are not where hash-set!, hashv-set! or hashq-set! alone would have put them: it "
      "was made with hashx-set! or with several of these, or its keys were changed since",
      "send an association list, (hash-map->list cons table), and make the table there");
  tti_writer_open (encoder->writer, TTI_ITEM_TABLE, (guint8) kind, n);
  tti_encoder_push (encoder, FRAME_TABLE, table, entries, 2 * n);
  scm_remember_upto_here_1 (entries);
}

/* A table of N entries that are all in one bucket. */
static SCM
table_undecided (SCM entries, gsize n)
{
  SCM bucket = SCM_EOL;

  for (gsize i = 0; i < n; i++)
    bucket = scm_acons (SCM_SIMPLE_VECTOR_REF (entries, 2 * i), SCM_SIMPLE_VECTOR_REF (entries, 2 * i + 1), bucket);
  return tti_guile_make_table (scm_c_make_vector (1, bucket), n);
}

SCM
tti_guile_decode_table (SCM entries, guint8 kind)
{
  gsize n = SCM_SIMPLE_VECTOR_LENGTH (entries) / 2;

  if (kind >= KIND_ANY && n > 0)
    return table_undecided (entries, n);
  SCM table = scm_c_make_hash_table (n);

  for (gsize i = 0; i < n; i++)
    {
      SCM key = SCM_SIMPLE_VECTOR_REF (entries, 2 * i), value = SCM_SIMPLE_VECTOR_REF (entries, 2 * i + 1);

      if (kind == KIND_EQ)
        scm_hashq_set_x (table, key, value);
      else if (kind == KIND_EQV)
        scm_hashv_set_x (table, key, value);
      else
        scm_hash_set_x (table, key, value);
    }
  return table;
}
