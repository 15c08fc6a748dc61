/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher's table of workers.
 *
 * A worker is a subreaper, so its orphans stay with it while it lives. When it dies they fall to the watcher: a child of the
 * watcher that is no living worker is an orphan. Orphans are killed and reaped, and their orphans in turn, before the death is
 * reported; a process that hangs in the kernel delays the report by no more than ORPHAN_PATIENCE, and so does a launcher, which is asked
 * to end. Only children that are not reaped yet are signalled by pid, so no pid can belong to another process. */
#include "process/watcher-children.h"
#include "process/watcher-cpu.h"
#include "platform/fd.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "platform/urgency.h"
#include "process/watcher-group.h"
#include "process/watcher-memory.h"
#include "process/watcher-orphans.h"
#include "process/watcher-program.h"
#include "process/watcher-share.h"
#include "process/watcher-start.h"
#include "process/watcher-template.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORPHAN_PATIENCE (300 * G_TIME_SPAN_MILLISECOND) /* less than the engine waits for a report */

typedef struct
{
  gint64 generation;
  pid_t pid;               /* 0: a template is about to make it */
  TtiWatchParcel request;  /* until it exists */
  int signal;              /* to be sent when it exists; 0: none */
  gint64 kill_at;          /* -1: never */
  gboolean killed;         /* SIGKILL was sent by us */
  TtiMemoryExcess excess;  /* the reason; usage 0: another one */
  char *group;             /* its memory control group, NULL if it has none */
} Child;

typedef struct
{
  TtiWatchPacket packet;
  gint64 report_at; /* report its death then, even if orphans are left */
} Death;

struct _TtiWatcherChildren
{
  GHashTable *by_generation; /* owns the living workers */
  GHashTable *by_pid;
  GQueue deaths;             /* of dead workers, to be reported when their orphans are gone; oldest first */
  TtiWatcherOrphans *orphans;
  gboolean sweeping;         /* there may be orphans that we do not know */
  int master_fd;
  int oom_score_adj;         /* our own */
  guint64 max_fds;           /* that the workers get */
  TtiWatcherMemory *memory;
  TtiWatcherGroups *groups;
  TtiWatcherTemplates *templates;
  TtiWatcherReport report;
  gpointer user_data;
};

static Child *
child_by_pid (TtiWatcherChildren *children, pid_t pid)
{
  return g_hash_table_lookup (children->by_pid, GINT_TO_POINTER (pid));
}

static Child *
child_by_generation (TtiWatcherChildren *children, guint64 generation)
{
  gint64 key = (gint64) generation;

  return g_hash_table_lookup (children->by_generation, &key);
}

static void
child_kill (Child *child)
{
  child->killed = TRUE;
  tti_process_kill_tree (child->pid);
}

static void
children_memory_exceeded (const TtiMemoryExcess *excess, gpointer user_data)
{
  Child *child = child_by_pid (user_data, excess->pid);

  if (child == NULL || child->killed)
    return;
  child->excess = *excess;
  child_kill (child);
}

static void
report_failure (TtiWatcherChildren *children, guint64 generation, int saved_errno, const char *message)
{
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_FAILED, generation);

  packet.status = saved_errno;
  g_strlcpy (packet.text, message, sizeof packet.text);
  children->report (&packet, -1, children->user_data);
}

/* CHILD cannot be started, which ends its request. */
static void
child_fail (TtiWatcherChildren *children, Child *child, int saved_errno, const char *message)
{
  report_failure (children, (guint64) child->generation, saved_errno, message);
  g_hash_table_remove (children->by_generation, &child->generation);
}

