"""Read policies and signatures from YAML, JSON or TOML, as users write them in files and Airflow Variables."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from airflow_dbt_rerun.core.messages import shown
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature, own

LONGEST_TEXT = 1_000_000
"""Characters. A longer text is not a policy or a list of signatures."""

_NOT_YAML = ": not valid YAML: "
_TOML_TABLE = re.compile(r"^\[\[?[a-z]+\]{1,2}[ \t]*(?:#.*)?$", re.MULTILINE)
"""A line that begins a table of TOML, such as ``[[signatures]]``; in YAML it would be a list within a list."""


def read_policy(text: str, where: str) -> RerunPolicy:
    """Read a policy.

    :param where: the origin of the text, for errors: a file's name, "Airflow Variable 'policy'".
    :raises ValueError: with a message of one line: ``where``, then the line of a syntax error or the wrong field.
    """
    data = read_data(text, where)
    try:
        return RerunPolicy.from_dict(data)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def as_policy(value: object, where: str = "policy") -> RerunPolicy | None:
    """Return a policy given as a policy, a mapping, or a YAML or JSON text; None stays None.

    :raises TypeError: if it has another type.
    :raises ValueError: if the mapping or the text is invalid; the message names the field.
    """
    if value is None or isinstance(value, RerunPolicy):
        return value
    if isinstance(value, str):
        return read_policy(value, where)
    if isinstance(value, Mapping):
        return RerunPolicy.from_dict(value, where)
    raise TypeError(f"{where} takes a RerunPolicy, a mapping, a YAML or JSON text, or None, not {shown(value)}")


def read_signatures(text: str, where: str) -> tuple[Signature, ...]:
    """Read error signatures: a list of mappings with category and pattern, or a mapping that holds such a list.

    :raises ValueError: with a message of one line: ``where``, then the line of a syntax error or the wrong entry.
    """
    try:
        return own.read(read_data(text, where), where)
    except TypeError as error:
        raise ValueError(str(error)) from error


def read_data(text: str, where: str) -> Any:
    """Read plain data from YAML or JSON, or from TOML if it has a table in brackets on a line of its own.

    :raises ValueError: if the text is empty, too long, nested too deep, or in none of these languages, or if it has
        aliases; the message is one line and begins with ``where`` and the line.
    """
    if not text.strip():
        raise ValueError(f"{where} is empty")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{where} has more than {LONGEST_TEXT:,} characters")
    if _TOML_TABLE.search(text):
        return _toml(text, where)
    # JSON is also YAML, except with tabs, and the JSON parser's errors are clearer.
    return _json(text, where) if text.lstrip()[0] in "{[" else _yaml(text, where)


def _toml(text: str, where: str) -> Any:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{where}: not valid TOML: {error}") from error


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            return _yaml(text, where)  # {any_node: [transient]} is YAML, in braces
        except ValueError as as_yaml:
            # Only the YAML reader knows in which field the nesting becomes too deep.
            told = str(as_yaml).rpartition(_NOT_YAML)[2] if isinstance(error, RecursionError) else error
            raise ValueError(f"{where}: not valid JSON: {told}") from error


def _yaml(text: str, where: str) -> Any:
    import yaml  # noqa: PLC0415 - not needed unless a text is read

    from airflow_dbt_rerun.config.plain_yaml import PlainLoader  # noqa: PLC0415 - as above

    try:
        return yaml.load(text, Loader=PlainLoader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{where}{line}{_NOT_YAML}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        # A date with month 13 is a plain ValueError.
        raise ValueError(f"{where}{_NOT_YAML}{' '.join(str(error).split())}") from error
