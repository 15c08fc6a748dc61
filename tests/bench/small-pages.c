/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* small-pages COMMAND...: run COMMAND without huge pages, whatever the machine allows. All that it starts have none either, and nobody else
 * notices: so both settings can be compared on a machine that others use. */
#include "speed-timing.h"
#include <sys/prctl.h>
#include <unistd.h>

int
main (int argc, char **argv)
{
  timing_check (argc > 1, "usage: small-pages COMMAND...");
  timing_check (prctl (PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "this kernel does not let a process do without huge pages");
  execvp (argv[1], argv + 1);
  perror (argv[1]);
  return 127;
}
