/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What (tutti python primitives) loads: every primitive, once per process. */
#include "python/probe.h"

__attribute__ ((visibility ("default"))) void tti_python_init (void);

/* Called by load-extension in the module (tutti python primitives), whose bindings the primitives become. */
void
tti_python_init (void)
{
  tti_python_init_probe ();
}
