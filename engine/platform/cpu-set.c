/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/cpu-set.h"
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_SIZE = 128, MOST_SIZE = 1 << 17, MOST_CPUS = MOST_SIZE * 8 };

/* A thread that is started meanwhile has the set of the one that started it, which may have been the old one. */
enum { PASSES = 2 };

GArray *
tti_cpus_new (void)
{
  return g_array_new (FALSE, FALSE, sizeof (guint));
}

/* Where CPU is in CPUS, or would be. */
static guint
find_place (const GArray *cpus, guint cpu)
{
  guint low = 0, high = cpus->len;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (g_array_index (cpus, guint, middle) < cpu)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

gboolean
tti_cpus_have (const GArray *cpus, guint cpu)
{
  guint place = find_place (cpus, cpu);

  return place < cpus->len && g_array_index (cpus, guint, place) == cpu;
}

void
tti_cpus_add (GArray *cpus, guint cpu)
{
  guint place = find_place (cpus, cpu);

  if (place == cpus->len || g_array_index (cpus, guint, place) != cpu)
    g_array_insert_val (cpus, place, cpu);
}

gboolean
tti_cpus_are_within (const GArray *cpus, const GArray *others)
{
  for (guint i = 0; i < cpus->len; i++)
    if (!tti_cpus_have (others, g_array_index (cpus, guint, i)))
      return FALSE;
  return TRUE;
}

/* --- as text ---------------------------------------------------------------------------------------------------------------- */

/* The number that all of TEXT is. */
static gboolean
parse_number (const char *text, guint *number)
{
  guint64 value;

  if (!g_ascii_string_to_unsigned (text, 10, 0, MOST_CPUS - 1, &value, NULL))
    return FALSE;
  *number = (guint) value;
  return TRUE;
}

GArray *
tti_cpus_parse (const char *text)
{
  g_autofree char *line = g_strchomp (g_strdup (text));
  g_auto (GStrv) ranges = g_strsplit (line, ",", -1);
  g_autoptr (GArray) cpus = tti_cpus_new ();

  for (guint i = 0; ranges[i] != NULL; i++)
    {
      g_auto (GStrv) ends = g_strsplit (ranges[i], "-", 2);
      guint first, last;

      if (ends[0] == NULL || !parse_number (ends[0], &first) || !parse_number (ends[1] != NULL ? ends[1] : ends[0], &last) || last < first)
        return NULL;
      for (guint cpu = first; cpu <= last; cpu++)
        tti_cpus_add (cpus, cpu);
    }
  return g_steal_pointer (&cpus);
}

char *
tti_cpus_format (const GArray *cpus)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < cpus->len; i++)
    {
      guint first = g_array_index (cpus, guint, i), last = first;

      while (i + 1 < cpus->len && g_array_index (cpus, guint, i + 1) == last + 1)
        last = g_array_index (cpus, guint, ++i);
      g_string_append_printf (text, "%s%u", text->len > 0 ? "," : "", first);
      if (last > first)
        g_string_append_printf (text, "-%u", last);
    }
  return g_string_free (text, FALSE);
}

/* --- as bits ---------------------------------------------------------------------------------------------------------------- */

/* The kernel's sets are arrays of words. */
typedef gulong Word;
enum { BITS = 8 * sizeof (Word) };

GArray *
tti_cpus_from_mask (const void *mask, gsize size)
{
  GArray *cpus = tti_cpus_new ();

  for (guint cpu = 0; cpu < size / sizeof (Word) * BITS; cpu++)
    {
      Word word;

      memcpy (&word, (const guint8 *) mask + cpu / BITS * sizeof word, sizeof word);
      if (word >> cpu % BITS & 1)
        g_array_append_val (cpus, cpu);
    }
  return cpus;
}

gboolean
tti_cpus_to_mask (const GArray *cpus, void *mask, gsize size)
{
  memset (mask, 0, size);
  for (guint i = 0; i < cpus->len; i++)
    {
      guint cpu = g_array_index (cpus, guint, i);
      Word word;

      if (cpu >= size / sizeof (Word) * BITS)
        return FALSE;
      memcpy (&word, (guint8 *) mask + cpu / BITS * sizeof word, sizeof word);
      word |= (Word) 1 << cpu % BITS;
      memcpy ((guint8 *) mask + cpu / BITS * sizeof word, &word, sizeof word);
    }
  return TRUE;
}

/* --- of threads ------------------------------------------------------------------------------------------------------------- */

GArray *
tti_cpus_get_allowed (void)
{
  GArray *cpus = NULL;

  /* The kernel refuses a set that is smaller than its own, and does not report the size of that. */
  for (gsize size = FIRST_SIZE; size <= MOST_SIZE && cpus == NULL; size *= 2)
    {
      g_autofree guint8 *mask = g_malloc0 (size);
      long n = syscall (SYS_sched_getaffinity, 0, size, mask);

      if (n > 0)
        cpus = tti_cpus_from_mask (mask, (gsize) n);
      else if (errno != EINVAL)
        break;
    }
  if (cpus == NULL)
    cpus = tti_cpus_new ();
  if (cpus->len == 0)
    tti_cpus_add (cpus, 0);
  return cpus;
}

gboolean
tti_cpus_set_allowed (pid_t thread, const GArray *cpus)
{
  guint last = cpus->len > 0 ? g_array_index (cpus, guint, cpus->len - 1) : 0;
  gsize size = (last / BITS + 1) * sizeof (Word);
  g_autofree guint8 *mask = g_malloc0 (size);

  tti_cpus_to_mask (cpus, mask, size);
  /* Not libc's function: a worker would take that for a change of its task's, and undo it. */
  return syscall (SYS_sched_setaffinity, thread, size, mask) == 0;
}

gboolean
tti_cpus_set_process (pid_t process, const GArray *cpus)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", (int) process);
  gboolean set = FALSE;

  for (guint pass = 0; pass < PASSES; pass++)
    {
      GDir *tasks = g_dir_open (folder, 0, NULL);

      for (const char *name; tasks != NULL && (name = g_dir_read_name (tasks)) != NULL;)
        set = tti_cpus_set_allowed ((pid_t) g_ascii_strtoll (name, NULL, 10), cpus) || set;
      g_clear_pointer (&tasks, g_dir_close);
    }
  return set;
}
