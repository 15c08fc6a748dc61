"""Python code that does what models should not do, and what they may, for tests/scheme/test-python-tasks.scm."""
import ctypes
import os
import signal
import sys
import threading
import time


def answer(x=42):
    return x


# --- exceptions ---

def divide():
    return 1 / 0


def chained():
    try:
        raise ValueError("inner")
    except ValueError as error:
        raise RuntimeError("outer") from error


class Custom(Exception):
    def __str__(self):
        raise TypeError("no text")


def custom():
    raise Custom


def memory():
    return bytearray(10 ** 15)


def recursion():
    return recursion()


class Unfit:
    def __init__(self):
        raise OSError(2, "No such file or directory", "deck.in")


# --- ends ---

def leave(code):
    sys.exit(code)


def interrupt():
    raise KeyboardInterrupt


def crash():
    ctypes.string_at(0)


def hold_gil():
    ctypes.PyDLL(None).sleep(1000)


def spin():
    while True:
        pass


def sleep():
    time.sleep(1000)


def crash_once(file):
    """Crash at the first call; return the pid at the second."""
    if not os.path.exists(file):
        open(file, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


# --- processes and threads ---

def fork():
    """Both go on: the parent is to answer."""
    pid = os.fork()
    if pid == 0:
        return "child"
    os.waitpid(pid, 0)
    return "parent"


def fork_and_raise():
    pid = os.fork()
    if pid == 0:
        raise ValueError("in the child")
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


def leave_process():
    pid = os.fork()
    if pid == 0:
        time.sleep(1000)
    return pid


def square(x):
    return x * x


def multiprocess(method):
    import multiprocessing
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(square, range(5))


def leave_thread(daemon):
    threading.Thread(target=time.sleep, args=(1000,), name="lingerer", daemon=daemon).start()
    return threading.active_count()


def in_threads():
    values = []
    threads = [threading.Thread(target=lambda i=i: values.append(i)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(values)


def broken_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        os.write(writer, b"x")
    except BrokenPipeError:
        return "refused"
    finally:
        os.close(writer)


# --- output ---

def write(text, stream="stdout", end="\n"):
    print(text, file=getattr(sys, stream), end=end)


def say_and_wait(file):
    """Print a line, and wait until somebody who has seen it makes the file."""
    print("waiting")
    deadline = time.monotonic() + 60
    while not os.path.exists(file):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def flood(lines):
    line = "y" * 99
    for _ in range(lines):
        print(line)
    return lines


# --- random numbers ---

def draw():
    import random
    import numpy
    return [random.random(), float(numpy.random.rand()), random.random(), float(numpy.random.rand())]


def draw_from(generator):
    return [float(generator.random()), float(generator.normal())]


class Cat:
    """A program that stays."""
    def __init__(self):
        import subprocess
        self.cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.cat.stdin.write(line + "\n")
        self.cat.stdin.flush()
        return self.cat.stdout.readline().strip()


# --- other ---

def blas_threads():
    import numpy  # noqa: F401
    library = sorted({line.split()[-1] for line in open("/proc/self/maps") if "openblas" in line})[0]
    return ctypes.CDLL(library).openblas_get_num_threads()


def interpreter():
    return [sys.executable, sys.version_info[0], sys.flags.interactive, __file__]


def pid():
    return os.getpid()


class Counter:
    def __init__(self, start, step=1):
        self.value = start
        self.step = step

    def next(self):
        self.value += self.step
        return self.value

    def where(self):
        return os.getpid()

    def add(self, other):
        return self.value + other.value
