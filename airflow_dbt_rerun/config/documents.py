"""Read what people write in files and Airflow Variables: policies and signatures, as YAML or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature, own


def read_policy(text: str, where: str) -> RerunPolicy:
    """Read a policy.

    :param where: where the text comes from, for errors: a file's name, "Airflow Variable 'policy'".
    :raises ValueError: on one line, ``where`` first: the line for a syntax error, the field for a wrong value.
    """
    data = read_data(text, where)
    try:
        return RerunPolicy.from_dict(data)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def as_policy(value: object, where: str = "policy") -> RerunPolicy | None:
    """Take a policy in any form that an author may give it: itself, a mapping, a YAML or JSON text; None is none.

    :raises TypeError: if it is none of these.
    :raises ValueError: if the mapping or the text is wrong, naming the field.
    """
    if value is None or isinstance(value, RerunPolicy):
        return value
    if isinstance(value, str):
        return read_policy(value, where)
    if isinstance(value, Mapping):
        return RerunPolicy.from_dict(value, where)
    raise TypeError(f"{where} takes a RerunPolicy, a mapping, a YAML or JSON text, or None, not {value!r}")


def read_signatures(text: str, where: str) -> tuple[Signature, ...]:
    """Read error signatures: a list of mappings with category, pattern and perhaps name and source.

    :raises ValueError: as above; of a wrong value, the entry.
    """
    try:
        return own.read(read_data(text, where), where)
    except TypeError as error:
        raise ValueError(str(error)) from error


def read_data(text: str, where: str) -> Any:
    """Read plain data from YAML or JSON.

    :raises ValueError: on one line, ``where`` and the line first, if the text is empty or neither of the two.
    """
    if not text.strip():
        raise ValueError(f"{where} is empty")
    # JSON is YAML too, but not with tabs, and its own errors are clearer.
    return _json(text, where) if text.lstrip()[0] in "{[" else _yaml(text, where)


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            return _yaml(text, where)  # {any_node: [transient]} is YAML, in braces
        except ValueError:
            raise ValueError(f"{where}: not valid JSON: {error}") from error


def _yaml(text: str, where: str) -> Any:
    import yaml  # noqa: PLC0415 - whoever reads no text does without

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{where}{line}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date of month 13 is a plain ValueError
        raise ValueError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from error
