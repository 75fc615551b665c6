"""Read cases from files: ``run_results.json``, ``sources.json``, a log of dbt, or a folder that dbt wrote them to.

The failed step around them is made up from their content. The content decides what a file is, not its name.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.cli.cases import Case, UnreadableError
from airflow_dbt_rerun.core.dbt.fields import FieldError
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus, RunStep
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.json_log import is_json_log, log_text
from airflow_dbt_rerun.core.heal.observations import RunSeen

STDIN = "-"
ARTIFACTS = ("run_results.json", "sources.json")
LOG = "dbt.log"
LOG_PLACES = (LOG, "../logs/dbt.log")
"""Where to find the log of a folder's artifacts: beside them, or where dbt writes it."""

LARGEST = 512 << 20
"""Bytes of a file or of standard input that are read at most."""

_STEP = 1
_FAILED_WORDS = ("Encountered an error", "Completed with", "[error]")
_GOOD_WORDS = re.compile(r"Completed successfully|Finished '[\w -]+' (?:successfully|with \d+ warnings?\b)")
"""dbt-core's words, and those of dbt v2."""

_SIGN_OF_DBT = re.compile(
    r"""\bdbt[=-]\S*\d\.\d | \bRunning\ with\ dbt | \bdbt-(?:core|fusion)\b | \bdbt\.\w+ | \bdbt\ was\ unable\b
      | \bEncountered\ an\ error | \bCompleted\ (?:with\ \d|successfully) | \bDone\.\ PASS= | \bdbt\ command\ failed
      | (?:^|\ )\d+\ of\ \d+\ (?:START|OK|ERROR|FAIL|PASS|SKIP|WARN)\b | \b(?:Finished|Failed)\ \[
      | \[(?:error|warning)\]\ | \berror:\ dbt\d{4} | \b\w+\ Error\ in\ \w+\ | \bConnection\ test:
      | ^(?:\d\d:\d\d:\d\d\S*\s+)?(?:\[\S+\ *\]\s+)?
        (?:Database|Runtime|Compilation|Parsing|Dependency|Internal|Validation|Env\ Var|Unhandled|Warn)\ Error\b
      | \bInvoke\ dbt\b | \bdbt\ (?:build|run|test|seed|snapshot|deps|compile|source|docs|parse|clone|retry)\b
      | ^Cloning\ into\b | ^fatal:\  | \b(?:dbt_project|profiles)\.yml\b""",
    re.VERBOSE | re.MULTILINE,
)
"""What dbt, or the platform around it, writes into every log that can say why something failed."""

JsonObject = Mapping[str, Any]


