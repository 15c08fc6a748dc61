/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Finding and killing the processes below a process, by one pass over /proc.
 *
 * Not every kernel has /proc/PID/task/TID/children, and where it exists it may skip children while others exit; the parent in
 * /proc/PID/stat is always there. */
#include "platform/process-tree.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/urgency.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Programs that end processes elsewhere if they are asked to; what the kernel calls them. */
static const char *const launchers[] = { "srun", "salloc" };

typedef struct
{
  pid_t pid, parent, group;
  gboolean is_launcher;
  gboolean runs;   /* has a processor, or wants one */
  guint64 started; /* ticks since the start of the machine */
} Kinship;

gboolean
tti_process_become_subreaper (GError **error)
{
  if (prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return TRUE;
  tti_set_errno (error, errno, "cannot become a subreaper");
  return FALSE;
}

static int
proc_open_file (int proc, const char *path)
{
  tti_fd_begin_opening ();
  int fd = openat (proc, path, O_RDONLY | O_CLOEXEC);

  tti_fd_end_opening ();
  return fd;
}

const char *
tti_process_read_stat (int proc, const char *pid, char *text, gsize size)
{
  char path[48];

  g_snprintf (path, sizeof path, "%s/stat", pid);
  tti_autofd int fd = proc_open_file (proc, path);

  if (fd < 0)
    return NULL;
  gssize length = read (fd, text, size - 1);

  if (length <= 0)
    return NULL;
  text[length] = '\0';
  /* "PID (NAME) STATE PARENT …": the process chooses the name, which may contain parentheses and spaces. */
  const char *name_end = strrchr (text, ')');

  return name_end != NULL && strlen (name_end) >= 5 ? name_end + 2 : NULL;
}

/* NAME is followed by a parenthesis. */
static gboolean
names_launcher (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (launchers); i++)
    {
      gsize length = strlen (launchers[i]);

      if (strncmp (name, launchers[i], length) == 0 && name[length] == ')')
        return TRUE;
    }
  return FALSE;
}

/* The number in field NUMBER of /proc/PID/stat, as proc (5) counts them; STAT begins with the third. */
static guint64
field_read (const char *stat, guint number)
{
  for (guint i = 3; i < number && stat != NULL; i++)
    {
      stat = strchr (stat, ' ');
      stat += stat != NULL;
    }
  return stat != NULL ? g_ascii_strtoull (stat, NULL, 10) : 0;
}

/* FALSE: the process PID is gone, or errno is a shortage. */
static gboolean
proc_read_kinship (int proc, const char *pid, Kinship *kinship)
{
  char text[512], *end;

  errno = 0;
  const char *stat = tti_process_read_stat (proc, pid, text, sizeof text);

  if (stat == NULL)
    return FALSE;
  kinship->pid = (pid_t) strtol (text, &end, 10);
  kinship->is_launcher = strlen (end) > 2 && names_launcher (end + 2);
  kinship->parent = (pid_t) strtol (stat + 2, &end, 10);
  kinship->group = (pid_t) strtol (end, NULL, 10);
  kinship->runs = stat[0] == 'R';
  kinship->started = field_read (stat, 22);
  return kinship->parent > 0;
}

char
tti_process_get_state (pid_t pid)
{
  char text[512], path[32];

  g_snprintf (path, sizeof path, "/proc/%d", (int) pid);
  const char *stat = tti_process_read_stat (AT_FDCWD, path, text, sizeof text);

  return stat != NULL ? stat[0] : '\0';
}

/* Children of one parent in the order in which they are killed: first those that compute, which makes room for those that kill and for
 * those that die, and of these the newest, which have the least to take apart. */
static gint
kinship_compare (gconstpointer a, gconstpointer b)
{
  const Kinship *one = a, *other = b;

  if (one->parent != other->parent)
    return (one->parent > other->parent) - (one->parent < other->parent);
  if (one->runs != other->runs)
    return other->runs - one->runs;
  return (one->started < other->started) - (one->started > other->started);
}

static DIR *
proc_open (void)
{
  tti_fd_begin_opening ();
  DIR *proc = opendir ("/proc");

  tti_fd_end_opening ();

  if (proc == NULL && !tti_errno_is_shortage (errno))
    g_critical ("cannot read /proc: %s; processes cannot be found", g_strerror (errno));
  return proc;
}

/* FOUND, or NULL if it is incomplete because of the shortage PROBLEM (an errno; 0: none). */
static GArray *
found_unless (int problem, GArray *found)
{
  if (!tti_errno_is_shortage (problem))
    return found;
  g_array_unref (found);
  errno = problem;
  return NULL;
}