/* CHILD is process PID now. */
static void
child_begin (TtiWatcherChildren *children, Child *child, pid_t pid)
{
  g_autoptr (GError) error = NULL;
  const TtiWatchPacket *request = &child->request.packet;
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_SPAWNED, request->worker);

  tti_watcher_set_oom_score (pid, children->oom_score_adj + request->oom_score_adj);
  tti_autofd int pidfd = tti_process_open (pid, &error);

  if (pidfd < 0)
    {
      int saved_errno = errno;

      kill (pid, SIGKILL); /* it is not registered, and will be reaped as an orphan */
      child_fail (children, child, saved_errno, error->message);
      return;
    }
  child->pid = pid;
  child->group = tti_watcher_groups_note (children->groups, pid);
  g_hash_table_insert (children->by_pid, GINT_TO_POINTER (pid), child);
  tti_watcher_memory_add (children->memory, pid, request->memory_limit);
  packet.pid = pid;
  children->report (&packet, pidfd, children->user_data);
  tti_watch_parcel_clear (&child->request);
  if (child->signal == SIGKILL)
    child_kill (child);
  else if (child->signal != 0)
    kill (pid, child->signal);
}

/* Make CHILD: by a template if there is one and ITSELF is not set, otherwise by starting its program. */
static void
child_make (TtiWatcherChildren *children, Child *child, gboolean itself)
{
  g_auto (TtiWatcherStrings) strings = { 0 };
  g_autoptr (GError) error = NULL;
  gboolean good = tti_watcher_program_unpack (child->request.fds[3], child->request.packet.n_args, &strings, &error);
  pid_t pid = -1;
  int saved_errno = errno;

  gboolean asked = good && !itself && tti_watcher_templates_ask (children->templates, &strings, &child->request);

  if (good && !asked)
    {
      pid = tti_watcher_start (&child->request, &strings, children->master_fd, children->max_fds, &error);
      saved_errno = errno;
    }
  if (pid > 0)
    child_begin (children, child, pid);
  else if (!asked)
    child_fail (children, child, saved_errno, error->message);
}

static void
children_template_answer (guint64 generation, pid_t pid, gpointer user_data)
{
  TtiWatcherChildren *children = user_data;
  Child *child = child_by_generation (children, generation);

  g_assert (child != NULL && child->pid == 0);
  /* A copy may be gone before its template reports it. */
  if (pid > 0 && kill (pid, 0) == 0)
    child_begin (children, child, pid);
  else
    child_make (children, child, TRUE);
}

static void
child_free (gpointer data)
{
  Child *child = data;

  tti_watch_parcel_clear (&child->request);
  g_free (child->group);
  g_free (child);
}

TtiWatcherChildren *
tti_watcher_children_new (int master_fd, const char *vmstat, TtiWatcherReport report, gpointer user_data)
{
  TtiWatcherChildren *children = g_new0 (TtiWatcherChildren, 1);

  children->by_generation = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, child_free);
  children->by_pid = g_hash_table_new (NULL, NULL);
  children->orphans = tti_watcher_orphans_new ();
  children->master_fd = master_fd;
  children->oom_score_adj = tti_watcher_get_oom_score ();
  children->report = report;
  children->user_data = user_data;
  children->groups = tti_watcher_groups_new ("/proc");
  children->memory = tti_watcher_memory_new (vmstat, children_memory_exceeded, children);
  children->max_fds = tti_watcher_raise_descriptors ();
  children->templates = tti_watcher_templates_new (master_fd, children->max_fds, children_template_answer, children);
  return children;
}

void
tti_watcher_children_free (TtiWatcherChildren *children)
{
  if (children == NULL)
    return;
  tti_watcher_templates_free (children->templates);
  g_hash_table_unref (children->by_pid);
  g_hash_table_unref (children->by_generation);
  tti_watcher_orphans_free (children->orphans);
  g_queue_clear_full (&children->deaths, g_free);
  tti_watcher_memory_free (children->memory);
  tti_watcher_groups_free (children->groups);
  g_free (children);
}

