"""Errors in a step's log that node results do not state. The recordings are dbt-core 1.11's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dbt_rerun.core.diagnosis.logs import error_block, failed_batches, logged_errors

LOGS = Path(__file__).parents[2] / "data" / "logs"

FUSION = """dbt-fusion 2.0.0-preview.196
   Loading profiles.yml
 Succeeded [  0.51s] model main.stg_orders (table)
    Failed [  0.12s] model main.orders (table)
==================== Errors and Warnings ====================
[warning] [Generic (dbt1000)]: nothing to see
[error] [DbDriverFailed (dbt1308)]: Database Error in model orders (target/run/shop/models/orders.sql)
  Invalid Input Error: Connection reset by peer
  (in run/shop/models/orders.sql:1:11)
[error] [Generic (dbt1000)]: Database Error in model payments (target/run/shop/models/payments.sql)
  division by zero
==================== Execution Summary ====================
Finished 'build' with 2 errors for target 'dev' [1.2s]
"""


def log(name: str) -> str:
    """Read a recorded log."""
    return (LOGS / f"{name}.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["several_nodes", "debug_format"])
def test_a_log_names_each_failed_node(name: str) -> None:
    """The block after "Completed with" holds a section for each node; the console's format and dbt.log's."""
    found = {error.name: error for error in logged_errors(log(name))}
    assert set(found) >= {"a", "c", "t_fail"}
    assert "Connection reset by peer" in found["a"].text
    assert "Connection reset by peer" not in found["c"].text
    assert (found["a"].resource_type, found["a"].path) == ("model", "models/a.sql")
    assert found["t_fail"].resource_type == "test"


def test_an_older_log_has_one_headline_a_node() -> None:
    """Before dbt-core 1.8 there is no "Failure in" line, and warnings stand among the errors."""
    text = (
        "07:00:00  Completed with 2 errors and 1 warning:\n07:00:00  \n"
        "07:00:00  Database Error in model a (models/a.sql)\n07:00:00    deadlock detected\n07:00:00  \n"
        "07:00:00  Warning in test w (models/w.yml)\n07:00:00    Got 1 result, configured to warn if != 0\n"
        "07:00:00  Compilation Error in model b (models/b.sql)\n07:00:00    'x' is undefined\n"
        "07:00:00  Done. PASS=1 WARN=1 ERROR=2 SKIP=0 TOTAL=4\ndbt command failed"
    )
    found = {error.name: error.text for error in logged_errors(text)}
    assert set(found) == {"a", "b"}
    assert "Got 1 result" not in found["a"]


def test_fusion_reports_its_errors_between_two_rules() -> None:
    """The v2 engine has no "Completed with": its errors stand between two ruled headings."""
    found = {error.name: error.text for error in logged_errors(FUSION)}
    assert set(found) == {"orders", "payments"}
    assert "division by zero" not in found["orders"]
    assert "nothing to see" not in error_block(FUSION).split("[error]", 1)[1]


def test_fusion_without_a_report() -> None:
    """With --fail-fast the report can be missing: then the first error line begins the block."""
    text = "Loading\nerror: dbt1014: [Snowflake] 250001: i/o timeout\n  --> models/a.sql:1:1\n"
    assert error_block(text).startswith("error: dbt1014")


def test_a_hook_is_named() -> None:
    """A failed hook has a section like any node."""
    (error,) = logged_errors(log("hook"))
    assert (error.resource_type, error.name) == ("operation", "shop-on-run-end-0")


@pytest.mark.parametrize(("name", "words"), [("run_operation", "could not find a macro"), ("parse", "named 'zz'")])
def test_an_error_before_any_node_is_one_block(name: str, words: str) -> None:
    """What died while it was parsed or connected names no node."""
    (error,) = logged_errors(log(name))
    assert error.name is None
    assert words in error.text
    assert "dbt command failed" not in error.text


def test_batches_speak_in_the_log_only() -> None:
    """A microbatch model's result says PARTIAL SUCCESS (2/4); why, each batch says while it runs."""
    batches = list(failed_batches(log("microbatch")))
    assert [(each.name, each.text.splitlines()[-1]) for each in batches] == [
        ("mb", "Invalid Input Error: deadlock detected")
    ] * 2
    assert list(failed_batches(log("hook"))) == []


@pytest.mark.parametrize("text", ["", "\n \n", "dbt command failed", "\x1b[0m"])
def test_nothing_logged_is_no_error(text: str) -> None:
    """An empty log names nothing."""
    assert logged_errors(text) == ()


def test_a_huge_log_of_failures_is_bounded() -> None:
    """Ten thousand failed nodes are not listed one by one from a log: about a thousand are."""
    section = "Failure in model m{n} (models/m{n}.sql)\n  Database Error in model m{n} (m{n}.sql)\n  " + "x" * 300
    text = "Completed with 9 errors:\n" + "\n".join(section.replace("{n}", str(n)) for n in range(10_000))
    assert 500 < len(logged_errors(text)) < 2_000
