/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of the server share. */
#pragma once
#include "umbridge/serve.h"

TtiUmbridgeJob *tti_umbridge_job_new (TtiUmbridgeServer *server, TtiHttpRequest *request, TtiUmbridgeCall call);

/* Understand the request, but for its arguments. FALSE: it was refused, and is done. */
gboolean tti_umbridge_job_read (TtiUmbridgeJob *job);