GArray *
tti_process_scan (void)
{
  GArray *all = g_array_sized_new (FALSE, FALSE, sizeof (Kinship), 256);
  DIR *proc = proc_open ();
  int problem = 0;

  if (proc == NULL)
    return found_unless (errno, all);
  for (struct dirent *entry; problem == 0 && (entry = readdir (proc)) != NULL;)
    {
      if (!g_ascii_isdigit (entry->d_name[0]))
        continue;
      Kinship kinship;

      if (proc_read_kinship (dirfd (proc), entry->d_name, &kinship))
        g_array_append_val (all, kinship);
      else if (tti_errno_is_shortage (errno))
        problem = errno;
    }
  closedir (proc);
  g_array_sort (all, kinship_compare);
  return found_unless (problem, all);
}

/* Append the children of PARENT, according to ALL, to PIDS. */
static void
kinship_append_children (GArray *all, pid_t parent, GArray *pids)
{
  guint first = 0, end = all->len;

  while (first < end)
    {
      guint middle = first + (end - first) / 2;

      if (g_array_index (all, Kinship, middle).parent < parent)
        first = middle + 1;
      else
        end = middle;
    }
  for (; first < all->len && g_array_index (all, Kinship, first).parent == parent; first++)
    g_array_append_val (pids, g_array_index (all, Kinship, first).pid);
}

/* Is PID a child of ours, alive or not reaped? Asking the kernel costs a tenth of reading /proc/PID/stat, and this delays the
 * report of a death. */
