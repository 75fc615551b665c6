"""tenacity's stops and waits as values, words and data."""

from __future__ import annotations

import functools
import json
import warnings
from datetime import timedelta
from typing import Any

import pytest
import tenacity
from tenacity import (
    stop_after_attempt,
    stop_after_delay,
    stop_before_delay,
    stop_never,
    wait_chain,
    wait_exponential,
    wait_exponential_jitter,
    wait_fixed,
    wait_full_jitter,
    wait_incrementing,
    wait_none,
    wait_random,
    wait_random_exponential,
)
from tenacity.stop import stop_all, stop_any

from airflow_dbt_rerun.core.policy.strategies import (
    STOP,
    WAIT,
    check_strategy,
    describe,
    form,
    strategy_from_data,
)
from airflow_dbt_rerun.core.policy.tenacity_table import STOPS, WAITS, duration
from tests.core.builders import state


def own_wait(_: Any) -> float:
    """Be a wait of the user's own."""
    return 1.0


SINGLE: list[tuple[Any, str, Any, str]] = [
    (stop_after_attempt(3), "stop_after_attempt(3)", {"stop_after_attempt": 3}, "after 3 attempts in all"),
    (stop_after_attempt(1), "stop_after_attempt(1)", {"stop_after_attempt": 1}, "after the first attempt"),
    (stop_after_delay(7200), "stop_after_delay(7200)", {"stop_after_delay": 7200}, "once 2 hours have passed"),
    (
        stop_before_delay(timedelta(minutes=90)),
        "stop_before_delay(5400)",
        {"stop_before_delay": 5400},
        "if the next attempt would start more than 90 minutes after the first",
    ),
    (stop_never, "stop_never", "stop_never", "never"),
    (wait_fixed(0.5), "wait_fixed(0.5)", {"wait_fixed": 0.5}, "0.5 seconds"),
    (wait_none(), "wait_none()", "wait_none", "no time"),
    (wait_random(0, 15), "wait_random(0, 15)", {"wait_random": {"min": 0, "max": 15}}, "0 to 15 seconds at random"),
    (
        wait_incrementing(10, 5),
        "wait_incrementing(start=10, increment=5)",
        {"wait_incrementing": {"start": 10, "increment": 5}},
        "10 seconds, 5 seconds more each time",
    ),
    (
        wait_exponential(multiplier=30, max=600),
        "wait_exponential(multiplier=30, max=600)",
        {"wait_exponential": {"multiplier": 30, "max": 600}},
        "30 seconds, doubling each time, at most 10 minutes",
    ),
    (wait_exponential(), "wait_exponential()", {"wait_exponential": {}}, "1 second, doubling each time"),
    (
        wait_random_exponential(multiplier=2, max=60, exp_base=3),
        "wait_random_exponential(multiplier=2, max=60, exp_base=3)",
        {"wait_random_exponential": {"multiplier": 2, "max": 60, "exp_base": 3}},
        "at random up to 2 seconds, times 3 each time, at most 1 minute",
    ),
    (
        wait_exponential_jitter(max=60, jitter=5),
        "wait_exponential_jitter(max=60, jitter=5)",
        {"wait_exponential_jitter": {"max": 60, "jitter": 5}},
        "1 second, doubling each time, and up to 5 seconds at random, at most 1 minute",
    ),
]

A, B, C = stop_after_attempt(3), stop_after_delay(60), stop_before_delay(90)
TEXT: Any = "3"
DATA_A, DATA_B, DATA_C = {"stop_after_attempt": 3}, {"stop_after_delay": 60}, {"stop_before_delay": 90}

JOINED: list[tuple[Any, str, Any, str]] = [
    (
        A | B,
        "stop_after_attempt(3) | stop_after_delay(60)",
        {"any": [DATA_A, DATA_B]},
        "all, or once 1 minute have",
    ),
    (
        (A | B) & C,
        "(stop_after_attempt(3) | stop_after_delay(60)) & stop_before_delay(90)",
        {"all": [{"any": [DATA_A, DATA_B]}, DATA_C]},
        "(after 3 attempts in all, or once",
    ),
    ((A | B) | C, f"{describe(A)} | {describe(B)} | {describe(C)}", {"any": [DATA_A, DATA_B, DATA_C]}, ", or if"),
    (stop_any(A, B, C), f"{describe(A)} | {describe(B)} | {describe(C)}", {"any": [DATA_A, DATA_B, DATA_C]}, ""),
    (
        wait_fixed(1) + wait_random(0, 2),
        "wait_fixed(1) + wait_random(0, 2)",
        {"sum": [{"wait_fixed": 1}, {"wait_random": {"min": 0, "max": 2}}]},
        "1 second, plus 0 to 2 seconds at random",
    ),
    (
        wait_chain(wait_fixed(1), wait_fixed(2) + wait_none()),
        "wait_chain(wait_fixed(1), wait_fixed(2) + wait_none())",
        {"wait_chain": [{"wait_fixed": 1}, {"sum": [{"wait_fixed": 2}, "wait_none"]}]},
        "1 second, then 2 seconds, plus no time",
    ),
]


