# SPDX-License-Identifier: LGPL-3.0-or-later
"""The public API from another language, which knows of it what the introspection data says: values, errors, vectors, operators, signals, and
that all that is made is freed.

Argument: the task module of the tests."""
import gc
import mmap
import os
import signal
import sys
import threading

import tap

try:
    import gi
    gi.require_version("Tutti", "0")
    from gi.repository import Gio, GLib, Tutti
except ImportError:
    tap.skip_all("PyGObject is not installed")
except ValueError:
    tap.skip_all("there is no introspection data")

MODULE = sys.argv[1]
SECONDS = 240  # after which this hangs


def real(number):
    return Tutti.Value.new_real(number)


def text(string):
    return Tutti.Value.new_text(string)


def reals(value):
    return [value.get_item(i).get_real() for i in range(value.get_n_items())]


def error_of(function, *arguments):
    try:
        return function(*arguments)
    except GLib.Error as error:
        return error


def matches(error, code):
    return isinstance(error, GLib.Error) and error.matches(Tutti.error_quark(), code)


def finished(start):
    """The arguments of the callback that START, a function of one, is given, when it was called."""
    loop, got = GLib.MainLoop(), []

    def callback(source, result, *rest):
        got.append((source, result))
        loop.quit()

    start(callback)
    limit = GLib.timeout_add_seconds(SECONDS, loop.quit)
    loop.run()
    GLib.source_remove(limit)
    return got[0]


def test_values():
    value = Tutti.Value.new_list([real(1.5), text("größer"), Tutti.Value.new_integer(-2 ** 63), Tutti.Value.new_list([]),
                                  Tutti.Value.new_complex(1, -2), Tutti.Value.new_boolean(True), Tutti.Value.new_null()])
    tap.equal("a list", 7, value.get_n_items())
    tap.equal("its items", (1.5, "größer", -2 ** 63, 0, -2.0, True, Tutti.ValueType.NULL),
              (value.get_item(0).get_real(), value.get_item(1).get_text(), value.get_item(2).get_integer(), value.get_item(3).get_n_items(),
               value.get_item(4).get_imaginary(), value.get_item(5).get_boolean(), value.get_item(6).get_value_type()))
    table = Tutti.Value.new_table([text("rate"), Tutti.Value.new_symbol("steps")], [real(0.5), Tutti.Value.new_integer(3)])
    tap.equal("a table", (0.5, 3, None), (table.lookup("rate").get_real(), table.lookup("steps").get_integer(), table.lookup("none")))
    tap.equal("a table, printed", '{"rate": 0.5, steps: 3}', table.print_())
    tap.check("what travels comes back equal", pool.call(MODULE, "echo", [table], None).equal(table))
    tap.equal("names of types", "a table", Tutti.Value.type_name(table.get_value_type()))


def test_errors():
    error = error_of(real(1).expect, Tutti.ValueType.TEXT, "the name")
    tap.check("an error has a domain and a code", matches(error, Tutti.Error.ARGUMENT), repr(error))
    tap.equal("an error can be read", "the name is a real number, expected a text", getattr(error, "message", error))
    error = error_of(pool.call, MODULE, "fail", [text("north")], None)
    tap.check("an error of a function on a worker has its own domain", isinstance(error, GLib.Error)
              and error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND), repr(error))
    tap.equal("and its own message", "no model 'north'", getattr(error, "message", error))
    error = error_of(pool.call, MODULE, "no-such-function", [], None)
    tap.check("an unknown function", matches(error, Tutti.Error.MODULE), repr(error))
    error = error_of(Tutti.Vector.new_from_doubles([1, 2, 3]).dup_fd)
    tap.check("a small vector cannot be mapped", matches(error, Tutti.Error.ARGUMENT), repr(error))
    task = Tutti.Task.new(MODULE, "die", [Tutti.Value.new_integer(signal.SIGKILL)])
    task.props.retries = 0
    pool.submit(task)
    error = error_of(task.wait, None)
    tap.check("a worker that died", matches(error, Tutti.Error.DIED), repr(error))
    tap.equal("its certificate", (Tutti.DeathReason.SIGNAL, signal.SIGKILL, task.get_id()),
              (task.get_certificate().get_reason(), task.get_certificate().get_signal(), task.get_certificate().get_task()))


def mapping(vector, protection=mmap.PROT_READ):
    descriptor, offset = vector.dup_fd()
    start = offset - offset % mmap.ALLOCATIONGRANULARITY
    memory = mmap.mmap(descriptor, offset - start + vector.get_size(), prot=protection, offset=start)
    os.close(descriptor)
    return memoryview(memory)[offset - start:].cast("d")