def paired(targets: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return the targets, an artifact together with the log next to it: they are about one step."""
    pairs: list[tuple[str, str | None]] = []
    for target in targets:
        last = pairs[-1] if pairs and pairs[-1][1] is None else None
        if last and _may_be_log(target) and last[0].endswith(".json"):
            pairs[-1] = (last[0], target)
        elif last and target.endswith(".json") and _may_be_log(last[0]):
            pairs[-1] = (target, last[0])
        else:
            pairs.append((target, None))
    return pairs


def _may_be_log(target: str) -> bool:
    return not target.endswith(".json") and Path(target).is_file()


def read_case(target: str, log: str | None = None) -> Case:
    """Read a file, a folder, or standard input for ``-``.

    :param log: the log of the step that wrote the artifact ``target``.
    :raises UnreadableError: if it is missing, empty, binary, truncated, or not written by dbt.
    """
    path = Path(target)
    if target != STDIN and path.is_dir():
        return _from_folder(target, path)
    text = read_text(target)
    if not _is_json(target, text):
        return _from_log(target, text)
    return _from_artifact(target, _artifact(target, text), log=log_text(read_text(log)) if log else "")


def read_text(target: str) -> str:
    """Read a text file, or standard input for ``-``.

    :raises UnreadableError: if it is missing, empty, binary, too large or not a regular file.
    """
    try:
        data = sys.stdin.buffer.read(LARGEST + 1) if target == STDIN else _bytes_of(target)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero character
        raise UnreadableError(f"{target}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > LARGEST:
        raise UnreadableError(
            f"{_name(target)} is larger than {LARGEST >> 20} MB: give its last part, as of `tail`"
        )
    if not data.strip():
        raise UnreadableError(f"{_name(target)} is empty")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what PowerShell's ">" writes
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise UnreadableError(f"{_name(target)} is a binary file; it takes run_results.json, sources.json or a log")
    return data.decode("utf-8-sig", errors="replace")


def _bytes_of(target: str) -> bytes:
    """Read a regular file; a device would be endless, and a pipe may wait for its writer forever."""
    path = Path(target)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UnreadableError(f"{target} is not a regular file; to read from a pipe, give - and redirect it there")
    with path.open("rb") as opened:
        return opened.read(LARGEST + 1)


def read_facts(target: str) -> ManifestFacts:
    """Read the facts of a ``manifest.json``.

    :raises UnreadableError: if it is not a manifest.
    """
    manifest = _json(target, read_text(target))
    if not isinstance(manifest.get("nodes"), Mapping):
        raise UnreadableError(f"{_name(target)} is not a manifest.json: it has no 'nodes'")
    try:
        return ManifestFacts.from_artifact(manifest)
    except (AttributeError, TypeError, ValueError) as error:
        raise UnreadableError(f"{_name(target)} is not shaped like a manifest.json of dbt") from error


# --- Folders


def _from_folder(target: str, folder: Path) -> Case:
    """Read the newest artifact of a folder, with the manifest and the log beside it."""
    found = [folder / name for name in ARTIFACTS if (folder / name).is_file()]
    if not found and (folder / LOG).is_file():
        return read_case(str(folder / LOG))
    if not found:
        raise UnreadableError(f"{target}: there is no run_results.json, sources.json or dbt.log in this folder")
    newest = str(max(found, key=lambda path: path.stat().st_mtime))
    log = next((str(folder / place) for place in LOG_PLACES if (folder / place).is_file()), None)
    text = log_text(read_text(log)) if log else ""
    case = _from_artifact(newest, _artifact(newest, read_text(newest)), log=text)
    return replace(case, seen=replace(case.seen, facts=_facts_of(folder)))


def _facts_of(folder: Path) -> ManifestFacts | None:
    # This manifest was not given by name, so an unreadable one is ignored.
    with suppress(UnreadableError):
        return read_facts(str(folder / "manifest.json"))
    return None


# --- Artifacts


def _is_json(target: str, text: str) -> bool:
    """Return whether this is an artifact. dbt's JSON logs have an object a line, with the text in ``info.msg``."""
    is_object = text.lstrip().startswith("{") or target.endswith(".json")
    return is_object and not is_json_log(text)


def _artifact(target: str, text: str) -> JsonObject:
    artifact = _json(target, text)
    if isinstance(artifact.get("results"), list):
        return artifact
    if isinstance(artifact.get("nodes"), Mapping):
        raise UnreadableError(
            f"{_name(target)} is a manifest or catalog, which does not say what failed; "
            "give run_results.json, and this with --manifest"
        )
    raise UnreadableError(f"{_name(target)} is not a run_results.json or sources.json of dbt: it has no 'results'")


def _json(target: str, text: str) -> JsonObject:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{_name(target)}: not valid JSON, perhaps truncated: {error}") from error
    if not isinstance(data, Mapping):
        raise UnreadableError(f"{_name(target)}: a JSON object is expected, not a {type(data).__name__}")
    return data


def _from_artifact(target: str, artifact: JsonObject, *, log: str = "") -> Case:
    results = _results(target, artifact)
    metadata, arguments = artifact.get("metadata") or {}, artifact.get("args")
    command = arguments.get("which") if isinstance(arguments, Mapping) else None
    run = _made_up_run(f"dbt {command}" if command else None, log, dbt_version=metadata.get("dbt_version"))
    failed = any(node.is_failed for node in results.nodes) or _ends_in_failure(log, _well(log))
    return Case(
        source=target,
        seen=RunSeen(run, (results,)),
        nothing=None if failed else _no_node_failed(results),
        written_at=metadata.get("generated_at"),
    )


def _results(target: str, artifact: JsonObject) -> StepResults:
    try:
        return StepResults.from_artifact(artifact, step_index=_STEP)
    except FieldError as error:
        raise UnreadableError(f"{_name(target)}: one of its results is wrong: {error}") from error


def _no_node_failed(results: StepResults) -> str:
    if not results.nodes:
        return (
            "No node failed in this artifact: it lists no nodes at all. "
            "If the command failed, it failed before its first node, and only its log says why."
        )
    counts = Counter(node.status for node in results.nodes)
    statuses = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    return f"No node failed in this artifact: {statuses}. If the command failed nevertheless, its log says why."


# --- Logs


def _from_log(target: str, text: str) -> Case:
    log = log_text(text)
    if not (is_json_log(text) or _SIGN_OF_DBT.search(log)):
        raise UnreadableError(
            f"{_name(target)} is not a log of dbt: no line of it is one that dbt writes. "
            f"To judge a single message, use: airflow-dbt-rerun signatures --test {target}"
        )
    well = _well(log)
    ends_well = well >= 0 and not _ends_in_failure(log, well)
    nothing = f"No error in this log: it ends with {log[well:].splitlines()[0]!r}." if ends_well else None
    return Case(target, RunSeen(_made_up_run(None, log)), nothing)


def _well(log: str) -> int:
    """Return where a log last says that a command ended well; -1 if it does not."""
    return max((found.start() for found in _GOOD_WORDS.finditer(log)), default=-1)


def _ends_in_failure(log: str, well: int) -> bool:
    """Return whether something failed after ``well``. dbt appends the logs of many commands to one file."""
    return max(log.rfind(words) for words in _FAILED_WORDS) > well


# --- The step around them


def _made_up_run(command: str | None, log: str, *, dbt_version: str | None = None) -> Run:
    name = f"Invoke dbt with `{command}`" if command else "the dbt command"
    step = RunStep(id=0, index=_STEP, name=name, status=RunStatus.ERROR, logs=log)
    commands = (command or "dbt",)  # the loop needs them; they are not shown
    return Run(0, 0, RunStatus.ERROR, dbt_version=dbt_version, steps=(step,), commands=commands)


def _name(target: str) -> str:
    return "standard input" if target == STDIN else target
