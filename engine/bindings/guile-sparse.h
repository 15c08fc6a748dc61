/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sparse matrices as Scheme sees them. */
#pragma once
#include "module/sparse-math.h"
#include <libguile.h>

/* The matrix that OBJECT is; anything else is a wrong-type-arg. It lives as long as OBJECT. */
const TtiSparse *tti_guile_to_sparse (SCM object);
