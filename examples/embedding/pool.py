#!/usr/bin/python3
"""Periods of a pendulum on 4 workers, one of which is killed, and a trajectory as an array of numpy that is not copied."""
import mmap
import os
import signal
import sys

import gi
import numpy

gi.require_version("Tutti", "0")
from gi.repository import GLib, Tutti

MODULE = sys.argv[1] if len(sys.argv) > 1 else "./pendulum.so"


class Mapping(mmap.mmap):
    """The memory of a vector, which is not used for anything else as long as this has the vector."""


def as_array(vector):
    """VECTOR, of more than 16 KiB, as an array that shares its memory. It is read-only, since workers may see the same memory."""
    descriptor, offset = vector.dup_fd()
    start = offset - offset % mmap.ALLOCATIONGRANULARITY
    memory = Mapping(descriptor, offset - start + vector.get_size(), prot=mmap.PROT_READ, offset=start)
    os.close(descriptor)
    memory.vector = vector
    return numpy.frombuffer(memory, numpy.float64, vector.get_n_elements(), offset - start)


def map_ended(pool, result):
    try:
        periods = pool.map_finish(result)
        print("the longest period is %.3f s" % max(periods.get_item(i).get_real() for i in range(periods.get_n_items())))
    except GLib.Error as error:
        print("the map has failed:", error.message)
    loop.quit()


loop = GLib.MainLoop()
pool = Tutti.Pool.new(None, 4)
pool.connect("worker-died", lambda pool, certificate, is_retried: print(certificate.describe(), "- again" * is_retried))
pool.map_async(MODULE, "period", [Tutti.Value.new_real(angle) for angle in numpy.linspace(0.1, 3, 40)], None, map_ended)
os.kill(pool.get_worker_pid(0), signal.SIGKILL)
loop.run()

value = pool.call(MODULE, "trajectory", [Tutti.Value.new_real(1), Tutti.Value.new_integer(1000000)], None)
angles = as_array(value.get_vector())
print("%d angles, from %.3f to %.3f, mean square %.3f" % (angles.size, angles.min(), angles.max(), (angles ** 2).mean()))
