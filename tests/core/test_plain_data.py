"""Plain data has limits: each of these inputs would take for ever, or end in a RecursionError."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dbt_rerun.core.messages import shown
from airflow_dbt_rerun.core.plain_data import DEEPEST, LARGEST
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import own


def nested(levels: int, inner: Any = None) -> Any:
    """Return a list in a list in a list."""
    data = inner
    for _ in range(levels):
        data = [data]
    return data


def negated(levels: int) -> Any:
    """Return a condition that is denied many times."""
    data: Any = {"any_node": "transient"}
    for _ in range(levels):
        data = {"not": data}
    return data


def doubled(levels: int) -> Any:
    """Return a condition of 2^levels parts in a few objects."""
    data: Any = {"any_node": "transient"}
    for _ in range(levels):
        data = {"all": [data, data]}
    return data


def endless() -> Any:
    """Return a condition that contains itself."""
    data: dict[str, Any] = {}
    data["all"] = [data]
    return data


@pytest.mark.parametrize("condition", [nested(100_000), negated(100_000), endless(), negated(DEEPEST)])
def test_a_condition_nested_too_deep_is_refused_by_its_place(condition: Any) -> None:
    """The error names the limit and begins with the field."""
    with pytest.raises(ValueError, match=r"^policy\.rules\[0\]\.when.* is nested more than 50 levels deep$"):
        RerunPolicy.from_dict({"rules": [{"when": condition}]})


def test_a_condition_within_the_limit_is_read() -> None:
    """Nobody needs more."""
    assert RerunPolicy.from_dict({"rules": [{"when": negated(DEEPEST - 4)}]}).words()


def test_one_object_in_many_places_counts_in_each() -> None:
    """Sixty lists that stand for 2^30 conditions are too many."""
    with pytest.raises(ValueError, match=r"^policy holds more than 100,000 values"):
        RerunPolicy.from_dict({"rules": [{"when": doubled(20)}]})
    with pytest.raises(ValueError, match=r"^policy holds more than 100,000 values"):
        RerunPolicy.from_dict({"rules": ["default_rules"] * (LARGEST + 1)})


@pytest.mark.parametrize("field", ["stop", "wait", "superseded", "rules"])
@pytest.mark.parametrize("value", [nested(5_000), nested(100_000), endless()])
def test_every_field_has_the_limit(field: str, value: Any) -> None:
    """Not only conditions are read recursively."""
    with pytest.raises(ValueError, match=rf"^policy\.{field}.* levels deep$"):
        RerunPolicy.from_dict({field: value})


@pytest.mark.parametrize("read", [own.read, own.check])
def test_signatures_have_the_limit(read: Any) -> None:
    """In code and as data."""
    with pytest.raises(ValueError, match=r"\[0\]\.name.* is nested more than 50 levels deep$"):
        read([{"category": "code", "pattern": "x", "name": nested(5_000)}])


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**5_000], ids=["high", "low", "long"])
def test_a_number_beyond_any_clock_is_refused(number: int) -> None:
    """Waits are added up as floats, and Python does not even show a number of 5,000 digits."""
    with pytest.raises(ValueError, match=r"policy\.wait\.wait_fixed takes a number of seconds"):
        RerunPolicy.from_dict({"wait": {"wait_fixed": number}})


def test_a_wrong_value_is_shown_in_a_few_words() -> None:
    """Whatever it is."""
    for value in (nested(100_000), doubled(40), endless(), 10**5_000, "x" * 10**6, [nested(9)] * 9):
        assert len(shown(value)) < 100
