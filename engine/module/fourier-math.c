/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Transforms by FFTW, with a table of plans for sizes that are used again. */
#include "module/fourier-math.h"
#include "platform/error.h"
#include "platform/fork.h"
#include "platform/lock.h"
#include <fftw3.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLANS 64 /* a job has a few sizes; one with many must not use more and more memory */

/* A size and a direction. */
typedef struct
{
  int rank, sign;
  int dims[TTI_FOURIER_MAX_RANK];
} Key;

typedef struct
{
  Key key;
  guint refs; /* the table's, and one for each transform that runs; under the lock, as all planning is */
  fftw_plan plan;
} Entry;

static TtiLock lock;        /* FFTW plans in one thread at a time; any number of threads may execute plans */
static GHashTable *entries; /* Key -> Entry */

static guint
key_hash (gconstpointer data)
{
  const Key *key = data;
  guint hash = (guint)(key->rank + 100 * key->sign);

  for (int i = 0; i < key->rank; i++)
    hash = 33 * hash + (guint)key->dims[i];
  return hash;
}

static gboolean
key_equal (gconstpointer a, gconstpointer b)
{
  const Key *x = a, *y = b;

  return x->rank == y->rank && x->sign == y->sign && memcmp (x->dims, y->dims, (gsize)x->rank * sizeof *x->dims) == 0;
}

static void
entry_unref_locked (gpointer data)
{
  TTI_ASSERT_LOCKED (&lock);
  Entry *entry = data;

  if (--entry->refs > 0)
    return;
  fftw_destroy_plan (entry->plan);
  g_free (entry);
}

/* A plan depends on the wisdom of earlier ones, the application's among them, which may have been measured. As it must depend on KEY
 * alone, FFTW forgets its wisdom before, and the application's is restored afterwards. */
static fftw_plan
plan_locked (const Key *key, fftw_complex *buffer)
{
  TTI_ASSERT_LOCKED (&lock);
  char *wisdom = fftw_export_wisdom_to_string ();

  fftw_forget_wisdom ();
  fftw_plan plan = fftw_plan_dft (key->rank, key->dims, buffer, buffer, key->sign, FFTW_ESTIMATE);
  fftw_forget_wisdom ();
  if (wisdom != NULL)
    fftw_import_wisdom_from_string (wisdom);
  free (wisdom);
  return plan;
}

static void
plans_lock (void)
{
  tti_lock_take (&lock);
}

static void
plans_unlock (void)
{
  tti_lock_release (&lock);
}

static void
follow_forks (void)
{
  tti_fork_protect (plans_lock, plans_unlock, NULL);
}

/* The entry for KEY, with a reference; NULL if FFTW cannot plan. Planning by estimates does not touch the numbers in BUFFER. */
static Entry *
entry_get (const Key *key, fftw_complex *buffer)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, follow_forks);
  plans_lock ();
  if (entries == NULL)
    entries = g_hash_table_new_full (key_hash, key_equal, NULL, entry_unref_locked);
  Entry *entry = g_hash_table_lookup (entries, key);
  fftw_plan plan = entry == NULL ? plan_locked (key, buffer) : NULL;
  if (plan != NULL)
    {
      if (g_hash_table_size (entries) >= MAX_PLANS)
        g_hash_table_remove_all (entries);
      entry = g_new0 (Entry, 1);
      *entry = (Entry){ .key = *key, .refs = 1, .plan = plan };
      g_hash_table_insert (entries, &entry->key, entry);
    }
  if (entry != NULL)
    entry->refs++;
  plans_unlock ();
  return entry;
}

static void
entry_release (Entry *entry)
{
  plans_lock ();
  entry_unref_locked (entry);
  plans_unlock ();
}

static void
load (fftw_complex *buffer, const double *x, gboolean is_complex, gsize n)
{
  if (is_complex)
    memcpy (buffer, x, n * sizeof *buffer);
  else
    for (gsize i = 0; i < n; i++)
      {
        buffer[i][0] = x[i];
        buffer[i][1] = 0;
      }
}

static gboolean
out_of_memory (gsize n, GError **error)
{
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "there is no memory to transform %zu complex numbers", n);
  return FALSE;
}

gboolean
tti_fourier_transform (const int *dims, guint rank, const double *x, gboolean is_complex, double *y, gboolean inverse,
                       GError **error)
{
  g_return_val_if_fail (rank <= TTI_FOURIER_MAX_RANK, FALSE);

  Key key = { .rank = (int)rank, .sign = inverse ? FFTW_BACKWARD : FFTW_FORWARD };
  gsize n = 1;
  for (guint i = 0; i < rank; i++)
    {
      key.dims[i] = dims[i];
      n *= (gsize)dims[i];
    }
  if (n == 0)
    return TRUE;
  fftw_complex *buffer = n < G_MAXSIZE / sizeof *buffer ? fftw_malloc (n * sizeof *buffer) : NULL;
  if (buffer == NULL)
    return out_of_memory (n, error);
  Entry *entry = entry_get (&key, buffer);
  if (entry == NULL)
    {
      fftw_free (buffer);
      return out_of_memory (n, error);
    }
  load (buffer, x, is_complex, n);
  fftw_execute_dft (entry->plan, buffer, buffer);
  entry_release (entry);
  double scale = 1 / sqrt ((double)n);
  for (gsize i = 0; i < n; i++)
    {
      y[2 * i] = scale * buffer[i][0];
      y[2 * i + 1] = scale * buffer[i][1];
    }
  fftw_free (buffer);
  return TRUE;
}
