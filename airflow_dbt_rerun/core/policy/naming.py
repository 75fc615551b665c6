"""Name a user's functions and objects in a way that is the same in every process."""

from __future__ import annotations

import functools
import re

_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def name_of(thing: object) -> str:
    """Return a callable's name or a value's repr, without a memory address, which differs between processes.

    An object's contents are shown only if its class defines a repr, since they may be confidential.
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
