"""``airflow-dbt-rerun migrate``: DAG files in the style of public ones are changed, and run afterwards."""

from __future__ import annotations

import ast
import difflib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_dbt_rerun.cli import migrate as command
from airflow_dbt_rerun.cli.main import main
from airflow_dbt_rerun.cli.migration.names import TARGETS
from airflow_dbt_rerun.cli.migration.rewrite import rewrite
from tests.support import LocalPlatform
from tests.system.airflow_stack import AIRFLOW_2
from tests.system.database import NewDatabase

ROOT = Path(__file__).parents[2]
PUBLIC = sorted((ROOT / "tests/data/public_dags").glob("*.py"))
NEED_AIRFLOW_3 = {"branch_on_status", "deferrable", "example_shape", "hook_in_python"}
RUNNABLE = [path for path in PUBLIC if not (AIRFLOW_2 and path.stem in NEED_AIRFLOW_3)]
JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed", "seeds": "dbt seed"}

Migrated = Callable[[str], str]


@pytest.fixture
def migrated(tmp_path: Path) -> Migrated:
    """Migrate a text, and return what became of it."""

    def write(text: str) -> str:
        file = tmp_path / "dag.py"
        file.write_text(text)
        main(["migrate", "--write", str(file)])
        return file.read_text()

    return write


def migrate_all(folder: Path) -> list[str]:
    """Copy the public DAGs into a folder and migrate them there."""
    for path in RUNNABLE:
        (folder / path.name).write_bytes(path.read_bytes())
    assert main(["migrate", "--write", str(folder)]) == 0
    return [str(folder / path.name) for path in RUNNABLE]


# --- Ten DAGs in the style of public ones


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_public_dag_needs_nothing_by_hand(path: Path) -> None:
    """No old name is left, nothing is left to a person, and a second pass changes nothing."""
    done = rewrite(path.read_bytes())
    assert done.remarks == ()
    assert b"providers.dbt.cloud" not in done.code
    assert rewrite(done.code).code == done.code


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_comments_and_other_lines_stay(path: Path) -> None:
    """Only lines that name something old are changed, and a comma before one that is gone."""
    before, after = path.read_text(), rewrite(path.read_bytes()).code.decode()
    gone = [line[2:] for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line.startswith("- ")]
    old = ("Cloud", "cloud", "retry_from_failure", "reuse_existing_run", "openlineage_inject")
    assert [line for line in gone if not any(word in line for word in old) and f"{line[:-1]}\n" not in after] == []


@pytest.mark.filterwarnings("ignore:The `airflow")  # other people's DAGs use Airflow's old names
@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_public_dag_is_parsed(path: Path, tmp_path: Path) -> None:
    """Airflow reads the changed file: every argument is one that our classes take."""
    file = tmp_path / path.name
    file.write_bytes(rewrite(path.read_bytes()).code)
    assert [value for value in runpy.run_path(str(file)).values() if isinstance(value, DAG)]


@pytest.mark.nightly
@pytest.mark.airflow
def test_public_dags_run(simulated: LocalPlatform, tmp_path: Path, new_database: NewDatabase) -> None:
    """P1: each DAG runs to its good end after ``migrate --write``, the official example's shape, too."""
    dags, bucket = tmp_path / "dags", tmp_path / "bucket"
    dags.mkdir()
    (bucket / "downloads").mkdir(parents=True)
    files = migrate_all(dags)
    new_database(tmp_path / "airflow")
    for file in files:
        Path(file).write_text(_with_ids(Path(file).read_text(), simulated))
    states = _run(files, simulated, home=tmp_path, bucket=bucket)
    assert states.get("branch_on_status", {}).pop("bad", ["skipped"]) == ["skipped"]
    found = {(dag_id, task): set(each) for dag_id, of in states.items() for task, each in of.items()}
    assert {task for task, each in found.items() if each != {"success"}} == set()
    assert len(states) == len(files) + 1  # one file makes two DAGs
    assert states["mapped"]["run"] == ["success", "success"]
    assert {file.name for file in bucket.glob("*.json")} == {"run_results.json", "manifest.json"}


def _with_ids(text: str, platform: LocalPlatform) -> str:
    (project,) = platform.get("projects/")
    (environment,) = platform.get("environments/")
    names = {
        "48617": platform.jobs["nightly"],
        "48618": platform.jobs["seeds"],
        "39151": platform.account_id,
        "160645": project["id"],
        "my_dbt_project": project["name"],
        '"prod"': f'"{environment["name"]}"',
        "my_dbt_job": "seeds",
    }
    for old, new in names.items():
        text = text.replace(old, str(new))
    return text


def _run(files: list[str], platform: LocalPlatform, *, home: Path, bucket: Path) -> dict[str, dict[str, list[str]]]:
    connection = {"host": platform.base_url, "login": str(platform.account_id), "password": platform.token}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(files[0]).parent),
        "AIRFLOW_CONN_DBT": json.dumps({"conn_type": "dbt_cloud", **connection}),
        "BUCKET": str(bucket),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.dag_runner", *files],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        cwd=home,
    )
    found = [line.removeprefix("STATES ") for line in done.stdout.splitlines() if line.startswith("STATES ")]
    assert found, done.stdout[-8_000:] + done.stderr[-8_000:]
    states: dict[str, dict[str, list[str]]] = json.loads(found[0])
    return states


