/* SPDX-License-Identifier: LGPL-3.0-or-later */
#pragma once

/* Define %internals-costs in the current module. */
void tti_guile_init_costs (void);
