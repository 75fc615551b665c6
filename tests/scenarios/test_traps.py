"""The traps of ``dbt retry``, on real dbt of both engines: green over undone work, or red for ever (P6).

Each test falls into a trap on purpose. A person presses *Rerun from failure*, and what comes of it shows that the
trap is real; then the task looks at what was left, and is green only when the work is done.
"""

from __future__ import annotations

import logging
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import (
    Category,
    DbtCloudJobOperator,
    DbtCloudRerunHook,
    DbtCloudRerunOperator,
    DbtRunFailed,
    RerunAction,
    RerunPolicy,
    RerunRule,
    every,
)
from airflow_dbt_rerun.audit import Finding, audit
from tests.border import TaskInstance, run_task
from tests.engines import platform_options, running_dbt
from tests.support import EXAMPLE_PROJECT, Json, LocalPlatform, local_platform

pytestmark = pytest.mark.dbt

TINY_PROJECT = Path(__file__).parents[1] / "data" / "tiny_project"
GOOD_PRICES = "price\n3\n4\n"
RESET = {"times": 1, "message": "Connection reset by peer"}
WHATEVER_IT_WAS = RerunPolicy(rules=[RerunRule(lambda _: True)], wait=wait_fixed(0))
HOOK = """
on-run-end:
  - "copy (select 1) to 'STATE/hooked.{{ invocation_id }}' (format csv)"
  - "copy (select error('Connection reset by peer') where (select count(*) from glob('STATE/hooked.*')) < 2)
    to 'STATE/passed' (format csv)"
""".replace("STATE", "{{ env_var('DBT_LOCAL_STATE') }}")
"""The first command with this hook fails; the next passes."""


