# SPDX-License-Identifier: LGPL-3.0-or-later
"""What Tutti's workers need of Python, in Python: modules and files, exceptions, random numbers, output."""
import importlib
import importlib.util
import io
import os
import sys
import traceback


# --- start ------------------------------------------------------------------------------------------------------------

def start(path, folders):
    """Make this process one in which `path`, that of the interpreter which was chosen, is searched after `folders`."""
    sys.path[:] = list(dict.fromkeys(list(folders) + list(path)))
    sys.argv = [""]
    # Lines arrive when they are complete, also where the encoding of the locale has no such characters.
    sys.stdout = sys.__stdout__ = _open_output(1)
    sys.stderr = sys.__stderr__ = _open_output(2)
    sys.meta_path.insert(0, _AtImport)
    for name in _at_import:
        if name in sys.modules:
            _at_import[name](sys.modules[name])


def _open_output(descriptor):
    return io.open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def flush():
    """Write what Python has of output: lines that are not complete."""
    for stream in (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__):
        try:
            stream.flush()
        except Exception:  # it was closed, or replaced by something else
            pass


# --- modules ----------------------------------------------------------------------------------------------------------

_files = {}


def load(name, is_file):
    """Return the module with this name, or that of the file. A file is loaded once; its folder is searched for what it imports."""
    if not is_file:
        return importlib.import_module(name)
    file = os.path.realpath(name)
    if file in _files:
        return _files[file]
    folder, base = os.path.split(file)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    stem = os.path.splitext(base)[0]
    known = sys.modules.get(stem)
    if known is not None and getattr(known, "__file__", None) and os.path.realpath(known.__file__) == file:
        module = known
    else:
        # Another module may have the same name.
        module_name = stem if known is None and stem.isidentifier() else "%s (%s)" % (stem, file)
        spec = importlib.util.spec_from_file_location(module_name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[module_name]
            raise
    _files[file] = module
    return module


def get(object, name):
    """Return the attribute `name`, which may have dots."""
    for part in name.split("."):
        object = getattr(object, part)
    return object


def takes(function, name):
    """Return whether `function` has a parameter `name`."""
    import inspect
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def is_generator(object):
    """Return whether `object` is a generator of random numbers of numpy's."""
    numpy_random = sys.modules.get("numpy.random")
    return numpy_random is not None and isinstance(object, numpy_random.Generator)


# --- values -----------------------------------------------------------------------------------------------------------

def type_name(object):
    """Return what messages call the type of `object`."""
    kind = type(object)
    name = kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)
    dtype = getattr(object, "dtype", None)
    return name if dtype is None else "%s of %s" % (name, dtype)