static gboolean
is_own_child (pid_t pid)
{
  siginfo_t info = { 0 };

  return waitid (P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

/* Returns an errno. */
static int
append_own_children (GArray *children)
{
  DIR *proc = proc_open ();

  if (proc == NULL)
    return errno;
  for (struct dirent *entry; (entry = readdir (proc)) != NULL;)
    {
      pid_t pid = g_ascii_isdigit (entry->d_name[0]) ? (pid_t) strtol (entry->d_name, NULL, 10) : 0;

      if (pid > 0 && is_own_child (pid))
        g_array_append_val (children, pid);
    }
  closedir (proc);
  return 0;
}

GArray *
tti_process_children (pid_t parent)
{
  GArray *children = g_array_new (FALSE, FALSE, sizeof (pid_t));

  if (parent == getpid ())
    return found_unless (append_own_children (children), children);
  g_autoptr (GArray) all = tti_process_scan ();

  if (all == NULL)
    return found_unless (errno, children);
  kinship_append_children (all, parent, children);
  return children;
}

GArray *
tti_process_children_of_thread (void)
{
  g_autofree char *text = NULL;

  if (!g_file_get_contents ("/proc/thread-self/children", &text, NULL, NULL))
    return NULL;
  GArray *children = g_array_new (FALSE, FALSE, sizeof (pid_t));
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  for (char **word = words; *word != NULL; word++)
    {
      pid_t pid = (pid_t) strtol (*word, NULL, 10);

      if (pid > 0)
        g_array_append_val (children, pid);
    }
  return children;
}

/* Append all processes below those in FOUND, according to ALL. */
static void
kinship_append_below (GArray *all, GArray *found)
{
  /* An inconsistent view of /proc cannot cause an endless loop: the number of steps is at most the number of processes. */
  for (guint i = 0; i < found->len && found->len <= all->len; i++)
    kinship_append_children (all, g_array_index (found, pid_t, i), found);
}

GArray *
tti_process_below (GArray *all, pid_t pid)
{
  GArray *found = g_array_new (FALSE, FALSE, sizeof (pid_t));

  if (all == NULL)
    return found;
  kinship_append_children (all, pid, found);
  kinship_append_below (all, found);
  return found;
}

static gboolean
pids_contain (const GArray *pids, pid_t pid)
{
  for (guint i = 0; pids != NULL && i < pids->len; i++)
    if (g_array_index (pids, pid_t, i) == pid)
      return TRUE;
  return FALSE;
}

gboolean
tti_process_end (pid_t pid)
{
  char path[32];
  Kinship kinship;

  g_snprintf (path, sizeof path, "/proc/%d", (int) pid);
  if (!proc_read_kinship (AT_FDCWD, path, &kinship) || !kinship.is_launcher)
    {
      kill (pid, SIGKILL);
      return FALSE;
    }
  kill (pid, SIGTERM);
  kill (pid, SIGCONT);
  return TRUE;
}

/* End the processes in FOUND according to ALL; launchers are asked if ASK. Returns those that were. */
static GArray *
end_found (GArray *all, GArray *found, gboolean ask)
{
  g_autoptr (GArray) known = g_array_new (FALSE, FALSE, sizeof (pid_t));
  GArray *asked = g_array_new (FALSE, FALSE, sizeof (pid_t));

  /* Without one, which is usual, no time is lost between two kills. */
  for (guint i = 0; ask && i < all->len; i++)
    if (g_array_index (all, Kinship, i).is_launcher)
      g_array_append_val (known, g_array_index (all, Kinship, i).pid);
  for (guint i = 0; i < found->len; i++)
    {
      pid_t pid = g_array_index (found, pid_t, i);

      if (!pids_contain (known, pid))
        kill (pid, SIGKILL);
      else if (tti_process_end (pid))
        g_array_append_val (asked, pid);
    }
  /* Those who die need a processor for that, and others compute. */
  for (guint i = 0; i < found->len; i++)
    if (!pids_contain (asked, g_array_index (found, pid_t, i)))
      tti_urgency_hasten (g_array_index (found, pid_t, i));
  return asked;
}

/* End everything below PID but the children in SPARED (NULL: none) with what is below those, and PID itself if INCLUSIVE,
 * parents before children, because a parent with a pending SIGKILL cannot fork any more. Launchers are asked if ASK, which becomes whether
 * there are any. Returns the children of PID that were not spared; NULL if there was a shortage, and only PID was killed. */
static GArray *
kill_below (pid_t pid, gboolean inclusive, const GArray *spared, gboolean *ask)
{
  g_autoptr (GArray) all = tti_process_scan ();
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (pid_t));
  GArray *children = g_array_new (FALSE, FALSE, sizeof (pid_t));

  /* Not before the scan: its death would reparent its children, and the scan would not find them. */
  if (inclusive)
    kill (pid, SIGKILL);
  gboolean asking = *ask;

  *ask = FALSE;
  if (all == NULL)
    return found_unless (errno, children);
  kinship_append_children (all, pid, children);
  for (guint i = children->len; i-- > 0;)
    if (pids_contain (spared, g_array_index (children, pid_t, i)))
      g_array_remove_index_fast (children, i);
  g_array_append_vals (found, children->data, children->len);
  kinship_append_below (all, found);
  g_autoptr (GArray) asked = end_found (all, found, asking);

  if (inclusive)
    tti_urgency_hasten (pid);
  *ask = asked->len > 0;
  return children;
}

void
tti_process_kill_tree (pid_t pid)
{
  g_return_if_fail (pid > 1);
  gboolean ask = TRUE;
  g_autoptr (GArray) children = kill_below (pid, TRUE, NULL, &ask);

  (void) children;
}

/* Wait until all PIDS have ended, or UNTIL. */
static void
launchers_await (GArray *pids, gint64 until)
{
  for (guint i = 0; i < pids->len; i++)
    {
      tti_autofd int pidfd = tti_process_open (g_array_index (pids, pid_t, i), NULL);

      if (pidfd >= 0)
        tti_fd_wait (pidfd, POLLIN, until);
    }
}

void
tti_process_end_group (pid_t pid)
{
  g_autoptr (GArray) all = tti_process_scan ();
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (pid_t));

  for (guint i = 0; all != NULL && i < all->len; i++)
    {
      const Kinship *kinship = &g_array_index (all, Kinship, i);

      if (kinship->pid == pid || kinship->group == pid)
        g_array_append_val (found, kinship->pid);
    }
  if (all != NULL)
    {
      kinship_append_below (all, found);
      g_autoptr (GArray) asked = end_found (all, found, TRUE);

      launchers_await (asked, g_get_monotonic_time () + TTI_LAUNCHER_PATIENCE);
    }
  kill (-pid, SIGKILL);
  kill (pid, SIGKILL);
}

/* Wait until all of CHILDREN, which are not reaped yet, have exited, or UNTIL. */
static void
children_await (GArray *children, gint64 until)
{
  if (children == NULL || children->len == 0)
    {
      poll (NULL, 0, 1); /* there are children, but /proc does not show them, or cannot be read at the moment: do not spin */
      return;
    }
  for (guint i = 0; i < children->len; i++)
    {
      tti_autofd int pidfd = tti_process_open (g_array_index (children, pid_t, i), NULL);

      if (pidfd >= 0)
        tti_fd_wait (pidfd, POLLIN, until);
      else
        poll (NULL, 0, 1); /* no descriptor left to wait with: at least do not spin */
    }
}

/* Has a child (ID of TYPE, see waitid ()) exited? *ANY becomes whether there is such a child at all. */
static gboolean
child_has_exited (idtype_t type, id_t id, gboolean *any)
{
  siginfo_t info;
  int result;

  do
    info = (siginfo_t){ 0 };
  while ((result = waitid (type, id, &info, WEXITED | WNOHANG | WNOWAIT)) < 0 && errno == EINTR);
  *any = result == 0;
  return result == 0 && info.si_pid != 0;
}

