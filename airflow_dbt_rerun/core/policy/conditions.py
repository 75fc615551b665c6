"""When a rule applies: the questions that can be asked about a failed run.

Join them with ``&``, ``|`` and ``~``; any function that takes a :class:`RerunState` and returns a bool joins in.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.policy.condition import AnyCondition, Condition, RerunState
from airflow_dbt_rerun.core.policy.questions import ask
from airflow_dbt_rerun.core.policy.strategies import describe

__all__ = [
    "AnyCondition",
    "Condition",
    "RerunState",
    "any_node",
    "attempt_number",
    "describe",
    "every",
    "message",
    "node",
    "run",
    "step",
]

OneOrMore = str | Iterable[str]


def any_node(*categories: Category | str) -> Condition:
    """Match when at least one finding has one of these categories.

    :raises ValueError: if a category does not exist or none is given.
    """
    return ask("any_node", categories=categories)


def every(*categories: Category | str) -> Condition:
    """Match when all findings have one of these categories.

    :raises ValueError: if a category does not exist or none is given.
    """
    return ask("every", categories=categories)


def message(pattern: str) -> Condition:
    """Match when a finding's message contains this regular expression.

    :raises ValueError: if the pattern is not a valid regular expression.
    """
    return ask("message", pattern=pattern)


def node(
    resource_type: OneOrMore | None = None,
    *,
    name: OneOrMore | None = None,
    tag: OneOrMore | None = None,
    path: OneOrMore | None = None,
) -> Condition:
    """Match when a failed node fits all of this together. Each takes one value, or several to choose from.

    ``name``, ``tag`` and ``path`` may have dbt's wildcards ``*``, ``?`` and ``[..]``; upper and lower case differ.

    :param resource_type: ``model``, ``test``, ``unit_test``, ``seed``, ``snapshot``, ``operation`` (a hook), ...
    :param name: the node's name, for example ``stg_*``.
    :param tag: one of its tags; known only with the run's ``manifest.json``.
    :param path: its file or a folder above it, for example ``models/staging``.
    :raises ValueError: if nothing is given, or a resource type does not exist.
    """
    return ask("node", resource_type=resource_type, name=name, tag=tag, path=path)


def step(*patterns: str) -> Condition:
    """Match when the step that stopped the run is like this: its whole name, or its dbt command.

    :param patterns: with wildcards, for example ``dbt test*``; several to choose from.
    """
    return ask("step", patterns=patterns)


def run(
    *,
    job_id: int | Iterable[int] | None = None,
    environment_id: int | Iterable[int] | None = None,
    project_id: int | Iterable[int] | None = None,
    cause_category: OneOrMore | None = None,
) -> Condition:
    """Match when the failed run fits all of this together. Each takes one value, or several to choose from.

    :param cause_category: who started the run, in dbt's own word: ``api``, ``scheduled``, ``ui``, ``ci``,
        ``merge``, ``rerun``, ``job completion``, ...
    :raises ValueError: if nothing is given.
    """
    return ask(
        "run",
        job_id=job_id,
        environment_id=environment_id,
        project_id=project_id,
        cause_category=cause_category,
    )


def attempt_number(
    exactly: int | None = None, /, *, at_least: int | None = None, at_most: int | None = None
) -> Condition:
    """Match by the attempt that just failed; the first run is attempt 1.

    :raises ValueError: if nothing is given, or no attempt could match.
    """
    return ask("attempt_number", exactly=exactly, at_least=at_least, at_most=at_most)
