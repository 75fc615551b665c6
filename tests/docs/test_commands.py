"""Every command that the README and the documentation print is one that its tool takes."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_dbt_rerun.cli.main import parsers

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?:bash|console)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
TOOLS = ("airflow-dbt-rerun", "make", "pip", "python")


def commands(tool: str) -> list[tuple[str, str]]:
    """Return the page and the line of each command of a tool."""
    return [
        (page.name, line.removeprefix("$ "))
        for page in PAGES
        for block in BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
        if re.match(rf"(?:\$ )?{tool} ", line)
    ]


def words(line: str) -> list[str]:
    """Return the arguments of a command, with numbers for what stands for one."""
    return shlex.split(line.replace("RUN_ID", "486060143").partition(" > ")[0], comments=True)[1:]


@pytest.mark.parametrize(("page", "line"), commands("airflow-dbt-rerun"))
def test_our_commands_are_parsed(page: str, line: str) -> None:
    """Nothing is run: the options are there, and take what they are given."""
    parser, _ = parsers()
    parsed, extra = parser.parse_known_args(words(line))
    assert not extra, f"{page}: {line}"
    assert callable(parsed.func)


@pytest.mark.parametrize(("page", "line"), commands("make"))
def test_make_has_the_targets(page: str, line: str) -> None:
    """With variables or without."""
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {word for word in words(line) if "=" not in word and not word.startswith("-")}
    assert named <= targets, f"{page}: {line}"


@pytest.mark.parametrize(("page", "line"), commands("python"))
def test_modules_exist(page: str, line: str) -> None:
    """``python -m`` names a module of this project, and a benchmark by its name."""
    dash, module, *rest = words(line)
    assert dash == "-m", f"{page}: {line}"
    assert importlib.util.find_spec(module) is not None
    if module == "benchmarks":
        assert importlib.util.find_spec(f"benchmarks.{rest[0]}") is not None


@pytest.mark.parametrize(("page", "line"), commands("pip"))
def test_the_extras_exist(page: str, line: str) -> None:
    """``pip install`` names this package, with extras that it has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in _requirements(line):
        name, _, extras = requirement.rstrip("]").partition("[")
        assert name == project["name"], f"{page}: {line}"
        assert set(filter(None, extras.split(","))) <= set(project["optional-dependencies"])


def _requirements(line: str) -> Iterator[str]:
    return (word for word in words(line)[1:] if not word.startswith("-"))


def test_each_tool_has_commands() -> None:
    """The pages are read at all."""
    assert all(commands(tool) for tool in TOOLS)