def test_vectors():
    vector = Tutti.Vector.new_from_doubles([1.0, 2.0, 3.0])
    tap.equal("numbers of a vector", [1.0, 2.0, 3.0], vector.get_doubles())
    tap.equal("a slice", [2.0, 3.0], vector.slice(1, 2).get_doubles())
    tap.equal("bytes", 5, Tutti.Vector.new_from_bytes(b"bytes").get_n_elements())
    big = Tutti.Vector.new(100000)
    view = mapping(big)
    big.set_doubles(99998, [4.0, 5.0])
    tap.equal("a mapping is the memory of the vector", [0.0, 4.0, 5.0], list(view[99997:]))
    tap.check("it is read-only", view.readonly)
    part = big.slice(50001, 49999)
    tap.equal("a slice can be mapped, where it begins", 5.0, mapping(part)[49998])
    result = pool.call(MODULE, "scale", [Tutti.Value.new_vector(big), real(2)], None).get_vector()
    tap.equal("a vector from a worker", [0.0, 8.0, 10.0], list(mapping(result)[99997:]))
    tap.equal("values keep vectors", 5.0, mapping(Tutti.Value.new_vector(Tutti.Vector.new_from_doubles([5.0] * 4096)).get_vector())[4095])


def test_numpy():
    """The function that the example has: an array keeps the vector."""
    try:
        import numpy
    except ImportError:
        tap.skip("an array keeps its vector", "numpy is not installed")
        return
    source = open(os.path.join(os.environ["TUTTI_SOURCE_DIR"], "examples", "embedding", "pool.py"), encoding="utf-8").read()
    names = {"mmap": mmap, "os": os, "numpy": numpy}
    exec(source[source.index("class Mapping"):source.index("def map_ended")], names)
    array = names["as_array"](Tutti.Vector.new_from_doubles([float(i) for i in range(10000)]))
    gc.collect()
    others = [Tutti.Vector.new_from_doubles([-1.0] * 10000) for _ in range(20)]
    tap.equal("an array keeps its vector", list(range(10000)), array.tolist())
    tap.check("it is read-only", not array.flags.writeable and len(others) == 20)


def test_operators():
    periods, thicknesses = Tutti.Vector.new_from_doubles([1.0, 10.0]), Tutti.Vector.new_from_doubles([500.0])
    parameters = Tutti.Value.new_table([text("periods"), text("thicknesses")],
                                       [Tutti.Value.new_vector(periods), Tutti.Value.new_vector(thicknesses)])
    members = [Tutti.Operator.new(pool, "mt1d", "response", parameters, None) for _ in range(2)]
    operator = Tutti.Operator.new_vector(members)
    n, m = operator.get_domain(), operator.get_codomain()
    tap.equal("sizes of a vector of operators", (members[0].get_domain(), 2 * members[0].get_codomain()), (n, m))
    x = Tutti.Vector.new_from_doubles([4.0] * n)
    derivative, y = operator.linearize(x, None)
    tap.equal("linearize returns the derivative and the value", operator.evaluate(x, None).get_doubles(), y.get_doubles())
    h, z = Tutti.Vector.new_from_doubles([1.0] * n), Tutti.Vector.new_from_doubles([1.0] * m)
    one, other = sum(derivative.apply(h, None).get_doubles()), sum(derivative.adjoint(z, None).get_doubles())
    tap.check("the adjoint fits", abs(one - other) <= 1e-12 * abs(one), f"{one} {other}")
    source, result = finished(lambda callback: operator.evaluate_async(x, None, callback))
    tap.equal("evaluate_async", (None, y.get_doubles()), (source, Tutti.Operator.evaluate_finish(result).get_doubles()))
    source, result = finished(lambda callback: operator.linearize_async(x, None, callback))
    tap.equal("linearize_async", y.get_doubles(), Tutti.Operator.linearize_finish(result)[1].get_doubles())
    source, result = finished(lambda callback: Tutti.Operator.new_async(pool, "mt1d", "response", parameters, None, callback))
    tap.equal("new_async", n, Tutti.Operator.new_finish(result).get_domain())
    error = error_of(operator.evaluate, Tutti.Vector.new(n + 1), None)
    tap.check("a wrong length", matches(error, Tutti.Error.SHAPE), repr(error))


def test_asynchrony():
    source, result = finished(lambda callback: pool.map_async(MODULE, "square", [real(i) for i in range(100)], None, callback))
    tap.equal("map_async", [float(i * i) for i in range(100)], reals(source.map_finish(result)))
    cancellable = Gio.Cancellable()

    def start(callback):
        pool.call_async(MODULE, "hang", [], cancellable, callback)
        GLib.idle_add(cancellable.cancel)

    source, result = finished(start)
    error = error_of(source.call_finish, result)
    tap.check("call_async is cancelled", isinstance(error, GLib.Error)
              and error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED), repr(error))
    source, result = finished(lambda callback: Tutti.Pool.new_async(None, 1, None, callback))
    other = Tutti.Pool.new_finish(result)
    tap.equal("Pool.new_async", 1, other.props.n_workers)
    source, result = finished(lambda callback: other.close_async(None, callback))
    tap.check("close_async", source.close_finish(result) and other.is_closed())


