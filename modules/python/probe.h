/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Running somebody's Python once, to ask it what it is. */
#pragma once

/* Define the primitive %python-probe in the current module. */
void tti_python_init_probe (void);
