/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Terminals. */
#include "platform/terminal.h"
#include <sys/ioctl.h>
#include <termios.h>

static struct
{
  struct termios before;
  int fd; /* -1: there is nothing to be put back */
} keys = { .fd = -1 };

static struct winsize
size_of (int fd)
{
  struct winsize size = { 0 };

  return ioctl (fd, TIOCGWINSZ, &size) == 0 ? size : (struct winsize){ 0 };
}

guint
tti_terminal_columns (int fd)
{
  return size_of (fd).ws_col;
}

guint
tti_terminal_rows (int fd)
{
  return size_of (fd).ws_row;
}

gboolean
tti_terminal_begin_keys (int fd)
{
  struct termios mode;

  if (keys.fd >= 0 || tcgetattr (fd, &keys.before) != 0)
    return FALSE;
  mode = keys.before;
  mode.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  keys.fd = fd;
  return tcsetattr (fd, TCSADRAIN, &mode) == 0;
}

void
tti_terminal_end_keys (void)
{
  if (keys.fd >= 0)
    (void) tcsetattr (keys.fd, TCSADRAIN, &keys.before);
  keys.fd = -1;
}
