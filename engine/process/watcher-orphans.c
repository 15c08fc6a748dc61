/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ending what dead workers have left behind. Only children that are not reaped yet are in the tables, so no number in them can be that of
 * another process. */
#include "process/watcher-orphans.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "platform/urgency.h"
#include <signal.h>

struct _TtiWatcherOrphans
{
  GHashTable *awaited; /* killed or asked, not reaped yet */
  GHashTable *asked;   /* launchers, also those that we no longer wait for: when to kill them, an owned gint64 */
  GHashTable *stuck;   /* those that were killed, and that we no longer wait for */
};

TtiWatcherOrphans *
tti_watcher_orphans_new (void)
{
  TtiWatcherOrphans *orphans = g_new0 (TtiWatcherOrphans, 1);

  orphans->awaited = g_hash_table_new (NULL, NULL);
  orphans->asked = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  orphans->stuck = g_hash_table_new (NULL, NULL);
  return orphans;
}

void
tti_watcher_orphans_free (TtiWatcherOrphans *orphans)
{
  if (orphans == NULL)
    return;
  g_hash_table_unref (orphans->awaited);
  g_hash_table_unref (orphans->asked);
  g_hash_table_unref (orphans->stuck);
  g_free (orphans);
}

void
tti_watcher_orphans_end (TtiWatcherOrphans *orphans, pid_t pid)
{
  gpointer key = GINT_TO_POINTER (pid);

  if (g_hash_table_contains (orphans->stuck, key) || g_hash_table_contains (orphans->asked, key))
    return;
  if (tti_process_end (pid))
    {
      gint64 *kill_at = g_new (gint64, 1);

      *kill_at = g_get_monotonic_time () + TTI_LAUNCHER_PATIENCE;
      g_hash_table_insert (orphans->asked, key, kill_at);
    }
  else
    tti_urgency_hasten (pid);
  g_hash_table_add (orphans->awaited, key);
}

void
tti_watcher_orphans_remove (TtiWatcherOrphans *orphans, pid_t pid)
{
  gpointer key = GINT_TO_POINTER (pid);

  g_hash_table_remove (orphans->awaited, key);
  g_hash_table_remove (orphans->asked, key);
  g_hash_table_remove (orphans->stuck, key);
}

gboolean
tti_watcher_orphans_are_left (TtiWatcherOrphans *orphans)
{
  return g_hash_table_size (orphans->awaited) > 0;
}

void
tti_watcher_orphans_give_up (TtiWatcherOrphans *orphans, TtiWatchPacket *packet)
{
  g_autoptr (GString) text = g_string_new (packet->text);
  GHashTableIter iter;
  gpointer pid;

  g_hash_table_iter_init (&iter, orphans->awaited);
  while (g_hash_table_iter_next (&iter, &pid, NULL))
    if (!g_hash_table_contains (orphans->asked, pid))
      {
        g_autofree char *description = tti_process_describe (GPOINTER_TO_INT (pid));

        if (packet->n_left++ == 0)
          g_string_append_printf (text, "%sprocesses that cannot be ended are left behind: %s",
                                  text->len > 0 ? "; " : "", description);
        else
          g_string_append_printf (text, "; %s", description);
        g_hash_table_add (orphans->stuck, pid);
      }
  g_hash_table_remove_all (orphans->awaited);
  g_strlcpy (packet->text, text->str, sizeof packet->text);
}

gint64
tti_watcher_orphans_get_deadline (TtiWatcherOrphans *orphans)
{
  gint64 deadline = -1;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, orphans->asked);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    deadline = deadline < 0 ? *(const gint64 *)value : MIN (deadline, *(const gint64 *)value);
  return deadline;
}

void
tti_watcher_orphans_tick (TtiWatcherOrphans *orphans, gint64 now)
{
  GHashTableIter iter;
  gpointer pid, value;

  g_hash_table_iter_init (&iter, orphans->asked);
  while (g_hash_table_iter_next (&iter, &pid, &value))
    if (*(const gint64 *)value <= now)
      {
        kill (GPOINTER_TO_INT (pid), SIGKILL);
        g_hash_table_add (orphans->stuck, pid);
        g_hash_table_iter_remove (&iter);
      }
}

GHashTable *
tti_watcher_orphans_get_stuck (TtiWatcherOrphans *orphans)
{
  return orphans->stuck;
}
