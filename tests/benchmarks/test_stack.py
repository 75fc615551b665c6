"""The benchmark of the whole stack counts rightly. Its figures are printed by ``make bench-stack``."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import _many_jobs, _services, stack
from tests.support import local_platform
from tests.system.airflow_stack import free_port

ENDINGS, POSTS = _many_jobs.intended(20)
AS_INTENDED = _many_jobs.Past(ENDINGS, POSTS, gets=440, connections=60, run_seconds=2_400.0, busiest=480)
GREEN = stack.Seen(states={"success": 20}, wall=90.0, most_tries=1, held=[2.0] * 44, cpu=66.0)

HELD = """
[info     ] Task execute_workload[0-a] received [celery.worker.strategy]
[info     ] Task execute_workload[0-a] succeeded in 0.5s: None [celery.app.trace]
[info     ] Workload finished [supervisor] duration=9.5 exit_code=0
[info     ] Task execute_workload[1-b] succeeded in 1.25s: None [celery.app.trace]
"""


def test_the_issue_asks_for_200_tasks_and_220_runs() -> None:
    """One in ten fails once: 200 POSTs of a run and 20 of a rerun, and no other."""
    endings, posts = _many_jobs.intended(200)
    assert posts == {"jobs/run": 200, "runs/retry": 20}
    assert (endings.count(("Success",)), endings.count(("Error", "Success"))) == (180, 20)


def test_what_only_tests_need_is_not_imported() -> None:
    """Its environment has Celery and the clients of servers, but neither pytest nor the official provider."""
    program = "import sys; sys.modules.update(dict.fromkeys(sys.argv[1:])); import benchmarks.stack"
    subprocess.run([sys.executable, "-c", program, "pytest", "airflow.providers.dbt"], check=True)


def test_each_task_has_its_own_duration_however_often_it_runs() -> None:
    """A failing job's two runs take together what its run would have taken; only the first one fails."""
    asked = list(_many_jobs.trouble(20))
    seconds = [
        sum(each["seconds"] for each in asked if each["node"] == _many_jobs.node_of(number)) for number in range(20)
    ]
    assert seconds == [_many_jobs.seconds_of(number, 20) for number in range(20)]
    assert sorted(seconds) == [60 + 6 * place for place in range(20)]
    failing = [each["node"] for each in asked if "message" in each]
    assert failing == [_many_jobs.node_of(5), _many_jobs.node_of(15)]


def test_worker_seconds_are_those_of_celery_tasks() -> None:
    """Each execution counts, with what Airflow does around the task."""
    assert stack.held_in(HELD) == [0.5, 1.25]


@pytest.mark.parametrize("how", ["raised unexpected: WorkerLostError('SIGKILL')", "rejected", "retry: Retry in 3s"])
def test_a_celery_task_that_breaks_is_not_passed_over(how: str) -> None:
    """Its seconds are not known, and the figures would be too good."""
    with pytest.raises(SystemExit, match=r"a Celery task failed: Task execute_workload.2-c"):
        stack.held_in(f"{HELD}[error    ] Task execute_workload[2-c] {how}\n")


def test_the_triggerers_watchdog_is_heard() -> None:
    """In Airflow's own words: a trigger that blocks would hold up all others."""
    words = (
        "[info] 9 triggers currently running\n"
        "[info] Triggerer's async thread was blocked for 1.25 seconds, exceeding the configured warning threshold\n"
    )
    assert stack.blocked_in(2 * words) == [1.25, 1.25]


def test_what_was_intended_passes() -> None:
    """All green at the first try."""
    stack.check(AS_INTENDED, GREEN, 20)


@pytest.mark.parametrize(
    ("past", "seen", "words"),
    [
        (AS_INTENDED, replace(GREEN, states={"success": 19, "failed": 1}), "not all green at once"),
        (AS_INTENDED, replace(GREEN, most_tries=2), "2 tries"),
        (replace(AS_INTENDED, posts={**POSTS, "jobs/run": 21}), GREEN, "'jobs/run': 21"),
        (replace(AS_INTENDED, posts={**POSTS, "runs/cancel": 1}), GREEN, "'runs/cancel': 1"),
        (replace(AS_INTENDED, endings=(("Success",) * 2, *ENDINGS[1:])), GREEN, "0: .'Success', 'Success'"),
        (replace(AS_INTENDED, endings=ENDINGS[:-1]), GREEN, "otherwise than intended"),
    ],
    ids=["red", "tried twice", "one run more", "a cancel", "run twice", "lost"],
)
def test_anything_else_has_no_figures(past: _many_jobs.Past, seen: stack.Seen, words: str) -> None:
    """A duplicate, a lost run or a second try is a finding, not a figure."""
    with pytest.raises(SystemExit, match=words):
        stack.check(past, seen, 20)


