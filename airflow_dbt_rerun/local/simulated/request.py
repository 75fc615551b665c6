"""What a simulated command is asked to do: its options, its selection, and the profile's output that it uses."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.local.dbt.project_copy import ProjectError, read_yaml
from airflow_dbt_rerun.local.simulated.project import SimulatedProject

RUNS: Mapping[str, frozenset[str]] = {
    "build": frozenset({"model", "seed", "test"}),
    "run": frozenset({"model"}),
    "seed": frozenset({"seed"}),
    "snapshot": frozenset({"snapshot"}),
    "test": frozenset({"test"}),
}
"""The resource types that each command runs."""

UNFINISHED = ("error", "fail", "skipped")
"""The statuses of nodes that a retry runs, in both engines."""


class UnknownTargetError(ProjectError):
    """The profile does not have the output; the message is dbt-core's."""

    def __init__(self, profile: str, target: str) -> None:
        super().__init__(f"The profile '{profile}' does not have a target named '{target}'.")
        self.profile = profile
        self.target = target


@dataclass(frozen=True, slots=True)
class Output:
    """The profile's output that a command uses."""

    profile: str
    name: str
    adapter: str
    schema: str
    threads: str


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """The command and the unfinished nodes that a retry resumes."""

    which: str
    unfinished: frozenset[str]


def read_options(args: Sequence[str]) -> argparse.Namespace:
    """Read the options that the simulation honours; others are ignored.

    :raises argparse.ArgumentError: if one of them lacks its value
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--select", "--models", "-s", "-m", nargs="+", action="extend", default=[])
    parser.add_argument("--exclude", nargs="+", action="extend", default=[])
    parser.add_argument("--target", "-t")
    parser.add_argument("--state", type=Path)
    parser.add_argument("--fail-fast", "-x", action="store_true")
    return parser.parse_known_args(args)[0]


def read_output(profiles: Path, requested: str | None) -> Output:
    """Return the output of the profile that the platform wrote for this run.

    :raises UnknownTargetError: if the profile does not have the output
    """
    [(name, profile)] = read_yaml(profiles / "profiles.yml").items()
    target = requested or profile["target"]
    if target not in profile["outputs"]:
        raise UnknownTargetError(name, target)
    output = profile["outputs"][target]
    schema, threads = str(output.get("schema") or "main"), str(output.get("threads") or 1)
    return Output(name, target, str(output.get("type")), schema, threads)


def read_previous_run(state: Path) -> PreviousRun:
    """Read the results that a retry resumes.

    :raises OSError: if there are none
    """
    results: dict[str, Any] = json.loads((state / "run_results.json").read_text())
    unfinished = (result["unique_id"] for result in results["results"] if result["status"] in UNFINISHED)
    return PreviousRun(results["args"]["which"], frozenset(unfinished))


def selected_nodes(project: SimulatedProject, which: str, options: argparse.Namespace) -> frozenset[str]:
    """Return the nodes that a command selects."""
    chosen = project.select(options.select, options.exclude)
    return frozenset(key for key in chosen if project.nodes[key].resource_type in RUNS[which])
