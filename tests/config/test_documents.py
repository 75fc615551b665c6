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


def test_a_repeated_key_is_refused() -> None:
    """One of the two would silently be lost: here, all default rules."""
    with pytest.raises(ValueError, match="the key 'rules' is given twice"):
        read_policy("rules: [default_rules]\nrules: []\n", "x")


def test_toml() -> None:
    """The format of the built-in tables."""
    (signature,) = read_signatures('[[signatures]]\ncategory = "transient"\npattern = "gone away"\n', "x")
    assert signature.pattern == "gone away"
    with pytest.raises(ValueError, match="x: not valid TOML"):
        read_signatures("[[signatures]]\ncategory = \n", "x")


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


LAUGHS = (
    "rules:\n- when: {all: [&a0 {any_node: transient}"
    + "".join(f", &a{n} {{all: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40))
    + "]}\n"
)
"""A text of two kilobytes that stands for 2^39 conditions."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "team.yaml, line 2: not valid YAML: rules[0].when.all[1].all[0]: the alias *a0 is not allowed"),
        ("rules:\n- when: &w {all: [*w]}", "team.yaml, line 2: not valid YAML: rules[0].when.all[0]: the alias *w"),
        ("stop: &s {any: [*s]}", "team.yaml, line 1: not valid YAML: stop.any[0]: the alias *s is not allowed"),
        ("rules:\n- when: " + "[" * 5_000, "team.yaml, line 2: not valid YAML: rules[0].when[0][0][0]"),
        ("rules:\n" + "- " * 5_000, "team.yaml, line 2: not valid YAML: rules[0][0]"),
        ("{" * 5_000, "team.yaml: not valid JSON: "),
        ("wait:\n " + "? " * 5_000, "team.yaml, line 2: not valid YAML: wait"),
        ('{"rules": ' + "[" * 100_000, "team.yaml: not valid JSON: rules[0][0]"),
        ('{"rules": ' + "[" * 900 + "]" * 900 + "}", "team.yaml: policy.rules[0][0]"),
        (
            "wait: {wait_fixed: 1" + ":1" * 400_000 + "}",
            "team.yaml, line 1: not valid YAML: a number has",
        ),
        (
            "wait: {wait_fixed: 1" + ":1" * 1_000 + ".5}",
            "team.yaml, line 1: not valid YAML: a number has",
        ),
        (
            "wait: {wait_fixed: 0x" + "f" * 100_000 + "}",
            "team.yaml, line 1: not valid YAML: a number has",
        ),
        pytest.param(
            "rules: [" + "1," * 100_001 + "]",
            "team.yaml, line 1: not valid YAML: the text holds more than 100,000",
            marks=pytest.mark.nightly,  # PyYAML takes seconds to read so many
        ),
        ('{"rules": [' + "1," * 100_001 + "1]}", "team.yaml: policy holds more than 100,000 values"),
        ("# " + "x" * 1_000_000, "team.yaml has more than 1,000,000 characters"),
    ],
)
def test_a_text_that_stands_for_endless_work_is_refused(text: str, message: str) -> None:
    """ValueError that names the limit and the field, at once: none of these is expanded."""
    said = []
    for read in (read_policy, read_signatures):
        with pytest.raises(ValueError) as refused:
            read(text, "team.yaml")
        said.append(str(refused.value))
    assert max(map(len, said)) < 400
    assert "\n" not in "".join(said)
    assert said[0].startswith(message)


def test_a_deep_text_names_the_limit() -> None:
    """As JSON and as YAML."""
    for text in ('{"rules": ' + "[" * 100_000, "rules: " + "[" * 5_000):
        with pytest.raises(ValueError, match=r"is nested more than 50 levels deep$"):
            read_policy(text, "team.yaml")


def test_an_anchor_without_an_alias_is_harmless() -> None:
    """It only gives a name to a value."""
    assert read_data("a: &name {b: 1}", "x") == {"a": {"b": 1}}


@pytest.mark.parametrize("number", ["1:30", "010", "0x1F", "1_000", "0b11"])
def test_a_number_that_is_read_as_another_is_refused(number: str) -> None:
    """YAML 1.1 reads 1:30 as 90: who writes it means something else."""
    with pytest.raises(ValueError, match=f"would read {number} as another number"):
        read_data(f"stop: {{stop_after_attempt: {number}}}", "policy")


@pytest.mark.parametrize(
    ("number", "value"), [("0", 0), ("-3", -3), ("1.50", 1.5), (".5", 0.5), ("1.0e+3", 1000.0)]
)
def test_plain_numbers_are_read(number: str, value: float) -> None:
    """As people write them."""
    assert read_data(f"a: {number}", "policy") == {"a": value}
