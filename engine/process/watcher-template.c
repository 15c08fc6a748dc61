/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher's templates.
 *
 * A template ends in two steps. It is reaped like every child; but a helper of it may still be about to report a worker. Only the
 * end of its socket, which the helper holds as well, means that nothing more will come: then unanswered requests are returned. */
#include "process/watcher-template.h"
#include "platform/fd.h"
#include "platform/spawn.h"
#include "process/watcher-urgency.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

/* How often we try a template that cannot start. */
enum { PATIENCE = 3 };

/* How long a template may take to answer a request: if it loads modules from a file system that hangs, it would never answer. It
 * takes some 20 ms to get ready, and 2 ms for a worker. After this time workers are started in the ordinary way, so that too short
 * a time does no harm. */
#define SILENCE (10 * G_TIME_SPAN_SECOND)

typedef struct
{
  char *key; /* the strings that its workers share, as in TtiWatcherStrings */
  gsize key_size;
  guint32 n_args;
  pid_t pid;          /* 0: none, or reaped */
  int socket;         /* -1: none, or its end was reached */
  TtiWatchQueue requests;
  GQueue unborn;      /* generations requested and not answered, in order */
  guint failures;     /* number of templates that have ended since one has made a worker */
  guint64 used;       /* time of the last use, as a counter */
  gint64 give_up_at;  /* set while requests are unanswered */
  gboolean stopped;
  guint ticks;        /* counts while it is stopped */
} Template;

struct _TtiWatcherTemplates
{
  Template all[TTI_WATCHER_MAX_TEMPLATES];
  guint64 clock;
  gint64 tick_at;     /* -1: none is stopped */
  int master_fd;
  guint64 max_fds;
  TtiTemplateAnswer answer;
  gpointer user_data;
};

TtiWatcherTemplates *
tti_watcher_templates_new (int master_fd, guint64 max_fds, TtiTemplateAnswer answer, gpointer user_data)
{
  TtiWatcherTemplates *templates = g_new0 (TtiWatcherTemplates, 1);

  templates->master_fd = master_fd;
  templates->max_fds = max_fds;
  templates->answer = answer;
  templates->user_data = user_data;
  templates->tick_at = -1;
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    templates->all[i].socket = -1;
  return templates;
}

static void
template_clear (Template *template)
{
  g_clear_pointer (&template->key, g_free);
  tti_fd_clear (&template->socket);
  tti_watch_queue_clear (&template->requests);
  g_queue_clear_full (&template->unborn, g_free);
  *template = (Template){ .socket = -1 };
}

void
tti_watcher_templates_free (TtiWatcherTemplates *templates)
{
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    template_clear (&templates->all[i]);
  g_free (templates);
}

/* A record for a new key; replaces the least recently used one. NULL if all are busy. */
static Template *
template_new (TtiWatcherTemplates *templates, const char *key, gsize key_size, guint32 n_args)
{
  Template *oldest = NULL;

  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    {
      Template *template = &templates->all[i];

      if (g_queue_is_empty (&template->unborn) && (oldest == NULL || template->used < oldest->used))
        oldest = template;
    }
  if (oldest == NULL)
    return NULL;
  /* Drop its record: it will be reaped as an orphan. */
  if (oldest->pid > 0)
    kill (oldest->pid, SIGKILL);
  template_clear (oldest);
  oldest->key = g_memdup2 (key, key_size);
  oldest->key_size = key_size;
  oldest->n_args = n_args;
  return oldest;
}

static Template *
template_find (TtiWatcherTemplates *templates, const char *key, gsize key_size, guint32 n_args)
{
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    {
      Template *template = &templates->all[i];

      if (template->key != NULL && template->key_size == key_size && template->n_args == n_args
          && memcmp (template->key, key, key_size) == 0)
        return template;
    }
  return template_new (templates, key, key_size, n_args);
}

