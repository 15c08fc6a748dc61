/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The plots that a script has registered (notes "plot:NAME"): files which may be written again at any time. Only these are served, only
 * images, and only such as are not too large. */
#pragma once
#include "look/board.h"

enum
{
  TTI_PLOT_MOST = 64,                     /* plots; more are left out */
  TTI_PLOT_MOST_BYTES = 16 * 1024 * 1024  /* of one */
};

#define TTI_PLOT_PREFIX "plot:"

typedef struct
{
  char *name, *path;
  guint64 version;         /* another one when the file was written again; 0: there is none */
} TtiPlot;

typedef struct _TtiPlots TtiPlots;

TtiPlots *tti_plots_new (void);            /* none */
void tti_plots_free (TtiPlots *plots); /* NULL is fine */

/* Look which plots BOARD has, and which of their files have changed. */
void tti_plots_update (TtiPlots *plots, const TtiBoard *board);
const GPtrArray *tti_plots_get (const TtiPlots *plots); /* of TtiPlot, by name; until the next update */

/* The contents of the file of plot NAME, free with g_bytes_unref (), and in *TYPE their media type, by what they are: PNG, JPEG or SVG.
 * NULL, with the reason in ERROR: there is no plot of that name (TUTTI_ERROR_ARGUMENT); the file cannot be read, is none of these, or too
 * large (TUTTI_ERROR_SYSTEM, TUTTI_ERROR_LIMIT). */
GBytes *tti_plots_read (const TtiPlots *plots, const char *name, const char **type, GError **error);