def test_signals():
    loop, seen = GLib.MainLoop(), {}

    def saw(name, *arguments):
        seen.setdefault(name, arguments)
        if len(seen) == 3:
            loop.quit()

    other = Tutti.Pool(n_workers=2, name="signalling", environment=["ANSWER=42"])
    tap.check("a pool with properties is made in two steps", other.init(None) and other.get_name() == "signalling")
    other.connect("output", lambda pool, worker, line, is_error: saw("output", line, is_error))
    other.connect("progress", lambda pool, n_ended, n_submitted: saw("progress", n_ended, n_submitted))
    other.connect("worker-died", lambda pool, certificate, is_retried: saw("death", certificate.get_signal(), is_retried))
    task = Tutti.Task.new(MODULE, "say", [text("a line")])
    other.submit(task)
    task.wait(None)
    os.kill(other.get_worker_pid(1), signal.SIGKILL)
    limit = GLib.timeout_add_seconds(SECONDS, loop.quit)
    loop.run()
    GLib.source_remove(limit)
    tap.equal("output", ("a line", False), seen.get("output"))
    tap.equal("progress", (1, 1), seen.get("progress"))
    tap.equal("a death", (signal.SIGKILL, False), seen.get("death"))
    tap.check("other threads of Python run while one waits", thread_runs(other))


def thread_runs(other):
    task = Tutti.Task.new(MODULE, "hang", [])
    other.submit(task)
    timer = threading.Timer(0.05, task.cancel)
    timer.start()
    error = error_of(task.wait, None)
    timer.join()
    return matches(error, Tutti.Error.CANCELLED)


def complaint(function, *arguments):
    """What GLib reports of a mistake of the program."""
    said = []
    handler = GLib.log_set_handler("", GLib.LogLevelFlags.LEVEL_CRITICAL,
                                   lambda domain, level, message, *rest: said.append(message), None)
    try:
        function(*arguments)
    except TypeError:   # a constructor that returns nothing
        pass
    GLib.log_remove_handler("", handler)
    return " ".join(said)


def test_mistakes():
    """Objects that were made of properties alone, and lists with nothing in them: they are refused, and nothing crashes."""
    other = Tutti.Pool(n_workers=1)
    for name, function in {
            "call": lambda: other.call(MODULE, "nothing", [], None), "map": lambda: other.map(MODULE, "square", [real(1)], None),
            "submit": lambda: other.submit(Tutti.Task.new(MODULE, "nothing", [])), "worker's pid": lambda: other.get_worker_pid(0),
            "close": other.close, "last death": other.dup_last_death,
            "operator": lambda: Tutti.Operator.new(other, "mt1d", "response", None, None)}.items():
        said = complaint(function)
        tap.check(f"a pool that was not initialized: {name}", "tutti_pool_is_initialized" in said, said)
    error = error_of(Tutti.Pool.new, Tutti.Engine(), 1)
    tap.check("an engine that was not started", matches(error, Tutti.Error.ARGUMENT), repr(error))
    error = error_of(pool.submit, Tutti.Task())
    tap.check("a task without a function", matches(error, Tutti.Error.ARGUMENT), repr(error))
    for name, function in {
            "a list": lambda: Tutti.Value.new_list([real(1), None]), "a table": lambda: Tutti.Value.new_table([text("a")], [None]),
            "arguments": lambda: pool.call(MODULE, "echo", [None], None), "items": lambda: pool.map(MODULE, "echo", [None], None),
            "a task": lambda: Tutti.Task.new(MODULE, "echo", [None])}.items():
        said = complaint(function)
        tap.check(f"no value in {name}", "tutti_values_are_given" in said, said)
    tap.equal("a pool without a name has one", "pool", Tutti.Pool(name=None).get_name())


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def use_values(n):
    for i in range(n):
        vector = Tutti.Vector.new_from_doubles([1.0, 2.0])
        value = Tutti.Value.new_list([real(i), text("some text"), Tutti.Value.new_vector(vector)])
        table = Tutti.Value.new_table([text("key")], [value])
        table.lookup("key").get_item(2).get_vector().get_doubles()
        table.get_key(0).get_text()


def test_memory():
    use_values(1000)
    gc.collect()
    before = resident()
    use_values(20000)   # 120 000 values
    gc.collect()
    # Each has more than 50 bytes: what is not freed would be 6 MB.
    grown = resident() - before
    tap.check("values and vectors are freed", grown < 2 << 20, f"{grown} bytes more")
    before = resident()
    for i in range(2000):
        Tutti.Vector.new_from_doubles([0.0] * 4096)
    gc.collect()
    grown = resident() - before
    tap.check("so is the memory of large vectors", grown < 16 << 20, f"{grown} bytes more")


pool = Tutti.Pool.new(None, 2)
for test in (test_values, test_errors, test_vectors, test_numpy, test_operators, test_asynchrony, test_signals, test_mistakes,
             test_memory):
    test()
tap.check("the pool is closed", pool.close())
tap.end()
