"""The text of a report: versions, and for each kind of failure the error's redacted lines.

Nothing of the user's is copied into it: words from files and answers (statuses, versions, adapters) are shown only
if they are among the known ones, and messages only as the redactor returns them.
"""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.cli.cases import Opinion
from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.diagnosis.diagnosis import Finding
from airflow_dbt_rerun.core.diagnosis.json_log import log_text
from airflow_dbt_rerun.core.diagnosis.logs import logged_errors, says_why
from airflow_dbt_rerun.core.diagnosis.redaction import Redactor
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.messages import and_more, counted
from airflow_dbt_rerun.core.signatures import adapters, all_signatures

MOST_KINDS = 10
"""Kinds of failures that are shown."""

PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-http",
    "apache-airflow-providers-common-compat",
    "apache-airflow-providers-dbt-cloud",
    "apache-airflow-providers-openlineage",
)

_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,4}){1,2}(?:[-.]?(?:a|b|rc|alpha|beta|preview|post|dev)?[-.]?\d{0,4}){0,3}")
_TRACKS = ("latest", "latest-fusion", "compatible", "extended", "fallback", "versionless")
"""The platform's release tracks, which stand in for a version."""
_KINDS = frozenset(
    """model test unit_test seed snapshot operation source exposure function saved_query semantic_model analysis
    hook sql_operation macro node step run""".split()
)
_STATUSES = ("error", "fail", "runtime error", "partial success", "cancelled", "warn", "skipped")
OTHER = "other"


class _Kind(NamedTuple):
    """Failures that read alike once they are redacted."""

    what: str
    judged: str
    text: str


def text_of(opinions: Sequence[Opinion], redactor: Redactor) -> Iterator[str]:
    """Yield the lines of a report about failures."""
    yield f"airflow-dbt-rerun {__version__}, Python {platform.python_version()}"
    yield ", ".join(f"{name} {found}" for name in PACKAGES if (found := _installed(name)))
    for opinion in opinions:
        yield ""
        yield from _failure(opinion, redactor)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _failure(opinion: Opinion, redactor: Redactor) -> Iterator[str]:
    seen, diagnosis = opinion.case.seen, opinion.diagnosis
    adapter = _adapter(seen)
    read = "files" if opinion.case.is_file else "a run of the platform"
    yield f"dbt {_dbt_version(seen)}, adapter {adapter or OTHER}, read from {read}"
    if diagnosis is None:
        yield "nothing failed"
        return
    redactor.know(_names(seen))
    texts = _texts(seen)
    kinds = Counter(_kind(finding, texts, redactor, adapter) for finding in diagnosis.findings)
    failures = counted(len(diagnosis.findings), "failure")
    yield f"verdict {diagnosis.verdict}, {failures}, {len(diagnosis.skipped)} skipped"
    for kind, count in kinds.most_common(MOST_KINDS):
        yield f"{count} x {kind.what}: {kind.judged}"
        yield from (f"    {line}" for line in kind.text.splitlines())
    if len(kinds) > MOST_KINDS:
        yield and_more(len(kinds) - MOST_KINDS)


def _kind(finding: Finding, texts: Mapping[str, str], redactor: Redactor, adapter: str | None) -> _Kind:
    text = redactor.redact(texts.get(finding.subject) or finding.message)
    status = finding.status.lower()
    what = f"{_among(_KINDS, finding.resource_type)} ({_among(_STATUSES, status)})"
    judged = f"{finding.category}, {_signature(finding)}"
    alone = match(text, adapter=adapter, node_status=status)[0]
    if alone is not finding.category:
        judged += f"; as redacted: {alone}"
    return _Kind(what, judged, text)


def _signature(finding: Finding) -> str:
    """Return which signature matched. Those of a team are not named: they may say what they are about."""
    if finding.signature is None:
        return "no signature"
    built_in = {signature.id for signature in all_signatures()}
    return finding.signature_id if finding.signature_id in built_in else "a signature of the team"


def _texts(seen: RunSeen) -> dict[str, str]:
    """Return what dbt wrote about each failed node or step, by the subject of its finding."""
    step = seen.run.stopping_step
    log = logged_errors(log_text(step.logs)) if step else ()
    texts = {error.name or (step.title if step else ""): error.text for error in log}
    nodes = [node for artifact in seen.results for node in artifact.nodes if node.is_failed]
    for node in nodes:
        message = node.message if node.message and says_why(node.message) else texts.get(node.name)
        if message:
            texts[node.unique_id] = message
    return texts


def _names(seen: RunSeen) -> Iterator[str]:
    """Yield names that are the user's, whatever word they are."""
    for artifact in seen.results:
        for node in artifact.nodes:
            yield from (part for part in node.unique_id.split(".")[1:] if len(part) > 1)
    for name in filter(None, (seen.run.job_name, seen.run.git_branch, seen.run.job_target)):
        yield from (name, *re.findall(r"\w{3,}", name))


def _adapter(seen: RunSeen) -> str | None:
    given = next((artifact.adapter for artifact in seen.results if artifact.adapter), None)
    given = given or (seen.facts.adapter if seen.facts else None)
    return given if given in adapters() else None


def _dbt_version(seen: RunSeen) -> str:
    given = seen.run.dbt_version or ""
    return given if given in _TRACKS or _VERSION.fullmatch(given) else "(version unknown)"


def _among(known: Sequence[str] | frozenset[str], word: str) -> str:
    return word if word in known else OTHER