@pytest.fixture(scope="module")
def tiny_platform(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """One platform for all tests here, with a project of three models; its job keeps what dbt has parsed."""
    folder = tmp_path_factory.mktemp("traps")
    lay_out(folder / "project")
    with local_platform(folder, *platform_options(engine), jobs={"tiny": "dbt build"}) as platform:
        yield platform


def lay_out(project: Path) -> None:
    """Put the project there as it should be."""
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(TINY_PROJECT, project)
    shutil.copytree(EXAMPLE_PROJECT / "macros", project / "macros")
    shutil.copy(EXAMPLE_PROJECT / "profiles.yml", project)


@pytest.fixture
def platform(
    tiny_platform: LocalPlatform,
    monkeypatch: pytest.MonkeyPatch,
    test_mode: None,  # noqa: ARG001
) -> Iterator[LocalPlatform]:
    """The platform as it was before any test, and a connection to it."""
    tiny_platform.connect(monkeypatch)
    (tiny_platform.state / "prices.csv").write_text(GOOD_PRICES)
    before = tiny_platform.control("GET", "behaviour")
    tiny_platform.control("DELETE", "requests")
    yield tiny_platform
    tiny_platform.control("DELETE", "faults")
    tiny_platform.behave(**before)
    tiny_platform.trouble()
    lay_out(tiny_platform.project)


@dataclass
class Nightly:
    """One task that runs some commands on the platform."""

    platform: LocalPlatform
    commands: tuple[str, ...]
    instance: TaskInstance = field(default_factory=TaskInstance)

    def fail(self) -> Json:
        """Run the commands; the task only reports the failure."""
        with pytest.raises(DbtRunFailed):
            self.heal(None)
        failed: Json = self.platform.get(f"runs/{self.instance.xcom('job_run_id')}/")
        return failed

    def heal(self, policy: RerunPolicy | None = WHATEVER_IT_WAS, **arguments: Any) -> list[dict[str, Any]]:
        """Run the task, or try it again after it failed, and give the report's attempts."""
        operator = DbtCloudJobOperator(
            task_id="t",
            job_id=self.platform.jobs["tiny"],
            steps_override=list(self.commands),
            policy=policy,
            check_interval=0.05,
            **arguments,
        )
        run_task(operator, self.instance)
        client, first = DbtCloudRerunHook().client, self.attempts[0]["run_id"]
        found = audit(client, self.instance.xcom("job_run_id"), of_run=first)
        sure = self.instance.xcom("dbt_rerun_report")["verified"] != "not verifiable"
        assert found.finding is (Finding.DONE if sure else Finding.NOT_VERIFIABLE), found.to_dict()
        return self.attempts

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """What the report says of each attempt."""
        attempts: list[dict[str, Any]] = self.instance.xcom("dbt_rerun_report")["attempts"]
        return attempts

    def results(self) -> dict[str, str]:
        """Give the node results of the newest run's last step."""
        return self.platform.results({"id": self.instance.xcom("job_run_id")})

    def plan(self, failed: Json) -> tuple[str, str]:
        """Ask which kind of rerun would be chosen for a run, and why not the one from failure."""
        asks = DbtCloudRerunOperator(task_id="plan", run_id=failed["id"], dry_run=True)
        plan: Any = asks.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
        return plan["action"], plan["why_not_wanted"] or ""


@pytest.fixture
def nightly(request: pytest.FixtureRequest, platform: LocalPlatform) -> Callable[..., Nightly]:
    """Return the task of a test, with separate work."""
    return lambda *commands: Nightly(platform, commands, TaskInstance(run_id=request.node.name))


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Give what was logged: Airflow 2 goes through the standard library, Airflow 3 prints."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text + capsys.readouterr().out


Make = Callable[..., Nightly]
Logged = Callable[[], str]


def kinds(attempts: list[dict[str, Any]]) -> list[str]:
    """Name the attempts' kinds."""
    return [attempt["kind"] for attempt in attempts]


class Retry(Enum):
    """What comes of a person's retry, once what was wrong is mended."""

    HOLLOW = "green, and work is undone or may be"
    FAILED = "red, and so is each further one"
    DONE = "green, and all is done"


@dataclass(frozen=True)
class Trap:
    """What a retry does on each engine, and why v2 differs."""

    core: Retry
    v2: Retry
    why: str = ""

    def on(self, engine: str) -> Retry:
        """Return what is expected."""
        return self.core if engine == "core" else self.v2


TRAPS = {
    "stale results": Trap(Retry.HOLLOW, Retry.FAILED, "v2 fails a retry that finds nothing to do"),
    "interrupted": Trap(
        Retry.HOLLOW, Retry.HOLLOW, "v2 reruns all that it records; that this is all is not proven"
    ),
    "hook": Trap(
        Retry.HOLLOW,
        Retry.DONE,
        "v2 records all nodes as failed, and runs the hook again; from preview.205 on as core",
    ),
    "warn-error": Trap(Retry.HOLLOW, Retry.HOLLOW),
    "no-op": Trap(Retry.FAILED, Retry.FAILED),
    "renamed": Trap(Retry.FAILED, Retry.HOLLOW, "v2 leaves out a node that it does not know, without a word"),
}


def outcome(retried: Json) -> Retry:
    """Return what came of the platform's own retry, by the auditor."""
    if retried["status"] != 10:
        return Retry.FAILED
    found = audit(DbtCloudRerunHook().client, retried["id"]).finding
    return Retry.DONE if found is Finding.DONE else Retry.HOLLOW


def hollow_and_healed(attempts: list[dict[str, Any]]) -> bool:
    """Whether the person's rerun was seen to be hollow, and its command run once as a whole."""
    return (
        kinds(attempts) == ["trigger", "rerun_from_failure", "rerun_from_step"]
        and attempts[1]["status"] == "Success"
        and attempts[1]["verification"].startswith("hollow")
        and attempts[2]["verification"].startswith("verified")
    )


def healed_after(retry: Retry, attempts: list[dict[str, Any]]) -> bool:
    """Whether the task made good what the person's retry left, and no more than that."""
    if retry is Retry.HOLLOW:
        return hollow_and_healed(attempts)
    if retry is Retry.DONE:
        return kinds(attempts) == ["trigger", "rerun_from_failure"]
    return (
        kinds(attempts) == ["trigger", "rerun_from_failure", "rerun_from_step"]
        and "dbt itself could not resume the run" in attempts[1]["decision"]
    )


# --- The eight traps


def test_stale_results(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """A command that died early can show the results of the one before it: a retry has nothing to do."""
    platform.behave(results_outlive_steps=True)
    task = nightly("dbt run --select rates", "dbt run --select prices --target late")
    failed = task.fail()
    assert failed["can_retry"]
    assert task.plan(failed)[0] == "rerun_from_step"
    add_the_target(platform.project)
    expected = TRAPS["stale results"].on(engine)
    assert outcome(platform.retry(failed)) is expected
    assert healed_after(expected, task.heal())
    assert task.results() == {"prices": "success"}


def add_the_target(project: Path) -> None:
    """Add the output that the profile lacks: what was wrong with ``--target late`` is mended."""
    profiles = project / "profiles.yml"
    profiles.write_text(
        profiles.read_text().replace("    duckdb:\n", "    late: &late\n", 1) + "    duckdb: *late\n"
    )


def test_interrupted_run(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """dbt-core leaves only what was done on record: a retry has nothing to do."""
    platform.trouble({"node": "revenue", "times": 1, "seconds": 5})
    interrupt_when_troubled(platform, "revenue")
    task = nightly("dbt run --select prices revenue")
    failed = task.fail()
    placeholders = {"prices": "error", "revenue": "error"}
    assert task.results() == ({"prices": "success"} if engine == "core" else placeholders)
    assert task.plan(failed)[0] == "rerun_from_step"
    expected = TRAPS["interrupted"].on(engine)
    assert outcome(platform.retry(failed)) is expected
    assert healed_after(expected, task.heal())
    assert task.results() == {"prices": "success", "revenue": "success"}


def test_run_that_was_interrupted_after_a_failure(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """A retry of dbt-core heals the failed node and leaves out what had not begun, which is on no record at all."""
    platform.trouble({"node": "prices", **RESET}, {"node": "rates", "times": 1, "seconds": 5})
    interrupt_when_troubled(platform, "rates")
    task = nightly("dbt run")
    failed = task.fail()
    if engine == "v2":  # its nodes run side by side: chance decides whether the failure is printed or cancelled
        assert task.results() == dict.fromkeys(["prices", "rates", "revenue"], "error")
        platform.retry(failed)
        assert kinds(task.heal())[:2] == ["trigger", "rerun_from_failure"]
        assert {"prices", "rates", "revenue"} <= task.results().keys()
        return
    assert task.results() == {"prices": "error"}
    why = "dbt was interrupted, so its unfinished nodes are not all recorded"
    assert task.plan(failed) == ("rerun_from_step", why)
    retried = platform.retry(failed)
    assert platform.results(retried) == {"prices": "success"}
    assert outcome(retried) is Retry.HOLLOW
    assert hollow_and_healed(task.heal())
    assert set(task.results()) == {"prices", "rates", "revenue"}


def interrupt_when_troubled(platform: LocalPlatform, node: str) -> None:
    """Send dbt what a container that is stopped sends it, as soon as a node hangs."""

    def interrupt() -> None:
        platform.until_troubled(node)
        running_dbt(platform.process.pid).send_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()


def test_hook_that_failed(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """A retry of dbt-core has nothing to do where only a hook failed: the hook does not run again."""
    with (platform.project / "dbt_project.yml").open("a") as file:
        file.write(HOOK)
    task = nightly("dbt run --select rates")
    failed = task.fail()
    assert task.plan(failed) == ("rerun_from_step", "only a hook failed, and dbt retry does not rerun hooks")
    expected = TRAPS["hook"].on(engine)
    assert outcome(platform.retry(failed)) is expected
    assert healed_after(expected, task.heal())
    assert task.attempts[0]["findings"][0]["resource_type"] == "operation"
    assert set(task.results().values()) == {"success"}
    assert ("tiny-on-run-end-1" in task.results()) is (engine == "core")  # v2 records no hook


ALL_WARNINGS = {"core": "--warn-error", "v2": """--warn-error-options '{"error": "all"}'"""}
"""What makes a test that warns an error: v2 ignores ``--warn-error`` for tests."""


def test_warn_error_that_is_forgotten(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """A retry takes a warning for a warning again, though the command counts it as an error."""
    platform.trouble({"node": "no_price_is_zero", "times": 2, "failures": 3})
    task = nightly(f"dbt {ALL_WARNINGS[engine]} build --select prices --exclude no_price_is_missing")
    failed = task.fail()
    kind, why_not = task.plan(failed)
    assert kind == "rerun_from_step"
    assert "--warn-error" in why_not
    expected = TRAPS["warn-error"].on(engine)
    retried = platform.retry(failed)
    assert platform.results(retried) == {"no_price_is_zero": "warn"}
    assert outcome(retried) is expected
    assert healed_after(expected, task.heal())
    assert "only warned" in task.attempts[1]["verification"]
    assert task.results() == {"prices": "success", "no_price_is_zero": "pass"}


NOTHING_TO_RETRY = {"core": "Could not find previous run", "v2": "nothing to retry"}


def test_retry_after_a_no_op(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """From results without a node every retry fails, whatever was mended meanwhile."""
    platform.behave(results_outlive_steps=True)
    task = nightly("dbt run --select no_such_model", "dbt run --select prices --target late")
    failed = task.fail()
    assert task.plan(failed)[0] == "rerun_from_step"
    add_the_target(platform.project)
    expected = TRAPS["no-op"].on(engine)
    retried = platform.retry(failed)
    assert outcome(retried) is expected
    assert NOTHING_TO_RETRY[engine] in platform.steps(retried)[-1]["logs"]
    assert healed_after(expected, task.heal())
    assert task.results() == {"prices": "success"}


def test_node_that_was_renamed(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """A retry uses the node's old name; the command as a whole uses the new one."""
    platform.trouble({"node": "revenue", **RESET})
    task = nightly("dbt run --select prices+")
    failed = task.fail()
    models = platform.project / "models"
    (models / "revenue.sql").rename(models / "earnings.sql")
    expected = TRAPS["renamed"].on(engine)
    assert outcome(platform.retry(failed)) is expected
    attempts = task.heal()
    assert healed_after(expected, attempts)
    assert "1 are no longer in the project: model.tiny.revenue" in attempts[2]["verification"]
    assert task.results() == {"prices": "success", "earnings": "success"}


def test_partial_results(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """A retry's results name only what it ran: the chain's are put together, and nothing runs twice for that."""
    platform.trouble({"node": "prices", **RESET}, {"node": "revenue", **RESET})
    task = nightly("dbt run")
    attempts = task.heal()
    assert kinds(attempts) == ["trigger", "rerun_from_failure", "rerun_from_failure"]
    assert task.results() == {"revenue": "success"}
    assert attempts[2]["verification"].startswith(
        "verified: the one node that had failed or been skipped is done now"
    )
    assert attempts[2]["nodes_saved"] == (2 if engine == "core" else 4)  # v2 also runs the tests of a node


def test_tests_without_their_model(nightly: Make, platform: LocalPlatform) -> None:
    """A retry runs a failed test on the same data: to heal, the node that it checks has to be rebuilt."""
    prices = platform.state / "prices.csv"
    prices.write_text("price,of\n3,tea\n,cake\n")
    task = nightly("dbt build --exclude rates no_price_is_zero")
    failed = task.fail()
    prices.write_text(GOOD_PRICES)
    retried = platform.retry(failed)
    assert retried["status"] == 20
    assert platform.results(retried) == {"no_price_is_missing": "fail", "revenue": "skipped"}
    rebuild = RerunRule(every(Category.TEST_FAILED), RerunAction.REBUILD_TESTED)
    attempts = task.heal(RerunPolicy(rules=[rebuild], wait=wait_fixed(0)))
    assert kinds(attempts) == ["trigger", "rerun_from_failure", "rebuild_tested"]
    assert attempts[2]["verification"].startswith(
        "verified: all 2 nodes that had failed or been skipped are done now"
    )
    assert task.results() == {"prices": "success", "no_price_is_missing": "pass", "revenue": "success"}


# --- Retries of dbt v2


def test_retry_that_runs_everything(nightly: Make, platform: LocalPlatform, logged: Logged) -> None:
    """A retry that reruns nodes that had succeeded has healed; log and report mention it."""
    platform.behave(retry_runs="everything")
    platform.trouble({"node": "revenue", **RESET})
    attempts = nightly("dbt run --select prices revenue").heal()
    assert kinds(attempts) == ["trigger", "rerun_from_failure"]
    assert attempts[1]["verification"].endswith("1 that were already done ran again")
    assert f"Run {attempts[1]['run_id']} is {attempts[1]['verification']}" in logged()


def test_retry_that_runs_nothing(nightly: Make, platform: LocalPlatform, logged: Logged) -> None:
    """A retry that succeeds without running a node is hollow, and the failed command runs once as a whole."""
    platform.behave(retry_runs="nothing")
    platform.trouble({"node": "prices", **RESET})
    task = nightly("dbt run --select prices")
    assert hollow_and_healed(task.heal())
    left = "1 node that had failed or been skipped is still not done: model.tiny.prices"
    assert f"hollow: dbt reports success, but {left}" in logged()
    assert task.results() == {"prices": "success"}


# --- Nothing to verify by


def test_results_that_cannot_be_had(nightly: Make, platform: LocalPlatform) -> None:
    """Without the rerun's node results dbt's own word counts, and the report says that nothing was verified."""

    def hide_results(context: Any) -> None:
        path = f"/runs/{context['dbt_rerun']['run_id']}/artifacts/"
        platform.fault("status", path=path, status=404, count=-1)

    platform.trouble({"node": "prices", **RESET})
    attempts = nightly("dbt run --select prices").heal(on_rerun=hide_results)
    assert kinds(attempts) == ["trigger", "rerun_from_failure"]
    assert attempts[1]["verification"].startswith("not verifiable")