# --- The command


def test_diff_is_printed_and_nothing_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``--write`` the file stays; the diff is one that ``patch`` takes."""
    file = tmp_path / "mapped.py"
    before = next(path for path in PUBLIC if path.stem == "mapped").read_text()
    file.write_text(before)
    assert main(["migrate", str(file)]) == 0
    shown = capsys.readouterr().out
    assert file.read_text() == before
    assert f"--- {file}" in shown
    assert "+from airflow_dbt_rerun.operators import DbtCloudJobOperator\n" in shown
    subprocess.run(["patch", "-s", str(file)], input=shown, text=True, check=True)
    assert file.read_bytes() == rewrite(before.encode()).code


def test_hidden_folders_are_left_alone(tmp_path: Path) -> None:
    """Such as a virtual environment beside the DAGs."""
    file = tmp_path / ".venv" / "dag.py"
    file.parent.mkdir()
    file.write_text(text := "from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook\n")
    assert main(["migrate", "--write", str(tmp_path)]) == 0
    assert file.read_text() == text


def test_file_without_dbt_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a diff nor a remark, whatever dictionaries it has."""
    file = tmp_path / "other.py"
    file.write_text("import os\nargs = {'retry_args': 1}\nhook._run_and_get_response()\n")
    assert main(["migrate", "--write", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", "")


def test_line_endings_and_encoding_stay(tmp_path: Path) -> None:
    """A file of Windows, in Latin-1."""
    file = tmp_path / "dag.py"
    line = "from airflow.providers.dbt.cloud.operators.dbt import DbtCloudListJobsOperator  # für uns"
    file.write_bytes(f"# -*- coding: latin-1 -*-\r\n{line}\r\n".encode("latin-1"))
    assert main(["migrate", "--write", str(file)]) == 0
    new = line.replace("airflow.providers.dbt.cloud.operators.dbt", "airflow_dbt_rerun.operators")
    assert file.read_bytes() == f"# -*- coding: latin-1 -*-\r\n{new}\r\n".encode("latin-1")


def test_unreadable_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are changed nevertheless."""
    (tmp_path / "a.py").write_text("def (:\n")
    (tmp_path / "b.py").write_text("from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook\n")
    assert main(["migrate", "--write", str(tmp_path), str(tmp_path / "missing.py")]) == 1
    said = capsys.readouterr()
    assert "a.py: line 1" in said.err
    assert "missing.py" in said.err
    assert said.out == f"changed {tmp_path / 'b.py'}\n"


@pytest.mark.parametrize(
    "text",
    ["'a' + " * 500 + "'a'", "'a' + " * 20_000 + "'a'", "(" * 5_000 + ")" * 5_000, "-" * 5_000 + "1"],
    ids=["sum", "long sum", "parentheses", "signs"],
)
def test_a_file_that_is_too_deep_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """It ends neither the command nor, in the parser's own stack, the process; the other files are changed."""
    (tmp_path / "a.py").write_text(f"x = {text}\n")
    (tmp_path / "b.py").write_text("from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook\n")
    assert main(["migrate", "--write", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert f"{tmp_path / 'a.py'}: nested too deeply" in said.err
    assert said.out == f"changed {tmp_path / 'b.py'}\n"


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """libcst is an extra."""
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    assert main(["migrate", "dag.py"]) == 1
    assert "pip install 'airflow-provider-dbt-rerun[migrate]'" in capsys.readouterr().err


# --- What is left to a person


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "RunJob(task_id='x', job_id=1, reuse_existing_run=True)",
            "reuse_existing_run=True is not taken:",
        ),
        ("RunJob(task_id='x', job_id=1, retry_from_failure=FLAG)", "retry_from_failure=FLAG is not taken"),
        ("getattr(dbt, 'DbtCloudRunJobOperator')", "the text 'DbtCloudRunJobOperator' names the official provider"),
        (
            "RunJob(task_id='x', wait_for_termination=False, retry_from_failure=True)",
            "give policy=RerunPolicy() to the DbtCloudRunSensor",
        ),
        ("Hook('c', retry_args={'stop': 1})", "retry_args is not taken: give retry_limit"),
        ("RunJob(task_id='x', job_id=1, hook_params={'retry_args': {}})", "retry_args is not taken"),
        ("default_args = {'reuse_existing_run': True}", "reuse_existing_run is not taken"),
        ("class Mine(RunJob): ...", "Mine derives from DbtCloudJobOperator"),
        ("Hook()._run_and_get_response()", "the hook has no _run_and_get_response: use hook.send"),
        ("Status.is_terminal(3)", "RunStatus has no is_terminal"),
        ("patch('airflow.providers.dbt.cloud.hooks.dbt.DbtCloudHook')", "names the official provider"),
        (
            "from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger",
            "no counterpart: see docs/migrating.md",
        ),
        ("from airflow.providers.dbt.cloud.operators.dbt import *", "name what is imported"),
    ],
)
def test_what_is_left_is_said_with_its_line(
    line: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With file and line and what to do, by each pass until it is done; the exit status tells, too."""
    file = tmp_path / "dag.py"
    head = "from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator as RunJob\n"
    head += "from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook as Hook\n"
    head += "from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudJobRunStatus as Status\n"
    file.write_text(f"{head}{line}\n")
    for _ in range(2):
        assert main(["migrate", "--write", str(file)]) == 1
        assert any(
            said.startswith(f"{file}:4: ") and words in said for said in capsys.readouterr().err.splitlines()
        )


# --- Names and layout


def test_name_that_the_file_uses_otherwise_is_not_taken(migrated: Migrated) -> None:
    """The old local name stays."""
    text = migrated(
        "from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudJobRunStatus\n\n"
        "class RunStatus: ...\n\nprint(DbtCloudJobRunStatus.ERROR)\n"
    )
    assert "from airflow_dbt_rerun import RunStatus as DbtCloudJobRunStatus\n" in text
    assert "print(DbtCloudJobRunStatus.ERROR)" in text


def test_same_word_elsewhere_stays(migrated: Migrated) -> None:
    """A local variable, an attribute and an argument of the same name are no use of the import."""
    body = "def f(DbtCloudHook):\n    return DbtCloudHook\n\nf(DbtCloudHook=x.DbtCloudHook)\n"
    text = migrated(f"from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook\n{body}")
    assert text == f"from airflow_dbt_rerun.hooks import DbtCloudRerunHook\n{body}"


def test_file_of_this_package_is_left_alone(migrated: Migrated) -> None:
    """The second positional argument of our hook is the account."""
    text = "from airflow_dbt_rerun import DbtCloudRerunHook\nhook = DbtCloudRerunHook('dbt', 123)\n"
    assert migrated(text) == text


def test_import_of_names_that_part_keeps_its_comments(migrated: Migrated) -> None:
    """Names that come from different modules here become several statements."""
    text = migrated(
        "from airflow.providers.dbt.cloud.hooks.dbt import (  # dbt\n"
        "    DbtCloudHook,  # the hook\n"
        "    DbtCloudJobRunException as Failed,  # the error\n"
        ")\n"
    )
    assert text == (
        "from airflow_dbt_rerun.hooks import (  # dbt\n    DbtCloudRerunHook,  # the hook\n)\n"
        "from airflow_dbt_rerun.exceptions import (\n    DbtRunError as Failed,  # the error\n)\n"
    )


@pytest.mark.parametrize(
    ("call", "becomes"),
    [
        ("Old(task_id='x', retry_from_failure=True)", "Old(task_id='x')"),
        ("Old(retry_from_failure=True, task_id='x')", "Old(task_id='x')"),
        (
            "Old(\n    task_id='x',  # why\n    retry_from_failure=True,  # old\n)",
            "Old(\n    task_id='x',  # why\n)",
        ),
        ("Old(\n    task_id='x',\n    reuse_existing_run=False\n)", "Old(\n    task_id='x'\n)"),
        ("Old(retry_from_failure=False, reuse_existing_run=False)", "Old(policy=None)"),
        (
            "Old(\n    retry_from_failure=False,  # never\n    job_id=1,\n)",
            "Old(\n    policy=None,  # never\n    job_id=1,\n)",
        ),
        ("Old.partial(task_id='x', retry_from_failure=False)", "Old.partial(task_id='x', policy=None)"),
        ("Old(retry_from_failure=False, wait_for_termination=False)", "Old(wait_for_termination=False)"),
    ],
)
def test_argument_is_left_out_and_the_rest_keeps_its_layout(migrated: Migrated, call: str, becomes: str) -> None:
    """Its own comment goes with it; the others stay."""
    head = "from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator as Old\n"
    assert migrated(head + call + "\n").partition("\n")[2] == becomes + "\n"


def test_each_new_name_can_be_imported() -> None:
    """From the module that the table names, and from the package itself."""
    for target in TARGETS.values():
        for module in (target.path, "airflow_dbt_rerun"):
            namespace: dict[str, object] = {}
            exec(f"from {module} import {target.name}", namespace)  # noqa: S102 - our own table
            assert target.name in namespace


def test_each_official_name_is_known() -> None:
    """What the official modules define for DAG authors is in the table, or named as without a counterpart."""
    from airflow.providers.dbt.cloud.hooks import dbt as hooks  # noqa: PLC0415
    from airflow.providers.dbt.cloud.operators import dbt as operators  # noqa: PLC0415
    from airflow.providers.dbt.cloud.sensors import dbt as sensors  # noqa: PLC0415

    without = {"TokenAuth", "JobRunInfo", "DbtCloudTriggerEventException"}
    for module in (hooks, operators, sensors):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        defined = {f"{module.__name__}.{each.name}" for each in tree.body if isinstance(each, ast.ClassDef)}
        assert {name for name in defined - TARGETS.keys() if name.rpartition(".")[2] not in without} == set()
