"""Whether a green rerun did the work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults
from airflow_dbt_rerun.core.heal.verify import Proof, verify
from tests.core.builders import node, results

A, B, C, TEST = "model.p.a", "model.p.b", "model.p.c", "test.p.t.1a2b"


def test_all_owed_nodes_done_is_healed() -> None:
    """P6: what had failed or been skipped is done now; nodes that were fine count as saved."""
    before = results(node(A, "success"), node(B), node(C, "skipped"), node(TEST, "fail"))
    seen = verify(before, results(node(B, "success"), node(C, "success"), node(TEST, "pass")))
    assert not seen.is_hollow
    assert (seen.nodes_run, seen.nodes_saved) == (3, 1)


def test_nothing_done_is_hollow() -> None:
    """P6: "Nothing to do" is green and did nothing."""
    seen = verify(results(node(A)), results(node(B, "success")))
    assert seen.is_hollow
    assert seen.missing == (A,)


def test_empty_results_are_hollow() -> None:
    """P6: a rerun whose artifact holds no results at all did not do the owed work."""
    assert verify(results(node(A)), results()).is_hollow


def test_statuses_are_an_allow_list() -> None:
    """P1: an unknown status is not a success; warn, no-op and reused are."""
    owed = results(node(A))
    assert verify(owed, results(node(A, "new status"))).is_hollow
    for fine in ("success", "pass", "warn", "no-op", "reused"):
        assert not verify(owed, results(node(A, fine))).is_hollow


def test_chain_is_merged() -> None:
    """A node healed by an earlier rerun is not owed any more: the newest word of the chain counts."""
    before = (*results(node(A), node(B)), *results(node(A, "success"), node(B)))
    assert not verify(before, results(node(B, "success"))).is_hollow


def test_missing_artifacts_are_told() -> None:
    """Without the artifacts of one side nothing is claimed."""
    for before, after in (((), results(node(A, "success"))), (results(node(A)), ())):
        seen = verify(before, after)
        assert not seen.checked
        assert not seen.is_hollow
        assert "not verifiable" in seen.summary


@pytest.mark.parametrize("nodes", [(), (node(A, "success"),)], ids=["no node", "no failed node"])
def test_nothing_owed_on_record_is_not_verified(nodes: tuple[NodeResult, ...]) -> None:
    """P6: a command failed, but its results name nothing that it left undone: "0 of 0 done" is no proof."""
    seen = verify(results(*nodes), results(node(B, "success")))
    assert seen.proof is Proof.NOT_VERIFIABLE
    assert "no node result names what the command left undone" in seen.summary


OWED = results(node("model.shop.orders"), node("model.shop.customers", "skipped"))
WHOLE = results(node("model.shop.payments", "success"))


@pytest.mark.parametrize(
    ("still_there", "proof", "words"),
    [
        (frozenset(), "verified", "2 are no longer in the project"),
        (frozenset({"model.shop.orders"}), "hollow", "the commands no longer select it"),
        (None, "not verifiable", "manifest.json cannot be read"),
    ],
)
def test_node_that_a_whole_command_left_out_is_gone_only_if_the_project_says_so(
    still_there: frozenset[str] | None, proof: str, words: str
) -> None:
    """P1: a node that was moved, or lost its tag: the command is green, and did not do it."""
    found = verify(OWED, WHOLE, whole_commands=True, still_there=still_there)
    assert (str(found.proof), words in found.summary) == (proof, True), found.summary


def compiled(*names: str) -> tuple[StepResults, ...]:
    """The results of ``dbt docs generate`` or ``dbt compile``, which build nothing."""
    return results(*(replace(node(name, "success"), not_built=True) for name in names), index=6)


@pytest.mark.parametrize("whole", [False, True])
def test_compiled_node_is_not_done(*, whole: bool) -> None:
    """P6: the retry had nothing to do, and the docs of the job name every model as a success."""
    owed, resumed = results(node(A), node(B, "skipped")), results()
    still_there = frozenset({A, B}) if whole else frozenset()
    seen = verify(owed, (*resumed, *compiled(A, B, C)), whole_commands=whole, still_there=still_there)
    assert seen.is_hollow
    assert seen.missing == (A, B)
    assert seen.nodes_run == 0


def test_compiling_does_not_undo() -> None:
    """A model that was built stays built if the docs after it cannot be made."""
    docs_failed = results(replace(node(A, "error"), not_built=True))
    seen = verify(results(node(A)), (*results(node(A, "success")), *docs_failed))
    assert seen.healed == (A,)


def test_failed_compilation_is_healed_by_another() -> None:
    """``dbt compile`` may be a command of the job; building the node settles it, too."""
    owed = results(replace(node(A), not_built=True))
    assert verify(owed, compiled(A)).proof is Proof.VERIFIED
    assert verify(owed, results(node(A, "success"))).proof is Proof.VERIFIED
    assert verify(owed, compiled(B)).is_hollow


def of_command(command: str, *nodes: NodeResult) -> tuple[StepResults, ...]:
    """The results of the step of a command."""
    return tuple(each.of_step(command) for each in results(*nodes))


OTHERS = frozenset({("dbt", "run", "--target", "staging"), ("dbt", "test")})


@pytest.mark.parametrize(
    ("later", "is_done"),
    [
        ("dbt run --target staging", False),
        ("dbt run --empty", False),
        ("dbt clone --target staging", False),
        ("dbt run", True),
        ("dbt retry", True),
        ("dbt build --select a", True),
    ],
)
def test_only_the_command_that_owes_a_node_does_it(later: str, *, is_done: bool) -> None:
    """P6: another command of the job builds the same node elsewhere or without data; an unknown one repairs it."""
    owed = of_command("dbt run", node(A))
    seen = verify(owed, (*of_command("dbt retry"), *of_command(later, node(A, "success"))), others=OTHERS)
    assert seen.proof is (Proof.VERIFIED if is_done else Proof.HOLLOW)


def test_command_that_failed_again_in_a_retry_is_the_same() -> None:
    """A retry stands for the command that it resumes, which owes the node."""
    owed = (*of_command("dbt run", node(A)), *of_command("dbt retry", node(A)))
    others = frozenset({("dbt", "run"), ("dbt", "test")})
    assert verify(owed, of_command("dbt run", node(A, "success")), others=others).proof is Proof.VERIFIED
    assert verify(owed, of_command("dbt test", node(A, "success")), others=others).is_hollow
