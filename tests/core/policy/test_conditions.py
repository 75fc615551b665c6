"""Questions about a failed run."""

from __future__ import annotations

import copy
import functools
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import RunTrigger
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis, Finding
from airflow_dbt_rerun.core.policy import conditions
from airflow_dbt_rerun.core.policy.condition import as_condition
from airflow_dbt_rerun.core.policy.conditions import (
    AnyCondition,
    Condition,
    RerunState,
    any_node,
    attempt_number,
    every,
    message,
    node,
    run,
    step,
)
from airflow_dbt_rerun.core.policy.policy import RerunPolicy, RerunRule
from tests.core.builders import run as a_run
from tests.core.builders import state

TRANSIENT, CODE, THROTTLED = Category.TRANSIENT, Category.CODE, Category.THROTTLED


def wrong(value: Any) -> Any:
    """Hide from the type checker what it would refuse, and a DAG author writes all the same."""
    return value


def is_first(seen: RerunState) -> bool:
    """Be a function of the user's own."""
    return seen.attempt_number == 1


def is_at_most(limit: int, seen: RerunState) -> bool:
    """Be one with an argument."""
    return seen.attempt_number <= limit


def is_within(seen: RerunState, limit: int) -> bool:
    """Be one whose argument is given by name."""
    return seen.attempt_number <= limit


class Nightly:
    """A callable object that does not say how it is shown."""

    def __call__(self, _: RerunState) -> bool:
        """Match."""
        return True


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
        (every(TRANSIENT), [], False),
        (message("wor.s"), [CODE], True),
        (message("other"), [CODE], False),
        (any_node(TRANSIENT) & any_node(CODE), [CODE, TRANSIENT], True),
        (any_node(TRANSIENT) & any_node(CODE), [CODE], False),
        (any_node(TRANSIENT) | any_node(CODE), [CODE], True),
        (any_node(TRANSIENT) | any_node(CODE), [THROTTLED], False),
        (~any_node(CODE), [CODE], False),
        (~any_node(CODE), [TRANSIENT], True),
        (any_node(CODE) & is_first, [CODE], True),
        (is_first & any_node(CODE), [TRANSIENT], False),
        (any_node(CODE) | is_first, [TRANSIENT], True),
        (is_first | any_node(CODE), [TRANSIENT], True),
        (any_node(CODE) & (lambda _: wrong(None)), [CODE], False),
    ],
)
def test_condition(condition: AnyCondition, categories: list[Category], holds: bool) -> None:  # noqa: FBT001
    """Each condition and each way to join them, with a case where it holds and one where it does not."""
    assert condition(state(*categories)) is holds


ORDERS = Finding(
    "model.shop.stg_orders",
    "model",
    "error",
    TRANSIENT,
    "words",
    path="models/staging/orders/stg_orders.sql",
    tags=("nightly", "finance"),
)
TEST = Finding("test.shop.unique_orders.ab12", "test", "fail", Category.TEST_FAILED, "got 3 results")
CLONE = Finding("Clone git repository", "step", "error", CODE, "no such branch")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (node("model"), True),
        (node("seed"), False),
        (node(["seed", "test"]), True),
        (node(name="stg_orders"), True),
        (node(name="stg_*"), True),
        (node(name="STG_*"), False),
        (node(name="unique_orders"), True),
        (node(name=["x", "stg_order?"]), True),
        (node(tag="nightly"), True),
        (node(tag="night[a-l]y"), True),
        (node(tag="hourly"), False),
        (node(path="models/staging"), True),
        (node(path="models/staging/"), True),
        (node(path="models/*/orders"), True),
        (node(path="models/staging/orders/stg_orders.sql"), True),
        (node(path="models/stag"), False),
        (node(path="staging"), False),
        (node("model", name="stg_*", tag="finance", path="models"), True),
        (node("test", tag="nightly"), False),  # one finding has to fit as a whole
        (node(name="Clone*"), False),  # a step is not a node
    ],
)
def test_node(condition: Condition, holds: bool) -> None:  # noqa: FBT001
    """All criteria hold for one finding together; what is not known of a node does not match."""
    seen = replace(state(), diagnosis=Diagnosis(101, (CLONE, TEST, ORDERS)))
    assert condition(seen) is holds