@pytest.mark.parametrize(("strategy", "written", "data", "words"), [*SINGLE, *JOINED])
def test_written_in_words_and_as_data(strategy: Any, written: str, data: Any, words: str) -> None:
    """Each is shown as written and in words, and round-trips through JSON to an equal one."""
    assert describe(strategy) == written
    assert words in form(strategy).words()
    assert form(strategy).data() == data
    kind = STOP if isinstance(strategy, tenacity.stop.stop_base) else WAIT
    made = strategy_from_data(json.loads(json.dumps(data)), kind, "policy")
    assert form(made) == form(strategy)
    assert hash(form(made)) == hash(form(strategy))


@pytest.mark.parametrize("strategy", [case[0] for case in SINGLE], ids=describe)
def test_written_form_is_python(strategy: Any) -> None:
    """What is shown can be pasted back."""
    assert form(eval(describe(strategy), vars(tenacity).copy())) == form(strategy)  # noqa: S307


def test_the_table_knows_all_that_make_sense() -> None:
    """All stops and waits that tenacity exports are in the table, or left out for a reason."""
    left_out = {
        "stop_when_event_set",  # an event of a thread; a failed dbt run has none
        "wait_exception",  # needs a Python exception; a failed dbt run has none
        "wait_full_jitter",  # a second name
        "stop_all",
        "stop_any",
        "wait_chain",
        "wait_combine",
    }
    exported = {name for name in tenacity.__all__ if name.startswith(("stop_", "wait_"))}
    assert exported - left_out == {strategy.call.name for strategy in (*STOPS, *WAITS)}


def test_second_name() -> None:
    """``wait_full_jitter`` is tenacity's second name for ``wait_random_exponential``."""
    made = strategy_from_data({"wait_full_jitter": {"max": 60}}, WAIT, "wait")
    assert form(made) == form(wait_full_jitter(max=60))


def test_equal_forms() -> None:
    """Equal if written alike, also where tenacity counts in floats."""
    assert form(wait_fixed(60)) == form(wait_fixed(timedelta(minutes=1)))
    assert form(A | (B | C)) == form((A | B) | C)
    assert form(A | B) != form(A & B)
    assert form(A | B) != form(B | A)
    assert form(wait_fixed(0)) != form(wait_none())
    assert form(own_wait) == form(own_wait)


def test_own_strategies_are_named() -> None:
    """Functions and subclasses of the user's own are called and named, nothing more."""

    class Patient(wait_fixed):
        pass

    joined = wait_fixed(1) + functools.partial(own_wait) + Patient(3)  # type: ignore[operator]
    assert describe(joined) == "wait_fixed(1) + partial(own_wait) + " + describe(Patient(3))
    assert describe(Patient(3)).endswith("Patient(...)")
    assert form(own_wait).words() == "as own_wait decides"
    with pytest.raises(TypeError, match="own_wait is Python code, which cannot be written as data"):
        form(own_wait).data()


class OldJitter(wait_exponential_jitter):
    """tenacity 8.3's: it takes and keeps ``initial``, and knows no ``min``."""

    def __init__(self, initial: float = 1, max: float = 9, exp_base: float = 2, jitter: float = 1) -> None:  # noqa: A002
        self.initial, self.max, self.exp_base, self.jitter = initial, max, exp_base, jitter


def test_older_tenacity() -> None:
    """The argument that was called ``initial`` is read and given under its old name; one that is new is refused."""
    (table,) = [strategy for strategy in WAITS if strategy.call.name == "wait_exponential_jitter"]
    old = type(table)(table.call, OldJitter, table.words, table.kept, table.once)
    assert old.call.written(old.spelled({"multiplier": 3})) == "wait_exponential_jitter(initial=3)"
    assert old.arguments(OldJitter(3))["multiplier"] == 3
    assert old.build({"multiplier": 4}).initial == 4
    with pytest.raises(ValueError, match="of the installed tenacity has no argument 'min'"):
        old.build({"min": 1}, "policy.wait")


