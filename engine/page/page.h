/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The page of a job: what its engine shows, for browsers on this machine. */
#pragma once
#include "look/viewer.h"

typedef struct _TtiPage TtiPage;

/* The note that has the port of an engine's page: a page that is started again listens there again. */
#define TTI_PAGE_NOTE "page-port"

/* A page of what VIEWER sees, which passes to it, at PORT; 0: that of the note, else one that is free. Who asks must know TOKEN. Errors:
 * those of tti_page_server_new (). To be run in the thread that makes it. */
TtiPage *tti_page_new (TtiViewer *viewer, guint16 port, const char *token, GError **error) G_GNUC_WARN_UNUSED_RESULT;
guint16 tti_page_get_port (const TtiPage *page);

/* Serve until the engine has ended and all readers have been told, two seconds longer at most. */
void tti_page_run (TtiPage *page);
void tti_page_free (TtiPage *page); /* NULL is fine */
