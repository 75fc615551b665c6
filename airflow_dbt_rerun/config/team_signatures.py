"""The signatures that a team keeps for all its DAGs: in an Airflow Variable and in Airflow's configuration.

Read when a task starts, never while a DAG is parsed: a Variable costs a request.
"""

from __future__ import annotations

import logging
from configparser import InterpolationError
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import Variable, conf

from airflow_dbt_rerun.config.documents import read_data
from airflow_dbt_rerun.core.signatures import Signature, own
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.provider_info import CONFIG_SECTION

VARIABLE = "dbt_rerun_signatures"
"""The Airflow Variable: a JSON or YAML list."""

OPTION = "signatures"
"""The option of ``[dbt_rerun]``: a JSON or YAML list, or the absolute path of a file that holds one."""

_LARGEST_FILE = 1_000_000
"""Bytes. A larger file is something else, given by mistake."""


def team_signatures(log: Any = None, *, strict: bool = True) -> tuple[Signature, ...]:
    """Read the team's signatures: those of the Variable, then those of the configuration; neither is none.

    :param log: the task's logger, for the warning.
    :param strict: refuse what is wrong, as befits a task before it starts a run. Without it a source that is wrong
        is left out with a warning: a heal under way must not die of a Variable that somebody edited.
    :raises DbtConfigError: if strict and a source is wrong, naming the source and the entry or line.
    """
    found: list[Signature] = []
    wrong: list[str] = []
    for read in (_from_variable, _from_configuration):
        try:
            found += read()
        except Exception as error:  # whatever a secrets backend raises; see strict
            if strict:
                raise
            wrong.append(str(error))
    if wrong:
        (log or logging.getLogger(__name__)).warning("Going on without some signatures: %s", "; ".join(wrong))
    return tuple(found)


def _from_variable() -> tuple[Signature, ...]:
    # The default is the second argument of both Airflow 2 and 3, which name it differently.
    return _read(Variable.get(VARIABLE, None), f"Airflow Variable {VARIABLE!r}")


def _from_configuration() -> tuple[Signature, ...]:
    where = f"Airflow's configuration [{CONFIG_SECTION}] {OPTION}"
    try:
        text = (conf.get(CONFIG_SECTION, OPTION, fallback=None) or "").strip()
    except InterpolationError:
        raise DbtConfigError(f"{where}: a % has to be written as %% in airflow.cfg") from None
    if not text or _is_inline(text):
        return _read(text, where)
    return _read(_file(text, where), f"{where}, file {text}")


def _is_inline(text: str) -> bool:
    """Tell a list from the path of a file: a path is one line and begins with neither bracket nor dash."""
    return text.startswith(("[", "{", "-", "#")) or "\n" in text


def _file(path: str, where: str) -> str:
    """Read a file. A relative path means another file in each process, so it is refused."""
    if not Path(path).is_absolute():
        raise DbtConfigError(f"{where} takes a JSON or YAML list or the absolute path of a file, not {path!r}")
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            text = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DbtConfigError(f"{where}: file {path} cannot be read: {reason}") from None
    if len(text) > _LARGEST_FILE:
        raise DbtConfigError(f"{where}: file {path} is larger than 1 MB: that is no list of signatures")
    return text


def _read(text: str | None, where: str) -> tuple[Signature, ...]:
    """Read signatures from a JSON or YAML text; none from an empty one, or from one of comments only."""
    if not text or not text.strip():
        return ()
    try:
        data = read_data(text, where)
        return () if data is None else own.read(data, where)
    except (TypeError, ValueError) as error:
        raise DbtConfigError(str(error)) from None
