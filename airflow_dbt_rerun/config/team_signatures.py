"""Read the signatures that apply to all DAGs, from an Airflow Variable and from Airflow's configuration.

They are read when a task starts, never while a DAG is parsed: reading a Variable costs a request.
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
"""The option of ``[dbt_rerun]``: a JSON or YAML list, or the absolute path of a file that contains one."""

_LARGEST_FILE = 1_000_000
"""Bytes. A larger file is probably a wrong path."""


def team_signatures(log: Any = None, *, strict: bool = True) -> tuple[Signature, ...]:
    """Read the team's signatures: those of the Variable, then those of the configuration. Both may be missing.

    :param log: the task's logger, for the warning.
    :param strict: raise if a source is invalid, before a task starts a run. If False, an invalid source is left out
        with a warning: a heal in progress must not fail because a Variable was edited.
    :raises DbtConfigError: if strict and a source is invalid; the message names the source and the entry or line.
    """
    found: list[Signature] = []
    wrong: list[str] = []
    for read in (_from_variable, _from_configuration):
        try:
            found += read()
        except Exception as error:  # a secrets backend may raise anything; see strict
            if strict:
                raise
            wrong.append(str(error))
    if wrong:
        (log or logging.getLogger(__name__)).warning("Continuing without some signatures: %s", "; ".join(wrong))
    return tuple(found)


def _from_variable() -> tuple[Signature, ...]:
    # The default is the second argument in both Airflow 2 and 3, under different names.
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
    """Return whether a text is a list: a file's path is one line without a leading bracket or dash."""
    return text.startswith(("[", "{", "-", "#")) or "\n" in text


def _file(path: str, where: str) -> str:
    """Read a file. A relative path is refused, since it may mean different files in different processes."""
    if not Path(path).is_absolute():
        raise DbtConfigError(f"{where} takes a JSON or YAML list or the absolute path of a file, not {path!r}")
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            text = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DbtConfigError(f"{where}: file {path} cannot be read: {reason}") from None
    if len(text) > _LARGEST_FILE:
        raise DbtConfigError(f"{where}: file {path} is larger than 1 MB, too large for a list of signatures")
    return text


def _read(text: str | None, where: str) -> tuple[Signature, ...]:
    """Read signatures from a JSON or YAML text; return none if it is empty or has only comments."""
    if not text or not text.strip():
        return ()
    try:
        data = read_data(text, where)
        return () if data is None else own.read(data, where)
    except (TypeError, ValueError) as error:
        raise DbtConfigError(str(error)) from None