void
tti_watcher_children_spawn (TtiWatcherChildren *children, TtiWatchParcel *parcel)
{
  guint64 generation = parcel->packet.worker;

  if (generation == 0 || child_by_generation (children, generation) != NULL)
    {
      report_failure (children, generation, EEXIST, "the worker's generation is 0 or in use: each must be new");
      return;
    }
  if (parcel->n_fds != (parcel->packet.has_folder ? 5 : 4))
    {
      report_failure (children, generation, EMFILE, "the worker's descriptors did not arrive: the watcher has none left");
      return;
    }
  Child *child = g_new (Child, 1);

  *child = (Child){ .generation = (gint64) generation, .request = *parcel, .kill_at = -1 };
  parcel->n_fds = 0; /* the child owns them now */
  g_hash_table_insert (children->by_generation, &child->generation, child);
  child_make (children, child, FALSE);
}

void
tti_watcher_children_signal (TtiWatcherChildren *children, const TtiWatchPacket *packet)
{
  Child *child = child_by_generation (children, packet->worker);

  if (child == NULL)
    return;
  if (child->pid == 0)
    {
      if (packet->signal != 0 && child->signal != SIGKILL)
        child->signal = packet->signal;
    }
  else if (packet->signal == SIGKILL)
    child_kill (child);
  else
    kill (child->pid, packet->signal);
  if (packet->grace_ms < 0)
    return;
  gint64 kill_at = g_get_monotonic_time () + packet->grace_ms * (gint64) G_TIME_SPAN_MILLISECOND;

  child->kill_at = child->kill_at < 0 ? kill_at : MIN (child->kill_at, kill_at);
}

void
tti_watcher_children_limit (TtiWatcherChildren *children, const TtiWatchPacket *packet)
{
  Child *child = child_by_generation (children, packet->worker);

  if (child != NULL && child->pid == 0)
    child->request.packet.memory_limit = packet->memory_limit;
  else if (child != NULL && !child->killed)
    tti_watcher_memory_add (children->memory, child->pid, packet->memory_limit);
}

static void
deaths_report (TtiWatcherChildren *children, gint64 until)
{
  Death *death;

  while ((death = g_queue_peek_head (&children->deaths)) != NULL && death->report_at <= until)
    {
      children->report (&death->packet, -1, children->user_data);
      g_free (g_queue_pop_head (&children->deaths));
    }
}

/* Kill the orphans that are not killed yet; when none are left, report the deaths. */
static void
children_sweep (TtiWatcherChildren *children)
{
  if (!children->sweeping || tti_watcher_orphans_are_left (children->orphans))
    return;
  g_autoptr (GArray) all = tti_process_children_of_thread (); /* there is one thread, which alone reaps: no child is missed */

  /* Not all kernels can tell. */
  if (all == NULL)
    all = tti_process_children (getpid ());
  if (all == NULL)
    return; /* the next event brings us back; deaths whose patience ends before are reported without the orphans */
  /* Workers were reported before they became our children. */
  tti_watcher_templates_listen (children->templates);
  for (guint i = 0; i < all->len; i++)
    {
      pid_t pid = g_array_index (all, pid_t, i);

      if (child_by_pid (children, pid) == NULL && !tti_watcher_templates_have (children->templates, pid))
        tti_watcher_orphans_end (children->orphans, pid);
    }
  if (tti_watcher_orphans_are_left (children->orphans))
    return; /* the SIGCHLD of the last one brings us back, to find their orphans */
  children->sweeping = FALSE;
  deaths_report (children, G_MAXINT64);
}

