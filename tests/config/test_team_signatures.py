"""The signatures that a team keeps in Airflow: where they are read, in which order, and what is refused."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import Variable

from airflow_dbt_rerun.config.team_signatures import team_signatures
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.exceptions import DbtConfigError

JSON = '[{"category": "transient", "pattern": "\\\\bswap", "name": "loader"}]'
YAML = "- category: code\n  pattern: 'no\\.such'\n- {category: access, pattern: key}\n"
FROM_JSON = (Signature(Category.TRANSIENT, r"\bswap", name="loader"),)
FROM_YAML = (Signature(Category.CODE, r"no\.such"), Signature(Category.ACCESS, "key"))

Say = Callable[[str | None], None]


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Set the Airflow Variable; None removes it."""

    def say(text: str | None) -> None:
        monkeypatch.setattr(Variable, "get", lambda _key, default: default if text is None else text)

    return say


@pytest.fixture
def option(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Set the option of Airflow's configuration."""
    return lambda text: monkeypatch.setenv("AIRFLOW__DBT_RERUN__SIGNATURES", text or "")


def refusal() -> str:
    """Say with which words the team's signatures are refused."""
    with pytest.raises(DbtConfigError) as caught:
        team_signatures()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("environment", "found"), [({}, ()), ({"AIRFLOW_VAR_DBT_RERUN_SIGNATURES": JSON}, FROM_JSON)]
)
def test_airflow_itself_is_asked(environment: dict[str, str], found: tuple[Signature, ...]) -> None:
    """Neither is needed: a missing Variable raises in one Airflow and not in another, and is none in all."""
    program = "from airflow_dbt_rerun.config.team_signatures import team_signatures; print(team_signatures())"
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env=os.environ | environment)
    assert done.stdout.splitlines()[-1] == repr(found)


@pytest.mark.parametrize("text", ["", "  \n", "[]", "# nothing yet\n"])
def test_an_empty_text_is_none(variable: Say, option: Say, text: str) -> None:
    """A team may leave the Variable or the option empty."""
    variable(text)
    option(text)
    assert team_signatures() == ()


@pytest.mark.parametrize(("text", "found"), [(JSON, FROM_JSON), (YAML, FROM_YAML)])
def test_the_variable_holds_json_or_yaml(variable: Say, text: str, found: tuple[Signature, ...]) -> None:
    """Both are plain lists of the same keys."""
    variable(text)
    assert team_signatures() == found


@pytest.mark.parametrize(("text", "found"), [(JSON, FROM_JSON), (YAML, FROM_YAML)])
def test_the_option_holds_a_list_or_the_path_of_a_file(
    variable: Say, option: Say, tmp_path: Path, text: str, found: tuple[Signature, ...]
) -> None:
    """A list in the option itself, or a file of either kind, whatever its name."""
    variable(None)
    option(text)
    assert team_signatures() == found
    file = tmp_path / "signatures"
    file.write_text(text, encoding="utf-8-sig")
    option(str(file))
    assert team_signatures() == found


