/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A certificate says how and why a worker process ended. */
#pragma once
#include "tutti/death.h"
#include "tutti/macros.h"

G_BEGIN_DECLS

#define TUTTI_TYPE_CERTIFICATE (tutti_certificate_get_type ())

/**
 * TuttiCertificate: (ref-func tutti_certificate_ref) (unref-func tutti_certificate_unref)
 *
 * How and why one worker process ended: an immutable, counted record, which any thread may read.
 */
typedef struct _TuttiCertificate TuttiCertificate;

TUTTI_API GType tutti_certificate_get_type (void);
TUTTI_API TuttiCertificate *tutti_certificate_ref (TuttiCertificate *certificate);
TUTTI_API void tutti_certificate_unref (TuttiCertificate *certificate);

TUTTI_API TuttiDeathReason tutti_certificate_get_reason (TuttiCertificate *certificate);
TUTTI_API int tutti_certificate_get_exit_status (TuttiCertificate *certificate);
TUTTI_API int tutti_certificate_get_signal (TuttiCertificate *certificate);
TUTTI_API int tutti_certificate_get_pid (TuttiCertificate *certificate);
TUTTI_API guint tutti_certificate_get_worker (TuttiCertificate *certificate);
TUTTI_API guint64 tutti_certificate_get_task (TuttiCertificate *certificate);
TUTTI_API guint64 tutti_certificate_get_input_size (TuttiCertificate *certificate);
TUTTI_API guint64 tutti_certificate_get_peak_memory (TuttiCertificate *certificate);
TUTTI_API const char *tutti_certificate_get_stderr (TuttiCertificate *certificate);
TUTTI_API const char *tutti_certificate_get_detail (TuttiCertificate *certificate);
TUTTI_API char *tutti_certificate_describe (TuttiCertificate *certificate);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiCertificate, tutti_certificate_unref)

G_END_DECLS