/* Determine the cause of the end of CHILD by SIGKILL. */
static void
child_explain (TtiWatcherChildren *children, const Child *child, const struct rusage *usage, gint64 cpu_limit, TtiWatchPacket *packet)
{
  const TtiMemoryExcess *excess = &child->excess;

  if (excess->usage > 0)
    {
      packet->cause = TTI_EXIT_CAUSE_MEMORY_LIMIT;
      packet->peak_memory = MAX (packet->peak_memory, excess->usage);
      tti_memory_excess_describe (excess, packet->text, sizeof packet->text);
    }
  else if (!child->killed)
    {
      gint64 now = g_get_monotonic_time ();
      g_autofree char *limit = tti_watcher_groups_explain (children->groups, child->group, now);

      /* Call it in any case: it also counts the kernel's kill, which must not explain the next death. */
      if (tti_watcher_memory_explains_kill (children->memory, now) || limit != NULL)
        {
          packet->cause = TTI_EXIT_CAUSE_OUT_OF_MEMORY;
          g_strlcpy (packet->text, limit != NULL ? limit : "the kernel killed it, because the machine had no memory left",
                     sizeof packet->text);
        }
      else if (tti_watcher_cpu_explains_kill (cpu_limit, usage, packet->text, sizeof packet->text))
        packet->cause = TTI_EXIT_CAUSE_CPU_LIMIT;
    }
}

static void
child_bury (TtiWatcherChildren *children, const siginfo_t *info, const struct rusage *usage, gint64 cpu_limit)
{
  Child *child = child_by_pid (children, info->si_pid);

  if (child == NULL)
    {
      /* A template can leave only a worker that is not complete yet. */
      children->sweeping = children->sweeping || tti_watcher_templates_have (children->templates, info->si_pid);
      tti_watcher_templates_note (children->templates, info);
      tti_watcher_orphans_remove (children->orphans, info->si_pid);
      return;
    }
  Death *death = g_new (Death, 1);

  death->packet = tti_watch_packet_make (TTI_WATCH_EXITED, (guint64) child->generation);
  death->packet.pid = child->pid;
  death->packet.status = info->si_code == CLD_EXITED ? info->si_status : -1;
  death->packet.signal = info->si_code == CLD_EXITED ? 0 : info->si_status;
  death->packet.core_dumped = info->si_code == CLD_DUMPED;
  death->packet.peak_memory = (guint64) usage->ru_maxrss * 1024;
  if (death->packet.signal == SIGKILL)
    child_explain (children, child, usage, cpu_limit, &death->packet);
  death->report_at = g_get_monotonic_time () + ORPHAN_PATIENCE;
  g_queue_push_tail (&children->deaths, death);
  children->sweeping = TRUE;
  tti_watcher_memory_remove (children->memory, child->pid);
  g_hash_table_remove (children->by_pid, GINT_TO_POINTER (child->pid));
  g_hash_table_remove (children->by_generation, &child->generation);
}

static void
child_report_stop (TtiWatcherChildren *children, const siginfo_t *info)
{
  Child *child = child_by_pid (children, info->si_pid);

  if (child == NULL)
    {
      tti_watcher_templates_note (children->templates, info);
      return;
    }
  /* The master looks itself whether a worker is still stopped when it has been so for long. */
  if (info->si_code == CLD_CONTINUED)
    return;
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_STOPPED, (guint64) child->generation);

  packet.pid = child->pid;
  packet.signal = info->si_status;
  children->report (&packet, -1, children->user_data);
}

/* Wait for news of a child, of PID if that is not 0, and leave them pending if PEEK. FALSE: there are none. The C library's waitid
 * () has no rusage, and wait4 () does not distinguish stops from traps as clearly. */
static gboolean
child_wait (pid_t pid, gboolean peek, siginfo_t *info, struct rusage *usage)
{
  int options = WEXITED | WSTOPPED | WCONTINUED | WNOHANG | (peek ? WNOWAIT : 0);
  TtiScheduling before = { .valid = FALSE };

  if (!peek)
    before = tti_urgency_soften ();
  do
    *info = (siginfo_t){ 0 };
  while (syscall (SYS_waitid, pid == 0 ? P_ALL : P_PID, pid, info, options, usage) < 0 && errno == EINTR);
  tti_urgency_end (&before);
  return info->si_pid != 0;
}

