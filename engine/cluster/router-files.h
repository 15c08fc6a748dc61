/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Contents that the master has from a file, of which this host may have the same: then its own is used. Until that is known, what names
 * them, and what comes behind that, is held back, in order. */
#pragma once
#include "cluster/router-private.h"

typedef enum
{
  TTI_NUMBER_UNKNOWN,
  TTI_NUMBER_PENDING,  /* it is not known yet whether its contents are here */
  TTI_NUMBER_FORGONE,  /* nobody will need it: what names it is for nobody */
  TTI_NUMBER_THERE
} TtiNumberState;

TtiRouterFiles *tti_router_files_new (TtiRouter *router); /* none yet */
/* From now on nothing more is looked for or said. */
void tti_router_files_end (TtiRouterFiles *files);
void tti_router_files_free (TtiRouterFiles *files); /* after that; waits for its thread. NULL is fine */

/* The master asks for a file, as BYTES say (TTI_SAY_FILE). */
gboolean tti_router_file_asked (TtiRouter *router, const TtiLinkFrame *frame, GBytes *bytes, GError **error);
/* It has answered: the file that was found is the right one; or nobody needs it. */
gboolean tti_router_file_taken (TtiRouter *router, guint64 number, GError **error);
void tti_router_file_forgone (TtiRouter *router, guint64 number);
/* Contents with NUMBER have come. */
void tti_router_file_superseded_locked (TtiRouter *router, guint64 number);

/* What is known of NUMBER; *VECTOR: what is there, without a reference. */
TtiNumberState tti_router_find_number_locked (TtiRouter *router, guint64 number, TtiVector **vector);

/* Frames that are held back: for the thread of the link's reader. */
typedef struct
{
  TtiLinkFrame frame;
  GBytes *bytes;
} TtiHeldBack;
gboolean tti_router_holds_back (TtiRouter *router);
void tti_router_hold_back (TtiRouter *router, const TtiLinkFrame *frame, GBytes *bytes);
const TtiHeldBack *tti_router_peek_held_back (TtiRouter *router); /* the first; NULL: there is none */
void tti_router_drop_held_back (TtiRouter *router);              /* the first */
