"""tenacity's stops and waits: the arguments of each, the attributes that hold them, and its meaning in words.

tenacity stores some arguments under other names than their parameters, and has renamed one. The table covers
tenacity 8.3 and later.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tenacity
from tenacity.stop import stop_all, stop_any
from tenacity.wait import wait_combine

from airflow_dbt_rerun.core.policy.arguments import Number
from airflow_dbt_rerun.core.policy.calls import Arguments, Call

SECONDS = Number(least=0, unit="seconds")
ANY_SECONDS = Number(unit="seconds")
FACTOR = Number(least=0)


@dataclass(frozen=True)
class Strategy:
    """One of tenacity's stops or waits.

    :param make: its class.
    :param words: returns its meaning in words, from all its arguments.
    :param kept: the attributes that hold an argument under another name.
    :param once: the older name of an argument, and of its attribute, in tenacity before 9.2.
    """

    call: Call
    make: Any
    words: Callable[[Arguments], str]
    kept: Mapping[str, str] = field(default_factory=dict)
    once: Mapping[str, str] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of each argument, read from the installed tenacity."""
        taken = self.spelled(dict.fromkeys(self.call.takes))
        by_name = dict(zip(taken, self.call.takes, strict=True))
        parameters = inspect.signature(self.make).parameters
        return {by_name[spelled]: parameters[spelled].default for spelled in taken if spelled in parameters}

    def spelled(self, arguments: Arguments) -> dict[str, Any]:
        """Return the arguments under the names of the installed tenacity."""
        parameters = inspect.signature(self.make).parameters
        return {n if n in parameters else self.once.get(n, n): value for n, value in arguments.items()}

    def arguments(self, thing: object) -> dict[str, Any]:
        """Read all arguments of one such object."""
        return {name: self._read(thing, name, default) for name, default in self.defaults.items()}

    def _read(self, thing: object, name: str, default: object) -> Any:
        for attribute in (self.kept.get(name, name), self.once.get(name, name)):
            if hasattr(thing, attribute):
                return getattr(thing, attribute)
        return default

    def build(self, arguments: Arguments, where: str = "") -> Any:
        """Build the object.

        :param where: the place that an error names.
        :raises ValueError: if the installed tenacity lacks an argument.
        """
        if self.make is type(tenacity.stop_never):
            return tenacity.stop_never
        given = self.spelled(arguments)
        if missing := sorted(set(given) - set(inspect.signature(self.make).parameters)):
            raise ValueError(f"{where}: {self.call.name} of the installed tenacity has no argument {missing[0]!r}")
        return self.make(**given)


def duration(seconds: float) -> str:
    """Return seconds in words: ``90 seconds``, ``10 minutes``, ``2 hours``."""
    for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}{'' if seconds == size else 's'}"
    return f"{seconds:g} seconds"


def _grows(a: Arguments) -> str:
    times = {1: "each time", 2: "doubling each time"}.get(a["exp_base"], f"times {a['exp_base']:g} each time")
    return f"{duration(a['multiplier'])}, {times}"


def _bounds(a: Arguments) -> str:
    low = f", at least {duration(a['min'])}" if a.get("min") else ""
    endless = tenacity.wait_incrementing().max  # tenacity's value for "no limit"
    return low + (f", at most {duration(a['max'])}" if a["max"] < endless else "")


def _attempts(count: int) -> str:
    return "after the first attempt" if count == 1 else f"after {count} attempts in all"


_GROWTH = {"multiplier": FACTOR, "max": SECONDS, "exp_base": FACTOR, "min": SECONDS}

STOPS = (
    Strategy(
        Call(
            "stop_after_attempt",
            {"max_attempt_number": Number(least=1, whole=True, unit="attempts")},
            ("max_attempt_number",),
            needs=1,
        ),
        tenacity.stop_after_attempt,
        lambda a: _attempts(a["max_attempt_number"]),
    ),
    Strategy(
        Call("stop_after_delay", {"max_delay": SECONDS}, ("max_delay",), needs=1),
        tenacity.stop_after_delay,
        lambda a: f"once {duration(a['max_delay'])} have passed",
    ),
    Strategy(
        Call("stop_before_delay", {"max_delay": SECONDS}, ("max_delay",), needs=1),
        tenacity.stop_before_delay,
        lambda a: f"if the next attempt would start more than {duration(a['max_delay'])} after the first",
    ),
    Strategy(Call("stop_never", {}), type(tenacity.stop_never), lambda _: "never"),
)

WAITS = (
    Strategy(
        Call("wait_fixed", {"wait": SECONDS}, ("wait",), needs=1),
        tenacity.wait_fixed,
        lambda a: duration(a["wait"]),
        kept={"wait": "wait_fixed"},
    ),
    Strategy(Call("wait_none", {}), tenacity.wait_none, lambda _: "no time"),
    Strategy(
        Call("wait_random", {"min": SECONDS, "max": SECONDS}, ("min", "max")),
        tenacity.wait_random,
        lambda a: f"{a['min']:g} to {duration(a['max'])} at random",
        kept={"min": "wait_random_min", "max": "wait_random_max"},
    ),
    Strategy(
        Call("wait_incrementing", {"start": SECONDS, "increment": ANY_SECONDS, "max": SECONDS}),
        tenacity.wait_incrementing,
        lambda a: f"{duration(a['start'])}, {a['increment']:g} seconds more each time{_bounds(a)}",
    ),
    Strategy(
        Call("wait_exponential", _GROWTH),
        tenacity.wait_exponential,
        lambda a: _grows(a) + _bounds(a),
    ),
    Strategy(
        Call("wait_random_exponential", _GROWTH),
        tenacity.wait_random_exponential,
        lambda a: f"at random up to {_grows(a)}{_bounds(a)}",
    ),
    Strategy(
        Call("wait_exponential_jitter", {**_GROWTH, "jitter": SECONDS}),
        tenacity.wait_exponential_jitter,
        lambda a: f"{_grows(a)}, and up to {duration(a['jitter'])} at random{_bounds(a)}",
        once={"multiplier": "initial"},
    ),
)

ALIASES = {"wait_full_jitter": "wait_random_exponential"}
"""Second names that tenacity exports."""

BY_CLASS = {strategy.make: strategy for strategy in (*STOPS, *WAITS)}


@dataclass(frozen=True)
class Join:
    """A way to make one strategy out of several.

    :param word: its key in data.
    :param sign: the operator between the parts in Python; empty for a call.
    :param words: the text between the parts in words.
    :param kept: the attribute that holds the parts.
    """

    word: str
    make: Any
    sign: str
    words: str
    kept: str


STOP_JOINS = (
    Join("any", stop_any, " | ", ", or ", "stops"),
    Join("all", stop_all, " & ", ", and ", "stops"),
)
WAIT_JOINS = (
    Join("sum", wait_combine, " + ", ", plus ", "wait_funcs"),
    Join("wait_chain", tenacity.wait_chain, "", ", then ", "strategies"),
)
JOIN_BY_CLASS = {join.make: join for join in (*STOP_JOINS, *WAIT_JOINS)}