void
tti_watcher_children_reap (TtiWatcherChildren *children)
{
  siginfo_t info;
  struct rusage usage = { 0 };

  while (child_wait (0, TRUE, &info, &usage))
    {
      /* A worker that a template has made may have died before we have read the report. Read it before reaping the worker:
       * otherwise we would believe that it was never made, and make it a second time. */
      if (child_by_pid (children, info.si_pid) == NULL)
        tti_watcher_templates_listen (children->templates);
      /* The process exists until it is reaped. */
      gint64 cpu_limit = info.si_code == CLD_KILLED && info.si_status == SIGKILL ? tti_process_get_cpu_limit (info.si_pid) : -1;

      if (!child_wait (info.si_pid, FALSE, &info, &usage))
        continue;
      if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
        child_bury (children, &info, &usage, cpu_limit);
      else
        child_report_stop (children, &info);
    }
  children_sweep (children);
}

/* The earlier of two times; -1 means never. */
static gint64
earlier (gint64 one, gint64 other)
{
  return one < 0 || (other >= 0 && other < one) ? other : one;
}

gint64
tti_watcher_children_get_deadline (TtiWatcherChildren *children)
{
  const Death *death = g_queue_peek_head (&children->deaths);
  gint64 deadline = earlier (tti_watcher_memory_get_deadline (children->memory),
                             tti_watcher_templates_get_deadline (children->templates));
  GHashTableIter iter;
  gpointer value;

  deadline = earlier (deadline, tti_watcher_orphans_get_deadline (children->orphans));
  deadline = earlier (deadline, death != NULL ? death->report_at : -1);
  g_hash_table_iter_init (&iter, children->by_generation);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    deadline = earlier (deadline, ((const Child *) value)->kill_at);
  return deadline;
}

/* The template has not made CHILD in time, and may never do so: stop waiting for it. */
static void
child_report_unborn (TtiWatcherChildren *children, const Child *child)
{
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_EXITED, (guint64) child->generation);

  packet.status = -1;
  packet.signal = SIGKILL;
  tti_watcher_templates_forget (children->templates, (guint64) child->generation);
  children->report (&packet, -1, children->user_data);
}

void
tti_watcher_children_tick (TtiWatcherChildren *children)
{
  gint64 now = g_get_monotonic_time ();
  const Death *death = g_queue_peek_head (&children->deaths);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, children->by_generation);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Child *child = value;

      if (child->kill_at < 0 || child->kill_at > now)
        continue;
      child->kill_at = -1;
      if (child->pid > 0)
        child_kill (child);
      else
        {
          child_report_unborn (children, child);
          g_hash_table_iter_remove (&iter);
        }
    }
  tti_watcher_templates_tick (children->templates, now);
  tti_watcher_orphans_tick (children->orphans, now);
  tti_watcher_memory_poll (children->memory, now);
  if (death != NULL && death->report_at <= now)
    {
      tti_watcher_orphans_give_up (children->orphans, &((Death *) g_queue_peek_head (&children->deaths))->packet);
      deaths_report (children, now);
      children_sweep (children);
    }
}

GHashTable *
tti_watcher_children_get_stuck (TtiWatcherChildren *children)
{
  return tti_watcher_orphans_get_stuck (children->orphans);
}

void
tti_watcher_children_kill (TtiWatcherChildren *children)
{
  GHashTableIter iter;
  gpointer pid;

  g_hash_table_iter_init (&iter, children->by_pid);
  while (g_hash_table_iter_next (&iter, &pid, NULL))
    tti_process_end (GPOINTER_TO_INT (pid)); /* it may be a launcher, which ends what it has started elsewhere */
  tti_watcher_templates_kill (children->templates);
}

void
tti_watcher_children_fill (TtiWatcherChildren *children, struct pollfd fds[TTI_WATCHER_MAX_TEMPLATES])
{
  tti_watcher_templates_fill (children->templates, fds);
}

void
tti_watcher_children_listen (TtiWatcherChildren *children)
{
  tti_watcher_templates_listen (children->templates);
}
