/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Death certificates. */
#include "process/certificate.h"
#include "platform/host-name.h"
#include "platform/signal-name.h"
#include <signal.h>
#include <string.h>

static const char *const reason_names[] = {
  [TUTTI_DEATH_EXIT] = "exit",
  [TUTTI_DEATH_SIGNAL] = "signal",
  [TUTTI_DEATH_MEMORY_LIMIT] = "memory-limit",
  [TUTTI_DEATH_OUT_OF_MEMORY] = "out-of-memory",
  [TUTTI_DEATH_TIMEOUT] = "timeout",
  [TUTTI_DEATH_CANCELLED] = "cancelled",
  [TUTTI_DEATH_STOPPED] = "stopped",
  [TUTTI_DEATH_WATCHER_LOST] = "watcher-lost",
  [TUTTI_DEATH_PROTOCOL] = "protocol",
  [TUTTI_DEATH_FAULT] = "fault",
  [TUTTI_DEATH_NOT_STARTED] = "not-started",
  [TUTTI_DEATH_CLOSED] = "closed",
};

const char *
tti_death_reason_name (TuttiDeathReason reason)
{
  g_return_val_if_fail ((guint) reason < G_N_ELEMENTS (reason_names), "unknown");
  return reason_names[reason];
}

TtiCertificate *
tti_certificate_new (TuttiDeathReason reason)
{
  TtiCertificate *certificate = g_new0 (TtiCertificate, 1);

  g_atomic_ref_count_init (&certificate->refs);
  certificate->reason = reason;
  certificate->status = -1;
  certificate->stderr_tail = g_strdup ("");
  return certificate;
}

TtiCertificate *
tti_certificate_ref (TtiCertificate *certificate)
{
  g_return_val_if_fail (certificate != NULL, NULL);
  g_atomic_ref_count_inc (&certificate->refs);
  return certificate;
}

void
tti_certificate_unref (TtiCertificate *certificate)
{
  if (certificate == NULL || !g_atomic_ref_count_dec (&certificate->refs))
    return;
  g_free (certificate->stderr_tail);
  g_free (certificate->detail);
  g_free (certificate);
}

gboolean
tti_certificate_tells_out_of_memory (const TtiCertificate *certificate)
{
  /* Messages of libgc and Guile; of GMP and strerror (); of GLib; of C++; of libgc again. */
  static const char *const words[]
      = { "out of memory", "cannot allocate memory", "failed to allocate", "std::bad_alloc", "insufficient memory" };

  if (certificate->status == TTI_DEATH_STATUS_OUT_OF_MEMORY)
    return strstr (certificate->stderr_tail, TTI_DEATH_WORDS_OUT_OF_MEMORY) != NULL;
  if (certificate->signal != SIGABRT && certificate->signal != SIGTRAP)
    return FALSE;
  g_autofree char *tail = g_ascii_strdown (certificate->stderr_tail, -1);

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (strstr (tail, words[i]) != NULL)
      return TRUE;
  return FALSE;
}

static void
describe_end (GString *text, const TtiCertificate *certificate)
{
  switch (certificate->reason)
    {
    case TUTTI_DEATH_NOT_STARTED:
      g_string_append (text, " could not be started");
      break;
    case TUTTI_DEATH_TIMEOUT:
      g_string_append (text, " was ended because its task took too long");
      break;
    case TUTTI_DEATH_CANCELLED:
      g_string_append (text, " was ended because its task was cancelled");
      break;
    case TUTTI_DEATH_STOPPED:
      g_string_append (text, " was ended because it was stopped");
      break;
    case TUTTI_DEATH_WATCHER_LOST:
      g_string_append (text, tti_host_is_elsewhere (certificate->host) ? " was lost with its node"
                                                                       : " was lost together with its supervisor");
      break;
    case TUTTI_DEATH_PROTOCOL:
      g_string_append (text, " was ended because it broke the protocol");
      break;
    case TUTTI_DEATH_FAULT:
      g_string_append (text, " ended because its task wrote to a vector that it may only read");
      break;
    case TUTTI_DEATH_MEMORY_LIMIT:
      g_string_append (text, " ran into its memory limit");
      break;
    case TUTTI_DEATH_OUT_OF_MEMORY:
      g_string_append (text, " ran out of memory");
      break;
    case TUTTI_DEATH_CLOSED:
      g_string_append (text, " was ended because its pool was closed");
      break;
    case TUTTI_DEATH_EXIT:
    case TUTTI_DEATH_SIGNAL:
      if (certificate->signal != 0)
        {
          g_autofree char *signal = tti_signal_describe (certificate->signal);

          g_string_append_printf (text, " was ended by %s", signal);
        }
      else
        g_string_append_printf (text, " exited with status %d", certificate->status);
      break;
    }
}

char *
tti_certificate_describe (const TtiCertificate *certificate)
{
  g_return_val_if_fail (certificate != NULL, NULL);
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "worker %u", certificate->index);
  if (certificate->pid != 0)
    g_string_append_printf (text, " (pid %d)", certificate->pid);
  if (tti_host_is_elsewhere (certificate->host))
    g_string_append_printf (text, " on %s", certificate->host);
  describe_end (text, certificate);
  if (certificate->core_dumped)
    g_string_append (text, certificate->task != 0 ? ", core dumped," : ", core dumped");
  if (certificate->task != 0)
    g_string_append_printf (text, " while it ran task %" G_GUINT64_FORMAT, certificate->task);
  if (certificate->peak_memory != 0)
    g_string_append_printf (text, "; peak memory %.1f MB", (double) certificate->peak_memory / 1e6);
  if (certificate->detail != NULL)
    g_string_append_printf (text, "; %s", certificate->detail);
  return g_string_free (text, FALSE);
}
