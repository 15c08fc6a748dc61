/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Installed with the set-user-id bit of root: becomes root altogether, as su does, says "up", and sleeps
 * for a minute. Who has started it cannot end it. */
#include <unistd.h>

int
main (void)
{
  if (setresuid (0, 0, 0) < 0)
    return 1;
  if (write (STDOUT_FILENO, "up\n", 3) != 3)
    return 1;
  sleep (60);
  return 0;
}
