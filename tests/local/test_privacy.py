"""What the platform keeps to the user who started it: its files, its token, and the variables of Airflow."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_dbt_rerun.local.dbt.environment import own_environment
from airflow_dbt_rerun.local.dbt.paths import Folders
from airflow_dbt_rerun.local.options import TOKEN_VARIABLE
from tests.support import EXAMPLE_PROJECT, GENEROUS, local_platform

SECRET = "f3rn3t"
VARIABLES = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_DBT_CLOUD_DEFAULT", "_AIRFLOW_PROCESS_CONTEXT")


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def token_of(folder: Path, *options: str, **environment: str) -> str:
    """Start the platform and return its token, or what it complains about."""
    command = [sys.executable, "-m", "airflow_dbt_rerun.local", "--simulate", "--project-dir", str(EXAMPLE_PROJECT)]
    command += ["--state-dir", str(folder / "state"), *options]
    pipe, inherited = subprocess.PIPE, {**os.environ, **environment}
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=inherited) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        process.terminate()
        _, complaint = process.communicate(timeout=GENEROUS)
    return str(json.loads(ready)["token"]) if ready else complaint


# --- files


def test_everything_in_the_state_directory_is_for_its_user_only(tmp_path: Path) -> None:
    """Causes, overrides with their vars, logs, artifacts and the warehouse; whatever the user's umask is."""
    before = os.umask(0o022)
    try:
        with local_platform(tmp_path, "--simulate", jobs={"build": "dbt build"}) as platform:
            assert platform.run("build")["status"] == 10
            root = platform.state.parent
            copies = root / "work"  # closed itself; what is in it has the modes of the project's files
            kept = [path for path in (root, *root.rglob("*")) if copies not in path.parents]
            assert copies in kept
            assert [path for path in kept if mode(path) & 0o077] == []
    finally:
        os.umask(before)


@pytest.mark.parametrize("content", [(), ("platform.sqlite",)])
def test_an_older_or_empty_state_directory_is_closed(tmp_path: Path, content: tuple[str, ...]) -> None:
    """Earlier versions left it open."""
    root = tmp_path / "state"
    root.mkdir(mode=0o755)
    for name in content:
        (root / name).touch()
    Folders(root).make()
    assert mode(root) == 0o700


def test_a_directory_of_others_keeps_its_mode(tmp_path: Path) -> None:
    """Nobody wants /tmp to be closed."""
    (tmp_path / "something else").touch()
    tmp_path.chmod(0o755)
    Folders(tmp_path).make()
    assert mode(tmp_path) == 0o755


# --- the token


def test_the_token_can_come_from_a_file_or_from_the_environment(tmp_path: Path) -> None:
    """Neither shows in the process list. An option wins over the environment."""
    file = tmp_path / "token"
    file.write_text("of-the-file\n")
    environment = {TOKEN_VARIABLE: "of-the-environment"}
    assert token_of(tmp_path, "--token-file", str(file)) == "of-the-file"
    assert token_of(tmp_path, **environment) == "of-the-environment"
    assert token_of(tmp_path, "--token-file", str(file), **environment) == "of-the-file"
    assert token_of(tmp_path, "--token", "of-the-option", **environment) == "of-the-option"


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe", b"a\nb", b"x" * 5_000])
def test_a_file_without_a_usable_token_is_refused(tmp_path: Path, content: bytes) -> None:
    """In one line, which does not show the token."""
    file = tmp_path / "token"
    file.write_bytes(content)
    complaint = token_of(tmp_path, "--token-file", str(file))
    assert complaint.startswith("airflow-dbt-rerun local: --token-file: ")
    assert len(complaint.splitlines()) == 1
    assert "two" not in complaint


def test_what_contradicts_or_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    """The message names the option or the variable."""
    assert "--token-file: /no/such/file cannot be read" in token_of(tmp_path, "--token-file", "/no/such/file")
    assert "give only one of them" in token_of(tmp_path, "--token", "a", "--token-file", "b")
    assert f"{TOKEN_VARIABLE}: must not be empty" in token_of(tmp_path, **{TOKEN_VARIABLE: ""})
    assert "--token: a token has" in token_of(tmp_path, "--token", "tökén")


# --- variables


def test_variables_of_airflow_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections, the configuration with its keys, and the platform's own token."""
    for name in (*VARIABLES, TOKEN_VARIABLE):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "needed")
    assert own_environment()["WAREHOUSE_PASSWORD"] == "needed"
    assert SECRET not in own_environment().values()


@pytest.mark.dbt
def test_dbt_cannot_read_variables_of_airflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither by ``env_var`` nor from the environment of the process that dbt is forked from."""
    for name in VARIABLES:
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "needed")
    columns = [f"$${{{{ env_var('{name}', 'none') }}}}$$ as {name}" for name in (*VARIABLES, "WAREHOUSE_PASSWORD")]
    job = f'dbt show --inline "select {", ".join(columns)}"'
    with local_platform(tmp_path, jobs={"show": job}) as platform:
        run = platform.run("show")
        logs = "".join(step["logs"] for step in platform.steps(run))
        children = Path(f"/proc/{platform.process.pid}/task/{platform.process.pid}/children").read_text().split()
        assert run["status"] == 10, logs
        assert "needed" in logs
        assert SECRET not in logs
        assert children
        assert all(SECRET.encode() not in Path(f"/proc/{child}/environ").read_bytes() for child in children)
