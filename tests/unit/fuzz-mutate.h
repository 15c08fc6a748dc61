/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Corrupting good inputs, for fuzz drivers that run as tests: everything follows from the seed that GLib's test program prints.
 * TUTTI_FUZZ_INPUTS in the environment sets their number; ./bootstrap fuzz asks for a million of each.
 *
 * Allocations of the target are counted: hostile bytes must not make it allocate much more memory than there are bytes. */
#pragma once
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* An input of N bytes may make the target allocate PER_BYTE x N + ALWAYS bytes in all, freed ones included. N includes the BESIDE
 * bytes that the target receives in another way (NULL: none). */
typedef struct
{
  gsize per_byte, always;
  gsize (*beside) (const GByteArray *input);
} FuzzBound;

static gsize fuzz_allocated;

#if defined __SANITIZE_ADDRESS__
int __sanitizer_install_malloc_and_free_hooks (void (*on_malloc) (const volatile void *, size_t),
                                               void (*on_free) (const volatile void *));

static void
fuzz_on_malloc (const volatile void *memory, size_t size)
{
  (void) memory;
  fuzz_allocated += size;
}

static void
fuzz_on_free (const volatile void *memory)
{
  (void) memory;
}

static void
fuzz_count_allocations (void)
{
  g_assert_cmpint (__sanitizer_install_malloc_and_free_hooks (fuzz_on_malloc, fuzz_on_free), >, 0);
}
#elif defined __SANITIZE_THREAD__ || defined TUTTI_LIBFUZZER || !defined __GLIBC__
/* Allocations cannot be counted in this build; other builds count them. */
static void
fuzz_count_allocations (void)
{
}
#else
/* Replacements of the C library's functions: the dynamic linker uses these for all libraries. */
void *__libc_malloc (size_t size);
void *__libc_calloc (size_t n, size_t size);
void *__libc_realloc (void *memory, size_t size);

void *
malloc (size_t size)
{
  fuzz_allocated += size;
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  fuzz_allocated += n * size;
  return __libc_calloc (n, size);
}

void *
realloc (void *memory, size_t size)
{
  fuzz_allocated += size;
  return __libc_realloc (memory, size);
}

static void
fuzz_count_allocations (void)
{
  fuzz_allocated = 0;
  g_free (g_malloc (100));
  g_assert_cmpuint (fuzz_allocated, ==, 100);
}
#endif

static inline guint
fuzz_below (guint n)
{
  return n > 1 ? (guint) g_test_rand_int_range (0, (gint32) n) : 0;
}

/* One change of INPUT, in place; OTHER lends bytes. */
static inline void
fuzz_mutate_once (GByteArray *input, const GByteArray *other)
{
  static const guint8 edges[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 15, 16, 17, 19, 20, 22, 26, 27 };
  guint at = fuzz_below (input->len), n = 1 + fuzz_below (8);
  guint8 endless[10] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 };

  if (input->len == 0)
    {
      g_byte_array_append (input, edges, 4);
      return;
    }
  switch (fuzz_below (7))
    {
    case 0:
      input->data[at] ^= (guint8) (1u << fuzz_below (8));
      break;
    case 1:
      input->data[at] = edges[fuzz_below (G_N_ELEMENTS (edges))];
      break;
    case 2:
      input->data[at] = (guint8) fuzz_below (256);
      break;
    case 3:
      g_byte_array_set_size (input, at);
      break;
    case 4:
      g_byte_array_remove_range (input, at, MIN (n, input->len - at));
      break;
    case 5:
      n = MIN (sizeof endless, input->len - at);
      memcpy (input->data + at, endless, n);
      break;
    default:
      if (other->len > 0)
        {
          guint from = fuzz_below (other->len);

          g_byte_array_append (input, other->data + from, MIN (5 * n, other->len - from));
        }
    }
}

/* N inputs, or as many as the environment says, made from those in CORPUS (of GByteArray), and passed to the target in memory of
 * exactly their size. */
static inline void
fuzz_run (GPtrArray *corpus, guint n, FuzzBound bound)
{
  const char *wanted = g_getenv ("TUTTI_FUZZ_INPUTS");
  gint64 start = g_get_monotonic_time ();
  gsize most = 0;

  if (wanted != NULL)
    n = (guint) g_ascii_strtoull (wanted, NULL, 10);
  fuzz_count_allocations ();
  for (guint i = 0; i < n; i++)
    {
      if (i % 1000 == 0)
        alarm (60); /* a target that hangs ends the program */
      const GByteArray *seed = g_ptr_array_index (corpus, fuzz_below (corpus->len));
      const GByteArray *other = g_ptr_array_index (corpus, fuzz_below (corpus->len));
      g_autoptr (GByteArray) input = g_byte_array_new ();

      g_byte_array_append (input, seed->data, seed->len);
      for (guint k = fuzz_below (5); k > 0; k--)
        fuzz_mutate_once (input, other);
      g_autofree guint8 *exact = g_memdup2 (input->data, input->len);

      fuzz_allocated = 0;
      LLVMFuzzerTestOneInput (exact, input->len);
      most = MAX (most, fuzz_allocated);
      gsize length = input->len + (bound.beside != NULL ? bound.beside (input) : 0);

      if (fuzz_allocated > bound.per_byte * length + bound.always)
        g_error ("an input of %zu bytes made the target allocate %zu bytes, at most %zu are allowed", length, fuzz_allocated,
                 bound.per_byte * length + bound.always);
    }
  alarm (0);
  g_test_message ("%u inputs in %.1f s; at most %zu bytes were allocated for one", n,
                  (double) (g_get_monotonic_time () - start) / G_TIME_SPAN_SECOND, most);
}
