/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Terminals. */
#include "platform/terminal.h"
#include <sys/ioctl.h>

guint
tti_terminal_columns (int fd)
{
  struct winsize size = { 0 };

  return ioctl (fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