def test_a_green_job_that_should_have_failed_has_no_figures() -> None:
    """Reruns are counted job by job: one here does not make up for one there."""
    moved = (ENDINGS[5], *ENDINGS[1:5], ENDINGS[0], *ENDINGS[6:])
    with pytest.raises(SystemExit, match=r"0: .'Error', 'Success'"):
        stack.check(replace(AS_INTENDED, endings=moved), GREEN, 20)


def test_the_past_is_the_platforms(tmp_path: Path) -> None:
    """Runs job by job in their order, what was posted, asked and over how many connections, and dbt's seconds."""
    nodes = [_many_jobs.node_of(number) for number in range(2)]
    _many_jobs.write_project(tmp_path / "project", tasks=2)
    with local_platform(tmp_path, "--simulate", jobs={node: f"dbt run --select {node}" for node in nodes}) as dbt:
        steady, failing = nodes
        once = {"node": failing, "times": 1, "message": _many_jobs.MESSAGE, "seconds": 0.5}
        dbt.trouble(once, {"node": failing, "times": -1, "seconds": 1.0})
        dbt.retry(dbt.run(failing))
        dbt.session.close()
        dbt.run(steady)
        asked = len(dbt.paths())
        found = _many_jobs.past(dbt)
        assert [run["id"] for run in _many_jobs.all_runs(dbt, page=2)] == [
            run["id"] for run in dbt.get("runs/", order_by="id")
        ]
    assert found.endings == (("Success",), ("Error", "Success"))
    assert found.posts == {"jobs/run": 2, "runs/retry": 1}
    assert (found.runs, found.gets, found.connections) == (3, asked, 2)
    assert 0 < found.busiest <= found.gets + 3
    assert 1.5 <= found.run_seconds < 15, "a busy machine takes longer"


def test_a_triggerer_weighs_what_its_children_weigh() -> None:
    """Its triggers run in a child, and so does its memory."""
    alone, _ = stack.weight(os.getpid(), None)
    command = [sys.executable, "-c", "x = b'x' * 50_000_000; print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        together, _ = stack.weight(os.getpid(), None)
        child.communicate(b"\n")
    assert together - alone > 50_000_000


def test_what_tasks_computed_counts_for_their_worker() -> None:
    """A worker starts a process for each task, which is gone when it is asked for."""
    before = stack.cpu_seconds(os.getpid())
    busy = "import time; [None for _ in iter(lambda: time.process_time() < 0.5, False)]"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert stack.cpu_seconds(os.getpid()) - before > 0.4


def test_connections_to_the_platform_are_counted() -> None:
    """Those of the process to that port, and no others."""
    with ExitStack() as sockets:
        here, elsewhere = (sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        for server in (here, here, elsewhere):
            sockets.enter_context(socket.create_connection(server.getsockname()))
        _, connections = stack.weight(os.getpid(), here.getsockname()[1])
    assert connections == 2


def test_both_ways_stand_side_by_side() -> None:
    """A blocking task would hold its slot as long as dbt runs; a triggerer's death has a line of its own."""
    killed = replace(GREEN, taken_over=(7, 31.6))
    lines = list(stack.table({"undisturbed": (AS_INTENDED, GREEN), "one-killed": (AS_INTENDED, killed)}))
    cells = {line[:48].strip(): line[48:].split() for line in lines[3:]}
    assert cells["dbt runs"] == ["22", "22"]
    assert cells["worker seconds: a Celery slot was held"] == ["88", "88"]
    assert cells["CPU seconds of the workers, each time"] == ["1.50", "1.50"]
    assert cells["ratio of the two"] == ["1/27", "1/27"]
    assert cells["GETs per dbt run"] == ["20.0", "20.0"]
    assert cells["requests in a minute, most (dbt allows 5,000)"] == ["480", "480"]
    assert cells["taken over: runs, within seconds"] == ["-", "7,", "32"]


def test_a_machine_without_the_services_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends before it starts anything."""
    monkeypatch.setattr(_services, "MODULES", ("nowhere.at.all",))
    stack.main()
    assert "the group `bench`" in capsys.readouterr().out
    monkeypatch.setattr(_services, "MODULES", ())
    monkeypatch.setattr(_services, "POSTGRES", free_port())
    stack.main()
    assert "not run: there is no PostgreSQL server" in capsys.readouterr().out


def test_the_dag_has_a_deferrable_task_for_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mapped over the jobs, healed by the default policy, and without a retry that could hide a loss."""
    monkeypatch.setenv("JOB_IDS", "[7, 8, 9]")
    dag = importlib.import_module("benchmarks.stack_dags.many").dag
    [task] = dag.tasks
    assert dag.dag_id == stack.DAG_ID
    assert task.expand_input.value == {"job_id": [7, 8, 9]}
    assert task.partial_kwargs["deferrable"] is True
    assert (task.retries, task.partial_kwargs.get("policy")) == (0, None)
