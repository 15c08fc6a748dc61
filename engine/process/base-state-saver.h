/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What saves and restores the base state. It changes the dispositions of signals and reports on stderr, so it is not in the library
 * of applications: the program tutti-worker and Guile's extension have a copy each, of which the first to install it is used. */
#pragma once
#include "process/base-state.h"

extern const TtiBaseOps tti_base_saver;
