"""The jobs of a simulated history: what each builds, how often, on which warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from zlib import crc32

from airflow_dbt_rerun.local.dbt.commands import dbt_arguments, subcommand, subcommand_of
from airflow_dbt_rerun.local.history.office_hours import DAY, HOUR, Period
from airflow_dbt_rerun.local.simulated.project import SimulatedProject
from airflow_dbt_rerun.local.simulated.request import read_options, selected_nodes

ADAPTERS = ("snowflake", "bigquery", "postgres", "databricks", "redshift")
"""The warehouses, in turn: jobs on the same one share a connection, so its trouble hits all of them."""

_EVERY = (24, 1, 3, 24, 24, 3, 24, 24, 1, 24, 6, 24, 24, 3, 24, 1, 24, 24, 6, 24)
"""Hours between the runs of a job, in turn: twelve of twenty jobs run once a night."""


@dataclass(frozen=True)
class HistoricJob:
    """A job.

    :param every: seconds between its scheduled runs
    :param offset: seconds after midnight of the first of them
    :param minutes: the usual duration of all its commands together
    :param timeout: seconds that a run may take
    :param retired_at: its last run is the first that fails after this moment; None if it stays in use
    """

    number: int
    name: str
    adapter: str
    commands: tuple[str, ...]
    every: float
    offset: float
    minutes: float
    timeout: int
    freshness: bool
    docs: bool
    retired_at: float | None

    @property
    def cron(self) -> str:
        """Its schedule as dbt shows it."""
        hour, minute = divmod(int(self.offset) // 60, 60)
        hours = round(self.every / HOUR)
        return f"{minute} {hour if hours == 24 else f'*/{hours}'} * * *"  # noqa: PLR2004 - once a day


def make_jobs(rng: Random, commands: CommandNodes, count: int, period: Period) -> list[HistoricJob]:
    """Return jobs over a project; the last of ten or more is retired half-way."""
    models = sorted(node.name for node in commands.project.nodes.values() if node.resource_type == "model")
    return [_job(rng, number, models, period, is_retired=number == count - 1 >= 9) for number in range(count)]  # noqa: PLR2004 - ten jobs


def _job(rng: Random, number: int, models: Sequence[str], period: Period, *, is_retired: bool) -> HistoricJob:
    every = _EVERY[number % len(_EVERY)] * HOUR
    is_nightly = every == DAY
    hours = rng.randrange(0, 6) if is_nightly else 0
    return HistoricJob(
        number=number,
        name=f"{'nightly' if is_nightly else 'hourly' if every == HOUR else 'intraday'} {number + 1:02}",
        adapter=ADAPTERS[number % len(ADAPTERS)],
        commands=_commands(rng, models, is_nightly=is_nightly),
        every=every,
        offset=hours * HOUR + rng.randrange(12) * 300.0,
        minutes=rng.uniform(14, 55) if is_nightly else rng.uniform(2, 11),
        timeout=10_800 if is_nightly else 2_700,
        freshness=number % 7 == 3,  # noqa: PLR2004 - some have the box ticked
        docs=number % 9 == 4,  # noqa: PLR2004 - some have the box ticked
        retired_at=period.begins + period.length * 0.55 if is_retired else None,
    )


def _commands(rng: Random, models: Sequence[str], *, is_nightly: bool) -> tuple[str, ...]:
    node = rng.choice(models) if models else "*"
    if not is_nightly:
        verb = rng.choice(("run", "build"))
        return (f"dbt {verb} --select {rng.choice((node, f'{node}+'))}",)
    whole = (
        ("dbt build",),
        ("dbt seed", "dbt run", "dbt test"),
        ("dbt seed", "dbt build --exclude resource_type:seed"),
    )
    part = (f"dbt build --select +{node}",), (f"dbt run --select {node}+", f"dbt test --select {node}+")
    return rng.choice((*whole, *part))


class CommandNodes:
    """The nodes that each command runs, and for how long one after the other."""

    def __init__(self, project: SimulatedProject) -> None:
        self.project = project
        self._of: dict[str, tuple[str, ...]] = {}
        self._blocking: dict[str, bool] = {}
        self._weights: dict[str, int] = {}

    def __call__(self, command: str) -> tuple[str, ...]:
        """Return the nodes of a command in the order in which they run."""
        if command not in self._of:
            arguments = dbt_arguments(command)
            selected = selected_nodes(self.project, subcommand_of(arguments), read_options(arguments))
            self._of[command] = self.in_order(selected, tests_block=self.tests_block(command))
        return self._of[command]

    def tests_block(self, command: str) -> bool:
        """Return whether a failed test keeps nodes of the command from running."""
        if command not in self._blocking:
            self._blocking[command] = subcommand(command) == "build"
        return self._blocking[command]

    def in_order(self, nodes: frozenset[str], *, tests_block: bool) -> tuple[str, ...]:
        """Return nodes in the order in which a command runs them."""
        order = self._orders[tests_block]
        return tuple(node for node in order if node in nodes)

    def weight(self, node: str) -> int:
        """Return how long a node takes in comparison with others: always the same for a node."""
        if node not in self._weights:
            self._weights[node] = 20 + crc32(node.encode()) % 100
        return self._weights[node]

    @cached_property
    def _orders(self) -> dict[bool, list[str]]:
        return {blocks: self.project.order(tests_block=blocks) for blocks in (False, True)}
