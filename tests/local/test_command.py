"""The subcommand ``local``: one line of JSON when ready, one clear line when an option is invalid."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from airflow_dbt_rerun.local.dbt.commands import split_commands, subcommand
from tests.support import EXAMPLE_PROJECT, LocalPlatform

MODULE = [sys.executable, "-m", "airflow_dbt_rerun.local"]


def refused(*options: str, folder: Path, project: Path = EXAMPLE_PROJECT) -> str:
    """Run the command with invalid options and return its message."""
    command = [*MODULE, "--project-dir", str(project), "--state-dir", str(folder / "state"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.dbt
def test_one_line_of_json_tells_how_to_connect(tmp_path: Path) -> None:
    """It is all of stdout; it reflects the options, and stderr repeats the address."""
    command = [*MODULE, "--project-dir", str(EXAMPLE_PROJECT), "--state-dir", str(tmp_path / "state")]
    options = ["--account-id", "5", "--token", "t", "--job", "a=dbt seed; dbt build", "--job", "b=dbt test"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        process.terminate()
        rest, messages = process.communicate(timeout=60)
    assert ready.keys() == {"base_url", "account_id", "token", "jobs"}
    assert (ready["account_id"], ready["token"], list(ready["jobs"])) == (5, "t", ["a", "b"])
    assert (process.returncode, rest) == (0, "")
    assert ready["base_url"] in messages


@pytest.mark.dbt
def test_the_default_job_builds(
    new_platform: Callable[..., AbstractContextManager[LocalPlatform]],
) -> None:
    """The shortest command line provides a job."""
    with new_platform(jobs={}) as platform:
        assert platform.get("jobs/")[0]["execute_steps"] == ["dbt build"]


@pytest.mark.parametrize(("engine", "version"), [("core", "1.11.0-simulated"), ("v2", "2.0.0-preview.196")])
def test_the_simulated_engine_can_be_chosen(
    new_platform: Callable[..., AbstractContextManager[LocalPlatform]], engine: str, version: str
) -> None:
    """Runs show its version."""
    with new_platform("--simulate", "--engine", engine, jobs={"any": "dbt build"}) as platform:
        assert platform.run("any")["dbt_version"] == version


def test_engine_of_an_installed_dbt_is_not_chosen(tmp_path: Path) -> None:
    """The executable says itself what it is."""
    assert "--engine" in refused("--engine", "v2", folder=tmp_path)


@pytest.mark.dbt
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--job", "dbt build"], "--job"),
        (["--job", "=dbt build"], "--job"),
        (["--job", "a="], "--job a"),
        (["--job", "a=rm -rf /"], "--job a"),
        (["--job", "a=dbt run --vars '{"], "--job a"),
        (["--job", "a=dbt run", "--job", "a=dbt test"], "--job"),
        (["--dbt", "/no/such/dbt"], "--dbt"),
        (["--dbt", sys.executable], "--dbt"),
        (["--tls-cert", "cert.pem"], "--tls-cert and --tls-key"),
        (["--tls-cert", "/dev/null", "--tls-key", "/dev/null"], "--tls-cert and --tls-key"),
        (["--token", ""], "--token"),
        (["--port", "70000"], "--port"),
        (["--state-dir", "/dev/null"], "--state-dir"),
    ],
)
def test_an_invalid_option_is_named_in_one_line(tmp_path: Path, options: list[str], named: str) -> None:
    """Exit status 2, and no traceback."""
    assert refused(*options, folder=tmp_path).startswith(f"airflow-dbt-rerun local: {named}")


@pytest.mark.dbt
def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """The message is not a traceback of the server library."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"--port {port}" in refused("--port", port, folder=tmp_path)


def test_a_directory_without_a_project_is_named(tmp_path: Path) -> None:
    """The most likely mistake."""
    assert "--project-dir" in refused(folder=tmp_path, project=tmp_path)


@pytest.mark.dbt
def test_a_broken_project_file_is_named(tmp_path: Path) -> None:
    """It is read at the start for the project's name."""
    (tmp_path / "dbt_project.yml").write_text("[")
    assert "--project-dir: dbt_project.yml" in refused(folder=tmp_path, project=tmp_path)


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """Without the extra, the command reports what to install."""
    without = "import sys; sys.modules['uvicorn'] = None"
    script = f"{without}; from airflow_dbt_rerun.local.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "--project-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "uvicorn" in done.stderr
    assert "airflow-provider-dbt-rerun[local]" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- commands as text


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("dbt build", ("dbt build",)),
        ("dbt seed; dbt build ;", ("dbt seed", "dbt build")),
        ("""dbt run --vars '{"a": "b;c"}'; dbt test""", ("""dbt run --vars '{"a": "b;c"}'""", "dbt test")),
    ],
)
def test_commands_are_split_at_semicolons_outside_quotes(text: str, commands: tuple[str, ...]) -> None:
    """As in a shell."""
    assert split_commands(text) == commands


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("dbt build --select a", "build"),
        ("dbt --warn-error run", "run"),
        ("dbt docs generate", "docs"),
        ("dbt source freshness", "source"),
        ("dbt  run-operation  test ", "run-operation"),
        ("dbt --version", ""),
    ],
)
def test_the_subcommand_is_found(command: str, name: str) -> None:
    """The subcommand decides whether a failed step can be resumed."""
    assert subcommand(command) == name
