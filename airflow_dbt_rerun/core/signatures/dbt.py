"""What dbt and the dbt platform say themselves, whatever the warehouse. Tried first.

Sources: dbt-core's exceptions (``dbt_common.exceptions``, ``dbt.exceptions``), artifacts recorded with dbt-core
1.11 and 1.12, the platform's run ``status_message`` and its incident reports (status.getdbt.com).
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.TEST_FAILED,
        (r"^Got \d+ results?, configured to fail", "dbt-core run_results", "data test failed"),
        (r"^actual differs from expected", "dbt-core run_results", "unit test failed"),
        (r"\bERROR STALE freshness\b", "dbt-core log of dbt source freshness", "stale source"),
    ),
    *group(
        Category.CODE,
        (r"an enforced contract that failed", "dbt-core ContractError", "contract broken"),
        (r"^Compilation Error\b", "dbt-core CompilationError", "compilation error"),
        (r"^(?:Yaml )?Parsing Error\b", "dbt-core ParsingError", "parsing error"),
        (r"\bEnv var required but not provided\b", "dbt-core EnvVarMissingError", "missing env var"),
        (r"^(?:Undefined Macro|Duplicate Macro|Duplicate Resource|Contract) Error\b", "dbt-core", "project error"),
        (r"^(?:Yaml |Json )?Validation Error\b", "dbt-core ValidationError", "invalid configuration"),
        (r"^dbt (?:Configuration|Project|Profile) Error\b", "dbt-core DbtConfigError", "invalid configuration"),
        (r"^Could not find (?:profile|model|macro) named\b", "dbt-core", "invalid configuration"),
        (r"^Credentials in profile .{0,80}\binvalid\b", "dbt-core DbtProfileError", "invalid profile"),
        (r"\bNo \S+ found at expected path\b", "dbt-core DbtProjectError", "no project"),
        (r"^Version error for package\b", "dbt-core DependencyError", "package version conflict"),
        (r"^Package .{0,80}\bwas not found in the package index\b", "dbt-core DependencyError", "unknown package"),
        (r"^\S{1,60} is undefined\b|\btakes no keyword argument\b", "dbt-core, Jinja", "compilation error"),
        (r"^This version of dbt is not supported with\b", "dbt-core", "dbt version not supported"),
        (r"\bdbt(?:0\d{3}|1005|1013)\b", "dbt Fusion: SQL, project, YAML", "compilation error"),
        (r"^Usage: dbt\b|^Error: No such (?:option|command)\b", "dbt-core, click", "wrong command line"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"^(?:This )?run timed out\b", "platform status_message", "job timeout"),
        (r"\bexceeded the configured timeout of \d+ seconds\b", "platform status_message", "job timeout"),
    ),
    *group(
        Category.THROTTLED,
        (
            r"\bwait(?:ed|ing) .{0,40}\bcapacity\b|\bcapacity constraints\b",
            "status.getdbt.com 2026-02",
            "no capacity",
        ),
        (r"\bqueued for (?:more|longer) than\b|\bwaiting for a run slot\b", "dbt platform", "no run slot"),
        (r"\bcancell?ed after waiting\b", "status.getdbt.com 2026-02", "no capacity"),
    ),
    *group(
        Category.CANCELLED,
        (
            r"^(?:This |The )?(?:run )?(?:was )?cancell?ed by (?!the (?:system|platform|scheduler))",
            "platform",
            "cancelled",
        ),
    ),
    *group(
        Category.TRANSIENT,
        (r"^Internal error\.?$", "status.getdbt.com 2026-02", "platform's internal error"),
        (r"^Error retrieving publications\b", "status.getdbt.com 2026-02", "publications not available"),
    ),
)