def test_the_variable_comes_before_the_option(variable: Say, option: Say) -> None:
    """A Variable can be edited in the night, so it wins."""
    variable(JSON)
    option(YAML)
    assert team_signatures() == (*FROM_JSON, *FROM_YAML)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            JSON.replace("transient", "transiant"),
            "entry 1: there is no category 'transiant'; did you mean 'transient'?",
        ),
        (
            f"{YAML}- {{category: code, pattern: '('}}",
            "entry 3: signature pattern '(' is not a valid regular expression",
        ),
        ('[{"category": "code",\n "pattern": "a\\."}]', "not valid JSON: Invalid \\escape: line 2"),
        (
            '[{"category": "code", "pattern": "\\bkey"}]',
            "entry 1: the pattern '\\x08key' contains the control character",
        ),
        ('- category: code\n  pattern: "a\\."', "line 2: not valid YAML: found unknown escape character '.'"),
        ("- a: [\n- b", "line 2: not valid YAML: "),
        ("a\x00b", "not valid YAML: "),
        ("deadlock", "takes a list of entries {category, pattern, name, source}, not 'deadlock'"),
        ("category: code", "takes a list of entries, not a single one"),
    ],
)
def test_a_wrong_variable_is_refused_by_name_entry_and_line(variable: Say, text: str, words: str) -> None:
    """The error names the place to fix before any run is started."""
    variable(text)
    assert refusal().startswith("Airflow Variable 'dbt_rerun_signatures'")
    assert words in refusal()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{category: code}", "] signatures takes a list of entries, not a single one"),
        (
            "- {category: kode, pattern: x}",
            "] signatures, entry 1: there is no category 'kode'; did you mean 'code'?",
        ),
        (
            "signatures.yaml",
            "] signatures takes a JSON or YAML list or the absolute path of a file, not 'signatures.yaml'",
        ),
        ("/no/such/file.yaml", "] signatures: file /no/such/file.yaml cannot be read: No such file or directory"),
        ("/", "] signatures: file / cannot be read: Is a directory"),
    ],
)
def test_a_wrong_option_is_refused_by_name(variable: Say, option: Say, text: str, words: str) -> None:
    """The same for the configuration."""
    variable(None)
    option(text)
    assert refusal().startswith("Airflow's configuration [dbt_rerun] signatures")
    assert words in refusal()


def test_a_wrong_file_is_named(variable: Say, option: Say, tmp_path: Path) -> None:
    """An error inside a file names the file; a file that is not text, or far too large, is refused."""
    variable(None)
    file = tmp_path / "own.yaml"
    option(str(file))
    file.write_text("- pattern: x\n", encoding="utf-8")
    assert refusal() == f"Airflow's configuration [dbt_rerun] signatures, file {file}, entry 1: category missing"
    file.write_text("- {\n", encoding="utf-8")
    assert f"file {file}, line 2: not valid YAML: " in refusal()
    file.write_bytes(b"\xff\xfe\x00")
    assert refusal().endswith("cannot be read: it is not UTF-8 text")
    file.write_bytes(b"#" * 1_000_001)
    assert refusal().endswith("is larger than 1 MB, too large for a list of signatures")


def test_a_lonely_percent_sign_in_the_configuration_file_is_explained(tmp_path: Path) -> None:
    """Python's parser of such files takes % for its own."""
    configuration = tmp_path / "airflow.cfg"
    configuration.write_text("[dbt_rerun]\nsignatures = - {category: code, pattern: 'a%b'}\n", encoding="utf-8")
    program = (
        "from airflow_dbt_rerun.config.team_signatures import team_signatures\n"
        "try:\n    team_signatures()\nexcept ValueError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "", "AIRFLOW_CONFIG": str(configuration), "AIRFLOW_HOME": str(tmp_path)}
        | {"AIRFLOW_VAR_DBT_RERUN_SIGNATURES": "[]"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1].endswith("signatures: a % has to be written as %% in airflow.cfg")


def test_a_heal_under_way_goes_on_with_what_is_valid(
    variable: Say, option: Say, caplog: pytest.LogCaptureFixture
) -> None:
    """An invalid edit of the Variable costs its signatures and one warning, not the heal."""
    variable("oh no")
    option(YAML)
    log = logging.getLogger("heal")
    with caplog.at_level(logging.WARNING):
        assert team_signatures(log, strict=False) == FROM_YAML
    (record,) = caplog.records
    assert record.name == "heal"
    assert "Airflow Variable 'dbt_rerun_signatures' takes a list" in record.getMessage()


def test_a_secrets_backend_that_fails_is_not_a_wrong_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a run Airflow may try again; a heal under way goes on."""

    def fail(*_: object) -> None:
        raise ConnectionError("vault is sealed")

    monkeypatch.setattr(Variable, "get", fail)
    with pytest.raises(ConnectionError):
        team_signatures()
    assert team_signatures(strict=False) == ()
