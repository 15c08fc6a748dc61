/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors whose contents are elsewhere: what a task has left on the node that ran it, to be an argument of other tasks there.
 *
 * Here such a vector is a size and a number. It has no contents: who reads it finds zeros. It can be sent to its home alone, which is as
 * long there as the connection to the node; everything else refuses to send it. When its last reference goes, its home is told. */
#pragma once
#include "transport/vector.h"

typedef struct _TtiHome TtiHome;

/* LEFT is called for each number whose vector goes, from any thread, with a lock of the home's. */
TtiHome *tti_home_new (void (*left) (guint64 number, gpointer user_data), gpointer user_data);
/* What is there is lost, or of no use any more: LEFT is not called after this. Vectors may live on. Gives up the caller's reference. */
void tti_home_close (TtiHome *home);

/* A number of HOME's own, which no other home of this process has; never 0. */
guint64 tti_home_get_id (TtiHome *home);

/* The vector of SIZE bytes (> TTI_INLINE_LIMIT) that HOME knows as NUMBER. NULL with ERROR; LEFT is not called then. */
TtiVector *tti_vector_new_away (TtiHome *home, guint64 number, gsize size, GError **error);

/* Where the contents of VECTOR are, and in *NUMBER (may be NULL), as what; that is 0 if it is a slice, which nobody there knows. NULL: they
 * are here. */
TtiHome *tti_vector_get_home (TtiVector *vector, guint64 *number);

/* VECTOR is to be sent to where its contents are not: always FALSE, with ERROR (TUTTI_ERROR_ARGUMENT). */
gboolean tti_vector_refuse_to_send (TtiVector *vector, GError **error);