def test_node_reads_paths_of_windows() -> None:
    r"""A dbt that runs on Windows writes ``models\staging\orders.sql``."""
    finding = replace(ORDERS, path="models\\staging\\orders.sql")
    assert node(path="models/staging")(replace(state(), diagnosis=Diagnosis(101, (finding,))))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (step("dbt build"), True),
        (step("dbt b*"), True),
        (step("Invoke dbt with*"), True),
        (step("dbt seed", "dbt build"), True),
        (step("build"), False),
        (step("dbt seed"), False),
    ],
)
@pytest.mark.parametrize("step_name", ["Invoke dbt with `dbt build`", None])
def test_step(condition: Condition, step_name: str | None, holds: bool) -> None:  # noqa: FBT001
    """The step of the diagnosis, or else the one that stopped the run: its name or its command."""
    seen = state(CODE)
    assert condition(replace(seen, diagnosis=replace(seen.diagnosis, step=step_name))) is holds


def test_step_of_a_run_without_steps() -> None:
    """An unknown step does not match, and is not an error."""
    assert not step("*")(replace(state(CODE), run=a_run(steps=())))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (run(job_id=7), True),
        (run(job_id=[8, 7]), True),
        (run(job_id=8), False),
        (run(environment_id=3), True),
        (run(project_id=4), False),
        (run(cause_category="api"), True),
        (run(cause_category=["scheduled", "ui"]), False),
        (run(job_id=7, cause_category="scheduled"), False),
    ],
)
def test_run(condition: Condition, holds: bool) -> None:  # noqa: FBT001
    """All criteria have to fit; a fact that the platform does not report does not match."""
    assert condition(replace(state(CODE), run=a_run(environment_id=3))) is holds


@pytest.mark.parametrize("trigger", [None, RunTrigger("because", None)])
def test_run_without_a_cause(trigger: RunTrigger | None) -> None:
    """A run that does not say who started it matches no cause."""
    assert not run(cause_category="api")(replace(state(CODE), run=a_run(trigger=trigger)))


@pytest.mark.parametrize(
    ("condition", "attempts"),
    [
        (attempt_number(2), {2}),
        (attempt_number(at_least=3), {3, 4}),
        (attempt_number(at_most=2), {1, 2}),
        (attempt_number(at_least=2, at_most=3), {2, 3}),
    ],
)
def test_attempt_number(condition: Condition, attempts: set[int]) -> None:
    """Exactly one, or from one to another."""
    assert {number for number in range(1, 5) if condition(state(CODE, attempt=number))} == attempts


WRITTEN = [
    "any_node('transient', 'throttled') & ~message('x')",
    "any_node('transient') & ~message('x') | every('code')",
    "(any_node('transient') | every('code')) & ~(node('model') | step('dbt test*', 'dbt build'))",
    "node(['model', 'seed'], name='stg_*', tag=['nightly', 'hourly'], path='models/staging')",
    "node(tag='nightly') & run(job_id=[1, 2], cause_category='api')",
    "run(environment_id=3, project_id=4) | attempt_number(2) | attempt_number(at_least=2, at_most=3)",
    r"message('(?i)dead\\s*lock')",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_shown_as_written(written: str) -> None:
    """P4: what was written can be read back from the repr, and means the same."""
    condition = eval(written)  # noqa: S307 - a constant of this file
    assert repr(condition) == written
    assert eval(repr(condition)) == condition  # noqa: S307


def test_own_functions_are_named_without_addresses() -> None:
    """Functions, lambdas, partials and callable objects: readable, and the same in every process."""
    joined = (
        any_node("code")
        & is_first
        & (lambda _: True)
        & functools.partial(is_at_most, 3)
        & functools.partial(is_within, limit=3)
        & Nightly()
    )
    where = "test_own_functions_are_named_without_addresses.<locals>"
    assert repr(joined) == (
        f"any_node('code') & is_first & {where}.<lambda> & partial(is_at_most, 3)"
        " & partial(is_within, limit=3) & Nightly(...)"
    )


def test_sets_are_sorted() -> None:
    """The order of a set differs between processes, so it must not reach the repr."""
    assert repr(node(tag={"b", "a", "c"})) == "node(tag=['a', 'b', 'c'])"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (any_node("transient", "throttled"), "at least one failure is transient or throttled"),
        (~any_node("transient"), "no failure is transient"),
        (every("unknown"), "every failure is unknown"),
        (~every("unknown"), "not every failure is unknown"),
        (message("deadlock"), "a failure's message matches 'deadlock'"),
        (~message("deadlock"), "no failure's message matches 'deadlock'"),
        (node("model", tag="nightly"), "a failed model is tagged nightly"),
        (~node(path="models/staging"), "no failed node is in models/staging"),
        (node(["unit_test", "test"]), "at least one unit test or test failed"),
        (~node("operation"), "no operation failed"),
        (node(name="a", tag="b"), "a failed node is named a and is tagged b"),
        (step("dbt test*", "dbt seed"), "the failed step matches 'dbt test*' or 'dbt seed'"),
        (~step("dbt seed"), "the failed step does not match 'dbt seed'"),
        (
            run(job_id=[1, 2], cause_category="ui"),
            "the run has job id 1 or 2 and cause category ui",
        ),
        (~run(job_id=1), "the run does not have job id 1"),
        (attempt_number(2), "it is attempt 2"),
        (attempt_number(at_least=2), "it is attempt 2 or later"),
        (attempt_number(at_most=2), "it is attempt 2 or earlier"),
        (~attempt_number(at_least=2, at_most=4), "it is not attempt 2 to 4"),
        (any_node("code") & is_first, "at least one failure is code, and is_first is true"),
        (
            ~(any_node("code") & is_first) | node("seed"),
            "not (at least one failure is code, and is_first is true)",
        ),
        (
            (any_node("code") | is_first) & node("seed"),
            "(at least one failure is code, or is_first is true), and",
        ),
        (
            any_node("code") & ~(is_first | every("code")),
            "and not (is_first is true, or every failure is code)",
        ),
        (~~any_node("code"), "at least one failure is code"),
    ],
)
def test_words(condition: Condition, words: str) -> None:
    """P4: each condition, its opposite and each way to join them reads as a sentence."""
    assert words in condition.words


