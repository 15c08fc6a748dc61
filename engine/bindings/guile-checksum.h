/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Digests of bytes. */
#pragma once

/* Define the primitive of (tutti base digest). */
void tti_guile_init_checksum (void);
