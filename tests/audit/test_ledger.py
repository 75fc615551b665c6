"""The auditor's books: what settles a command, and what never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_dbt_rerun.audit.ledger import Audit, Finding, Ledger
from airflow_dbt_rerun.audit.records import Record, StepRecord
from airflow_dbt_rerun.core.dbt.models import Run, RunStep, RunTrigger
from airflow_dbt_rerun.core.dbt.results import NodeResult

SEED, BUILD, DOCS = COMMANDS = ("dbt seed", "dbt build --select 'a b'", "dbt docs generate")
DONE, FAILED, CANCELLED = 10, 20, 30


def step(command: str, status: int = DONE, logs: str = "", **nodes: str) -> StepRecord:
    """Make a step with its node results; no keyword means no artifact."""
    results = {f"model.shop.{name}": NodeResult(f"model.shop.{name}", state) for name, state in nodes.items()}
    return StepRecord(RunStep(1, 4, f"Invoke dbt with `{command}`", status, logs), results or None)


def record(run_id: int, *steps: StepRecord, resumes: int | None = None, **overrides: Any) -> Record:
    """Make a run."""
    category = "api" if resumes is None else "rerun"
    run = Run(run_id, 7, DONE, retrying_run_id=resumes, trigger=RunTrigger("x", category, overrides))
    return Record(run, steps)


def audited(*records: Record) -> Audit:
    """Book runs and close the books."""
    ledger = Ledger(COMMANDS, records[0].place)
    for each in records:
        ledger.enter(each)
    return Audit(tuple(each.run.id for each in records), ledger.close(), ledger.doubt)


FAILS = record(1, step(SEED, raw="success"), step(BUILD, FAILED, a="error", b="skipped", c="success"))


def test_green_run_is_done() -> None:
    """Each command succeeded as a whole."""
    found = audited(record(1, step(SEED), step("dbt build --select  'a b'"), step(DOCS)))
    assert [each.finding for each in found.commands] == [Finding.DONE] * 3
    assert found.is_done


def test_failed_run_owes_its_nodes_and_the_commands_after_them() -> None:
    """What failed, what was skipped, and what never ran."""
    seed, build, docs = audited(FAILS).commands
    assert seed.finding is Finding.DONE
    assert build.evidence == "2 nodes left to do: model.shop.a, model.shop.b"
    assert (docs.finding, docs.evidence) == (Finding.NOT_DONE, "it has not run")


def test_resume_that_did_what_was_owed_is_done() -> None:
    """The resumed step by its nodes, the later command as a whole."""
    resumed = record(2, step("dbt retry", a="success", b="success"), step(DOCS), resumes=1)
    found = audited(FAILS, resumed)
    assert found.is_done
    assert found.commands[1].evidence == "run 2 did the 2 nodes that were left"


@pytest.mark.parametrize("nodes", [{"a": "success"}, {"z": "success"}, {"a": "success", "b": "skipped"}], ids=str)
def test_resume_that_is_green_over_undone_nodes_is_not_done(nodes: dict[str, Any]) -> None:
    """P6: dbt retry can be green and do nothing, or not all."""
    found = audited(FAILS, record(2, step("dbt retry", **nodes), step(DOCS), resumes=1))
    assert found.finding is Finding.NOT_DONE


@pytest.mark.parametrize(
    "failed",
    [
        step(BUILD, FAILED),
        step(BUILD, CANCELLED, a="success"),
        step(BUILD, FAILED, a="success", b="success"),
        step(BUILD, FAILED, "3 of 22 START sql table model a", a="error", b="skipped"),
        step(BUILD, FAILED, "Exited because of keyboard interrupt", a="error"),
    ],
    ids=["no artifact", "cancelled", "no failed node", "fewer nodes than dbt counts", "interrupted"],
)
def test_incomplete_record_is_settled_by_the_whole_command_only(failed: StepRecord) -> None:
    """What is not on record cannot be shown as done by a resume."""
    first = record(1, step(SEED), failed)
    nodes: dict[str, Any] = {"a": "success", "b": "success", "c": "success"}
    resumed = record(2, step("dbt retry", **nodes), step(DOCS), resumes=1)
    assert audited(first, resumed).finding is Finding.NOT_DONE
    assert audited(first, resumed, record(3, step(BUILD), step(DOCS))).is_done


def test_rerun_of_a_whole_command_that_fails_owes_its_nodes_only() -> None:
    """What an interrupted run had left undone was owed until the command ran again as a whole."""
    again = record(2, step(BUILD, FAILED, a="error", b="skipped", c="success"))
    resumed = record(3, step("dbt retry", a="success", b="success"), step(DOCS), resumes=2)
    assert audited(record(1, step(SEED), step(BUILD, FAILED)), again, resumed).is_done


def test_hook_is_not_settled_by_a_resume() -> None:
    """dbt retry does not run a failed hook again."""
    hook = {"operation.shop.end": NodeResult("operation.shop.end", "error")}
    first = record(1, step(SEED), StepRecord(step(BUILD, FAILED).step, hook))
    resumed = record(2, step("dbt retry", a="success"), step(DOCS), resumes=1)
    assert audited(first, resumed).finding is Finding.NOT_DONE


def test_resume_that_did_nothing_is_not_done() -> None:
    """An artifact without any node says that nothing was done."""
    nothing = StepRecord(step("dbt retry").step, {})
    assert audited(FAILS, record(2, nothing, step(DOCS), resumes=1)).finding is Finding.NOT_DONE


def test_resume_without_an_artifact_is_not_verifiable() -> None:
    """Where the record does not say what was done, the audit does not either."""
    found = audited(FAILS, record(2, step("dbt retry"), step(DOCS), resumes=1))
    assert found.finding is Finding.NOT_VERIFIABLE
    assert found.commands[1].evidence == "it was resumed, but there is no record of what the resumed command did"


def test_other_commands_settle_nothing() -> None:
    """The same command with other variables or nodes is other work."""
    found = audited(FAILS, record(2, step("dbt build --select 'a b' --vars '{x: 1}'"), step(DOCS)))
    assert found.finding is Finding.NOT_DONE


@pytest.mark.parametrize(
    "overrides", [{"schema_override": "client_b"}, {"target_name_override": "dev"}, {"git_branch": "x"}]
)
def test_run_in_another_place_settles_nothing(overrides: dict[str, Any]) -> None:
    """P11: another tenant's green is not this tenant's."""
    assert audited(FAILS, record(2, *map(step, COMMANDS), **overrides)).finding is Finding.NOT_DONE


def test_resume_that_does_not_show_its_overrides_is_not_verifiable() -> None:
    """Where it built is not on record."""
    fails = record(1, step(SEED), step(BUILD, FAILED, a="error"), schema_override="client_a")
    found = audited(fails, record(2, step("dbt retry", a="success"), step(DOCS), resumes=1))
    assert found.finding is Finding.NOT_VERIFIABLE
    assert "run 2" in str(found.problem)


def test_warning_is_no_success_where_warnings_are_errors() -> None:
    """dbt retry forgets --warn-error."""
    ledger = Ledger(["dbt --warn-error build"], {})
    ledger.enter(record(1, step("dbt --warn-error build", FAILED, t="error")))
    ledger.enter(record(2, step("dbt retry", t="warn"), resumes=1))
    assert ledger.close()[0].finding is Finding.NOT_DONE


def test_build_of_what_failed_tests_check_settles_nodes() -> None:
    """A rebuild names its nodes: those that were owed count."""
    rebuilt = record(2, step("dbt build --select a b", a="success", b="success"), step(DOCS))
    assert audited(FAILS, rebuilt).is_done


def test_green_step_with_a_failed_node_warns() -> None:
    """dbt counts the command as success; the audit says what a person should know."""
    found = audited(record(1, step(SEED), step(BUILD, a="error"), step(DOCS)))
    assert found.is_done
    assert found.commands[1].warnings == ("run 1 is green, but a failed",)


def test_newest_run_counts() -> None:
    """A command that failed again after it had succeeded is owed again."""
    again = record(2, step(SEED, FAILED), resumes=None)
    assert audited(record(1, *map(step, COMMANDS)), again).finding is Finding.NOT_DONE


def test_run_in_another_environment_settles_nothing() -> None:
    """The job was moved meanwhile: what it builds now is built elsewhere."""
    ledger = Ledger(COMMANDS, {}, (3, 1, "main"))
    ledger.enter(replace(FAILS, run=replace(FAILS.run, environment_id=3)))
    whole = record(2, step(SEED), step(BUILD), step(DOCS))
    ledger.enter(replace(whole, run=replace(whole.run, environment_id=4)))
    assert [each.finding for each in ledger.close()] == [Finding.DONE, Finding.NOT_DONE, Finding.NOT_DONE]
    ledger.enter(replace(whole, run=replace(whole.run, environment_id=3)))
    assert [each.finding for each in ledger.close()] == [Finding.DONE] * 3


def compiled(each: StepRecord) -> StepRecord:
    """Make a step one that only compiles its nodes."""
    return replace(each, nodes={name: replace(one, not_built=True) for name, one in (each.nodes or {}).items()})


def test_docs_are_no_payment() -> None:
    """P6: ``dbt docs generate`` records a success for what the resumed command has not built."""
    docs = compiled(step(DOCS, a="success", b="success", c="success"))
    found = audited(FAILS, record(2, step("dbt retry", c="success"), docs, resumes=1))
    assert found.finding is Finding.NOT_DONE
    assert found.commands[1].evidence == "2 nodes left to do: model.shop.a, model.shop.b"


def test_command_that_compiles_is_paid_by_compiling() -> None:
    """Docs that failed are made by a resume."""
    failing = compiled(step(DOCS, FAILED, a="error"))
    first = record(1, step(SEED), step(BUILD, a="success"), failing)
    resumed = record(2, compiled(step("dbt retry", a="success")), resumes=1)
    assert audited(first, resumed).is_done