def test_equal_if_written_alike() -> None:
    """Conditions are values: equal, hashable; and they can be copied and pickled, as Airflow copies tasks."""
    first, second = (node("model", tag=["a", "b"]) & ~message("x") | is_first for _ in range(2))
    assert first == second
    assert len({first, second}) == 1
    assert copy.deepcopy(first) == first
    assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301 - made a moment ago
    assert first != node("model", tag=["a", "b"]) & ~message("y") | is_first
    assert any_node("code") & every("code") != any_node("code") | every("code")
    assert not (any_node("code") == every("code"))  # type: ignore[comparison-overlap]  # noqa: SIM201


def test_needs_manifest() -> None:
    """Only tags and paths are asked of the manifest, wherever they are; a function of one's own says it itself."""
    asks = functools.partial(is_first)
    asks.needs_manifest = True  # type: ignore[attr-defined]
    assert not (any_node("code") & node("model", name="x") | ~step("x")).needs_manifest
    assert (any_node("code") & ~(node(tag="x") | is_first)).needs_manifest
    assert node(path="x").needs_manifest
    assert (any_node("code") & asks).needs_manifest


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: any_node("transcient"),
            "any_node(): there is no category 'transcient'; did you mean 'transient'? There are transient",
        ),
        (every, "every() needs at least one category: transient, throttled"),
        (lambda: message("("), "message(pattern=...): '(' is not a valid regular expression"),
        (lambda: message(wrong(["a"])), "message(pattern=...) takes one regular expression, not ['a']"),
        (lambda: message(""), "an empty regular expression would match every message"),
        (node, "node() needs at least one of resource_type, name, tag, path"),
        (
            lambda: node("models"),
            "node(resource_type=...): there is no resource type 'models'; did you mean 'model'?",
        ),
        (lambda: node("hook"), "a hook is an 'operation'"),
        (lambda: node(tag=[]), "node(tag=...) needs at least one value"),
        (lambda: node(tag=wrong(3)), "node(tag=...) takes a text, not 3"),
        (lambda: node(name=" "), "node(name=...) takes a text that is not empty"),
        (step, "step() needs at least one value"),
        (lambda: step(wrong(3)), "step() takes a text, not 3"),
        (run, "run() needs at least one of job_id"),
        (lambda: run(job_id=wrong("7")), "run(job_id=...) takes a whole number, at least 1, not '7'"),
        (lambda: run(job_id=True), "run(job_id=...) takes a whole number, at least 1, not True"),
        (attempt_number, "attempt_number() needs at least one of exactly, at_least, at_most"),
        (lambda: attempt_number(0), "takes a whole number, at least 1, not 0"),
        (lambda: attempt_number(2, at_least=1), "takes either one number or at_least and at_most"),
        (lambda: attempt_number(at_least=3, at_most=2), "matches no attempt"),
        (
            lambda: any_node("code") & wrong(3),
            "condition & ... takes a condition such as any_node('transient'), not 3",
        ),
        (lambda: wrong("code") | any_node("code"), "not 'code': write any_node('code')"),
        (lambda: any_node("code") & wrong(every), "every is not called yet: write every(...)"),
        (lambda: any_node("code") & wrong(Nightly), "not the class Nightly"),
    ],
)
def test_wrong_condition_is_refused_at_once(make: Callable[[], Any], words: str) -> None:
    """What cannot work is answered where the DAG is parsed, on one line, with what is allowed."""
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_async_functions_are_refused() -> None:
    """A coroutine is always true: it would rerun everything."""

    async def later(_: RerunState) -> bool:
        return False

    with pytest.raises(TypeError, match="is async"):
        any_node("code") & later  # type: ignore[operator]