def test_build_uses_no_deprecated_argument() -> None:
    """Building from data emits no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = strategy_from_data({"wait_exponential_jitter": {"multiplier": 3, "max": 9}}, WAIT, "wait")
    assert 3 <= made(state(attempt=1)) <= 4


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (
            STOP,
            stop_after_attempt,
            "takes an object, not the class stop_after_attempt: write stop_after_attempt(3)",
        ),
        (WAIT, wait_exponential, "takes an object, not the class wait_exponential: write wait_exponential()"),
        (WAIT, wait_fixed, "write wait_fixed(60)"),
        (STOP, int, "write int(...)"),
        (STOP, wait_fixed(5), "takes a tenacity stop such as stop_after_attempt(3); wait_fixed(5) is a wait"),
        (WAIT, A, "takes a tenacity wait such as wait_fixed(60); stop_after_attempt(3) is a stop"),
        (STOP, 4, "takes a tenacity stop such as stop_after_attempt(4), not 4"),
        (STOP, True, "takes a tenacity stop such as stop_after_attempt(3), not True"),
        (WAIT, 90, "takes a tenacity wait such as wait_fixed(90), not 90"),
        (WAIT, timedelta(minutes=2), "takes a tenacity wait such as wait_fixed(120), not datetime.timedelta"),
        (STOP, timedelta(hours=1), "takes a tenacity stop such as stop_after_delay(3600)"),
        (STOP, stop_after_attempt(0), "place: stop_after_attempt(max_attempt_number=...) takes a whole number of"),
        (STOP, A | stop_after_delay(-1), "stop_after_delay(max_delay=...) takes a number of seconds, at least 0"),
        (STOP, stop_after_attempt(TEXT), "takes a whole number of attempts, at least 1, not '3'"),
        (WAIT, wait_fixed(float("nan")), "takes a number of seconds, at least 0, not nan"),
        (WAIT, wait_random(15, 0), "place: wait_random(15, 0) has a min above its max, 0"),
        (WAIT, wait_exponential(max=60, min=90), "has a min above its max, 60"),
        (STOP, stop_all(), "place: stop_all() needs at least one part"),
    ],
)
def test_common_mistakes_are_answered(kind: Any, value: object, words: str) -> None:
    """P5: a wait or stop that would behave differently than it reads is refused, with the correct form."""
    with pytest.raises((TypeError, ValueError)) as caught:
        check_strategy("place", kind, value)
    assert words in str(caught.value)
    assert str(caught.value).startswith("place")


@pytest.mark.skipif(not hasattr(tenacity, "wait_exception"), reason="this tenacity has no wait_exception")
def test_wait_exception_is_refused() -> None:
    """It would raise each time: a failed dbt run has no Python exception."""
    with pytest.raises(TypeError, match="place: wait_exception needs a Python exception"):
        check_strategy("place", WAIT, tenacity.wait_exception(lambda _: 1.0))


def test_async_strategies_are_refused() -> None:
    """A coroutine is always true."""

    async def later(_: Any) -> bool:
        return False

    with pytest.raises(TypeError, match="is async"):
        check_strategy("place", STOP, later)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (STOP, 3, "policy takes one stop such as {stop_after_attempt: 3}, not 3"),
        (WAIT, 60, "policy takes one wait such as {wait_fixed: 60}, not 60"),
        (STOP, {}, "policy takes one stop such as"),
        (STOP, {**DATA_A, **DATA_B}, "policy takes one stop such as"),
        (STOP, {"stop_after_atempt": 3}, "no stop 'stop_after_atempt'; did you mean 'stop_after_attempt'?"),
        (STOP, {"wait_fixed": 3}, "policy: there is no stop 'wait_fixed'; there are stop_after_attempt"),
        (STOP, {"stop_never": {}}, "policy: write stop_never alone"),
        (STOP, {"any": []}, "policy.any takes a list of stops, not []"),
        (STOP, {"any": [DATA_A, 4]}, "policy.any[1] takes one stop such as"),
        (STOP, {"stop_after_attempt": None}, "policy.stop_after_attempt takes a whole number of attempts"),
        (STOP, {"stop_after_attempt": {}}, "policy.stop_after_attempt needs max_attempt_number"),
        (WAIT, {"wait_random": 5}, "policy.wait_random takes a mapping of min, max, not 5"),
        (WAIT, {"wait_random": {"mim": 5}}, "policy.wait_random: there is no argument 'mim'; did you mean 'min'?"),
        (WAIT, {"wait_random": {"min": 5}}, "policy: wait_random(5, 1) has a min above its max, 1"),
        (WAIT, {"wait_exponential": {"max": "10m"}}, "policy.wait_exponential.max takes a number of seconds"),
        (WAIT, {3: 4}, "policy: there is no wait 3; there are"),
    ],
)
def test_wrong_data_is_answered_with_its_place(kind: Any, data: object, words: str) -> None:
    """Errors name the place, what is wrong there, and what may stand there."""
    with pytest.raises((TypeError, ValueError)) as caught:
        strategy_from_data(data, kind, "policy")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (5400, "90 minutes"),
        (7200, "2 hours"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    """The largest unit that leaves no rest."""
    assert duration(seconds) == words
