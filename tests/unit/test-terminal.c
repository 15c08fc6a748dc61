/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The width of a terminal at each moment, and descriptors that are not terminals. */
#include "platform/terminal.h"
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void
test_width (void)
{
  struct winsize size = { .ws_row = 24, .ws_col = 37 };
  int master, terminal;

  g_assert_cmpint (openpty (&master, &terminal, NULL, NULL, &size), ==, 0);
  g_assert_cmpuint (tti_terminal_columns (terminal), ==, 37);
  size.ws_col = 1;
  g_assert_cmpint (ioctl (master, TIOCSWINSZ, &size), ==, 0);
  g_assert_cmpuint (tti_terminal_columns (terminal), ==, 1);
  size.ws_col = 0;
  g_assert_cmpint (ioctl (master, TIOCSWINSZ, &size), ==, 0);
  g_assert_cmpuint (tti_terminal_columns (terminal), ==, 0);
  close (master);
  close (terminal);
}

static void
test_none (void)
{
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  g_assert_cmpint (null, >=, 0);
  g_assert_cmpuint (tti_terminal_columns (null), ==, 0);
  close (null);
  g_assert_cmpuint (tti_terminal_columns (null), ==, 0);
  g_assert_cmpuint (tti_terminal_columns (-1), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/terminal/width", test_width);
  g_test_add_func ("/terminal/none", test_none);
  return g_test_run ();
}
