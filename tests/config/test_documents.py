"""Policies and signatures as people write them: YAML or JSON, and errors that name the place."""

from __future__ import annotations

import json

import pytest

from airflow_dbt_rerun.config.documents import read_data, read_policy, read_signatures
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.policy.policy import RerunPolicy


def test_a_policy_in_yaml_and_in_json() -> None:
    """Both are the same policy; what is not said takes the defaults."""
    data = {"rules": [{"when": {"any_node": ["throttled"]}, "wait": {"wait_fixed": 300}}, "default_rules"]}
    yaml = "rules:\n  - when: {any_node: [throttled]}\n    wait: {wait_fixed: 300}\n  - default_rules\n"
    assert read_policy(yaml, "x") == read_policy(json.dumps(data), "x") == RerunPolicy.from_dict(data)
    assert read_policy("{}", "x") == RerunPolicy()


def test_yaml_in_braces_and_json_with_tabs() -> None:
    """What begins with a brace may be either."""
    assert read_data("{any_node: [transient]}", "x") == {"any_node": ["transient"]}
    assert read_data('{\n\t"any_node": ["transient"]\n}', "x") == {"any_node": ["transient"]}


def test_signatures() -> None:
    """A list of mappings."""
    (signature,) = read_signatures("- {category: transient, pattern: gone away}", "x")
    assert (signature.category, signature.pattern) == (Category.TRANSIENT, "gone away")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "team.yaml is empty"),
        ("rules:\n  - [\n}", "team.yaml, line 3: not valid YAML: "),
        ('{"rules": [}', "team.yaml: not valid JSON: "),
        ('{"rules": ' + "[" * 100_000, "team.yaml: not valid JSON: "),
        ("rules: 2026-13-01", "team.yaml: not valid YAML: "),
        ("rules:\n\t- x", "team.yaml, line 2: not valid YAML: "),
        ("rules: \x00", "team.yaml: not valid YAML: "),
        ("rules: 5", "team.yaml: policy.rules"),
        ("rulez: []", "team.yaml: policy"),
    ],
)
def test_wrong_policies(text: str, message: str) -> None:
    """ValueError, on one line, the source first."""
    with pytest.raises(ValueError) as refused:
        read_policy(text, "team.yaml")
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_wrong_signatures() -> None:
    """The entry is named; a wrong shape is a ValueError as well."""
    with pytest.raises(ValueError, match=r"^own\.yaml, entry 1: .*'transient'"):
        read_signatures("- {category: transiant, pattern: x}", "own.yaml")
    with pytest.raises(ValueError, match=r"^own\.yaml takes a list"):
        read_signatures("{category: transient, pattern: x}", "own.yaml")
