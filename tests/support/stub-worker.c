/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A worker without Guile whose arguments, done one after another, make it misbehave. What it says goes to stdout, a line each; the
 * last action is to idle until its control socket closes.
 *
 *   subreaper       keep one's orphans, as real workers do     report       "self PID"
 *   say:TEXT        "TEXT"                                     dump         "fd N PATH", "env NAME=VALUE", "oom N", "group N", "nice N"
 *   exit:N          exit with status N                         signal:N     end by signal N
 *   sleep:N         start "sleep 1000" in a session of its own, N processes deep: "pid P" for each of them
 *   orphan          the same, with a parent that ends at once (a double fork)
 *   bomb:N          N generations, each process of which forks twice
 *   no-term         ignore SIGTERM                             memory:N     touch N MiB
 *   hold:N          touch N MiB and keep them: "held N"        shared:N     the same with shared memory: "shared N"
 *   child:N         start a child that holds N MiB: "pid P"    grow         touch memory without end
 *   busy            compute for ever                           stop:N       stop oneself N times
 *   await           wait for a byte over the control socket */
#include "process/watcher-protocol.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void
say (const char *word, const char *value)
{
  dprintf (STDOUT_FILENO, "%s %s\n", word, value);
}

static void
say_number (const char *word, long value)
{
  dprintf (STDOUT_FILENO, "%s %ld\n", word, value);
}

/* Whatever a broken watcher leaves behind does not stay for ever. Children do not inherit it, programs do. */
static void
limit_life (void)
{
  alarm (120);
}

static void
become_sleep (void)
{
  limit_life ();
  say_number ("pid", getpid ());
  execl ("/bin/sleep", "sleep", "1000", NULL);
  _exit (127);
}

/* In a child: DEPTH processes, each in a session of its own. ALIVE, close-on-exec, ends when the last is asleep. */
static void
descend (int depth, int alive)
{
  for (; depth > 1; depth--)
    {
      setsid ();
      if (fork () != 0)
        {
          limit_life ();
          say_number ("pid", getpid ());
          close (alive);
          for (;;)
            pause ();
        }
    }
  setsid ();
  become_sleep ();
}

/* Wait until nobody holds the other end of FD. */
static void
await_end (int fd)
{
  char byte;

  while (read (fd, &byte, 1) != 0)
    ;
  close (fd);
}

static void
start_sleep (int depth, int orphaned)
{
  int alive[2];

  if (pipe2 (alive, O_CLOEXEC) < 0)
    abort ();
  pid_t child = fork ();

  if (child == 0)
    {
      if (orphaned && fork () != 0)
        _exit (0);
      descend (depth, alive[1]);
    }
  close (alive[1]);
  if (orphaned)
    waitpid (child, NULL, 0);
  await_end (alive[0]);
}

static void
bomb (int generations)
{
  pid_t self = getpid ();

  for (int i = 0; i < generations; i++)
    {
      fork ();
      fork ();
    }
  if (getpid () == self)
    return;
  limit_life ();
  for (;;)
    pause ();
}

static void
dump_descriptors (void)
{
  DIR *directory = opendir ("/proc/self/fd");

  for (struct dirent *entry; (entry = readdir (directory)) != NULL;)
    {
      char target[256] = "", line[300];

      if (entry->d_name[0] == '.' || atoi (entry->d_name) == dirfd (directory))
        continue;
      if (readlinkat (dirfd (directory), entry->d_name, target, sizeof target - 1) > 0)
        {
          snprintf (line, sizeof line, "%.20s %.250s", entry->d_name, target);
          say ("fd", line);
        }
    }
  closedir (directory);
}

