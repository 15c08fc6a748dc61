/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The extension of Guile that (tutti umbridge) loads when it is used for the first time. */
#include "umbridge/umbridge.h"

__attribute__ ((visibility ("default"))) void tti_umbridge_init (void);

/* Called by load-extension in the module whose bindings the primitives become. */
void
tti_umbridge_init (void)
{
  tti_umbridge_init_serve ();
  tti_umbridge_init_client ();
}
