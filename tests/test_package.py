"""What users download: the wheel, the source archive, and how an index shows them."""

from __future__ import annotations

import email.message
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest

from airflow_dbt_rerun.core.policy.json_schema import policy_schema

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Source"]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and the source archive, as ``make package`` does."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    """Open the wheel."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="session")
def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    """Read what an index shows of the wheel; the body is the README."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return BytesParser(policy=default).parsebytes(wheel.read(name))


@pytest.fixture(scope="session")
def page(metadata: email.message.Message) -> str:
    """Return the README as an index shows it."""
    return str(metadata.get_payload())


def files(folder: str) -> set[str]:
    """Return the files of this folder of the repository, without what Python leaves there."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_the_wheel_has_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Code, tables, pages, the example DAGs and the schema; no tests and no tools."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    examples = {f"airflow_dbt_rerun/{name}" for name in files("example_dags")}
    assert examples
    assert names == files("airflow_dbt_rerun") | examples | {"airflow_dbt_rerun/policy.schema.json"}


def test_the_wheel_announces_itself_to_airflow(wheel: zipfile.ZipFile) -> None:
    """Airflow finds the provider and the plugin by these entry points."""
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    points = wheel.read(name).decode()
    assert "[apache_airflow_provider]" in points
    assert "[airflow.plugins]" in points


def test_the_schema_in_the_wheel_is_that_of_the_code(wheel: zipfile.ZipFile) -> None:
    """An editor may be pointed at the installed file."""
    assert json.loads(wheel.read("airflow_dbt_rerun/policy.schema.json")) == policy_schema()


def test_extras_are_for_users(metadata: email.message.Message) -> None:
    """What only developers install is a dependency group, which the wheel does not show."""
    assert metadata.get_all("Provides-Extra") == ["local", "migrate", "openlineage"]
    assert not [line for line in metadata.get_all("Requires-Dist") or [] if "pytest" in line]


def test_links_of_the_page_are_absolute(page: str) -> None:
    """Away from the repository a relative link leads nowhere."""
    targets = LINK.findall(page)
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith("https://")] == []


def test_links_of_the_page_lead_to_files_of_this_version(page: str, metadata: email.message.Message) -> None:
    """Links name the tag of the release; headings are those of the README."""
    raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com")
    places = rf"(?:{re.escape(REPOSITORY)}/blob|{re.escape(raw)})/v{re.escape(str(metadata['Version']))}/(.*)"
    ours = [target for target in LINK.findall(page) if target.startswith((REPOSITORY, raw))]
    paths = [match[1] for target in ours if (match := re.fullmatch(places, target))]
    assert len(paths) == len(ours) > 20
    assert [path for path in paths if not (ROOT / path.split("#")[0]).exists()] == []


def test_pictures_are_files_and_not_pages(page: str) -> None:
    """A picture's link must answer with the picture."""
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)
    assert len(pictures) == 2
    assert all(picture.startswith("https://raw.githubusercontent.com/") for picture in pictures)


def test_the_archive_has_what_its_tests_need(built: Path) -> None:
    """Distributions build and test from it: tests, data, documents, benchmarks, constraints and the Makefile."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    code = ("airflow_dbt_rerun", "benchmarks", "example_dags", "tests", "tools")
    folders = (*code, ".github", "constraints", "docs")
    pages = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md"}
    expected = {name for folder in folders for name in files(folder)} | pages
    expected |= {".ci/run", ".pre-commit-config.yaml", "Makefile", "mkdocs.yml", "pyproject.toml"}
    assert expected - names == set()


def test_the_lowest_versions_are_those_promised() -> None:
    """The environment of ``make matrix`` for the oldest versions has exactly the bounds of ``pyproject.toml``."""
    lines = (ROOT / "constraints" / "airflow-lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines)
    extras = PROJECT["optional-dependencies"]
    promised = dict(line.split(">=") for line in PROJECT["dependencies"] + extras["local"] + extras["migrate"])
    assert {name: _padded(pinned[name]) for name in promised} == {
        name: _padded(version) for name, version in promised.items()
    }


def _padded(version: str) -> tuple[int, ...]:
    """Return 3.10 as (3, 10, 0)."""
    parts = [int(part) for part in version.split(".")]
    return (*parts, *[0] * (3 - len(parts)))