static void
dump (void)
{
  char score[16] = "";
  int fd = open ("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);

  if (read (fd, score, sizeof score - 1) > 0)
    say_number ("oom", atol (score));
  close (fd);
  dump_descriptors ();
  for (char **variable = environ; *variable != NULL; variable++)
    say ("env", *variable);
  say_number ("group", getpgrp ());
  say_number ("nice", getpriority (PRIO_PROCESS, 0));
}

static void
touch (volatile char *memory, long mebibytes)
{
  for (size_t i = 0; i < (size_t) mebibytes << 20; i += 4096)
    memory[i] = 1;
}

static void
touch_memory (long mebibytes)
{
  volatile char *memory = malloc ((size_t) mebibytes << 20);

  touch (memory, mebibytes);
  free ((void *) memory);
}

/* The kernel touches it: if we did, a sanitizer's notes about that would be in memory as well. */
static void
populate (long mebibytes)
{
  if (mebibytes > 0
      && mmap (NULL, (size_t) mebibytes << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
    abort ();
}

static void
hold_memory (long mebibytes)
{
  populate (mebibytes);
  say_number ("held", mebibytes);
}

static void
share_memory (long mebibytes)
{
  size_t size = (size_t) mebibytes << 20;
  int fd = memfd_create ("stub", MFD_CLOEXEC);

  if (ftruncate (fd, (off_t) size) < 0)
    abort ();
  if (mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0) == MAP_FAILED)
    abort ();
  say_number ("shared", mebibytes);
}

static void
start_child (long mebibytes)
{
  if (fork () != 0)
    return;
  limit_life ();
  populate (mebibytes);
  say_number ("pid", getpid ());
  for (;;)
    pause ();
}

/* There is an end, for the sake of the machine: if the watcher does nothing the test must fail, not all others with it. When the watcher
 * looks is its business, so what was touched stays. */
static void
grow (void)
{
  for (int i = 0; i < 2048; i++)
    touch (malloc (1 << 20), 1);
  sleep (60);
  exit (65);
}

static void
compute (void)
{
  for (volatile unsigned long i = 0;; i++)
    ;
}

static void
idle (void)
{
  struct pollfd control = { TTI_WORKER_FD_CONTROL, POLLIN, 0 };

  while (poll (&control, 1, -1) < 0 && errno == EINTR)
    ;
}

static void
await_byte (void)
{
  char byte;

  idle ();
  if (read (TTI_WORKER_FD_CONTROL, &byte, 1) != 1)
    exit (0);
}

/* The number after the colon of ACTION, or 0. */
static long
number_of (const char *action)
{
  const char *colon = strchr (action, ':');

  return colon != NULL ? atol (colon + 1) : 0;
}

static int
starts_with (const char *action, const char *word)
{
  return strncmp (action, word, strlen (word)) == 0;
}

static void
act (const char *action)
{
  long number = number_of (action);

  if (starts_with (action, "subreaper"))
    prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  else if (starts_with (action, "await"))
    await_byte ();
  else if (starts_with (action, "report"))
    say_number ("self", getpid ());
  else if (starts_with (action, "say:"))
    dprintf (STDOUT_FILENO, "%s\n", action + 4);
  else if (starts_with (action, "dump"))
    dump ();
  else if (starts_with (action, "exit:"))
    exit ((int) number);
  else if (starts_with (action, "signal:"))
    {
      signal ((int) number, SIG_DFL); /* a sanitizer catches some, to exit instead */
      raise ((int) number);
    }
  else if (starts_with (action, "sleep:"))
    start_sleep ((int) number, 0);
  else if (starts_with (action, "orphan"))
    start_sleep (1, 1);
  else if (starts_with (action, "bomb:"))
    bomb ((int) number);
  else if (starts_with (action, "no-term"))
    signal (SIGTERM, SIG_IGN);
  else if (starts_with (action, "memory:"))
    touch_memory (number);
  else if (starts_with (action, "hold:"))
    hold_memory (number);
  else if (starts_with (action, "shared:"))
    share_memory (number);
  else if (starts_with (action, "child:"))
    start_child (number);
  else if (starts_with (action, "grow"))
    grow ();
  else if (starts_with (action, "stop:"))
    while (number-- > 0)
      raise (SIGSTOP);
  else if (starts_with (action, "busy"))
    compute ();
  else
    {
      fprintf (stderr, "stub-worker: what is '%s'?\n", action);
      exit (64);
    }
}

int
main (int argc, char **argv)
{
  limit_life ();
  for (int i = 1; i < argc; i++)
    act (argv[i]);
  idle ();
  return 0;
}
