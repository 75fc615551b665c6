"""The project of one run: a copy, with a profile that includes the overrides of the run."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from airflow_dbt_rerun.local.dbt.paths import PARSE_CACHE

_IGNORED = shutil.ignore_patterns(".git", "target", "logs", ".venv*", "__pycache__", ".user.yml")


class ProjectError(RuntimeError):
    """The project or its profile cannot be used."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The output of the profile that dbt connects with."""

    name: str
    adapter: str


def copy_project(project: Path, work: Path, *, exclude: Path) -> str:
    """Make ``work`` a fresh copy of the project and return its digest: 40 hexadecimal digits, like a commit's.

    dbt's parse cache in ``work`` is preserved; dbt itself checks whether it is still valid.

    :param exclude: a directory that is not copied if it lies inside the project
    """
    cache = _read_bytes(work / "target" / PARSE_CACHE)
    shutil.rmtree(work, ignore_errors=True)

    def ignore(folder: str, names: list[str]) -> Iterable[str]:
        excluded = {name for name in names if Path(folder, name) == exclude}
        return excluded | set(_IGNORED(folder, names))

    shutil.copytree(project, work, ignore=ignore)
    digest = _digest(work)
    (work / "target").mkdir()
    if cache is not None:
        (work / "target" / PARSE_CACHE).write_bytes(cache)
    return digest


def needs_deps(work: Path) -> bool:
    """Return whether the project lists packages."""
    return (work / "packages.yml").exists() or (work / "dependencies.yml").exists()


def write_profile(work: Path, changes: Mapping[str, Any]) -> Connection:
    """Write ``profiles/profiles.yml``: the project's profile with the changes of this run.

    :param changes: ``target_name``, ``schema`` and ``threads``; a missing one stays as in the profile
    :raises ProjectError: if the profile does not exist, or its default output is needed and does not exist
    """
    name, profile = _profile(work)
    replaced = {key: changes[key] for key in ("schema", "threads") if key in changes}
    outputs = {key: {**output, **replaced} for key, output in profile["outputs"].items()}
    target = changes.get("target_name") or str(profile.get("target") or next(iter(outputs)))
    if changes.get("target_name") and target not in outputs:
        outputs[target] = _default_output(profile, outputs)
    _write_private(
        work / "profiles" / "profiles.yml", yaml.safe_dump({name: {"target": target, "outputs": outputs}})
    )
    used = outputs.get(target) or next(iter(outputs.values()))
    return Connection(target, str(used.get("type") or ""))


def default_output(project: Path) -> tuple[str, dict[str, Any]]:
    """Return the name and the content of the output that the project's profile uses by default.

    :raises ProjectError: if the profile or that output does not exist
    """
    _, profile = _profile(project)
    outputs = profile["outputs"]
    name = str(profile.get("target") or next(iter(outputs)))
    if not isinstance(outputs.get(name), dict):
        raise ProjectError(f"the profile's target {name!r} is not among its outputs")
    return name, outputs[name]


def _profile(project: Path) -> tuple[str, dict[str, Any]]:
    name = str(read_yaml(project / "dbt_project.yml").get("profile") or "")
    profile = read_yaml(_profiles_file(project)).get(name)
    if not isinstance(profile, dict) or not isinstance(profile.get("outputs"), dict) or not profile["outputs"]:
        raise ProjectError(f"profiles.yml has no profile {name!r} with outputs")
    return name, profile


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML file that contains a mapping.

    :raises ProjectError: if it cannot be read or does not contain a mapping
    """
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        first_line = str(error).partition("\n")[0]
        raise ProjectError(f"{file.name}: {first_line}") from error
    if not isinstance(content, dict):
        raise ProjectError(f"{file.name} is not a mapping")
    return content


def _default_output(profile: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """Return the output to use for a target name that the profile does not have.

    dbt calls ``target_name`` "an informational field": no profile needs to have it.
    """
    default = str(profile.get("target"))
    if default not in outputs:
        raise ProjectError(f"the profile's target {default!r} is not among its outputs")
    return outputs[default]


def _write_private(file: Path, text: str) -> None:
    """Write a file that can contain a password."""
    file.parent.mkdir(exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)


def _profiles_file(work: Path) -> Path:
    """Return the first profiles.yml in $DBT_PROFILES_DIR, the project and ~/.dbt, in dbt's order."""
    folders = [os.environ.get("DBT_PROFILES_DIR"), work, Path.home() / ".dbt"]
    files = [Path(folder, "profiles.yml") for folder in folders if folder]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise ProjectError("no profiles.yml in the project, $DBT_PROFILES_DIR or ~/.dbt")
    return found


def _digest(folder: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _read_bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None
