"""What holds reruns back for many tasks at once: shadow mode, and the pause of all or some reruns."""

from __future__ import annotations

import logging
import re
from configparser import InterpolationError
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook, Variable, conf

from airflow_dbt_rerun.config.documents import read_data
from airflow_dbt_rerun.core.messages import not_among
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.provider_info import CONFIG_SECTION

HEAL, SHADOW = "heal", "shadow"
POLICY_MODES = (HEAL, SHADOW)

MODE_OPTION = "policy_mode"

PAUSE_VARIABLE = "dbt_rerun_pause"
"""The Airflow Variable that pauses reruns."""

PAUSE_OPTION = "pause"
"""The option of ``[dbt_rerun]`` that does the same."""

_NOTHING = ("", "false", "none", "null", "no", "off", "0", "[]")
_SEPARATORS = re.compile(r"[\s,;]+")
_ALL = ("all", "true", "yes", "on", "1")


def policy_mode(given: str | None) -> str:
    """Return the mode of a task: its own, or that of Airflow's configuration.

    :raises DbtConfigError: if the configuration names a mode that does not exist.
    """
    if given is not None:
        return given
    mode = _configured(MODE_OPTION) or HEAL
    if mode not in POLICY_MODES:
        where = f"Airflow's configuration [{CONFIG_SECTION}] {MODE_OPTION}"
        raise DbtConfigError(not_among(where, mode, POLICY_MODES))
    return mode


def why_paused(job_id: int, conn_id: str, log: Any = None) -> str | None:
    """Return why reruns of a job are paused; None if they are not.

    A Variable or an option that cannot be understood pauses everything: somebody wanted to stop something. One that
    cannot be read, because the database is away, pauses nothing.

    :param log: the task's logger.
    """
    for where, read in (
        (f"the Airflow Variable {PAUSE_VARIABLE}", lambda: Variable.get(PAUSE_VARIABLE, None)),
        (f"Airflow's configuration [{CONFIG_SECTION}] {PAUSE_OPTION}", lambda: _configured(PAUSE_OPTION)),
    ):
        try:
            value = read()
        except Exception as error:  # noqa: BLE001 - a secrets backend may raise anything
            (log or logging.getLogger(__name__)).warning("Cannot read %s, so it pauses nothing: %s", where, error)
            continue
        if matched := _matched(value, job_id, conn_id):
            return f"reruns are paused by {where} ({matched})"
    return None


def _matched(value: Any, job_id: int, conn_id: str) -> str | None:
    """Return which part of a pause concerns a job; None if none does."""
    text = str(value if value is not None else "").strip()
    if text.lower() in _NOTHING:
        return None
    if text.lower() in _ALL:
        return "all"
    try:
        entries = read_data(text, PAUSE_VARIABLE) if text[:1] in "[{-" else _SEPARATORS.split(text)
    except (TypeError, ValueError):
        return "all, since it cannot be understood"
    if not isinstance(entries, list) or not all(isinstance(entry, int | str) for entry in entries):
        return "all, since it is no list of jobs and connections"
    names = {part for entry in entries for part in _SEPARATORS.split(str(entry).strip("\"' ")) if part}
    if {name.lower() for name in names} & set(_ALL) - {"1"}:
        return "all"
    if str(job_id) in names:
        return f"job {job_id}"
    if conn_id in names:
        return f"connection {conn_id}"
    odd = next((name for name in sorted(names) if not (name.isdigit() or _is_connection(name))), None)
    return f"all, since {odd!r} is neither the id of a job nor a connection" if odd else None


def _is_connection(name: str) -> bool:
    """Return whether Airflow knows a connection; what it cannot tell is not known."""
    try:
        BaseHook.get_connection(name)
    except Exception:  # noqa: BLE001 - a secrets backend may raise anything
        return False
    return True


def _configured(option: str) -> str:
    try:
        return (conf.get(CONFIG_SECTION, option, fallback=None) or "").strip()
    except InterpolationError:
        raise DbtConfigError(f"[{CONFIG_SECTION}] {option}: a % has to be written as %% in airflow.cfg") from None
