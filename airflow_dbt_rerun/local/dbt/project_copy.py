"""The project as one run sees it: a copy, and a profile with the run's overrides in it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from airflow_dbt_rerun.local.dbt.paths import PARSED

_LEFT_BEHIND = shutil.ignore_patterns(".git", "target", "logs", ".venv*", "__pycache__", ".user.yml")


class ProjectError(RuntimeError):
    """The project or its profile cannot be used."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What dbt connects with: an output of the profile."""

    name: str
    adapter: str


def copy_project(project: Path, work: Path, *, besides: Path) -> str:
    """Make ``work`` a fresh copy of the project and return a digest of it: 40 hexadecimal digits, like a commit's.

    What dbt last parsed in ``work`` stays: dbt itself checks whether it is still good.

    :param besides: a directory to leave behind, even if it lies inside the project
    """
    parsed = _read_bytes(work / "target" / PARSED)
    shutil.rmtree(work, ignore_errors=True)

    def ignore(folder: str, names: list[str]) -> Iterable[str]:
        ours = {name for name in names if Path(folder, name) == besides}
        return ours | set(_LEFT_BEHIND(folder, names))

    shutil.copytree(project, work, ignore=ignore)
    digest = _digest(work)
    (work / "target").mkdir()
    if parsed is not None:
        (work / "target" / PARSED).write_bytes(parsed)
    return digest


def needs_deps(work: Path) -> bool:
    """Whether the project names packages."""
    return (work / "packages.yml").exists() or (work / "dependencies.yml").exists()


def write_profile(work: Path, changes: Mapping[str, Any]) -> Connection:
    """Write ``profiles/profiles.yml``: the project's own profile, changed for this run.

    :param changes: ``target_name``, ``schema`` and ``threads``, each only if it is to be changed
    :raises ProjectError: if there is no such profile, or its usual output is needed and cannot be told
    """
    name = str(read_yaml(work / "dbt_project.yml").get("profile") or "")
    profile = read_yaml(_profiles_file(work)).get(name)
    if not isinstance(profile, dict) or not profile.get("outputs"):
        raise ProjectError(f"profiles.yml has no profile {name!r} with outputs")
    replaced = {key: changes[key] for key in ("schema", "threads") if key in changes}
    outputs = {key: {**output, **replaced} for key, output in profile["outputs"].items()}
    target = changes.get("target_name") or str(profile.get("target") or next(iter(outputs)))
    if changes.get("target_name") and target not in outputs:
        outputs[target] = _usual_output(profile, outputs)
    _write_private(
        work / "profiles" / "profiles.yml", yaml.safe_dump({name: {"target": target, "outputs": outputs}})
    )
    used = outputs.get(target) or next(iter(outputs.values()))
    return Connection(target, str(used.get("type") or ""))


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    :raises ProjectError: if it does not
    """
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        first_line = str(error).partition("\n")[0]
        raise ProjectError(f"{file.name}: {first_line}") from error
    if not isinstance(content, dict):
        raise ProjectError(f"{file.name} is not a mapping")
    return content


def _usual_output(profile: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """Return what an unknown target name stands for.

    ``target_name`` is "an informational field" of the platform: it need not be in any profile.
    """
    usual = str(profile.get("target"))
    if usual not in outputs:
        raise ProjectError(f"the profile's target {usual!r} is not among its outputs")
    return outputs[usual]


def _write_private(file: Path, text: str) -> None:
    """Write a file that may hold a password."""
    file.parent.mkdir(exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)


def _profiles_file(work: Path) -> Path:
    """Look where dbt looks: in the project, in $DBT_PROFILES_DIR, in ~/.dbt."""
    folders = [os.environ.get("DBT_PROFILES_DIR"), work, Path.home() / ".dbt"]
    files = [Path(folder, "profiles.yml") for folder in folders if folder]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise ProjectError("there is no profiles.yml in the project, $DBT_PROFILES_DIR or ~/.dbt")
    return found


def _digest(folder: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _read_bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None
