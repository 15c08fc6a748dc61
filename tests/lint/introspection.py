# SPDX-License-Identifier: LGPL-3.0-or-later
"""What other languages and readers of the reference learn of the public API: all of it is there and explained, and who owns what is as the
code has it.

Arguments: Tutti-0.gir, libtutti.map"""
import re
import sys
import xml.etree.ElementTree as ElementTree

import tap

CORE = "{http://www.gtk.org/introspection/core/1.0}"
C = "{http://www.gtk.org/introspection/c/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"
CALLABLES = ("function", "method", "constructor")

# Only for C: other languages have lists and copies of their own.
SKIPPED = {"tutti_vector_get_data", "tutti_value_new_list_take", "tutti_value_new_table_take"}
# What is got belongs to the object that has it, except that these make a reference, or a new object.
GOT_AND_OWNED = {"tutti_engine_get_default", "tutti_value_get_item", "tutti_value_get_key"}
# NULL is an answer of these, and not a sign of an error.
NULL_IS_FINE = {"tutti_certificate_get_detail", "tutti_pool_dup_last_death", "tutti_task_get_certificate", "tutti_value_lookup",
                "tutti_vector_get_data"}
# Arguments that may be left out, beside cancellables, callbacks and the engine of a pool.
OPTIONAL = {"arguments", "parameters", "first", "first_key", "user_data"}

namespace = ElementTree.parse(sys.argv[1]).getroot().find(CORE + "namespace")
with open(sys.argv[2], encoding="utf-8") as file:
    exported = set(re.findall(r"^\s+(tutti_\w+);", file.read(), re.MULTILINE))


def kind(element):
    return element.tag.rpartition("}")[2]


def text_of(element):
    doc = element.find(CORE + "doc")
    return (doc.text or "").strip() if doc is not None else ""


def is_sentence(text):
    return re.match(r"[A-Z][^.]+\.", text) is not None


functions = {element.get(C + "identifier"): element for element in namespace.iter()
             if kind(element) in CALLABLES and not element.get("moved-to")}
types = {element.get(GLIB + "get-type") for element in namespace if element.get(GLIB + "get-type")}


def parameters(function):
    return list(function.find(CORE + "parameters") or [])


def c_type(element):
    for child in element:
        if kind(child) in ("type", "array"):
            return child.get(C + "type") or ""
    return ""


def array_of(element):
    return element.find(CORE + "array")


def returned(function):
    return function.find(CORE + "return-value")


# --- all is there, and explained ---------------------------------------------------------------------------------------------

def undocumented(name, function):
    if not is_sentence(text_of(function)):
        yield f"{name}: no sentence says what it does"
    for parameter in parameters(function):
        if not text_of(parameter):
            yield f"{name}: parameter {parameter.get('name')} is not documented"
    if c_type(returned(function)) != "void" and not text_of(returned(function)):
        yield f"{name}: what it returns is not documented"
    # Errors are interface: which ones there are is said, or where that is said.
    if function.get("throws") and not re.search(r"%TUTTI_ERROR_|%G_IO_ERROR_|as for\s+\[", text_of(returned(function))):
        yield f"{name}: which errors it sets is not documented"
    if name.endswith("_async") and not re.search(r"blocking|waiting", text_of(function)):
        yield f"{name}: that it does not block is not documented"


def undocumented_members(element):
    name = element.get("name") or ""
    if element.get(GLIB + "is-gtype-struct-for"):
        return
    if not is_sentence(text_of(element)) and kind(element) not in ("function",):
        yield f"{kind(element)} {name} is not documented"
    for member in element:
        if kind(member) in ("property", "signal", "member", "field") and not text_of(member):
            yield f"{kind(member)} {name}.{member.get('name')} is not documented"
        if kind(member) == "signal":
            for parameter in parameters(member):
                if not text_of(parameter):
                    yield f"signal {name}::{member.get('name')}: {parameter.get('name')} is not documented"


tap.empty("what is exported is in the introspection data", sorted(exported - set(functions) - types))
tap.empty("what is in the introspection data is exported", sorted((set(functions) | types) - exported))
tap.empty("functions are documented", [line for name in sorted(functions) for line in undocumented(name, functions[name])])
tap.empty("types, properties, signals and constants are documented",
          [line for element in namespace if kind(element) != "function" for line in undocumented_members(element)])

# --- what can be used from other languages -----------------------------------------------------------------------------------

tap.equal("what is for C alone", sorted(SKIPPED),
          sorted(name for name, function in functions.items() if function.get("introspectable") == "0"))


def wrong_asynchrony(name, function):
    """A function and its _finish: the callback is called once, from a main loop."""
    if name[:-len("_async")] + "_finish" not in functions:
        yield f"{name} has no _finish"
    callback = [parameter for parameter in parameters(function) if parameter.get("name") == "callback"]
    if not callback or callback[0].get("scope") != "async" or not callback[0].get("closure") or callback[0].get("nullable") != "1":
        yield f"{name}: its callback is not (nullable) (scope async) with a closure"
    if not any(parameter.get("name") == "cancellable" for parameter in parameters(function)):
        yield f"{name} cannot be cancelled"


tap.empty("asynchronous functions", [line for name in sorted(functions) if name.endswith("_async")
                                     for line in wrong_asynchrony(name, functions[name])])


# --- who owns what -----------------------------------------------------------------------------------------------------------

def wrong_result(name, function):
    result, c = returned(function), c_type(returned(function))
    if "*" not in c and c != "gpointer":
        return
    got = re.search(r"_get_", name) and name not in GOT_AND_OWNED
    expected = "none" if got or c.startswith("const ") else "full"
    if result.get("transfer-ownership") != expected:
        yield f"{name}: what it returns, {c}, is (transfer {result.get('transfer-ownership')}), expected {expected}"
    if (result.get("nullable") == "1") != (name in NULL_IS_FINE):
        yield f"{name}: whether it may return NULL without an error"


def wrong_parameter(name, parameter):
    what, c = f"{name}: {parameter.get('name')}", c_type(parameter)
    if kind(parameter) == "instance-parameter" and name.endswith("_unref"):
        if parameter.get("transfer-ownership") != "full" or parameter.get("nullable") != "1":
            yield f"{what} is not (transfer full) (nullable)"
        return
    if name not in SKIPPED and parameter.get("direction") != "out" and parameter.get("transfer-ownership") != "none":
        yield f"{what} is given away"
    nullable = parameter.get("nullable") == "1"
    default = kind(parameter) != "instance-parameter" and parameter.get("name") == "engine"
    if nullable != (default or parameter.get("name") in OPTIONAL or c in ("GCancellable*", "GAsyncReadyCallback")):
        yield f"{what} is {'' if nullable else 'not '}nullable"
    # A pointer to a pointer, or to a number, is an array with a length, or the place for a result.
    if re.search(r"\*.*\*|^(const )?(double|guint8|gsize|guint64)\*", c) and not c.startswith("GError"):
        array = array_of(parameter)
        if array is None and parameter.get("direction") != "out":
            yield f"{what}, {c}, is neither an array nor (out)"
        if array is not None and array.get("length") is None:
            yield f"{what}, an array, has no length"


tap.empty("who owns what is returned", [line for name in sorted(functions) for line in wrong_result(name, functions[name])])
tap.empty("arguments", [line for name in sorted(functions) for parameter in parameters(functions[name])
                        for line in wrong_parameter(name, parameter)])
tap.equal("errors have a domain", "tutti-error-quark", namespace.find(f"{CORE}enumeration[@name='Error']").get(GLIB + "error-domain"))
tap.end()
