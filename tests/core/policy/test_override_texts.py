"""Overrides that are certainly not meant: the name of a missing value, a misspelt command, a lost comma."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.policy.overrides import Overrides

TEXTS = ("schema_override", "git_branch", "git_sha", "dbt_version_override", "target_name_override")


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("value", ["None", "NULL", "null", "nan", "NaN", "[]", "{}", " none ", "undefined", "''"])
def test_a_missing_value_is_not_sent_as_text(field: str, value: str) -> None:
    """The message names the field and the fix; dbt would build in a schema that is called "None"."""
    with pytest.raises(ValueError, match=rf"overrides\['{field}'\] is the text .*leave the field out"):
        Overrides.checked("overrides", {field: value})


@pytest.mark.parametrize("field", TEXTS)
def test_a_blank_text_is_not_sent(field: str) -> None:
    """Nor is one of blanks."""
    with pytest.raises(ValueError, match=rf"overrides\['{field}'\] takes a text that is not empty"):
        Overrides.checked("overrides", {field: " \t"})


@pytest.mark.parametrize("value", ["nonesuch", "null_models", "nanny", "dev"])
def test_other_texts_are_taken(value: str) -> None:
    """Only the whole text counts."""
    assert Overrides.checked("overrides", {"schema_override": value})["schema_override"] == value


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "dbt builddbt test",
            "no command 'builddbt': did you mean 'build', and is a comma missing between two steps?",
        ),
        ("dbt buildd", "no command 'buildd': did you mean 'build'?"),
        ("dbt --quiet tset", "no command 'tset': did you mean 'test'?"),
        ("dbt seed dbt test", "which is two commands: is a comma missing between two steps?"),
        ("build", "must be a command of dbt, such as 'dbt build', not 'build'"),
        ("dbtbuild", "must be a command of dbt"),
    ],
)
def test_a_step_that_is_a_slip_is_refused(command: str, words: str) -> None:
    """The message names the step."""
    with pytest.raises(ValueError, match=r"^overrides\['steps_override'\]\[1\]") as caught:
        Overrides.checked("overrides", {"steps_override": ["dbt deps", command]})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        "dbt build",
        "dbt --no-partial-parse --target test build --select tag:x",
        "dbt run-operation stage --args '{a: 1}'",
        "dbt source freshness",
        "dbt  run",
        "dbt run --vars '{unclosed",
        "dbt --version",
        "dbt lint",
        "dbt ls",
        "dbt frobnicate",
        "dbt run --select dbt",
    ],
)
def test_any_command_that_dbt_may_know_is_taken(command: str) -> None:
    """dbt may learn commands that this package does not know."""
    assert Overrides.checked("overrides", {"steps_override": [command]})["steps_override"] == (command,)
