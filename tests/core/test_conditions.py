"""Questions about a failed run."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.conditions import AnyCondition, any_node, every, message
from tests.core.builders import state

TRANSIENT, CODE, THROTTLED = Category.TRANSIENT, Category.CODE, Category.THROTTLED


@pytest.mark.parametrize(
    ("condition", "categories", "holds"),
    [
        (any_node(TRANSIENT), [CODE, TRANSIENT], True),
        (any_node(TRANSIENT), [CODE], False),
        (any_node(TRANSIENT, THROTTLED), [THROTTLED], True),
        (any_node("transient"), [TRANSIENT], True),
        (every(TRANSIENT), [CODE, TRANSIENT], False),
        (every(TRANSIENT), [TRANSIENT, TRANSIENT], True),
        (every(TRANSIENT, CODE), [CODE, TRANSIENT], True),
        (message("wor.s"), [CODE], True),
        (message("other"), [CODE], False),
        (any_node(TRANSIENT) & any_node(CODE), [CODE, TRANSIENT], True),
        (any_node(TRANSIENT) & any_node(CODE), [CODE], False),
        (any_node(TRANSIENT) | any_node(CODE), [CODE], True),
        (~any_node(CODE), [CODE], False),
        (~any_node(CODE), [TRANSIENT], True),
        (any_node(CODE) & (lambda seen: seen.attempt_number == 1), [CODE], True),
    ],
)
def test_condition(condition: AnyCondition, categories: list[Category], holds: bool) -> None:  # noqa: FBT001
    """Each condition and each way to join them, with a case where it holds and one where it does not."""
    assert condition(state(*categories)) is holds


def test_words_compose() -> None:
    """A joined condition reads as it was written."""
    assert repr(any_node(TRANSIENT) & ~message("x") | every(CODE)) == (
        "((any_node(transient) & ~message('x')) | every(code))"
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: any_node("transcient"), "any_node(): there is no category 'transcient'; there are transient"),
        (every, "every() needs at least one category"),
        (lambda: message("("), "message('('): not a valid regular expression"),
    ],
)
def test_wrong_condition_is_refused_at_once(make: AnyCondition, words: str) -> None:
    """A misspelt category or a broken pattern fails where the DAG is parsed."""
    with pytest.raises(ValueError) as caught:
        make()  # type: ignore[call-arg]
    assert words in str(caught.value)
