/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The random numbers of tasks and items: Guile's own generator, seeded anew for each of them.
 *
 * Guile makes a state out of a text, which takes longer than many an item of a map, and most items draw nothing. So a state of ours only
 * has the seed and the numbers of the stream and of the item, and a generator of its own, which seeds it when something is first drawn.
 * The items of a chunk have one state, which is reset for each of them. */
#include "bindings/guile-internals.h"
#include "bindings/guile-pool-private.h"
#include <time.h>

/* A step of SplitMix64 (Steele, Lea and Flood 2014): results for numbers that differ in one bit differ in about half of their bits. */
static guint64
mix (guint64 x)
{
  x += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* NUMBER, an exact integer from 0 of any size, mixed into HASH. */
static guint64
mix_number (guint64 hash, SCM number)
{
  while (G_UNLIKELY (!tti_guile_is_small_integer (number)))
    {
      hash = mix (hash ^ scm_to_uint64 (scm_logand (number, scm_from_uint64 ((G_GUINT64_CONSTANT (1) << 60) - 1))));
      number = scm_ash (number, scm_from_int (-60));
    }
  return mix (hash ^ (guint64) tti_guile_get_small_integer (number));
}

/* What our states have behind those of Guile's generator. */
typedef struct
{
  guint64 stream; /* seed and number of the stream, mixed */
  guint64 item;
  TtiParts *parts; /* NULL: the master cannot take items back */
} Origin;

static scm_t_rng unbegun; /* that of the states which nobody has drawn from */

static Origin *
origin_of (scm_t_rstate *state)
{
  return tti_guile_get_random_extra (state);
}

/* Seed STATE: from now on it is like any other. */
static void
rstate_begin (scm_t_rstate *state)
{
  const Origin *origin = origin_of (state);
  guint64 hash = mix (origin->stream ^ origin->item);
  char bytes[sizeof hash];

  for (gsize i = 0; i < sizeof hash; i++)
    bytes[i] = (char) (hash >> (8 * i));
  tti_guile_begin_random_state (state, bytes, sizeof bytes);
}

static uint32_t
unbegun_bits (scm_t_rstate *state)
{
  rstate_begin (state);
  return tti_guile_get_rng ()->random_bits (state);
}

static scm_t_rstate *
unbegun_copy (scm_t_rstate *state)
{
  rstate_begin (state);
  return tti_guile_get_rng ()->copy_rstate (state);
}

static SCM
unbegun_to_datum (scm_t_rstate *state)
{
  rstate_begin (state);
  return tti_guile_get_rng ()->to_datum (state);
}

/* What this thread runs: the task or item that was begun last. */
static __thread struct
{
  guint64 serial;
  guint64 stream, item;
} begun __attribute__ ((tls_model ("initial-exec")));

static inline void
rstate_reset (scm_t_rstate *state, SCM item)
{
  Origin *origin = origin_of (state);

  tti_guile_defer_random_state (state, &unbegun);
  origin->item = scm_to_uint64 (item);
  begun.serial++;
  begun.stream = origin->stream;
  begun.item = origin->item;
}

guint64
tti_guile_get_task_seed (guint64 *seed)
{
  /* Not the hash that our own states begin with. */
  *seed = mix (mix (begun.stream ^ begun.item) ^ G_GUINT64_CONSTANT (0x507974686f6e));
  return begun.serial;
}

/* (%task-random-state seed stream item) -> a random state */
static SCM
task_random_state (SCM seed, SCM stream, SCM item)
{
  SCM object = tti_guile_make_random_state (sizeof (Origin));
  scm_t_rstate *state = tti_guile_get_random_state (object);

  origin_of (state)->stream = mix_number (mix_number (0, seed), stream);
  origin_of (state)->parts = NULL;
  rstate_reset (state, item);
  return object;
}

/* (%next-number! counter) -> the number in COUNTER, a u64vector of length 1, which is increased by 1, atomically. (Guile's own atomic
 * boxes would bring its compiler into every worker: with Guile 3.0.8 their module imports it.) */
static SCM
next_number (SCM counter)
{
  if (!scm_is_bytevector (counter) || SCM_BYTEVECTOR_LENGTH (counter) != sizeof (guint64))
    scm_wrong_type_arg_msg ("next-number!", 1, counter, "u64vector of one number");
  guint64 number = __atomic_fetch_add ((guint64 *) SCM_BYTEVECTOR_CONTENTS (counter), 1, __ATOMIC_RELAXED);
  scm_remember_upto_here_1 (counter);
  return scm_from_uint64 (number);
}

/* Its resolution is some milliseconds, but it costs a tenth of the fine clock: it is read for each item of a map. */
static gint64
coarse_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC_COARSE, &now);
  return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* (%coarse-time) -> microseconds since some point */
static SCM
coarse_time_get (void)
{
  return scm_from_int64 (coarse_time ());
}

/* (%begin-items! state n): the task that runs here has N items; STATE, made by %task-random-state, is that of the first. In a worker, the
 * master sees from now on how far the task is, unless it is a nested one. */
static SCM
begin_items (SCM state, SCM n)
{
  guint count = scm_to_uint (n);

  if (count > 1 && count <= TTI_PARTS_MOST)
    origin_of (tti_guile_get_random_state (state))->parts = tti_guile_task_begin_parts (count);
  return SCM_UNSPECIFIED;
}

/* (%begin-item! state item deadline): STATE, made by %task-random-state, becomes that of ITEM. -> is it before DEADLINE, a coarse
 * time, and has the master not taken the item back? All of that in one primitive, because a call takes longer than any part. */
static SCM
begin_item (SCM state, SCM item, SCM deadline)
{
  scm_t_rstate *rstate = tti_guile_get_random_state (state);
  TtiParts *parts = origin_of (rstate)->parts;

  tti_guile_task_begin_item ();
  rstate_reset (rstate, item);
  return scm_from_bool (coarse_time () < scm_to_int64 (deadline) && (parts == NULL || tti_parts_next (parts)));
}

void
tti_guile_init_random (void)
{
  tti_guile_init_deferred_rng (&unbegun, unbegun_bits, unbegun_copy, unbegun_to_datum);
  scm_c_define_gsubr ("%task-random-state", 3, 0, 0, task_random_state);
  scm_c_define_gsubr ("%next-number!", 1, 0, 0, next_number);
  scm_c_define_gsubr ("%coarse-time", 0, 0, 0, coarse_time_get);
  scm_c_define_gsubr ("%begin-items!", 2, 0, 0, begin_items);
  scm_c_define_gsubr ("%begin-item!", 3, 0, 0, begin_item);
}
