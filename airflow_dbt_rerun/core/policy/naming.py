"""Name functions and objects of other people in words that are the same in every process."""

from __future__ import annotations

import functools
import re

_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def name_of(thing: object) -> str:
    """Name a callable or show a value, without a memory address, which would be another one in each process.

    What an object holds is shown only if its class says how: it may be nobody's business.
    """
    if isinstance(thing, functools.partial):
        given = [name_of(value) for value in thing.args]
        given += [f"{name}={name_of(value)}" for name, value in thing.keywords.items()]
        return f"partial({', '.join([name_of(thing.func), *given])})"
    if name := getattr(thing, "__qualname__", None):
        return str(name)
    if isinstance(thing, (set, frozenset)):  # their own order differs between processes
        return "{" + ", ".join(sorted(name_of(each) for each in thing)) + "}"
    text = repr(thing)
    return f"{type(thing).__qualname__}(...)" if _ADDRESS.search(text) else text
