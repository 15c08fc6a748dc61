/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Certificates as applications see them: those of the engine itself. */
#include "embedding/embedding-private.h"

static TtiCertificate *
inside (TuttiCertificate *certificate)
{
  return (TtiCertificate *) certificate;
}

G_DEFINE_BOXED_TYPE (TuttiCertificate, tutti_certificate, tutti_certificate_ref, tutti_certificate_unref)

/**
 * tutti_certificate_ref:
 * @certificate: a certificate
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @certificate
 */
TuttiCertificate *
tutti_certificate_ref (TuttiCertificate *certificate)
{
  return (TuttiCertificate *) tti_certificate_ref (inside (certificate));
}

/**
 * tutti_certificate_unref:
 * @certificate: (nullable) (transfer full): a certificate
 *
 * Drops a reference; the last one frees it.
 */
void
tutti_certificate_unref (TuttiCertificate *certificate)
{
  tti_certificate_unref (inside (certificate));
}

/**
 * tutti_certificate_get_reason:
 * @certificate: a certificate
 *
 * Why the worker ended.
 *
 * Returns: the reason
 */
TuttiDeathReason
tutti_certificate_get_reason (TuttiCertificate *certificate)
{
  return inside (certificate)->reason;
}

/**
 * tutti_certificate_get_exit_status:
 * @certificate: a certificate
 *
 * Gets the status of a worker that exited.
 *
 * Returns: the status with which the worker exited, 0 to 255; -1 if it did not exit by itself
 */
int
tutti_certificate_get_exit_status (TuttiCertificate *certificate)
{
  return inside (certificate)->status;
}

/**
 * tutti_certificate_get_signal:
 * @certificate: a certificate
 *
 * Gets the signal of a worker that a signal ended, whoever sent it.
 *
 * Returns: the number of the signal that ended the worker; 0 if none did
 */
int
tutti_certificate_get_signal (TuttiCertificate *certificate)
{
  return inside (certificate)->signal;
}

/**
 * tutti_certificate_get_pid:
 * @certificate: a certificate
 *
 * Gets the process id of the worker. Another process may have it by now.
 *
 * Returns: the process id that the worker had; 0 if it was never started
 */
int
tutti_certificate_get_pid (TuttiCertificate *certificate)
{
  return inside (certificate)->pid;
}

/**
 * tutti_certificate_get_worker:
 * @certificate: a certificate
 *
 * Gets which worker it was.
 *
 * Returns: the index of the worker in its pool, from 0
 */
guint
tutti_certificate_get_worker (TuttiCertificate *certificate)
{
  return inside (certificate)->index;
}

/**
 * tutti_certificate_get_task:
 * @certificate: a certificate
 *
 * Gets the task that the worker ran when it ended.
 *
 * Returns: the number of the task ([method@Task.get_id]) that the worker ran; 0 if it ran none
 */
guint64
tutti_certificate_get_task (TuttiCertificate *certificate)
{
  return inside (certificate)->task;
}

/**
 * tutti_certificate_get_input_size:
 * @certificate: a certificate
 *
 * Gets how large the arguments were that the worker had when it ended.
 *
 * Returns: the bytes of the arguments of the task that the worker ran, with their vectors; 0 if it ran none
 */
guint64
tutti_certificate_get_input_size (TuttiCertificate *certificate)
{
  return inside (certificate)->input_size;
}

/**
 * tutti_certificate_get_peak_memory:
 * @certificate: a certificate
 *
 * Gets the most memory that the worker had.
 *
 * Returns: the most memory (resident set) that the worker had, in bytes; 0 if that is not known
 */
guint64
tutti_certificate_get_peak_memory (TuttiCertificate *certificate)
{
  return inside (certificate)->peak_memory;
}

/**
 * tutti_certificate_get_stderr:
 * @certificate: a certificate
 *
 * The last lines that the worker wrote to standard error. They may be in any encoding.
 *
 * Returns: (type filename): the lines, owned by @certificate; "" if there are none
 */
const char *
tutti_certificate_get_stderr (TuttiCertificate *certificate)
{
  return inside (certificate)->stderr_tail;
}

/**
 * tutti_certificate_get_detail:
 * @certificate: a certificate
 *
 * Gets what is known beyond the reason: the file that could not be started, or the message that was violated.
 *
 * Returns: (nullable): further details of the end, owned by @certificate; %NULL if there are none
 */
const char *
tutti_certificate_get_detail (TuttiCertificate *certificate)
{
  return inside (certificate)->detail;
}

/**
 * tutti_certificate_describe:
 * @certificate: a certificate
 *
 * Says it in one line, such as "worker 3 (pid 1234) was ended by signal 9 (SIGKILL) while it ran task 17; peak memory 12 MB".
 *
 * Returns: (transfer full): the line, to be freed with g_free()
 */
char *
tutti_certificate_describe (TuttiCertificate *certificate)
{
  g_autofree char *text = tti_certificate_describe (inside (certificate));

  return g_utf8_make_valid (text, -1);
}
