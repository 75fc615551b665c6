"""docs/policies.md and docs/policy.schema.json describe what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from airflow_dbt_rerun.core.policy.conditions import CONDITIONS
from airflow_dbt_rerun.core.policy.from_data import POLICY_KEYS
from airflow_dbt_rerun.core.policy.json_schema import policy_schema
from airflow_dbt_rerun.core.policy.overrides import TAKES
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.policy.tenacity_table import STOPS, WAITS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "policies.md").read_text()
PUBLISHED = json.loads((DOCS / "policy.schema.json").read_text())


def blocks(language: str) -> list[str]:
    """Return the examples of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_published_schema_is_the_one_of_the_code() -> None:
    """The file is written by ``policy_schema()``; ``python -m tests.docs.test_policies`` rewrites it."""
    assert policy_schema() == PUBLISHED


@pytest.mark.parametrize("example", blocks("python"))
def test_python_examples_run(example: str) -> None:
    """Each example runs unchanged."""
    exec(compile(example, "docs/policies.md", "exec"), {"__name__": "example"})  # noqa: S102 - a file of our own


@pytest.mark.parametrize("example", blocks("yaml"))
def test_yaml_examples_load(example: str) -> None:
    """Each example is a policy, and valid by the published schema."""
    data = yaml.safe_load(example)
    assert RerunPolicy.from_dict(data) != RerunPolicy()
    Draft202012Validator(PUBLISHED).validate(data)


def test_both_ways_to_write_the_first_example_are_one() -> None:
    """The YAML of the first example makes the same policy as its Python code."""
    names: dict[str, RerunPolicy] = {}
    exec(blocks("python")[0], names)  # noqa: S102 - a file of our own
    assert RerunPolicy.from_dict(yaml.safe_load(blocks("yaml")[0])) == names["policy"]


def test_the_default_policy_is_valid() -> None:
    """The default policy as data is valid by the schema."""
    Draft202012Validator(PUBLISHED).validate(RerunPolicy().to_dict())


def test_the_page_names_everything() -> None:
    """Each condition, stop, wait, override and argument is on the page."""
    strategies = {strategy.call.name for strategy in (*STOPS, *WAITS)}
    assert [name for name in {*CONDITIONS, *strategies, *TAKES, *POLICY_KEYS} if f"{name}" not in PAGE] == []


if __name__ == "__main__":
    (DOCS / "policy.schema.json").write_text(json.dumps(policy_schema(), indent=2) + "\n")