/* Reap the children that have exited and count them. FALSE when there is no child left. */
static gboolean
children_reap (guint *n_reaped)
{
  TtiScheduling before = { .valid = FALSE };
  gboolean any, softened = FALSE;

  for (*n_reaped = 0; child_has_exited (P_ALL, 0, &any); ++*n_reaped)
    {
      siginfo_t info;

      /* Who leaves others their turn may not have his own again for a while: not if there is nothing to reap. */
      if (!softened)
        before = tti_urgency_soften ();
      softened = TRUE;
      waitid (P_ALL, 0, &info, WEXITED | WNOHANG);
    }
  tti_urgency_end (&before);
  return any;
}

gboolean
tti_process_end_all_descendants (gint64 deadline)
{
  /* Each process below us at the start of a pass is below a child of ours, which only we can reap: so the pass sees that child,
   * alive or as a zombie, and waiting for the child ends. A process forked meanwhile becomes our child by then, and the next pass
   * finds it. Only a process that hangs in the kernel delays a pass; the patience lets us find others before that process is gone.
   * Nothing is reaped before the first pass has killed all: to reap, an urgent thread waits for its turn (tti_urgency_soften ()). */
  gint64 patience = 20 * G_TIME_SPAN_MILLISECOND, now = g_get_monotonic_time ();
  gint64 ask_until = now + TTI_LAUNCHER_PATIENCE, later = deadline + TTI_LAUNCHER_PATIENCE;
  int pause_ms = 0;
  guint n_reaped = 0;
  gboolean any;

  (void) child_has_exited (P_ALL, 0, &any);
  while (any && now < deadline)
    {
      gboolean ask = now < ask_until;

      /* A dead child that cannot be reaped yet, because its debugger has not waited for it, must not make this spin. */
      if (pause_ms > 0)
        poll (NULL, 0, pause_ms);
      g_autoptr (GArray) children = kill_below (getpid (), FALSE, NULL, &ask);

      if (ask)
        deadline = later;
      children_await (children, MIN (deadline, now + patience));
      any = children_reap (&n_reaped);
      pause_ms = n_reaped > 0 ? 0 : CLAMP (2 * pause_ms, 1, 64);
      patience = MIN (2 * patience, G_TIME_SPAN_SECOND);
      now = g_get_monotonic_time ();
    }
  return !any || !children_reap (&n_reaped);
}

/* Reap those of CHILDREN (NULL: none) that have exited. Returns how many. */
static guint
children_reap_these (GArray *children)
{
  TtiScheduling before = { .valid = FALSE };
  guint n_reaped = 0;

  for (guint i = 0; children != NULL && i < children->len; i++)
    {
      siginfo_t info = { 0 };
      gboolean any;

      if (!child_has_exited (P_PID, (id_t) g_array_index (children, pid_t, i), &any))
        continue;
      if (n_reaped == 0)
        before = tti_urgency_soften ();
      if (waitid (P_PID, (id_t) g_array_index (children, pid_t, i), &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0)
        n_reaped++;
    }
  tti_urgency_end (&before);
  return n_reaped;
}

gboolean
tti_process_end_children_but (const GArray *spared, gint64 deadline)
{
  gint64 patience = 20 * G_TIME_SPAN_MILLISECOND, ask_until = g_get_monotonic_time () + TTI_LAUNCHER_PATIENCE;
  gint64 later = deadline + TTI_LAUNCHER_PATIENCE;
  int pause_ms = 0;

  for (;;)
    {
      gint64 now = g_get_monotonic_time ();
      gboolean ask = now < ask_until;
      g_autoptr (GArray) children = kill_below (getpid (), FALSE, spared, &ask);

      if (ask)
        deadline = later;
      if (children != NULL && children->len == 0)
        return TRUE;
      if (now >= deadline)
        return FALSE;
      children_await (children, MIN (deadline, now + patience));
      patience = MIN (2 * patience, G_TIME_SPAN_SECOND);
      /* As above: dead, but its debugger has not waited for it yet. */
      pause_ms = children_reap_these (children) > 0 ? 0 : CLAMP (2 * pause_ms, 1, 64);
      if (pause_ms > 0)
        poll (NULL, 0, pause_ms);
    }
}

int
tti_process_open (pid_t pid, GError **error)
{
  tti_fd_begin_opening ();
  int pidfd = pidfd_open (pid, 0);

  tti_fd_end_opening ();
  if (pidfd < 0)
    tti_set_errno (error, errno, "cannot open process %d", (int) pid);
  return pidfd;
}

void
tti_process_kill (int pidfd)
{
  pidfd_send_signal (pidfd, SIGKILL, NULL, 0);
}