/* Start the program of STRINGS as a template, without the last N_OWN variables; its output until it is ready goes to OUT and ERR. */
static gboolean
template_start (Template *template, const TtiWatcherStrings *strings, guint n_common, const TtiWatchParcel *parcel,
                const TtiWatcherTemplates *templates)
{
  g_autoptr (GPtrArray) environment = g_ptr_array_new ();
  int pair[2];

  for (guint i = 0; i < n_common; i++)
    g_ptr_array_add (environment, (gpointer) strings->program.envp[i]);
  g_ptr_array_add (environment, (gpointer) TTI_TEMPLATE_SETTING "=1");
  g_ptr_array_add (environment, NULL);
  if (!tti_fd_socket_pair (SOCK_SEQPACKET, pair, NULL))
    return FALSE;
  tti_autofd int theirs = pair[1];
  int fds[] = { -1, parcel->fds[1], parcel->fds[2], theirs, templates->master_fd };
  TtiSpawn spawn = { .path = strings->program.path, .argv = strings->program.argv, .envp = (const char *const *) environment->pdata,
                       .fds = fds, .n_fds = G_N_ELEMENTS (fds), .new_group = TRUE, .max_fds = templates->max_fds };

  tti_watcher_urgency_pause ();
  template->pid = tti_spawn (&spawn, NULL);
  tti_watcher_urgency_resume ();
  if (template->pid < 0)
    {
      template->pid = 0;
      tti_fd_clear (&pair[0]);
      return FALSE;
    }
  template->socket = pair[0];
  return TRUE;
}

gboolean
tti_watcher_templates_ask (TtiWatcherTemplates *templates, const TtiWatcherStrings *strings, const TtiWatchParcel *parcel)
{
  guint n_settings = g_strv_length ((char **) strings->program.envp), n_own = parcel->packet.n_own;

  if (n_own == 0 || n_own >= n_settings)
    return FALSE;
  const char *own = strings->program.envp[n_settings - n_own];
  Template *template = template_find (templates, strings->text, (gsize) (own - strings->text), parcel->packet.n_args);

  if (template == NULL || template->stopped || template->failures >= PATIENCE)
    return FALSE;
  /* The record can be reused when the template has ended in both ways. */
  if ((template->socket >= 0) != (template->pid > 0))
    return FALSE;
  if (template->socket < 0 && !template_start (template, strings, n_settings - n_own, parcel, templates))
    {
      template->failures++;
      return FALSE;
    }
  TtiWatchIo io = tti_watch_queue_send (&template->requests, template->socket, &parcel->packet, parcel->fds,
                                        parcel->n_fds, NULL);

  /* If it has just ended, the end of its socket returns the earlier requests. */
  if (io != TTI_WATCH_IO_DONE && io != TTI_WATCH_IO_AGAIN)
    return FALSE;
  template->used = ++templates->clock;
  if (g_queue_is_empty (&template->unborn))
    template->give_up_at = g_get_monotonic_time () + SILENCE;
  g_queue_push_tail (&template->unborn, g_memdup2 (&parcel->packet.worker, sizeof parcel->packet.worker));
  return TRUE;
}

static Template *
template_of_pid (TtiWatcherTemplates *templates, pid_t pid)
{
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    if (pid > 0 && templates->all[i].pid == pid)
      return &templates->all[i];
  return NULL;
}

gboolean
tti_watcher_templates_have (TtiWatcherTemplates *templates, pid_t pid)
{
  return template_of_pid (templates, pid) != NULL;
}

static gint64
next_tick (void)
{
  return g_get_monotonic_time () + TTI_STOPPED_TICK_MS * G_TIME_SPAN_MILLISECOND;
}

void
tti_watcher_templates_note (TtiWatcherTemplates *templates, const siginfo_t *info)
{
  Template *template = template_of_pid (templates, info->si_pid);

  if (template == NULL)
    return;
  template->stopped = info->si_code == CLD_STOPPED || info->si_code == CLD_TRAPPED;
  template->ticks = 0;
  if (template->stopped && templates->tick_at < 0)
    templates->tick_at = next_tick ();
  if (template->stopped || info->si_code == CLD_CONTINUED)
    return;
  template->pid = 0;
  /* It reports that it cannot be a template: the next one could not either. */
  if (info->si_code == CLD_EXITED && info->si_status != 0)
    template->failures = PATIENCE;
}

void
tti_watcher_templates_fill (TtiWatcherTemplates *templates, struct pollfd fds[TTI_WATCHER_MAX_TEMPLATES])
{
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    {
      Template *template = &templates->all[i];

      fds[i] = (struct pollfd){ .fd = template->socket, .events = POLLIN };
      if (tti_watch_queue_length (&template->requests) > 0)
        fds[i].events |= POLLOUT;
    }
}

