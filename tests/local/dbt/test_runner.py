"""Commands run as with the dbt executable, isolated from each other, and end when they should."""

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

from airflow_dbt_rerun.local.dbt.runner import DbtExecutableNotFoundError, DbtRunner, DbtRunnerError, find_dbt
from tests.local.conftest import WithDbt
from tests.local.shop import Shop, until
from tests.support import GENEROUS


@asynccontextmanager
async def a_runner(dbt: Path | None = None) -> AsyncIterator[DbtRunner]:
    """Provide a runner that is closed at the end."""
    runner = DbtRunner(dbt or find_dbt())
    try:
        yield runner
    finally:
        await runner.close()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a separate project for each test."""
    return Shop(tmp_path / "shop")


def descendants() -> set[psutil.Process]:
    """Return the processes that this one started, directly or not."""
    return set(psutil.Process().children(recursive=True))


# --- like the executable -----------------------------------------------------------------------------


@pytest.mark.dbt
@pytest.mark.nightly
@pytest.mark.parametrize(
    "args", [("--quiet", "ls", "--select", "orders+"), ("frobnicate",), ("build", "--no-such-option"), ("--help",)]
)
def test_exit_code_and_output_equal_those_of_the_executable(
    with_dbt: WithDbt, shop: Shop, args: tuple[str, ...]
) -> None:
    """The fork server changes neither the output of dbt nor its exit code."""
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
def test_exit_codes_distinguish_success_failed_nodes_and_failed_starts(with_dbt: WithDbt, shop: Shop) -> None:
    """0, 1 and 2 have dbt's meaning, in turn on one fork server."""

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
@pytest.mark.nightly
def test_log_is_appended_to(with_dbt: WithDbt, shop: Shop) -> None:
    """Earlier content of the log remains."""
    shop.log.write_text("before\n")
    assert with_dbt(lambda runner: shop.dbt(runner, "parse")) == 0
    assert shop.text.startswith("before\n")
    assert "Running with dbt" in shop.text


# --- isolation ----------------------------------------------------------------------------------


@pytest.mark.dbt
def test_commands_at_the_same_time_share_nothing(with_dbt: WithDbt, tmp_path: Path) -> None:
    """Two concurrent builds use separate directories, environments and logs."""
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
    """``retry --warn-error`` changes dbt's process for good; the next command must not be affected."""
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
    """The command has ended when the cancellation returns, and dbt has recorded the finished nodes."""
    shop.trouble({"node": "orders", "seconds": 600})

    async def scenario() -> list[set[psutil.Process]]:
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

    while_running, afterwards = asyncio.run(scenario())
    assert while_running
    assert not afterwards
    assert shop.statuses()["stg_orders"] == "success"
    assert "orders" not in shop.statuses()


def has_ended(process: int) -> bool:
    """Return whether a process has ended; one that is not reaped yet has ended too."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    return True


def unruly_dbt(root: Path, cli: str) -> Path:
    """Install a dbt with the given ``cli`` function and return its executable."""
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
def test_cancelling_ends_commands_that_ignore_signals(tmp_path: Path, cli: str, times: int) -> None:
    """SIGKILL follows in the end, for children too, and also after a second cancellation."""
    process, log = tmp_path / "process", tmp_path / "log"

    async def scenario() -> None:
        async with a_runner(unruly_dbt(tmp_path / "venv", cli)) as runner:
            running = asyncio.create_task(runner.run([], cwd=tmp_path, env={}, log=log))
            await until(process.exists)
            for _ in range(times):
                running.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await running
            await until(lambda: has_ended(int(process.read_text())))

    asyncio.run(scenario())


@pytest.mark.dbt
def test_closing_ends_everything(shop: Shop) -> None:
    """After ``close``, neither fork server nor dbt is left, and a waiting caller gets an error."""
    shop.trouble({"node": "orders", "seconds": 600})
    before = descendants()

    async def scenario() -> None:
        async with a_runner() as runner:
            building = asyncio.create_task(shop.dbt(runner, "build"))
            await shop.until_troubled("orders")
        with pytest.raises(DbtRunnerError):
            await building

    asyncio.run(scenario())
    assert descendants() == before


@pytest.mark.dbt
def test_nothing_outlives_a_killed_parent(shop: Shop) -> None:
    """dbt ends even if its parent is killed in the middle of a build."""
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
def test_a_killed_fork_server_ends_its_commands_and_is_replaced(shop: Shop) -> None:
    """The running command raises an error instead of returning an exit code; the next command works."""
    shop.trouble({"node": "orders", "seconds": 600})

    before = descendants()

    async def scenario() -> int:
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

    assert asyncio.run(scenario()) == 0


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.dbt
def test_a_missing_directory_is_an_error_of_the_runner(with_dbt: WithDbt, shop: Shop) -> None:
    """A command that was not started has no exit code, and the next command is unaffected."""

    async def scenario(runner: DbtRunner) -> int:
        with pytest.raises(DbtRunnerError, match="nowhere"):
            await runner.run(["build"], cwd=shop.project / "nowhere", env=shop.env, log=shop.log)
        return await shop.dbt(runner, "parse")

    assert with_dbt(scenario) == 0


def test_a_python_without_dbt_is_named(tmp_path: Path) -> None:
    """A wrong executable raises an error with a clear message."""
    wrong = tmp_path / "dbt"
    wrong.touch(mode=0o755)
    (tmp_path / "python").symlink_to("/usr/bin/env")
    with pytest.raises(DbtExecutableNotFoundError, match=r"/dbt does not belong to an installed dbt-core"):
        asyncio.run(DbtRunner(wrong).start())
    (tmp_path / "python").unlink()
    with pytest.raises(DbtExecutableNotFoundError, match="no Python beside"):
        asyncio.run(DbtRunner(wrong).start())


@pytest.fixture
def locations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Create an executable in every place where dbt is searched, and return them in order of precedence."""
    names = {"given": "given/dbt", "named": "named/dbt", "beside": ".venv-dbt/bin/dbt", "on_path": "bin/dbt"}
    found = {key: tmp_path / name for key, name in names.items()}
    for path in found.values():
        path.parent.mkdir(parents=True)
        path.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(found["on_path"].parent))
    monkeypatch.setenv("AIRFLOW_DBT_RERUN_DBT", str(found["named"]))
    return found


def test_dbt_is_searched_for_in_the_documented_order(
    locations: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The argument precedes the variable, the variable .venv-dbt, and .venv-dbt PATH."""
    assert find_dbt(str(locations["given"])) == locations["given"]
    assert find_dbt() == locations["named"]
    monkeypatch.delenv("AIRFLOW_DBT_RERUN_DBT")
    assert find_dbt() == locations["beside"]
    locations["beside"].unlink()
    assert find_dbt() == locations["on_path"]
    locations["on_path"].unlink()
    with pytest.raises(DbtExecutableNotFoundError, match="install dbt-core"):
        find_dbt()


def test_a_missing_executable_is_not_replaced_by_another(locations: dict[str, Path]) -> None:
    """A typing error must not run a different dbt."""
    with pytest.raises(DbtExecutableNotFoundError, match="mistyped"):
        find_dbt(str(locations["given"].with_name("mistyped")))
