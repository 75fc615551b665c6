"""Commands run as the dbt executable would run them, apart from each other, and end when they should."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from airflow_dbt_rerun.local.dbt.runner import DbtNotFoundError, DbtRunner, DbtRunnerError, find_dbt
from tests.local.conftest import WithDbt
from tests.local.shop import Shop, until
from tests.support import GENEROUS


@asynccontextmanager
async def a_runner(dbt: Path | None = None) -> AsyncIterator[DbtRunner]:
    """A runner that is closed at the end, as every runner should be."""
    runner = DbtRunner(dbt or find_dbt())
    try:
        yield runner
    finally:
        await runner.close()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A project of its own for each test."""
    return Shop(tmp_path / "shop")


def descendants() -> set[psutil.Process]:
    """Every process that this one started, directly or not."""
    return set(psutil.Process().children(recursive=True))


# --- the same as the executable -----------------------------------------------------------------------------


@pytest.mark.dbt
@pytest.mark.parametrize(
    "args", [("--quiet", "ls", "--select", "orders+"), ("frobnicate",), ("build", "--no-such-option"), ("--help",)]
)
def test_exit_code_and_output_equal_those_of_the_executable(
    with_dbt: WithDbt, shop: Shop, args: tuple[str, ...]
) -> None:
    """Going through the fork server changes neither what dbt prints nor how it exits."""
    executed = subprocess.run(
        [find_dbt(), *args],
        cwd=shop.project,
        env=shop.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert with_dbt(lambda runner: shop.dbt(runner, *args)) == executed.returncode
    assert shop.text == executed.stdout


@pytest.mark.dbt
def test_exit_code_tells_success_from_a_failed_node_from_a_command_that_could_not_start(
    with_dbt: WithDbt, shop: Shop
) -> None:
    """0, 1 and 2 mean what they mean to dbt, one after the other on one fork server."""

    def code(*args: str) -> int:
        return with_dbt(lambda runner: shop.dbt(runner, *args))

    assert code("seed") == 0
    shop.trouble({"node": "stg_orders", "message": "Connection reset by peer"})
    assert code("run", "--select", "stg_orders") == 1
    (shop.project / "models" / "broken.sql").write_text("select * from {{ ref('nowhere') }}")
    assert code("run") == 2
    assert "Connection reset by peer" in shop.text
    assert "nowhere" in shop.text


@pytest.mark.dbt
def test_log_is_appended_to(with_dbt: WithDbt, shop: Shop) -> None:
    """What stood in the log before the command stays."""
    shop.log.write_text("before\n")
    assert with_dbt(lambda runner: shop.dbt(runner, "parse")) == 0
    assert shop.text.startswith("before\n")
    assert "Running with dbt" in shop.text


# --- apart from each other ----------------------------------------------------------------------------------


@pytest.mark.dbt
def test_commands_at_the_same_time_share_nothing(with_dbt: WithDbt, tmp_path: Path) -> None:
    """Two builds at once keep to their own directory, environment and log."""
    ill, well = Shop(tmp_path / "ill"), Shop(tmp_path / "well")
    ill.trouble({"node": "orders", "message": "only here"})

    async def both(runner: DbtRunner) -> list[int]:
        return list(await asyncio.gather(ill.dbt(runner, "build"), well.dbt(runner, "build")))

    assert with_dbt(both) == [1, 0]
    assert ("only here" in ill.text, "only here" in well.text) == (True, False)
    assert ill.warehouse.exists()
    assert well.warehouse.exists()


@pytest.mark.dbt
def test_a_command_does_not_change_the_dbt_of_the_next_one(with_dbt: WithDbt, shop: Shop) -> None:
    """``retry --warn-error`` makes dbt's process retry warnings from then on; the next command must not notice."""
    (shop.project / "tests" / "warns.sql").write_text("{{ config(severity='warn') }} select 1 as found")

    def code(*args: str) -> int:
        return with_dbt(lambda runner: shop.dbt(runner, *args))

    assert code("build") == 0
    assert code("--warn-error", "retry") == 1
    assert code("build", "--select", "warns") == 0
    assert code("retry") == 0
    assert shop.statuses() == {}, "the last retry had nothing to do"


# --- ending -------------------------------------------------------------------------------------------------


@pytest.mark.dbt
def test_cancelling_ends_dbt_by_sigint_and_leaves_no_process(shop: Shop) -> None:
    """A cancelled command is gone when the cancellation returns, and dbt could record what was finished."""
    shop.trouble({"node": "orders", "seconds": 600})

    async def story() -> list[set[psutil.Process]]:
        async with a_runner() as runner:
            await runner.start()
            before = descendants()
            building = asyncio.create_task(shop.dbt(runner, "build"))
            await shop.until_troubled("orders")
            during = descendants()
            building.cancel()
            with pytest.raises(asyncio.CancelledError):
                await building
            return [during - before, descendants() - before]

    while_running, afterwards = asyncio.run(story())
    assert while_running
    assert not afterwards
    assert shop.statuses()["stg_orders"] == "success"
    assert "orders" not in shop.statuses()


def has_ended(process: int) -> bool:
    """A process that its new parent has not yet reaped has ended as well."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    return True


def unruly_dbt(root: Path, cli: str) -> Path:
    """Install a dbt that does whatever it likes; returns its executable."""
    venv.create(root, symlinks=True)
    (packages,) = root.glob("lib/python*/site-packages")
    for package in ("dbt", "dbt/cli", "dbt/adapters", "dbt/task"):
        (packages / package).mkdir()
        (packages / package / "__init__.py").touch()
    (packages / "dbt" / "cli" / "main.py").write_text(f"import os, pathlib, signal, time\ndef cli():\n{cli}")
    (root / "bin" / "dbt").touch(mode=0o755)
    return root / "bin" / "dbt"


IGNORE_SIGNALS = """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path("process.part").write_text(str(os.getpid()))
    pathlib.Path("process.part").rename("process")
    time.sleep(600)
"""
LEAVE_A_CHILD_THAT_IGNORES_SIGNALS = f"""
    if os.fork() == 0:
        {IGNORE_SIGNALS.strip().replace("    ", "        ")}
    time.sleep(600)
"""


@pytest.mark.parametrize("cli", [IGNORE_SIGNALS, LEAVE_A_CHILD_THAT_IGNORES_SIGNALS])
@pytest.mark.parametrize("times", [1, 2])
def test_cancelling_ends_commands_that_do_not_listen(tmp_path: Path, cli: str, times: int) -> None:
    """SIGKILL follows in the end, also for children, and also if who cancelled is impatient and does it again."""
    process, log = tmp_path / "process", tmp_path / "log"

    async def story() -> None:
        async with a_runner(unruly_dbt(tmp_path / "venv", cli)) as runner:
            running = asyncio.create_task(runner.run([], cwd=tmp_path, env={}, log=log))
            await until(process.exists)
            for _ in range(times):
                running.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await running
            await until(lambda: has_ended(int(process.read_text())))

    asyncio.run(story())


@pytest.mark.dbt
def test_closing_ends_everything(shop: Shop) -> None:
    """No fork server and no dbt is left after ``close``, and who waited for a command is told."""
    shop.trouble({"node": "orders", "seconds": 600})
    before = descendants()

    async def story() -> None:
        async with a_runner() as runner:
            building = asyncio.create_task(shop.dbt(runner, "build"))
            await shop.until_troubled("orders")
        with pytest.raises(DbtRunnerError):
            await building

    asyncio.run(story())
    assert descendants() == before


@pytest.mark.dbt
def test_nothing_outlives_a_killed_parent(shop: Shop) -> None:
    """Even a parent that gets SIGKILL in the middle of a build takes dbt with it."""
    shop.trouble({"node": "orders", "seconds": 600})
    script = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from airflow_dbt_rerun.local.dbt.runner import DbtRunner\n"
        "dbt, cwd, log = map(Path, sys.argv[1:])\n"
        "asyncio.run(DbtRunner(dbt).run(['build'], cwd=cwd, env=os.environ, log=log))\n"
    )
    command: list[str | Path] = [sys.executable, "-c", script, find_dbt(), shop.project, shop.log]
    parent = subprocess.Popen(command, env=shop.env)
    asyncio.run(shop.until_troubled("orders"))
    family = psutil.Process(parent.pid).children(recursive=True)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(family, timeout=GENEROUS)
    assert len(family) >= 2, "a fork server and a dbt were running"
    assert alive == []


@pytest.mark.dbt
def test_a_killed_fork_server_takes_its_commands_along_and_is_replaced(shop: Shop) -> None:
    """The running command ends as lost, not as failed; the next command works."""
    shop.trouble({"node": "orders", "seconds": 600})

    before = descendants()

    async def story() -> int:
        async with a_runner() as runner:
            await runner.start()
            (server,) = descendants() - before
            building = asyncio.create_task(shop.dbt(runner, "build"))
            await shop.until_troubled("orders")
            family = server.children(recursive=True)
            server.send_signal(signal.SIGKILL)
            with pytest.raises(DbtRunnerError, match="fork server of dbt ended"):
                await building
            _, alive = psutil.wait_procs(family, timeout=GENEROUS)
            assert alive == []
            shop.trouble()
            return await shop.dbt(runner, "build")

    assert asyncio.run(story()) == 0


# --- what cannot work ---------------------------------------------------------------------------------------


@pytest.mark.dbt
def test_a_directory_that_is_not_there_is_an_error_of_the_runner_not_of_dbt(with_dbt: WithDbt, shop: Shop) -> None:
    """A command that never started has no exit code, and the next one is not disturbed."""

    async def story(runner: DbtRunner) -> int:
        with pytest.raises(DbtRunnerError, match="nowhere"):
            await runner.run(["build"], cwd=shop.project / "nowhere", env=shop.env, log=shop.log)
        return await shop.dbt(runner, "parse")

    assert with_dbt(story) == 0


def test_a_python_without_dbt_is_named(tmp_path: Path) -> None:
    """Naming the wrong executable gives one clear line."""
    wrong = tmp_path / "dbt"
    wrong.touch(mode=0o755)
    (tmp_path / "python").symlink_to("/usr/bin/env")
    with pytest.raises(DbtNotFoundError, match=r"/dbt does not belong to an installed dbt-core"):
        asyncio.run(DbtRunner(wrong).start())
    (tmp_path / "python").unlink()
    with pytest.raises(DbtNotFoundError, match="no Python beside"):
        asyncio.run(DbtRunner(wrong).start())


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Return an executable for every place where dbt may be, from the first that counts to the last."""
    names = {"given": "given/dbt", "named": "named/dbt", "beside": ".venv-dbt/bin/dbt", "on_path": "bin/dbt"}
    found = {key: tmp_path / name for key, name in names.items()}
    for path in found.values():
        path.parent.mkdir(parents=True)
        path.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(found["on_path"].parent))
    monkeypatch.setenv("AIRFLOW_DBT_RERUN_DBT", str(found["named"]))
    return found


def test_dbt_is_searched_in_the_documented_order(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument wins over the variable, the variable over the project's environment, that over PATH."""
    assert find_dbt(str(places["given"])) == places["given"]
    assert find_dbt() == places["named"]
    monkeypatch.delenv("AIRFLOW_DBT_RERUN_DBT")
    assert find_dbt() == places["beside"]
    places["beside"].unlink()
    assert find_dbt() == places["on_path"]
    places["on_path"].unlink()
    with pytest.raises(DbtNotFoundError, match="install dbt-core"):
        find_dbt()


def test_a_named_dbt_that_is_not_there_is_not_replaced_by_another(places: dict[str, Path]) -> None:
    """A typing error must not run some other dbt."""
    with pytest.raises(DbtNotFoundError, match="mistyped"):
        find_dbt(str(places["given"].with_name("mistyped")))
