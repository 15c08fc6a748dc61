/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Supervision of the workers' memory.
 *
 * A worker that allocates in an endless loop gets some gigabytes a second, so poll its own memory often, which is cheap. To find
 * the processes below it takes a pass over /proc: do that less often, and never for more than a small part of the time. After a
 * fork, parent and child share their pages; a sum that counts these twice only raises a suspicion, and is then replaced by one that
 * does not. Between vfork and exec even that one is wrong, because one address space belongs to two processes: so a tree exceeds
 * its limit only if two polls in a row say so. */
#include "process/watcher-memory.h"
#include "platform/memory-usage.h"
#include "platform/process-tree.h"

#define POLL_INTERVAL (10 * G_TIME_SPAN_MILLISECOND)
#define TREE_INTERVAL (100 * G_TIME_SPAN_MILLISECOND)
#define TREE_MAX_SHARE 20 /* polling trees takes at most this fraction of the time: 1 / 20 */
#define KILL_NEWS_LIFE G_TIME_SPAN_SECOND

typedef struct
{
  pid_t pid;
  guint64 limit;
  gboolean suspect; /* its tree exceeded the limit at the last poll */
} Limited;

struct _TtiWatcherMemory
{
  GHashTable *limited; /* pid -> Limited, owned */
  gint64 poll_at, trees_at;
  TtiMemoryExceeded exceeded;
  gpointer user_data;
  const char *vmstat;
  guint64 n_kills;     /* the kernel's own kills, at the last poll */
  guint64 n_news;      /* those that were new at that poll and have not explained a death yet */
  gint64 news_at;
};

TtiWatcherMemory *
tti_watcher_memory_new (const char *vmstat, TtiMemoryExceeded exceeded, gpointer user_data)
{
  TtiWatcherMemory *memory = g_new0 (TtiWatcherMemory, 1);

  memory->limited = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  memory->exceeded = exceeded;
  memory->user_data = user_data;
  memory->vmstat = vmstat;
  memory->n_kills = tti_memory_count_oom_kills (vmstat);
  return memory;
}

void
tti_watcher_memory_free (TtiWatcherMemory *memory)
{
  if (memory == NULL)
    return;
  g_hash_table_unref (memory->limited);
  g_free (memory);
}

void
tti_watcher_memory_add (TtiWatcherMemory *memory, pid_t pid, guint64 limit)
{
  g_return_if_fail (pid > 1);
  tti_watcher_memory_remove (memory, pid);
  if (limit == 0)
    return;
  Limited *limited = g_new (Limited, 1);

  *limited = (Limited){ .pid = pid, .limit = limit };
  g_hash_table_insert (memory->limited, GINT_TO_POINTER (pid), limited);
  /* It may be a copy of a process that uses more, and could run a task before the next poll. */
  memory->poll_at = 0;
}

void
tti_watcher_memory_remove (TtiWatcherMemory *memory, pid_t pid)
{
  g_hash_table_remove (memory->limited, GINT_TO_POINTER (pid));
}

gint64
tti_watcher_memory_get_deadline (TtiWatcherMemory *memory)
{
  return g_hash_table_size (memory->limited) > 0 ? memory->poll_at : -1;
}

/* The sum of GET for PID and all processes BELOW it; processes that are gone count 0. */
static guint64
tree_usage (pid_t pid, GArray *below, gint64 (*get) (pid_t))
{
  guint64 sum = (guint64) MAX (get (pid), 0);

  for (guint i = 0; i < below->len; i++)
    sum += (guint64) MAX (get (g_array_index (below, pid_t, i)), 0);
  return sum;
}

static gboolean
tree_is_over (Limited *limited, GArray *scan, TtiMemoryExcess *excess)
{
  g_autoptr (GArray) below = tti_process_below (scan, limited->pid);
  gboolean suspected = limited->suspect;

  excess->n_processes = below->len + 1;
  limited->suspect = FALSE;
  if (tree_usage (limited->pid, below, tti_memory_usage_get) <= limited->limit)
    return FALSE;
  excess->usage = tree_usage (limited->pid, below, tti_memory_usage_get_share);
  limited->suspect = excess->usage > limited->limit;
  return limited->suspect && suspected;
}

/* SCAN: of all processes; NULL to check only the worker itself. */
static gboolean
limited_is_over (Limited *limited, GArray *scan, TtiMemoryExcess *excess)
{
  gint64 usage = tti_memory_usage_peek (limited->pid);

  *excess = (TtiMemoryExcess){ .pid = limited->pid, .limit = limited->limit, .usage = (guint64) MAX (usage, 0), .n_processes = 1 };
  return excess->usage > limited->limit || (scan != NULL && tree_is_over (limited, scan, excess));
}

void
tti_watcher_memory_poll (TtiWatcherMemory *memory, gint64 now)
{
  if (g_hash_table_size (memory->limited) == 0 || now < memory->poll_at)
    return;
  gint64 start = g_get_monotonic_time ();
  g_autoptr (GArray) scan = now >= memory->trees_at ? tti_process_scan () : NULL;
  gboolean suspects = FALSE;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, memory->limited);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Limited *limited = value;
      TtiMemoryExcess excess;

      if (limited_is_over (limited, scan, &excess))
        {
          g_hash_table_iter_remove (&iter);
          memory->exceeded (&excess, memory->user_data);
        }
      else
        suspects = suspects || limited->suspect;
    }
  memory->poll_at = now + POLL_INTERVAL;
  if (scan != NULL)
    memory->trees_at
        = now + (suspects ? POLL_INTERVAL : MAX (TREE_INTERVAL, TREE_MAX_SHARE * (g_get_monotonic_time () - start)));
}

gboolean
tti_watcher_memory_explains_kill (TtiWatcherMemory *memory, gint64 now)
{
  guint64 n = tti_memory_count_oom_kills (memory->vmstat);

  /* Several workers may have been killed at once, and we ask for each: so the news stays valid, but not for long. */
  if (n > memory->n_kills)
    {
      memory->n_news = n - memory->n_kills;
      memory->news_at = now;
    }
  memory->n_kills = n;
  if (memory->n_news == 0 || now - memory->news_at > KILL_NEWS_LIFE)
    return FALSE;
  memory->n_news--;
  return TRUE;
}

void
tti_memory_excess_describe (const TtiMemoryExcess *excess, char *text, gsize size)
{
  g_autofree char *processes = excess->n_processes > 1 ? g_strdup_printf (" in %u processes", excess->n_processes) : g_strdup ("");

  g_snprintf (text, size, "it went over its limit of %.1f MB: %.1f MB%s", (double) excess->limit / 1e6, (double) excess->usage / 1e6,
              processes);
}
