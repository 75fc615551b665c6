"""The options that ``diagnose`` and ``explain-policy`` share, and how to read them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from airflow_dbt_rerun.cli.cases import Case, Opinion, UnreadableError
from airflow_dbt_rerun.cli.files import paired, read_case, read_facts, read_text
from airflow_dbt_rerun.cli.judging import judge
from airflow_dbt_rerun.cli.run_target import is_run, run_target
from airflow_dbt_rerun.config.documents import read_policy, read_signatures
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature

if TYPE_CHECKING:
    from airflow_dbt_rerun.cli.runs import RunSource

DEFAULT_CONNECTION = "dbt_cloud_default"
DEFAULT_POLICY = "default"

T = TypeVar("T")


def add_target_options(parser: argparse.ArgumentParser, *, targets: str) -> None:
    """Add the targets, the options that say how to read them, and those for what a policy would do about them.

    :param targets: how many targets are allowed: argparse's ``nargs``.
    """
    add_reading_options(parser, targets=targets)
    add = parser.add_argument
    add(
        "--attempt",
        type=positive,
        default=1,
        metavar="N",
        help="decide as if this were the n-th attempt (default: 1)",
    )
    add("--json", action="store_true", help="print one JSON document for machines")


def add_reading_options(parser: argparse.ArgumentParser, *, targets: str) -> None:
    """Add the targets and the options that say how to read them."""
    add = parser.add_argument
    add(
        "targets",
        nargs=targets,
        metavar="TARGET",
        help="the id or address of a dbt run, run_results.json, sources.json, a log of dbt, a target folder, "
        "or - for standard input",
    )
    add_connection_options(parser)
    add(
        "--adapter",
        metavar="NAME",
        help="the warehouse, if neither file nor manifest names it: snowflake, bigquery, ...",
    )
    add(
        "--manifest",
        metavar="FILE",
        help="the project's manifest.json, for the adapter and each node's file and tags",
    )
    add(
        "--signatures",
        metavar="FILE",
        help="your own error signatures (YAML or JSON), tried before the built-in ones",
    )


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where to find run ids."""
    add = parser.add_argument
    add(
        "--conn-id",
        default=DEFAULT_CONNECTION,
        metavar="ID",
        help="for runs: the Airflow connection (default: %(default)s)",
    )
    add(
        "--account-id",
        type=positive,
        metavar="N",
        help="for runs: the account, if it differs from the connection's",
    )
    add("--verbose", "-v", action="store_true", help="show the requests to dbt on standard error")


def positive(text: str) -> int:
    """Read a number above zero, for argparse."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above zero")
    return int(text)


def policy_of(given: str | None) -> RerunPolicy:
    """Read a policy file; None and ``default`` mean the default policy.

    :raises UnreadableError: naming the file, and the line or field that is wrong.
    """
    if given in (None, DEFAULT_POLICY):
        return RerunPolicy()
    return parsed(read_policy, given)


def opinions(options: argparse.Namespace, policy: RerunPolicy) -> Iterator[Opinion | None]:
    """Judge the targets one by one; yield None for an unreadable one, which is reported on standard error.

    :raises UnreadableError: if a file named by an option cannot be read.
    """
    reader = _Reader(options, policy)
    for target, log in paired(options.targets):
        try:
            case, signatures = reader.read(target, log)
        except UnreadableError as error:
            complain(options, str(error))
            yield None
        else:
            yield judge(case, policy, attempt=options.attempt, signatures=signatures)


def complain(options: argparse.Namespace, words: str) -> None:
    """Report an error on one line of standard error."""
    sys.stderr.write(f"airflow-dbt-rerun {options.command}: {words}\n")


def parsed(parse: Callable[[str, str], T], file: str) -> T:
    """Read a file and parse it.

    :raises UnreadableError: naming the file, and the line or field that is wrong.
    """
    try:
        return parse(read_text(file), file)
    except ValueError as error:
        raise UnreadableError(str(error)) from error


class _Reader:
    """Read targets: run ids, files and folders."""

    def __init__(self, options: argparse.Namespace, policy: RerunPolicy) -> None:
        self._options = options
        self._policy = policy
        self._facts = read_facts(options.manifest) if options.manifest else None
        self._signatures = parsed(read_signatures, options.signatures) if options.signatures else ()

    def read(self, target: str, log: str | None) -> tuple[Case, tuple[Signature, ...]]:
        """Read a target, with its signatures: those of the team apply to runs of the platform only."""
        if not is_run(target):
            case = self._completed(read_case(target, log))
            self._warn_without_facts(case)
            return case, self._signatures
        try:
            run = run_target(target)
        except argparse.ArgumentTypeError as error:
            raise UnreadableError(str(error)) from None
        case = self._platform.read_case(run)
        return self._completed(case), (*self._signatures, *self._platform.signatures())

    def _warn_without_facts(self, case: Case) -> None:
        """Warn if a rule cannot match because the manifest is missing."""
        if self._policy.needs_manifest and not (case.seen.facts and case.seen.facts.paths):
            complain(
                self._options, f"{case.source}: the policy needs tags or paths: give the manifest with --manifest"
            )

    @cached_property
    def _platform(self) -> RunSource:
        from airflow_dbt_rerun.cli.runs import RunSource  # noqa: PLC0415 - imports Airflow: a second or two

        needs_manifest = self._facts is None and self._policy.needs_manifest
        return RunSource(self._options.conn_id, self._options.account_id, with_manifest=needs_manifest)

    def _completed(self, case: Case) -> Case:
        """Add the facts from the command line to those in the evidence."""
        seen = replace(case.seen, facts=self._facts or case.seen.facts)
        if self._options.adapter:
            adapter = self._options.adapter.lower()
            results = tuple(replace(each, adapter=adapter) for each in seen.results)
            seen = replace(seen, results=results, facts=replace(seen.facts or ManifestFacts(), adapter=adapter))
        return replace(case, seen=seen)