def test_each_wildcard_is_compiled_once_for_all_nodes(mocker: MockerFixture) -> None:
    """A rule may name hundreds of models, and hundreds may fail."""
    compiled = mocker.spy(conditions, "translate")
    names = [f"orders_{number}_*" for number in range(400)]
    failed = tuple(Finding(f"model.shop.m{n}", "model", "error", Category.CODE, "words") for n in range(50))
    assert not node(name=names)(RerunState(a_run(), Diagnosis(101, failed), 1, 0.0))
    assert compiled.call_count == len(names)


@pytest.mark.parametrize(
    "join",
    [
        lambda: any_node(TRANSIENT) and message("deadlock"),
        lambda: any_node(TRANSIENT) or message("deadlock"),
        lambda: not any_node(TRANSIENT),
        lambda: not (any_node(TRANSIENT) & is_first),
        lambda: ~any_node(TRANSIENT) and is_first,
        lambda: any([any_node(TRANSIENT), message("deadlock")]),
        lambda: 1 if node("test") else 2,
        lambda: bool(as_condition("when", is_first)),
    ],
)
def test_and_or_and_not_are_refused(join: Callable[[], Any]) -> None:
    """Python would keep one of the conditions and drop the other; the error names the operators to write."""
    with pytest.raises(TypeError, match=r"join conditions with &, \| and ~ instead of and, or and not"):
        join()


def test_function_that_returns_a_condition_is_a_broken_rule() -> None:
    """The result of a function is a truth value, not another condition."""
    decision = RerunPolicy(rules=[RerunRule(lambda _: wrong(any_node(CODE)))]).decide(state(CODE))
    assert decision.action == "fail"
    assert "is broken: TypeError: any_node('code') is true or false only once a run has failed" in decision.reason


def yields(_: RerunState) -> Any:
    """Be a generator."""
    yield True


class Later:
    """An object that is called asynchronously."""

    async def __call__(self, _: RerunState) -> bool:
        """Match."""
        return True


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: True, "<lambda> cannot be called with one argument: give it one parameter, the RerunState"),
        (lambda _, __: True, "cannot be called with one argument"),
        (lambda *, _: True, "cannot be called with one argument"),
        (is_at_most, "is_at_most cannot be called with one argument"),
        (functools.partial(is_at_most, 1, wrong(None)), "cannot be called with one argument"),
        (yields, "yields is a generator and would never run: write return, not yield"),
        (Later(), "is async and would never be awaited"),
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        RerunRule,
        lambda function: RerunRule(any_node(CODE) & function),
        lambda function: RerunRule(any_node(CODE), stop=function),
        lambda function: RerunRule(any_node(CODE), wait=function),
        lambda function: RerunPolicy(stop=function),
        lambda function: RerunPolicy(wait=function),
    ],
    ids=["when", "joined", "rule stop", "rule wait", "policy stop", "policy wait"],
)
def test_function_that_cannot_be_called_is_refused_at_once(
    place: Callable[[Any], Any], function: Any, words: str
) -> None:
    """Conditions, stops and waits take the state; others would fail only in the middle of a heal."""
    with pytest.raises(TypeError) as caught:
        place(function)
    assert words in str(caught.value).replace("test_conditions.", "")


@pytest.mark.parametrize(
    "function", [is_first, functools.partial(is_at_most, 3), Nightly(), lambda *_: True, lambda _, __=3: True]
)
def test_function_with_one_argument_is_taken(function: Any) -> None:
    """Defaults, ``*args``, partials and objects are all right."""
    assert RerunRule(function).when is function
