#!/usr/bin/env python3
"""The last thing that `meson install' does: let the dynamic linker know the libraries, and print the one command that a shell needs if other
programs do not look where Tutti was installed.  usage: tell-environment.py PROGRAM LIBDIR, both without DESTDIR."""
# SPDX-License-Identifier: LGPL-3.0-or-later
import ctypes
import os
import shlex
import shutil
import stat
import subprocess
import sys

PIDFD_GETFD = 438


def output_of(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout


def update_cache(libdir):
    """Into another root nothing is installed for this system; and in a folder that it does not search, ldconfig would find nothing."""
    if os.environ.get("DESTDIR") or os.geteuid() != 0 or not shutil.which("ldconfig"):
        return
    searched = output_of(["ldconfig", "-v", "-N", "-X"]).splitlines()
    if any(line.startswith(os.fsencode(libdir) + b":") for line in searched):
        subprocess.run(["ldconfig"], check=False)


def meson_output():
    """Meson keeps for itself what scripts print, unless they fail. So this is its own standard output. A terminal or pipe is simply opened. In
    a file, which would be another opening with a place of its own, Meson would write over what is put there: it has to lend its descriptor."""
    name = f"/proc/{os.getppid()}/fd/1"
    if stat.S_ISREG(os.stat(name).st_mode):
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            lent = libc.syscall(PIDFD_GETFD, os.pidfd_open(os.getppid()), 1, 0)
            if lent >= 0:
                return lent
        except (AttributeError, OSError):
            pass
        name = f"/proc/{os.getppid()}/fd/2"
    return os.open(name, os.O_WRONLY | os.O_APPEND)


def tell(program):
    if os.environ.get("MESON_INSTALL_QUIET") or not output_of([program, "--env"]).strip():
        return
    line = f'eval "$({shlex.quote(program)} --env)"   # lets this shell, guile, pkg-config and others find Tutti\n'
    try:
        output = meson_output()
        # What Meson itself has said may be in its buffer from the middle of a line on.
        os.write(output, os.fsencode(line if os.isatty(output) else "\n" + line))
    except OSError:
        pass    # nobody to tell it to


update_cache(sys.argv[2])
tell(os.environ.get("DESTDIR", "") + sys.argv[1])
