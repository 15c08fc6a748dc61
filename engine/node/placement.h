/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The account of a node: which of its processors and GPUs its workers have.
 *
 * A worker has a place, which is a number. What is given to a place stays with it when its worker dies, for the one that comes then, until
 * the place is left. No two places have the same GPU. Processors are shared only where there are not enough, and then evenly: places of
 * several pools may be more than there are, of which most rest at any time.
 *
 * Not safe for threads: the node has a lock. */
#pragma once
#include "node/node.h"

typedef struct _TtiPlacement TtiPlacement;

/* ROOT is "": tests have a folder in which there are /sys and /dev. */
TtiPlacement *tti_placement_new (const char *root);
void tti_placement_free (TtiPlacement *placement); /* NULL is fine */

/* Is there enough for N new places for PROGRAM? Processors are if there are so many, whoever has them; GPUs only if nobody has them.
 * Errors: TUTTI_ERROR_SHORTAGE, of which the message says how many there are, and how many were asked for. */
gboolean tti_placement_has_room (TtiPlacement *placement, const TtiNodeProgram *program, guint n, GError **error);

/* PROGRAM with the environment that tells it what it was given. */
typedef struct
{
  TtiNodeProgram program;
  char **envp; /* owned, the rest is that of the original */
} TtiPlacedProgram;

void tti_placed_program_clear (TtiPlacedProgram *placed); /* zeroed memory is fine */

/* Give the place of PROGRAM what it asks for, unless it has that, to GENERATION. Errors: as above. */
gboolean tti_placement_take (TtiPlacement *placement, guint64 generation, const TtiNodeProgram *program, TtiPlacedProgram *placed,
                             GError **error);
void tti_placement_leave (TtiPlacement *placement, guint64 place);

/* The processors of GENERATION, to be freed, and the names of its GPUs, with commas between; NULL: it has none of its own. */
GArray *tti_placement_get_cpus (TtiPlacement *placement, guint64 generation);
const char *tti_placement_get_gpus (TtiPlacement *placement, guint64 generation);
/* Add those of PLACE to CPUS. */
void tti_placement_add_cpus (TtiPlacement *placement, guint64 place, GArray *cpus);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TtiPlacedProgram, tti_placed_program_clear)
