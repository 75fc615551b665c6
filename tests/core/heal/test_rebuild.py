"""The command that rebuilds the nodes that failed tests check."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.dbt.commands import build_instead, warns_as_errors
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.results import NodeResult
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Fail, Rerun
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.rebuild import LONGEST_COMMAND, rebuild
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from tests.core.builders import node, results, run

TEST, SOURCE_TEST = "test.shop.unique_orders.1a2b", "test.shop.fresh.3c4d"
ORDERS, REPORT = "model.shop.orders", "model.shop.report"
MANIFEST = {
    "nodes": {
        TEST: {"fqn": ["shop", "marts", "unique_orders"], "depends_on": {"nodes": [ORDERS]}},
        SOURCE_TEST: {"fqn": ["shop", "fresh"], "depends_on": {"nodes": ["source.shop.raw.events"]}},
        ORDERS: {"fqn": ["shop", "marts", "orders"]},
        REPORT: {"fqn": ["shop", "marts", "report"]},
    }
}
FACTS = ManifestFacts.from_artifact(MANIFEST)


def failure(*nodes: NodeResult) -> Diagnosis:
    """Why a run failed that left these nodes behind."""
    return diagnose(run(), results(*nodes))


FAILED_TEST = failure(node(TEST, "fail"), node(REPORT, "skipped"))


def test_tested_nodes_tests_and_skipped_nodes_are_built() -> None:
    """Fully qualified; what chose nodes before is gone, all else of the command stays."""
    command = "dbt test --select tag:daily tag:hourly --exclude old --vars '{a: 1}' --target prod --full-refresh"
    made = rebuild(command, FAILED_TEST, FACTS)
    assert made.command == (
        "dbt build --exclude old --vars '{a: 1}' --target prod --full-refresh "
        "--select fqn:shop.marts.orders fqn:shop.marts.unique_orders fqn:shop.marts.report"
    )


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("dbt --target test build -s a", "dbt --target test build --select x"),
        ("dbt build --selector=nightly --resource-type test", "dbt build --select x"),
        ("dbt --warn-error build --models a b --threads 4", "dbt --warn-error build --threads 4 --select x"),
    ],
)
def test_same_command_for_other_nodes(command: str, made: str) -> None:
    """Options that select nodes are removed with their values; a value that resembles a command is not one."""
    assert build_instead(command, ["x"]) == made


def test_warnings_as_errors() -> None:
    """Both spellings, wherever they stand."""
    assert warns_as_errors("dbt --warn-error build")
    assert warns_as_errors("dbt build --warn-error-options '{include: all}'")
    assert not warns_as_errors("dbt build --select warn-error")


@pytest.mark.parametrize(
    ("diagnosis", "facts", "why", "hopeless"),
    [
        (FAILED_TEST, None, "manifest.json could not be read", False),
        (failure(node(SOURCE_TEST, "fail")), FACTS, "check nothing that dbt builds", True),
        (
            failure(node("test.shop.new.9f", "fail"), node(ORDERS)),
            FACTS,
            "does not contain test.shop.new.9f",
            False,
        ),
    ],
)
def test_where_nothing_can_be_rebuilt(
    diagnosis: Diagnosis, facts: ManifestFacts | None, why: str, *, hopeless: bool
) -> None:
    """Each case states why, and whether another kind of rerun may help."""
    made = rebuild("dbt build", diagnosis, facts)
    assert made.command is None
    assert why in (made.why_not or "")
    assert made.hopeless is hopeless


def test_too_many_nodes_are_not_named() -> None:
    """A command of any length would be refused somewhere on its way."""
    many = [node(f"model.shop.{'m' * 60}{number}", "skipped") for number in range(LONGEST_COMMAND // 60)]
    facts = ManifestFacts(fqns={each.unique_id: each.unique_id for each in many}, tested={TEST: (ORDERS,)})
    facts = ManifestFacts(fqns={**facts.fqns, TEST: "t", ORDERS: "o"}, tested=facts.tested)
    assert "too many" in (rebuild("dbt build", failure(node(TEST, "fail"), *many), facts).why_not or "")


POLICY = RerunPolicy.from_dict(
    {"rules": [{"when": {"every": "test_failed"}, "action": "rebuild_tested"}], "wait": {"wait_fixed": 0}}
)


def test_rule_that_rebuilds() -> None:
    """``rebuild_tested`` runs the build and the commands after the failed one, and asks for the manifest."""
    assert POLICY.needs_manifest
    seen = RunSeen(run(), results(node(TEST, "fail"), node(REPORT, "skipped")), facts=FACTS)
    _, answer = next_step(RerunSession(0.0), seen, POLICY, 0.0)
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.REBUILD_TESTED
    assert answer.overrides["steps_override"] == [
        "dbt build --select fqn:shop.marts.orders fqn:shop.marts.unique_orders fqn:shop.marts.report",
        "dbt docs generate",
    ]


def test_rule_that_cannot_rebuild_takes_the_next_kind() -> None:
    """Without a manifest the fallback is taken; where no rerun could change the data, none is started."""
    _, answer = next_step(RerunSession(0.0), RunSeen(run(), results(node(TEST, "fail"))), POLICY, 0.0)
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_STEP
    hopeless = RunSeen(run(), results(node(SOURCE_TEST, "fail")), facts=FACTS)
    _, answer = next_step(RerunSession(0.0), hopeless, POLICY, 0.0)
    assert isinstance(answer, Fail)
    assert "check nothing that dbt builds" in answer.reason


def test_rule_that_rebuilds_takes_no_steps_of_its_own() -> None:
    """What it runs is its own business: refused while the DAG is parsed."""
    with pytest.raises(ValueError, match="steps_override"):
        RerunRule(lambda _: True, RerunAction.REBUILD_TESTED, overrides={"steps_override": ["dbt run"]})