/* GENERATION is process PID, or (PID 0) will not be made. */
static void
template_answer (TtiWatcherTemplates *templates, Template *template, guint64 generation, pid_t pid)
{
  for (GList *l = template->unborn.head; l != NULL; l = l->next)
    if (*(guint64 *) l->data == generation)
      {
        g_free (l->data);
        g_queue_delete_link (&template->unborn, l);
        template->give_up_at = g_get_monotonic_time () + SILENCE;
        templates->answer (generation, pid, templates->user_data);
        return;
      }
  /* The worker is not wanted any more. It has not begun yet, so kill it now and reap it as an orphan. */
  if (pid > 0)
    kill (pid, SIGKILL);
}

void
tti_watcher_templates_forget (TtiWatcherTemplates *templates, guint64 generation)
{
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    for (GList *l = templates->all[i].unborn.head; l != NULL; l = l->next)
      if (*(guint64 *) l->data == generation)
        {
          g_free (l->data);
          g_queue_delete_link (&templates->all[i].unborn, l);
          break;
        }
}

/* The template has ended: return the requests that it has not answered. */
static void
template_end (TtiWatcherTemplates *templates, Template *template)
{
  GQueue unborn = template->unborn;
  guint64 *generation;

  if (template->pid > 0)
    kill (template->pid, SIGKILL);
  template->failures++;
  tti_fd_clear (&template->socket);
  tti_watch_queue_clear (&template->requests);
  g_queue_init (&template->unborn);
  while ((generation = g_queue_pop_head (&unborn)) != NULL)
    {
      templates->answer (*generation, 0, templates->user_data);
      g_free (generation);
    }
}

static void
template_listen (TtiWatcherTemplates *templates, Template *template)
{
  (void) tti_watch_queue_flush (&template->requests, template->socket, NULL);
  while (template->socket >= 0)
    {
      g_auto (TtiWatchParcel) parcel = { 0 };

      switch (tti_watch_parcel_receive (template->socket, &parcel, NULL))
        {
        case TTI_WATCH_IO_DONE:
          if (parcel.packet.kind == TTI_WATCH_SPAWNED)
            template->failures = 0;
          template_answer (templates, template, parcel.packet.worker,
                           parcel.packet.kind == TTI_WATCH_SPAWNED ? parcel.packet.pid : 0);
          break;
        case TTI_WATCH_IO_AGAIN:
          return;
        case TTI_WATCH_IO_ENDED:
        case TTI_WATCH_IO_FAILED:
          template_end (templates, template);
          return;
        }
    }
}

void
tti_watcher_templates_listen (TtiWatcherTemplates *templates)
{
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    if (templates->all[i].socket >= 0)
      template_listen (templates, &templates->all[i]);
}

gint64
tti_watcher_templates_get_deadline (TtiWatcherTemplates *templates)
{
  gint64 deadline = templates->tick_at;

  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    {
      const Template *template = &templates->all[i];

      if (template->socket >= 0 && template->unborn.length > 0 && (deadline < 0 || template->give_up_at < deadline))
        deadline = template->give_up_at;
    }
  return deadline;
}

/* End templates that stay stopped for too many ticks. */
static void
templates_count_ticks (TtiWatcherTemplates *templates, gint64 now)
{
  if (templates->tick_at < 0 || now < templates->tick_at)
    return;
  templates->tick_at = -1;
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    {
      Template *template = &templates->all[i];

      if (!template->stopped || template->pid == 0)
        continue;
      if (++template->ticks >= TTI_STOPPED_TICKS)
        kill (template->pid, SIGKILL);
      else
        templates->tick_at = next_tick ();
    }
}

void
tti_watcher_templates_tick (TtiWatcherTemplates *templates, gint64 now)
{
  templates_count_ticks (templates, now);
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    {
      Template *template = &templates->all[i];

      if (template->socket >= 0 && template->unborn.length > 0 && template->give_up_at <= now)
        template_end (templates, template);
    }
}

void
tti_watcher_templates_kill (TtiWatcherTemplates *templates)
{
  for (guint i = 0; i < TTI_WATCHER_MAX_TEMPLATES; i++)
    if (templates->all[i].pid > 0)
      kill (templates->all[i].pid, SIGKILL);
}
