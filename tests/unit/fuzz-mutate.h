/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Spoiling good inputs, for fuzz drivers that run as tests: everything follows from the seed that GLib's test program prints. */
#pragma once
#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

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

/* N inputs made from those in CORPUS (of GByteArray), each given to the target in memory of exactly its size. */
static inline void
fuzz_run (GPtrArray *corpus, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      const GByteArray *seed = g_ptr_array_index (corpus, fuzz_below (corpus->len));
      const GByteArray *other = g_ptr_array_index (corpus, fuzz_below (corpus->len));
      g_autoptr (GByteArray) input = g_byte_array_new ();

      g_byte_array_append (input, seed->data, seed->len);
      for (guint k = fuzz_below (5); k > 0; k--)
        fuzz_mutate_once (input, other);
      g_autofree guint8 *exact = g_memdup2 (input->data, input->len);

      LLVMFuzzerTestOneInput (exact, input->len);
    }
}