def simplify(object):
    """Return something with the value of `object` that has a type which is known in Scheme. TypeError: there is none."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(object, numpy.ma.MaskedArray):
            raise TypeError
        if isinstance(object, numpy.generic) and object.dtype.kind in "biufcSU" and object.dtype.itemsize <= 16:
            value = object.item()
            if not isinstance(value, numpy.generic):
                return value
        if isinstance(object, numpy.ndarray):
            if object.dtype.kind not in "biufc" or object.dtype.char in "egG":
                raise TypeError
            if object.ndim == 0:
                return object.item()
            # In the order of C and the bytes of this machine; arrays that are so already are never here.
            return numpy.array(object, dtype=object.dtype.newbyteorder("="), order="C", copy=True, subok=False)
    fractions = sys.modules.get("fractions")
    if fractions is not None and isinstance(object, fractions.Fraction):
        return _Ratio((object.numerator, object.denominator))
    if isinstance(object, bytearray) or isinstance(object, memoryview) and object.format == "B":
        return bytes(object)
    array = sys.modules.get("array")
    if isinstance(object, memoryview) or array is not None and isinstance(object, array.array):
        import numpy
        return simplify(numpy.asarray(object))
    raise TypeError


class _Ratio(tuple):
    """An exact fraction on its way to Scheme."""


def fraction(numerator, denominator):
    """Return the fraction of two integers."""
    import fractions
    return fractions.Fraction(numerator, denominator)


# --- exceptions -------------------------------------------------------------------------------------------------------

def describe(exception):
    """Return the name of the type of `exception`, its text, the text of its traceback without frames of this file, the list of its
    frames (file, line, function; the innermost last), and the status with which it ends the process, or None."""
    kind = type(exception)
    name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else "%s.%s" % (kind.__module__, kind.__qualname__)
    try:
        text = str(exception)
    except Exception:
        text = "(its text cannot be had)"
    try:
        told = traceback.TracebackException.from_exception(exception)
        _strip(told, set())
        frames = [(frame.filename, frame.lineno, frame.name) for frame in told.stack]
        # What was raised is said anyway; where it comes from another exception, that one is told as well.
        chained = told.__cause__ is not None or told.__context__ is not None and not told.__suppress_context__
        lines = "".join(told.format() if chained or isinstance(exception, SyntaxError) else told.stack.format())
    except Exception:
        lines, frames = "", []
    return name, text, lines, frames, _exit_status(exception)


_own_files = {__file__, importlib.__file__, importlib.util.__file__}


def _strip(told, seen):
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    told.stack[:] = [frame for frame in told.stack
                     if frame.filename not in _own_files and not frame.filename.startswith("<frozen importlib")]
    _strip(told.__cause__, seen)
    _strip(told.__context__, seen)


def _exit_status(exception):
    if isinstance(exception, SystemExit):
        code = exception.code
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 255
        print(code, file=sys.stderr)
        return 1
    return None


def is_interrupt(exception):
    """Return whether `exception` is what Ctrl-C raises."""
    return isinstance(exception, KeyboardInterrupt)


# --- random numbers ---------------------------------------------------------------------------------------------------

_seed = 0


def seed(number):
    """Seed the generators that modules have for everybody, as far as they are imported, for a task."""
    global _seed
    _seed = number
    random = sys.modules.get("random")
    if random is not None:
        random.seed(number)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(_numpy_seed(number))


_key = None


def _numpy_seed(number):
    # With the same seed it would draw what Python's own generator draws. numpy takes half as long to look at an array as at a tuple.
    global _key
    if _key is None:
        _key = sys.modules["numpy"].empty(3, "int64")
    _key[:] = number & 0xffffffff, number >> 32, 1
    return _key


def seed_generator(generator, number, index):
    """Seed a numpy Generator that a task is given as its argument number `index`."""
    bits = generator.bit_generator
    sequence = sys.modules["numpy"].random.SeedSequence((number, index))
    bits.state = type(bits)(sequence).state


# --- what is done to modules when they are imported -------------------------------------------------------------------

def _seed_random(module):
    module.seed(_seed)


def _seed_numpy(module):
    module.seed(_numpy_seed(_seed))


def _use_fork(module):
    # The worker knows the children that fork () makes, and ends at the end of a task those that it does not know. See "Disabling use of
    # vfork () or posix_spawn ()" in the documentation of subprocess.
    module._USE_VFORK = False


_at_import = {"random": _seed_random, "numpy.random": _seed_numpy, "subprocess": _use_fork}


class _AtImport:
    """A finder of modules, before all others, that finds them by these. What a task is the first to import begins with its seed, too."""
    _inside = False

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in _at_import or cls._inside:
            return None
        cls._inside = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            cls._inside = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader:
    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        _at_import[module.__name__](module)


# --- threads ----------------------------------------------------------------------------------------------------------

_told = set()


def threads_left():
    """Return the names of the threads that Python code has left behind and that were not named before."""
    threading = sys.modules.get("threading")
    if threading is None or threading.active_count() <= 1:
        return []
    here = threading.current_thread()
    left = [thread for thread in threading.enumerate()
            if thread is not here and thread is not threading.main_thread() and thread.ident not in _told
            and not isinstance(thread, threading._DummyThread)]
    _told.update(thread.ident for thread in left)
    return [thread.name for thread in left]


# --- models -----------------------------------------------------------------------------------------------------------

def outline(object, names):
    """Return the name of the type of `object`, which of the attributes `names` it has, and the names of all its public methods."""
    public = [name for name in dir(type(object)) if not name.startswith("_") and callable(getattr(type(object), name, None))]
    return type(object).__name__, [name for name in names if getattr(object, name, None) is not None], public


def space(object, name):
    """Return the space that the attribute `name` of `object` says: a number, ("complex", number), or a list of such ones."""
    value = get(object, name)
    return _space(value() if callable(value) else value, name)


def _space(value, name):
    if isinstance(value, list):
        return [_space(part, name) for part in value]
    if isinstance(value, tuple) and len(value) == 2 and value[0] == "complex":
        return ("complex", _size(value[1], name))
    return _size(value, name)


def _size(value, name):
    import operator
    try:
        size = operator.index(value)
    except TypeError:
        size = -1
    if isinstance(value, bool) or size < 0:
        raise ValueError("%s: expected a number of unknowns or data, (\"complex\", a number), or a list of these, got %r" % (name, value))
    return size


class _Diagonal:
    """A diagonal matrix, as far as models look at one, where there is no scipy."""
    def __init__(self, numbers):
        self._numbers = numbers

    def diagonal(self):
        return self._numbers


def diagonal_matrix(numbers):
    """Return the diagonal matrix of these numbers, as SimPEG's getJtJdiag takes it."""
    try:
        import scipy.sparse
    except ImportError:
        return _Diagonal(numbers.copy())
    return scipy.sparse.diags(numbers.copy(), format="csr")


def simulation_spaces(object):
    """Return the spaces of models and of data of `object`, a simulation: by the names of ours, or by those of SimPEG's."""
    return _first_space(object, ("model_size", "domain", "mapping.nP")), _first_space(object, ("data_size", "codomain", "survey.nD"))


def _first_space(object, names):
    for name in names:
        try:
            get(object, name)
        except AttributeError:
            continue
        return space(object, name)
    raise AttributeError("'%s' says no size: expected one of the attributes %s" % (type(object).__name__, ", ".join(names)))
